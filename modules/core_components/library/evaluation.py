"""Scores of checkpoints, and the rule that proposes one of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

from modules.core_components.speaker_scale import FIRST_ENCODER, speaker_scale
from modules.core_components.texts import _

BASE = "base"
SENTENCE, HELD_OUT = "sentence", "held out"

# Speech a quarter longer or shorter than the speaker's own drags, rushes or breaks off.
_LENGTHS = (0.8, 1.25)
# Two words in a hundred are within what one listener and one seed make of the same voice.
_EQUAL_WORDS = 0.02


@dataclass(frozen=True)
class JudgedTake:
    """One text as one checkpoint said it. `audio` is relative to the run's folder.

    `kind` is "sentence" (the same for all trainings) or "held out" (a row of the evaluation set).
    `duration_ratio` is its length over that of the real clip, speech only; None for sentences.
    """

    key: str
    kind: str
    text: str
    audio: str
    heard: str | None
    word_error_rate: float | None
    similarity: float | None
    duration_ratio: float | None


@dataclass(frozen=True)
class JudgedCheckpoint:
    """The means over a checkpoint's takes (of the ratio: the median); None: not measured.

    `checkpoint` is its step, or "base". `similarity_self` is what the speaker's own held-out
    clips reach against the same reference: the most that can be asked for.
    """

    checkpoint: str
    word_error_rate: float | None
    similarity: float | None
    similarity_self: float | None
    duration_ratio: float | None
    eval_loss: float | None
    takes: tuple[JudgedTake, ...]

    @property
    def is_base(self) -> bool:
        return self.checkpoint == BASE


@dataclass(frozen=True)
class Judgement:
    """All checkpoints of a run that were judged, the base first. `proposed` is one of them or "",
    `reason` says why; `real_word_error_rate` is the listener's on the real held-out clips;
    `real_clips` are those by take key, relative to the dataset's folder; `speaker_encoder` measured
    all similarities."""

    run: str
    rows: tuple[JudgedCheckpoint, ...]
    proposed: str
    reason: str
    real_word_error_rate: float | None
    listener: str
    seed: int
    real_clips: Mapping[str, str]
    speaker_encoder: str = FIRST_ENCODER

    def row(self, checkpoint: str) -> JudgedCheckpoint | None:
        return next((row for row in self.rows if row.checkpoint == checkpoint), None)


def judged(
    checkpoint: str,
    takes: Sequence[JudgedTake],
    similarity_self: float | None,
    eval_loss: float | None,
) -> JudgedCheckpoint:
    """The row of a checkpoint from its takes."""
    ratios = _known(take.duration_ratio for take in takes)
    return JudgedCheckpoint(
        checkpoint=checkpoint,
        word_error_rate=_mean(take.word_error_rate for take in takes),
        similarity=_mean(take.similarity for take in takes),
        similarity_self=similarity_self,
        duration_ratio=round(median(ratios), 4) if ratios else None,
        eval_loss=eval_loss,
        takes=tuple(takes),
    )


def propose(
    rows: Sequence[JudgedCheckpoint], speaker_encoder: str = FIRST_ENCODER
) -> tuple[str, str]:
    """Which checkpoint to choose, and why; ("", why) if none is better than the base.

    `speaker_encoder` measured the likeness, and says below what difference two are equal.

    1. Out is whose speech is a quarter longer or shorter than the speaker's, unless all are.
    2. Of the rest stay those whose word error rate is within 2 points of the lowest.
    3. Of these the one most like the speaker; of equals the lower evaluation loss decides, which
       alone never does: by the one public study the best by loss was the worst to understand.
    4. A proposal must beat the base in words or in likeness, beyond the same margins.
    """
    tuned = [row for row in rows if not row.is_base]
    if not tuned:
        return "", _("There is no checkpoint to choose.")
    steady = [row for row in tuned if _in_length(row)] or tuned
    equal = speaker_scale(speaker_encoder).equal
    fewest = min((_words(row) for row in steady), default=0.0)
    clear = [row for row in steady if _words(row) <= fewest + _EQUAL_WORDS]
    most = max(_likeness(row) for row in clear)
    alike = [row for row in clear if _likeness(row) >= most - equal]
    best = min(alike, key=lambda row: (_loss(row), row.checkpoint))
    base = next((row for row in rows if row.is_base), None)
    if base is not None and not _beats(best, base, equal):
        return "", _(
            "No checkpoint is understood better or sounds more like the speaker than the base: "
            "more or cleaner recordings would help more than more training."
        )
    return best.checkpoint, _why(best, len(tuned))


def _why(best: JudgedCheckpoint, count: int) -> str:
    facts = []
    if best.similarity is not None:
        facts.append(_("likeness {similarity:.2f}", similarity=best.similarity))
    if best.word_error_rate is not None:
        facts.append(_("{rate:.0%} of the words misunderstood", rate=best.word_error_rate))
    reasons = _(" and ").join(facts) or _("nothing could be measured but its loss")
    if count > 1:
        return _(
            "Step {step} is the most like the speaker of {count} that is understood as well as "
            "any: {reasons}.",
            step=best.checkpoint,
            count=count,
            reasons=reasons,
        )
    return _(
        "Step {step} is the only one that is understood as well as any: {reasons}.",
        step=best.checkpoint,
        reasons=reasons,
    )


def _beats(best: JudgedCheckpoint, base: JudgedCheckpoint, equal: float) -> bool:
    if best.similarity is None and best.word_error_rate is None:
        return True
    clearer = _words(best) < _words(base) - _EQUAL_WORDS
    return clearer or _likeness(best) > _likeness(base) + equal


def _in_length(row: JudgedCheckpoint) -> bool:
    return row.duration_ratio is None or _LENGTHS[0] <= row.duration_ratio <= _LENGTHS[1]


def _words(row: JudgedCheckpoint) -> float:
    return 0.0 if row.word_error_rate is None else row.word_error_rate


def _likeness(row: JudgedCheckpoint) -> float:
    return 0.0 if row.similarity is None else row.similarity


def _loss(row: JudgedCheckpoint) -> float:
    return float("inf") if row.eval_loss is None else row.eval_loss


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return round(fmean(known), 4) if known else None


def judgement_from_json(record: Mapping[str, Any]) -> Judgement:
    """The inverse of `dataclasses.asdict`. Raises KeyError or TypeError for what is none."""
    rows = tuple(
        JudgedCheckpoint(**{**row, "takes": tuple(JudgedTake(**take) for take in row["takes"])})
        for row in record["rows"]
    )
    return Judgement(**{**record, "rows": rows})
