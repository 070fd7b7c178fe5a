"""From a text to what is spoken one after the other: passages, and the pauses between them.

A take and live speech both go through here, so that the same request sounds the same in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.base import (
    TTSEngine,
    describe_options,
    parse_options,
)
from modules.core_components.atomic import atomic_path
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, scaled
from modules.core_components.text.markup import Pause, parse_markup
from modules.core_components.text.sentences import split_passages
from modules.core_components.values import FloatArray, Speech, VoicePrompt

PASSAGE_CHARACTERS = 2000
PAUSE_BETWEEN_PASSAGES_S = 0.35
# Passages are far apart in seed, since an engine counts its own chunks up from the seed.
_SEED_STEP = 100_003


@dataclass(frozen=True)
class Passage:
    """Text for the engine at once, with its options; `index` counts the passages of the text."""

    index: int
    text: str
    options: Any


@dataclass(frozen=True)
class Silence:
    """Nothing for that many seconds."""

    seconds: float

    def speech(self, sample_rate_hz: int) -> Speech:
        """It as audio."""
        return Speech(np.zeros(int(self.seconds * sample_rate_hz), np.float32), sample_rate_hz)


def spoken_steps(
    engine: TTSEngine, text: str, language: str, seed: int, options: Mapping[str, Any]
) -> tuple[Passage | Silence, ...]:
    """The steps in order. Raises BadInputError for markup that cannot be read, for a speed that
    the engine cannot speak at, and for a text of pauses alone."""
    steps: list[Passage | Silence] = []
    count = 0
    for part in parse_markup(text):
        if isinstance(part, Pause):
            steps.append(Silence(part.seconds))
            continue
        own = _at_speed(engine, options, part.speed)
        for index, passage in enumerate(split_passages(part.text, language, PASSAGE_CHARACTERS)):
            if index:
                steps.append(Silence(PAUSE_BETWEEN_PASSAGES_S))
            passage_seed = (seed + count * _SEED_STEP) % 2**31
            steps.append(
                Passage(count, passage, engine_options(engine, own, language, passage_seed))
            )
            count += 1
    if not count:
        raise BadInputError(
            "There is nothing to speak in this text.", "Write some words beside the pauses.", "text"
        )
    return tuple(steps)


def passages(steps: tuple[Passage | Silence, ...]) -> Iterator[Passage]:
    """The passages among the steps."""
    return (step for step in steps if isinstance(step, Passage))


def engine_options(engine: TTSEngine, options: Mapping[str, Any], language: str, seed: int) -> Any:
    """The engine's options; language and seed are part of every request, and options there.

    Raises BadInputError as `parse_options`.
    """
    return parse_options(engine.options_type, {**options, "language": language, "seed": seed})


def _at_speed(engine: TTSEngine, options: Mapping[str, Any], factor: float) -> Mapping[str, Any]:
    if factor == 1.0:
        return options
    default = {item.name: item.default for item in describe_options(engine.options_type)}
    if "speed" not in default:
        raise BadInputError(
            f"{engine.label} cannot change its speed.",
            "Leave the [speed:…] out, or choose another engine.",
            "text",
        )
    # Ten digits: 0.1 * 3 shall be 0.3.
    return {**options, "speed": round(float(options.get("speed", default["speed"])) * factor, 10)}


# A text spoken passage by passage, each kept on the disk as soon as it is done.


# About 15 characters a second in English reading; only the progress bar depends on it.
CHARACTERS_PER_SECOND = 15.0


def speak_passages(
    engine: TTSEngine,
    voice: VoicePrompt | str,
    steps: tuple[Passage | Silence, ...],
    folder: Path,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None],
) -> Speech:
    """The steps of `spoken_steps` as one speech; `hear` gets each piece as it is made.

    What `folder` has of them already is not spoken again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rate_hz = engine.sample_rate_hz
    total, done = sum(len(passage.text) for passage in passages(steps)), 0
    spoken: list[FloatArray] = []
    notes: list[str] = []
    for step in steps:
        cancel.raise_if_cancelled()
        if isinstance(step, Silence):
            pause = step.speech(rate_hz)
            hear(pause)
            spoken.append(pause.samples)
            continue
        part = scaled(progress, done / total, (done + len(step.text)) / total)
        path = folder / f"{step.index:05d}.npy"
        audio = _kept_passage(path)
        if audio is not None:
            hear(Speech(audio, rate_hz))
        else:
            pieces = engine.stream(step.text, voice, step.options, cancel)
            said = collect_speech(pieces, rate_hz, len(step.text), part, cancel, hear)
            audio = said.samples
            notes += said.notes
            if not said.notes:  # they would be lost
                with atomic_path(path) as partial, partial.open("wb") as file:
                    np.save(file, audio, allow_pickle=False)
        spoken.append(audio)
        done += len(step.text)
    return Speech(np.concatenate(spoken), rate_hz, notes=tuple(notes))


def collect_speech(
    pieces: Iterable[Speech],
    rate_hz: int,
    characters: int,
    progress: Progress,
    cancel: CancelToken,
    hear: Callable[[Speech], None] = lambda piece: None,
) -> Speech:
    """All the pieces of a text of so many characters; `hear` gets each as it is made.

    Raises JobCancelled.
    """
    expected_s = characters / CHARACTERS_PER_SECOND
    spoken: list[Speech] = []
    heard_s = 0.0
    for piece in pieces:
        cancel.raise_if_cancelled()
        hear(piece)
        spoken.append(piece)
        heard_s += piece.duration_s
        progress(heard_s / (heard_s + max(expected_s - heard_s, 0.0)), "Speaking")
    samples = [np.zeros(0, np.float32), *(piece.samples for piece in spoken)]
    notes = tuple(note for piece in spoken for note in piece.notes)
    return Speech(np.concatenate(samples), rate_hz, notes=notes)


def _kept_passage(path: Path) -> FloatArray | None:
    try:
        kept: FloatArray = np.load(path, allow_pickle=False)
        return kept
    except (OSError, ValueError, EOFError):
        return None
