"""The loaded VibeVoice-ASR of transformers: a recording in, its answer out."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.vibevoice.checkpoint import cast_audio
from modules.core_components.ai_models.model_utils import module_bytes
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch


_SOUND = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True)
class SpeakerTurn:
    """What one speaker says without a break; `speaker` is their number within one answer, None for
    sounds that are not speech. Times in seconds."""

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
    """The transcript of a window; `complete` is False where the answer was cut off, or cannot be
    parsed (then it has no turns)."""

    turns: tuple[SpeakerTurn, ...]
    complete: bool


def read_answer(parsed: str | list[Any], finished: bool, length_s: float) -> Answer:
    """`parsed` is what the processor returns for one recording of `length_s`: its segments, or the
    raw text where it found none; `finished` whether the model came to its end."""
    if isinstance(parsed, str):
        return Answer((), complete=False)
    turns: list[SpeakerTurn] = []
    for item in parsed:
        before_s = turns[-1].end_s if turns else 0.0
        start_s = min(_seconds(item.get("Start"), before_s), length_s)
        end_s = min(_seconds(item.get("End"), start_s), length_s)
        turns.append(
            SpeakerTurn(
                text=" ".join(str(item.get("Content") or "").split()),
                start_s=start_s,
                end_s=max(start_s, end_s),
                speaker=_number(item.get("Speaker")),
            )
        )
    return Answer(tuple(turns), finished)


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


SAMPLE_RATE_HZ = 24_000
_TOKENS_A_STEP = 8
_TAIL = 96  # tokens: the end of a running answer, enough for the times of one turn

Emit = Callable[[str], bool]


class _CancelCheck(threading.local):
    """The function that this thread calls between two layers."""

    check: Callable[[], None] | None = None


@dataclass(eq=False)
class VibeVoiceAsrNetwork:
    """The model with its processor. Several threads may alternate token by token."""

    model: Any
    processor: Any
    _cancel_check: _CancelCheck = field(default_factory=_CancelCheck)

    def __post_init__(self) -> None:
        import torch

        def look(*_: Any) -> None:
            if self._cancel_check.check is not None:
                self._cancel_check.check()

        layers = set(self.model.model.language_model.layers)
        for module in self.model.modules():
            if isinstance(module, torch.nn.Conv1d) or module in layers:
                module.register_forward_pre_hook(look)

    @property
    def nbytes(self) -> int:
        return module_bytes(self.model)

    def move_to(self, device: str) -> VibeVoiceAsrNetwork:
        """Moves the weights to another device and returns this model."""
        self.model.to(device)
        return self

    def transcribe(
        self,
        samples: FloatArray,
        hotwords: str,
        most_tokens: int,
        emit: Emit,
        check: Callable[[], None],
    ) -> Answer:
        """The answer for 24 kHz samples [n].

        `emit` gets the end of the answer so far, and returns whether to continue; `check` is called
        between layers, and what it raises ends the transcription. Draws from torch's generators.
        """
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        tokenizer = self.processor.tokenizer

        class EmitEachToken(StoppingCriteria):
            def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
                count = input_ids.shape[1] - asked
                wanted = True
                if count % _TOKENS_A_STEP == 0:
                    wanted = emit(tokenizer.decode(input_ids[0, -min(count, _TAIL) :]))
                return torch.full((len(input_ids),), not wanted, device=input_ids.device)

        self._cancel_check.check = check
        try:
            request = self.processor.apply_transcription_request(
                audio=samples, prompt=hotwords or None
            )
            inputs = cast_audio(request, self.model)
            asked = inputs["input_ids"].shape[1]
            with torch.no_grad():
                ids = self.model.generate(
                    **inputs,
                    max_new_tokens=most_tokens,
                    stopping_criteria=StoppingCriteriaList([EmitEachToken()]),
                )[:, asked:]
        finally:
            self._cancel_check.check = None
        ends = self.model.generation_config.eos_token_id
        finished = int(ids[0, -1]) in (ends if isinstance(ends, list) else [ends])
        (parsed,) = self.processor.decode(ids, return_format="parsed")
        return read_answer(parsed, finished, len(samples) / SAMPLE_RATE_HZ)
