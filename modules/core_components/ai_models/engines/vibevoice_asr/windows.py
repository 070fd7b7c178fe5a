"""Long recordings, transcribed window by window: nothing is lost or doubled at the edges, and a
speaker has the same name in every window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.vibevoice_asr.network import Answer, SpeakerTurn
from modules.core_components.texts import _
from modules.core_components.units import clock_text
from modules.core_components.values import FloatArray, Speech

# A window without even one whole turn in its answer is halved, down to this.
SHORTEST_WINDOW_S = 5.0
# A turn that ends this near to the end of a window may be cut, and is transcribed again.
_EDGE_S = 0.5
_NOTHING_LEFT_S = 0.1

Transcribe = Callable[[float, float], Answer]


@dataclass(frozen=True)
class Window:
    """The transcript from `start_s` to `end_s` of the recording, in the recording's times.

    `note` says what a reader of the transcript must know; "" is the usual case.
    """

    start_s: float
    end_s: float
    turns: tuple[SpeakerTurn, ...]
    note: str = ""


def transcribe_windows(
    duration_s: float, longest_s: float, transcribe: Transcribe
) -> Iterator[Window]:
    """Transcribes a recording from beginning to end; `transcribe(start_s, end_s)` answers in the
    window's own times.

    Where an answer is cut off, the next window begins after its last whole turn.
    """
    start_s, length_s = 0.0, longest_s
    while duration_s - start_s > _NOTHING_LEFT_S:
        end_s = min(start_s + length_s, duration_s)
        answer = transcribe(start_s, end_s)
        turns = _shift(answer.turns, start_s)
        if answer.complete:
            if end_s < duration_s:
                turns, end_s = _drop_cut_turn(turns, start_s, end_s)
            yield Window(start_s, end_s, turns)
            start_s, length_s = end_s, longest_s
        elif turns and turns[-1].end_s > start_s:
            behind_s = turns[-1].end_s
            yield Window(start_s, behind_s, turns, _broken_off(behind_s))
            start_s, length_s = behind_s, longest_s
        elif end_s - start_s > SHORTEST_WINDOW_S:
            length_s = max((end_s - start_s) / 2, SHORTEST_WINDOW_S)
        else:
            yield Window(start_s, end_s, (), _lost(start_s, end_s))
            start_s, length_s = end_s, longest_s


def _shift(turns: tuple[SpeakerTurn, ...], by_s: float) -> tuple[SpeakerTurn, ...]:
    return tuple(replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s) for one in turns)


def _drop_cut_turn(
    turns: tuple[SpeakerTurn, ...], start_s: float, end_s: float
) -> tuple[tuple[SpeakerTurn, ...], float]:
    """The turns without one that the window cuts, and where the next window begins."""
    if not turns or turns[-1].end_s < end_s - _EDGE_S:
        return turns, end_s
    cut = turns[-1]
    # One that fills the whole window is kept; it would be cut again.
    return (turns[:-1], cut.start_s) if cut.start_s > start_s + _EDGE_S else (turns, end_s)


def _broken_off(at_s: float) -> str:
    return _(
        "The answer was too long at {at}; the rest was transcribed separately.", at=clock_text(at_s)
    )


def _lost(start_s: float, end_s: float) -> str:
    return _(
        "{start} to {end} could not be transcribed.",
        start=clock_text(start_s),
        end=clock_text(end_s),
    )


# -- Speaker names across windows ------------------------------------------------------------------
# The model numbers the speakers of each window anew, so their voices are compared by the speaker
# encoder. (Overlapping windows would only identify those who happen to speak in the overlap.)

_LONGEST_CLIP_S = 30.0

Embed = Callable[[Speech], FloatArray | None]


@dataclass(eq=False)
class _Voice:
    name: str
    clip: Speech
    embeddings: list[FloatArray] = field(default_factory=list)

    def similarity(self, embedding: FloatArray) -> float:
        mean = np.mean(self.embeddings, axis=0)
        return float(mean @ embedding / max(float(np.linalg.norm(mean)), 1e-8))


class SpeakerNames:
    """Names the speakers of one window after the other; the first to speak is "Speaker 1".

    `embed` gives a unit vector, or None for a clip that is unsuitable. It is not called for a
    recording of one window. Two clips whose cosine is `same_speaker` or more are one speaker's.
    """

    def __init__(self, embed: Embed, same_speaker: float) -> None:
        self._embed = embed
        self._same_speaker = same_speaker
        self._known: list[_Voice] = []
        self._first = True

    def name_speakers(self, recording: Speech, turns: Iterable[SpeakerTurn]) -> dict[int, str]:
        """The names by the model's numbers, for the turns of the next window."""
        clips = _clips(recording, turns)
        if self._first:
            self._first = False
            return {number: self._add_voice(clip).name for number, clip in clips.items()}
        for voice in self._known:
            if not voice.embeddings:
                self._add_embedding(voice, self._embed(voice.clip))
        embeddings = {number: self._embed(clip) for number, clip in clips.items()}
        found = self._match(embeddings)
        for number, clip in clips.items():
            if number not in found:
                found[number] = self._add_voice(clip)
            self._add_embedding(found[number], embeddings[number])
        return {number: voice.name for number, voice in found.items()}

    def _match(self, embeddings: dict[int, FloatArray | None]) -> dict[int, _Voice]:
        """The known voice of each number whose voice is similar enough, the most similar first."""
        pairs = [
            (voice.similarity(embedding), number, place)
            for number, embedding in embeddings.items()
            if embedding is not None
            for place, voice in enumerate(self._known)
            if voice.embeddings
        ]
        found: dict[int, _Voice] = {}
        taken: set[int] = set()
        for similarity, number, place in sorted(pairs, reverse=True):
            if similarity >= self._same_speaker and number not in found and place not in taken:
                found[number] = self._known[place]
                taken.add(place)
        return found

    def _add_voice(self, clip: Speech) -> _Voice:
        voice = _Voice(_("Speaker {number}", number=len(self._known) + 1), clip)
        self._known.append(voice)
        return voice

    def _add_embedding(self, voice: _Voice, embedding: FloatArray | None) -> None:
        if embedding is not None:
            voice.embeddings.append(embedding)


def _clips(recording: Speech, turns: Iterable[SpeakerTurn]) -> dict[int, Speech]:
    """What each speaker says, up to half a minute, in the order of their first words."""
    rate_hz = recording.sample_rate_hz
    said: dict[int, list[Any]] = {}
    for one in turns:
        if one.speaker is not None:
            piece = recording.samples[int(one.start_s * rate_hz) : int(one.end_s * rate_hz)]
            said.setdefault(one.speaker, []).append(piece)
    longest = int(_LONGEST_CLIP_S * rate_hz)
    return {number: _join_clip(pieces, longest, rate_hz) for number, pieces in said.items()}


def _join_clip(pieces: Sequence[FloatArray], longest: int, rate_hz: int) -> Speech:
    return Speech(np.concatenate(pieces)[:longest], rate_hz)
