"""Sentences of every kind are read as written in their spoken forms."""

from __future__ import annotations

import pytest

from modules.core_components.text.reading.front_end import spoken_form
from tests.helpers.spoken_forms import LANGUAGES, load_spoken_forms

# The least share of sentences that each language reads right.
WANTED = dict.fromkeys(LANGUAGES, 0.95)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_read_right(language: str) -> None:
    sentences = load_spoken_forms(language)
    read = [(one, spoken_form(one.text, language)) for one in sentences]
    wrong = [
        f"[{one.kind}] {one.text!r} is read {spoken!r}, not {one.right[0]!r}"
        for one, spoken in read
        if not one.is_right(spoken)
    ]
    share = 1 - len(wrong) / len(sentences)
    assert share >= WANTED[language], f"{share:.1%} are right; wrong:\n" + "\n".join(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_digit_is_left(language: str) -> None:
    """A digit that reaches the reader is read by its rules, not by ours."""
    left = {
        one.text: spoken
        for one in load_spoken_forms(language)
        if any(map(str.isdigit, spoken := spoken_form(one.text, language)))
    }
    assert not left


@pytest.mark.parametrize("language", LANGUAGES)
def test_spoken_forms_stay_as_they_are(language: str) -> None:
    """What is in words already is read as it is, so that reading twice changes nothing."""
    sentences = load_spoken_forms(language)
    changed = {
        one.right[0]: spoken
        for one in sentences
        if not one.is_right(spoken := spoken_form(one.right[0], language))
    }
    assert len(changed) <= (1 - WANTED[language]) * len(sentences), changed


@pytest.mark.parametrize("before", [" ", ":", "/", "(", "“", ";", "="])
def test_years_are_read_as_years_after_any_sign(before: str) -> None:
    spoken = spoken_form(f"Years{before}1914-1918.", "en")
    assert "nineteen fourteen to nineteen eighteen" in spoken
