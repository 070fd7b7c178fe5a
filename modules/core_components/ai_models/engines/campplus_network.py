"""The CAM++ speaker encoder: speaker embeddings [192], differentiable from the waveform on.

Wang et al., "CAM++: A Fast and Efficient Network for Speaker Verification Using Context-Aware
Masking" (2023): a small convolutional head over the spectrogram, densely connected time-delay
layers whose outputs are masked by their context, and the mean and deviation over time. Modules
are named as in the weights of 3D-Speaker's `speech_campplus_sv_zh_en_16k-common_advanced`. The
front end is Kaldi's `fbank` written in torch, so that a gradient reaches the audio.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.engines.listening_network import reading_weights
from modules.core_components.audio.refusals import no_speech
from modules.core_components.texts import _
from modules.core_components.values import FloatArray

SAMPLE_RATE_HZ = 16_000
EMBEDDING_SIZE = 192
BANDS = 80
WINDOW = 400  # 25 ms
HOP = 160  # 10 ms
_N_FFT = 512
_LOWEST_HZ = 20.0
_PREEMPHASIS = 0.97
_FLOOR = float(np.finfo(np.float32).eps)  # the least energy of a band, as in Kaldi
_LEAST_S = 0.2
_LONGEST = 20 * SAMPLE_RATE_HZ  # longer speech is embedded in pieces, which bounds the memory
_CONTEXT_FRAMES = 100  # the context of a frame: its segment of this length, and everything
_HEAD_CHANNELS = 32
_GROWTH = 32  # channels that each densely connected layer adds
_BOTTLENECK = 128
_BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers, dilation


def kaldi_mel_filters() -> FloatArray:
    """Kaldi's triangular filters, float32 [80, 257]: straight in mel, equal in height."""

    def mel(hz: NDArray[np.float64]) -> NDArray[np.float64]:
        return 1127.0 * np.log1p(hz / 700.0)

    ends = mel(np.array([_LOWEST_HZ, SAMPLE_RATE_HZ / 2], np.float64))
    edges = np.linspace(ends[0], ends[1], BANDS + 2)
    bins = mel(np.arange(_N_FFT // 2 + 1, dtype=np.float64) * (SAMPLE_RATE_HZ / _N_FFT))
    slopes = (bins[None, :] - edges[:-1, None]) / np.diff(edges)[:, None]
    filters = np.clip(np.minimum(slopes[:-1], 1.0 - slopes[1:]), 0.0, None)
    filters[:, -1] = 0.0  # Kaldi leaves out the band at half the sample rate
    return filters.astype(np.float32)


class _Residual(nn.Module):
    """Two convolutions over [batch, 32, bands, frames] with a shortcut around them."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        c = _HEAD_CHANNELS
        self.conv1 = nn.Conv2d(c, c, 3, (stride, 1), 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        self.shortcut = nn.Sequential()
        if stride != 1:
            self.shortcut.extend((nn.Conv2d(c, c, 1, (stride, 1), bias=False), nn.BatchNorm2d(c)))

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.bn1(self.conv1(x)))
        return torch.relu(self.bn2(self.conv2(inner)) + self.shortcut(x))


class _Head(nn.Module):
    """The spectrogram [batch, 80, frames] as [batch, 320, frames]: local patterns in frequency,
    which is halved three times."""

    def __init__(self) -> None:
        super().__init__()
        c = _HEAD_CHANNELS
        self.conv1 = nn.Conv2d(1, c, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.layer1 = nn.Sequential(_Residual(2), _Residual(1))
        self.layer2 = nn.Sequential(_Residual(2), _Residual(1))
        self.conv2 = nn.Conv2d(c, c, 3, (2, 1), 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x[:, None])))
        x = self.layer2(self.layer1(x))
        x = torch.relu(self.bn2(self.conv2(x)))
        return x.flatten(1, 2)


def _normalized(channels: int, *, affine: bool = True) -> nn.Sequential:
    named = nn.Sequential()
    named.add_module("batchnorm", nn.BatchNorm1d(channels, affine=affine))
    return named


class _TimeDelay(nn.Module):
    """A convolution in time, then batch norm and ReLU."""

    def __init__(self, channels: int, out_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(
            channels, out_channels, width, stride, padding=width // 2, bias=False
        )
        self.nonlinear = _normalized(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.nonlinear(self.linear(x)))


class _ContextMask(nn.Module):
    """A dilated convolution whose output is weighted, channel by channel, by what is heard around
    it: in its second and in the whole recording."""

    def __init__(self, channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        self.linear_local = nn.Conv1d(
            channels, out_channels, 3, padding=dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(channels, channels // 2, 1)
        self.linear2 = nn.Conv1d(channels // 2, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        frames = x.shape[-1]
        segments = functional.avg_pool1d(x, _CONTEXT_FRAMES, _CONTEXT_FRAMES, ceil_mode=True)
        context = x.mean(dim=-1, keepdim=True) + segments
        # One mask for each segment; `repeat_interleave` after the small layers, not before.
        mask = torch.sigmoid(self.linear2(torch.relu(self.linear1(context))))
        mask = mask.repeat_interleave(_CONTEXT_FRAMES, dim=-1)[..., :frames]
        return self.linear_local(x) * mask


class _DenseLayer(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.nonlinear1 = _normalized(channels)
        self.linear1 = nn.Conv1d(channels, _BOTTLENECK, 1, bias=False)
        self.nonlinear2 = _normalized(_BOTTLENECK)
        self.cam_layer = _ContextMask(_BOTTLENECK, _GROWTH, dilation)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.linear1(torch.relu(self.nonlinear1(x)))
        return torch.cat([x, self.cam_layer(torch.relu(self.nonlinear2(inner)))], dim=1)


class _Projection(nn.Module):
    """Batch norm and ReLU, then a layer that halves the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.nonlinear = _normalized(channels)
        self.linear = nn.Conv1d(channels, channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(torch.relu(self.nonlinear(x)))


class _Embedding(nn.Module):
    """The statistics [batch, n] as an embedding [batch, 192].

    Batch norm is the end of it. Copies of the network that put a ReLU behind it score different
    speakers 0.43 instead of 0.18.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(channels, EMBEDDING_SIZE, 1, bias=False)
        self.nonlinear = _normalized(EMBEDDING_SIZE, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.nonlinear(self.linear(x[..., None])[..., 0])


def _body() -> nn.Sequential:
    """From [batch, 320, frames] to frames of 512 channels, 20 ms each."""
    body = nn.Sequential()
    channels = 128
    body.add_module("tdnn", _TimeDelay(_HEAD_CHANNELS * BANDS // 8, channels, width=5, stride=2))
    for number, (layers, dilation) in enumerate(_BLOCKS, start=1):
        block = nn.Sequential()
        for layer in range(1, layers + 1):
            block.add_module(f"tdnnd{layer}", _DenseLayer(channels, dilation))
            channels += _GROWTH
        body.add_module(f"block{number}", block)
        body.add_module(f"transit{number}", _Projection(channels))
        channels //= 2
    body.add_module("out_nonlinear", _normalized(channels))
    body.add_module("dense", _Embedding(2 * channels))
    return body


class CampplusEncoder(nn.Module):
    """CAM++ for 16 kHz mono speech in ±1; feed it speech without long silences."""

    mel_basis: Tensor
    window: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.head = _Head()
        self.xvector = _body()
        self.register_buffer("mel_basis", torch.from_numpy(kaldi_mel_filters()), persistent=False)
        # Kaldi's "povey" window
        window = torch.hann_window(WINDOW, periodic=False) ** 0.85
        self.register_buffer("window", window, persistent=False)

    def fbank(self, samples: Tensor) -> Tensor:
        """Log mel energies [batch, frames, 80] of 16 kHz samples [batch, n], 10 ms a frame.

        Kaldi's computation without dither; `n` must be a window, 400 samples, at least.
        """
        frames = samples.unfold(-1, WINDOW, HOP)
        frames = frames - frames.mean(dim=-1, keepdim=True)
        before = functional.pad(frames, (1, 0), mode="replicate")[..., :-1]
        frames = (frames - _PREEMPHASIS * before) * self.window
        spectrum = torch.fft.rfft(frames, _N_FFT)
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.matmul(power, self.mel_basis.T).clamp_min(_FLOOR).log()

    def forward(self, features: Tensor) -> Tensor:
        """Embeddings [batch, 192] of unit length for `fbank` frames [batch, frames, 80]."""
        features = features - features.mean(dim=1, keepdim=True)
        x = self.head(features.transpose(1, 2))
        for name, layer in self.xvector.named_children():
            if name == "dense":
                break
            x = layer(x)
        x = torch.relu(x)
        statistics = torch.cat([x.mean(dim=-1), _deviation(x)], dim=1)
        return functional.normalize(self.xvector.get_submodule("dense")(statistics))

    def embed_tensor(self, samples: Tensor) -> Tensor:
        """The embedding [192] of 16 kHz samples [n], with gradient.

        Speech of more than 20 s is embedded in equal pieces, whose mean counts.
        """
        pieces = samples.tensor_split(max(1, math.ceil(samples.shape[-1] / _LONGEST)), dim=-1)
        embeddings = [self(self.fbank(piece[None]))[0] for piece in pieces]
        return functional.normalize(torch.stack(embeddings).mean(dim=0), dim=0)

    @torch.no_grad()
    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """The embedding, float32 [192] of unit length, of mono speech at any sample rate.

        Raises BadInputError for silence or less than 0.2 s.
        """
        if sample_rate_hz != SAMPLE_RATE_HZ:
            import soxr

            samples = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")
        if samples.size < _LEAST_S * SAMPLE_RATE_HZ or not float(np.abs(samples).max()) > 1e-5:
            raise no_speech()
        tensor = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
        result = self.embed_tensor(tensor.to(self.mel_basis.device))
        return np.asarray(result.cpu().numpy(), dtype=np.float32)


def _deviation(x: Tensor) -> Tensor:
    """The standard deviation over time, with a gradient where nothing varies too."""
    return x.var(dim=-1, correction=1).clamp_min(1e-10).sqrt()


def load_campplus(weights: Path, device: str = "cpu") -> CampplusEncoder:
    """Loads 3D-Speaker's `campplus_cn_en_common.pt`."""
    with reading_weights(weights, _("speaker encoder")) as state:
        encoder = CampplusEncoder()
        encoder.load_state_dict(state)
    return encoder.to(device).eval().requires_grad_(False)
