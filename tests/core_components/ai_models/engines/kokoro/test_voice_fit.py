"""The fit itself, on a tiny random Kokoro and a tiny random encoder: same bits, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modules.core_components.ai_models.engines.campplus_network import CampplusEncoder
from modules.core_components.ai_models.engines.ge2e_network import SpeakerEncoder
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit import guard, voice_fit
from modules.core_components.ai_models.engines.kokoro.fit.layers import (
    Convolution,
    FitLayers,
    adain_layers,
    nearest_shared_style,
)
from modules.core_components.ai_models.engines.kokoro.fit.state import FitState
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import (
    FitOptions,
    FittedVoice,
    fit_voice,
)
from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
from modules.core_components.errors import BadInputError, JobCancelled
from modules.core_components.progress import CancelToken, Progress, no_progress
from tests.helpers.tiny_kokoro import build_tiny_kokoro

OPTIONS = FitOptions(steps=3, sentences=2, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_kokoro(tmp_path_factory.mktemp("kokoro"))


@pytest.fixture(scope="module")
def kmodel(folder: Path) -> Any:
    model = import_kmodel()(
        repo_id="tiny", config=str(folder / "config.json"), model=str(folder / "kokoro-v1_0.pth")
    )
    return model.eval()


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return SpeakerEncoder(hidden_size=8, layers=1).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def campplus() -> CampplusEncoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(4)
        return CampplusEncoder().eval().requires_grad_(False)


@pytest.fixture(scope="module")
def sample() -> np.ndarray:
    time_s = np.arange(3 * 16_000) / 16_000
    rng = np.random.default_rng(0)
    hum = sum(np.sin(2 * np.pi * 120 * k * time_s) / k for k in range(1, 20))
    return (0.05 * hum * (1 + np.sin(7 * time_s)) + 0.002 * rng.normal(size=len(time_s))).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def fit(
    kmodel: Any, encoder: SpeakerEncoder, campplus: CampplusEncoder, folder: Path,
    sample: np.ndarray,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[..., FittedVoice]:  # fmt: skip
    scan = tmp_path_factory.mktemp("scan") / "scan.safetensors"
    voices = {p.stem: torch.load(p, weights_only=True) for p in (folder / "voices").glob("*.pt")}

    def run(
        options: FitOptions = OPTIONS,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
        checkpoint: Path | None = None,
        speech: np.ndarray = sample,
    ) -> FittedVoice:
        return fit_voice(
            kmodel, lambda text: text[:12].lower(), encoder, campplus, voices, speech, 16_000,
            options, progress, cancel or CancelToken(), checkpoint, scan_cache=scan,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def fitted(fit: Callable[..., FittedVoice]) -> FittedVoice:
    return fit()


def test_the_result_is_a_voice(fitted: FittedVoice) -> None:
    assert fitted.pack.shape == (510, 1, 256)
    assert fitted.pack.dtype == np.float32
    assert fitted.layer_offsets.shape[1] == 128
    assert np.isfinite(fitted.pack).all()
    assert np.isfinite(fitted.layer_offsets).all()
    assert fitted.start_voice in {"af_one", "am_two"}
    assert fitted.report["steps"] == OPTIONS.steps


def test_the_same_inputs_give_the_same_bits(
    fit: Callable[..., FittedVoice], fitted: FittedVoice
) -> None:
    again = fit(replace(OPTIONS, threads=2))
    assert np.array_equal(fitted.pack, again.pack)
    assert np.array_equal(fitted.layer_offsets, again.layer_offsets)
    assert not np.array_equal(fitted.pack, fit(replace(OPTIONS, seed=1)).pack)


def test_an_interrupted_fit_ends_like_one_that_was_not(
    fit: Callable[..., FittedVoice], fitted: FittedVoice, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(voice_fit, "_CHECKPOINT_EVERY_S", -1.0)
    checkpoint = tmp_path / "fit.safetensors"
    cancel = CancelToken()

    def stop_at_two(_fraction: float, message: str) -> None:
        if message.startswith("Refining the voice: step 2 "):
            cancel.cancel()

    with pytest.raises(JobCancelled):
        fit(progress=stop_at_two, cancel=cancel, checkpoint=checkpoint)
    steps: list[str] = []
    resumed = fit(progress=lambda _f, message: steps.append(message), checkpoint=checkpoint)
    assert not any(message.startswith("Refining the voice: step 1 ") for message in steps)
    assert np.array_equal(resumed.pack, fitted.pack)


def test_a_checkpoint_of_another_fit_or_a_broken_one_is_not_taken_up(tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    state = FitState({"residual": (4,)})
    state.advance({"residual": torch.ones(4)}, {"residual": 0.1}, steps=3)
    state.save(path, "this")
    loaded = FitState.load(path, "this")
    assert loaded is not None
    assert loaded.step == 1
    assert torch.equal(loaded.parameters["residual"], state.parameters["residual"])
    assert FitState.load(path, "another") is None
    path.write_bytes(b"nonsense")
    assert FitState.load(path, "this") is None


def test_cancel_before_the_start(fit: Callable[..., FittedVoice]) -> None:
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(JobCancelled):
        fit(cancel=cancel)


def test_too_little_speech_is_refused(fit: Callable[..., FittedVoice]) -> None:
    for speech in (np.zeros(64_000, np.float32), np.ones(8_000, np.float32)):
        with pytest.raises(BadInputError, match="speech"):
            fit(speech=speech)


def test_the_guard_stops_where_understanding_suffers() -> None:
    good = {"missing": 0.05, "spectrum": 0.4, "content": 0.02}
    gamed = {"missing": 0.0, "spectrum": 0.4, "content": 0.30}
    assert guard._worth(good, FitOptions()) > guard._worth(gamed, FitOptions())


def test_torch_threads_are_given_back(fit: Callable[..., FittedVoice]) -> None:
    before = torch.get_num_threads()
    fit(replace(OPTIONS, steps=1))
    assert torch.get_num_threads() == before


def test_the_fast_decoder_is_the_decoder(kmodel: Any) -> None:
    """Same audio as kokoro's own decoder from the same source, and the same gradient."""
    decoder, g = FastDecoder(kmodel.decoder, FitLayers(torch.float32)), kmodel.decoder.generator
    rng = torch.Generator().manual_seed(0)
    text = torch.randn(1, 512, 20, generator=rng)
    pitch = 120 + 30 * torch.rand(1, 40, generator=rng)
    energy = torch.randn(1, 40, generator=rng)
    style = torch.randn(1, 128, generator=rng) * 0.1
    source = decoder.excitation(pitch, torch.Generator().manual_seed(1))
    transform, excite = g.stft.transform, g.m_source.forward
    g.stft.transform = lambda _wave: (source[:, :11, 0], source[:, 11:, 0])
    g.m_source.forward = lambda f0: (torch.zeros(1, f0.shape[1], 1), None, None)
    try:
        ours, theirs = (style.clone().requires_grad_(True) for _ in range(2))
        fast = decoder(text, pitch, energy, ours, source)
        slow = kmodel.decoder(text, pitch, energy, theirs).squeeze()
    finally:
        g.stft.transform, g.m_source.forward = transform, excite
    weight = torch.randn(fast.shape, generator=rng)
    gradients = [
        torch.autograd.grad((audio * weight).sum(), leaf)[0]
        for audio, leaf in ((fast, ours), (slow, theirs))
    ]
    torch.testing.assert_close(fast, slow, rtol=1e-3, atol=1e-4)
    assert torch.cosine_similarity(gradients[0], gradients[1]).item() > 0.9999


@pytest.mark.parametrize(
    ("channels", "out", "taps", "dilation"),
    [(64, 64, 11, 5), (128, 64, 7, 1), (64, 128, 9, 3), (8, 8, 7, 3), (64, 64, 3, 5)],
)
def test_a_convolution_and_its_gradient_are_those_of_torch(
    channels: int, out: int, taps: int, dilation: int
) -> None:
    """With many taps and channels it is a product of spectra, else oneDNN's."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        conv = torch.nn.Conv1d(
            channels, out, taps, padding=dilation * (taps - 1) // 2, dilation=dilation
        ).requires_grad_(False)
        x = torch.randn(1, channels, 333, requires_grad=True)
        weight = torch.randn(1, out, 333)
    expected = conv.double()(x.double())
    (gradient,) = torch.autograd.grad((expected * weight).sum(), x)
    ours = Convolution(conv.float(), torch.float32, lambda: None)(x[:, :, None])[:, :, 0]
    (our_gradient,) = torch.autograd.grad((ours * weight).sum(), x)
    assert torch.allclose(ours.double(), expected, atol=2e-5)
    assert torch.allclose(our_gradient, gradient, atol=2e-4)


def test_one_style_for_all_layers_is_its_own_nearest(kmodel: Any) -> None:
    style = torch.randn(128, generator=torch.Generator().manual_seed(4))
    count = len(adain_layers(kmodel.decoder))
    found = nearest_shared_style(kmodel.decoder, style.expand(count, -1))
    torch.testing.assert_close(found, style, rtol=1e-2, atol=1e-2)
