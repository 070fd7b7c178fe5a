"""The speaker embeddings of the stock voices, computed once and kept.

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

from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.target import normalize_level, to_16k
from modules.core_components.ai_models.engines.kokoro.fit.text import FRAME_SAMPLES, Reading
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    PROJECTION_FILE,
    TimbreEncoder,
    load_projection,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures
from modules.core_components.atomic import atomic_path

logger = logging.getLogger(__name__)

_FORMAT = "stock-voices-3"
_GE2E, _CAMPPLUS, _TIMBRE = "ge2e", "campplus", "ear"  # the tensors' names in the files
SHIPPED = Path(__file__).with_suffix(".safetensors")


@dataclass(frozen=True, eq=False)
class StockVoices:
    """`names` [v] and their embeddings: `ge2e` [v, 256], `campplus` [v, 192], `timbre_vectors`
    [v, k] with Whisper."""

    names: tuple[str, ...]
    ge2e: Tensor
    campplus: Tensor
    timbre: TimbreEncoder | None
    timbre_vectors: Tensor | None


def render(kmodel: Any, decoder: FastDecoder, reading: Reading, style: Tensor, seed: int) -> Tensor:
    """One reading at 16 kHz [n] without the silences around it; `style` is [1, 256]."""
    with torch.no_grad():
        alignment = reading.alignment(kmodel, style[:, 128:])
        pitch, energy, _ = reading.curves(kmodel, style[:, 128:], alignment)
        source = decoder.excitation(pitch, torch.Generator().manual_seed(seed))
        audio = decoder(reading.text(alignment), pitch, energy, style[:, :128], source)
        first, last = reading.spoken(alignment)
        return normalize_level(to_16k(audio[first * FRAME_SAMPLES : last * FRAME_SAMPLES]))


def scan_stock_voices(
    kmodel: Any,
    decoder: FastDecoder,
    encoder: SpeakerEncoder,
    campplus: CampplusEncoder,
    features: WhisperFeatures | None,
    readings: tuple[Reading, ...],
    voices: Mapping[str, Tensor],
    pool: ThreadPoolExecutor,
    cache: Path | None,
    on_voice: Callable[[int], None],
) -> StockVoices:
    """The stock voices' embeddings: those kept for these voices, else computed and put in `cache`.

    `on_voice` is called with the number of voices done; it may raise to cancel.
    """
    names = tuple(sorted(voices))
    timbre = None
    if features is not None:
        timbre = TimbreEncoder(partial(whisper_statistics, features), load_projection())
    key = _key(names, voices, timbre is not None)
    kept = _load(SHIPPED, key) or (_load(cache, key) if cache is not None else None)
    if kept is None:
        clips: dict[str, list[Tensor]] = {}

        def speak(name: str) -> list[Tensor]:
            pack = voices[name]
            return [render(kmodel, decoder, r, pack[r.row], seed=0) for r in readings]

        for done, (name, spoken) in enumerate(zip(names, pool.map(speak, names), strict=True)):
            clips[name] = spoken
            on_voice(done + 1)
        kept = _measure(names, clips, encoder, campplus, timbre)
        if cache is not None:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(cache) as unfinished:
                save_file(kept, unfinished, metadata={"key": key})
    return StockVoices(names, kept[_GE2E], kept[_CAMPPLUS], timbre, kept.get(_TIMBRE))


def _measure(
    names: tuple[str, ...],
    clips: dict[str, list[Tensor]],
    encoder: SpeakerEncoder,
    campplus: CampplusEncoder,
    timbre: TimbreEncoder | None,
) -> dict[str, Tensor]:
    def mean(vectors: list[Tensor]) -> Tensor:
        total = torch.stack(vectors).mean(dim=0)
        return total / total.norm().clamp_min(1e-8)

    with torch.no_grad():
        ge2e = [mean([encoder.embed_tensor(clip) for clip in clips[name]]) for name in names]
        kept = {_GE2E: torch.stack(ge2e)}
        kept[_CAMPPLUS] = torch.stack(
            [mean([campplus.embed_tensor(clip) for clip in clips[name]]) for name in names]
        )
        if timbre is not None:
            kept[_TIMBRE] = torch.stack(
                [mean([timbre.embed(clip) for clip in clips[name]]) for name in names]
            )
    return kept


def _key(names: tuple[str, ...], voices: Mapping[str, Tensor], with_timbre: bool) -> str:
    digest = hashlib.sha256(f"{_FORMAT} {with_timbre}".encode())
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
