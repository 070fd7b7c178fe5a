"""Japanese to phonemes: words by MeCab, readings by UniDic, sounds by misaki. Imported late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import jaconv
import regex  # type: ignore[import-untyped]
from misaki.cutlet import JA_WORDS, Cutlet

from modules.core_components.ai_models.engines.kokoro.reading.pieces import Piece

# What UniDic's short form reads in a way that hardly anybody says.
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

    def __call__(self, text: str) -> list[Piece]:
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
            pieces.append(Piece(start, end, "" if silent else self._sounds(kana)))
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
