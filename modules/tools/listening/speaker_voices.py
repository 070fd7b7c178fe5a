"""The voices of a transcript's speakers, kept next to it: by them a name follows a voice.

On disk: `output/transcripts/voices/<id>.json`, a speaker embedding for each speaker. They never
leave the machine: no export holds them, and they go to the trash with their transcript.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.diarization.frames import ENCODER
from modules.core_components.atomic import write_json
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.values import FloatArray

logger = logging.getLogger(__name__)

Voices = Mapping[str, FloatArray]


def voices_path(transcript: Path) -> Path:
    """Where the voices of a transcript are kept."""
    return transcript.parent / "voices" / transcript.name


def keep_voices(transcript: Path, voices: Voices) -> None:
    """Keeps the embeddings by what the speakers are called in the transcript."""
    path = voices_path(transcript)
    path.parent.mkdir(exist_ok=True)
    rounded = {label: [round(float(x), 5) for x in voice] for label, voice in voices.items()}
    write_json(path, {"encoder": ENCODER, "voices": rounded})


def read_voices(transcript: Path) -> dict[str, FloatArray]:
    """The voices of a transcript; {} where none are kept or they cannot be compared."""
    path = voices_path(transcript)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["encoder"] != ENCODER:
            return {}
        found = {
            str(label): np.asarray(voice, np.float32) for label, voice in content["voices"].items()
        }
        if any(voice.ndim != 1 or not np.isfinite(voice).all() for voice in found.values()):
            raise ValueError("no embeddings")
        return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s could not be read: %s", path, error)
        return {}


def same_voices(
    voices: Voices,
    others: Iterable[tuple[str, FloatArray]],
    least: float = speaker_scale(ENCODER).same_group,
) -> dict[str, str]:
    """The name of each voice that is among `others`, (name, embedding); each name once.

    Voices are the same from a cosine of `least` on.
    """
    found: dict[str, str] = {}
    for similarity, label, name in sorted(_similarities(voices, tuple(others)), reverse=True):
        if similarity >= least and label not in found and name not in found.values():
            found[label] = name
    return found


def _similarities(
    voices: Voices, others: Iterable[tuple[str, FloatArray]]
) -> Iterator[tuple[float, str, str]]:
    for label, voice in voices.items():
        for name, other in others:
            if len(voice) == len(other):
                yield float(voice @ other), label, name
