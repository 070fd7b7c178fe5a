"""How the stock voices sound to the encoders: rendered once, then kept.

The scan speaks two short sentences with each of the 54 voices and keeps their embeddings. Those of
Kokoro v1.0's own voices come with the studio, since the scan would take as long as half a fit; any
other set of voices is scanned once per installation.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.target import level, to_16k
from modules.core_components.ai_models.engines.kokoro.fit.text import FRAME_SAMPLES, Reading
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    PROJECTION_FILE,
    TimbreEar,
    load_projection,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.speaker_encoder import SpeakerEncoder
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures
from modules.core_components.atomic import atomic_path

logger = logging.getLogger(__name__)

_FORMAT = "stock-voices-2"
_SHIPPED = Path(__file__).with_suffix(".safetensors")


@dataclass(frozen=True, eq=False)
class StockVoices:
    """`names` [v], their GE2E embeddings [v, 256] and, with an ear, `ear_vectors` [v, k]."""

    names: tuple[str, ...]
    ge2e: Tensor
    ear: TimbreEar | None
    ear_vectors: Tensor | None


def render(kmodel: Any, decoder: FastDecoder, reading: Reading, style: Tensor, seed: int) -> Tensor:
    """One reading at 16 kHz [n] without the silences around it; `style` is [1, 256]."""
    with torch.no_grad():
        alignment = reading.alignment(kmodel, style[:, 128:])
        pitch, energy, _ = reading.curves(kmodel, style[:, 128:], alignment)
        source = decoder.excitation(pitch, torch.Generator().manual_seed(seed))
        audio = decoder(reading.text(alignment), pitch, energy, style[:, :128], source)
        first, last = reading.spoken(alignment)
        return level(to_16k(audio[first * FRAME_SAMPLES : last * FRAME_SAMPLES]))


def scan_stock_voices(
    kmodel: Any,
    decoder: FastDecoder,
    encoder: SpeakerEncoder,
    features: WhisperFeatures | None,
    readings: tuple[Reading, ...],
    voices: Mapping[str, Tensor],
    pool: ThreadPoolExecutor,
    cache: Path | None,
    on_voice: Callable[[int], None],
) -> StockVoices:
    """The stock voices' embeddings: what is kept where it fits, else rendered and put in `cache`.

    `on_voice` is called with the number of voices done; it may raise to cancel.
    """
    names = tuple(sorted(voices))
    ear = None
    if features is not None:
        ear = TimbreEar(partial(whisper_statistics, features), load_projection())
    key = _key(names, voices, ear is not None)
    kept = _load(_SHIPPED, key) or (_load(cache, key) if cache is not None else None)
    if kept is None:
        clips: dict[str, list[Tensor]] = {}

        def speak(name: str) -> list[Tensor]:
            pack = voices[name]
            return [render(kmodel, decoder, r, pack[r.row], seed=0) for r in readings]

        for done, (name, spoken) in enumerate(zip(names, pool.map(speak, names), strict=True)):
            clips[name] = spoken
            on_voice(done + 1)
        kept = _measure(names, clips, encoder, ear)
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(cache) as unfinished:
                save_file(kept, unfinished, metadata={"key": key})
    return StockVoices(names, kept["ge2e"], ear, kept.get("ear"))


def _measure(
    names: tuple[str, ...],
    clips: dict[str, list[Tensor]],
    encoder: SpeakerEncoder,
    ear: TimbreEar | None,
) -> dict[str, Tensor]:
    def mean(vectors: list[Tensor]) -> Tensor:
        total = torch.stack(vectors).mean(dim=0)
        return total / total.norm().clamp_min(1e-8)

    with torch.no_grad():
        ge2e = [mean([encoder.embed_tensor(clip) for clip in clips[name]]) for name in names]
        kept = {"ge2e": torch.stack(ge2e)}
        if ear is not None:
            kept["ear"] = torch.stack(
                [mean([ear.embed(clip) for clip in clips[name]]) for name in names]
            )
    return kept


def _key(names: tuple[str, ...], voices: Mapping[str, Tensor], with_ear: bool) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {with_ear}".encode())
    digest.update(PROJECTION_FILE.read_bytes())
    for name in names:
        digest.update(name.encode())
        digest.update(voices[name][::64].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _load(cache: Path, key: str) -> dict[str, Tensor] | None:
    if not cache.exists():
        return None
    try:
        with safe_open(cache, framework="pt") as file:
            if (file.metadata() or {}).get("key") != key:
                return None
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        logger.warning("The kept scan of the stock voices is unreadable (%s): made anew.", error)
        return None
