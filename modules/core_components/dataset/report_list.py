"""The clips of a dataset as a list to work through: worst first, filtered, searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from modules.core_components.dataset.report import SEVERITIES, DatasetReport, Finding
from modules.core_components.dataset.values import EVAL, Clip, Dataset

EVERY, FOUND, EVALUATION, DROPPED, EDITED = "every", "found", "evaluation", "dropped", "edited"


def listed_clips(
    dataset: Dataset, report: DatasetReport | None, show: str = EVERY, search: str = ""
) -> tuple[Clip, ...]:
    """The clips to show, worst first, then in the order of the recordings.

    `show` is one of the words above or a kind of finding; clips must have all words of `search` in
    their text or id, in any case.
    """
    found: dict[str, list[Finding]] = {}
    for finding in report.findings if report else ():
        found.setdefault(finding.clip_id, []).append(finding)
    wanted = [
        clip
        for clip in dataset.clips
        if _is_shown(clip, show, found.get(clip.id, [])) and _has_words(clip, search)
    ]
    return tuple(sorted(wanted, key=lambda clip: _badness(clip, found.get(clip.id, []))))


def kinds_found(report: DatasetReport) -> Mapping[str, int]:
    """In how many clips each kind of finding is, the most frequent first."""
    pairs = {(finding.clip_id, finding.kind) for finding in report.findings if finding.clip_id}
    return dict(Counter(kind for _, kind in sorted(pairs)).most_common())


def _is_shown(clip: Clip, show: str, found: list[Finding]) -> bool:
    if show == EVERY:
        return True
    if show == DROPPED:
        return bool(clip.dropped)
    if show == EDITED:
        return clip.edited
    if show == EVALUATION:
        return clip.subset == EVAL and not clip.dropped
    if show == FOUND:
        return bool(found)
    return any(finding.kind == show for finding in found)


def _has_words(clip: Clip, search: str) -> bool:
    place = f"{clip.text} {clip.id}".casefold()
    return all(word in place for word in search.casefold().split())


def _badness(clip: Clip, found: list[Finding]) -> tuple[bool, int, float]:
    """Sorts the worst first; what is dropped comes last."""
    worst = min((SEVERITIES.index(item.severity) for item in found), default=len(SEVERITIES))
    weight = sum(item.weight for item in found if SEVERITIES.index(item.severity) == worst)
    return bool(clip.dropped), worst, -weight
