"""Mandarin and Japanese to phonemes, with misaki's tables of sounds. Imported late.

Mandarin: words by jieba, pinyin by pypinyin. Japanese: words by MeCab, readings by UniDic.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import jaconv
import regex
from misaki.cutlet import JA_WORDS, Cutlet

from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import (
    GivenPhonemes,
    read_around_given,
)
from modules.core_components.ai_models.engines.kokoro.reading.phoneme_spans import (
    PhonemeSpan,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba's use of pkg_resources, and its own old patterns
    import jieba
    from misaki.zh import ZHG2P

_NON_SYLLABIC = "\u032f"  # under the second vowel of a diphthong; not in Kokoro's vocabulary


class ChineseWords:
    """Reads runs of Chinese characters."""

    def __init__(self) -> None:
        self._words = jieba.Tokenizer()
        # As its own `initialize`, without the cache of marshalled code objects in the temporary
        # folder, which others may write to.
        frequencies, total = self._words.gen_pfdict(self._words.get_dict_file())
        self._words.FREQ, self._words.total, self._words.initialized = frequencies, total, True

    def __call__(self, text: str) -> list[PhonemeSpan]:
        """One piece a word; without phonemes where a character has no known reading."""
        return [
            PhonemeSpan(start, end, _phonemes(word))
            for word, start, end in self._words.tokenize(text)
        ]


def _phonemes(word: str) -> str:
    try:
        return str(ZHG2P.word2ipa(word)).replace(_NON_SYLLABIC, "")
    except ValueError:  # misaki's error for something that is no pinyin
        return ""


# Words for which UniDic's short form has an unusual reading.
_READINGS = {
    "私": "ワタシ",
    "四月": "シガツ",
    "七月": "シチガツ",
    "九月": "クガツ",
    "四時": "ヨジ",
    "七時": "シチジ",
    "九時": "クジ",
    "三本": "サンボン",
}
_LONGEST_WORD = max(map(len, JA_WORDS))
_REPEATED = regex.compile(r"([\p{Hiragana}\p{Katakana}])[ゝヽ]")
_VOICED = regex.compile(r"([かきくけこさしすせそたちつてとはひふへほ])[ゞヾ]")
_SMALL_KANA = str.maketrans("ゃゅょぁぃぅぇぉっ", "やゆよあいうえおつ")


@dataclass(frozen=True)
class _Reading:
    start: int
    end: int
    kana: str


class JapaneseWords(Cutlet):
    """Reads runs of kana and kanji with misaki's table of kana, from which Kokoro learnt."""

    def __call__(self, text: str) -> list[PhonemeSpan]:
        """One piece a word; without phonemes where a character has no known reading."""
        text = _REPEATED.sub(r"\1\1", text)
        text = _VOICED.sub(lambda two: two[1] + chr(ord(two[1]) + 1), text)
        readings = list(self._readings(text))
        pieces, index = [], 0
        while index < len(readings):
            count = _words_in_one(text, readings[index:])
            group = readings[index : index + count]
            start, end = group[0].start, group[-1].end
            special = _READINGS.get(text[start:end])
            kana = "".join(reading.kana for reading in group) if special is None else special
            silent = any(not reading.kana for reading in group)
            pieces.append(PhonemeSpan(start, end, "" if silent else self._sounds(kana)))
            index += count
        return pieces

    def _readings(self, text: str) -> Iterator[_Reading]:
        position = 0
        for token in self.tagger(text):
            start = text.index(token.surface, position)
            position = start + len(token.surface)
            kana = token.feature.pron or token.feature.kana
            if kana or not regex.search(r"\p{Han}", token.surface):
                yield _Reading(start, position, kana or token.surface)
            else:
                yield from self._one_by_one(text, start, position)

    def _one_by_one(self, text: str, start: int, end: int) -> Iterator[_Reading]:
        """The readings of single characters, where a word is in no dictionary."""
        for index in range(start, end):
            again = index and text[index] == "々"
            character = text[index - 1] if again else text[index]
            features = [token.feature for token in self.tagger(character)]
            yield _Reading(index, index + 1, "".join(f.pron or f.kana or "" for f in features))

    def _sounds(self, kana: str) -> str:
        hiragana = jaconv.kata2hira(kana)
        try:
            return self._mapped(hiragana)
        except (KeyError, TypeError):  # a small kana after one that it cannot change
            return self._mapped(hiragana.translate(_SMALL_KANA))

    def _mapped(self, kana: str) -> str:
        around = (None, *kana, None)
        return "".join(
            self._get_single_mapping(*around[index : index + 3]) for index in range(len(kana))
        )


def _words_in_one(text: str, readings: Sequence[_Reading]) -> int:
    """How many of the first readings are one word together, the longest that is known."""
    start, best = readings[0].start, 1
    for count, reading in enumerate(readings, start=1):
        word = text[start : reading.end]
        if len(word) > _LONGEST_WORD:
            break
        if word in JA_WORDS or word in _READINGS:
            best = count
    return best


_MARKS = {
    **dict.fromkeys("。．｡.", "."),
    **dict.fromkeys("，、,､﹑", ","),
    **dict.fromkeys("！!", "!"),
    **dict.fromkeys("？?", "?"),
    **dict.fromkeys("：:", ":"),
    **dict.fromkeys("；;", ";"),
    **dict.fromkeys("…‥⋯", "…"),
    **dict.fromkeys("—–―─～〜~", "—"),
    **dict.fromkeys("“«「『《〈【〖｢", "“"),
    **dict.fromkeys("”»」』》〉】〗｣", "”"),
    **dict.fromkeys("（(〔［[", "("),
    **dict.fromkeys("）)〕］]", ")"),
    '"': '"',
}
_RUN = regex.compile(
    r"(?P<latin>\p{Latin}(?:[\p{Latin}\p{M}\d'’&+./@ -]*[\p{Latin}\p{M}\d+])?)"
    r"|(?P<native>[\p{Han}\p{Hiragana}\p{Katakana}ーｰ]\p{M}*)+"
    r"|(?P<mark>[" + regex.escape("".join(_MARKS)) + r"]+)|(?P<other>\S)"
)
_SPACE = PhonemeSpan(0, 0, " ")
_MAY_HAVE_A_NAME = "LNS"


class SpacelessReader:
    """Reads text whose words have no spaces between them.

    `native` reads a run of the language's own script, one piece a word; `english` whatever else
    may have a name: words in Latin letters, a Greek letter, a symbol.
    """

    def __init__(
        self,
        native: Callable[[str], list[PhonemeSpan]],
        english: Callable[[str], list[PhonemeSpan]],
    ) -> None:
        self._native = native
        self._english = english

    def __call__(self, text: str, given: Sequence[GivenPhonemes]) -> list[PhonemeSpan]:
        """The pieces of `text`, words with a space on each side."""
        return read_around_given(text, given, self._read)

    def _read(self, text: str) -> list[PhonemeSpan]:
        pieces: list[PhonemeSpan] = [_SPACE]
        for run in _RUN.finditer(text):
            start, end = run.span()
            if run["mark"]:
                pieces += [PhonemeSpan(start, end, _mark(run[0])), _SPACE]
            elif run["native"]:
                for piece in _moved(self._native(run[0]), start):
                    pieces += [piece, _SPACE]
            elif run["latin"] or unicodedata.category(run[0])[0] in _MAY_HAVE_A_NAME:
                pieces += [*_moved(self._english(run[0]), start), _SPACE]
        return pieces


def _mark(marks: str) -> str:
    """The marks in Kokoro's symbols, runs of the same as one ("……" is one pause)."""
    symbols = "".join(symbol for symbol, _ in groupby(_MARKS[mark] for mark in marks))
    return symbols.replace("“", " “").replace("(", " (")


def _moved(pieces: Sequence[PhonemeSpan], offset: int) -> list[PhonemeSpan]:
    return [
        PhonemeSpan(piece.start + offset, piece.end + offset, piece.phonemes) for piece in pieces
    ]
