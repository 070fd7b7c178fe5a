"""The GE2E speaker encoder: speaker embeddings [256], differentiable from the waveform on.

Wan et al., "Generalized End-to-End Loss for Speaker Verification" (2018), with the weights of
the package resemblyzer 0.1.4: a 3-layer LSTM over mel power frames, a linear layer, ReLU and
L2 norm. The front end is librosa's `melspectrogram` (slaney scale and norm) written in torch, so
that a gradient reaches the audio; the averaging over partial windows is resemblyzer's.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from modules.core_components.ai_models.engines.listening_network import reading_weights
from modules.core_components.audio.mel import mel_filters
from modules.core_components.audio.refusals import no_speech
from modules.core_components.texts import _
from modules.core_components.values import FloatArray

SAMPLE_RATE_HZ = 16_000
N_MELS = 40
N_FFT = 400  # 25 ms
HOP = 160  # 10 ms
PARTIAL_FRAMES = 160  # 1.6 s, the length the encoder was trained on
EMBEDDING_SIZE = 256
_TARGET_DBFS = -30.0


class SpeakerEncoder(nn.Module):
    """GE2E encoder for 16 kHz mono speech; feed it speech without long silences."""

    mel_basis: Tensor
    window: Tensor

    def __init__(self, hidden_size: int = 256, layers: int = 3) -> None:
        super().__init__()
        self.lstm = nn.LSTM(N_MELS, hidden_size, layers, batch_first=True)
        self.linear = nn.Linear(hidden_size, EMBEDDING_SIZE)
        self.register_buffer(
            "mel_basis",
            torch.from_numpy(mel_filters(SAMPLE_RATE_HZ, N_FFT, N_MELS)),
            persistent=False,
        )
        self.register_buffer("window", torch.hann_window(N_FFT), persistent=False)

    def mel(self, samples: Tensor) -> Tensor:
        """Mel power frames [batch, frames, 40] of 16 kHz samples [batch, n] (10 ms a frame)."""
        spectrum = torch.stft(
            samples, N_FFT, HOP, window=self.window, center=True, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        power = spectrum.real.square() + spectrum.imag.square()
        return torch.matmul(self.mel_basis, power).transpose(1, 2)

    def forward(self, mels: Tensor) -> Tensor:
        """Embeddings [batch, 256] of unit length for mel windows [batch, frames, 40]."""
        _unused, (hidden, _unused) = self.lstm(mels)
        raw = torch.relu(self.linear(hidden[-1]))
        return raw / raw.norm(dim=1, keepdim=True).clamp_min(1e-8)

    def embed_tensor(
        self, samples: Tensor, rate: float = 1.3, min_coverage: float = 0.75
    ) -> Tensor:
        """The embedding [256] of 16 kHz samples [n], with gradient.

        `rate` is the number of 1.6 s windows a second; a last window covered less than
        `min_coverage` is left out (resemblyzer's `compute_partial_slices`).
        """
        samples = normalize_volume(samples)
        count = samples.shape[-1]
        starts = partial_starts(count, rate, min_coverage)
        missing = (starts[-1] + PARTIAL_FRAMES) * HOP - count
        if missing >= 0:
            samples = nn.functional.pad(samples, (0, missing))
        mels = self.mel(samples[None])[0]
        windows = torch.stack([mels[i : i + PARTIAL_FRAMES] for i in starts])
        mean = self(windows).mean(dim=0)
        return mean / mean.norm().clamp_min(1e-8)

    @torch.no_grad()
    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        """The embedding, float32 [256] of unit length, of mono speech at any sample rate.

        Raises BadInputError for silence or less than 0.2 s.
        """
        if sample_rate_hz != SAMPLE_RATE_HZ:
            import soxr

            samples = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ")
        if samples.size < 0.2 * SAMPLE_RATE_HZ or not float(np.abs(samples).max()) > 1e-5:
            raise no_speech()
        tensor = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
        result = self.embed_tensor(tensor.to(self.mel_basis.device))
        return np.asarray(result.cpu().numpy(), dtype=np.float32)


def load_speaker_encoder(weights: Path, device: str = "cpu") -> SpeakerEncoder:
    """Loads resemblyzer's `pretrained.pt`."""
    with reading_weights(weights, _("speaker encoder")) as kept:
        state = kept["model_state"]
        encoder = SpeakerEncoder(hidden_size=state["lstm.weight_hh_l0"].shape[1])
        # The file also holds the training loss's two scalars.
        encoder.load_state_dict({k: v for k, v in state.items() if not k.startswith("similarity")})
    return encoder.to(device).eval().requires_grad_(False)


def similarity(a: FloatArray, b: FloatArray) -> float:
    """Cosine of two embeddings of unit length: 1 is the same voice, different speakers are near
    0.5.
    """
    return float(np.dot(a, b))


def normalize_volume(samples: Tensor, target_dbfs: float = _TARGET_DBFS) -> Tensor:
    """Raise quiet audio to `target_dbfs` (RMS); louder audio stays (resemblyzer's rule)."""
    level = 10 * torch.log10(samples.square().mean().clamp_min(1e-12))
    return samples * 10 ** ((target_dbfs - level).clamp_min(0.0) / 20)


def partial_starts(count: int, rate: float, min_coverage: float) -> list[int]:
    """First frames of the 1.6 s windows over `count` samples."""
    frames = math.ceil((count + 1) / HOP)
    step = round(SAMPLE_RATE_HZ / rate / HOP)
    starts = list(range(0, max(1, frames - PARTIAL_FRAMES + step + 1), step))
    coverage = (count - starts[-1] * HOP) / (PARTIAL_FRAMES * HOP)
    return starts[:-1] if coverage < min_coverage and len(starts) > 1 else starts
