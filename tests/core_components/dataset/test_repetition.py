"""Invented repetitions are found in the texts of clips; what people say is not."""

from __future__ import annotations

import pytest

from modules.core_components.dataset.repetition import repetition_findings
from modules.core_components.dataset.report import (
    BAD,
    WARN,
    ClipFacts,
    ClipMeasures,
    Finding,
    Usual,
)
from modules.core_components.dataset.values import TRAIN, Clip

USUAL = Usual(11_000, 40.0, -20.0, 14.0, 0.15)


def findings(text: str, rate: float | None = 14.0) -> list[Finding]:
    clip = Clip("a", "s", 0.0, 3.0, text, text, (), TRAIN, "Anna")
    measures = ClipMeasures("a", 3.0, -20.0, -20.0, 40.0, 0.0, 11_000, letters_per_s=rate)
    return list(repetition_findings(ClipFacts(clip, measures), USUAL))


@pytest.mark.parametrize(
    ("text", "phrase", "times"),
    [
        ("thank you thank you thank you", "thank you", 3),
        ("Thank you. Thank you. Thank you.", "Thank you", 3),
        ("We saw it the the the the the the the the the the house.", "the", 10),
        ("And then we went we went we went we went we went home again.", "we went", 5),
        ("Bye, " * 12, "Bye", 12),
        ("please please please please please please", "please", 6),
        ("I'm sorry, " * 7, "I'm sorry", 7),
        ("Untertitel der Amara.org-Community " * 3, "Untertitel der Amara.org-Community", 3),
        ("谢谢大家谢谢大家谢谢大家", "谢谢大家", 3),
        ("ご視聴ありがとうございました。" * 3, "ご視聴ありがとうございました", 3),
        ("ขอบคุณครับขอบคุณครับขอบคุณครับ", "ขอบคุณครับ", 3),
        ("감사합니다 여러분 감사합니다 여러분 감사합니다 여러분", "감사합니다 여러분", 3),
        ("Спасибо за просмотр. " * 4, "Спасибо за просмотр", 4),
        ("शुक्रिया दोस्तों " * 4, "शुक्रिया दोस्तों", 4),
    ],
)
def test_what_is_said_over_and_over_is_found(text: str, phrase: str, times: int) -> None:
    (found,) = findings(text)
    assert found.message == f"Its text says “{phrase}” {times} times in a row."
    assert (found.kind, found.severity) == ("repetition", BAD if times >= 6 else WARN)


@pytest.mark.parametrize(
    "text",
    [
        "It was very, very good, and very very long.",
        "No, no, no, that is not what I said.",
        "No! No! No! No! No!",
        "ha ha ha ha ha ha",
        "Let it be, let it be, let it be, let it be.",
        "Row, row, row your boat, gently down the stream.",
        "Merrily, merrily, merrily, merrily, life is but a dream.",
        "Happy birthday to you, happy birthday to you.",
        "I know I know I know what you mean by that.",
        "Again and again and again and again.",
        "The quick brown fox. The quick brown dog. The quick brown cat.",
        "My number is 5 5 5 0 0 0 1.",
        "Twinkle, twinkle, little star, how I wonder what you are.",
        "What you see is what you get, what you get is what you see.",
        "Come on! Come on! Come on!",
        "好的好的好的，我知道了。",
        "哈哈哈哈哈哈",
        "はい、はい、はい、わかりました。",
        "もっともっともっと食べたい。",
        "ごめんなさい、ごめんなさい、ごめんなさい。",
        "Да, да, да, конечно.",
        "का की के को",
        "",
        "...",
    ],
)
def test_what_people_say_is_not(text: str) -> None:
    assert findings(text) == []


TWICE = "He went out to the garden. He went out to the garden."


def test_a_sentence_is_written_twice_if_the_clip_is_too_short_for_it() -> None:
    (found,) = findings(TWICE, 28.0)
    assert found.severity == BAD
    assert found.message == (
        "Its text says “He went out to the garden” 2 times in a row. "
        "The clip is too short for that."
    )
    assert findings(TWICE, 14.0) == findings(TWICE, 17.0) == findings(TWICE, None) == []
    assert findings("他走到花园里去看花了。" * 2, 28.0)
    # A quick speaker who does not repeat a sentence; with one copy it would be much too slow.
    assert findings("No, no, no, we will see about that.", 28.0) == []
    assert findings(TWICE, 18.0) == []


def test_a_clip_that_cannot_be_measured_is_judged_by_its_text() -> None:
    clip = Clip("a", "s", 0.0, 3.0, "so it is " * 5, "", (), TRAIN, "Anna")
    assert len(list(repetition_findings(ClipFacts(clip, None), USUAL))) == 1
