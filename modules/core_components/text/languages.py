"""English names of the languages that the models speak and hear."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_REGIONS = {"us": "US", "gb": "UK", "br": "Brazil", "fr": "France", "cn": "China"}

# ISO 639 codes as Whisper and the speaking models use them.
_TABLE = """\
auto Automatic, af Afrikaans, am Amharic, ar Arabic, as Assamese, az Azerbaijani, ba Bashkir,
be Belarusian,
bg Bulgarian, bn Bengali, bo Tibetan, br Breton, bs Bosnian, ca Catalan, cs Czech, cy Welsh,
da Danish, de German, el Greek, en English, es Spanish, et Estonian, eu Basque, fa Persian,
fi Finnish, fo Faroese, fr French, gl Galician, gu Gujarati, ha Hausa, haw Hawaiian, he Hebrew,
hi Hindi, hr Croatian, ht Haitian Creole, hu Hungarian, hy Armenian, id Indonesian,
is Icelandic, it Italian, ja Japanese, jw Javanese, ka Georgian, kk Kazakh, km Khmer,
kn Kannada, ko Korean, la Latin, lb Luxembourgish, ln Lingala, lo Lao, lt Lithuanian,
lv Latvian, mg Malagasy, mi Maori, mk Macedonian, ml Malayalam, mn Mongolian, mr Marathi,
ms Malay, mt Maltese, my Burmese, ne Nepali, nl Dutch, nn Norwegian Nynorsk, no Norwegian,
oc Occitan, pa Punjabi, pl Polish, ps Pashto, pt Portuguese, ro Romanian, ru Russian,
sa Sanskrit, sd Sindhi, si Sinhala, sk Slovak, sl Slovenian, sn Shona, so Somali, sq Albanian,
sr Serbian, su Sundanese, sv Swedish, sw Swahili, ta Tamil, te Telugu, tg Tajik, th Thai,
tk Turkmen, tl Tagalog, tr Turkish, tt Tatar, uk Ukrainian, ur Urdu, uz Uzbek, vi Vietnamese,
yi Yiddish, yo Yoruba, yue Cantonese, zh Chinese"""
_NAMES = dict(entry.split(" ", 1) for entry in _TABLE.replace(",\n", ", ").split(", "))


def language_name(code: str) -> str:
    """ "en-gb" becomes "English (UK)"; a code that is not known is its own name."""
    language, _, region = code.lower().partition("-")
    name = _NAMES.get(language, code)
    # "fr-fr" says nothing that "French" does not.
    if not region or region == language:
        return name
    return f"{name} ({_REGIONS.get(region, region.upper())})"


# In which language a sentence seems to be written: enough to notice two languages in one dataset.
#
# Languages with a script of their own are told by it, the others by their function words. It is a
# guess about many sentences together, never about one short one.


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
