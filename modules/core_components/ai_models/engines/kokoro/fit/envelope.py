"""What this speaker's spectrum looks like while he says this very sound.

Encoders give one opinion for a whole utterance; here every frame of a rendering is compared with
those moments of the sample in which, to Whisper, the same thing was said. The match by content is
that of kNN-VC (Baas et al. 2023), which replaces frames by their nearest neighbours in another
speaker's recording; here the neighbours are what a style is moved towards. It is no speaker
encoder, so no speaker encoder's blind spots can be exploited by following it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.whisper_features import (
    FRAME_SAMPLES,
    SAMPLE_RATE_HZ,
    WhisperFeatures,
)
from modules.core_components.audio.mel import mel_filters

_BANDS, _TOP_HZ, _WINDOW = 28, 7600, 1024  # wide bands: formants, not the harmonics of the pitch
_NEIGHBOURS, _SHARPNESS = 4, 0.05
_LONGEST_S = 28  # Whisper hears thirty seconds at once
# A band this far below the loudest (natural logarithm of power) was cut off by the recording.
_BAND_FLOOR = 11.0


@dataclass(frozen=True, eq=False)
class Moments:
    """Speech in frames of 20 ms: `content` unit vectors [n, size], `envelopes` [n, bands] in log
    power without their mean, and which of them hold `speech` [n]."""

    content: Tensor
    envelopes: Tensor
    speech: Tensor


@dataclass(frozen=True, eq=False)
class SampleFrames:
    """The sample's speech frames; `bands` [bands] is 1 where the recording has the band, else 0."""

    moments: Moments
    bands: Tensor


@dataclass(frozen=True, eq=False)
class EnvelopeAim:
    """For each 20 ms frame of one sentence the speaker's `envelope` [frames, bands] and how much
    it counts, `weight` [frames]."""

    envelope: Tensor
    weight: Tensor


def moments(features: WhisperFeatures, samples: Tensor, bands: Tensor) -> Moments:
    """16 kHz speech [n] of up to 30 s, moment by moment, without gradient."""
    with torch.no_grad():
        last = features(samples)[-1]
        content = functional.normalize(last - last.mean(dim=0), dim=1)
        envelopes, speech = _envelopes(samples)
        count = min(len(content), len(envelopes))
        return Moments(content[:count], _without_level(envelopes[:count], bands), speech[:count])


def sample_frames(features: WhisperFeatures, samples: Tensor) -> SampleFrames:
    """The frames of 16 kHz speech [n] that sentences can be matched with."""
    envelopes, speech = _envelopes(samples)
    mean = envelopes[speech].exp().mean(dim=0).log()
    bands = (mean > mean.max() - _BAND_FLOOR).float()
    pieces = [
        moments(features, piece, bands)
        for number, piece in enumerate(samples.split(_LONGEST_S * SAMPLE_RATE_HZ))
        if number == 0 or len(piece) > SAMPLE_RATE_HZ
    ]
    speech = torch.cat([piece.speech for piece in pieces])
    content = torch.cat([piece.content for piece in pieces])[speech]
    found = torch.cat([piece.envelopes for piece in pieces])[speech]
    return SampleFrames(Moments(content, found, speech[speech]), bands)


def nearest_aim(features: WhisperFeatures, frames: SampleFrames, rendering: Tensor) -> EnvelopeAim:
    """What the speaker's envelope would be in each frame of a rendering [n] at 16 kHz."""
    with torch.no_grad():
        ours, theirs = moments(features, rendering, frames.bands), frames.moments
        closeness = ours.content @ theirs.content.T
        best = closeness.topk(min(_NEIGHBOURS, closeness.shape[1]), dim=1)
        share = torch.softmax(best.values / _SHARPNESS, dim=1)
        aim = (share[:, :, None] * theirs.envelopes[best.indices]).sum(dim=1)
        weight = ours.speech * best.values[:, 0].clamp_min(0)
        return EnvelopeAim(aim, weight / weight.sum().clamp_min(1e-6))


def envelope_distance(samples: Tensor, aim: EnvelopeAim, bands: Tensor) -> Tensor:
    """Mean Huber distance of the log envelopes of a rendering [n] from its aim, with gradient."""
    envelope, _ = _envelopes(samples)
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
