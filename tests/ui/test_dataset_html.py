"""The dataset report and its plots as HTML."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from modules.core_components.dataset.report import (
    BAD,
    EVERY,
    WARN,
    ClipMeasures,
    DatasetReport,
    Finding,
)
from modules.core_components.dataset.values import TRAIN, Clip, Dataset, Source
from modules.ui.tabs.dataset.clips import ClipList
from modules.ui.tabs.dataset.report_html import (
    Histogram,
    bins,
    findings_html,
    gauge,
    report_html,
)


def empty_report(minutes: float) -> DatasetReport:
    return DatasetReport("Anna", "en", minutes, 0, 0, 0.0, 0, None, (), (), (), {}, 0)


@pytest.mark.parametrize(
    ("minutes", "words", "kind"),
    [
        (0.0, "Too little", "bad"),
        (1.9, "Too little", "bad"),
        (2.0, "Enough for a try", "warn"),
        (11.0, "Nearly there", "good"),
        (30.0, "A good amount", "good"),
        (600.0, "A good amount", "good"),
    ],
)
def test_the_gauge_says_whether_it_is_enough(minutes: float, words: str, kind: str) -> None:
    assert gauge(minutes).kind == kind
    html = report_html(empty_report(minutes))
    assert words in html
    assert f"studio-gauge {kind}" in html
    (width,) = re.findall(r"width:([\d.]+)%", html)
    assert 0 <= float(width) <= 100


@pytest.mark.parametrize(
    "values",
    [[3.0], [2.0, 2.0], [-23.1, -17.0, -45.5], [0.0, 1.0], list(np.linspace(0.31, 11.6, 500))],
)
def test_every_value_is_in_a_bin_of_round_width(values: list[float]) -> None:
    start, step, counts = bins(values)
    assert sum(counts) == len(values)
    assert start <= min(values)
    assert max(values) <= start + step * len(counts) + 1e-9
    assert len(counts) <= 22
    assert counts[0] > 0 < counts[-1]


def test_doubtful_bars_are_marked() -> None:
    plot = Histogram("<b>Noise</b>", "dB", [5.0, 30.0, 31.0, 60.0], low=15.0, high=50.0)
    bars = [bar for bar in plot.bars if bar.count]
    assert [bar.is_doubtful for bar in bars] == [True, False, True]
    assert [bar.description.rpartition(": ")[2] for bar in bars] == ["1 clip", "2 clips", "1 clip"]
    assert (plot.median, plot.description) == ("31.0", "<b>Noise</b>: 4 clips, median 31.0 dB")


def test_a_report_is_shown_with_what_was_not_checked() -> None:
    measures = (ClipMeasures("a", 3.0, -23.0, -20.0, 40.0, 0.0, 8000.0, 14.0, 0.9, 1.5),)
    findings = (
        Finding("", "voice", BAD, "2 people <i>speak</i>", "Drop them."),
        Finding("a", "heard", BAD, "Heard: “<script>”", "Listen."),
    )
    report = DatasetReport(
        "Anna", "en", 3.0, 4, 1, 0.5, 2, 2, measures, findings, ("Whether: no model.",), {}, 7
    )
    html = report_html(report)
    assert "2 people &lt;i&gt;speak" in html
    assert "7 clips have not been checked yet." in html
    assert "Whether: no model." in html
    assert html.count("<figure") == 7
    assert html.count("<rect") == 7
    assert html.count('class="doubtful"') == 2
    assert "&lt;script&gt;" in findings_html(report.findings_of("a"))


def test_the_list_says_why_a_clip_stands_where_it_stands() -> None:
    clips = tuple(Clip(i, "s", 0.0, 1.0, i, i, (), TRAIN, "Anna") for i in ("one", "two", "three"))
    source = Source("s", "tape", "0", 3.0, clips, ())
    dataset = Dataset("Anna", Path("nowhere"), "en", "Anna", (source,))
    findings = (
        Finding("two", "repetition", BAD, "Its text repeats.", "Listen.", 9.0),
        Finding("two", "noise", WARN, "It hums.", "Drop it.", 1.0),
        Finding("three", "noise", WARN, "It roars.", "Drop it.", 3.0),
    )
    report = DatasetReport("Anna", "en", 1.0, 3, 1, 0.0, 0, 1, (), findings, (), {})
    with gr.Blocks():
        shown = ClipList()
    every = str(shown.show(0, dataset, report, EVERY, "", "")[1])
    noisy = str(shown.show(0, dataset, report, "noise", "", "")[1])
    assert re.findall(r'data-id="(\w+)"', every) == ["two", "three", "one"]
    assert [word in every for word in ("Its text repeats.", "It hums.", "It roars.")] == [
        *[True, False, True],
    ]
    assert "Repetition" in every
    assert re.findall(r'data-id="(\w+)"', noisy) == ["three", "two"]
    assert [word in noisy for word in ("Its text repeats.", "It hums.")] == [False, True]
