"""The values of a dataset report: figures of every clip, and problems, worst first."""

from __future__ import annotations

import base64
import json
import logging
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.dataset.values import EVAL, Clip, Dataset
from modules.core_components.texts import _, ngettext
from modules.core_components.values import FloatArray

logger = logging.getLogger(__name__)


# Spoils the training or is dropped by it; should be fixed; worth knowing.
BAD, WARN, NOTE = "bad", "warn", "note"
SEVERITIES = (BAD, WARN, NOTE)
UNUSABLE = 11.0


@dataclass(frozen=True)
class Finding:
    """Something to look at: in one clip, or ("" as `clip_id`) in the dataset as a whole.

    `kind` is one word to filter by ("noise", "voice", "duplicate"...), `hint` says what to do.
    Among findings of one severity the one of larger `weight` is worse: about 0 to 10 by its figure,
    `UNUSABLE` for a clip that cannot be learned from at all.
    """

    clip_id: str
    kind: str
    severity: str
    message: str
    hint: str = ""
    weight: float = 0.0


@dataclass(frozen=True)
class ClipMeasures:
    """The figures of one clip; None where there is nothing to measure or no model to do it.

    `recorded_lufs` is the loudness before it was evened out, `signal_to_noise_db` an estimate from
    the pauses, `clipping` the share of clipped samples (0 to 1), `letters_per_s` the speaking rate,
    `voice` the cosine to the main speaker's mean embedding, `heard_otherwise` the word error rate
    of the text against what a second listener heard.
    """

    clip_id: str
    duration_s: float
    loudness_lufs: float | None
    recorded_lufs: float | None
    signal_to_noise_db: float | None
    clipping: float
    bandwidth_hz: float
    letters_per_s: float | None = None
    voice: float | None = None
    heard_otherwise: float | None = None


@dataclass(frozen=True)
class DatasetReport:
    """A dataset in figures. Minutes and clips are those in the metadata; `dropped_*` the others.

    `not_checked` says in sentences what could not be looked at, and why. `heard` holds what the
    second listener heard, by clip id; `speaker_encoder` measured the similarities; `waiting` counts
    the clips that a quick look left out. `noise_removed` says in a sentence from which clips.
    """

    name: str
    language: str
    minutes: float
    clips: int
    eval_clips: int
    dropped_minutes: float
    dropped_clips: int
    speakers: int | None
    measures: tuple[ClipMeasures, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...]
    heard: Mapping[str, str]
    waiting: int = 0
    speaker_encoder: str = ""
    noise_removed: str = ""

    def findings_of(self, clip_id: str) -> tuple[Finding, ...]:
        """The findings of one clip, worst first; those of the whole dataset for ""."""
        return tuple(finding for finding in self.findings if finding.clip_id == clip_id)


# In the `made_with` of a source whose clips were cleaned: the method, how many clips, and the
# medians of their signal to noise before and afterwards ("before_db", "after_db").
NOISE_REMOVED = "noise_removed"


def describe_noise_removed(dataset: Dataset) -> str:
    """A sentence on the clips that were cleaned when they were cut; "" for none."""
    cleaned = [s.made_with[NOISE_REMOVED] for s in dataset.sources if NOISE_REMOVED in s.made_with]
    cleaned = [item for item in cleaned if item.get("clips")]
    if not cleaned:
        return ""
    weights = [int(item["clips"]) for item in cleaned]
    before, after = (
        float(np.average([float(item[name]) for item in cleaned], weights=weights))
        for name in ("before_db", "after_db")
    )
    clips, recordings = sum(weights), len(cleaned)
    return _(
        "Noise was removed from {clips} of {recordings} ({method}): the speech was "
        "{before:.0f} dB above the noise and is {after:.0f} dB above it now. The "
        "recordings are as they were.",
        clips=ngettext("{count} clip", "{count} clips", clips),
        recordings=ngettext("{count} recording", "{count} recordings", recordings),
        method=cleaned[0]["method"],
        before=before,
        after=after,
    )


def worst_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """By severity; those of the dataset before those of single clips; by weight."""

    def place(item: Finding) -> tuple[int, bool, float]:
        return SEVERITIES.index(item.severity), bool(item.clip_id), -item.weight

    return tuple(sorted(findings, key=place))


# Of a normal distribution: its spread over its median absolute deviation.
_SPREAD_OF_DEVIATION = 1.4826
_NARROWEST_SPREAD = 0.1


@dataclass(frozen=True)
class ClipFacts:
    """A clip, its figures (None if its wav cannot be read, then `problem` says why), and more.

    `text_fault` is why the trainer would drop the text, `unknown_words` which words do it.
    `language` is what a listener took it for, with its probability; `group` the number of its
    speaker, 0 for the main one, None where it was not measured; a `stranger` is so far from the
    main voice that it is clearly another.
    """

    clip: Clip
    measures: ClipMeasures | None
    sound_sha256: str = ""
    problem: str = ""
    text_fault: str = ""
    unknown_words: tuple[str, ...] = ()
    language: tuple[str, float] | None = None
    heard: str | None = None
    group: int | None = None
    stranger: bool = False


@dataclass(frozen=True)
class Usual:
    """Medians over the dataset; `rate_spread` is that of the logarithm of the speaking rate."""

    bandwidth_hz: float
    signal_to_noise_db: float
    loudness_lufs: float
    letters_per_s: float
    rate_spread: float

    def rate_deviation(self, letters_per_s: float) -> float:
        """How many spreads a speaking rate lies from the usual; negative for slow."""
        return math.log(letters_per_s / self.letters_per_s) / self.rate_spread


def usual_among(measures: Sequence[ClipMeasures]) -> Usual:
    """The medians of at least one clip."""
    rates = np.log([m.letters_per_s for m in measures if m.letters_per_s] or [1.0])
    deviation = float(np.median(np.abs(rates - np.median(rates))))
    return Usual(
        bandwidth_hz=_median([m.bandwidth_hz for m in measures]),
        signal_to_noise_db=_median([m.signal_to_noise_db for m in measures]),
        loudness_lufs=_median([m.loudness_lufs for m in measures]),
        letters_per_s=float(np.exp(np.median(rates))),
        rate_spread=max(_SPREAD_OF_DEVIATION * deviation, _NARROWEST_SPREAD),
    )


def _median(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else 0.0


# The list of clips: worst first, filtered, searched.

EVERY, FOUND, EVALUATION, DROPPED, EDITED = "every", "found", "evaluation", "dropped", "edited"
_FILTERS = (EVERY, FOUND, EVALUATION, DROPPED, EDITED)


def listed_clips(
    dataset: Dataset, report: DatasetReport | None, show: str = EVERY, search: str = ""
) -> tuple[Clip, ...]:
    """The clips to show, worst first, then in the order of the recordings.

    The worst has the most severe finding; then the largest weight among its most severe ones, which
    goes by the figure; then more of them. Excluded clips come last. `show` is one of the words
    above or a kind of finding: then only findings of that kind count. Clips must have all words of
    `search` in their text or id, in any case.
    """
    found: dict[str, list[Finding]] = {}
    for finding in report.findings if report else ():
        if show in _FILTERS or finding.kind == show:
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
    return dict(Counter(kind for _unused, kind in sorted(pairs)).most_common())


def _is_shown(clip: Clip, show: str, found: list[Finding]) -> bool:
    if show == EVERY:
        return True
    if show == DROPPED:
        return bool(clip.dropped)
    if show == EDITED:
        return clip.edited
    if show == EVALUATION:
        return clip.subset == EVAL and not clip.dropped
    return bool(found)


def _has_words(clip: Clip, search: str) -> bool:
    place = f"{clip.text} {clip.id}".casefold()
    return all(word in place for word in search.casefold().split())


def _badness(clip: Clip, found: list[Finding]) -> tuple[bool, int, float, int]:
    """Sorts the worst first; what is dropped comes last."""
    if not found:
        return bool(clip.dropped), len(SEVERITIES), 0.0, 0
    worst = min(SEVERITIES.index(item.severity) for item in found)
    weights = [item.weight for item in found if SEVERITIES.index(item.severity) == worst]
    return bool(clip.dropped), worst, -max(weights), -len(weights)


class ContentCache:
    """Measures kept for the next report: JSON values by name and hash of the audio, in one file.

    A file that cannot be read is started anew: everything in it can be measured again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, dict[str, Any]] = {}
        self._is_new = False
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self._values = {key: dict(value) for key, value in content.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, TypeError) as error:
            logger.warning("%s cannot be read (%s); measuring anew", path, error)

    def get(self, what: str, sha256: str) -> Any:
        """None where it was not measured yet."""
        return self._values.get(sha256, {}).get(what)

    def latest(self, beginning: str, sha256: str) -> Any:
        """The value kept last under a name that begins so; None if there is none."""
        values = self._values.get(sha256, {})
        return next((values[key] for key in reversed(values) if key.startswith(beginning)), None)

    def put(self, what: str, sha256: str, value: Any) -> None:
        values = self._values.setdefault(sha256, {})
        values.pop(what, None)  # it becomes the latest
        values[what] = value
        self._is_new = True

    def drop_all_but(self, hashes: Collection[str]) -> None:
        """Forgets the sounds that are no longer there."""
        gone = self._values.keys() - set(hashes)
        for sha256 in gone:
            del self._values[sha256]
        self._is_new = self._is_new or bool(gone)

    def save(self) -> None:
        """Writes what is new. Raises DiskFullError."""
        if not self._is_new:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self._values, separators=(",", ":"))
        atomic.write_bytes(self._path, content.encode())
        self._is_new = False


def packed(embedding: FloatArray) -> str:
    """A vector as text, in half precision: cosines keep three digits."""
    return base64.b64encode(embedding.astype("<f2").tobytes()).decode()


def unpacked(text: str) -> FloatArray:
    """The vector of `packed`, of unit length again."""
    vector = np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-8), dtype=np.float32)
