"""The words of a recording: glued as they were written, joined to text, brought into order."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from modules.core_components.values import Segment, Word

# Scripts that are written without spaces between words. Hangul has spaces.
_UNSPACED = (
    *("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH"),
    *("THAI", "LAO", "KHMER", "MYANMAR"),
)
# A word that touches speech for less than this is not drawn into it.
_LEAST_OVERLAP_S = 0.02


def joined_text(words: Iterable[Word]) -> str:
    """The words as a text: with spaces, but not where a script has none."""
    text = ""
    for word in words:
        part = word.text.strip()
        if text and part:
            text += "" if is_unspaced(text[-1]) or is_unspaced(part[0]) else " "
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
        if glued and not (is_unspaced(whole[-1].text[-1]) or is_unspaced(word.text[0])):
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


def fitted_to_speech(
    words: Iterable[Word], regions: Sequence[tuple[float, float]]
) -> tuple[Word, ...]:
    """Words whose times reach into a pause, drawn back to where somebody speaks.

    Listeners let the word before or after a pause swallow it. `regions` are stretches of speech as
    (start, end) in seconds; both come in order. A word that touches several keeps the part that it
    fills most; one that touches none is left as it is.
    """
    fitted: list[Word] = []
    first = 0
    for word in words:
        while first < len(regions) and regions[first][1] <= word.start_s:
            first += 1
        best: tuple[float, float] | None = None
        for start_s, end_s in regions[first:]:
            if start_s >= word.end_s:
                break
            part = (max(start_s, word.start_s), min(end_s, word.end_s))
            if best is None or part[1] - part[0] > best[1] - best[0]:
                best = part
        if best is not None and best[1] - best[0] > _LEAST_OVERLAP_S:
            word = replace(word, start_s=best[0], end_s=best[1])
        fitted.append(word)
    return tuple(fitted)


def is_unspaced(character: str) -> bool:
    """Whether a character belongs to a script that is written without spaces."""
    return unicodedata.name(character, "").startswith(_UNSPACED)
