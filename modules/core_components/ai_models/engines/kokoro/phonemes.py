"""Text to phonemes: misaki for English, espeak-ng (through misaki) for the other languages."""

from __future__ import annotations

import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache

from modules.core_components.ai_models.engines.kokoro.languages import Language, get_language
from modules.core_components.ai_models.engines.kokoro.speakable import (
    may_have_voice,
    no_phonemes,
    nothing_to_speak,
    speakable_text,
)
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.text.sentences import split_sentences

# A sentence longer than this is phonemized in parts, so that the time stays linear.
_LONGEST_PART = 400
# What espeak-ng writes and Kokoro's vocabulary lacks: the nearest sound, nothing for a diacritic
# (syllabic, dental) and for inverted marks, round brackets for the others.
_NEAREST = str.maketrans("ɭʍ[]{}»", "lw()()”", "\u0329\u032a¿¡")
_SENTENCE_END = re.compile(r'(?<=[.!?…]) |(?<=[.!?…][”")]) ')
_MEANINGFUL = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No", "Sm"))


@dataclass(frozen=True)
class PhonemeSentence:
    """A sentence as written, and as Kokoro will speak it."""

    text: str
    phonemes: str


class Phonemizer:
    """Turns text into phonemes, one sentence of one caller at a time: espeak-ng and misaki are
    not safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._speakers: dict[str, Callable[[str], str]] = {}
        self._voiced: dict[str, set[str]] = {}

    def sentences(
        self, text: str, language_code: str, vocabulary: Collection[str]
    ) -> Iterator[PhonemeSentence]:
        """The sentences of `text` in order, phonemized as they are asked for.

        Raises BadInputError for characters without phonemes in the language (at the first step,
        for the whole text), for text without anything to speak, and for phonemes outside the
        model's `vocabulary`; StudioError for a language that comes later.
        """
        language = get_language(language_code)
        text = speakable_text(text, language)
        self._refuse_silent_characters(text, language)
        spoken = False
        for line in text.splitlines():
            for sentence in split_sentences(line, language_code):
                for part in filter(may_have_voice, _parts(sentence)):
                    phonemes = self._phonemes(part, language, vocabulary)
                    if phonemes:
                        spoken = True
                        yield PhonemeSentence(part, phonemes)
        if not spoken:
            raise nothing_to_speak()

    def _phonemes(self, text: str, language: Language, vocabulary: Collection[str]) -> str:
        """The phonemes of `text`; empty when it is all decoration."""
        phonemes = self._raw(text, language)
        unknown = sorted(set(phonemes) - set(vocabulary))
        if unknown:
            raise BadInputError(
                f"Kokoro has no sound for {', '.join(unknown)}, read in “{text[:60]}”.",
                "Write it differently, or choose another language.",
            )
        if any(map(str.isalpha, phonemes)):
            return phonemes
        if any(map(str.isalnum, text)):
            raise no_phonemes(language, text)
        return ""

    def _refuse_silent_characters(self, text: str, language: Language) -> None:
        """A letter, number or mathematical sign that the phonemizer would skip without a word."""
        known = self._voiced.setdefault(language.code, set())
        silent = []
        for character in dict.fromkeys(text):
            if character.isascii() or character in known:
                continue
            meaningful = unicodedata.category(character) in _MEANINGFUL
            if meaningful and not any(map(str.isalpha, self._raw(character, language))):
                silent.append(character)
            else:
                known.add(character)
        if silent:
            raise no_phonemes(language, silent)

    def _raw(self, text: str, language: Language) -> str:
        with self._lock:
            raw = self._speaker(language)(text)
        return " ".join(raw.translate(_NEAREST).split())

    def _speaker(self, language: Language) -> Callable[[str], str]:
        if language.code not in self._speakers:
            build = _english if language.is_english else _espeak
            try:
                self._speakers[language.code] = build(language)
            except (ImportError, OSError, RuntimeError) as error:
                raise StudioError(
                    f"The pronunciation of {language.name} cannot be loaded ({error}).",
                    "Run the installer again; it repairs what is missing.",
                ) from error
        return self._speakers[language.code]


def sentences_of_phonemes(phonemes: str, vocabulary: Collection[str]) -> tuple[str, ...]:
    """A string of phonemes, cut into sentences and lines; nothing but white space is lost.

    Raises BadInputError that names what is outside the `vocabulary`, and when nothing sounds.
    """
    unknown = sorted(set("".join(phonemes.split())) - set(vocabulary))
    if unknown:
        raise BadInputError(
            f"Kokoro has no sound for {', '.join(map(repr, unknown))}.",
            "Use the phonemes of its vocabulary; /dev/phonemize shows those of a text.",
        )
    if not any(map(str.isalpha, phonemes)):
        raise nothing_to_speak()
    lines = (" ".join(line.split()) for line in phonemes.splitlines())
    return tuple(sentence for line in lines for sentence in _SENTENCE_END.split(line) if sentence)


@lru_cache(maxsize=1)
def get_phonemizer() -> Phonemizer:
    """The phonemizer of the process; there may be only one (see the class)."""
    return Phonemizer()


def _english(language: Language) -> Callable[[str], str]:
    from modules.core_components.ai_models.engines.kokoro.english import EnglishG2P

    g2p = EnglishG2P(british=language.letter == "b")
    return lambda text: str(g2p(text)[0])


def _espeak(language: Language) -> Callable[[str], str]:
    from misaki.espeak import EspeakG2P

    g2p = EspeakG2P(language=language.code)
    # It warns of every foreign word; what is spoken of it is what shall be.
    logging.getLogger("phonemizer").setLevel(logging.ERROR)
    return lambda text: str(g2p(text)[0])


def _parts(sentence: str) -> Iterator[str]:
    """`sentence` in parts of at most _LONGEST_PART characters, cut at a comma or a space."""
    start = 0
    while len(sentence) - start > _LONGEST_PART:
        window = sentence[start : start + _LONGEST_PART]
        cut = max((window.rfind(mark) + len(mark) for mark in (", ", "; ", ": ")), default=0)
        if cut < _LONGEST_PART // 2:
            cut = window.rfind(" ") + 1 or _LONGEST_PART
        yield sentence[start : start + cut]
        start += cut
    yield sentence[start:]
