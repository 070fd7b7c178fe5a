"""The texts of tests/data/sentence_cases.toml; what is not cut as by hand is named here."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.sentences import cases, joined
from modules.core_components.text.sentences import split_sentences

# By language, the first words of the texts: ambiguous without understanding them, and left whole
# (a pause in the wrong place is worse), or in a script without capitals.
NOT_AS_BY_HAND = {
    "en": ("Wait...",),
    "ru": ("Он любит",),
    "cs": ("Dr. Novák", "Viz obr."),
    "sv": ("Det kostar",),
    "da": ("Dr. Hansen", "Det koster", "Se s."),
    "fi": ("Ks. s.", "Prof. Korhonen"),
    "hi": ("“रुको!”",),
}


@pytest.mark.parametrize("language", cases())
def test_texts_are_cut_as_by_hand(language: str) -> None:
    wrong = [
        text[0]
        for text in cases()[language]
        if split_sentences(joined(text, language), language) != list(text)
    ]
    expected = NOT_AS_BY_HAND.get(language, ())
    assert len(wrong) == len(expected), wrong
    assert all(text.startswith(begin) for text, begin in zip(wrong, expected, strict=True))


def test_a_list_is_not_taken_for_speech_that_goes_on() -> None:
    assert split_sentences("Buy this.\n- eggs\n- milk", "en") == ["Buy this.", "- eggs\n- milk"]
    assert split_sentences("«Стой!» — крикнул он.", "ru") == ["«Стой!» — крикнул он."]


def test_spacy_is_imported_when_a_language_without_a_list_needs_it() -> None:
    script = """
import sys
from modules.core_components.text.sentences import split_sentences
assert len(split_sentences("Dr. A. Smith came. He left. C'est ça.", "en")) == 3
assert len(split_sentences("Szia! Jó napot? Igen", "hu")) == 3
assert "spacy" not in sys.modules
assert split_sentences("Ez pl. Anna.", "hu") == ["Ez pl. Anna."]
assert "spacy" in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
