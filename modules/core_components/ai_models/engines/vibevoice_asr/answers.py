"""What VibeVoice-ASR answers: who said what and when, as the processor parsed it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

_SOUND = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class Utterance:
    """One stretch of speech; `speaker` is the model's number of him within one answer, None for
    what nobody said. Times in seconds."""

    text: str
    start_s: float
    end_s: float
    speaker: int | None

    @property
    def is_sound(self) -> bool:
        """Whether it is a note such as [Music], and no words."""
        return not _SOUND.sub("", self.text).strip()


@dataclass(frozen=True)
class Answer:
    """What was heard in a stretch; `complete` is False where the answer broke off, or cannot be
    read at all (then it has no utterances)."""

    utterances: tuple[Utterance, ...]
    complete: bool


def read_answer(parsed: str | list[Any], finished: bool, length_s: float) -> Answer:
    """`parsed` is what the processor returns for one recording of `length_s`: its segments, or the
    raw text where it found none; `finished` whether the model came to its end."""
    if isinstance(parsed, str):
        return Answer((), complete=False)
    utterances: list[Utterance] = []
    for item in parsed:
        before_s = utterances[-1].end_s if utterances else 0.0
        start_s = min(_seconds(item.get("Start"), before_s), length_s)
        end_s = min(_seconds(item.get("End"), start_s), length_s)
        utterances.append(
            Utterance(
                text=" ".join(str(item.get("Content") or "").split()),
                start_s=start_s,
                end_s=max(start_s, end_s),
                speaker=_number(item.get("Speaker")),
            )
        )
    return Answer(tuple(utterances), finished)


def _seconds(value: Any, otherwise: float) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        return otherwise
    return max(0.0, seconds) if math.isfinite(seconds) else otherwise


def _number(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
