"""The loaded VibeVoice of transformers: voices and a script in, audio out token by token."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.engines.base import ScriptLine
from modules.core_components.ai_models.engines.vibevoice.checkpoint import cast_audio
from modules.core_components.ai_models.engines.vibevoice.script import VibeVoiceOptions
from modules.core_components.ai_models.model_utils import module_bytes
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch

SAMPLE_RATE_HZ = 24_000
TOKEN_SAMPLES = 3_200

Emit = Callable[[FloatArray], bool]


class _DecodedChunk(threading.local):
    """The audio of the token that this thread is generating."""

    chunk: torch.Tensor | None = None


@dataclass(eq=False)
class VibeVoiceNetwork:
    """The model with its processor. Several threads may alternate token by token."""

    model: Any
    processor: Any
    _decoded: _DecodedChunk = field(default_factory=_DecodedChunk)

    def __post_init__(self) -> None:
        tower = self.model.model.audio_tower
        decode = tower.decode

        def decode_and_keep(*arguments: Any, **named: Any) -> Any:
            decoded = decode(*arguments, **named)
            self._decoded.chunk = decoded.audio
            return decoded

        tower.decode = decode_and_keep
        self.model._get_logits_processor = _without_text_guidance(self.model._get_logits_processor)

    @property
    def nbytes(self) -> int:
        return module_bytes(self.model)

    def move_to(self, device: str) -> VibeVoiceNetwork:
        """Moves the weights to another device and returns this model."""
        self.model.to(device)
        return self

    def encode_voice(self, samples: FloatArray) -> FloatArray:
        """A reference of 24 kHz as acoustic latents, float32 [ceil(n / 3200), width].

        These are the means; the noise that VibeVoice adds to them is drawn when it speaks.
        """
        import torch

        features = self.processor.feature_extractor(
            samples, sampling_rate=SAMPLE_RATE_HZ, return_tensors="pt"
        )
        inputs = cast_audio({"input_values": features["input_values"]}, self.model)
        with torch.no_grad():
            latents = self.model.model.audio_tower.encode(**inputs, sample=False).latents[0]
        return np.asarray(latents.float().cpu().numpy(), dtype=np.float32)

    def speak(
        self,
        lines: Sequence[ScriptLine],
        voices: Sequence[FloatArray],
        options: VibeVoiceOptions,
        most_tokens: int,
        emit: Emit,
    ) -> bool:
        """Speaks the lines; `voices[i]` are the latents of speaker i.

        `emit` gets the samples of each token, float32 [3200] or none, and returns whether to
        continue. Returns whether the speech ended by itself. Draws from torch's global generators.
        """
        import torch
        from transformers import StoppingCriteria, StoppingCriteriaList

        decoded, end = self._decoded, self.model.config.eos_token_id
        last_token = end

        class EmitEachToken(StoppingCriteria):
            """Runs once for each token, after all that is computed for it."""

            def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
                nonlocal last_token
                last_token = int(input_ids[0, -1])
                chunk, decoded.chunk = decoded.chunk, None
                wanted = emit(_samples(chunk))
                return torch.full((len(input_ids),), not wanted, device=input_ids.device)

        with torch.no_grad():
            ids = self._prompt(lines, [len(voice) for voice in voices])
            self.model.generate(
                input_ids=ids,
                inputs_embeds=self._embed_prompt(ids, voices),
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most_tokens,
                guidance_scale=options.guidance_scale,
                num_diffusion_steps=options.diffusion_steps,
                stopping_criteria=StoppingCriteriaList([EmitEachToken()]),
            )
        return last_token == end

    def _prompt(self, lines: Sequence[ScriptLine], lengths: Sequence[int]) -> torch.Tensor:
        """Token ids [1, n]: the checkpoint's own template, with room for each voice's latents."""
        chat, introduced = [], set()
        for line in lines:
            content: list[dict[str, str]] = [{"type": "text", "text": line.text}]
            if line.speaker not in introduced:
                introduced.add(line.speaker)
                content.append({"type": "audio", "audio": ""})
            chat.append({"role": str(line.speaker), "content": content})
        text = self.processor.apply_chat_template(chat, tokenize=False)
        token, remaining = self.processor.audio_token, iter(lengths)
        text = re.sub(re.escape(token), lambda _: token * next(remaining), text)
        encoded = self.processor.tokenizer(text, return_tensors="pt", add_special_tokens=False)
        ids: torch.Tensor = encoded["input_ids"].to(self.model.device)
        return ids

    def _embed_prompt(self, ids: torch.Tensor, voices: Sequence[FloatArray]) -> torch.Tensor:
        """The prompt with the voices in their places, [1, n, width].

        As the model does with a reference recording: the noise of each voice is scaled by a draw
        from N(0, vae_std).
        """
        import torch

        model = self.model.model
        embedded = model.get_input_embeddings()(ids)
        projected = []
        for voice in voices:
            mean = torch.from_numpy(voice)
            latents = mean + model.audio_tower.config.vae_std * torch.randn(1) * torch.randn_like(
                mean
            )
            latents = latents.to(embedded)
            scaled = (latents + model.latent_bias_factor) * model.latent_scaling_factor
            projected.append(model.multi_modal_projector(scaled))
        places = (ids == self.model.config.audio_token_id).unsqueeze(-1)
        return embedded.masked_scatter(places, torch.cat(projected).to(embedded.dtype))


def _samples(chunk: torch.Tensor | None) -> FloatArray:
    if chunk is None:
        return np.zeros(0, np.float32)
    return np.asarray(chunk.detach().float().cpu().numpy(), dtype=np.float32).reshape(-1)


def _without_text_guidance(build: Callable[..., Any]) -> Callable[..., Any]:
    """Removes guidance from the choice of tokens, where Microsoft's own code has none.

    transformers (5.23) applies the guidance scale, meant for the diffusion, to the language model
    too, which then runs a third time for each token.
    """

    def without(*arguments: Any, **named: Any) -> Any:
        from transformers import LogitsProcessorList, UnbatchedClassifierFreeGuidanceLogitsProcessor

        kinds = UnbatchedClassifierFreeGuidanceLogitsProcessor
        built = build(*arguments, **named)
        return LogitsProcessorList(item for item in built if not isinstance(item, kinds))

    return without
