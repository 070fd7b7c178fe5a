"""How the cosines of each speaker encoder are to be read.

Measured on clips of four speakers of Debian's Asterisk prompts and a LibriVox reader. Clips of
2.5 s of one speaker and of two: CAM++ 0.75 and 0.15 (equal error rate 0.0 %), GE2E 0.82 and 0.54
(2.5 %); clips of 8 s: CAM++ 0.87 and 0.17, GE2E 0.93 and 0.64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SpeakerScale:
    """Where a speaker encoder draws its lines, as cosines.

    `other` is about the most that two speakers of one sex usually reach, `own` what long recordings
    of one speaker do; from `same_speaker` on two clips, and from `same_group` on the means of two
    groups of clips, are one speaker's. A clip below `stranger` is clearly not of the voice whose
    mean it is compared with. A difference of `equal` is within what one seed makes of a voice.
    """

    label: str
    other: float
    own: float
    same_speaker: float
    same_group: float
    stranger: float
    equal: float


SPEAKER_SCALES: Mapping[str, SpeakerScale] = {
    # Clips of 2.5 s: other speakers reach 0.40 at most, 95 % of a speaker's own pairs 0.62; of 8 s:
    # 0.44 and 0.79. The two halves of one speaker that k-means separates are at 0.80 to 0.97, the
    # means of two speakers at 0.43 at most (0.61: one speaker's English and Spanish prompts).
    "campplus": SpeakerScale(
        "CAM++", other=0.25, own=0.87, same_speaker=0.5, same_group=0.65, stranger=0.45, equal=0.012
    ),
    # Different speakers of one sex reach about 0.55, the same speaker 0.85 and more. The two halves
    # of one speaker are at 0.89 to 0.95, two women at 0.74 to 0.80, woman and man at 0.62 to 0.70.
    "ge2e": SpeakerScale(
        "GE2E", other=0.55, own=0.95, same_speaker=0.72, same_group=0.8, stranger=0.65, equal=0.005
    ),
}
# The encoders by preference: where CAM++ is not installed, GE2E takes its place.
SPEAKER_ENCODERS = ("campplus", "ge2e")
# What measured the figures that name no encoder: those of earlier versions.
FIRST_ENCODER = "ge2e"


def speaker_scale(encoder: str) -> SpeakerScale:
    """The scale of an encoder by its model id; of GE2E for an unknown one."""
    return SPEAKER_SCALES.get(encoder, SPEAKER_SCALES[FIRST_ENCODER])
