"""Texts that say the same over and over, as transcription models invent them.

People repeat themselves too ("no, no, no", refrains), so a repetition counts where hardly anybody
says it, or where the clip is too short for it. Single words need many copies, and so does what has
commas or exclamation marks between its copies. What text and length alone do not decide, such
as a refrain without any punctuation, may be named wrongly; a short invented one may stay unnamed.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from modules.core_components.dataset.known_text import written_units
from modules.core_components.dataset.report import BAD, WARN, ClipFacts, Finding, Usual
from modules.core_components.text.languages import is_spaceless_character
from modules.core_components.texts import _

# So many copies in a row hardly anybody says: of a word, of one of up to three letters ("ha",
# "no"), of several words, and of several that commas or an "and" link.
_WORD_COPIES, _SHORT_WORD_COPIES, _COPIES, _LINKED_COPIES = 6, 10, 4, 6
_SHORT_WORD_LETTERS = 3
# One copy fewer is enough for what is nearly the whole text.
_WHOLE = 0.75
# Of scripts without spaces: so many characters may be one word, by the beginnings of their names.
_CHARACTERS_OF_WORD = {"CJK": 3, "HIRAGANA": 3, "KATAKANA": 3}
_MOST_CHARACTERS_OF_WORD = 6
# A phrase of so many words that is said twice, if the clip is too short for it.
_SENTENCE_WORDS = 4
_TOO_FAST = 1.4
# Among the weights of other findings, which go to 10.
_TOO_FAST_WEIGHT = 8.0
_LONGEST_SHOWN = 60


@dataclass(frozen=True)
class Repetition:
    """A phrase that is written `times` in a row, at least twice.

    `share` is that of all copies in the words of the text; `is_linked`: a mark that is not a full
    stop, or a word such as "and", stands between all copies. `words` is the number of words of the
    phrase; where words have no spaces, the fewest that these characters can be.
    """

    phrase: str
    letters: int
    words: float
    times: int
    share: float
    is_linked: bool

    @property
    def is_unlikely(self) -> bool:
        """Whether hardly anybody repeats this so often, in whatever time."""
        if self.words <= 1:
            is_short = self.letters <= _SHORT_WORD_LETTERS and not _is_spaceless(self.phrase)
            is_character = self.letters == 1
            return self.times >= (_SHORT_WORD_COPIES if is_short or is_character else _WORD_COPIES)
        if self.is_linked:
            return self.times >= _LINKED_COPIES
        return self.times >= _COPIES - (self.share >= _WHOLE)

    @property
    def is_doubtful(self) -> bool:
        """Whether it is long enough to be judged by the time that it takes."""
        sentence = _SENTENCE_WORDS - _is_spaceless(self.phrase)
        return self.words >= sentence or (self.words > 1 and self.times > 2)


@lru_cache(maxsize=16384)  # every change of a dataset makes a new report of all its clips
def repetitions(text: str) -> tuple[Repetition, ...]:
    """Every phrase that follows right upon itself, without regard to case and punctuation."""
    return tuple(_repetitions(text))


def _repetitions(text: str) -> Iterator[Repetition]:
    written = [unit for unit in written_units(text) if _letters(unit)]
    said = [_letters(unit) for unit in written]
    for size in range(1, len(said) // 2 + 1):
        begin = 0
        while begin + 2 * size <= len(said):
            end = begin + size
            while end < len(said) and said[end] == said[end - size]:
                end += 1
            times = (end - begin) // size
            phrase = said[begin : begin + size]
            if times > 1 and not _is_periodic(phrase):
                # "again and again and again" is "again and" twice, and the begin of a third one.
                has_and = size == 2 and (end - begin) % size == 1
                yield _repetition(written, begin, size, times, has_and)
            # The next phrase of this size may overlap this one by less than a copy.
            begin = max(begin + 1, end - size + 1)


def repetition_findings(facts: ClipFacts, usual: Usual) -> Iterator[Finding]:
    """The worst repetition in the text of a clip that was hardly said so."""
    rate = facts.measures.letters_per_s if facts.measures else None
    factor = rate / usual.letters_per_s if rate else 1.0
    letters = len(_letters(facts.clip.text))
    found = [
        (_is_too_fast(item, letters, factor), item.times * item.letters, item)
        for item in repetitions(facts.clip.text)
    ]
    found = [entry for entry in found if entry[0] or entry[2].is_unlikely]
    if not found:
        return
    is_too_fast, copied, worst = max(found, key=lambda entry: entry[:2])
    phrase = worst.phrase
    if len(phrase) > _LONGEST_SHOWN:
        phrase = f"{phrase[:_LONGEST_SHOWN].rstrip()}…"
    message = _(
        "Its text says “{phrase}” {times} times in a row.", phrase=phrase, times=worst.times
    )
    if is_too_fast:
        hurry = _("The clip is too short for that.")
        message = f"{message} {hurry}"
    hint = _("Transcription models invent such repetitions: listen, and correct the text.")
    weight = _TOO_FAST_WEIGHT if is_too_fast else 10 * copied / letters
    severity = BAD if is_too_fast or worst.times >= _WORD_COPIES else WARN
    yield Finding(facts.clip.id, "repetition", severity, message, hint, weight)


def _is_too_fast(found: Repetition, letters: int, factor: float) -> bool:
    """Whether the clip is spoken faster than usual with all copies, and not with a single one."""
    if not found.is_doubtful or factor < _TOO_FAST:
        return False
    once = factor * (1 - (found.times - 1) * found.letters / letters)
    return abs(math.log(once)) < math.log(factor)


def _repetition(
    written: Sequence[str], begin: int, size: int, times: int, has_and: bool
) -> Repetition:
    phrase = written[begin : begin + size]
    joints = [written[begin + copy * size - 1] for copy in range(1, times)]
    spaced = all(not is_spaceless_character(unit[0]) for unit in phrase)
    text = (" " if spaced else "").join(phrase).strip(".,;:!?…。、，！？；：।॥،؛؟ ")
    return Repetition(
        phrase=text,
        letters=len(_letters("".join(phrase))),
        words=sum(map(_words_of, phrase)),
        times=times,
        share=size * times / len(written),
        is_linked=has_and or all(_has_comma(joint) for joint in joints),
    )


def _words_of(unit: str) -> float:
    if not is_spaceless_character(unit[0]):
        return 1.0
    script = unicodedata.name(unit[0], "").split(" ")[0]
    return 1 / _CHARACTERS_OF_WORD.get(script, _MOST_CHARACTERS_OF_WORD)


def _is_spaceless(text: str) -> bool:
    return any(map(is_spaceless_character, text))


def _is_periodic(phrase: Sequence[str]) -> bool:
    """Whether a phrase is a shorter one several times."""
    return any(
        len(phrase) % size == 0 and phrase[size:] == phrase[:-size]
        for size in range(1, len(phrase) // 2 + 1)
    )


def _has_comma(unit: str) -> bool:
    """Whether a mark that is not a full stop or a quotation mark follows a word."""
    tail = ""
    for character in reversed(unit):
        if character.isalnum() or unicodedata.category(character)[0] == "M":
            break
        tail += character
    return any(mark in ",;:!?…—–-、，！？；：،؛؟・～" for mark in tail)


def _letters(text: str) -> str:
    """What two spellings of the same words have in common."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LMN")
