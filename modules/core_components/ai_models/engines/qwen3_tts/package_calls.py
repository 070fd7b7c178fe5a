"""The methods of the package `qwen_tts` on an engine handle, and its prompts as voice prompts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np

from modules.core_components.ai_models.engines.qwen3_tts.network import QwenNetwork
from modules.core_components.ai_models.engines.qwen3_tts.options import IN_CONTEXT, VOICE_ONLY
from modules.core_components.ai_models.engines.qwen3_tts.package import import_qwen_tts
from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, VoicePrompt


class PackageCalls:
    """`handle.generate_voice_clone(...)` and the other methods, with the weights leased for each
    call.

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
        return self._generate("generate_voice_clone", seed, text, *arguments, **named)

    def generate_custom_voice(
        self, text: str | list[str], *arguments: Any, seed: int | None = None, **named: Any
    ) -> tuple[list[FloatArray], int]:
        """Speaks with a built-in `speaker`, in the manner of `instruct` (CustomVoice)."""
        return self._generate("generate_custom_voice", seed, text, *arguments, **named)

    def generate_voice_design(
        self, text: str | list[str], *arguments: Any, seed: int | None = None, **named: Any
    ) -> tuple[list[FloatArray], int]:
        """Speaks in the voice that `instruct` describes (VoiceDesign)."""
        return self._generate("generate_voice_design", seed, text, *arguments, **named)

    def get_supported_speakers(self) -> list[str]:
        """The built-in speakers, in small letters."""
        with self.borrowed() as network:
            return list(network.model.get_supported_speakers() or ())

    def get_supported_languages(self) -> list[str]:
        """The languages by their English names in small letters, "auto" among them."""
        with self.borrowed() as network:
            return list(network.model.get_supported_languages() or ())

    def _generate(
        self, name: str, seed: int | None, *arguments: Any, **named: Any
    ) -> tuple[list[FloatArray], int]:
        with (
            self.borrowed() as network,
            contextlib.nullcontext() if seed is None else seeded(seed),
        ):
            waves, rate_hz = getattr(network.model, name)(*arguments, **named)
        return list(waves), int(rate_hz)


# -- Voice prompts ---------------------------------------------------------------------------------
# A prompt serves both ways of cloning: with the codes and the words of the sample the model
# continues in its manner ("in-context"), with the speaker vector alone it takes the timbre
# ("voice-only").

ENGINE = "qwen3-tts"
PROMPT_VERSION = 1

_VECTOR, _CODES = "speaker_embedding", "reference_codes"


def prompt_of_item(item: Any, key: str, model_id: str, revision: str) -> VoicePrompt:
    """The package's `VoiceClonePromptItem` as a prompt: float32 [width], int32 [frames, groups]."""
    tensors = {_VECTOR: item.ref_spk_embedding.detach().float().cpu().numpy()}
    if item.ref_code is not None:
        tensors[_CODES] = item.ref_code.detach().cpu().numpy().astype(np.int32)
    mode = IN_CONTEXT if item.icl_mode else VOICE_ONLY
    info = {"mode": mode, "ref_text": item.ref_text or ""}
    return VoicePrompt(key, ENGINE, model_id, revision, tensors, info)


def item_of_prompt(prompt: VoicePrompt, mode: str = "") -> Any:
    """The `VoiceClonePromptItem` of a prompt, on the CPU; the model takes it to its device.

    `mode` is "in-context" or "voice-only"; "" takes all that the prompt has. Raises BadInputError
    for a prompt of another engine, and for "in-context" where the sample's words are not known.
    """
    import torch

    check_prompt(prompt, mode)
    in_context = (mode or prompt.info.get("mode")) == IN_CONTEXT
    codes = prompt.tensors[_CODES] if in_context else None
    return import_qwen_tts().VoiceClonePromptItem(
        ref_code=None if codes is None else torch.from_numpy(codes.astype(np.int64)),
        ref_spk_embedding=torch.from_numpy(np.array(prompt.tensors[_VECTOR], np.float32)),
        x_vector_only_mode=not in_context,
        icl_mode=in_context,
        ref_text=str(prompt.info.get("ref_text", "")) or None,
    )


def check_prompt(prompt: VoicePrompt, mode: str = "") -> None:
    """Raises BadInputError as `item_of_prompt`; loads nothing."""
    if prompt.engine != ENGINE or _VECTOR not in prompt.tensors:
        raise BadInputError(
            _("This voice was prepared for {engine}, not for Qwen3-TTS.", engine=prompt.engine),
            _("Prepare the sample for this engine."),
            "voice",
        )
    if mode == IN_CONTEXT and _CODES not in prompt.tensors:
        raise BadInputError(
            _("The words of the sample are not known, and in-context cloning needs them."),
            _("Write down what the sample says (the studio can do it), or choose voice-only."),
            "likeness",
        )


def prompt_parameters() -> Mapping[str, Any]:
    """Everything besides the sample that shapes a prompt."""
    return {"version": PROMPT_VERSION}
