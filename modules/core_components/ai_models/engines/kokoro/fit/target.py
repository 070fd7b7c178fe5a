"""What a fit aims at: measures of the sample, each of which a rendering is compared with.

All audio here is 16 kHz mono tensors [n]. Resampling and mel spectra are written in torch, since a
gradient passes through them, and the shipped embeddings of the stock voices were made with this
resampler. The pitch is read in one pass over all frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.whisper_features import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    WhisperFeatures,
)
from modules.core_components.audio.measure import INAUDIBLE
from modules.core_components.audio.mel import mel_filters
from modules.core_components.audio.sample_quality import MIN_SPEECH_S, too_little_speech
from modules.core_components.errors import BadInputError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray

LEVEL = 0.06  # RMS that audio is brought to before it is compared
_PITCH_LOW_HZ, _PITCH_HIGH_HZ = 60.0, 400.0
_LONGEST_S = 60.0


@dataclass(frozen=True, eq=False)
class FitTarget:
    """The sample in numbers: `ge2e` [256], `timbre` [k] or None, `spectrum` [48] (log power of
    the long-term average, mean 0), log pitch (Hz) as mean and spread.

    `ge2e_self` and `timbre_self` are the cosines of two seconds of the sample with the rest of it:
    a rendering need not be more similar than that.
    """

    ge2e: Tensor
    campplus: Tensor
    timbre: Tensor | None
    spectrum: Tensor
    log_pitch: float
    log_pitch_spread: float
    ge2e_self: float
    campplus_self: float
    timbre_self: float


def split_sample(
    sample: FloatArray, sample_rate_hz: int, share: float
) -> tuple[FloatArray, FloatArray]:
    """The part to fit on and the part to judge by, both at 16 kHz; a minute at most is used.

    Raises BadInputError for less than two seconds.
    """
    import soxr

    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise BadInputError(_("The sample is not one channel of finite numbers."))
    seconds = len(sample) / sample_rate_hz
    if seconds < MIN_SPEECH_S or float(np.abs(sample).max(initial=0.0)) < INAUDIBLE:
        raise too_little_speech(seconds)
    x = sample[: int(_LONGEST_S * sample_rate_hz)].astype(np.float32)
    if sample_rate_hz != SAMPLE_RATE_HZ:
        x = np.asarray(soxr.resample(x, sample_rate_hz, SAMPLE_RATE_HZ, quality="HQ"), np.float32)
    cut = len(x) - max(int(share * len(x)), int(0.8 * SAMPLE_RATE_HZ))
    return np.ascontiguousarray(x[:cut]), np.ascontiguousarray(x[cut:])


def self_similarity(vectors: list[Tensor], usual: float) -> float:
    """Mean cosine of each unit vector with the mean of the others; `usual` below three."""
    if len(vectors) < 3:
        return usual
    stack = torch.stack(vectors)
    others = (stack.sum(dim=0) - stack) / (len(vectors) - 1)
    return float((stack * others / others.norm(dim=1, keepdim=True)).sum(dim=1).mean())


def shortfall(closeness: Tensor, enough: float) -> Tensor:
    """How much is missing to `enough`, smoothly nothing beyond it (a softplus 0.03 wide)."""
    return functional.softplus((enough - closeness) / 0.03) * 0.03


def normalize_level(samples: Tensor) -> Tensor:
    """The samples at RMS `LEVEL`."""
    return samples / (samples.square().mean().sqrt() + 1e-5) * LEVEL


def long_term_spectrum(samples: Tensor) -> Tensor:
    """Log of the mean power in 48 mel bands up to 7.6 kHz over the speech frames, minus its mean.

    Bands far below the rest (beyond a telephone's range) are floored, or silence would be matched.
    """
    window = torch.hann_window(512)
    spectrum = torch.stft(normalize_level(samples), 512, 160, window=window, return_complex=True)
    power = _mel_48() @ (spectrum.real.square() + spectrum.imag.square())
    frame = power.sum(dim=0)
    speech = (frame > frame.max() * 1e-3).float()
    mean = torch.log((power * speech).sum(dim=1) / speech.sum() + 1e-7)
    return mean - mean.mean()


def pitch_statistics(samples: Tensor) -> tuple[float, float]:
    """Mean and spread of the log pitch of voiced frames, 60 to 400 Hz (0, 0 without any).

    Autocorrelation divided by that of its window (Boersma 1993), the shortest good lag taken.
    """
    size, hop = 1280, 160
    if len(samples) < size:
        return 0.0, 0.0
    frames = samples.unfold(0, size, hop)
    frames = frames - frames.mean(dim=1, keepdim=True)
    window = torch.hann_window(size)
    power = torch.fft.rfft(frames * window, 4096).abs().square()
    own = torch.fft.irfft(torch.fft.rfft(window, 4096).abs().square())[:400]
    correlation = torch.fft.irfft(power)[:, :400]
    correlation = correlation / (correlation[:, :1] + 1e-9) / (own / own[0])
    low, high = int(SAMPLE_RATE_HZ / _PITCH_HIGH_HZ), int(SAMPLE_RATE_HZ / _PITCH_LOW_HZ)
    part = correlation[:, low:high]
    best, lag = part.max(dim=1)
    peak = (part >= functional.max_pool1d(part[:, None], 9, 1, 4)[:, 0]) & (
        part > 0.9 * best[:, None]
    )
    lag = torch.where(peak.any(dim=1), peak.float().argmax(dim=1), lag)
    energy = frames.square().mean(dim=1)
    voiced = (best > 0.6) & (energy > energy.max() * 1e-3)
    if int(voiced.sum()) < 10:
        return 0.0, 0.0
    log_pitch = torch.log(SAMPLE_RATE_HZ / (lag[voiced] + low).float())
    return float(log_pitch.median()), float(log_pitch.std().clamp(0.08, 0.35))


def middle_log_pitch(curve: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of the middle half, and spread, of a predicted pitch curve's log (Hz), with gradient."""
    voiced = curve[curve > _PITCH_LOW_HZ].sort().values
    if voiced.numel() < 8:
        return curve.mean() * 0 + float(np.log(_PITCH_LOW_HZ)), curve.mean() * 0
    log_pitch = voiced.log()
    quarter = len(voiced) // 4
    return log_pitch[quarter : 3 * quarter].mean(), log_pitch.std()


def to_16k(samples_24k: Tensor) -> Tensor:
    """24 kHz to 16 kHz with gradient: polyphase 2/3 with a Kaiser low-pass at 7.6 kHz."""
    doubled = torch.stack([samples_24k, torch.zeros_like(samples_24k)], dim=1).reshape(-1)
    kernel = _resampler()
    padded = functional.pad(doubled, (len(kernel) // 2, len(kernel) // 2))
    return functional.conv1d(padded[None, None], kernel[None, None], stride=3)[0, 0]


def disturb(samples: Tensor, generator: torch.Generator) -> Tensor:
    """The samples with another beginning, spectral tilt, noise and level, drawn at random.

    A speaker's embedding should not depend on these. Augmented so, a fit cannot exploit details of
    the signal to which the encoder is oversensitive.
    """
    start, tilt, noise_db, gain_db = torch.rand(4, generator=generator).tolist()
    y = samples[int(start * 0.1 * SAMPLE_RATE_HZ) :]
    y = y - (0.5 * tilt - 0.25) * functional.pad(y, (1, 0))[:-1]
    noise = torch.randn(y.shape, generator=generator)
    y = y + noise * LEVEL * 10 ** (-(22 + 23 * noise_db) / 20)
    return y * 10 ** ((8 * gain_db - 4) / 20)


@cache
def _mel_48() -> Tensor:
    return torch.from_numpy(mel_filters(SAMPLE_RATE_HZ, 512, 48, 7600))


@cache
def _resampler() -> Tensor:
    taps = np.arange(-64, 65)
    cutoff = 2 * 7600 / 48_000
    kernel = 2 * cutoff * np.sinc(cutoff * taps) * np.kaiser(129, 8.0)
    return torch.from_numpy(kernel.astype(np.float32))


# -- The spectral envelope, sound by sound ---------------------------------------------------------
# Every frame of a rendering is compared with those frames of the sample in which, by Whisper's
# features, the same sound was said. The match is that of kNN-VC (Baas et al. 2023), which replaces
# frames by their nearest neighbours in another speaker's recording.

_BANDS, _TOP_HZ, _WINDOW = 28, 7600, 1024  # wide bands: formants, not the harmonics of the pitch
_NEIGHBOURS, _SHARPNESS = 4, 0.05
_LONGEST_S = 28  # Whisper takes thirty seconds at once
# A band this far below the loudest (natural logarithm of power) was cut off by the recording.
_BAND_FLOOR = 11.0


@dataclass(frozen=True, eq=False)
class SpeechFrames:
    """Speech in frames of 20 ms: `content` unit vectors [n, size], `envelopes` [n, bands] in log
    power without their mean, and which of them hold `speech` [n]."""

    content: Tensor
    envelopes: Tensor
    speech: Tensor


@dataclass(frozen=True, eq=False)
class SampleFrames:
    """The sample's speech `frames`; `bands` [bands] is 1 where the recording has a band, else 0."""

    frames: SpeechFrames
    bands: Tensor


@dataclass(frozen=True, eq=False)
class EnvelopeAim:
    """For each 20 ms frame of one sentence the speaker's `envelope` [frames, bands] and how much
    it counts, `weight` [frames]."""

    envelope: Tensor
    weight: Tensor


def describe_frames(features: WhisperFeatures, samples: Tensor, bands: Tensor) -> SpeechFrames:
    """16 kHz speech [n] of up to 30 s, frame by frame, without gradient."""
    with torch.no_grad():
        last = features(samples)[-1]
        content = functional.normalize(last - last.mean(dim=0), dim=1)
        envelopes, speech = _envelopes(samples)
        count = min(len(content), len(envelopes))
        return SpeechFrames(
            content[:count], _without_level(envelopes[:count], bands), speech[:count]
        )


def sample_frames(features: WhisperFeatures, samples: Tensor) -> SampleFrames:
    """The frames of 16 kHz speech [n] that sentences can be matched with."""
    envelopes, speech = _envelopes(samples)
    mean = envelopes[speech].exp().mean(dim=0).log()
    bands = (mean > mean.max() - _BAND_FLOOR).float()
    pieces = [
        describe_frames(features, piece, bands)
        for number, piece in enumerate(samples.split(_LONGEST_S * SAMPLE_RATE_HZ))
        if number == 0 or len(piece) > SAMPLE_RATE_HZ
    ]
    speech = torch.cat([piece.speech for piece in pieces])
    content = torch.cat([piece.content for piece in pieces])[speech]
    found = torch.cat([piece.envelopes for piece in pieces])[speech]
    return SampleFrames(SpeechFrames(content, found, speech[speech]), bands)


def nearest_aim(features: WhisperFeatures, frames: SampleFrames, rendering: Tensor) -> EnvelopeAim:
    """The speaker's envelope for each frame of a rendering [n] at 16 kHz, from similar frames."""
    with torch.no_grad():
        ours, theirs = describe_frames(features, rendering, frames.bands), frames.frames
        closeness = ours.content @ theirs.content.T
        best = closeness.topk(min(_NEIGHBOURS, closeness.shape[1]), dim=1)
        share = torch.softmax(best.values / _SHARPNESS, dim=1)
        aim = (share[:, :, None] * theirs.envelopes[best.indices]).sum(dim=1)
        weight = ours.speech * best.values[:, 0].clamp_min(0)
        return EnvelopeAim(aim, weight / weight.sum().clamp_min(1e-6))


def envelope_distance(samples: Tensor, aim: EnvelopeAim, bands: Tensor) -> Tensor:
    """Mean Huber distance of the log envelopes of a rendering [n] from its aim, with gradient."""
    envelope, _unused = _envelopes(samples)
    count = min(len(envelope), len(aim.weight))
    off = (_without_level(envelope[:count], bands) - aim.envelope[:count]) * bands
    each = functional.huber_loss(off, torch.zeros_like(off), reduction="none")
    return (each.sum(dim=1) / bands.sum() * aim.weight[:count]).sum()


def _envelopes(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Log power in mel bands [frames, bands] each 20 ms, and which frames hold speech."""
    window = torch.hann_window(_WINDOW)
    spectrum = torch.stft(samples, _WINDOW, FRAME_SAMPLES, window=window, return_complex=True)
    power = (_filters() @ (spectrum.real.square() + spectrum.imag.square())).T
    loudness = power.detach().sum(dim=1)
    floor = loudness.max() * 1e-6
    return torch.log(power + floor + 1e-8), loudness > loudness.max() * 1e-3


def _without_level(envelopes: Tensor, bands: Tensor) -> Tensor:
    mean = (envelopes * bands).sum(dim=1, keepdim=True) / bands.sum()
    return (envelopes - mean) * bands


@cache
def _filters() -> Tensor:
    return torch.from_numpy(mel_filters(SAMPLE_RATE_HZ, _WINDOW, _BANDS, _TOP_HZ))
