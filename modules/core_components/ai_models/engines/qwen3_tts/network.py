"""A loaded Qwen3-TTS: recordings become prompts, text and a voice become speech."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from modules.core_components.ai_models.engines.qwen3_tts.checkpoint import (
    BASE,
    CUSTOM_VOICE,
    load_checkpoint,
)
from modules.core_components.ai_models.engines.qwen3_tts.graphs import (
    MOST_FRAMES,
    UNFIT_ATTENTION,
    GraphedFrames,
    Graphs,
    can_use_graphs,
)
from modules.core_components.ai_models.engines.qwen3_tts.options import QwenOptions, model_name
from modules.core_components.ai_models.model_utils import RandomStream, module_bytes
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self


# The package decodes long speech in windows of so many frames, each with the context before it.
# Streaming uses the same windows, or the samples would differ a little at their edges.
WINDOW = 300
CONTEXT = 25


class CodeDecoder:
    """Decodes codes frame by frame to the same samples as all of them at once.

    `before` [n, code groups] are frames that come first and give no samples: those of the
    reference. The codec is causal, but every call decodes its window from the beginning, so each
    call should bring twice as many frames as the one before.
    """

    def __init__(self, codec: Any, before: torch.Tensor | None = None) -> None:
        self._model = codec.model
        self._hop = int(codec.get_decode_upsample_rate())
        self._codes: list[torch.Tensor] = [] if before is None else list(before)
        self._decoded = len(self._codes)

    def feed(self, frames: Sequence[torch.Tensor]) -> FloatArray:
        """The samples of the next frames [code groups]: float32 [frames * 1920], within -1..1."""
        self._codes.extend(frames)
        pieces = [np.zeros(0, np.float32)]
        while self._decoded < len(self._codes):
            pieces.append(self._rest_of_window())
        return np.concatenate(pieces)

    def _rest_of_window(self) -> FloatArray:
        import torch

        start = self._decoded // WINDOW * WINDOW
        end = min(start + WINDOW, len(self._codes))
        context = CONTEXT if start > CONTEXT else start
        device = self._model.device
        codes = torch.stack([frame.to(device) for frame in self._codes[start - context : end]])
        sound = self._model.decoder(codes.clamp(min=0).T[None])[0, 0]
        fresh = sound[(context + self._decoded - start) * self._hop :]
        self._decoded = end
        samples: FloatArray = fresh.float().cpu().numpy()
        return samples


class Frames(Protocol):
    """Frames of codes (80 ms), int64 [code groups] each, generated on demand.

    `truncated` says after the last whether the limit ended them and not the model.
    """

    truncated: bool

    def __iter__(self) -> Iterator[torch.Tensor]: ...


class _TalkerCall(Exception):  # noqa: N818 - carries the arguments out of the package's own call
    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


def talker_arguments(talker: Any, speak: Callable[[], Any]) -> Mapping[str, Any]:
    """The arguments with which the package calls the talker's `generate` in `speak`.

    The package generates a whole text at once; with these arguments the talker can be run frame by
    frame, so that audio streams and a stop takes effect within a frame. Not thread-safe; the pool's
    run slot keeps threads apart.
    """

    def catch(**arguments: Any) -> None:
        raise _TalkerCall(arguments)

    talker.generate = catch
    try:
        speak()
    except _TalkerCall as caught:
        return caught.arguments
    finally:
        del talker.generate  # the class has the real one
    raise RuntimeError("The package did not reach its talker")


class PlainFrames:
    """The frames of the talker's own `generate`, with the same random numbers.

    `given` are its arguments. With `max_new_tokens` of n there are n - 1 frames at the most: the
    last token that is drawn has no finer codes.
    """

    def __init__(self, talker: Any, given: Mapping[str, Any]) -> None:
        self._talker = talker
        self._given = given
        self.truncated = False

    def __iter__(self) -> Iterator[torch.Tensor]:
        import torch

        given = self._given
        processors = _processors(given, self._talker.device)
        passed_on = {
            name: given[name]
            for name in given
            if name.startswith("subtalker_") or name in ("trailing_text_hidden", "tts_pad_embed")
        }
        mask = given["attention_mask"]
        drawn = torch.empty((1, 0), dtype=torch.long, device=mask.device)
        state: dict[str, Any] = {"inputs_embeds": given["inputs_embeds"]}
        while True:
            output = self._talker(attention_mask=mask, use_cache=True, **state, **passed_on)
            codes = output.hidden_states[1]
            if codes is not None:
                yield codes[0]
            token = _draw_token(output.logits, drawn, processors, given["do_sample"])
            drawn = torch.cat([drawn, token], dim=1)
            if token.item() == given["eos_token_id"]:
                return
            if drawn.shape[1] >= given["max_new_tokens"]:
                self.truncated = True
                return
            mask = torch.cat([mask, mask.new_ones((1, 1))], dim=1)
            state = {
                "input_ids": token,
                "past_key_values": output.past_key_values,
                "past_hidden": output.past_hidden,
                "generation_step": output.generation_step,
            }


def _draw_token(logits: Any, before: Any, processors: Any, do_sample: bool) -> torch.Tensor:
    """The next token, int64 [1, 1]."""
    import torch

    scores = processors(before, logits[:, -1, :].to(dtype=torch.float32, copy=True))
    if not do_sample:
        return scores.argmax(dim=-1, keepdim=True)
    return torch.multinomial(scores.softmax(dim=-1), num_samples=1)


def _processors(given: Mapping[str, Any], device: Any) -> Any:
    """The logits processors of transformers' `generate` for these arguments, in its order."""
    from transformers import generation as hf

    chosen = hf.LogitsProcessorList()
    if given["repetition_penalty"] != 1.0:
        chosen.append(hf.RepetitionPenaltyLogitsProcessor(given["repetition_penalty"]))
    # The prompt is given as vectors: no token of it counts.
    chosen.append(
        hf.MinNewTokensLengthLogitsProcessor(
            0, given["min_new_tokens"], given["eos_token_id"], device=device
        )
    )
    chosen.append(hf.SuppressTokensLogitsProcessor(given["suppress_tokens"], device=device))
    if given["do_sample"]:
        if given["temperature"] != 1.0:
            chosen.append(hf.TemperatureLogitsWarper(given["temperature"]))
        if given["top_k"]:
            chosen.append(hf.TopKLogitsWarper(given["top_k"]))
        if given["top_p"] < 1.0:
            chosen.append(hf.TopPLogitsWarper(given["top_p"]))
    return chosen


SAMPLE_RATE_HZ = 24_000
FRAMES_PER_S = 12.5
# Each chunk has about twice as many frames as the one before: playing one then lasts as long as
# computing the next, and decoding stays cheap.
_FIRST_FRAMES = 4
_CALM_FRAMES = 24
_GROWTH = 2
_MOST_FRAMES_AT_ONCE = 96


@dataclass(frozen=True)
class VoiceSettings:
    """The voice: a prompt `item` (Base), a built-in `speaker` (CustomVoice), or `instruct`, a style
    for CustomVoice and a description for VoiceDesign."""

    item: Any = None
    speaker: str = ""
    instruct: str = ""


class QwenNetwork:
    """The checkpoint of a folder, on `device`; not thread-safe, the pool's run slot keeps threads
    apart. Raises CorruptFileError as `load_checkpoint`."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        size: str,
        device: str,
        dtype: torch.dtype,
        attention: Sequence[str],
        low_cpu_mem_usage: bool = False,
    ) -> None:
        self.model, self.attention = load_checkpoint(
            folder, kind, size, device, dtype, attention, low_cpu_mem_usage
        )
        self.device = device
        self._kind = kind
        self._dtype = dtype
        self._graphs: Graphs | None = None
        self._place_codec(device)

    @property
    def can_replay(self) -> bool:
        """Whether the accelerated backend works with this model on its present device."""
        return can_use_graphs(self.device) and self.attention != UNFIT_ATTENTION

    @property
    def nbytes(self) -> int:
        """The weights, and the fixed memory that the accelerated backend takes at its first use."""
        weights = module_bytes(self.model.model) + module_bytes(
            self.model.model.speech_tokenizer.model
        )
        return weights + (self._replay_bytes() if self.can_replay else 0)

    def move_to(self, device: str) -> Self:
        """Moves the weights to another device and returns this model."""
        self._graphs = None
        self.model.model.to(device)
        self._place_codec(device)
        self.device = device
        return self

    def prompt_item(self, samples: FloatArray, ref_text: str) -> Any:
        """The package's prompt of a recording, float32 [n] at 24 kHz; without its words, only the
        speaker vector."""
        with_words = bool(ref_text.strip())
        return self.model.create_voice_clone_prompt(
            (samples, SAMPLE_RATE_HZ), ref_text.strip() or None, x_vector_only_mode=not with_words
        )[0]

    def generate(
        self,
        text: str,
        voice_settings: VoiceSettings,
        options: QwenOptions,
        seed: int,
        replay: bool = False,
        may_wait: bool = False,
    ) -> QwenGeneration:
        """Starts to speak a piece of text; with `replay` on the accelerated backend.

        With `may_wait` the first chunk may be a second or two long.
        """
        import torch

        with torch.inference_mode():
            given = talker_arguments(
                self.model.model.talker, self._package_call(text, voice_settings, options)
            )
        frames: Frames
        if replay:
            self._graphs = self._graphs or Graphs(self.model.model, self.device, self._dtype)
            frames = GraphedFrames(self._graphs, given)
        else:
            frames = PlainFrames(self.model.model.talker, given)
        before = voice_settings.item.ref_code if voice_settings.item is not None else None
        decoder = CodeDecoder(self.model.model.speech_tokenizer, before)
        return QwenGeneration(frames, decoder, seed, _CALM_FRAMES if may_wait else _FIRST_FRAMES)

    def _package_call(
        self, text: str, voice_settings: VoiceSettings, options: QwenOptions
    ) -> Callable[[], Any]:
        """The package's own call for this kind of checkpoint."""
        # What looks like one of the model's control tokens is text here.
        text = text.replace("<|", "< |")
        how = {"language": model_name(options.language), **options.sampling()}
        if self._kind == BASE:
            return lambda: self.model.generate_voice_clone(
                text, voice_clone_prompt=[voice_settings.item], **how
            )
        instruct = voice_settings.instruct.replace("<|", "< |")
        if self._kind == CUSTOM_VOICE:
            return lambda: self.model.generate_custom_voice(
                text, voice_settings.speaker, instruct=instruct, **how
            )
        return lambda: self.model.generate_voice_design(text, instruct, **how)

    def _place_codec(self, device: str) -> None:
        """The codec is not part of the module, and is moved by itself."""
        import torch

        codec = self.model.model.speech_tokenizer
        codec.model.to(device)
        codec.device = self.model.device = torch.device(device)

    def _replay_bytes(self) -> int:
        sizes = self.model.model.talker.config
        per_frame = 2 * sizes.num_hidden_layers * sizes.num_key_value_heads * sizes.head_dim
        return int(per_frame * MOST_FRAMES * self._dtype.itemsize)


class QwenGeneration:
    """A piece of text spoken chunk by chunk; in between, the model may speak something else.

    `finished` is set after the last chunk; `truncated` then says whether it was cut off at the
    limit.
    """

    def __init__(self, frames: Frames, decoder: CodeDecoder, seed: int, first: int) -> None:
        self._source = frames
        self._frames = iter(frames)
        self._decoder = decoder
        self._draws = RandomStream(seed)
        self._wanted = first
        self.finished = False

    @property
    def truncated(self) -> bool:
        return self._source.truncated

    def next_chunk(self, cancel: CancelToken) -> FloatArray:
        """The next samples, float32 [n] at 24 kHz. Raises JobCancelled between two frames."""
        import torch

        with torch.inference_mode():
            fresh: list[torch.Tensor] = []
            with self._draws.drawing():
                for frame in itertools.islice(self._frames, self._wanted):
                    fresh.append(frame)
                    cancel.raise_if_cancelled()
            self.finished = len(fresh) < self._wanted
            self._wanted = min(self._wanted * _GROWTH, _MOST_FRAMES_AT_ONCE)
            return np.asarray(self._decoder.feed(fresh), np.float32)
