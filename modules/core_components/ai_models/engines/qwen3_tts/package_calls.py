"""The calls of the package `qwen_tts` on a handle, as programs written for it expect them."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from modules.core_components.ai_models.engines.qwen3_tts.network import QwenNetwork
from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.values import FloatArray


class PackageCalls:
    """`handle.generate_voice_clone(...)` and its like, with the weights borrowed for each call.

    Arguments and results are the package's own: (list of float32 [n], sample rate). What a
    checkpoint cannot do raises its ValueError. `seed` is ours: with it a call can be repeated.
    These calls speak as a whole and by the plain backend; `stream` is what the studio uses.
    """

    def borrowed(self) -> AbstractContextManager[QwenNetwork]:
        """The network, with a run slot of its device, for the length of a block."""
        raise NotImplementedError

    def create_voice_clone_prompt(
        self,
        ref_audio: Any,
        ref_text: str | list[str] | None = None,
        x_vector_only_mode: bool | list[bool] = False,
    ) -> list[Any]:
        """Prompts of recordings (paths, or arrays with their rate), in the CPU's memory.

        Keep them with `TTSManager.save_voice_prompt`.
        """
        with self.borrowed() as network:
            items = network.model.create_voice_clone_prompt(ref_audio, ref_text, x_vector_only_mode)
        return [
            replace(
                item,
                ref_code=None if item.ref_code is None else item.ref_code.cpu(),
                ref_spk_embedding=item.ref_spk_embedding.cpu(),
            )
            for item in items
        ]

    def generate_voice_clone(
        self, text: str | list[str], *arguments: Any, seed: int | None = None, **named: Any
    ) -> tuple[list[FloatArray], int]:
        """Speaks in the voice of `ref_audio` or `voice_clone_prompt` (Base)."""
        return self._generated("generate_voice_clone", seed, text, *arguments, **named)

    def generate_custom_voice(
        self, text: str | list[str], *arguments: Any, seed: int | None = None, **named: Any
    ) -> tuple[list[FloatArray], int]:
        """Speaks with a built-in `speaker`, in the manner of `instruct` (CustomVoice)."""
        return self._generated("generate_custom_voice", seed, text, *arguments, **named)

    def generate_voice_design(
        self, text: str | list[str], *arguments: Any, seed: int | None = None, **named: Any
    ) -> tuple[list[FloatArray], int]:
        """Speaks in the voice that `instruct` describes (VoiceDesign)."""
        return self._generated("generate_voice_design", seed, text, *arguments, **named)

    def get_supported_speakers(self) -> list[str]:
        """The built-in speakers, in small letters."""
        with self.borrowed() as network:
            return list(network.model.get_supported_speakers() or ())

    def get_supported_languages(self) -> list[str]:
        """The languages by their English names in small letters, "auto" among them."""
        with self.borrowed() as network:
            return list(network.model.get_supported_languages() or ())

    def _generated(
        self, name: str, seed: int | None, *arguments: Any, **named: Any
    ) -> tuple[list[FloatArray], int]:
        with (
            self.borrowed() as network,
            contextlib.nullcontext() if seed is None else seeded(seed),
        ):
            waves, rate_hz = getattr(network.model, name)(*arguments, **named)
        return list(waves), int(rate_hz)
