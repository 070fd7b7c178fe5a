"""The accelerated backend: CUDA graphs of the talker's steps, by the package `faster_qwen3_tts`.

A frame is about a thousand small kernels, and launching them costs more than computing them. CUDA
graphs replay them in one launch, on NVIDIA GPUs. Its output differs from the plain backend's:

- With sampling, a seed sounds different: it draws from the same distributions in another order.
- Without, the codes are the same up to rounding in bfloat16, since the recorded attention covers
  all positions of a cache of fixed size.
- Prompt, sample and speech together have at most `MOST_FRAMES`; the rest is cut off.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

PACKAGE = "faster_qwen3_tts"
MOST_FRAMES = 4096
# The graphs pass the attention a mask, which flash-attention does not take.
UNFIT_ATTENTION = "flash_attention_2"


def can_use_graphs(device: str) -> bool:
    """Whether this backend works on a device."""
    return device.startswith("cuda") and importlib.util.find_spec(PACKAGE) is not None


class Graphs:
    """The CUDA graphs of one loaded model, valid until it is moved.

    `model` is the package's `Qwen3TTSForConditionalGeneration`.
    """

    def __init__(self, model: Any, device: str, dtype: torch.dtype) -> None:
        self.talker = model.talker
        self._device = device
        self._dtype = dtype
        self._predictors: dict[tuple[Any, ...], Any] = {}
        self._package_call: GraphedFrames | None = None
        self.steps = self._record_talker()

    def predictor(self, given: Mapping[str, Any]) -> Any:
        """The graph that predicts the finer codes, recorded for their sampling parameters."""
        from faster_qwen3_tts.predictor_graph import PredictorGraph

        drawing = {
            "do_sample": given["subtalker_dosample"],
            "top_k": given["subtalker_top_k"],
            "top_p": given["subtalker_top_p"],
            "temperature": given["subtalker_temperature"],
        }
        key = tuple(drawing.values())
        if key not in self._predictors:
            part = self.talker.code_predictor
            recorded = PredictorGraph(
                part,
                part.model.config,
                self.talker.config.hidden_size,
                device=self._device,
                dtype=self._dtype,
                **drawing,
            )
            with self._recording():
                recorded.capture()
            self._predictors = {key: recorded}  # one is enough to keep
        return self._predictors[key]

    def switch_to(self, speaking: GraphedFrames | None) -> None:
        """Restores the cache of that generation, and keeps a copy of the present one's.

        There is one cache of fixed size, and two generations may alternate.
        """
        if self._package_call is speaking:
            return
        if self._package_call is not None:
            self._package_call.kept = [
                tuple(tensor.clone() for tensor in tensors) for tensors in self._memory()
            ]
        if speaking is not None and speaking.kept:
            for tensors, kept in zip(self._memory(), speaking.kept, strict=True):
                for tensor, value in zip(tensors, kept, strict=True):
                    tensor.copy_(value)
            speaking.kept = []
        self._package_call = speaking

    def done(self, speaking: GraphedFrames) -> None:
        """Forgets the cache of a generation that has ended."""
        if self._package_call is speaking:
            self._package_call = None

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        """Selects the model's GPU, which need not be the first; the package prints its progress."""
        import torch

        with torch.cuda.device(self._device), contextlib.redirect_stdout(sys.stderr):
            yield

    def _memory(self) -> list[tuple[Any, ...]]:
        layers = self.steps.static_cache.layers
        return [(layer.keys, layer.values, layer.cumulative_length) for layer in layers]

    def _record_talker(self) -> Any:
        from faster_qwen3_tts.talker_graph import TalkerGraph

        recorded = TalkerGraph(
            self.talker.model,
            self.talker.config,
            device=self._device,
            dtype=self._dtype,
            max_seq_len=MOST_FRAMES,
        )
        with self._recording():
            recorded.capture()
        return recorded


class GraphedFrames:
    """As `PlainFrames`, by CUDA graphs. `given` are the arguments of the talker's `generate`."""

    def __init__(self, graphs: Graphs, given: Mapping[str, Any]) -> None:
        self._graphs = graphs
        self._given = given
        self.kept: list[tuple[Any, ...]] = []
        self.truncated = False

    def __iter__(self) -> Iterator[torch.Tensor]:
        from faster_qwen3_tts.streaming import fast_generate_streaming

        given, talker = self._given, self._graphs.talker
        # As the plain backend: the last token of `max_new_tokens` makes no frame.
        most = min(given["max_new_tokens"] - 1, MOST_FRAMES - given["inputs_embeds"].shape[1] - 1)
        predictor = self._graphs.predictor(given)
        self._graphs.switch_to(self)
        talker.rope_deltas = None
        chunks = fast_generate_streaming(
            talker=talker,
            talker_input_embeds=given["inputs_embeds"],
            attention_mask=given["attention_mask"],
            trailing_text_hiddens=given["trailing_text_hidden"],
            tts_pad_embed=given["tts_pad_embed"],
            config=talker.config,
            predictor_graph=predictor,
            talker_graph=self._graphs.steps,
            max_new_tokens=most + 1,
            min_new_tokens=given["min_new_tokens"],
            temperature=given["temperature"],
            top_k=given["top_k"],
            top_p=given["top_p"],
            do_sample=given["do_sample"],
            repetition_penalty=given["repetition_penalty"],
            chunk_size=1,
        )
        try:
            for count, (codes, _timing) in enumerate(chunks):
                if count == most:
                    self.truncated = True
                    return
                yield codes[0]
                self._graphs.switch_to(self)
        finally:
            self._graphs.done(self)
