"""How much of a fit to keep, decided on sentences that the gradient never saw.

A fit gains similarity and, past some point, loses naturalness; strength is how far to go along
the way it found. The guard renders its own sentences at several strengths and weighs what the
ears gain against what Whisper no longer understands as it did before.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.losses import (
    Ears,
    Start,
    content_distance,
    speak,
)
from modules.core_components.ai_models.engines.kokoro.fit.state import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    FitTarget,
    envelope_distance,
    long_term_spectrum,
    shortfall,
)

STRENGTHS = (0.0, 0.6, 0.8, 0.9, 1.0)


@dataclass(frozen=True, eq=False)
class Choice:
    """What to keep: `residual` [256], `layers` [layers, 128]; similarities on the held part."""

    residual: Tensor
    layers: Tensor
    strength: float
    similarity_stock: float
    similarity_fitted: float
    table: list[dict[str, float]]


def choose(
    ears: Ears,
    target: FitTarget,
    starts: list[Start],
    average: dict[str, Tensor],
    spread: Tensor,
    held: Tensor,
    options: FitOptions,
    pool: ThreadPoolExecutor,
) -> Choice:
    """The best strength on the guard's sentences; `held` [n] only gives the two figures."""
    jobs = [(strength, start) for strength in STRENGTHS for start in starts]

    def listen(job: tuple[float, Start]) -> tuple[dict[str, float], Tensor]:
        strength, start = job
        with torch.no_grad():
            style = start.style + strength * average["residual"] * spread
            layers = strength * average["layers"] * spread[:128]
            generator = torch.Generator().manual_seed(options.seed + 77)
            audio, _, _ = speak(ears, start, style, layers, generator)
            embedding = ears.encoder.embed_tensor(audio)
            closeness = embedding @ target.ge2e
            heard = {"ge2e": float(closeness)}
            heard["missing"] = float(shortfall(closeness, target.ge2e_self))
            off = long_term_spectrum(audio) - target.spectrum
            heard["spectrum"] = float(off.abs().mean())
            if ears.ear is not None and target.ear is not None:
                closeness = ears.ear.embed(audio) @ target.ear
                heard["ear"] = float(closeness)
                heard["missing"] += options.ear * float(shortfall(closeness, target.ear_self))
            if start.envelope is not None and ears.frames is not None:
                distance = envelope_distance(audio, start.envelope, ears.frames.bands)
                heard["envelope"] = float(distance)
            if ears.features is not None and start.content is not None:
                heard["content"] = float(content_distance(ears.features, audio, start.content))
            return heard, embedding

    results = list(pool.map(listen, jobs))
    with torch.no_grad():
        own = ears.encoder.embed_tensor(held)
    table: list[dict[str, float]] = []
    similarities: list[float] = []
    for i, strength in enumerate(STRENGTHS):
        group = results[i * len(starts) : (i + 1) * len(starts)]
        names = group[0][0]
        row = {name: sum(heard[name] for heard, _ in group) / len(group) for name in names}
        table.append({"strength": strength, **row, "worth": _worth(row, options)})
        mean = torch.stack([embedding for _, embedding in group]).mean(dim=0)
        similarities.append(float(mean @ own / mean.norm()))
    best = max(range(len(STRENGTHS)), key=lambda i: table[i]["worth"])
    return Choice(
        residual=STRENGTHS[best] * average["residual"],
        layers=STRENGTHS[best] * average["layers"],
        strength=STRENGTHS[best],
        similarity_stock=similarities[0],
        similarity_fitted=similarities[best],
        table=table,
    )


def _worth(heard: dict[str, float], options: FitOptions) -> float:
    lost = options.guard_content * heard.get("content", 0.0)
    physics = options.spectrum * heard["spectrum"] + options.envelope * heard.get("envelope", 0.0)
    return -heard["missing"] - physics - lost
