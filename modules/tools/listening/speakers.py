"""Telling the speakers of a recording apart: turns, and the voice of each speaker."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.diarization.clustering import (
    SpeakerCount,
    assign_speakers,
)
from modules.core_components.ai_models.engines.diarization.frames import ENCODER, SAMPLE_RATE_HZ
from modules.core_components.ai_models.engines.diarization.local_voices import (
    LocalVoices,
    load_voices,
)
from modules.core_components.ai_models.engines.diarization.turns import find_turns, overlaps
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.files import read_speech
from modules.core_components.audio.resample import StreamResampler
from modules.core_components.audio.speech_regions import trim_to_speech
from modules.core_components.errors import BadInputError, CorruptFileError, ModelMissingError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Speech, Turn
from modules.tools.listening.speaker_voices import same_voices
from modules.tools.services import Services

logger = logging.getLogger(__name__)

OFF, AUTO = "", "auto"
MOST_SPEAKERS = 50
_BLOCK_S = 60
_LONGEST_REFERENCE_S = 60.0


@dataclass(frozen=True, eq=False)
class Diarization:
    """Who speaks when: turns in order, and where several talk at once.

    `voices` are the mean speaker embeddings of the speakers, float32 of unit length.
    """

    turns: tuple[Turn, ...]
    overlaps: tuple[tuple[float, float], ...]
    voices: Mapping[str, FloatArray]


def parse_speakers(given: str) -> SpeakerCount | None:
    """How many speakers to find: "auto", a number, or bounds such as "2-4"; None for "" or "off".

    Raises BadInputError.
    """
    text = given.strip().lower()
    if text in (OFF, "off", "none"):
        return None
    if text in (AUTO, "found"):
        return SpeakerCount()
    match = re.fullmatch(r"(\d{1,3})(?:\s*-\s*(\d{1,3}))?", text)
    if match:
        least, most = int(match[1]), int(match[2] or match[1])
        if 1 <= least <= most <= MOST_SPEAKERS:
            return SpeakerCount(least, most)
    raise BadInputError(
        _("{given!r} is no number of speakers.", given=given),
        _(
            "Give auto, a number such as 2, or bounds such as 2-4, up to {most_speakers}.",
            most_speakers=MOST_SPEAKERS,
        ),
        "speakers",
    )


def speakers_between(least: int | None, most: int | None) -> str:
    """What `parse_speakers` reads, of bounds that may be left out. Raises BadInputError."""
    if least is None and most is None:
        return AUTO
    least, most = least or 1, most or MOST_SPEAKERS
    if least > most:
        raise BadInputError(
            _("There cannot be more speakers at least than at most."),
            _("Give a smaller min_speakers."),
            "min_speakers",
        )
    return f"{least}-{most}"


def require_models(services: Services) -> None:
    """Raises ModelMissingError where a model that tells speakers apart is not installed."""
    for model_id in (services.asr.get_diarization().model_id, ENCODER):
        entry = services.catalog.entry(model_id)
        if services.catalog.state(entry) != "installed":
            raise ModelMissingError(
                _(
                    "Telling speakers apart needs {label}, which is not installed.",
                    label=entry.label,
                ),
                _("Download it on the Models tab (under Other)."),
            )


def diarize(
    services: Services,
    speech: Speech,
    count: SpeakerCount,
    progress: Progress,
    cancel: CancelToken,
) -> Diarization:
    """Tells the speakers of a recording apart.

    What was heard is kept in the cache once a minute of the recording: a run that was broken off
    goes on there, and another number of speakers takes no time. Raises ModelMissingError,
    JobCancelled between windows of 5 s.
    """
    engine = services.asr.get_diarization()
    folder = services.settings.cache_folder / "listening"
    folder.mkdir(parents=True, exist_ok=True)
    about = json.dumps([audio_sha256(speech), engine.model_id, engine.revision])
    kept = folder / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.npz"
    known = _known(kept)
    if known is None or not known.complete:
        known = engine.listen(
            _blocks(speech), speech.duration_s, progress, cancel, known, lambda v: v.save(kept)
        )
        known.save(kept)
    return arrange(known, speech.duration_s, count)


def diarize_file(
    services: Services,
    recording: Path,
    count: SpeakerCount,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[Diarization, float]:
    """As `diarize`, of any recording; also its length in seconds. Raises BadInputError."""
    speech = read_speech(recording, SAMPLE_RATE_HZ, called=_("The recording"), cancel=cancel)
    return diarize(services, speech, count, progress, cancel), speech.duration_s


def recognize(
    services: Services, voices: Mapping[str, FloatArray], known: Mapping[str, bytes]
) -> dict[str, str]:
    """The names of those `voices` that are among `known`, recordings by name.

    Raises BadInputError for a recording that cannot be read or is longer than a minute.
    """
    if not voices or not known:
        return {}
    encoder = services.asr.context.engine(ENCODER)
    others = []
    for name, content in known.items():
        speech = read_speech(
            content,
            SAMPLE_RATE_HZ,
            _LONGEST_REFERENCE_S,
            called=_("The recording of {name}", name=name),
        )
        others.append((name, encoder.embed(trim_to_speech(speech))))
    return same_voices(voices, others, speaker_scale(ENCODER).same_speaker)


def arrange(heard: LocalVoices, duration_s: float, count: SpeakerCount) -> Diarization:
    """The turns of so many speakers, from what was heard of a recording."""
    speakers, means = assign_speakers(heard, count)
    turns, numbers = find_turns(heard.active, speakers, duration_s)
    voices = {turn.speaker: means[number] for turn, number in zip(turns, numbers, strict=True)}
    return Diarization(tuple(turns), tuple(overlaps(turns)), voices)


def _known(path: Path) -> LocalVoices | None:
    try:
        return load_voices(path)
    except FileNotFoundError:
        return None
    except CorruptFileError as error:
        logger.warning("%s %s", error, error.details)
        return None


def _blocks(speech: Speech) -> Iterator[FloatArray]:
    """The recording at 16 kHz, a minute at a time."""
    resampler = StreamResampler(SAMPLE_RATE_HZ)
    step = _BLOCK_S * speech.sample_rate_hz
    for start in range(0, len(speech.samples), step):
        yield resampler.feed(speech.samples[start : start + step], speech.sample_rate_hz)
    rest = resampler.finish()
    yield np.asarray(rest, np.float32)
