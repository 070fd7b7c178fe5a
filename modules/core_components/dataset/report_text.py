"""What a clip's text shows: characters foreign to its language, repeats, speaking rate."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Protocol

from modules.core_components.dataset.values import Clip
from modules.core_components.text.word_errors import normalize_words

# Letters beyond a to z, for the languages of XTTS that are written in Latin script.
_LATIN_EXTRAS = {
    "en": "",
    "es": "áéíóúüñ",
    "fr": "àâæçéèêëîïôœùûüÿ",
    "de": "äöüß",
    "it": "àèéìíîòóùú",
    "pt": "áâãàçéêíóôõúü",
    "pl": "ąćęłńóśźż",
    "tr": "çğıiöşüâîû",
    "nl": "áéíóúàèëïöüĳ",
    "cs": "áčďéěíňóřšťúůýž",
    "hu": "áéíóöőúüű",
}
# Beginnings of Unicode's character names.
_SCRIPTS = {
    "ru": ("CYRILLIC",),
    "ar": ("ARABIC",),
    "hi": ("DEVANAGARI",),
    "zh": ("CJK",),
    "ja": ("CJK", "HIRAGANA", "KATAKANA"),
    "ko": ("HANGUL",),
}
_PLAIN = frozenset(" .,!?;:'\"()-–—…’‘“”„«»‹›¿¡%&$€£°@#+/") | frozenset(
    "،؛؟۔।॥。，、！？；：「」『』（）《》〈〉・ー～"
)
# What separates and breaks the rows of the metadata.
_BREAKS_ROWS = re.compile(r"[|\r\n\u0085\u2028\u2029]")


class TextFault(Protocol):
    """Asks the engine's real tokenizer about a text."""

    def __call__(self, text: str, language: str) -> str:
        """Why the trainer would drop a row with this text; "" if it would not."""
        ...


def odd_characters(text: str, language: str) -> tuple[str, ...]:
    """The characters that a text of this language (ISO 639-1) should not have, each once.

    Digits and common punctuation are fine everywhere; a language that is not known here gets
    every letter passed.
    """
    language = language.lower().split("-")[0]
    odd = (c for c in unicodedata.normalize("NFC", text) if not _belongs(c, language))
    return tuple(dict.fromkeys(odd))


def _belongs(character: str, language: str) -> bool:
    if character in _PLAIN or character.isdigit():
        return True
    if unicodedata.category(character)[0] not in "LM":
        return False
    if language in _LATIN_EXTRAS:
        lower = character.lower()
        return "a" <= lower <= "z" or lower in _LATIN_EXTRAS[language] or lower == "i\u0307"
    scripts = _SCRIPTS.get(language)
    return scripts is None or unicodedata.name(character, "").startswith(scripts)


def breaks_rows(text: str) -> bool:
    """Whether the text has a `|` or a line break, which the metadata cannot hold."""
    return bool(_BREAKS_ROWS.search(text))


def faulty_words(text: str, language: str, text_fault: TextFault) -> tuple[str, ...]:
    """The words that are at fault by themselves; none where only the text as a whole is."""
    return tuple(word for word in dict.fromkeys(text.split()) if text_fault(word, language))


def same_texts(clips: Iterable[Clip], language: str) -> Mapping[str, tuple[Clip, ...]]:
    """The clips that say the same words as another, by those words."""
    saying: dict[str, list[Clip]] = {}
    for clip in clips:
        if words := normalize_words(clip.text, language):
            saying.setdefault(" ".join(words), []).append(clip)
    return {words: tuple(same) for words, same in saying.items() if len(same) > 1}


def letters_per_second(clip: Clip, duration_s: float, language: str) -> float | None:
    """How quickly the text must have been spoken, numbers counted as words; None without words.

    Pauses at the clip's ends do not count where its word times are known.
    """
    letters = sum(len(word) for word in normalize_words(clip.text, language))
    spoken_s = clip.words[-1].end_s - clip.words[0].start_s if clip.words else duration_s
    return letters / spoken_s if letters and spoken_s > 0 else None
