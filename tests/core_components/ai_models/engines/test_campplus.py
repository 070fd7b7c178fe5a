"""CAM++: its front end is Kaldi's, harmed files are refused, and the pool holds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from modules.core_components.ai_models import ASRManager
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.engines import campplus
from modules.core_components.ai_models.engines.campplus_network import (
    CampplusEncoder,
    load_campplus,
)
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import StudioError
from modules.core_components.settings import Settings
from modules.core_components.values import FloatArray, Speech


@pytest.fixture(scope="module")
def encoder() -> CampplusEncoder:
    """The real network with random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CampplusEncoder().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def speech() -> FloatArray:
    rng = np.random.default_rng(0)
    return (0.1 * rng.normal(size=24_000) * np.sin(np.arange(24_000) / 900)).astype(np.float32)


def test_frames_are_kaldis(encoder: CampplusEncoder, speech: FloatArray) -> None:
    samples = torch.from_numpy(speech)[None]
    theirs = kaldi.fbank(samples, num_mel_bins=80, sample_frequency=16_000, dither=0.0)
    ours = encoder.fbank(samples)[0]
    assert ours.shape == theirs.shape
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_a_gradient_reaches_the_waveform(encoder: CampplusEncoder, speech: FloatArray) -> None:
    samples = torch.from_numpy(speech).requires_grad_(True)
    encoder.embed_tensor(samples)[:50].sum().backward()
    assert samples.grad is not None
    assert bool(torch.isfinite(samples.grad).all())
    assert float(samples.grad.abs().max()) > 0


def test_an_embedding_does_not_depend_on_level_or_rate(
    encoder: CampplusEncoder, speech: FloatArray
) -> None:
    embedding = encoder.embed(speech, 16_000)
    assert (embedding.shape, embedding.dtype) == ((192,), np.float32)
    assert np.linalg.norm(embedding) == pytest.approx(1.0, abs=1e-5)
    assert float(embedding @ encoder.embed(2 * speech, 16_000)) > 0.999
    assert float(embedding @ encoder.embed(np.repeat(speech, 2), 32_000)) > 0.9


def test_long_speech_is_embedded_in_pieces(encoder: CampplusEncoder, speech: FloatArray) -> None:
    """Twenty seconds are the most for one; the mean of the pieces counts."""
    half = np.tile(speech, 9)  # 13.5 s
    whole = encoder.embed(np.tile(speech, 18), 16_000)
    np.testing.assert_allclose(whole, encoder.embed(half, 16_000), atol=1e-5)


@pytest.mark.parametrize("samples", [np.zeros(16_000, np.float32), np.ones(100, np.float32)])
def test_silence_and_snippets_are_refused(encoder: CampplusEncoder, samples: FloatArray) -> None:
    with pytest.raises(StudioError, match="no speech"):
        encoder.embed(samples, 16_000)


def test_harmed_files_are_refused(encoder: CampplusEncoder, tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    state = encoder.state_dict()
    torch.save(state, path)
    loaded = load_campplus(path)
    assert torch.equal(loaded.head.conv1.weight, encoder.head.conv1.weight)
    whole = path.read_bytes()
    lacking = {name: value for name, value in state.items() if "dense" not in name}
    for harm in (b"no weights", whole[: len(whole) // 2], lacking, [1], {"head": 1}):
        if isinstance(harm, bytes):
            path.write_bytes(harm)
        else:
            torch.save(harm, path)
        with pytest.raises(StudioError, match="is damaged"):
            load_campplus(path)
    with pytest.raises(StudioError, match="is damaged"):
        load_campplus(tmp_path / "nothing.pt")


def test_the_handle_loads_into_the_pool(
    encoder: CampplusEncoder,
    speech: FloatArray,
    settings: Settings,
    pool: ModelPool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = settings.models_folder / "campplus"
    folder.mkdir(parents=True)
    torch.save(encoder.state_dict(), folder / campplus.WEIGHTS)
    monkeypatch.setattr(Downloader, "verify", lambda self, model_id: folder)
    manager = ASRManager(settings, pool)
    handle = campplus.create(manager.catalog.entry("campplus"), manager.context)
    np.testing.assert_allclose(
        handle.embed(Speech(speech, 16_000)), encoder.embed(speech, 16_000), atol=1e-6
    )
    (resident,) = pool.snapshot()
    assert resident.key.startswith("campplus@")
    assert resident.nbytes > 25_000_000
    assert not resident.holders
