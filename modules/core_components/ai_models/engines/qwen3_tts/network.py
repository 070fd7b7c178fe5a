"""One loaded Qwen3-TTS: recordings become prompts, text and a voice become sound."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.engines.qwen3_tts.checkpoint import (
    BASE,
    CUSTOM_VOICE,
    load_checkpoint,
)
from modules.core_components.ai_models.engines.qwen3_tts.codec import CodeDecoder
from modules.core_components.ai_models.engines.qwen3_tts.frames import (
    Frames,
    PlainFrames,
    talker_arguments,
)
from modules.core_components.ai_models.engines.qwen3_tts.graphs import (
    MOST_FRAMES,
    UNFIT_ATTENTION,
    GraphedFrames,
    Graphs,
    graphs_possible,
)
from modules.core_components.ai_models.engines.qwen3_tts.languages import model_name
from modules.core_components.ai_models.engines.qwen3_tts.options import QwenOptions
from modules.core_components.ai_models.model_utils import RandomStream, module_bytes
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch
    from typing_extensions import Self

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

    def moved_to(self, device: str) -> Self:
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
