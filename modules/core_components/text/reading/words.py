"""What is written otherwise than it is said and is no number: quotation marks, hyphens at line
ends, addresses, names with signs, abbreviations, capitals, single signs."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import regex

from modules.core_components.text.languages import is_spaceless
from modules.core_components.text.reading.numbers import spaced
from modules.core_components.text.reading.offset_text import OffsetText
from modules.core_components.text.reading.rules import Rules
from modules.core_components.text.reading.symbols import word_set
from modules.core_components.texts import mark

# -- characters ------------------------------------------------------------------------------------

_APOSTROPHE = regex.compile(r"(?<=\p{L})[`´ʼʹ‘’‛′＇](?=\p{L})")
_LEADING_APOSTROPHE = regex.compile(
    r"(?<!\p{L}|\p{N})[`´ʼ‘’‛′'](?=(?:tis|twas|em|til|cause|n)\b|\d\ds\b)"
)
_TRAILING_APOSTROPHE = regex.compile(r"(?<=\p{L})[´ʼʹ‛′](?!\p{L}|\p{N})")
_WRAPPED = regex.compile(r"(?<=\p{Ll})(?:[-‐\u00ad][ \t]*\r?\n[ \t]*|\u00ad)(?=\p{Ll})")
# ①, Ⅳ, ㎏, ℡: several characters in one; not ½ and ™, which have steps of their own.
_COMPATIBLE = regex.compile(r"[\u2160-\u2188\u2460-\u24ff\u2776-\u2793\u3200-\u33ff℡℻]")
_LAST_WORD = regex.compile(r"\p{L}+$")
# Hyphens of other code points, wide letters and digits.
_SINGLE_CHARACTERS = (
    str.maketrans("‐‑", "--")
    | {
        code: chr(code - 0xFEE0)
        for code in range(0xFF10, 0xFF5B)
        if chr(code).isalnum() or chr(code) in "＝＠＜＞"
    }
    | str.maketrans("＄＋％＆＃－", "$+%&#-")
)
_SPACES = regex.compile(r"[\u00a0\u202f\u2007\u2009\u200a\u2002-\u2006\u3000]")
_ZERO_WIDTH = regex.compile(r"[\u200b\u2060\ufeff]")
_DOUBLED = regex.compile(r"(?<!`)``(?!`)|(?<!')''(?!')|(?<!,),,(?!,)")
_STAR = regex.compile(r"(?<=\d ?)[*∗](?= ?\d)")
_LIGATURES = regex.compile(r"[ﬀ-ﬆ]")
_LIGATURE_LETTERS = {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}


def plain_characters(text: OffsetText, rules: Rules | None = None) -> OffsetText:
    """Apostrophes and spaces in one form; words that were parted at a line's end, whole."""
    text = text.replaced(_APOSTROPHE, "'").replaced(_LEADING_APOSTROPHE, "'")
    text = text.replaced(_TRAILING_APOSTROPHE, "'")
    if "‘" not in text.text:
        text = text.translated(str.maketrans("’", "'"))
    text = (
        text.replaced(_WRAPPED, lambda found: _joined(found, rules))
        .replaced(_DOUBLED, '"')
        .replaced(_ZERO_WIDTH, "")
    )
    text = text.replaced(_STAR, "×").replaced(_LIGATURES, lambda one: _LIGATURE_LETTERS[one[0]])
    text = text.replaced(_COMPATIBLE, _several_characters)
    return text.translated(_SINGLE_CHARACTERS).replaced(_SPACES, " ")


def _several_characters(found: Any) -> str:
    characters = unicodedata.normalize("NFKC", found[0])
    before = found.string[found.start() - 1 : found.start()] if found.start() else ""
    # A unit belongs to the number before it; a number in a circle stands alone.
    return f" {characters} " if before.isnumeric() and characters[0].isdigit() else characters


def _joined(found: Any, rules: Rules | None) -> str:
    """What a hyphen at a line's end becomes: nothing, or a hyphen after such words as "well"."""
    before = _LAST_WORD.search(found.string[max(0, found.start() - 40) : found.start()])
    keeps = rules is not None and before is not None and before[0].lower() in rules.hyphen_parts
    return "-" if keeps and "\u00ad" not in found[0] else ""


# -- addresses and names ---------------------------------------------------------------------------

# Endings that make a name with a full stop an address or a file, not two sentences.
_DOMAINS = word_set(
    "com org net edu gov mil int info biz name io ai app dev tv me co eu uk us de fr es it "
    "pt br ch at nl be pl se no dk fi ie ca au nz in jp cn kr ru mx ar cl za gg ly tech "
    "shop online site blog cloud xyz museum local"
)
_FILES = word_set(
    "txt md rst doc docx odt rtf pdf tex xls xlsx ods csv tsv ppt pptx json xml yaml yml "
    "toml ini cfg conf log html htm css js ts jsx tsx py rb rs go java cpp hpp cs php sh "
    "bat ps1 sql ipynb exe dll so msi deb rpm apk dmg iso img zip tar gz bz2 xz rar 7z jpg "
    "jpeg png gif svg webp bmp tif tiff psd mp3 wav flac ogg opus m4a aac mp4 mkv avi mov "
    "webm srt vtt epub mobi onnx pt pth safetensors bak tmp bin dat db"
)
_SCHEME = r"(?:https?|ftp|file|ssh|git)://"
_HOST = r"(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]*[\p{L}\p{N}])?\.)+"
_EMAIL = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}.])"
    rf"(?:mailto:)?[\p{{L}}\p{{N}}][\p{{L}}\p{{N}}._%+-]*@{_HOST}[\p{{L}}]{{2,}}"
)
_URL = regex.compile(
    rf"(?:(?<![\p{{L}}\p{{N}}]){_SCHEME}|"
    rf"(?<![\p{{L}}\p{{N}}@./])www\.)[^\s<>“”\"«»]*[\p{{L}}\p{{N}}/#=&_~-]",
    flags=regex.IGNORECASE,
)
_DOMAIN = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}@./_-]){_HOST}(?:{'|'.join(_DOMAINS)})(?![\p{{L}}\p{{N}}@]"
    rf"|[.-][\p{{L}}\p{{N}}])"
    r"(?::\d{2,5})?(?:/[^\s<>“”\"«»]*[\p{L}\p{N}/#=&_~-]|/)?"
)
_FILE = regex.compile(
    rf"(?<![\p{{L}}\p{{N}}@._/\\-])(?:[A-Za-z]:\\|[~.]{{0,2}}[/\\])?(?:[\p{{L}}\p{{N}}_.-]+[/\\])*"
    rf"[\p{{L}}\p{{N}}_-]+(?:\.[\p{{L}}\p{{N}}_-]+)*\.(?:(?i:{'|'.join(_FILES)})|"
    rf"(?<=[\p{{L}}\p{{N}}_-]{{2}}\.)[ch])(?![\p{{L}}\p{{N}}])"
)
_DOT_NAME = regex.compile(r"(?<![\p{L}\p{N}.])\.(?=[A-Z][A-Za-z]+(?!\p{L}))")
_HANDLE = regex.compile(r"(?<![\p{L}\p{N}@.])@(?=[\p{L}_][\p{L}\p{N}_]+)")
_HASHTAG = regex.compile(r"(?<![\p{L}\p{N}&#])#(?=\p{L}[\p{L}\p{N}_]+)")
_SIGNED_NAME = regex.compile(
    r"(?<![\p{L}\p{N}])(?P<letter>[A-Za-z])(?P<sign>\+\+|#|\+|\*)(?![\p{L}\p{N}+#])"
)
_CAMEL = regex.compile(r"(?<=\p{Ll})(?=\p{Lu}\p{Ll})")
_ADDRESS_PART = regex.compile(r"\p{L}+|\p{Nd}+|.", flags=regex.DOTALL)
_VOWEL = regex.compile(r"[aeiouyáéíóúàèìòùâêîôûäëïöüãõåæøœ]", flags=regex.IGNORECASE)
_SHORT_DOMAINS = word_set("com org net info biz gov mil app me museum")


def read_addresses(text: OffsetText, rules: Rules) -> OffsetText:
    """Web and mail addresses, files and paths, with their marks in words."""
    marks = rules.address_marks
    if not marks:
        return text
    if "@" in text.text:
        text = text.replaced(
            _EMAIL, lambda found: _address(found[0].removeprefix("mailto:"), rules)
        )
    if "." in text.text:
        text = text.replaced(_URL, lambda found: _address(_without_scheme(found[0]), rules))
        text = text.replaced(_DOMAIN, lambda found: _address(found[0], rules))
        text = text.replaced(_FILE, lambda found: _address(found[0], rules))
        text = text.replaced(_DOT_NAME, f"{marks['.']} ")
    text = text.replaced(_HANDLE, f"{marks['@']} ") if "@" in text.text else text
    text = text.replaced(_HASHTAG, rules.hashtag) if "#" in text.text else text
    return text.replaced(_SIGNED_NAME, lambda found: _signed_name(found, rules))


def _without_scheme(address: str) -> str:
    return re.sub(r"^[A-Za-z]+://", "", address).rstrip("/") or address


def _address(address: str, rules: Rules) -> str:
    words = []
    for part in _ADDRESS_PART.findall(address):
        if part.isalpha():
            words.append(_address_word(part))
        elif part.isdecimal():
            words.append(rules.say_part(part))
        else:
            words.append(rules.address_marks.get(part, part))
    return " ".join(words)


def _address_word(part: str) -> str:
    """A word, or its letters one by one where it cannot be said as a word."""
    if part.lower() in _SHORT_DOMAINS:
        return part
    spelled = part.lower() in _SPELLED or not _VOWEL.search(part)
    spelled = spelled or (part.isupper() and len(part) <= 4)
    if spelled and len(part) <= 5:
        return " ".join(part)
    return _CAMEL.sub(" ", part)


# Endings and names that are spelled although they have a vowel.
_SPELLED = word_set(
    "io ai eu uk us de fr es it at ie ca au in edu ui api url exe iso deb tar avi mov aac "
    "ogg odt toml yaml ini php cpp py rs go js ts ipynb www pdf txt csv html htm css jpg "
    "jpeg png gif svg mp wav flac mkv srt vtt xml json md doc docx xls xlsx ppt pptx zip "
    "gz"
) - frozenset(["doc", "zip", "go", "tar", "wav", "flac", "json", "yaml", "toml"])


def _signed_name(found: Any, rules: Rules) -> str:
    names = rules.name_signs
    sign = found["sign"]
    if sign not in names:
        return str(found[0])
    return spaced(found, f"{found['letter']} {names[sign]}")


# -- abbreviations and capitals --------------------------------------------------------------------


def read_abbreviations(text: OffsetText, rules: Rules) -> OffsetText:
    """Abbreviations in words, by what stands around them."""
    for pattern, words in _abbreviations(rules):
        text = text.replaced(pattern, _expansion(words))
    return text


@lru_cache(maxsize=32)
def _abbreviations(rules: Rules) -> tuple[tuple[Any, Any], ...]:
    return tuple(
        (regex.compile(rf"(?<![\p{{L}}\p{{N}}.@/])(?:{_at_a_beginning_too(source)})"), words)
        for source, words in rules.abbreviations
    )


def _at_a_beginning_too(source: str) -> str:
    """A pattern that begins with a small letter, for a capital as well."""
    first = source[:1]
    return f"[{first}{first.upper()}]{source[1:]}" if first.islower() else source


def _expansion(words: str | Callable[[Any], str]) -> Any:
    def expand(found: Any) -> str:
        following = found.string[found.end() :]
        # The stop of the abbreviation ends the sentence too.
        ends = found[0].endswith(".") and (not following.strip() or following.startswith("\n"))
        said = words(found) if callable(words) else words
        if found[0][0].isupper() and not found[0].isupper() and not callable(words):
            said = said[0].upper() + said[1:]
        return f"{said}." if ends else said

    return expand


_LETTERS = regex.compile(r"\p{L}[\p{L}\p{M}'’]*")
_SPOKEN_LENGTH = 3


def read_capitals(text: OffsetText, rules: Rules) -> OffsetText:
    """Sentences in capitals in small letters, so that their short words are not spelled."""
    if not any(map(str.isupper, text.text)):
        return text
    return text.replaced(_SHOUTED, lambda found: _in_small_letters(found[0], rules))


# Two or more words in a row without a small letter between them.
_SHOUTED = regex.compile(
    r"(?<![\p{L}\p{N}])\p{Lu}[\p{Lu}\p{M}'’]*(?:[ \u00a0,;:“”\""
    r"()–—&\d-]+\p{Lu}[\p{Lu}\p{M}'’]*)+(?![\p{L}\p{N}])"
)


def _in_small_letters(shouted: str, rules: Rules) -> str:
    words = _LETTERS.findall(shouted)
    spoken = [
        word for word in words if len(word) >= _SPOKEN_LENGTH and not _is_acronym(word, rules)
    ]
    if len(spoken) < 2 or len(spoken) * 4 < len(words):
        return shouted

    def small(found: Any) -> str:
        word = found[0]
        if _is_acronym(word, rules):
            return str(word)
        return str(word.capitalize() if found.start() == 0 or word == "I" else word.lower())

    return str(_LETTERS.sub(small, shouted))


def _is_acronym(word: str, rules: Rules) -> bool:
    return word in rules.acronyms or (1 < len(word) <= 5 and not _VOWEL.search(word))


# -- signs -----------------------------------------------------------------------------------------

# The steps put spaces around words, which these scripts do not have.
_SPACE_WITHIN = regex.compile(
    r"(?<=[\p{Han}\p{Hiragana}\p{Katakana}ー])[ ](?=[\p{Han}\p{Hiragana}\p{Katakana}])"
)
_SILENT_SIGNS = regex.compile(r"[™®℠©†‡•◦▪■□●○¶¬¦¨¸¯˙˚`´]")


def read_signs(text: OffsetText, rules: Rules) -> OffsetText:
    """Signs that stand for words: & % + = @ → ≤."""
    signs = rules.signs
    if signs:
        text = text.replaced(_signs(rules), lambda found: _sign(found, signs[found[0].strip()]))
    text = text.replaced(_SILENT_SIGNS, " ")
    return text.replaced(_SPACE_WITHIN, "") if is_spaceless(rules.language) else text


def _sign(found: Any, words: str) -> str:
    if words == ",":  # a pause, where nothing else stands that makes one
        before = found.string[: found.start()].rstrip()[-1:]
        return ", " if before.isalnum() else " "
    before = " " if found.start() else ""
    after = " " if found.end() < len(found.string) else ""
    return f"{before}{words}{after}" if words else " "


@lru_cache(maxsize=32)
def _signs(rules: Rules) -> Any:
    hyphenless = [sign for sign in rules.signs if sign != "/"]
    plain = "|".join(map(regex.escape, sorted(hyphenless, key=len, reverse=True)))
    slash = r"|(?<=[\p{L}\p{N}] ?)/(?= ?[\p{L}\p{N}])" if "/" in rules.signs else ""
    return regex.compile(f"[ ]?(?:{plain})[ ]?{slash}")


# -- what is not said ------------------------------------------------------------------------------

UNSPOKEN = mark("unspoken")
# Format characters (U+200E and such) stand within words; all others stand for a space.
_FORMATS = regex.compile(r"[\p{Cf}\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_UNSPOKEN = regex.compile(
    r"(?![\n\r\t])[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{So}\p{Sk}\p{Sm}\p{Sc}\u20e3\u1390-\u1399]"
)


def read_unspoken(text: OffsetText, rules: Rules) -> OffsetText:
    """Without emoji, control characters and signs that have no words, in languages whose models
    cannot take them."""
    if not rules.drops_unspoken:
        return text
    return text.replaced(_FORMATS, "").replaced(_UNSPOKEN, " ")


def unspoken_characters(text: str) -> tuple[str, Mapping[str, int]]:
    """The text without them, and how often each was in it."""
    dropped = Counter([*_FORMATS.findall(text), *_UNSPOKEN.findall(text)])
    return _UNSPOKEN.sub(" ", _FORMATS.sub("", text)), dropped
