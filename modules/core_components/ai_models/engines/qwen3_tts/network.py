"""One loaded Qwen3-TTS: recordings become prompts, text and a voice become sound."""

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
    graphs_possible,
)
from modules.core_components.ai_models.engines.qwen3_tts.options import QwenOptions, model_name
from modules.core_components.ai_models.model_utils import RandomStream, module_bytes
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self


# Codes become sound while they come, the same sound that all of them together would become.


# The package decodes long speech in windows; each but the first hears that many frames before it.
# What is heard must be decoded in the same windows, or it would differ a little at their edges.
WINDOW = 300
CONTEXT = 25


class CodeDecoder:
    """The sound of one utterance's frames. `before` [n, code groups] are frames that come first
    and are not heard: those of a sample that is gone on from.

    The codec is causal, so the sound of a window's beginning is known before its end; it is decoded
    again with every call, though. Few large calls cost least: let each bring twice as many frames.
    """

    def __init__(self, codec: Any, before: torch.Tensor | None = None) -> None:
        self._model = codec.model
        self._hop = int(codec.get_decode_upsample_rate())
        self._codes: list[torch.Tensor] = [] if before is None else list(before)
        self._heard = len(self._codes)

    def feed(self, frames: Sequence[torch.Tensor]) -> FloatArray:
        """The sound of the next frames [code groups]: float32 [frames * 1920], within -1..1."""
        self._codes.extend(frames)
        pieces = [np.zeros(0, np.float32)]
        while self._heard < len(self._codes):
            pieces.append(self._rest_of_window())
        return np.concatenate(pieces)

    def _rest_of_window(self) -> FloatArray:
        import torch

        start = self._heard // WINDOW * WINDOW
        end = min(start + WINDOW, len(self._codes))
        context = CONTEXT if start > CONTEXT else start
        device = self._model.device
        codes = torch.stack([frame.to(device) for frame in self._codes[start - context : end]])
        sound = self._model.decoder(codes.clamp(min=0).T[None])[0, 0]
        fresh = sound[(context + self._heard - start) * self._hop :]
        self._heard = end
        samples: FloatArray = fresh.float().cpu().numpy()
        return samples


# The talker's codes, a frame of 80 ms at a time.
#
# The package speaks a whole text at once. What it hands to its talker is caught here, and the
# talker is then led step by step: a listener hears the beginning while the end is not drawn yet,
# and a wish to stop is heard within a frame.


class Frames(Protocol):
    """Frames of codes, int64 [code groups] each, drawn as they are asked for.

    `truncated` tells, once they are over, whether the limit ended them and not the model.
    """

    truncated: bool

    def __iter__(self) -> Iterator[torch.Tensor]: ...


class _Caught(Exception):  # noqa: N818 - carries what was asked for, out of the package's own call
    def __init__(self, arguments: Mapping[str, Any]) -> None:
        super().__init__()
        self.arguments = arguments


def talker_arguments(talker: Any, speak: Callable[[], Any]) -> Mapping[str, Any]:
    """What the package would call the talker's `generate` with, in `speak`.

    For one thread at a time: the pool's run slot sees to that.
    """

    def catch(**arguments: Any) -> None:
        raise _Caught(arguments)

    talker.generate = catch
    try:
        speak()
    except _Caught as caught:
        return caught.arguments
    finally:
        del talker.generate  # the class has the real one
    raise RuntimeError("The package did not reach its talker")


class PlainFrames:
    """What the talker's own `generate` draws, with the same numbers from the same generator.

    `given` are its arguments. With `max_new_tokens` of n there are n - 1 frames at the most: the
    last token that is drawn has no finer codes any more.
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
            token = _drawn(output.logits, drawn, processors, given["do_sample"])
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


def _drawn(logits: Any, before: Any, processors: Any, do_sample: bool) -> torch.Tensor:
    """The next token, int64 [1, 1]."""
    import torch

    scores = processors(before, logits[:, -1, :].to(dtype=torch.float32, copy=True))
    if not do_sample:
        return scores.argmax(dim=-1, keepdim=True)
    return torch.multinomial(scores.softmax(dim=-1), num_samples=1)


def _processors(given: Mapping[str, Any], device: Any) -> Any:
    """Those of transformers' `generate` for these arguments, in its order."""
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
# Each piece of sound has about twice as many frames as the one before: playing one then lasts as
# long as computing the next, and decoding stays cheap.
_FIRST_FRAMES = 4
_CALM_FRAMES = 24
_GROWTH = 2
_MOST_FRAMES_AT_ONCE = 96


@dataclass(frozen=True)
class Manner:
    """Who speaks and how: a prompt item, a built-in `speaker`, `instruct` as style or description.

    Which of them count is a matter of the kind of checkpoint.
    """

    item: Any = None
    speaker: str = ""
    instruct: str = ""


class QwenNetwork:
    """The checkpoint of a folder, on `device`. Computes for one thread at a time: the pool's run
    slot sees to that. Raises CorruptFileError as `load_checkpoint`."""

    def __init__(
        self,
        folder: Path,
        kind: str,
        size: str,
        device: str,
        dtype: torch.dtype,
        attention: Sequence[str],
    ) -> None:
        self.model, self.attention = load_checkpoint(folder, kind, size, device, dtype, attention)
        self.device = device
        self._kind = kind
        self._dtype = dtype
        self._graphs: Graphs | None = None
        self._place_codec(device)

    @property
    def can_replay(self) -> bool:
        """Whether the accelerated backend works with this model where it is now."""
        return graphs_possible(self.device) and self.attention != UNFIT_ATTENTION

    @property
    def nbytes(self) -> int:
        """With the fixed memory that the accelerated backend takes when it is first used."""
        weights = module_bytes(self.model.model) + module_bytes(
            self.model.model.speech_tokenizer.model
        )
        return weights + (self._replay_bytes() if self.can_replay else 0)

    def move_to(self, device: str) -> Self:
        """This model, now on another device."""
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

    def utterance(
        self,
        text: str,
        manner: Manner,
        options: QwenOptions,
        seed: int,
        replay: bool = False,
        has_time: bool = False,
    ) -> Utterance:
        """The speaking of one piece of text; with `replay` on the accelerated backend.

        `has_time`: nobody waits for the first chunk, so it may be a second or two long.
        """
        import torch

        with torch.inference_mode():
            given = talker_arguments(self.model.model.talker, self._speaking(text, manner, options))
        frames: Frames
        if replay:
            self._graphs = self._graphs or Graphs(self.model.model, self.device, self._dtype)
            frames = GraphedFrames(self._graphs, given)
        else:
            frames = PlainFrames(self.model.model.talker, given)
        before = manner.item.ref_code if manner.item is not None else None
        decoder = CodeDecoder(self.model.model.speech_tokenizer, before)
        return Utterance(frames, decoder, seed, _CALM_FRAMES if has_time else _FIRST_FRAMES)

    def _speaking(self, text: str, manner: Manner, options: QwenOptions) -> Callable[[], Any]:
        """The package's own call for this kind of checkpoint."""
        # What looks like a token of the model's own is text here.
        text = text.replace("<|", "< |")
        how = {"language": model_name(options.language), **options.sampling()}
        if self._kind == BASE:
            return lambda: self.model.generate_voice_clone(
                text, voice_clone_prompt=[manner.item], **how
            )
        instruct = manner.instruct.replace("<|", "< |")
        if self._kind == CUSTOM_VOICE:
            return lambda: self.model.generate_custom_voice(
                text, manner.speaker, instruct=instruct, **how
            )
        return lambda: self.model.generate_voice_design(text, instruct, **how)

    def _place_codec(self, device: str) -> None:
        """The codec is no part of the module: it has to be moved, and told, by itself."""
        import torch

        codec = self.model.model.speech_tokenizer
        codec.model.to(device)
        codec.device = self.model.device = torch.device(device)

    def _replay_bytes(self) -> int:
        sizes = self.model.model.talker.config
        per_frame = 2 * sizes.num_hidden_layers * sizes.num_key_value_heads * sizes.head_dim
        return int(per_frame * MOST_FRAMES * self._dtype.itemsize)


class Utterance:
    """A piece of text being spoken, chunk by chunk. Others may speak with the model between two.

    `finished` says when it is over, `truncated` then whether it was cut off at the limit.
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
