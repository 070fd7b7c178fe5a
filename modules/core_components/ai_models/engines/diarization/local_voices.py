"""The voices of each window of a recording: when they talk, and what they sound like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.diarization.frames import (
    EMBEDDING_SIZE,
    FIRST_FRAME_S,
    FRAME_S,
    FRAMES,
    HOP,
    LOCAL_VOICES,
    SAMPLE_RATE_HZ,
    STEP,
    WINDOW,
)
from modules.core_components.atomic import atomic_path
from modules.core_components.audio.joining import faded
from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray

# Speech of one voice that is enough for an embedding, and as much as is worth embedding.
_LEAST_S, _MOST_S = 0.4, 6.0
_OWN_VOICE_S, _PAUSE_S = 0.9, 0.2
_MOST_OF_A_SPEAKER = 2
_FORMAT_VERSION = 1
_FRAME_CENTRE = round(FIRST_FRAME_S * SAMPLE_RATE_HZ)

Activity = Callable[[FloatArray], NDArray[np.bool_]]
Embed = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class LocalVoices:
    """What was heard in the windows of a recording so far.

    `active` [windows, 589, 6]: who talks in each frame; a voice's number means something within
    the window only, and two of them may be one speaker's. `embeddings` float32 [windows, 6, 192],
    zero where too little was said; `clean_s` [windows, 6]: how long each talks alone. `samples` at
    16 kHz have been read; `complete` once that is all.
    """

    active: NDArray[np.bool_]
    embeddings: FloatArray
    clean_s: FloatArray
    samples: int = 0
    complete: bool = False

    @property
    def windows(self) -> int:
        return len(self.active)

    def save(self, path: Path) -> None:
        """Writes it whole or not at all."""
        with atomic_path(path) as partial, partial.open("wb") as file:
            np.savez(
                file,
                version=np.int64(_FORMAT_VERSION),
                active=np.packbits(self.active),
                embeddings=self.embeddings,
                clean_s=self.clean_s,
                samples=np.int64(self.samples),
                complete=np.bool_(self.complete),
            )


def load_voices(path: Path) -> LocalVoices:
    """What `save` wrote. Raises FileNotFoundError, and CorruptFileError for anything else."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            if kept["version"] != _FORMAT_VERSION:
                raise ValueError(f"version {kept['version']}")
            clean_s = kept["clean_s"]
            shape = (len(clean_s), FRAMES, LOCAL_VOICES)
            bits = np.unpackbits(kept["active"], count=int(np.prod(shape)))
            return LocalVoices(
                bits.reshape(shape).astype(np.bool_),
                kept["embeddings"],
                clean_s,
                int(kept["samples"]),
                bool(kept["complete"]),
            )
    except FileNotFoundError:
        raise
    except (OSError, KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise CorruptFileError(
            _("What was heard of a recording's speakers cannot be read."),
            _("It will be made again."),
            details=f"{path}: {error!r}",
        ) from error


class VoiceCollector:
    """Collects the voices window by window; `known` is where an earlier run stopped.

    `activity` says who talks in a window, [589, 3]; `embed` makes the embedding of a voice.
    """

    def __init__(self, activity: Activity, embed: Embed, known: LocalVoices | None = None) -> None:
        self._activity, self._embed = activity, embed
        self._active = list(known.active) if known else []
        self._embeddings = list(known.embeddings) if known else []
        self._clean_s = list(known.clean_s) if known else []

    def add(self, window: FloatArray) -> None:
        """Listens to the next window of 160,000 samples."""
        active = _split_voices(self._activity(window))
        embeddings, clean_s = _embed_voices(window, active, self._embed)
        self._active.append(active)
        self._embeddings.append(embeddings)
        self._clean_s.append(clean_s)

    def result(self, samples: int, complete: bool) -> LocalVoices:
        """What was heard so far, in the first `samples` of the recording."""
        count = len(self._active)
        return LocalVoices(
            np.asarray(self._active, np.bool_).reshape(count, FRAMES, LOCAL_VOICES),
            np.asarray(self._embeddings, np.float32).reshape(count, LOCAL_VOICES, EMBEDDING_SIZE),
            np.asarray(self._clean_s, np.float32).reshape(count, LOCAL_VOICES),
            samples,
            complete,
        )


def windows_of(blocks: Iterable[FloatArray], first: int = 0) -> Iterator[tuple[FloatArray, int]]:
    """Windows from number `first` on, each with how many samples were read up to its end.

    `blocks` is the whole recording at 16 kHz in pieces of any length; no more than a window and a
    block of it are held. The last window is filled up with silence.
    """
    start = first * HOP  # of the next window
    held, held_from = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block]) if len(held) else block
        while held_from + len(held) >= start + WINDOW:
            at = start - held_from
            yield held[at : at + WINDOW], start + WINDOW
            start += HOP
        gone = min(max(start - held_from, 0), len(held))
        held, held_from = held[gone:], held_from + gone
    end = held_from + len(held)
    # The rest, unless the window before had it all.
    if end > start and (start == 0 or end > start - HOP + WINDOW):
        window = np.zeros(WINDOW, np.float32)
        rest = held[start - held_from :]
        window[: len(rest)] = rest
        yield window, end


def _split_voices(active: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The local speakers [589, 3] as voices [589, 6].

    The network now and then takes two people who follow each other for one, so each long stretch
    in which a speaker talks alone becomes a voice of its own; what is shorter belongs to the
    nearest of them.
    """
    alone = active & (active.sum(axis=1, keepdims=True) == 1)
    voices: list[NDArray[np.bool_]] = []
    for number in np.flatnonzero(active.any(axis=0)):
        runs = joined_runs(alone[:, number], round(_PAUSE_S / FRAME_S))
        long = [run for run in runs if run[1] - run[0] >= _OWN_VOICE_S / FRAME_S]
        long = sorted(sorted(long, key=lambda run: run[0] - run[1])[:_MOST_OF_A_SPEAKER])
        edges = [0, *((a[1] + b[0]) // 2 for a, b in pairwise(long)), FRAMES]
        for first, last in pairwise(edges):
            voice = np.zeros(FRAMES, np.bool_)
            voice[first:last] = active[first:last, number]
            voices.append(voice)
    split = np.zeros((FRAMES, LOCAL_VOICES), np.bool_)
    for place, voice in enumerate(voices):
        split[:, place] = voice
    return split


def joined_runs(frames: NDArray[np.bool_], least_pause: int) -> list[tuple[int, int]]:
    """Where frames are set: (first, behind the last); shorter pauses do not part a run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], frames.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if runs and first - runs[-1][1] < least_pause:
            runs[-1] = (runs[-1][0], last)
        else:
            runs.append((first, last))
    return runs


def _embed_voices(
    window: FloatArray, active: NDArray[np.bool_], embed: Embed
) -> tuple[FloatArray, FloatArray]:
    """Embeddings [6, 192], from where no one else talks if that is enough, and its seconds [6]."""
    alone = active & (active.sum(axis=1, keepdims=True) == 1)
    clean_s = (alone.sum(axis=0) * FRAME_S).astype(np.float32)
    embeddings = np.zeros((LOCAL_VOICES, EMBEDDING_SIZE), np.float32)
    for number in range(LOCAL_VOICES):
        frames = alone[:, number] if clean_s[number] >= _LEAST_S else active[:, number]
        if frames.sum() * FRAME_S >= _LEAST_S:
            embeddings[number] = embed(_said(window, frames))
    return embeddings, clean_s


def _said(window: FloatArray, frames: NDArray[np.bool_]) -> FloatArray:
    """The samples of these frames, the longest stretches first, up to what is worth embedding."""
    stretches = sorted(joined_runs(frames, 0), key=lambda run: run[0] - run[1])
    left = round(_MOST_S * SAMPLE_RATE_HZ)
    pieces: list[FloatArray] = []
    for first, last in stretches:
        if left <= 0:
            break
        at = _FRAME_CENTRE - STEP // 2 + first * STEP
        piece = window[at : at + min((last - first) * STEP, left)]
        pieces.append(faded(piece, SAMPLE_RATE_HZ))
        left -= len(piece)
    return np.concatenate(pieces)
