"""In which numbers the decoder speaks: what the processor multiplies faster, by a measurement."""

from __future__ import annotations

import logging
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, cast

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

Precision = Literal["float32", "bfloat16"]

# Less than this is not worth the loss of digits, and may be the noise of a busy machine.
_WORTH_IT = 1.2
# A convolution as the vocoder has them: channels, samples, taps.
_PROBE = (128, 4096, 7)
_ROUNDS = 5
# Two first requests at once would each measure, may find differently, and load the model twice.
_ONE_MEASUREMENT = threading.Lock()


def choose_precision(wanted: str, device: str) -> Precision:
    """`wanted`, or for "auto" the faster one: bfloat16 only on a processor that has it built in.

    GPUs are fast enough in float32, which is what the voices were trained in.
    """
    if wanted != "auto":
        return cast(Precision, wanted)
    if device != "cpu":
        return "float32"
    with _ONE_MEASUREMENT:
        return _faster_on_cpu()


@lru_cache(maxsize=1)
def _faster_on_cpu() -> Precision:
    import torch

    if not (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "float32"
    gain = _best_seconds(torch.float32) / _best_seconds(torch.bfloat16)
    logger.info("Convolutions in bfloat16 are %.1f times as fast as in float32 here", gain)
    return "bfloat16" if gain > _WORTH_IT else "float32"


def _best_seconds(dtype: torch.dtype) -> float:
    import torch

    channels, samples, taps = _PROBE
    layout = torch.channels_last
    sound = torch.zeros(1, channels, 1, samples, dtype=dtype).contiguous(memory_format=layout)
    weight = torch.zeros(channels, channels, 1, taps, dtype=dtype).contiguous(memory_format=layout)
    found = []
    with torch.inference_mode():
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            torch.nn.functional.conv2d(sound, weight, padding=(0, taps // 2))
            found.append(time.perf_counter() - start)
    return min(found)
