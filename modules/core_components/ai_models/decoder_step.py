"""A small measurement of a device: the seconds of one step of a decoder.

Every engine that clones is a transformer which makes speech step by step, with a batch of one: it
reads its weights once for each step. So the time of such a step is a better measure of how fast
they will be than a large matrix product, which waits for arithmetic and not for memory.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modules.core_components.ai_models.model_utils import get_dtype, seeded

if TYPE_CHECKING:
    import torch

# About 200 MB in float32, more than the caches of most processors; four layers of Pocket TTS.
_LAYERS, _WIDTH = 4, 1024
_STEPS = 16


def decoder_step_seconds(device: str) -> float:
    """The shortest of some steps on `device`: other work only makes them longer. Takes about half
    a second and 200 MB there.

    In float32 on the CPU and in the type that models have on a GPU, with torch's threads as they
    are. Take a run slot around it: other work would be measured with it.
    """
    import torch

    dtype = get_dtype(device)
    with seeded(0), torch.inference_mode():
        # Drawn once and scaled: drawing 50 million numbers would take longer than the steps.
        base = torch.randn(_WIDTH, 4 * _WIDTH, device=device, dtype=dtype) * 0.02
        layers = [
            tuple((base * (1 + 0.01 * number)).contiguous() for base in _shapes(base))
            for number in range(_LAYERS)
        ]
        state = torch.randn(1, _WIDTH, device=device, dtype=dtype)
        seconds = []
        for _ in range(_STEPS):
            start = time.perf_counter()
            state = _step(state, layers)
            float(state[0, 0])  # waits for a GPU
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def _shapes(base: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The matrices of a layer: into attention, out of it, into the wide part, out of it."""
    return base[:, : 3 * _WIDTH], base[:, :_WIDTH], base, base.T


def _step(state: torch.Tensor, layers: list[tuple[torch.Tensor, ...]]) -> torch.Tensor:
    import torch
    from torch.nn.functional import gelu, layer_norm

    for attention_in, attention_out, wide_in, wide_out in layers:
        query, _, value = (layer_norm(state, (_WIDTH,)) @ attention_in).chunk(3, dim=-1)
        state = state + (torch.sigmoid(query) * value) @ attention_out
        state = state + gelu(layer_norm(state, (_WIDTH,)) @ wide_in) @ wide_out
    return state
