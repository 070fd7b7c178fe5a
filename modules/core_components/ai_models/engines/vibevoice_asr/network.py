"""VibeVoice-ASR itself, as transformers has it: a recording in, its answer out."""

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


# What VibeVoice-ASR answers: who said what and when, as the processor parsed it.


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


SAMPLE_RATE_HZ = 24_000
_TOKENS_A_STEP = 8
_TAIL = 96  # tokens: what is shown of a running answer, enough for one utterance's times

Give = Callable[[str], bool]


class _Interruption(threading.local):
    """What this thread's listening looks at between two layers."""

    check: Callable[[], None] | None = None


@dataclass(eq=False)
class VibeVoiceAsrNetwork:
    """The loaded model with its processor. Several threads may listen with it in turns."""

    model: Any
    processor: Any
    _interruption: _Interruption = field(default_factory=_Interruption)

    def __post_init__(self) -> None:
        import torch

        def look(*_: Any) -> None:
            if self._interruption.check is not None:
                self._interruption.check()

        layers = set(self.model.model.language_model.layers)
        for module in self.model.modules():
            if isinstance(module, torch.nn.Conv1d) or module in layers:
                module.register_forward_pre_hook(look)

    @property
    def nbytes(self) -> int:
        return module_bytes(self.model)

    def move_to(self, device: str) -> VibeVoiceAsrNetwork:
        """Itself, with the weights on that device."""
        self.model.to(device)
        return self

    def write_down(
        self,
        samples: FloatArray,
        hotwords: str,
        most_tokens: int,
        give: Give,
        check: Callable[[], None],
    ) -> Answer:
        """Listens to 24 kHz samples.

        `give` gets the end of the answer so far, and says whether to go on; `check` is called
        between layers, and what it raises ends the listening. Draws from torch's generators.
        """
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        tokenizer = self.processor.tokenizer

        class HandOut(StoppingCriteria):
            def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
                count = input_ids.shape[1] - asked
                wanted = True
                if count % _TOKENS_A_STEP == 0:
                    wanted = give(tokenizer.decode(input_ids[0, -min(count, _TAIL) :]))
                return torch.full((len(input_ids),), not wanted, device=input_ids.device)

        self._interruption.check = check
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
                    stopping_criteria=StoppingCriteriaList([HandOut()]),
                )[:, asked:]
        finally:
            self._interruption.check = None
        ends = self.model.generation_config.eos_token_id
        finished = int(ids[0, -1]) in (ends if isinstance(ends, list) else [ends])
        (parsed,) = self.processor.decode(ids, return_format="parsed")
        return read_answer(parsed, finished, len(samples) / SAMPLE_RATE_HZ)
