"""What each Ethiopic syllable sounds like in Amharic.

The table is made of the characters' Unicode names: "ETHIOPIC SYLLABLE QWAA" is the consonant Q,
rounded, with the vowel AA. It covers every syllable that this Python knows, in all blocks. The
sounds are those of CLDR's transform `am-am_FONIPA`, with these differences:

- rounded consonants are one sound (kʷ, not k and w), and ቍ is kʼʷɨ (CLDR: kʼwu);
- ዐ sounds like አ, and both have the vowel a in their first order, as ሀ has in CLDR;
- ᎉ, ᎋ, ᎍ and ᎏ sound as their names say;
- letters of other languages that CLDR leaves out have their nearest sounds.

`bench/amharic_agreement.py` lists every difference.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

_NAME = "ETHIOPIC SYLLABLE "
# Words before the consonant that say in which language the sign is used.
_USERS = ("SEBATBEIT ", "GURAGE ")
_VOWELS = {
    "A": "ə", "U": "u", "I": "i", "AA": "a", "EE": "e", "E": "ɨ", "O": "o", "OA": "o",
}  # fmt: skip
_CONSONANTS = {
    "H": "h", "HH": "h", "X": "h", "KX": "h", "L": "l", "M": "m", "SZ": "s", "S": "s", "R": "r",
    "SH": "ʃ", "SS": "ʃ", "Q": "kʼ", "QH": "kʼ", "QY": "kʼʲ", "B": "b", "V": "v", "T": "t",
    "C": "t͡ʃ", "CC": "t͡ʃ", "N": "n", "NY": "ɲ", "GLOTTAL": "ʔ", "PHARYNGEAL": "ʔ", "K": "k",
    "KY": "k", "XY": "k", "W": "w", "Z": "z", "ZH": "ʒ", "ZZ": "ʒ", "Y": "j", "D": "d", "DD": "ɗ",
    "DDH": "ɗ", "J": "d͡ʒ", "G": "ɡ", "GY": "ɡ", "GG": "ŋ", "TH": "tʼ", "TTH": "tʼ", "CH": "t͡ʃʼ",
    "CCH": "t͡ʃʼ", "CCHH": "t͡ʃʼ", "PH": "pʼ", "TS": "sʼ", "TZ": "sʼ", "F": "f", "P": "p",
    "RY": "rʲ", "MY": "mʲ", "FY": "fʲ", "DZ": "d͡z", "BB": "ɓ", "HHY": "hʲ",
}  # fmt: skip
# The vowel of their first order is a: gutturals, and ፘ ፙ ፚ, which have no other.
_WITH_A = frozenset({"H", "HH", "X", "GLOTTAL", "PHARYNGEAL", "RY", "MY", "FY"})
_ROUNDED = "W"

GEMINATION, LENGTH, BOTH = "\u135f", "\u135e", "\u135d"
TONAL_MARKS = tuple(map(chr, range(0x1390, 0x139A)))


@dataclass(frozen=True)
class Syllable:
    """A consonant and a vowel in IPA: "kʼʷ" and "a". ኧ has no consonant.

    `is_reducible` for the sixth order, whose vowel ɨ is said only where a word needs it.
    """

    consonant: str
    vowel: str
    is_reducible: bool = False


@lru_cache(maxsize=1)
def syllables() -> Mapping[str, Syllable]:
    """Every assigned Ethiopic syllable."""
    names = {
        chr(code): name.removeprefix(_NAME)
        for code in range(0x1200, sys.maxunicode + 1)
        if (name := unicodedata.name(chr(code), "")).startswith(_NAME)
    }
    present = frozenset(names.values())
    return MappingProxyType({sign: _syllable(name, present) for sign, name in names.items()})


@lru_cache(maxsize=1)
def homophones() -> Mapping[int, str]:
    """For `str.translate`: signs that sound alike, as the one in common use (ሥ as ስ, ዓ as አ)."""
    chosen: dict[Syllable, str] = {}
    table = {}
    for sign in sorted(syllables(), key=lambda one: (one not in _USUAL, ord(one))):
        kept = chosen.setdefault(syllables()[sign], sign)
        if kept != sign:
            table[ord(sign)] = kept
    return MappingProxyType(table)


# Of several series with one sound, those that Amharic writes with mostly: ሀ, ሰ, አ, ጸ.
_USUAL = "ሀሁሂሄህሆሰሱሲሳሴስሶአኡኢኤእኦጸጹጺጻጼጽጾሸሹሺሻሼሽሾከኩኪካኬክኮገጉጊጋጌግጎ"


def _syllable(name: str, present: frozenset[str]) -> Syllable:
    user = next((user for user in _USERS if name.startswith(user)), "")
    letters = name.removeprefix(user).replace(" ", "")
    if letters == "GLOTTALWA":
        return Syllable("", "ə")
    vowel = letters[len(letters.rstrip("AEIOU")) :]
    consonant = letters.removesuffix(vowel)
    rounded = len(consonant) > 1 and consonant.endswith(_ROUNDED)
    consonant = consonant.removesuffix(_ROUNDED) if rounded else consonant
    sound = _CONSONANTS[consonant] + ("ʷ" if rounded else "")
    if rounded and vowel == "A":
        # "LWA" alone is lʷa; next to "QWAA" (kʼʷa), "QWA" is kʼʷə.
        has_own_a = user or f"{consonant}WAA" in present
        return Syllable(sound, "ə" if has_own_a else "a")
    if not rounded and vowel == "A" and consonant in _WITH_A:
        return Syllable(sound, "a")
    return Syllable(sound, _VOWELS[vowel], is_reducible=vowel == "E" and not rounded)
