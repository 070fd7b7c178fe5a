"""The words of a transcript: joined to text, put in order, their times corrected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from modules.core_components.text.languages import is_spaceless_character
from modules.core_components.values import Segment, Word

# A word that touches speech for less than this is not drawn into it.
_LEAST_OVERLAP_S = 0.02
# So far a word may have begun before, or end after, the time that the listener gave it.
_REACH_S = 0.8
_NEAR_S = 0.5
_NEIGHBOURHOOD_S = 1.5

Region = tuple[float, float]


def joined_text(words: Iterable[Word]) -> str:
    """The words as a text: with spaces, but not where a script has none."""
    text = ""
    for word in words:
        part = word.text.strip()
        if text and part:
            text += (
                "" if is_spaceless_character(text[-1]) or is_spaceless_character(part[0]) else " "
            )
        text += part
    return text


def whole_words(segment: Segment) -> tuple[Word, ...]:
    """A segment's words, those that no space parts in its text made one ("well" + "-known").

    Scripts without spaces keep their words apart.
    """
    whole: list[Word] = []
    at = 0
    for word in segment.words:
        found = segment.text.find(word.text, at)
        glued = found == at > 0 and bool(whole) and bool(word.text)
        if found >= 0:
            at = found + len(word.text)
        if glued and not (
            is_spaceless_character(whole[-1].text[-1]) or is_spaceless_character(word.text[0])
        ):
            whole[-1] = replace(
                whole[-1],
                text=whole[-1].text + word.text,
                end_s=word.end_s,
                probability=min(whole[-1].probability, word.probability),
            )
        elif word.text:
            whole.append(word)
    return tuple(whole)


def in_order(words: Iterable[Word], duration_s: float) -> tuple[Word, ...]:
    """The same words with times that never go backwards, never overlap and stay within the
    recording; where two overlap, the earlier one ends when the later one begins."""
    ordered: list[Word] = []
    for word in words:
        start_s = min(max(word.start_s, 0.0), duration_s)
        if ordered:
            start_s = max(start_s, ordered[-1].start_s)
            ordered[-1] = replace(ordered[-1], end_s=min(ordered[-1].end_s, start_s))
        end_s = min(max(word.end_s, start_s), duration_s)
        ordered.append(replace(word, start_s=start_s, end_s=end_s))
    return tuple(ordered)


def fitted_to_speech(words: Sequence[Word], regions: Sequence[Region]) -> tuple[Word, ...]:
    """The same words, their times drawn to where somebody speaks.

    `regions` are stretches of speech; both come in order and without overlaps. Listeners let the
    words next to a pause swallow it, or begin late and end early. So a word keeps what it has of
    the region that it fills most, and the first and last words of a region reach to its edges,
    unless so much lies between that words may be missing there. A word outside all regions goes
    to one next to it that has no words.
    """
    fitted = list(words)
    places = _places(words, regions) if regions else []
    for region, inside in groupby(range(len(places)), key=lambda index: places[index]):
        if region is None:
            continue
        indices = list(inside)
        start_s, end_s = regions[region]
        for index in indices:
            word = fitted[index]
            first_s = min(max(word.start_s, start_s), end_s)
            last_s = max(min(word.end_s, end_s), first_s)
            fitted[index] = replace(word, start_s=first_s, end_s=last_s)
        first, last = fitted[indices[0]], fitted[indices[-1]]
        if first.start_s - start_s <= _REACH_S:
            fitted[indices[0]] = replace(first, start_s=start_s)
            last = fitted[indices[-1]]
        if end_s - last.end_s <= _REACH_S:
            fitted[indices[-1]] = replace(last, end_s=end_s)
    return tuple(fitted)


def unheard(words: Sequence[Word], regions: Sequence[Region], least_s: float) -> list[Region]:
    """Stretches of speech of at least `least_s` in which none of the (fitted) words is."""
    found: list[Region] = []
    first = 0
    for start_s, end_s in regions:
        at_s = start_s
        while first < len(words) and words[first].end_s <= start_s:
            first += 1
        for word in words[first:]:
            if word.start_s >= end_s:
                break
            if word.start_s - at_s >= least_s:
                found.append((at_s, word.start_s))
            at_s = max(at_s, word.end_s)
        if end_s - at_s >= least_s:
            found.append((at_s, end_s))
    return found


def with_found(words: Sequence[Word], found: Sequence[Word]) -> tuple[Word, ...]:
    """The words with others that a second hearing found between them; both in order of time.

    The model may have transcribed such a word at first and only placed it wrongly: then
    the words next to the found ones are the same, and give way to them.
    """
    if not found:
        return tuple(words)
    position = sum(middle_s(word) < middle_s(found[0]) for word in words)
    before, after = list(words[:position]), list(words[position:])
    said = [sounds(word.text) for word in found]
    earliest_s, latest_s = found[0].start_s - _NEIGHBOURHOOD_S, found[-1].end_s + _NEIGHBOURHOOD_S
    for count in range(len(said), 0, -1):
        neighbours = before[-count:]
        if neighbours and neighbours[0].start_s >= earliest_s and _say(neighbours, said[:count]):
            del before[-count:]
            break
    for count in range(len(said), 0, -1):
        neighbours = after[:count]
        if neighbours and neighbours[-1].end_s <= latest_s and _say(neighbours, said[-count:]):
            del after[:count]
            break
    return (*before, *found, *after)


def _say(words: Sequence[Word], said: Sequence[str]) -> bool:
    return [sounds(word.text) for word in words] == list(said)


def middle_s(word: Word) -> float:
    """The time in the middle of a word."""
    return (word.start_s + word.end_s) / 2


def sounds(text: str) -> str:
    """What two spellings of a word have in common; never empty, so that marks match only marks."""
    return "".join(c for c in text.casefold() if c.isalnum()) or text


def _places(words: Sequence[Word], regions: Sequence[Region]) -> list[int | None]:
    """For each word the position of its region; never one before that of an earlier word."""
    places: list[int | None] = []
    first = 0
    for word in words:
        while first < len(regions) and regions[first][1] <= word.start_s:
            first += 1
        best, most_s = None, _LEAST_OVERLAP_S
        for position in range(first, len(regions)):
            start_s, end_s = regions[position]
            if start_s >= word.end_s:
                break
            overlap_s = min(end_s, word.end_s) - max(start_s, word.start_s)
            if overlap_s > most_s:
                best, most_s = position, overlap_s
        places.append(best)
    taken = set(places)
    for index, word in enumerate(words):
        if places[index] is None:
            places[index] = _empty_neighbour(word, places, index, regions, taken)
    return places


def _empty_neighbour(
    word: Word,
    places: Sequence[int | None],
    index: int,
    regions: Sequence[Region],
    taken: set[int | None],
) -> int | None:
    """The region around a word, or the nearest without words, between those of its neighbours."""
    before = next((place for place in reversed(places[:index]) if place is not None), -1)
    after = next((place for place in places[index + 1 :] if place is not None), len(regions))
    candidates = []
    for position in range(before, after + 1):
        if not 0 <= position < len(regions):
            continue
        start_s, end_s = regions[position]
        away_s = max(start_s - word.end_s, word.start_s - end_s, 0.0)
        if away_s == 0 or (position not in taken and away_s <= _NEAR_S):
            candidates.append((away_s, position))
    return min(candidates)[1] if candidates else None
