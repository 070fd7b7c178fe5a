"""Languages: their English names, how they are written, and guessing one from a text."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from modules.core_components.texts import _, page_language

# Written without spaces between words (ISO 639).
SPACELESS = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})
# The same by script, as the names of Unicode characters begin. Hangul has spaces.
_SPACELESS_SCRIPTS = (
    *("CJK", "HIRAGANA", "KATAKANA", "IDEOGRAPHIC", "FULLWIDTH"),
    *("THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"),
)
_REGIONS = {"US": "US", "GB": "UK"}
# Whisper's code for Javanese is not that of ISO 639.
_OTHER_CODES = {"jw": "jv"}
_RARER = Path(__file__).with_name("rarer_languages.json")


def base_language(language: str) -> str:
    """The code without its region, in small letters: "en" of "en-GB"."""
    return language.lower().partition("-")[0]


def is_spaceless(language: str) -> bool:
    """Whether a language (ISO 639, a region is ignored) has no spaces between words."""
    return base_language(language) in SPACELESS


def is_spaceless_character(character: str) -> bool:
    """Whether a character belongs to a script that has no spaces between words."""
    return unicodedata.name(character, "").startswith(_SPACELESS_SCRIPTS)


@lru_cache(maxsize=1)
def rarer_languages() -> Mapping[str, str]:
    """English names by code of languages that CLDR does not name (bench/omnivoice_languages.py)."""
    names: Mapping[str, str] = json.loads(_RARER.read_text(encoding="utf-8"))
    return names


def language_name(code: str) -> str:
    """The name in CLDR, in the language of the page: "en-gb" is "English (UK)".

    A code that is not known is its own name.
    """
    return _("Automatic") if code == "auto" else _name(code, page_language())


@lru_cache(maxsize=2048)
def _name(code: str, said_in: str) -> str:
    from babel import Locale

    words = Locale(said_in)
    language, _unused, region = code.lower().partition("-")
    name = words.languages.get(_OTHER_CODES.get(language, language))
    name = name or rarer_languages().get(language, code)
    # "fr-fr" says nothing that "French" does not.
    if not region or region == language:
        return name
    territory = region.upper()
    return f"{name} ({_REGIONS.get(territory) or words.territories.get(territory, territory)})"


def languages_in_words(codes: Sequence[str], most: int = 30) -> str:
    """The first `most` languages in that of the page, and how many more there are."""
    shown = ", ".join(language_name(code) for code in codes[:most])
    more = len(codes) - most
    return _("{names} and {more} more", names=shown, more=more) if more > 0 else shown


# Guessing: languages with a script of their own by that script, others by their function words. It
# is meant for noticing a second language in many sentences, not for one short one.

# The most frequent function words, without those that several of these languages share.
_FUNCTION_WORDS = {
    "en": "the and of to is that was for with you are this have not from they which would there",
    "es": "el los las una que por con para como pero más muy está este porque cuando también",
    "fr": "le les des est une dans pour pas qui sur avec sont mais nous vous cette être aux",
    "de": "der die das und ist nicht ein eine mit auf für sich dem den auch werden wurde oder",
    "it": "il gli che di è non della sono questo anche alla nel delle più perché ma così quando",
    "pt": "os não uma com mais como mas foi ao ele das dos também muito quando você são isso",
    "pl": "nie się jest na że do jak ale tak czy był przez tylko jego który może już przed",
    "tr": "bir bu ve için çok değil daha gibi ama sonra kadar olarak ile olan şey her var",
    "nl": "het een van dat niet zijn voor maar naar deze heeft worden werd ook bij hij wat wij",
    "cs": "je že se na ale jako byl nebo když jsem jsou tak při také který jeho už byla",
    "hu": "az egy és hogy nem is volt meg csak már mint vagy ez amely több minden még azt",
}
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_SCRIPTS = {
    "CYRILLIC": "ru", "ARABIC": "ar", "HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja",
    "DEVANAGARI": "hi", "CJK": "zh", "ETHIOPIC": "am",
}  # fmt: skip
# One word may be a name or a loan; two of them are a sentence of that language.
_ENOUGH_WORDS = 2
_WORD = re.compile(r"[^\W\d_]+")


def guess_language(text: str) -> str:
    """An ISO 639-1 code of XTTS's languages; "" where the text does not show it."""
    scripts = Counter(
        _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], "")
        for character in text
        if character.isalpha()
    )
    if scripts.get("ja"):  # Japanese has Chinese characters as well
        return "ja"
    common, count = (scripts.most_common(1) or [("", 0)])[0]
    if common and count:
        return common
    words = set(_WORD.findall(text.lower()))
    found = Counter({language: len(words & known) for language, known in _WORDS.items()})
    (best, most), (_unused, second) = found.most_common(2)
    return best if most >= _ENOUGH_WORDS and most > second else ""


def foreign_texts(texts: Iterable[str], language: str) -> dict[str, list[str]]:
    """Those of `texts` that seem to be in another language, by that language."""
    found: dict[str, list[str]] = {}
    for text in texts:
        guessed = guess_language(text)
        if guessed and guessed != language:
            found.setdefault(guessed, []).append(text)
    return found
