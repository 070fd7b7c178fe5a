"""The handle on the speaker encoder, over a tiny random checkpoint and over the real one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models import ASRManager
from modules.core_components.ai_models.engines.ge2e import SpeakerEncoderHandle, create
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import StudioError
from modules.core_components.settings import Settings, load_settings
from modules.core_components.values import Speech


def buzz(pitch_hz: float, rate_hz: int = 24_000) -> Speech:
    """Two seconds of something that is at least voiced."""
    time_s = np.arange(2 * rate_hz) / rate_hz
    samples = sum(np.sin(2 * np.pi * pitch_hz * k * time_s) / k for k in range(1, 12))
    return Speech((0.1 * np.asarray(samples)).astype(np.float32), rate_hz)


def handle_over(settings: Settings, pool: ModelPool) -> SpeakerEncoderHandle:
    manager = ASRManager(settings, pool)
    return create(manager.catalog.entry("ge2e"), manager.context)


@pytest.fixture
def tiny(settings: Settings, pool: ModelPool, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The handle over random weights of the real layout, loaded by the real code."""
    import torch

    from modules.core_components.ai_models.downloads import Downloader
    from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder

    torch.manual_seed(0)
    folder = settings.models_folder / "ge2e"
    folder.mkdir(parents=True)
    state = SpeakerEncoder(hidden_size=8).state_dict()
    torch.save({"model_state": state}, folder / "pretrained.pt")
    monkeypatch.setattr(Downloader, "verify", lambda self, model_id: folder)
    return handle_over(settings, pool)


def test_embeddings_are_unit_vectors_that_depend_on_the_sound(tiny: Any, pool: ModelPool) -> None:
    first, same, other = tiny.embed(buzz(110)), tiny.embed(buzz(110)), tiny.embed(buzz(260))
    assert (first.shape, first.dtype) == ((256,), np.float32)
    assert np.linalg.norm(first) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    (resident,) = pool.snapshot()
    assert resident.key.startswith("ge2e@")
    assert not resident.holders


def test_silence_has_no_speaker(tiny: Any, pool: ModelPool) -> None:
    with pytest.raises(StudioError, match="no speech"):
        tiny.embed(Speech(np.zeros(16_000, np.float32), 16_000))
    assert not pool.snapshot()[0].holders


def test_a_fit_borrows_the_module_with_its_gradient(tiny: Any) -> None:
    import torch

    with tiny.borrowed() as encoder:
        samples = torch.tensor(buzz(110, 16_000).samples, requires_grad=True)
        encoder.embed_tensor(samples).sum().backward()
        assert samples.grad is not None
        assert float(samples.grad.abs().sum()) > 0


@pytest.mark.e2e
def test_the_real_weights_are_verified_and_embed(
    starter_models: Path, tmp_path: Path, pool: ModelPool
) -> None:
    (tmp_path / "models" / "ge2e").mkdir(parents=True)
    link = tmp_path / "models" / "ge2e" / "pretrained.pt"
    link.symlink_to(starter_models / "ge2e" / "pretrained.pt")
    settings = load_settings(tmp_path, {"device": "cpu", "models_folder": str(tmp_path / "models")})
    handle = handle_over(settings, pool)
    low, high = handle.embed(buzz(110)), handle.embed(buzz(260))
    assert float(low @ high) < 0.95 < float(low @ low)
    assert pool.snapshot()[0].nbytes > 5_000_000
