"""A voice in the form that synthesis takes, whether it was shipped or fitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modules.core_components.ai_models.engines.kokoro.voice_packs import checked_pack, pack_sha256
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, VoicePrompt

if TYPE_CHECKING:
    import torch

ENGINE = "kokoro"
STYLE_TENSOR = "style"
OFFSETS_TENSOR = "layer_offsets"


@dataclass(frozen=True, eq=False)
class SpeakingVoice:
    """`pack` float32 [510, 1, 256], an ordinary Kokoro voice.

    A fitted voice also has `layer_offsets` float32 [layers, 128], added to the style of each
    AdaIN layer of the decoder, and its own pace `speed` (1 is the pack's).
    """

    pack: FloatArray
    layer_offsets: FloatArray | None = None
    speed: float = 1.0

    def style(self, phoneme_count: int) -> torch.Tensor:
        """The style, float32 [1, 256], for an utterance of that many phonemes."""
        import torch

        return torch.from_numpy(self.pack[phoneme_count - 1].copy())

    def offsets(self) -> torch.Tensor | None:
        """The layers' offsets as a tensor, if the voice has some."""
        import torch

        return None if self.layer_offsets is None else torch.from_numpy(self.layer_offsets)


def prompt_of_pack(pack: FloatArray, model_id: str, model_revision: str) -> VoicePrompt:
    """A voice of no sample as a prompt; its key is the hash of its numbers."""
    return VoicePrompt(
        key=pack_sha256(pack),
        engine=ENGINE,
        model_id=model_id,
        model_revision=model_revision,
        tensors={STYLE_TENSOR: pack},
    )


def voice_of_prompt(prompt: VoicePrompt) -> SpeakingVoice:
    """The voice in a prompt. Raises BadInputError for a prompt that is not Kokoro's."""
    if prompt.engine != ENGINE or STYLE_TENSOR not in prompt.tensors:
        raise BadInputError(
            f"This voice was prepared for {prompt.engine}, not for Kokoro.",
            "Prepare the sample again with this engine.",
        )
    return SpeakingVoice(
        pack=checked_pack(prompt.tensors[STYLE_TENSOR], "The prepared voice"),
        layer_offsets=prompt.tensors.get(OFFSETS_TENSOR),
        speed=float(prompt.info.get("speed", 1.0)),
    )
