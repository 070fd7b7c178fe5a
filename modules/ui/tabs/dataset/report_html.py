"""A dataset report for people: what it comes to, the plots, and what to mend."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from modules.core_components.dataset.report import BAD, WARN, DatasetReport, Finding
from modules.core_components.dataset.report_clips import TELEPHONE_HZ
from modules.core_components.dataset.report_whole import (
    FEW_MINUTES,
    GOOD_MINUTES,
    MANY_MINUTES,
    SAME_SPEAKER,
    SHORTEST_MINUTES,
)
from modules.ui.widgets.snippets import badge

# Small plots in the page's own colours, as inline SVG: sharp at any size, by day and by night.


_BARS = 20
_HEIGHT = 56
_GAP = 0.12
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Histogram:
    """What is drawn: bars whose middle lies below `low` or above `high` are marked as doubtful."""

    title: str
    unit: str
    values: Sequence[float]
    low: float = -math.inf
    high: float = math.inf
    decimals: int = 1


def histogram_html(plot: Histogram) -> str:
    """The values as bars with their range and median in words; "" without values."""
    if not plot.values:
        return ""
    start, step, counts = bins(plot.values)
    most = max(counts)
    bars = "".join(
        _bar(plot, start + i * step, step, i, count, most) for i, count in enumerate(counts)
    )
    middle = sorted(plot.values)[len(plot.values) // 2]
    unit = html.escape(plot.unit)
    label = f"{plot.title}: {len(plot.values)} clips, median {middle:.{plot.decimals}f} {plot.unit}"
    ends = [f"{edge:g}" for edge in (start, start + len(counts) * step)]
    return (
        f"<figure class='studio-plot'><figcaption>{html.escape(plot.title)}</figcaption>"
        f"<svg viewBox='0 0 {len(counts)} {_HEIGHT}' preserveAspectRatio='none' role='img' "
        f"aria-label='{html.escape(label, quote=True)}'>{bars}</svg>"
        f"<div><span>{ends[0]}</span><span>median {middle:.{plot.decimals}f}</span>"
        f"<span>{ends[1]} {unit}</span></div></figure>"
    )


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


def _bar(plot: Histogram, left: float, step: float, index: int, count: int, most: int) -> str:
    if not count:
        return ""
    middle = left + step / 2
    css = " class='doubtful'" if middle < plot.low or middle > plot.high else ""
    # Even a single clip is seen.
    height = max(count / most * _HEIGHT, 2.0)
    clips = "1 clip" if count == 1 else f"{count} clips"
    told = f"{left:g} to {left + step:g} {plot.unit}: {clips}"
    return (
        f"<rect x='{index + _GAP / 2}' y='{_HEIGHT - height:.1f}' width='{1 - _GAP}' "
        f"height='{height:.1f}'{css}><title>{html.escape(told)}</title></rect>"
    )


def _nice_step(raw: float) -> float:
    """The next larger of 1, 2, 2.5, 5 times a power of ten; 1 where all values are the same."""
    if raw <= 0:
        return 1.0
    scale: float = 10.0 ** math.floor(math.log10(raw))
    return next(nice * scale for nice in _NICE if nice * scale >= raw * (1 - 1e-9))


# Where the scale of the minutes ends.
_FULL_MINUTES = MANY_MINUTES
BADGES = {BAD: "bad", WARN: "warn"}
KINDS = {
    "short": "Length",
    "voice": "Voice",
    "language": "Language",
    "noise": "Noise",
    "bandwidth": "Dull sound",
    "clipping": "Overdriven",
    "loudness": "Loudness",
    "silence": "Silence",
    "length": "Clip length",
    "missing": "No recording",
    "text": "Text",
    "tokenizer": "Tokenizer",
    "characters": "Odd characters",
    "duplicate": "Repeated",
    "rate": "Speaking rate",
    "heard": "Heard otherwise",
    "evaluation": "Evaluation",
}


def kind_name(kind: str) -> str:
    """A kind of finding in a word or two."""
    return KINDS.get(kind, kind)


def gauge_html(minutes: float) -> str:
    """How much speech there is, on a scale of what a model needs."""
    words, kind = _amount(minutes)
    place = 100 * min(minutes / _FULL_MINUTES, 1.0)
    marks = "".join(
        f"<i style='left:{100 * mark / _FULL_MINUTES:.1f}%'><span>{mark:g}</span></i>"
        for mark in (SHORTEST_MINUTES, FEW_MINUTES, GOOD_MINUTES)
    )
    return (
        f"<div class='studio-gauge {kind}' role='meter' aria-valuemin='0' "
        f"aria-valuemax='{_FULL_MINUTES:g}' aria-valuenow='{min(minutes, _FULL_MINUTES):.1f}' "
        f"aria-label='Minutes of speech'><b>{minutes:.1f} minutes</b> {words}"
        f"<div class='scale'><div style='width:{place:.1f}%'></div>{marks}</div></div>"
    )


def _amount(minutes: float) -> tuple[str, str]:
    if minutes < SHORTEST_MINUTES:
        return f"Too little to train on: {SHORTEST_MINUTES:g} at least.", "bad"
    if minutes < FEW_MINUTES:
        return f"Enough to try; {GOOD_MINUTES:g} to {MANY_MINUTES:g} are good.", "warn"
    if minutes < GOOD_MINUTES:
        return f"Nearly there; {GOOD_MINUTES:g} to {MANY_MINUTES:g} are good.", "good"
    return "A good amount.", "good"


def report_html(report: DatasetReport) -> str:
    """Gauge, figures, findings of the whole, plots, and what could not be looked at."""
    if not report.clips:
        return gauge_html(report.minutes)
    whole = [*report.findings_of("")]
    cards = "".join(_card(finding) for finding in whole if finding.kind != "short")
    return (
        f"<div class='studio-report'>{gauge_html(report.minutes)}{_tiles(report)}{cards}"
        f"{_plots(report)}{_not_checked(report)}</div>"
    )


def _tiles(report: DatasetReport) -> str:
    troubled = {f.clip_id for f in report.findings if f.clip_id and f.severity in BADGES}
    people = "–" if report.speakers is None else str(report.speakers)
    tiles = (
        ("Clips", str(report.clips), f"{report.eval_clips} of them for the evaluation"),
        ("To look at", str(len(troubled)), "clips with something to mend"),
        ("People", people, "who speak" if report.speakers != 1 else "who speaks"),
        (
            "Left out",
            str(report.dropped_clips),
            f"clips, {report.dropped_minutes:.1f} minutes",
        ),
    )
    boxes = "".join(
        f"<div class='studio-score'><span class='name'>{name}</span><b>{figure}</b>"
        f"<span class='words'>{words}</span></div>"
        for name, figure, words in tiles
    )
    return f"<div class='studio-scores'>{boxes}</div>"


def _card(finding: Finding) -> str:
    return (
        f"<div class='studio-job {BADGES.get(finding.severity, '')}'>"
        f"<strong>{html.escape(finding.message)}</strong>"
        f"<div>{html.escape(finding.hint)}</div></div>"
    )


def _plots(report: DatasetReport) -> str:
    found = report.measures
    otherwise = [min(100 * rate, 100) for rate in _known([m.heard_otherwise for m in found])]
    plots = (
        Histogram("Length", "s", [m.duration_s for m in found], 1.0, 11.6),
        Histogram("Loudness as recorded", "LUFS", _known([m.recorded_lufs for m in found]), -45),
        Histogram("Speech above noise", "dB", _known([m.signal_to_noise_db for m in found]), 15),
        Histogram(
            "Highest sound", "kHz", [m.bandwidth_hz / 1000 for m in found], TELEPHONE_HZ / 1000
        ),
        Histogram("Letters a second", "", _known([m.letters_per_s for m in found])),
        Histogram(
            "Likeness to the main voice", "", _known([m.voice for m in found]),
            SAME_SPEAKER - 0.1, decimals=2,
        ),
        Histogram("Heard otherwise", "%", otherwise, high=10.0, decimals=0),
    )  # fmt: skip
    drawn = "".join(histogram_html(plot) for plot in plots)
    return f"<div class='studio-plots'>{drawn}</div>"


def _not_checked(report: DatasetReport) -> str:
    lines = [*report.not_checked]
    if report.waiting:
        lines.insert(0, f"{report.waiting} clips: nobody looked at them yet.")
    if not lines:
        return ""
    items = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    return f"<div class='studio-note'><strong>Not looked at</strong>{items}</div>"


def findings_html(findings: Sequence[Finding]) -> str:
    """What was found in a clip and what to do about it, in full."""
    return "".join(
        f"<div class='studio-finding'>{finding_badge(finding)} {html.escape(finding.message)} "
        f"<small>{html.escape(finding.hint)}</small></div>"
        for finding in findings
    )


def finding_badge(finding: Finding) -> str:
    """The kind of a finding in a pill whose colour says how bad it is."""
    return badge(kind_name(finding.kind), BADGES.get(finding.severity, "plain"))


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
