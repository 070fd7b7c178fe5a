"""What a dataset report says: figures of every clip, and what should be mended, worst first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Spoils the training or is dropped by it; should be mended; worth knowing.
BAD, WARN, NOTE = "bad", "warn", "note"
SEVERITIES = (BAD, WARN, NOTE)


@dataclass(frozen=True)
class Finding:
    """Something to look at: in one clip, or ("" as `clip_id`) in the dataset as a whole.

    `kind` is one word to filter by ("noise", "voice", "duplicate"...), `hint` says what to do.
    Among findings of one severity the one of larger `weight` is worse.
    """

    clip_id: str
    kind: str
    severity: str
    message: str
    hint: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class ClipMeasures:
    """The figures of one clip; None where there is nothing to measure or no model to do it.

    `recorded_lufs` is the loudness before it was evened out, `signal_to_noise_db` an estimate from
    the pauses, `clipping` the share of clipped samples (0 to 1), `letters_per_s` the speaking rate,
    `voice` the cosine to the main speaker's GE2E centroid, `heard_otherwise` the word error rate of
    the text against what a second listener heard.
    """

    clip_id: str
    duration_s: float
    loudness_lufs: float | None
    recorded_lufs: float | None
    signal_to_noise_db: float | None
    clipping: float
    bandwidth_hz: float
    letters_per_s: float | None = None
    voice: float | None = None
    heard_otherwise: float | None = None


@dataclass(frozen=True)
class DatasetReport:
    """A dataset in figures. Minutes and clips are those in the metadata; `dropped_*` the others.

    `not_checked` says in sentences what could not be looked at, and why. `heard` holds what the
    second listener heard, by clip id; `waiting` counts the clips that a quick look left out.
    """

    name: str
    language: str
    minutes: float
    clips: int
    eval_clips: int
    dropped_minutes: float
    dropped_clips: int
    speakers: int | None
    measures: tuple[ClipMeasures, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...]
    heard: Mapping[str, str]
    waiting: int = 0

    def findings_of(self, clip_id: str) -> tuple[Finding, ...]:
        """The findings of one clip, worst first; those of the whole dataset for ""."""
        return tuple(finding for finding in self.findings if finding.clip_id == clip_id)


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """By severity, then by weight."""
    return tuple(sorted(findings, key=lambda item: (SEVERITIES.index(item.severity), -item.weight)))
