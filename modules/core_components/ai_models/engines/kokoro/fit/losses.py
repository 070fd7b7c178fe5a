"""The loss of one rendered sentence: how far a style is from the sample's voice.

Four terms compare the rendering with the sample: a speaker encoder (CAM++; GE2E and the timbre
encoder where the options give them a weight), the long-term spectrum, the spectral envelope sound
by sound, and the pitch. Three regularizers keep what the starting voice does well: the style stays
near the stock voices (pull), the durations near the starting voice's (rhythm), and Whisper's
features near those of the starting voice's rendering (content). So a style that only exploits the
errors of the encoder is penalised by the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.inputs import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    EnvelopeAim,
    FitTarget,
    SampleFrames,
    disturb,
    envelope_distance,
    long_term_spectrum,
    middle_log_pitch,
    nearest_aim,
    normalize_level,
    shortfall,
    to_16k,
)
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    FRAME_SAMPLES,
    Phrase,
    Reading,
    aligned_aim,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import TimbreEncoder
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures


@dataclass(frozen=True, eq=False)
class Baseline:
    """One sentence as the starting voice says it, which the fit is compared with.

    `style` [1, 256], `alignment` [frames], `durations` [phonemes] in frames before rounding,
    `content` [frames of 20 ms, size] Whisper's features, `envelope` what the sample's speaker would
    sound like; both None without Whisper.
    """

    reading: Reading
    style: Tensor
    alignment: Tensor
    durations: Tensor
    content: Tensor | None
    log_pitch: float
    envelope: EnvelopeAim | None = None


@dataclass(frozen=True, eq=False)
class FitEncoders:
    """The models that render and compare, shared by all threads and only read.

    `encoder` is GE2E, `campplus` CAM++, `timbre` the timbre encoder, `features` Whisper's encoder,
    `frames` the sample's frames; the last three are None where the parts of the loss are not used.
    """

    kmodel: Any
    decoder: FastDecoder
    encoder: SpeakerEncoder
    campplus: CampplusEncoder
    timbre: TimbreEncoder | None
    features: WhisperFeatures | None
    frames: SampleFrames | None = None


def speak(
    encoders: FitEncoders,
    baseline: Baseline,
    style: Tensor,
    layers: Tensor,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Audio at 16 kHz [n] without outer silences, its pitch curve in Hz, and the durations.

    `style` [1, 256] colours and moves the voice, `layers` [layers, 128] are added per layer.
    """
    pitch, energy, durations = baseline.reading.curves(
        encoders.kmodel, style[:, 128:], baseline.alignment
    )
    source = encoders.decoder.excitation(pitch.detach(), generator)
    text = baseline.reading.text(baseline.alignment)
    audio = encoders.decoder(text, pitch, energy, style[:, :128] + layers, source)
    first, last = baseline.reading.spoken(baseline.alignment)
    speech = normalize_level(to_16k(audio[first * FRAME_SAMPLES : last * FRAME_SAMPLES]))
    return speech, pitch[:, 2 * first : 2 * last], durations


def render_baseline(
    encoders: FitEncoders, reading: Reading, style: Tensor, seed: int, phrase: Phrase | None = None
) -> Baseline:
    """The sentence in the starting style [1, 256]; `phrase` is the sample's recording of it."""
    with torch.no_grad():
        alignment = reading.alignment(encoders.kmodel, style[:, 128:])
        durations = reading.durations(encoders.kmodel, style[:, 128:])
        baseline = Baseline(reading, style, alignment, durations, None, 0.0)
        generator = torch.Generator().manual_seed(seed)
        audio, pitch, _ = speak(encoders, baseline, style, torch.zeros(1, 128), generator)
        log_pitch = float(middle_log_pitch(pitch)[0])
        if encoders.features is None:
            return Baseline(reading, style, alignment, durations, None, log_pitch)
        content = content_features(encoders.features, audio)
        aim = None
        if encoders.frames is not None and phrase is not None:
            aim = aligned_aim(encoders.features, encoders.frames.bands, phrase, audio)
        elif encoders.frames is not None:
            aim = nearest_aim(encoders.features, encoders.frames, audio)
    return Baseline(reading, style, alignment, durations, content, log_pitch, aim)


def content_features(features: WhisperFeatures, samples: Tensor) -> Tensor:
    """Whisper's last layer for 16 kHz audio [n], without each feature's mean: [frames, size]."""
    last = features(samples)[-1]
    return last - last.mean(dim=0)


def content_distance(features: WhisperFeatures, samples: Tensor, before: Tensor) -> Tensor:
    """1 - cosine between the content features and those `before`, mean over frames."""
    now = content_features(features, samples)
    count = min(len(now), len(before))
    return (1 - functional.cosine_similarity(now[:count], before[:count], dim=-1)).mean()


def rendering_loss(
    encoders: FitEncoders,
    target: FitTarget,
    baseline: Baseline,
    residual: Tensor,
    layers: Tensor,
    spread: Tensor,
    aim_log_pitch: float,
    options: FitOptions,
    generator: torch.Generator,
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one sentence and its parts; `residual` [256] and `layers` [layers, 128] are in
    units of `spread` [256], the stock voices' standard deviation."""
    style = baseline.style + residual * spread
    audio, pitch, durations = speak(encoders, baseline, style, layers * spread[:128], generator)
    disturbed = disturb(audio, generator)
    parts = {
        "spectrum": options.spectrum * _huber(long_term_spectrum(audio) - target.spectrum),
        "pull": options.pull * residual.square().mean(),
        "layer_pull": options.layer_pull * layers.square().sum() / 128,
    }
    if options.ge2e > 0:
        closeness = encoders.encoder.embed_tensor(disturbed, rate=2.0) @ target.ge2e
        parts["ge2e"] = options.ge2e * shortfall(closeness, target.ge2e_self)
    if options.campplus > 0:
        closeness = encoders.campplus.embed_tensor(disturbed) @ target.campplus
        parts["campplus"] = options.campplus * shortfall(closeness, target.campplus_self)
    if options.timbre > 0 and encoders.timbre is not None and target.timbre is not None:
        closeness = encoders.timbre.embed(disturbed) @ target.timbre
        parts["ear"] = options.timbre * shortfall(closeness, target.timbre_self)
    if options.envelope > 0 and baseline.envelope is not None and encoders.frames is not None:
        distance = envelope_distance(audio, baseline.envelope, encoders.frames.bands)
        parts["envelope"] = options.envelope * distance
    if target.log_pitch > 0:
        mean, wide = middle_log_pitch(pitch)
        off = ((mean - aim_log_pitch) / 0.2).square()
        wider = ((wide - target.log_pitch_spread) / 0.4).square()
        parts["pitch"] = options.pitch * (off + wider)
    if options.rhythm > 0:
        parts["rhythm"] = options.rhythm * (durations / baseline.durations).log().square().mean()
    if options.content > 0 and encoders.features is not None and baseline.content is not None:
        distance = content_distance(encoders.features, audio, baseline.content)
        parts["content"] = options.content * distance
    loss = torch.stack(list(parts.values())).sum()
    return loss, {name: float(part.detach()) for name, part in parts.items()}


def _huber(x: Tensor) -> Tensor:
    return functional.huber_loss(x, torch.zeros_like(x))
