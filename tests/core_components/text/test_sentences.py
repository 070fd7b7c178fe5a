"""Sentences in many scripts; nothing is lost, and long texts cost time in proportion."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modules.core_components.text import sentences
from modules.core_components.text.sentences import split_sentences


@pytest.mark.parametrize(
    ("language", "expected"),
    [
        ("en", ["Good morning.", "How are you?", "Fine!", "Bye"]),
        ("en", ["Dr. Smith paid $4.50 on March 3rd, 2024 for it.", "He left."]),
        ("en", ["It is e.g. blue, i.e. not red.", "See Fig. 3 and No. 5.", "No.", "I said no."]),
        ("en", ["I live in the U.S.", "He lives in the U.S. Virgin Islands."]),
        ("en", ["Mr. J. R. Smith Jr. came at 5 p.m.", "The end."]),
        ("en", ['"Stop!" he said.', '"Go."', "(Really?)", "“Yes.”"]),
        ("en", ["Wait... what?", "Well...", "Yes… maybe.", "What?!"]),
        ("en", ["1. The first point.", "2. The second."]),
        ("en", ["A heading", "A line that\nis wrapped.", "The end."]),
        ("de", ["Am 3. Oktober kam z. B. Dr. Müller.", "Es war kalt."]),
        ("fr", ["M. Dupont est là.", "« Oui ! » dit-il."]),
        ("de", ["»Komm!«", "»Ja«, sagte sie.", "„Gut.“", "Er ging."]),
        ("es", ["¿Qué?", "¡No!", "El Sr. García vino."]),
        ("ru", ["Привет.", "В 2024 г. Иван уехал, т. е. исчез.", "Да?"]),
        ("zh", ["他说：“你好。”", "然后走了！", "今天3.5度。", "好"]),
        ("ja", ["「行こう。」", "と彼は言った。", "本当？"]),
        ("hi", ["यह एक है।", "वह दो है॥", "हाँ"]),
        ("ar", ["مرحبا.", "كيف حالك؟", "بخير"]),
        ("en-us", ["Prof. Lee left.", "She waved."]),
    ],
)
def test_examples(language: str, expected: list[str]) -> None:
    joint = "" if language in ("zh", "ja") else " "
    text = (
        joint.join(expected)
        if "A heading" not in expected
        else ("A heading\n\nA line that\nis wrapped. The end.")
    )
    assert split_sentences(text, language) == expected


def test_there_is_nothing_in_nothing() -> None:
    assert split_sentences("", "en") == []
    assert split_sentences(" \n\n \t", "en") == []


def without_space(text: str) -> str:
    return "".join(text.split())


PIECES = st.sampled_from(
    [
        *".!?…。！？।॥؟\"'”’»)（(「」『\n\t -–—*1234567890aAbBéЖ你好い한हि",
        "\n\n",
        "e.g. ",
        "Dr. ",
        "U.S. ",
    ]
)


@settings(deadline=None)
@given(
    st.one_of(st.text(), st.lists(PIECES).map("".join)),
    st.sampled_from(["en", "de", "zh", "hi", "ru", "xx", ""]),
)
@example("a\u2028b. C", "en")
def test_no_character_is_lost_and_no_piece_is_empty(text: str, language: str) -> None:
    pieces = split_sentences(text, language)
    assert without_space("".join(pieces)) == without_space(text)
    assert all(piece and piece == piece.strip() for piece in pieces)


@pytest.mark.parametrize(
    "pattern",
    [
        ".",
        ". ",
        "a",
        "a. ",
        "A.B",
        "\n",
        '!"',
        "\n \n",
        "Dr. ",
        "你好。",
        "1.",
        "... ",
        '"',
        "x! y ",
    ],
)
def test_work_grows_no_faster_than_the_text(pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in looks at a mark, not in seconds: each mark of the text is looked at once."""
    looks = 0
    ends_sentence = sentences._ends_sentence

    def counted(*arguments) -> bool:
        nonlocal looks
        looks += 1
        return ends_sentence(*arguments)

    monkeypatch.setattr(sentences, "_ends_sentence", counted)
    text = pattern * (100_000 // len(pattern))
    pieces = split_sentences(text, "en")
    assert without_space("".join(pieces)) == without_space(text)
    assert looks <= len(text)
