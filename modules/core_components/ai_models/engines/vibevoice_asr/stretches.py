"""A long recording heard in stretches, without losing or doubling what lies at their edges."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.vibevoice_asr.network import Answer, Utterance
from modules.core_components.units import clock_text
from modules.core_components.values import FloatArray, Speech

# A stretch of which not even one utterance can be written down is halved down to this.
SHORTEST_WINDOW_S = 5.0
# What ends this near to the end of a stretch was perhaps cut by it, and is heard again.
_EDGE_S = 0.5
_NOTHING_LEFT_S = 0.1

Listen = Callable[[float, float], Answer]


@dataclass(frozen=True)
class Window:
    """What was heard from `start_s` to `end_s` of the recording, in the recording's times.

    `note` says what a reader of the transcript must know; "" is the usual case.
    """

    start_s: float
    end_s: float
    utterances: tuple[Utterance, ...]
    note: str = ""


def windows(duration_s: float, longest_s: float, listen: Listen) -> Iterator[Window]:
    """Listens to the recording from its beginning to its end; `listen(start_s, end_s)` answers in
    the stretch's own times.

    Where an answer breaks off, the next stretch begins behind its last whole utterance.
    """
    start_s, length_s = 0.0, longest_s
    while duration_s - start_s > _NOTHING_LEFT_S:
        end_s = min(start_s + length_s, duration_s)
        answer = listen(start_s, end_s)
        heard = _moved(answer.utterances, start_s)
        if answer.complete:
            if end_s < duration_s:
                heard, end_s = _without_cut_one(heard, start_s, end_s)
            yield Window(start_s, end_s, heard)
            start_s, length_s = end_s, longest_s
        elif heard and heard[-1].end_s > start_s:
            behind_s = heard[-1].end_s
            yield Window(start_s, behind_s, heard, _broken_off(behind_s))
            start_s, length_s = behind_s, longest_s
        elif end_s - start_s > SHORTEST_WINDOW_S:
            length_s = max((end_s - start_s) / 2, SHORTEST_WINDOW_S)
        else:
            yield Window(start_s, end_s, (), _lost(start_s, end_s))
            start_s, length_s = end_s, longest_s


def _moved(utterances: tuple[Utterance, ...], by_s: float) -> tuple[Utterance, ...]:
    return tuple(
        replace(one, start_s=one.start_s + by_s, end_s=one.end_s + by_s) for one in utterances
    )


def _without_cut_one(
    heard: tuple[Utterance, ...], start_s: float, end_s: float
) -> tuple[tuple[Utterance, ...], float]:
    """The utterances without one that the stretch cuts, and where to go on."""
    if not heard or heard[-1].end_s < end_s - _EDGE_S:
        return heard, end_s
    cut = heard[-1]
    # One that fills the whole stretch is kept: nothing would be gained.
    return (heard[:-1], cut.start_s) if cut.start_s > start_s + _EDGE_S else (heard, end_s)


def _broken_off(at_s: float) -> str:
    return f"The answer was too long at {clock_text(at_s)}; the rest was heard in another go."


def _lost(start_s: float, end_s: float) -> str:
    return f"{clock_text(start_s)} to {clock_text(end_s)} could not be written down."


# The same name for the same voice in every stretch of a recording.
#
# The model numbers the speakers of each stretch anew. Their voices are compared by the speaker
# encoder: an overlap of the stretches would only tell those apart who happen to speak in it.


# Strangers of one sex reach about 0.55, a speaker with himself 0.85 and more.
SAME_VOICE = 0.72
_LONGEST_CLIP_S = 30.0

Embed = Callable[[Speech], FloatArray | None]


@dataclass(eq=False)
class _Voice:
    name: str
    clip: Speech
    embeddings: list[FloatArray] = field(default_factory=list)

    def likeness(self, embedding: FloatArray) -> float:
        mean = np.mean(self.embeddings, axis=0)
        return float(mean @ embedding / max(float(np.linalg.norm(mean)), 1e-8))


class SpeakerNames:
    """Names the speakers of one stretch after the other: "Speaker 1" is who is heard first.

    `embed` gives a unit vector, or None for a clip that says nothing about its speaker. It is not
    called for a recording that is heard in one stretch.
    """

    def __init__(self, embed: Embed) -> None:
        self._embed = embed
        self._known: list[_Voice] = []
        self._first = True

    def of(self, recording: Speech, utterances: Iterable[Utterance]) -> dict[int, str]:
        """The names by the model's numbers, for the utterances of the next stretch."""
        clips = _clips(recording, utterances)
        if self._first:
            self._first = False
            return {number: self._newcomer(clip).name for number, clip in clips.items()}
        for voice in self._known:
            if not voice.embeddings:
                self._listen(voice, self._embed(voice.clip))
        embeddings = {number: self._embed(clip) for number, clip in clips.items()}
        found = self._matched(embeddings)
        for number, clip in clips.items():
            if number not in found:
                found[number] = self._newcomer(clip)
            self._listen(found[number], embeddings[number])
        return {number: voice.name for number, voice in found.items()}

    def _matched(self, embeddings: dict[int, FloatArray | None]) -> dict[int, _Voice]:
        """The pairs of a number and a known voice that are alike, the most alike first."""
        pairs = [
            (voice.likeness(embedding), number, place)
            for number, embedding in embeddings.items()
            if embedding is not None
            for place, voice in enumerate(self._known)
            if voice.embeddings
        ]
        found: dict[int, _Voice] = {}
        taken: set[int] = set()
        for likeness, number, place in sorted(pairs, reverse=True):
            if likeness >= SAME_VOICE and number not in found and place not in taken:
                found[number] = self._known[place]
                taken.add(place)
        return found

    def _newcomer(self, clip: Speech) -> _Voice:
        voice = _Voice(f"Speaker {len(self._known) + 1}", clip)
        self._known.append(voice)
        return voice

    def _listen(self, voice: _Voice, embedding: FloatArray | None) -> None:
        if embedding is not None:
            voice.embeddings.append(embedding)


def _clips(recording: Speech, utterances: Iterable[Utterance]) -> dict[int, Speech]:
    """What each speaker says, up to half a minute, in the order of their first words."""
    rate_hz = recording.sample_rate_hz
    said: dict[int, list[Any]] = {}
    for one in utterances:
        if one.speaker is not None:
            piece = recording.samples[int(one.start_s * rate_hz) : int(one.end_s * rate_hz)]
            said.setdefault(one.speaker, []).append(piece)
    longest = int(_LONGEST_CLIP_S * rate_hz)
    return {number: _joined(pieces, longest, rate_hz) for number, pieces in said.items()}


def _joined(pieces: Sequence[FloatArray], longest: int, rate_hz: int) -> Speech:
    return Speech(np.concatenate(pieces)[:longest], rate_hz)
