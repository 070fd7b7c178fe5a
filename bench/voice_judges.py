"""Judges of a voice that no fit ever trains on. For benchmarks only.

Two speaker embeddings made from other features than the fit's ears, each with a linear
discriminant analysis learned on renderings of the stock voices and, where given, on other real
speakers; and DNSMOS for naturalness (package speechmos). None is a modern speaker encoder: on
pairs of 2.5 s clips their equal error rate is about 10 % (GE2E: 3 %), so differences below 0.05
mean little for one speaker.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.discriminant import learn_projection
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    TimbreEncoder,
    cut_windows,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features

FloatArray = npt.NDArray[np.float32]
WINDOW = 40_000  # 2.5 s


def mfcc_statistics(samples: Tensor) -> Tensor:
    """Mean, spread, movement and covariance of 24 cepstral coefficients of the louder frames."""
    x = samples.numpy()
    x = x / (np.sqrt(np.mean(x**2)) + 1e-6) * 0.05
    m = librosa.feature.mfcc(
        y=x, sr=16_000, n_mfcc=24, n_fft=400, hop_length=160, n_mels=40, fmax=7000
    )
    m = m[:, m[0] > np.percentile(m[0], 30)]
    covariance = np.cov(m[1:14])[np.triu_indices(13)] / 10
    parts = [m.mean(axis=1)[1:], m.std(axis=1), np.diff(m, axis=1).std(axis=1), covariance]
    return torch.from_numpy(np.concatenate(parts).astype(np.float32))


def make_judges(whisper_base: Path, clips: Mapping[str, list[Tensor]]) -> dict[str, TimbreEncoder]:
    """`mfcc` and `whisper-base`, learned on `clips`: 16 kHz pieces by speaker."""
    base = partial(whisper_statistics, load_whisper_features(whisper_base))
    return {
        name: TimbreEncoder(describe, learn_projection(describe, clips))
        for name, describe in (("mfcc", mfcc_statistics), ("whisper-base", base))
    }


def closeness(judge: TimbreEncoder, a: list[FloatArray], b: list[FloatArray]) -> float:
    """Cosine between the mean embeddings of two sets of 16 kHz clips."""

    def mean(clips: list[FloatArray]) -> Tensor:
        with torch.no_grad():
            pieces = [p for clip in clips for p in cut_windows(torch.from_numpy(clip), WINDOW)]
            total = torch.stack([judge.embed(piece) for piece in pieces]).mean(dim=0)
        return total / total.norm()

    return float(mean(a) @ mean(b))


def naturalness(clips: list[FloatArray]) -> float:
    """DNSMOS P.835 overall, mean over 16 kHz clips."""
    from speechmos import dnsmos

    scores = [dnsmos.run(np.clip(clip, -1, 1), sr=16_000)["ovrl_mos"] for clip in clips]
    return float(np.mean(scores))
