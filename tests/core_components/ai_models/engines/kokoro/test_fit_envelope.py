"""The speaker's spectrum sound by sound, on two made-up voices that say the same sounds.

A sound is noise around one frequency; the second voice has it a quarter higher. What is said is
known here, so that it stands in for Whisper's features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.target import (
    EnvelopeAim,
    envelope_distance,
    nearest_aim,
    sample_frames,
)
from modules.core_components.ai_models.engines.kokoro.fit.text import Phrase, aligned_aim

FRAME = 320
PITCHES_HZ = (500.0, 1200.0, 2400.0, 4000.0)


class Content:
    """Stands in for Whisper: gives the sound of each frame of the recordings it knows."""

    def __init__(self) -> None:
        self._sounds: dict[int, Tensor] = {}

    def __call__(self, samples: Tensor) -> list[Tensor]:
        return [torch.eye(len(PITCHES_HZ))[self._sounds[len(samples)]]]

    def recording(self, sounds: list[int], frames_each: int, higher: float = 1.0) -> Tensor:
        """The sounds one after the other, each for so many frames of 20 ms."""
        rng = np.random.default_rng(1)
        parts = []
        for sound in sounds:
            count = frames_each * FRAME
            spectrum = np.fft.rfft(rng.normal(size=count))
            frequency = np.fft.rfftfreq(count, 1 / 16_000)
            width = 0.15 * PITCHES_HZ[sound]
            spectrum *= (
                np.exp(-0.5 * ((frequency - higher * PITCHES_HZ[sound]) / width) ** 2) + 0.02
            )
            part = np.fft.irfft(spectrum, count)
            parts.append(0.05 * part / part.std())
        samples = torch.tensor(np.concatenate(parts), dtype=torch.float32)
        self._sounds[len(samples)] = torch.tensor(sounds).repeat_interleave(frames_each)
        return samples


@pytest.fixture
def content() -> Any:
    return Content()


def test_each_sound_is_aimed_at_the_speakers_own(content: Any) -> None:
    speaker = content.recording([2, 0, 3, 1, 0, 2], 12, higher=1.25)
    ours = content.recording([0, 1, 2, 3], 13)
    frames = sample_frames(content, speaker)
    aim = nearest_aim(content, frames, ours)
    as_speaker = content.recording([0, 1, 2, 3], 13, higher=1.25)
    assert float(aim.weight.sum()) == pytest.approx(1.0)
    near = float(envelope_distance(as_speaker, aim, frames.bands))
    assert near < 0.6 * float(envelope_distance(ours, aim, frames.bands))


def test_his_own_words_are_laid_beside_ours_however_fast_he_was(content: Any) -> None:
    sounds = [0, 1, 2, 3, 1]
    slow = content.recording(sounds, 20, higher=1.25)
    ours = content.recording(sounds, 11)
    frames = sample_frames(content, slow)
    aim = aligned_aim(content, frames.bands, Phrase("", slow), ours)
    as_speaker = content.recording(sounds, 11, higher=1.25)
    near = float(envelope_distance(as_speaker, aim, frames.bands))
    assert near < 0.6 * float(envelope_distance(ours, aim, frames.bands))


def test_what_does_not_fit_together_does_not_count(content: Any) -> None:
    theirs = content.recording([0] * 5, 11)
    ours = content.recording([3] * 5, 10)
    aim = aligned_aim(content, torch.ones(28), Phrase("", theirs), ours)
    assert float(aim.weight.sum()) == 0.0


def test_bands_beyond_the_recording_are_left_out(content: Any) -> None:
    speaker = content.recording([0, 1, 0, 1], 20)
    spectrum = torch.fft.rfft(speaker)
    spectrum[torch.fft.rfftfreq(len(speaker), 1 / 16_000) > 3400] = 0
    narrow = torch.fft.irfft(spectrum, len(speaker))
    bands = sample_frames(content, narrow).bands
    assert bands[:15].all()
    assert not bands[-6:].any()


def test_loudness_is_no_matter_and_the_gradient_shows_the_way(content: Any) -> None:
    speaker = content.recording([0, 1, 2, 3], 20, higher=1.25)
    ours = content.recording([0, 1, 2, 3], 12)
    frames = sample_frames(content, speaker)
    aim: EnvelopeAim = nearest_aim(content, frames, ours)
    here = envelope_distance(ours, aim, frames.bands)
    assert float(envelope_distance(4 * ours, aim, frames.bands)) == pytest.approx(
        float(here), rel=1e-3
    )
    leaf = ours.clone().requires_grad_(True)
    envelope_distance(leaf, aim, frames.bands).backward()
    assert leaf.grad is not None
    step = 1e-3 * leaf.grad / leaf.grad.norm() * ours.norm()
    assert float(envelope_distance(ours - step, aim, frames.bands)) < float(here)
