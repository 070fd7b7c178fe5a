"""The rule that proposes a checkpoint."""

from __future__ import annotations

import json
from dataclasses import asdict

from modules.core_components.library.evaluation import (
    BASE,
    JudgedCheckpoint,
    JudgedTake,
    Judgement,
    judged,
    judgement_from_json,
    propose,
)


def row(
    checkpoint: str,
    words: float | None = 0.05,
    likeness: float | None = 0.7,
    length: float | None = 1.0,
    loss: float | None = 3.0,
) -> JudgedCheckpoint:
    return JudgedCheckpoint(checkpoint, words, likeness, 0.85, length, loss, ())


BASE_ROW = row(BASE, words=0.06, likeness=0.5, loss=None)


def test_likeness_decides_among_those_that_are_understood() -> None:
    rows = [BASE_ROW, row("10", 0.04, 0.6), row("20", 0.05, 0.75), row("30", 0.3, 0.9)]
    assert propose(rows)[0] == "20"


def test_the_lowest_loss_alone_does_not_choose() -> None:
    rows = [BASE_ROW, row("10", likeness=0.6, loss=2.0), row("20", likeness=0.7, loss=2.9)]
    assert propose(rows)[0] == "20"


def test_the_loss_decides_between_equals() -> None:
    rows = [BASE_ROW, row("10", likeness=0.701, loss=2.9), row("20", likeness=0.699, loss=2.5)]
    assert propose(rows)[0] == "20"


def test_speech_that_drags_is_out_unless_all_does() -> None:
    slow, good = row("10", likeness=0.9, length=1.6), row("20", likeness=0.7)
    assert propose([BASE_ROW, slow, good])[0] == "20"
    assert propose([BASE_ROW, slow])[0] == "10"


def test_none_is_proposed_that_is_not_better_than_the_base() -> None:
    proposed, reason = propose([row(BASE, 0.05, 0.7, loss=None), row("10", 0.05, 0.7)])
    assert proposed == ""
    assert "recordings" in reason


def test_without_ears_the_loss_is_all_there_is_and_that_is_said() -> None:
    rows = [row(BASE, None, None, None, None), row("10", None, None, None, 3.0)]
    proposed, reason = propose([*rows, row("20", None, None, None, 2.0)])
    assert proposed == "20"
    assert "nothing could be measured but its loss" in reason


def test_means_leave_out_what_was_not_measured() -> None:
    takes = [
        JudgedTake("a", "sentence", "Hello.", "a.wav", "hello", 0.0, 0.6, None),
        JudgedTake("b", "held out", "Good day.", "b.wav", None, None, 0.8, 1.1),
        JudgedTake("c", "held out", "Good night.", "c.wav", "night", 0.5, None, 0.9),
    ]
    found = judged("10", takes, 0.9, 2.5)
    assert (found.word_error_rate, found.similarity, found.duration_ratio) == (0.25, 0.7, 1.0)


def test_a_judgement_survives_its_file() -> None:
    take = JudgedTake("a", "sentence", "Hello.", "a.wav", "hello", 0.0, 0.6, None)
    made = judged("10", [take], 0.9, 2.5)
    found = Judgement("first", (made,), "10", "why", 0.1, "whisper-base", 1, {"b": "wavs/b.wav"})
    assert judgement_from_json(json.loads(json.dumps(asdict(found)))) == found
