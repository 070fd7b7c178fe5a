"""A second opinion on who is speaking, unrelated to the GE2E encoder.

Statistics of Whisper's lower layers (mean and spread over the speech frames) hold the speaker
beside much else. A linear discriminant analysis (Fisher 1936; shrinkage after Friedman 1989)
over the stock voices and 20 real speakers finds the directions that differ between speakers and
not within one; it ships as a small file. What a fit gains by fooling one encoder it does not gain
with the other. Measured on pairs of 2.5 s clips of nine real speakers that it never saw: equal
error rate 11 % (GE2E: 3 %).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.whisper_features import (
    FRAME_SAMPLES,
    WhisperFeatures,
)
from modules.core_components.atomic import atomic_path

PROJECTION_FILE = Path(__file__).with_name("timbre_encoder.safetensors")
Describe = Callable[[Tensor], Tensor]

_LAYERS = (1, 2)
_LEVEL = 0.05
_SHRINKAGE = 0.1


@dataclass(frozen=True, eq=False)
class Projection:
    """Mean [d], scale [d] and directions [d, k] of the discriminant analysis."""

    mean: Tensor
    scale: Tensor
    directions: Tensor


class TimbreEar:
    """Embeds speech as a unit vector [k]; see the module's text.

    `describe` gives the statistics [d] of 16 kHz speech [n], usually `whisper_statistics`.
    """

    def __init__(self, describe: Describe, projection: Projection) -> None:
        self._describe = describe
        self._projection = projection

    def embed(self, samples: Tensor) -> Tensor:
        """Unit vector [k] of 16 kHz speech [n] of up to 30 s, with gradient."""
        statistics = self._describe(samples)
        p = self._projection
        z = ((statistics - p.mean) / p.scale) @ p.directions
        return z / z.norm().clamp_min(1e-8)

    def embed_long(self, samples: Tensor, window: int = 40_000) -> Tensor:
        """Mean over windows of 2.5 s, as unit vector [k], without gradient."""
        with torch.no_grad():
            parts = [self.embed(part) for part in windows(samples, window)]
            mean = torch.stack(parts).mean(dim=0)
        return mean / mean.norm().clamp_min(1e-8)


def load_projection(path: Path | None = None) -> Projection:
    """The projection that ships with the studio (made by bench/learn_timbre_ear.py)."""
    tensors = load_file(path or PROJECTION_FILE)
    return Projection(*(tensors[name].float() for name in ("mean", "scale", "directions")))


def save_projection(projection: Projection, path: Path) -> None:
    """Write a projection in half precision."""
    fields = ("mean", "scale", "directions")
    tensors = {name: getattr(projection, name).half().contiguous() for name in fields}
    with atomic_path(path) as unfinished:
        save_file(tensors, unfinished)


def windows(samples: Tensor, window: int) -> list[Tensor]:
    """Whole windows of `samples` [n]; all of it when it is shorter than one."""
    count = max(1, samples.shape[0] // window)
    return [samples[i * window : (i + 1) * window] for i in range(count)]


def whisper_statistics(features: WhisperFeatures, samples: Tensor) -> Tensor:
    """Mean and standard deviation of the lower layers over frames with speech [d]."""
    samples = samples / (samples.square().mean().sqrt() + 1e-6) * _LEVEL
    states = features(samples, max(_LAYERS))
    frames = torch.cat([states[i] for i in _LAYERS], dim=-1)
    power = functional.avg_pool1d(samples.square()[None, None], FRAME_SAMPLES, FRAME_SAMPLES)[0, 0]
    count = min(len(power), len(frames))
    frames, power = frames[:count], power[:count]
    level_db = 10 * torch.log10(power + 1e-9)
    weight = torch.sigmoid((level_db + 45) / 2)[:, None]
    weight = weight / weight.sum()
    mean = (weight * frames).sum(dim=0)
    spread = ((weight * (frames - mean).square()).sum(dim=0) + 1e-5).sqrt()
    return torch.cat([mean, spread])


def learn_projection(
    describe: Describe, clips: Mapping[str, list[Tensor]], size: int = 40, seed: int = 0
) -> Projection:
    """Learn the directions from `clips`: for each speaker a few pieces of 16 kHz speech."""
    generator = torch.Generator().manual_seed(seed)
    rows, labels = [], []
    with torch.no_grad():
        for label, name in enumerate(sorted(clips)):
            for clip in clips[name]:
                for version in (clip, _recoloured(clip, generator)):
                    rows.append(describe(version))
                    labels.append(label)
    x, y = torch.stack(rows).double(), torch.tensor(labels)
    mean, scale = x.mean(dim=0), x.std(dim=0) + 1e-4
    z = (x - mean) / scale
    rank = min(150, len(z) - 1, z.shape[1])
    basis = torch.linalg.svd(z, full_matrices=False).Vh[:rank].T
    p = z @ basis
    centres = torch.stack([p[y == label].mean(dim=0) for label in range(len(clips))])
    within = torch.cov((p - centres[y]).T)
    level = within.diagonal().mean()
    within = (1 - _SHRINKAGE) * within + _SHRINKAGE * level * torch.eye(rank, dtype=p.dtype)
    factor = torch.linalg.inv(torch.linalg.cholesky(within)).T
    between = torch.linalg.eigh(torch.cov((centres @ factor).T))
    best = between.eigenvectors[:, -min(size, len(clips) - 1) :]
    directions = basis @ factor @ best
    return Projection(mean.float(), scale.float(), directions.float())


def _recoloured(clip: Tensor, generator: torch.Generator) -> Tensor:
    """The clip through another room: a spectral tilt and some noise (nuisances to unlearn)."""
    tilt, noise_db = torch.rand(2, generator=generator).tolist()
    tilted = clip - (0.8 * tilt - 0.4) * functional.pad(clip, (1, 0))[:-1]
    noise = torch.randn(clip.shape, generator=generator) * clip.std()
    return tilted + noise * 10 ** (-(15 + 20 * noise_db) / 20)
