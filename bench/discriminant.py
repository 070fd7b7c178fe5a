"""Learns the projection of the timbre encoder: linear discriminant analysis between speakers.

Fisher 1936, with shrinkage after Friedman 1989. `learn_timbre_encoder.py` and `voice_judges.py`
use it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import Projection

SHRINKAGE = 0.1


def save_projection(projection: Projection, path: Path) -> None:
    """Write a projection in half precision."""
    fields = ("mean", "scale", "directions")
    tensors = {name: getattr(projection, name).half().contiguous() for name in fields}
    save_file(tensors, path)


def learn_projection(
    describe: Callable[[Tensor], Tensor],
    clips: Mapping[str, list[Tensor]],
    size: int = 40,
    seed: int = 0,
) -> Projection:
    """Learn the directions from `clips`: for each speaker a few pieces of 16 kHz speech."""
    generator = torch.Generator().manual_seed(seed)
    rows, labels = [], []
    with torch.no_grad():
        for label, name in enumerate(sorted(clips)):
            for clip in clips[name]:
                for version in (clip, recolour(clip, generator)):
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
    within = (1 - SHRINKAGE) * within + SHRINKAGE * level * torch.eye(rank, dtype=p.dtype)
    factor = torch.linalg.inv(torch.linalg.cholesky(within)).T
    between = torch.linalg.eigh(torch.cov((centres @ factor).T))
    best = between.eigenvectors[:, -min(size, len(clips) - 1) :]
    directions = basis @ factor @ best
    return Projection(mean.float(), scale.float(), directions.float())


def recolour(clip: Tensor, generator: torch.Generator) -> Tensor:
    """The clip through another room: a spectral tilt and some noise (nuisances to unlearn)."""
    tilt, noise_db = torch.rand(2, generator=generator).tolist()
    tilted = clip - (0.8 * tilt - 0.4) * functional.pad(clip, (1, 0))[:-1]
    noise = torch.randn(clip.shape, generator=generator) * clip.std()
    return tilted + noise * 10 ** (-(15 + 20 * noise_db) / 20)
