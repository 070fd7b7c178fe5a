"""A dataset report as HTML: the amount of speech, figures, findings and histograms.

The histograms are SVG from a template. Gradio's own plots would load 0.7 MB of Vega for seven bars
of 56 pixels each, and take no colours from the page's style sheet, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from modules.core_components.dataset.report import BAD, WARN, DatasetReport, Finding
from modules.core_components.dataset.report_clips import TELEPHONE_HZ
from modules.core_components.dataset.report_whole import (
    FEW_MINUTES,
    GOOD_MINUTES,
    MANY_MINUTES,
    SHORTEST_MINUTES,
)
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.texts import _, mark, ngettext
from modules.ui.render import render

BADGES = {BAD: "bad", WARN: "warn"}
KINDS = {
    "short": mark("Length"),
    "voice": mark("Voice"),
    "language": mark("Language"),
    "noise": mark("Noise"),
    "bandwidth": mark("Bandwidth"),
    "clipping": mark("Clipping"),
    "loudness": mark("Loudness"),
    "silence": mark("Silence"),
    "length": mark("Clip length"),
    "missing": mark("No recording"),
    "text": mark("Text"),
    "tokenizer": mark("Tokenizer"),
    "characters": mark("Unusual characters"),
    "duplicate": mark("Duplicate"),
    "repetition": mark("Repetition"),
    "rate": mark("Speaking rate"),
    "heard": mark("Different transcript"),
    "evaluation": mark("Evaluation"),
}
_BARS = 20
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram, in units of its drawing: one wide, `Histogram.HEIGHT` high."""

    WIDTH: ClassVar[float] = 0.88

    index: int
    count: int
    height: float
    is_doubtful: bool
    description: str

    @property
    def x(self) -> float:
        return self.index + (1 - self.WIDTH) / 2

    @property
    def y(self) -> float:
        return round(Histogram.HEIGHT - self.height, 1)


@dataclass(frozen=True)
class Histogram:
    """What is drawn: bars whose middle is below `low` or above `high` are marked as doubtful."""

    HEIGHT: ClassVar[int] = 56

    title: str
    unit: str
    values: Sequence[float]
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 1

    @property
    def start(self) -> float:
        return bins(self.values)[0]

    @property
    def end(self) -> float:
        start, step, counts = bins(self.values)
        return start + len(counts) * step

    @property
    def median(self) -> str:
        middle = sorted(self.values)[len(self.values) // 2]
        return _("{value:.{decimals}f}", value=middle, decimals=self.decimals)

    @property
    def description(self) -> str:
        return _(
            "{title}: {count} clips, median {median} {unit}",
            title=self.title,
            count=len(self.values),
            median=self.median,
            unit=self.unit,
        )

    @property
    def bars(self) -> list[Bar]:
        start, step, counts = bins(self.values)
        return [
            self._bar(start + index * step, step, index, count, max(counts))
            for index, count in enumerate(counts)
        ]

    def _bar(self, left: float, step: float, index: int, count: int, most: int) -> Bar:
        is_doubtful = not self.low <= left + step / 2 <= self.high
        clips = ngettext("{count} clip", "{count} clips", count)
        # At least two pixels, so that even a single clip is seen.
        height = max(round(count / most * self.HEIGHT, 1), 2.0)
        words = _(
            "{low:g} to {high:g} {unit}: {clips}",
            low=left,
            high=left + step,
            unit=self.unit,
            clips=clips,
        )
        return Bar(index, count, height, is_doubtful, words)


def bins(values: Sequence[float]) -> tuple[float, float, list[int]]:
    """Up to about twenty bins of a round width: where they start, the width, and their counts."""
    low, high = min(values), max(values)
    step = _nice_step((high - low) / _BARS)
    start = math.floor(low / step + 1e-9) * step
    count = max(1, math.floor((high - start) / step + 1e-9) + 1)
    counts = [0] * count
    for value in values:
        counts[min(int((value - start) / step + 1e-9), count - 1)] += 1
    return start, step, counts


def _nice_step(raw: float) -> float:
    """The next larger of 1, 2, 2.5, 5 times a power of ten; 1 where all values are the same."""
    if raw <= 0:
        return 1.0
    scale: float = 10.0 ** math.floor(math.log10(raw))
    return next(nice * scale for nice in _NICE if nice * scale >= raw * (1 - 1e-9))


@dataclass(frozen=True)
class Gauge:
    """How much speech there is, on a scale of what a model needs; `kind` is its colour."""

    minutes: float
    words: str
    kind: str
    full: float = MANY_MINUTES
    marks: tuple[float, ...] = (SHORTEST_MINUTES, FEW_MINUTES, GOOD_MINUTES)


def gauge(minutes: float) -> Gauge:
    """The amount of speech, judged."""
    if minutes < SHORTEST_MINUTES:
        words, kind = (
            _(
                "Too little to train on: at least {shortest_minutes:g} are needed.",
                shortest_minutes=SHORTEST_MINUTES,
            ),
            "bad",
        )
    elif minutes < FEW_MINUTES:
        words, kind = (
            _(
                "Enough for a try; {good_minutes:g} to {many_minutes:g} are good.",
                good_minutes=GOOD_MINUTES,
                many_minutes=MANY_MINUTES,
            ),
            "warn",
        )
    elif minutes < GOOD_MINUTES:
        words, kind = (
            _(
                "Nearly there; {good_minutes:g} to {many_minutes:g} are good.",
                good_minutes=GOOD_MINUTES,
                many_minutes=MANY_MINUTES,
            ),
            "good",
        )
    else:
        words, kind = _("A good amount."), "good"
    return Gauge(minutes, words, kind)


def kind_labels() -> dict[str, str]:
    """What each kind of finding is called on the page."""
    return {kind: _(label) for kind, label in KINDS.items()}


def report_html(report: DatasetReport) -> Markup:
    """The whole report; only the gauge while there are no clips."""
    not_checked = [*report.not_checked]
    if report.waiting:
        not_checked.insert(
            0,
            ngettext(
                "{count} clips have not been checked yet.",
                "{count} clips have not been checked yet.",
                report.waiting,
            ),
        )
    troubled = {f.clip_id for f in report.findings if f.clip_id and f.severity in BADGES}
    return render(
        "dataset_report",
        report=report,
        gauge=gauge(report.minutes),
        with_problems=len(troubled),
        findings=[finding for finding in report.findings_of("") if finding.kind != "short"],
        badges=BADGES,
        plots=_plots(report),
        not_checked=not_checked,
    )


def _plots(report: DatasetReport) -> tuple[Histogram, ...]:
    found = report.measures
    different = [min(100 * rate, 100) for rate in _known([m.heard_otherwise for m in found])]
    telephone = TELEPHONE_HZ / 1000
    return (
        Histogram(_("Length"), "s", [m.duration_s for m in found], 1.0, 11.6),
        Histogram(_("Loudness as recorded"), "dB", _known([m.recorded_lufs for m in found]), -45),
        Histogram(
            _("Signal-to-noise ratio"), "dB", _known([m.signal_to_noise_db for m in found]), 15
        ),
        Histogram(_("Bandwidth"), "kHz", [m.bandwidth_hz / 1000 for m in found], telephone),
        Histogram(_("Speaking rate (characters/s)"), "", _known([m.letters_per_s for m in found])),
        Histogram(
            _("Similarity to the main speaker"), "", _known([m.voice for m in found]),
            speaker_scale(report.speaker_encoder).same_group - 0.1, decimals=2,
        ),
        Histogram(_("Differences in second transcript"), "%", different, high=10.0, decimals=0),
    )  # fmt: skip


def findings_html(findings: Sequence[Finding]) -> Markup:
    """What was found in a clip and what to do about it, in full."""
    return render("findings", findings=findings, kinds=kind_labels(), badges=BADGES)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
