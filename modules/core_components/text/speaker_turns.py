"""Giving the words of a transcript to speakers by their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from modules.core_components.text.segments import part_of, spoken_words
from modules.core_components.values import Segment, Turn, Word

# A word this far from all turns belongs to no speaker.
_NEAR_S = 1.0


def with_speakers(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Segment, ...]:
    """The segments with who speaks, each parted where the speaker of its words changes.

    A word belongs to the turn that it shares most of its time with; where several talk, to who was
    speaking already. Without word times a segment goes to the speaker who talks most in it.
    Speakers are None where no speech is near.
    """
    before: str | None = None
    found: list[Segment] = []
    following = _Following(turns)
    for segment in segments:
        spoken = spoken_words(segment)
        if not spoken:
            before = following.speaker(segment.start_s, segment.end_s, None)
            found.append(replace(segment, speaker=before))
            continue
        speakers = []
        for _, word in spoken:
            before = following.speaker(word.start_s, word.end_s, before)
            speakers.append(before)
        pairs = zip(speakers, spoken, strict=True)
        for speaker, run in groupby(pairs, key=lambda pair: pair[0]):
            part = part_of(segment, [spoken_word for _, spoken_word in run])
            found.append(replace(part, speaker=speaker))
    return tuple(found)


def word_speakers(words: Sequence[Word], turns: Sequence[Turn]) -> list[str | None]:
    """Who says each word, None where no speech is near."""
    following, before, found = _Following(turns), None, []
    for word in words:
        before = following.speaker(word.start_s, word.end_s, before)
        found.append(before)
    return found


class _Following:
    """Finds the turns near a time; the times are asked for roughly in order."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start_s)
        self._longest_s = max((turn.end_s - turn.start_s for turn in turns), default=0.0)
        self._first = 0

    def speaker(self, start_s: float, end_s: float, before: str | None) -> str | None:
        """Who talks most from `start_s` to `end_s`; `before` is who did until then."""
        seconds: dict[str, float] = {}
        nearest: tuple[float, str | None] = (_NEAR_S, None)
        for turn in self._near(start_s, end_s):
            shared_s = min(turn.end_s, end_s) - max(turn.start_s, start_s)
            if shared_s > 0:
                seconds[turn.speaker] = seconds.get(turn.speaker, 0.0) + shared_s
            nearest = min(nearest, (-shared_s, turn.speaker), key=lambda pair: pair[0])
        if not seconds:
            return nearest[1]
        most = max(seconds, key=lambda name: (seconds[name], name == before))
        if before in seconds and seconds[before] >= 0.9 * seconds[most]:
            return before
        return most

    def _near(self, start_s: float, end_s: float) -> Iterator[Turn]:
        while self._first < len(self._turns) and (
            self._turns[self._first].start_s + self._longest_s + _NEAR_S < start_s
        ):
            self._first += 1
        for turn in self._turns[self._first :]:
            if turn.start_s > end_s + _NEAR_S:
                return
            yield turn
