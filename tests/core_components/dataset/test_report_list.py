"""Which clips are shown, and in which order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from modules.core_components.dataset.report import (
    BAD,
    DROPPED,
    EDITED,
    EVALUATION,
    EVERY,
    FOUND,
    NOTE,
    UNUSABLE,
    WARN,
    DatasetReport,
    Finding,
    kinds_found,
    listed_clips,
    worst_first,
)
from modules.core_components.dataset.values import EVAL, TRAIN, Clip, Dataset, Source

TEXTS = {"a": "one", "b": "two", "c": "three one", "d": "four", "e": "five"}
CLIPS = [Clip(i, "s", 0.0, 1.0, text, text, (), TRAIN, "Anna") for i, text in TEXTS.items()]
CLIPS[1] = replace(CLIPS[1], subset=EVAL)
CLIPS[3] = replace(CLIPS[3], dropped="by hand", edited=True)
SOURCE = Source("s", "tape", "0", 5.0, tuple(CLIPS), ())
DATASET = Dataset("Anna", Path("nowhere"), "en", "Anna", (SOURCE,))
FINDINGS = (
    Finding("c", "noise", BAD, "x", "", 2.0),
    Finding("b", "voice", BAD, "x", "", 1.0),
    Finding("a", "noise", WARN, "x", "", 9.0),
    Finding("a", "rate", NOTE, "x"),
    Finding("", "noise", WARN, "x"),
)
REPORT = DatasetReport("Anna", "en", 1.0, 4, 1, 0.0, 1, 1, (), FINDINGS, (), {})


def ids(show: str = EVERY, search: str = "", report: DatasetReport | None = REPORT) -> str:
    return "".join(clip.id for clip in listed_clips(DATASET, report, show, search))


def test_the_worst_come_first_and_what_is_left_out_last() -> None:
    assert ids() == "cbaed"
    assert ids(report=None) == "abced"


def test_filters_and_search() -> None:
    assert ids(FOUND) == "cba"
    assert ids("noise") == "ca"
    assert ids(EVALUATION) == "b"
    assert ids(DROPPED) == ids(EDITED) == "d"
    assert ids(search="ONE") == "ca"
    assert ids(search="one three") == "c"
    assert ids("noise", "nothing") == ""


def test_kinds_are_counted_by_clips() -> None:
    assert dict(kinds_found(REPORT)) == {"noise": 2, "voice": 1, "rate": 1}


def test_within_one_severity_the_worst_figure_comes_first_whatever_else_there_is() -> None:
    findings = (
        Finding("a", "noise", BAD, "x", "", 5.0),
        Finding("a", "clipping", BAD, "x", "", 5.0),
        Finding("a", "heard", BAD, "x", "", 5.0),
        Finding("b", "missing", BAD, "x", "", UNUSABLE),
        Finding("c", "noise", BAD, "x", "", 7.0),
        Finding("c", "rate", WARN, "x", "", 1.0),
        Finding("e", "noise", BAD, "x", "", 5.0),
        Finding("e", "rate", WARN, "x", "", 9.0),
    )
    report = replace(REPORT, findings=findings)
    assert ids(report=report) == "bcaed"
    assert ids("noise", report=report) == "cae"
    assert ids("rate", report=report) == "ec"


def test_what_holds_for_the_dataset_is_named_before_what_holds_for_a_clip() -> None:
    ordered = worst_first([*FINDINGS, Finding("", "short", BAD, "x", "", 0.5)])
    assert [(item.clip_id, item.kind) for item in ordered] == [
        ("", "short"),
        ("c", "noise"),
        ("b", "voice"),
        ("", "noise"),
        ("a", "noise"),
        ("a", "rate"),
    ]
