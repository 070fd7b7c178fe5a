"""The talker's steps recorded once and replayed: the package `faster_qwen3_tts`, on NVIDIA GPUs.

A frame is some thousand small computations, and launching them costs more than doing them. Its
CUDA graphs replay them in one go. Where its output differs from the plain backend's:

- With sampling, a seed sounds different: it draws the same distributions in another order.
- Without, the codes are the same as far as rounding in bfloat16 lets them be; the recorded
  attention looks at all places of a fixed memory, which sums in another order.
- Prompt and sample fit in `MOST_FRAMES` together with the speech; what goes beyond is cut off.

The sound is decoded by the same code from the codes of both.
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
# Its recordings give the attention a mask for every place, which flash-attention does not take.
UNFIT_ATTENTION = "flash_attention_2"


def graphs_possible(device: str) -> bool:
    """Whether this backend can work on a device."""
    return device.startswith("cuda") and importlib.util.find_spec(PACKAGE) is not None


class Graphs:
    """The recordings of one loaded model; they end with its place in the GPU's memory.

    `model` is the package's `Qwen3TTSForConditionalGeneration`.
    """

    def __init__(self, model: Any, device: str, dtype: torch.dtype) -> None:
        self.talker = model.talker
        self._device = device
        self._dtype = dtype
        self._predictors: dict[tuple[Any, ...], Any] = {}
        self._speaking: GraphedFrames | None = None
        self.steps = self._recorded_talker()

    def predictor(self, given: Mapping[str, Any]) -> Any:
        """The recording of the finer codes, which is one for each way of drawing them."""
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

    def turn_of(self, speaking: GraphedFrames | None) -> None:
        """Puts the memory of that utterance in place, and the present one's aside.

        There is one fixed memory; two listeners may take turns at the model.
        """
        if self._speaking is speaking:
            return
        if self._speaking is not None:
            self._speaking.kept = [
                tuple(tensor.clone() for tensor in tensors) for tensors in self._memory()
            ]
        if speaking is not None and speaking.kept:
            for tensors, kept in zip(self._memory(), speaking.kept, strict=True):
                for tensor, value in zip(tensors, kept, strict=True):
                    tensor.copy_(value)
            speaking.kept = []
        self._speaking = speaking

    def done(self, speaking: GraphedFrames) -> None:
        """That utterance is over; nothing of it needs to be kept."""
        if self._speaking is speaking:
            self._speaking = None

    @contextlib.contextmanager
    def _recording(self) -> Iterator[None]:
        """On the model's own GPU, which need not be the first; the package prints what it does."""
        import torch

        with torch.cuda.device(self._device), contextlib.redirect_stdout(sys.stderr):
            yield

    def _memory(self) -> list[tuple[Any, ...]]:
        layers = self.steps.static_cache.layers
        return [(layer.keys, layer.values, layer.cumulative_length) for layer in layers]

    def _recorded_talker(self) -> Any:
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
    """As `PlainFrames`, by the recordings. `given` are the arguments of the talker's `generate`."""

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
        self._graphs.turn_of(self)
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
                self._graphs.turn_of(self)
        finally:
            self._graphs.done(self)
