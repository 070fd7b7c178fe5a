"""Text to phonemes: what all languages have in common. Each language's reader is loaded late."""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from types import MappingProxyType

import regex

from modules.core_components.ai_models.engines.kokoro.reading.cleaning import (
    may_have_voice,
    no_phonemes,
    nothing_to_speak,
    speakable_text,
)
from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    PLACEHOLDER,
    GivenPhonemes,
    SpokenWord,
    WrittenWords,
    extract_given,
    read_around_given,
)
from modules.core_components.ai_models.engines.kokoro.reading.languages import (
    Language,
    get_language,
)
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
    assemble,
)
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.text.markup import is_phonemes, used_in
from modules.core_components.text.reading.front_end import (
    FORMATTING_ONLY,
    STEP_NAMES,
    read_as_spoken,
)
from modules.core_components.text.sentences import split_sentences
from modules.core_components.texts import _

# Reads a text, in which each PLACEHOLDER stands for given phonemes, in order.
Reader = Callable[[str, Sequence[GivenPhonemes]], list[PhonemeSpan]]

# A sentence longer than this is phonemized in parts, so that the time stays linear.
_LONGEST_PART = 400
_CACHED_CHARACTERS = 20_000
_SENTENCE_END = re.compile(r'(?<=[.!?…]) |(?<=[.!?…][”")]) ')
_CLAUSE_END = re.compile(r"[,;:] |[，、；：]")
_WORD = regex.compile(r"[^\s—…]*[\p{L}\p{N}][^\s—…]*")
_MEANINGFUL = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd", "Nl", "No", "Sm"))


@dataclass(frozen=True)
class PhonemeSentence:
    """A sentence as written, as Kokoro will speak it, and which phonemes say which word."""

    text: str
    phonemes: str
    words: tuple[SpokenWord, ...] = ()


class Phonemizer:
    """Turns text into phonemes, one sentence at a time in the whole process: the packages that read
    it (espeak-ng, misaki, MeCab, jieba) are not all thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._readers: dict[str, Reader] = {}
        self._voiced: dict[str, set[str]] = {}

    def sentences(
        self,
        text: str,
        language_code: str,
        vocabulary: Collection[str],
        pronunciations: Mapping[str, str] = MappingProxyType({}),
        steps: Collection[str] = STEP_NAMES,
    ) -> Iterator[PhonemeSentence]:
        """The sentences of `text` in order, phonemized on demand.

        `pronunciations` are words and how to say them: /phonemes/, or other words that sound
        right; `steps` are those of the front end that apply. Raises BadInputError for characters
        without phonemes in the language (at the first step, for the whole text), for text without
        anything to speak, and for phonemes outside the model's `vocabulary`; StudioError when the
        language's packages cannot be loaded.
        """
        language = get_language(language_code)
        if PLACEHOLDER in text:
            raise no_phonemes(language, PLACEHOLDER)
        entries = {
            word: self._pronunciation(sound, language)
            for word, sound in used_in(text, pronunciations).items()
        }
        offset_text, given = extract_given(text, entries, language.parted_by_spaces, vocabulary)
        written = read_as_spoken(offset_text, language.code, FORMATTING_ONLY & set(steps))
        spoken_text = read_as_spoken(written, language.code, set(steps) - FORMATTING_ONLY)
        cleaned = speakable_text(spoken_text, language)
        if language.parted_by_spaces:
            self._refuse_silent_characters(cleaned.text, language)
        words = WrittenWords(cleaned, written if language.parted_by_spaces else None)
        left = iter(given)
        offset, shown, spoken = 0, 0, False
        for part in _split_for_reading(cleaned.text, language_code):
            offset = cleaned.text.index(part, offset)
            own = list(islice(left, part.count(PLACEHOLDER)))
            pieces = self._pieces(part, own, language)
            if not language.parted_by_spaces:
                _refuse_silent_words(part, pieces, language)
            read = assemble(pieces, tight=not language.parted_by_spaces)
            if _has_voice(read.phonemes, part, language, vocabulary):
                spoken = True
                start, end = (
                    max(shown, cleaned.starts[offset]),
                    cleaned.ends[offset + len(part) - 1],
                )
                sentence = cleaned.original[start:end].strip() or part
                yield PhonemeSentence(
                    sentence, read.phonemes, words.of_sentence(offset, pieces, read)
                )
                shown = end
            offset += len(part)
        if not spoken:
            raise nothing_to_speak()

    def prepare(self, language_code: str) -> None:
        """Loads what reads the language; raises as `sentences` does."""
        language = get_language(language_code)
        with self._lock:
            self._reader(language)

    def _pronunciation(self, sound: str, language: Language) -> str:
        if is_phonemes(sound):
            return sound.strip("/").strip()
        return assemble(self._pieces(sound, (), language)).phonemes

    def _refuse_silent_characters(self, text: str, language: Language) -> None:
        """Raises BadInputError for letters, numbers or signs that the phonemizer would skip."""
        known = self._voiced.setdefault(language.code, set())
        silent = []
        for character in dict.fromkeys(text):
            if character.isascii() or character in known or character == PLACEHOLDER:
                continue
            meaningful = unicodedata.category(character) in _MEANINGFUL
            if meaningful and not self._sounds(character, language):
                silent.append(character)
            elif len(known) < _CACHED_CHARACTERS:
                known.add(character)
        if silent:
            raise no_phonemes(language, silent)

    def _pieces(
        self, text: str, given: Sequence[GivenPhonemes], language: Language
    ) -> list[PhonemeSpan]:
        with self._lock:
            read = self._reader(language)
            pieces = read(text, given)
            if not language.parted_by_spaces:
                return pieces  # `_refuse_silent_words` names what is silent there
            return every_word_voiced(text, pieces, lambda word: read(word, ()), language)

    def _sounds(self, character: str, language: Language) -> bool:
        pieces = self._pieces(character, (), language)
        return any(_sounds(piece.phonemes) for piece in pieces)

    def _reader(self, language: Language) -> Reader:
        if language.code not in self._readers:
            try:
                self._readers[language.code] = self._build_reader(language)
            except (ImportError, OSError, RuntimeError) as error:
                raise StudioError(
                    _(
                        "The pronunciation of {name} cannot be loaded ({error}).",
                        name=_(language.name),
                        error=error,
                    ),
                    _("Run the installer again; it repairs what is missing."),
                ) from error
        return self._readers[language.code]

    def _build_reader(self, language: Language) -> Reader:
        if language.is_english:
            return _english(language)
        if language.parted_by_spaces:
            return _espeak(language)

        def english(text: str) -> list[PhonemeSpan]:
            return self._reader(get_language("en-us"))(text, ())

        return _chinese(english) if language.code == "zh" else _japanese(english)


def every_word_voiced(
    text: str,
    pieces: Sequence[PhonemeSpan],
    read: Callable[[str], list[PhonemeSpan]],
    language: Language,
) -> list[PhonemeSpan]:
    """The `pieces` of `text`, with phonemes for each word that has a letter or a digit.

    A word that a reader passed over is read alone, then letter by letter. Raises BadInputError
    that names it when it stays silent.
    """
    voiced = list(pieces)
    for word in _WORD.finditer(text):
        own = [
            index
            for index, piece in enumerate(voiced)
            if piece.start < piece.end and piece.start < word.end() and piece.end > word.start()
        ]
        if not own or any(_sounds(voiced[index].phonemes) for index in own):
            continue
        alone = _phonemes(read(word[0]))
        if _sounds(alone) and not language.is_english:
            continue  # espeak-ng reads it within its sentence; only its place was not found
        spelled = alone if _sounds(alone) else _phonemes(read(" ".join(word[0])))
        if not _sounds(spelled):
            raise no_phonemes(language, word[0])
        first = voiced[own[0]]
        voiced[own[0]] = PhonemeSpan(first.start, first.end, spelled)
    return voiced


def _sounds(phonemes: str) -> bool:
    return any(map(str.isalpha, phonemes))


def _phonemes(pieces: Sequence[PhonemeSpan]) -> str:
    return "".join(piece.phonemes for piece in pieces).strip()


def _has_voice(phonemes: str, text: str, language: Language, vocabulary: Collection[str]) -> bool:
    """Whether `phonemes`, read from `text`, can be spoken; False when it is all decoration."""
    unknown = sorted(set(phonemes) - set(vocabulary))
    if unknown:
        raise BadInputError(
            _(
                "Kokoro has no sound for {unknown}, read in “{text}”.",
                unknown=", ".join(unknown),
                text=text[:60],
            ),
            _("Write it differently, or choose another language."),
        )
    if _sounds(phonemes):
        return True
    if any(map(str.isalnum, text)):
        raise no_phonemes(language, text)
    return False


def sentences_of_phonemes(phonemes: str, vocabulary: Collection[str]) -> tuple[str, ...]:
    """A string of phonemes, cut into sentences and lines; nothing but white space is lost.

    Raises BadInputError that names what is outside the `vocabulary`, and when nothing sounds.
    """
    unknown = sorted(set("".join(phonemes.split())) - set(vocabulary))
    if unknown:
        raise BadInputError(
            _("Kokoro has no sound for {unknown}.", unknown=", ".join(map(repr, unknown))),
            _("Use the phonemes of its vocabulary; /dev/phonemize shows those of a text."),
        )
    if not _sounds(phonemes):
        raise nothing_to_speak()
    lines = (" ".join(line.split()) for line in phonemes.splitlines())
    return tuple(sentence for line in lines for sentence in _SENTENCE_END.split(line) if sentence)


@lru_cache(maxsize=1)
def get_phonemizer() -> Phonemizer:
    """The phonemizer of the process; there may be only one (see the class)."""
    return Phonemizer()


def _english(language: Language) -> Reader:
    from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P

    return EnglishG2P(british=language.letter == "b").pieces


def _espeak(language: Language) -> Reader:
    from modules.core_components.ai_models.engines.kokoro.reading.espeak import EspeakReader

    read = EspeakReader(language.code)
    return lambda text, given: read_around_given(text, given, read)


def _chinese(english: Callable[[str], list[PhonemeSpan]]) -> Reader:
    from modules.core_components.ai_models.engines.kokoro.reading.east_asian import (
        ChineseWords,
        SpacelessReader,
    )

    return SpacelessReader(ChineseWords(), english)


def _japanese(english: Callable[[str], list[PhonemeSpan]]) -> Reader:
    from modules.core_components.ai_models.engines.kokoro.reading.east_asian import (
        JapaneseWords,
        SpacelessReader,
    )

    return SpacelessReader(JapaneseWords(), english)


def _refuse_silent_words(text: str, pieces: Sequence[PhonemeSpan], language: Language) -> None:
    """Raises BadInputError for words that the reader has no phonemes for."""
    silent = [
        character
        for piece in pieces
        for character in text[piece.start : piece.end]
        if not _sounds(piece.phonemes)
        and unicodedata.category(character) in _MEANINGFUL
        and (character.isalnum() or not character.isascii())
    ]
    if silent:
        raise no_phonemes(language, silent)


def _split_for_reading(text: str, language_code: str) -> Iterator[str]:
    """The parts of a text that are read one by one: sentences, or parts of long ones."""
    for line in text.splitlines():
        for sentence in split_sentences(line, language_code):
            yield from filter(may_have_voice, _split_sentence(sentence))


def _split_sentence(sentence: str) -> Iterator[str]:
    """`sentence` in parts of at most _LONGEST_PART characters, cut at a clause or a space."""
    start = 0
    while len(sentence) - start > _LONGEST_PART:
        window = sentence[start : start + _LONGEST_PART]
        clauses = [mark.end() for mark in _CLAUSE_END.finditer(window)]
        cut = clauses[-1] if clauses else 0
        if cut < _LONGEST_PART // 2:
            cut = window.rfind(" ") + 1 or _LONGEST_PART
        while cut > 1 and unicodedata.category(sentence[start + cut])[0] == "M":
            cut -= 1
        yield sentence[start : start + cut]
        start += cut
    yield sentence[start:]
