"""One loaded OmniVoice: a recording becomes codes, text and codes become speech, step by step."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.engines.omnivoice.checkpoint import (
    import_omnivoice,
    load_checkpoint,
)
from modules.core_components.ai_models.engines.omnivoice.options import OmniVoiceDesignOptions
from modules.core_components.ai_models.model_utils import module_bytes
from modules.core_components.audio.refusals import silent
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

Emit = Callable[[FloatArray], bool]

# The package's chunk: about so much speech is made at once, in one sound from end to end.
_PIECE_S = 15.0
_FEWEST_CHARACTERS, _MOST_CHARACTERS = 12, 600
_NEVER_S = 1e6
_NOTHING = np.zeros(0, np.float32)


class _StoppedError(Exception):
    """The caller reads no more speech."""


class _Running(threading.local):
    """What this thread computes for, as long as it computes."""

    emit: Emit | None = None
    cancel: CancelToken | None = None


class OmniNetwork:
    """The model of a folder. Several threads may alternate step by step.

    The package makes a piece in one call. Torch's hooks run before each step of it and before each
    layer: there it hands over to others, and ends when it is cancelled.
    """

    def __init__(
        self,
        folder: Path,
        device: str,
        dtype: torch.dtype,
        attention: list[str],
        low_cpu_mem_usage: bool = False,
    ) -> None:
        """Raises as `load_checkpoint`."""
        self.model, self.attention = load_checkpoint(
            folder, device, dtype, attention, low_cpu_mem_usage
        )
        self._running = _Running()
        for module in self.model.modules():
            module.register_forward_pre_hook(self._before_layer)
        self.model.register_forward_pre_hook(self._before_step)

    def _before_layer(self, module: Any, inputs: Any) -> None:
        if self._running.cancel is not None:
            self._running.cancel.raise_if_cancelled()

    def _before_step(self, module: Any, inputs: Any) -> None:
        if self._running.emit is not None and not self._running.emit(_NOTHING):
            raise _StoppedError

    @property
    def nbytes(self) -> int:
        return module_bytes(self.model)

    def move_to(self, device: str) -> Self:
        """Moves the weights to another device and returns this model."""
        self.model.to(device)
        if device.startswith("mps"):  # which the audio tokenizer has too many channels for
            self.model.audio_tokenizer.to("cpu")
        return self

    def make_prompt(self, samples: FloatArray, words: str, cancel: CancelToken) -> Any:
        """The package's `VoiceClonePrompt` of a recording, float32 [n] at 24 kHz, and its words.

        Raises BadInputError for a silent recording, and JobCancelled.
        """
        import torch

        sound = torch.from_numpy(np.array(samples, np.float32))[None]
        with self._computing(None, cancel), torch.inference_mode():
            try:
                return self.model.create_voice_clone_prompt(
                    (sound, self.model.sampling_rate), ref_text=_as_text(words)
                )
            except ValueError as error:
                if "empty after silence removal" not in str(error):
                    raise
                raise silent(about="voice") from error

    def seconds(self, text: str, prompt: Any, speed: float = 1.0) -> float:
        """How long the text takes in this voice (a package's prompt, or None), as estimated."""
        words, frames = "Nice to meet you.", 25  # the package's measure where there is no voice
        if prompt is not None and prompt.ref_text:
            words, frames = prompt.ref_text, prompt.ref_audio_tokens.shape[-1]
        estimate = self.model.duration_estimator.estimate_duration(text, words, frames)
        return float(estimate) / self.frame_rate / speed

    def characters(self, text: str, prompt: Any, speed: float) -> int:
        """How many characters of `text` make a piece that is spoken at once."""
        seconds = max(self.seconds(text, prompt, speed), 1e-3)
        fitting = math.floor(len(text) * _PIECE_S / seconds)
        return min(max(fitting, _FEWEST_CHARACTERS), _MOST_CHARACTERS)

    @property
    def frame_rate(self) -> int:
        """Frames of codes in a second."""
        return int(self.model.audio_tokenizer.config.frame_rate)

    def speak(
        self,
        text: str,
        prompt: Any,
        traits: str,
        frames: int,
        options: OmniVoiceDesignOptions,
        emit: Emit,
        cancel: CancelToken,
    ) -> None:
        """Speaks a piece in the voice of `prompt` (None: of the traits), as the language's code.

        `emit` gets nothing before each step and the samples, float32 [n] at 24 kHz, at the end,
        and returns whether to go on. `frames` is the exact length, 0 to have it estimated. Draws
        from torch's global generators. Raises JobCancelled.
        """
        exact = frames > 0
        config = import_omnivoice().OmniVoiceGenerationConfig(
            num_step=options.steps,
            guidance_scale=options.guidance_scale,
            class_temperature=options.temperature,
            position_temperature=options.position_temperature,
            denoise=getattr(options, "clean", True),
            postprocess_output=not exact,
            pad_duration=0.0,  # silence is the joiner's
            fade_duration=0.0 if exact else 0.1,
            audio_chunk_threshold=_NEVER_S,  # the text was cut already
        )
        try:
            with self._computing(emit, cancel):
                (samples,) = self.model.generate(
                    _as_text(text),
                    language=options.language,
                    voice_clone_prompt=prompt,
                    instruct=traits or None,
                    # Half a frame more: the package rounds down.
                    duration=(frames + 0.5) / self.frame_rate if exact else None,
                    speed=options.speed,
                    generation_config=config,
                )
        except _StoppedError:
            return
        emit(np.asarray(samples, dtype=np.float32))

    @contextmanager
    def _computing(self, emit: Emit | None, cancel: CancelToken) -> Iterator[None]:
        self._running.emit, self._running.cancel = emit, cancel
        try:
            yield
        finally:
            self._running.emit = self._running.cancel = None


def _as_text(words: str) -> str:
    """What looks like one of the model's control tokens is text here."""
    return words.replace("<|", "< |")
