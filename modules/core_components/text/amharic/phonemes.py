"""Amharic words in IPA by rules, and IPA in Latin letters.

Two things the spelling does not show. A sign of the sixth order is a consonant with or without ɨ:
`_breaks` puts ɨ where a word could not be said without it. And whether a consonant is long
(geminate) is not written at all, except with a mark in schoolbooks; it stays short here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex

from modules.core_components.text.amharic.syllables import BOTH, GEMINATION, LENGTH, syllables

_MARKS = f"{GEMINATION}{LENGTH}{BOTH}"
# How far open the mouth is; two consonants end a word if the first is more open than the second.
_OPENNESS = {"j": 5, "w": 5, "r": 4, "l": 4, "m": 3, "n": 3, "ɲ": 3, "ŋ": 3}
_FRICATIVES = frozenset("fvszʃʒh")


def to_ipa(text: str, read_word: Callable[[str], str] | None = None) -> str:
    """`text` with every Ethiopic word in IPA; everything else stays. Punctuation is not a word.

    `read_word` reads a word (by default the rules do). The rules read what it leaves in Ethiopic,
    words that it makes nothing of, and words with marks of length, which it may not know.
    """
    return str(_word_pattern().sub(lambda found: _read(found[0], read_word), text))


def to_latin(text: str, read_word: Callable[[str], str] | None = None) -> str:
    """`text` with every Ethiopic word in Latin letters by its sounds, as `to_ipa` and
    `ipa_to_latin` have them."""
    return str(_word_pattern().sub(lambda found: ipa_to_latin(_read(found[0], read_word)), text))


def _read(word: str, read_word: Callable[[str], str] | None) -> str:
    ipa = "" if read_word is None or any(mark in word for mark in _MARKS) else read_word(word)
    if not ipa.strip():
        return word_to_ipa(word)
    return str(_word_pattern().sub(lambda rest: word_to_ipa(rest[0]), ipa))


@lru_cache(maxsize=1)
def _word_pattern() -> Any:
    signs = "".join(syllables())
    return regex.compile(f"[{signs}][{signs}{_MARKS}]*")


@dataclass(frozen=True)
class _Sound:
    """A consonant ("" for none) and its vowel ("" where it is left out)."""

    consonant: str
    vowel: str
    is_bare: bool  # its vowel is said only where it is needed


@lru_cache(maxsize=8192)
def word_to_ipa(word: str) -> str:
    """A word of Ethiopic signs and length marks in IPA."""
    sounds: list[_Sound] = []
    for sign in word:
        if sign in _MARKS:
            if sounds:
                sounds[-1] = _lengthened(sounds[-1], sign)
            continue
        one = syllables()[sign]
        sounds.append(_Sound(one.consonant, one.vowel, one.is_reducible))
    return "".join(_said(sounds))


def _lengthened(sound: _Sound, mark: str) -> _Sound:
    consonant = f"{sound.consonant}ː" if mark in (GEMINATION, BOTH) else sound.consonant
    if mark in (LENGTH, BOTH):
        return _Sound(consonant, f"{sound.vowel}ː", is_bare=False)
    return _Sound(consonant, sound.vowel, sound.is_bare)


def _said(sounds: Sequence[_Sound]) -> list[str]:
    """The sounds, with ɨ only where it is said."""
    said: list[str] = []
    position = 0
    after_vowel = False
    while position < len(sounds):
        end = position
        while end < len(sounds) and sounds[end].is_bare:
            end += 1
        ends_word = end == len(sounds)
        # The consonant before the next full vowel belongs to the cluster as well.
        cluster = [sound.consonant for sound in sounds[position : end + (not ends_word)]]
        if cluster and not cluster[-1]:  # ኧ: a vowel alone
            cluster.pop()
            kept = _breaks(cluster, after_vowel, ends_word=True)
        else:
            kept = _breaks(cluster, after_vowel, ends_word)
        said += [
            sounds[number].consonant + ("ɨ" if number - position in kept else "")
            for number in range(position, end)
        ]
        if not ends_word:
            said.append(sounds[end].consonant + sounds[end].vowel)
        position = end + 1
        after_vowel = True
    return said


def _breaks(cluster: Sequence[str], after_vowel: bool, ends_word: bool) -> set[int]:
    """After which consonants of a cluster ɨ is said.

    Unless `ends_word`, a full vowel follows the last one. A syllable begins with one consonant and
    ends in at most one, a word in at most two.
    """
    kept: set[int] = set()
    place, count = 0, len(cluster)
    if not after_vowel and count > (0 if ends_word else 1):
        kept.add(0)
        place = 1
    while count - place > 1:
        first, second = cluster[place], cluster[place + 1]
        meets = first.strip("ː") == second.strip("ː") or first.endswith("ː")
        left = count - place
        if ends_word and left == 3 and _open(second) > _open(cluster[place + 2]):
            kept.add(place)  # sɨdɨst, not sɨdsɨt
            place += 1
            continue
        if left == 2 and not meets and not (ends_word and _open(first) <= _open(second)):
            break
        if left == 2 or meets:
            kept.add(place)
            place += 1
        else:
            kept.add(place + 1)
            place += 2
    return kept


def _open(consonant: str) -> int:
    base = consonant[0]
    if base in _OPENNESS:
        return _OPENNESS[base]
    return 2 if base in _FRICATIVES else 1


# -- Latin letters ---------------------------------------------------------------------------------

# Letters that the vocabularies of the engines know from Turkish, German and Spanish, each for one
# sound: ş, ç, c, ı and y as in Turkish, j as in French, ñ as in Spanish, ä for ə. An apostrophe
# marks ejectives.
_LATIN = {
    "t͡ʃ": "ç", "tʃ": "ç", "d͡ʒ": "c", "dʒ": "c", "t͡s": "s", "ʃ": "ş", "ʒ": "j", "ɲ": "ñ", "j": "y",
    "ʔ": "-", "ʕ": "-", "ə": "ä", "ɨ": "ı", "ɡ": "g", "ŋ": "ng", "ʼ": "'", "ʷ": "w", "ʲ": "y",
    "ɓ": "b", "ɗ": "d'", "ɾ": "r", "x": "h", "χ": "h", "ħ": "h", "ɐ": "a", "ɑ": "a", "ɛ": "e",
    "ɔ": "o", "ɪ": "i", "ʊ": "u", "β": "b", "\u0361": "",
}  # fmt: skip
_SOUND = regex.compile("|".join(map(regex.escape, sorted(_LATIN, key=len, reverse=True))))
_LONG = regex.compile(r"(\p{L})(['wy]*)ː")
_FIRST_STOP = regex.compile(r"(?<![\p{L}\p{M}'ːʼ])-(?=\p{L})")


def ipa_to_latin(ipa: str) -> str:
    """A word in IPA in Latin letters: t͡ʃʼ is ç', ɨ is ı; a long sound is a doubled letter.

    A glottal stop is a hyphen within a word, and nothing before it.
    """
    latin = _SOUND.sub(lambda found: _LATIN[found[0]], ipa)
    return str(_FIRST_STOP.sub("", _LONG.sub(r"\1\1\2", latin)))
