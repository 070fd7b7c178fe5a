"""How much of a fit to keep, chosen on sentences that the gradient never saw.

A fit gains similarity and, past some point, loses intelligibility. The guard sentences are rendered
at several strengths (shares of the fitted change), and the gain in similarity is weighed against
the change of Whisper's features from those of the starting voice.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.inputs import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.losses import (
    Baseline,
    FitEncoders,
    content_distance,
    speak,
)
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    FitTarget,
    envelope_distance,
    long_term_spectrum,
    shortfall,
)

STRENGTHS = (0.0, 0.6, 0.8, 1.0)


@dataclass(frozen=True, eq=False)
class ChosenStrength:
    """What to keep of a fit: `residual` [256] and `layers` [layers, 128] at the best `strength`.

    The similarities are CAM++ cosines with the held-out part; `table` has the figures of each
    strength.
    """

    residual: Tensor
    layers: Tensor
    strength: float
    similarity_start: float
    similarity_fitted: float
    table: list[dict[str, float]]


def choose_strength(
    encoders: FitEncoders,
    target: FitTarget,
    baselines: list[Baseline],
    average: dict[str, Tensor],
    spread: Tensor,
    held: Tensor,
    options: FitOptions,
    pool: ThreadPoolExecutor,
) -> ChosenStrength:
    """The best strength on the guard sentences `baselines`.

    `average` are the fitted parameters; `held` [n] at 16 kHz, the held-out part of the sample, only
    gives the two similarities.
    """
    jobs = [(strength, baseline) for strength in STRENGTHS for baseline in baselines]

    def evaluate(job: tuple[float, Baseline]) -> tuple[dict[str, float], Tensor]:
        strength, baseline = job
        with torch.no_grad():
            style = baseline.style + strength * average["residual"] * spread
            layers = strength * average["layers"] * spread[:128]
            generator = torch.Generator().manual_seed(options.seed + 77)
            audio, _, _ = speak(encoders, baseline, style, layers, generator)
            embedding = encoders.campplus.embed_tensor(audio)
            closeness = embedding @ target.campplus
            figures = {"campplus": float(closeness)}
            figures["missing"] = options.campplus * float(
                shortfall(closeness, target.campplus_self)
            )
            closeness = encoders.encoder.embed_tensor(audio) @ target.ge2e
            figures["ge2e"] = float(closeness)
            figures["missing"] += options.ge2e * float(shortfall(closeness, target.ge2e_self))
            off = long_term_spectrum(audio) - target.spectrum
            figures["spectrum"] = float(off.abs().mean())
            if options.timbre > 0 and encoders.timbre is not None and target.timbre is not None:
                closeness = encoders.timbre.embed(audio) @ target.timbre
                figures["ear"] = float(closeness)
                figures["missing"] += options.timbre * float(
                    shortfall(closeness, target.timbre_self)
                )
            if baseline.envelope is not None and encoders.frames is not None:
                distance = envelope_distance(audio, baseline.envelope, encoders.frames.bands)
                figures["envelope"] = float(distance)
            if encoders.features is not None and baseline.content is not None:
                figures["content"] = float(
                    content_distance(encoders.features, audio, baseline.content)
                )
            return figures, embedding

    results = list(pool.map(evaluate, jobs))
    with torch.no_grad():
        own = encoders.campplus.embed_tensor(held)
    table: list[dict[str, float]] = []
    similarities: list[float] = []
    for i, strength in enumerate(STRENGTHS):
        group = results[i * len(baselines) : (i + 1) * len(baselines)]
        names = group[0][0]
        row = {name: sum(figures[name] for figures, _ in group) / len(group) for name in names}
        table.append({"strength": strength, **row, "worth": _worth(row, options)})
        mean = torch.stack([embedding for _, embedding in group]).mean(dim=0)
        similarities.append(float(mean @ own / mean.norm()))
    best = max(range(len(STRENGTHS)), key=lambda i: table[i]["worth"])
    return ChosenStrength(
        residual=STRENGTHS[best] * average["residual"],
        layers=STRENGTHS[best] * average["layers"],
        strength=STRENGTHS[best],
        similarity_start=similarities[0],
        similarity_fitted=similarities[best],
        table=table,
    )


def _worth(figures: dict[str, float], options: FitOptions) -> float:
    lost = options.guard_content * figures.get("content", 0.0)
    physics = options.spectrum * figures["spectrum"] + options.envelope * figures.get(
        "envelope", 0.0
    )
    return -figures["missing"] - physics - lost
