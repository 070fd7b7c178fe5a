"""In which language a sentence seems to be written: enough to notice two languages in one dataset.

Languages with a script of their own are told by it, the others by their function words. It is a
guess about many sentences together, never about one short one.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

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
    "DEVANAGARI": "hi", "CJK": "zh",
}  # fmt: skip
# One word may be a name or a loan; two of them are a sentence of that language.
_ENOUGH_WORDS = 2
_WORD = re.compile(r"[^\W\d_]+")


def guess_language(text: str) -> str:
    """An ISO 639-1 code of XTTS's languages; "" where the text does not tell."""
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
    (best, most), (_, second) = found.most_common(2)
    return best if most >= _ENOUGH_WORDS and most > second else ""


def foreign_texts(texts: Iterable[str], language: str) -> dict[str, list[str]]:
    """Those of `texts` that seem to be in another language, by that language."""
    found: dict[str, list[str]] = {}
    for text in texts:
        guessed = guess_language(text)
        if guessed and guessed != language:
            found.setdefault(guessed, []).append(text)
    return found
