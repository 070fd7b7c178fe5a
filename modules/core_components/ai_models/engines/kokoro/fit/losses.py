"""The loss of one rendering: how far a style is from the sample's voice, and why.

Five ears and three leashes. GE2E and the timbre ear say who it sounds like; spectrum and pitch
compare plain physics; the leashes keep the style near the stock voices (pull), the rhythm near the
starting voice's, and what Whisper understands near what it understood before. What only pleases
one encoder costs elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.state import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    EnvelopeAim,
    FitTarget,
    SampleFrames,
    disturb,
    envelope_distance,
    level,
    long_term_spectrum,
    middle_log_pitch,
    nearest_aim,
    shortfall,
    to_16k,
)
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    FRAME_SAMPLES,
    Phrase,
    Reading,
    aligned_aim,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import TimbreEar
from modules.core_components.ai_models.engines.speaker_encoder import SpeakerEncoder
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures


@dataclass(frozen=True, eq=False)
class Start:
    """One sentence as the starting voice says it: what the fit keeps and compares with.

    `style` [1, 256], `alignment` [frames], `durations` [phonemes] in frames before rounding,
    `content` [frames of 20 ms, size] or None.
    """

    reading: Reading
    style: Tensor
    alignment: Tensor
    durations: Tensor
    content: Tensor | None
    log_pitch: float
    envelope: EnvelopeAim | None = None


@dataclass(frozen=True, eq=False)
class Ears:
    """Everything that listens: shared by all threads, read only."""

    kmodel: Any
    decoder: FastDecoder
    encoder: SpeakerEncoder
    ear: TimbreEar | None
    features: WhisperFeatures | None
    frames: SampleFrames | None = None


def speak(
    ears: Ears, start: Start, style: Tensor, layers: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Audio at 16 kHz [n] without outer silences, its pitch curve in Hz, and the durations.

    `style` [1, 256] colours and moves the voice, `layers` [layers, 128] are added per layer.
    """
    pitch, energy, durations = start.reading.curves(ears.kmodel, style[:, 128:], start.alignment)
    source = ears.decoder.excitation(pitch.detach(), generator)
    text = start.reading.text(start.alignment)
    audio = ears.decoder(text, pitch, energy, style[:, :128] + layers, source)
    first, last = start.reading.spoken(start.alignment)
    heard = level(to_16k(audio[first * FRAME_SAMPLES : last * FRAME_SAMPLES]))
    return heard, pitch[:, 2 * first : 2 * last], durations


def prepare_start(
    ears: Ears, reading: Reading, style: Tensor, seed: int, phrase: Phrase | None = None
) -> Start:
    """The sentence in the starting style [1, 256]; `phrase` is the speaker saying it himself."""
    with torch.no_grad():
        alignment = reading.alignment(ears.kmodel, style[:, 128:])
        durations = reading.durations(ears.kmodel, style[:, 128:])
        start = Start(reading, style, alignment, durations, None, 0.0)
        generator = torch.Generator().manual_seed(seed)
        audio, pitch, _ = speak(ears, start, style, torch.zeros(1, 128), generator)
        log_pitch = float(middle_log_pitch(pitch)[0])
        if ears.features is None:
            return Start(reading, style, alignment, durations, None, log_pitch)
        content = understood(ears.features, audio)
        aim = None
        if ears.frames is not None and phrase is not None:
            aim = aligned_aim(ears.features, ears.frames.bands, phrase, audio)
        elif ears.frames is not None:
            aim = nearest_aim(ears.features, ears.frames, audio)
    return Start(reading, style, alignment, durations, content, log_pitch, aim)


def understood(features: WhisperFeatures, samples: Tensor) -> Tensor:
    """What Whisper makes of the audio: its last layer, each feature's mean removed."""
    last = features(samples)[-1]
    return last - last.mean(dim=0)


def content_distance(features: WhisperFeatures, samples: Tensor, before: Tensor) -> Tensor:
    """1 - cosine between what Whisper understands now and before, mean over frames."""
    now = understood(features, samples)
    count = min(len(now), len(before))
    return (1 - functional.cosine_similarity(now[:count], before[:count], dim=-1)).mean()


def rendering_loss(
    ears: Ears,
    target: FitTarget,
    start: Start,
    residual: Tensor,
    layers: Tensor,
    spread: Tensor,
    aim_log_pitch: float,
    options: FitOptions,
    generator: torch.Generator,
) -> tuple[Tensor, dict[str, float]]:
    """The loss of one sentence and its parts; `residual` [256] and `layers` [layers, 128] are in
    units of `spread` [256], the stock voices' standard deviation."""
    style = start.style + residual * spread
    audio, pitch, durations = speak(ears, start, style, layers * spread[:128], generator)
    disturbed = disturb(audio, generator)
    parts = {
        "ge2e": shortfall(
            ears.encoder.embed_tensor(disturbed, rate=2.0) @ target.ge2e, target.ge2e_self
        ),
        "spectrum": options.spectrum * _huber(long_term_spectrum(audio) - target.spectrum),
        "pull": options.pull * residual.square().mean(),
        "layer_pull": options.layer_pull * layers.square().sum() / 128,
    }
    if ears.ear is not None and target.ear is not None:
        closeness = ears.ear.embed(disturbed) @ target.ear
        parts["ear"] = options.ear * shortfall(closeness, target.ear_self)
    if options.envelope > 0 and start.envelope is not None and ears.frames is not None:
        distance = envelope_distance(audio, start.envelope, ears.frames.bands)
        parts["envelope"] = options.envelope * distance
    if target.log_pitch > 0:
        mean, wide = middle_log_pitch(pitch)
        off = ((mean - aim_log_pitch) / 0.2).square()
        wider = ((wide - target.log_pitch_spread) / 0.4).square()
        parts["pitch"] = options.pitch * (off + wider)
    if options.rhythm > 0:
        parts["rhythm"] = options.rhythm * (durations / start.durations).log().square().mean()
    if options.content > 0 and ears.features is not None and start.content is not None:
        distance = content_distance(ears.features, audio, start.content)
        parts["content"] = options.content * distance
    loss = torch.stack(list(parts.values())).sum()
    return loss, {name: float(part.detach()) for name, part in parts.items()}


def _huber(x: Tensor) -> Tensor:
    return functional.huber_loss(x, torch.zeros_like(x))
