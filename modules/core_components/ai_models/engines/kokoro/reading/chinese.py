"""Mandarin to phonemes: words by jieba, pinyin by pypinyin, sounds by misaki. Imported late."""

from __future__ import annotations

import warnings

from modules.core_components.ai_models.engines.kokoro.reading.pieces import Piece

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # jieba's use of pkg_resources, and its own old patterns
    import jieba
    from misaki.zh import ZHG2P

_NON_SYLLABIC = "\u032f"  # under the second vowel of a diphthong; not in Kokoro's vocabulary


class ChineseWords:
    """Reads runs of Chinese characters."""

    def __init__(self) -> None:
        self._words = jieba.Tokenizer()
        # What its own `initialize` would do, but for the cache of marshalled code objects that it
        # keeps in the temporary folder, where anybody may put another one.
        frequencies, total = self._words.gen_pfdict(self._words.get_dict_file())
        self._words.FREQ, self._words.total, self._words.initialized = frequencies, total, True

    def __call__(self, text: str) -> list[Piece]:
        """One piece a word; without phonemes where a character has no known reading."""
        return [
            Piece(start, end, _phonemes(word)) for word, start, end in self._words.tokenize(text)
        ]


def _phonemes(word: str) -> str:
    try:
        return str(ZHG2P.word2ipa(word)).replace(_NON_SYLLABIC, "")
    except ValueError:  # misaki's word for something that is no pinyin
        return ""
