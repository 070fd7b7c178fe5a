"""Cutting a recording into clips by its words: where to cut, and what is left over.

A clip begins and ends between sentences where it can, at clauses where a sentence is too long, at
the longest pause between words where even a clause is. No word is in two clips, and every second
of the recording is in a clip or in a stretch with the reason why it is in none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from modules.core_components.dataset.split import TokenCounter, estimated_tokens
from modules.core_components.dataset.values import (
    LONGEST_SAMPLES,
    MOST_TEXT_TOKENS,
    SAMPLE_RATE_HZ,
    SHORTEST_S,
    Stretch,
)
from modules.core_components.dataset.words import Region, fitted_to_speech, in_order, joined_text
from modules.core_components.text.sentences import split_sentences
from modules.core_components.texts import mark
from modules.core_components.values import Word

# A run of words as positions [first, last) in the recording's words.
Span = tuple[int, int]

SILENCE, UNHEARD = mark("no speech"), mark("speech without words")
TOO_SHORT, TOO_LONG = mark("too short"), mark("a single word too long for a clip")

# Of Latin and Cyrillic, Chinese and Japanese, Arabic, Greek, Ethiopic and Armenian texts.
_CLAUSE_ENDS = tuple(",;:—–，；：、،؛·፣፤፥՝")
_CLOSERS = "\"'”’»)]」』"
_UNHEARD_FROM_S = 0.3


@dataclass(frozen=True)
class CutRules:
    """How to cut; lengths of clips include their padding. See `values` for the engine's limits.

    Pauses up to `joined_pause_s` may be bridged to make a short sentence part of a longer clip;
    one of `parting_pause_s` always parts, so that no clip teaches long silences. A clip that stays
    alone may be shorter than `shortest_s`, but not than `least_s`: XTTS's trainer passes over what
    is below half a second (coqui-tts 0.28, XTTSDataset).
    """

    least_s: float = 0.5
    shortest_s: float = 2.0
    longest_s: float = 11.0
    padding_s: float = 0.2
    joined_pause_s: float = 0.8
    parting_pause_s: float = 1.0
    most_tokens: int = MOST_TEXT_TOKENS


@dataclass(frozen=True)
class Piece:
    """A clip to be: where it lies in the recording (seconds, on whole samples) and its words,
    whose times count from the start of the recording."""

    start_s: float
    end_s: float
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        return joined_text(self.words)


@dataclass(frozen=True)
class Cut:
    """Pieces and left-out stretches, each in order; together they cover the recording."""

    pieces: tuple[Piece, ...]
    dropped: tuple[Stretch, ...]


def cut_words(
    words: Iterable[Word],
    duration_s: float,
    language: str,
    speech: Sequence[Region] = (),
    rules: CutRules = CutRules(),
    count_tokens: TokenCounter = estimated_tokens,
    speakers: Callable[[Sequence[Word]], Sequence[str | None]] | None = None,
) -> Cut:
    """Cuts a recording of `duration_s` into clips.

    `speech` are the regions with speech: they sharpen the times of the words, and show
    silence from speech that the listener wrote nothing down for. `speakers` says who says each
    word; a clip ends where another speaker begins.
    """
    ordered = in_order(words, duration_s)
    heard = in_order(fitted_to_speech(ordered, speech), duration_s)
    said_by = speakers(heard) if speakers is not None else [None] * len(heard)
    changes = {at for at, pair in enumerate(pairwise(said_by), start=1) if pair[0] != pair[1]}
    cutter = _Cutter(heard, duration_s, rules, count_tokens, changes)
    pieces: list[Piece] = []
    lost: list[Stretch] = []
    sentences = _sentences(heard, language, rules, changes)
    spans = [part for span in sentences for part in cutter.parts(span)]
    for span in cutter.joined(spans):
        start_s, end_s = cutter.bounds(span)
        reason = cutter.refusal(span)
        if reason:
            lost.append(Stretch(start_s, end_s, reason))
        else:
            pieces.append(Piece(start_s, end_s, heard[slice(*span)]))
    return Cut(tuple(pieces), tuple(_with_gaps(pieces, lost, duration_s, speech)))


class _Cutter:
    """The words of one recording with the questions that cutting asks about runs of them."""

    def __init__(
        self,
        words: Sequence[Word],
        duration_s: float,
        rules: CutRules,
        count: TokenCounter,
        changes: Set[int],
    ) -> None:
        self._words = words
        self._duration_s = duration_s
        self._rules = rules
        self._count = count
        self._changes = changes

    def bounds(self, span: Span) -> Region:
        """Where a clip of these words begins and ends: padded, but at most to the midpoint of the
        pause to the next word, so that no clip holds a neighbour's sound. On whole samples."""
        first, last = self._words[span[0]], self._words[span[1] - 1]
        start_s = max(first.start_s - self._rules.padding_s, 0.0)
        end_s = min(last.end_s + self._rules.padding_s, self._duration_s)
        if span[0] > 0:
            start_s = max(start_s, self._midpoint(span[0]))
        if span[1] < len(self._words):
            end_s = min(end_s, self._midpoint(span[1]))
        return _on_sample(start_s), _on_sample(end_s)

    def pause_s(self, position: int) -> float:
        """The silence before the word at `position`."""
        return self._words[position].start_s - self._words[position - 1].end_s

    def refusal(self, span: Span) -> str:
        """Why no clip can be made of these words; "" where one can."""
        if self._length_s(span) < max(self._rules.least_s, SHORTEST_S):
            return TOO_SHORT
        return "" if self._fits(span) else TOO_LONG

    def parts(self, span: Span) -> list[Span]:
        """The run, or the runs it is cut into until each fits, in order."""
        fitting: list[Span] = []
        waiting = [span]
        while waiting:
            part = waiting.pop()
            if part[1] - part[0] == 1 or self._fits(part):
                fitting.append(part)
            else:
                position = self._best_cut(part)
                waiting += [(position, part[1]), (part[0], position)]
        return fitting

    def joined(self, spans: Sequence[Span]) -> list[Span]:
        """Short runs made one with the neighbour that follows or precedes at the smaller pause."""
        runs = list(spans)
        index = 0
        while index < len(runs):
            partner = self._partner(runs, index)
            if partner is None:
                index += 1
                continue
            left = min(index, partner)
            runs[left : left + 2] = [(runs[left][0], runs[left + 1][1])]
            index = left
        return runs

    def _partner(self, runs: Sequence[Span], index: int) -> int | None:
        if self._length_s(runs[index]) >= self._rules.shortest_s:
            return None
        candidates = []
        for left in (index - 1, index):
            if 0 <= left < len(runs) - 1 and runs[left + 1][0] not in self._changes:
                pause_s = self.pause_s(runs[left + 1][0])
                both = (runs[left][0], runs[left + 1][1])
                if pause_s <= self._rules.joined_pause_s and self._fits(both):
                    candidates.append((pause_s, left if left < index else index + 1))
        return min(candidates)[1] if candidates else None

    def _best_cut(self, span: Span) -> int:
        """Before which word to cut: after a clause if one ends inside, at the longest pause;
        rather where both sides keep the shortest length, and near the middle."""
        positions = range(span[0] + 1, span[1])
        clauses = [at for at in positions if _ends_clause(self._words[at - 1].text)]
        first_s, last_s = self._words[span[0]].start_s, self._words[span[1] - 1].end_s
        roomy = self._rules.shortest_s

        def worth(position: int) -> tuple[bool, float, float]:
            left_s = self._words[position - 1].end_s - first_s
            right_s = last_s - self._words[position].start_s
            # Pauses closer than the precision of word times count as equal.
            pause_s = round(max(self.pause_s(position), 0.0), 1)
            return min(left_s, right_s) >= roomy, pause_s, -abs(left_s - right_s)

        return max(clauses or positions, key=worth)

    def _fits(self, span: Span) -> bool:
        start_s, end_s = self.bounds(span)
        samples = round((end_s - start_s) * SAMPLE_RATE_HZ)
        if end_s - start_s > self._rules.longest_s or samples > LONGEST_SAMPLES:
            return False
        text = joined_text(self._words[slice(*span)])
        return self._count(text) <= self._rules.most_tokens

    def _length_s(self, span: Span) -> float:
        start_s, end_s = self.bounds(span)
        return end_s - start_s

    def _midpoint(self, position: int) -> float:
        return (self._words[position - 1].end_s + self._words[position].start_s) / 2


def _sentences(
    words: Sequence[Word], language: str, rules: CutRules, changes: Set[int]
) -> Iterator[Span]:
    """Runs of words that are sentences; a long pause ends one as well, and another speaker."""
    start = 0
    ends = _sentence_ends(words, language)
    for position in range(1, len(words) + 1):
        at_end = position == len(words)
        if not at_end:
            pause_s = words[position].start_s - words[position - 1].end_s
        if at_end or position in ends or position in changes or pause_s >= rules.parting_pause_s:
            yield start, position
            start = position


def _sentence_ends(words: Sequence[Word], language: str) -> set[int]:
    """After how many words a sentence ends, by its punctuation in any script.

    `split_sentences` loses no character but white space, so its sentences are found again in the
    words by counting characters; an end within a word counts at the word's end.
    """
    ends, characters, position = set(), 0, 0
    written = 0
    for sentence in split_sentences(joined_text(words), language):
        characters += _visible(sentence)
        while position < len(words) and written < characters:
            written += _visible(words[position].text)
            position += 1
        ends.add(position)
    return ends


def _visible(text: str) -> int:
    return sum(not character.isspace() for character in text)


def _ends_clause(text: str) -> bool:
    return text.rstrip(_CLOSERS).endswith(_CLAUSE_ENDS)


def _with_gaps(
    pieces: Sequence[Piece],
    lost: Sequence[Stretch],
    duration_s: float,
    speech: Sequence[Region],
) -> Iterator[Stretch]:
    """What was lost and what lies between, in order."""
    end_s = _on_sample(duration_s)
    taken = [*((piece.start_s, piece.end_s, "") for piece in pieces)]
    taken += [(gap.start_s, gap.end_s, gap.reason) for gap in lost]
    edges = [(0.0, 0.0, ""), *sorted(taken), (end_s, end_s, "")]
    for (_, before_s, _), (start_s, stop_s, reason) in pairwise(edges):
        if start_s > before_s:
            yield from _told_apart(before_s, start_s, speech)
        if reason and stop_s > start_s:
            yield Stretch(start_s, stop_s, reason)


def _told_apart(start_s: float, end_s: float, speech: Sequence[Region]) -> Iterator[Stretch]:
    """A gap as silence and speech without words; the edges of words are no speech of their own."""
    at_s = start_s
    for region_start_s, region_end_s in speech:
        first_s, last_s = max(region_start_s, start_s), min(region_end_s, end_s)
        if last_s - first_s >= _UNHEARD_FROM_S:
            if first_s > at_s:
                yield Stretch(at_s, first_s, SILENCE)
            yield Stretch(first_s, last_s, UNHEARD)
            at_s = last_s
    if end_s > at_s:
        yield Stretch(at_s, end_s, SILENCE)


def _on_sample(seconds: float) -> float:
    return round(seconds * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ


LONGEST_WINDOW_S = 600.0
_EARLIEST = 0.5


def listening_windows(
    speech: Sequence[Region], duration_s: float, longest_s: float = LONGEST_WINDOW_S
) -> tuple[Region, ...]:
    """(start, end) in seconds; together they cover the recording.

    A window ends in the middle of the longest pause of its second half, so that no word is cut;
    without a pause, it ends at its full length.
    """
    pauses = [(before[1], after[0]) for before, after in pairwise(speech)]
    windows: list[Region] = []
    start_s = 0.0
    while duration_s - start_s > longest_s:
        earliest_s, latest_s = start_s + longest_s * _EARLIEST, start_s + longest_s
        inside = [
            (pause_end - pause_start, (pause_start + pause_end) / 2)
            for pause_start, pause_end in pauses
            if earliest_s <= (pause_start + pause_end) / 2 <= latest_s
        ]
        end_s = max(inside)[1] if inside else latest_s
        windows.append((start_s, end_s))
        start_s = end_s
    windows.append((start_s, duration_s))
    return tuple(windows)


def joined_regions(
    regions: Sequence[Region], longest_pause_s: float, longest_s: float
) -> tuple[Region, ...]:
    """Neighbours made one where the pause between is short and the whole not too long."""
    joined: list[Region] = []
    for start_s, end_s in regions:
        near = bool(joined) and start_s - joined[-1][1] <= longest_pause_s
        if near and end_s - joined[-1][0] <= longest_s:
            joined[-1] = (joined[-1][0], end_s)
        else:
            joined.append((start_s, end_s))
    return tuple(joined)
