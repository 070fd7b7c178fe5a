"""Texts cut into pieces, and pieces of speech joined."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.ai_models.engines.xtts.options import (
    BASE_LANGUAGES,
    CHARACTER_LIMITS,
    LANGUAGES,
    languages_in,
)
from modules.core_components.audio.joining import PieceJoiner
from modules.core_components.errors import BadInputError
from modules.core_components.text.sentences import cut_evenly, plan_pieces
from modules.core_components.values import FloatArray
from tests.helpers.tiny_xtts import LANGUAGES as TOKENS

RATE_HZ = 24_000


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_piece_is_too_long_and_nothing_is_lost(language: str) -> None:
    text = "Una frase, con parti; altra parte: fine. " * 20 + "x" * 700 + " 你好，世界。" * 40
    pieces = plan_pieces(text, language, CHARACTER_LIMITS[language])
    assert max(len(piece.text) for piece in pieces) <= CHARACTER_LIMITS[language]
    joined = "".join(piece.text for piece in pieces)
    assert "".join(joined.split()) == "".join(text.split())


def test_sentences_are_packed_and_paragraphs_kept_apart() -> None:
    pieces = plan_pieces("One. Two.\n\n— … —\n\nThree.", "en", 250)
    assert [(piece.text, piece.ends_paragraph) for piece in pieces] == [
        ("One. Two.", True),
        ("Three.", True),
    ]


def test_a_long_sentence_is_cut_at_a_clause_into_even_parts() -> None:
    sentence = "It was long enough to be cut somewhere, but nobody knew where it should be cut."
    assert [part[-1] for part in cut_evenly(sentence, 60)] == [",", "."]
    lengths = [len(part) for part in cut_evenly("word " * 50, 90)]
    assert max(lengths) - min(lengths) < 15


def test_a_text_without_words_is_refused() -> None:
    with pytest.raises(BadInputError, match="nothing in the text"):
        plan_pieces(" ... \n ?! ", "en", 250)


def test_hindi_only_where_the_vocabulary_has_it() -> None:
    vocabulary = [f"[{token}]" for token in TOKENS]
    assert languages_in([*vocabulary, "[am]"]) == BASE_LANGUAGES
    assert languages_in(set(vocabulary) - {"[hi]"}) == BASE_LANGUAGES[:-1]


def joined(pieces: list[FloatArray], pause_s: float, chunk: int = 700) -> FloatArray:
    joiner, heard = PieceJoiner(RATE_HZ), []
    for number, piece in enumerate(pieces, start=1):
        heard += [
            joiner.feed(piece[start : start + chunk]) for start in range(0, len(piece), chunk)
        ]
        heard.append(joiner.end_piece(0.0 if number == len(pieces) else pause_s))
    return np.concatenate(heard)


def tone_between(silence_before_s: float, silence_after_s: float) -> FloatArray:
    tone = np.full(RATE_HZ, 0.5, np.float32)  # the hardest to join: it never crosses zero
    before, after = (
        np.full(int(seconds * RATE_HZ), 0.001, np.float32)
        for seconds in (silence_before_s, silence_after_s)
    )
    return np.concatenate([before, tone, after])


def test_a_join_has_no_click_and_the_pause_that_was_asked_for() -> None:
    for silences in ((0.0, 0.0), (0.01, 0.3), (1.0, 1.0)):
        heard = joined([tone_between(*silences), tone_between(*silences)], pause_s=0.4)
        loud = np.flatnonzero(np.abs(heard) > 0.25)
        between = np.diff(loud).max() / RATE_HZ
        assert between == pytest.approx(0.4, abs=0.06)
        inner = heard[loud[0] : loud[-1]]
        assert np.abs(np.diff(inner)).max() < 0.02 or silences[0] > 0


def test_only_silence_is_cut_whatever_the_chunks() -> None:
    piece = tone_between(0.5, 0.5)
    for chunk in (64, 700, 50_000):
        heard = joined([piece], 0.0, chunk)
        assert len(heard) == pytest.approx((0.05 + 1.0 + 0.15) * RATE_HZ, abs=250)
        assert (heard == 0.5).sum() == RATE_HZ
    assert len(joined([np.zeros(5_000, np.float32)], 0.0)) == 0
