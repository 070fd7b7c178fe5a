"""How Kokoro's decoder computes on this machine: what is faster, by a measurement that is kept."""

from __future__ import annotations

import json
import logging
import platform
import threading
import time
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from modules.core_components.atomic import write_json
from modules.core_components.errors import StudioError

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.kokoro.decoder import SpeakingLayers

logger = logging.getLogger(__name__)

# float32-fft: in float32, convolutions of many taps as products of spectra (`FftConvolution`).
Precision = Literal["float32", "float32-fft", "bfloat16"]

# In the order of preference: a later one must be this much faster than those before it. Less is not
# worth the memory of spectra or the rounding of bfloat16, and may be a busy machine.
_LEAST_GAIN = 1.2
# Convolutions with their norms as the vocoder has them: channels, samples, and the taps of each.
_PROBE_CHANNELS, _PROBE_SAMPLES, _PROBE_TAPS = 128, 4096, (3, 7, 11)
_ROUNDS = 5
# Two first requests at once might measure differently, and load the model twice.
_MEASURING = threading.Lock()


def choose_precision(wanted: str, device: str, kept: Path | None = None) -> Precision:
    """`wanted`, computed the faster way, or for "auto" the fastest precision of all.

    bfloat16 is considered only on a processor that has it built in. GPUs are fast enough in
    float32, which is what the voices were trained in. What is measured is written to the file
    `kept`, by machine, and read from there later: a take that is made again after a restart has
    the same precision, however busy the machine is then.
    """
    if wanted == "bfloat16":
        return "bfloat16"
    if device != "cpu":
        return "float32"
    ways: tuple[Precision, ...] = ("float32", "float32-fft")
    if wanted == "auto" and _has_bfloat16():
        ways += ("bfloat16",)
    with _MEASURING:
        return _fastest(ways) if kept is None else _kept_precision(kept, _machine(), ways)


def _machine() -> str:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.node()}, {capability}, torch {torch.__version__}"


# It is asked for with every chunk: the file is read once.
@lru_cache(maxsize=8)
def _kept_precision(kept: Path, machine: str, ways: tuple[Precision, ...]) -> Precision:
    try:
        known = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    question = f"{machine}: {', '.join(ways)}"
    if known.get(question) in ways:
        return cast(Precision, known[question])
    chosen = _fastest(ways)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_json(kept, {**known, question: chosen})
    except (OSError, StudioError) as error:
        logger.warning("The choice of the precision is not kept: %s", error)
    return chosen


@lru_cache(maxsize=8)
def _fastest(ways: tuple[Precision, ...]) -> Precision:
    seconds = _measure_seconds(ways)
    chosen = ways[0]
    for way in ways[1:]:
        if seconds[chosen] > _LEAST_GAIN * seconds[way]:
            chosen = way
    named = ", ".join(f"{way} {1000 * seconds[way]:.1f} ms" for way in ways)
    logger.info("Kokoro computes in %s here; the same convolutions take %s", chosen, named)
    return chosen


def _measure_seconds(ways: tuple[Precision, ...]) -> Mapping[Precision, float]:
    """The shortest time of the same convolutions in each way, measured in turns, or what else the
    machine does would decide."""
    import torch

    channels = _PROBE_CHANNELS
    styles = torch.zeros(2 * channels)
    sounds, layers = {}, {}
    with torch.inference_mode():
        for way in ways:
            make = speaking_layers(way)
            sound = torch.randn(1, channels, 1, _PROBE_SAMPLES, dtype=make.dtype)
            sounds[way] = sound.contiguous(memory_format=torch.channels_last)
            layers[way] = [
                make.normed(
                    torch.nn.Conv1d(channels, channels, taps, padding=taps // 2),
                    torch.ones(channels),
                    0.0,
                    None,
                )
                for taps in _PROBE_TAPS
            ]
        found: dict[Precision, list[float]] = {way: [] for way in ways}
        for _ in range(_ROUNDS):
            for way in ways:
                start = time.perf_counter()
                for layer in layers[way]:
                    layer(sounds[way], styles)
                found[way].append(time.perf_counter() - start)
    return {way: min(seconds) for way, seconds in found.items()}


def _has_bfloat16() -> bool:
    import torch

    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def speaking_layers(precision: Precision) -> SpeakingLayers:
    """What computes the decoder's layers in this precision."""
    import torch

    from modules.core_components.ai_models.engines.kokoro.decoder import SpeakingLayers

    numbers = precision.removesuffix("-fft")
    return SpeakingLayers(getattr(torch, numbers), fft=numbers != precision)
