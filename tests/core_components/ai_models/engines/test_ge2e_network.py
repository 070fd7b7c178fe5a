"""The speaker encoder's front end is the usual one, and gradients reach the waveform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.transforms import MelSpectrogram

from modules.core_components.ai_models.engines.ge2e_network import (
    SpeakerEncoder,
    load_speaker_encoder,
    partial_starts,
    similarity,
)
from modules.core_components.audio.resample import resample
from modules.core_components.errors import StudioError


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SpeakerEncoder(hidden_size=8, layers=1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.normal(size=40_000) * np.sin(np.arange(40_000) / 900)).astype(np.float32)


def test_mel_frames_are_torchaudios(encoder: SpeakerEncoder, speech: np.ndarray) -> None:
    """With the settings that librosa has by default, which is how the encoder was trained."""
    ours = encoder.mel(torch.from_numpy(speech)[None])[0].numpy()
    spectrogram = MelSpectrogram(
        16_000, n_fft=400, hop_length=160, n_mels=40,
        norm="slaney", mel_scale="slaney", pad_mode="constant",
    )  # fmt: skip
    theirs = spectrogram(torch.from_numpy(speech)).T.numpy()
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("seconds", "starts"), [(0.5, [0]), (1.6, [0]), (2.5, [0, 77]), (4.0, [0, 77, 154, 231])]
)
def test_windows_are_resemblyzers(seconds: float, starts: list[int]) -> None:
    assert partial_starts(int(seconds * 16_000), 1.3, 0.75) == starts


def test_an_embedding_has_unit_length_at_any_rate(
    encoder: SpeakerEncoder, speech: np.ndarray
) -> None:
    embedding = encoder.embed(speech, 16_000)
    assert embedding.shape == (256,)
    assert embedding.dtype == np.float32
    assert similarity(embedding, embedding) == pytest.approx(1.0, abs=1e-5)
    other = encoder.embed(resample(speech, 16_000, 24_000), 24_000)
    assert similarity(embedding, other) > 0.98


def test_a_gradient_reaches_the_waveform(encoder: SpeakerEncoder, speech: np.ndarray) -> None:
    samples = torch.from_numpy(speech).requires_grad_(True)
    encoder.embed_tensor(samples)[:100].sum().backward()
    assert samples.grad is not None
    assert float(samples.grad.abs().max()) > 0


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.float32), np.ones(100, np.float32)])
def test_silence_and_snippets_are_refused(encoder: SpeakerEncoder, samples: np.ndarray) -> None:
    with pytest.raises(StudioError, match="no speech"):
        encoder.embed(samples, 16_000)


def test_weights_come_back_from_a_file(encoder: SpeakerEncoder, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    with torch.random.fork_rng(devices=[]):
        whole = SpeakerEncoder()
    state = {**whole.state_dict(), "similarity_weight": torch.ones(1)}
    torch.save({"model_state": state}, path)
    loaded = load_speaker_encoder(path)
    assert torch.equal(loaded.linear.weight, whole.linear.weight)
    path.write_bytes(b"no weights")
    with pytest.raises(StudioError, match="is damaged"):
        load_speaker_encoder(path)
