"""A text spoken passage by passage, each kept on the disk as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.atomic import atomic_path
from modules.core_components.progress import CancelToken, Progress, scaled
from modules.core_components.values import FloatArray, Speech, VoicePrompt
from modules.tools.speaking.plan import Passage, Silence, passages

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
