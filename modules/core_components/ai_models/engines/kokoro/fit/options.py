"""Every parameter of a voice fit. The prompt cache hashes them all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitOptions:
    """Weights are relative to the GE2E distance, whose weight is 1. The defaults are where
    docs/voice_fit_study.md stands; it says which of them rest on a single speaker."""

    seed: int = 0
    steps: int = 28
    sentences_per_step: int = 2
    sentences: int = 12  # how many of the training sentences to use
    learning_rate: float = 0.08  # in standard deviations of the stock voices
    layer_rate: float = 0.5  # learning rate of the layers' own styles, relative
    ear: float = 0.5  # the timbre ear's distance
    spectrum: float = 0.2  # long-term spectrum
    envelope: float = 0.2  # the spectral envelope, sound by sound (`fit_envelope`)
    pitch: float = 0.15  # mean and spread of log pitch
    pitch_share: float = 0.6  # how far of the way to the sample's pitch to aim
    rhythm: float = 0.3  # durations stay near the starting voice's
    content: float = 1.0  # what Whisper understands stays near the starting voice's
    guard_content: float = 2.0  # the same, when the guard chooses the strength
    pull: float = 0.04  # the shared style stays near the stock voices
    layer_pull: float = 0.06  # the layers' own styles stay near the shared one
    held_out: float = 0.15  # share of the sample kept for the final figure
    threads: int = 2  # sentences worked on at once; does not change the result
