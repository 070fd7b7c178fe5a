"""The quick way of speaking gives what kokoro's own code gives."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro import precision
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder, SpeakingLayers
from modules.core_components.ai_models.engines.kokoro.fit.layers import adain_layers
from modules.core_components.ai_models.engines.kokoro.precision import Precision
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
    predict_prosody,
)

PHONEMES = "həlˈO wˈɜɹld, ænd ˈɔl ɪn ɪt."


@pytest.fixture(scope="module")
def kokoro(tiny_kokoro: Path) -> KokoroV1Wrapper:
    return load(tiny_kokoro, "float32")


def load(folder: Path, numbers: Precision) -> KokoroV1Wrapper:
    return KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE, "cpu", numbers)


@pytest.fixture
def style() -> Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randn(1, 256, generator=generator) * 0.1


@contextmanager
def source_replaced(kokoro: KokoroV1Wrapper, source: Tensor) -> Iterator[None]:
    """Kokoro's own decoder with this excitation instead of a random one."""
    g = kokoro.model.decoder.generator
    transform, excite = g.stft.transform, g.m_source.forward
    half = source.shape[1] // 2
    g.stft.transform = lambda _wave: (source[:, :half, 0], source[:, half:, 0])
    g.m_source.forward = lambda f0: (torch.zeros(1, f0.shape[1], 1), None, None)
    try:
        yield
    finally:
        g.stft.transform, g.m_source.forward = transform, excite


@torch.inference_mode()
def test_speech_is_that_of_kokoros_own_code(kokoro: KokoroV1Wrapper, style: Tensor) -> None:
    ids = torch.tensor([[0, *(kokoro.vocabulary[p] for p in PHONEMES), 0]])
    prosody = predict_prosody(kokoro.model, ids, style, speed=1.3)
    decoder = FastDecoder(kokoro.model.decoder, SpeakingLayers(torch.float32))
    source = decoder.excitation(prosody.pitch_hz, torch.Generator().manual_seed(7))
    with source_replaced(kokoro, source):
        theirs, durations = kokoro.model.forward_with_tokens(ids, style, 1.3)
    ours = kokoro.synthesize(PHONEMES, style, speed=1.3, seed=7)
    assert np.array_equal(ours.durations_frames, durations.numpy())
    np.testing.assert_allclose(ours.samples, theirs.reshape(-1).numpy(), rtol=1e-3, atol=1e-4)


def test_a_style_for_each_layer_is_spoken(kokoro: KokoroV1Wrapper, style: Tensor) -> None:
    count = len(adain_layers(kokoro.model.decoder))
    moved = torch.full((count, 128), 0.05)
    offsets = kokoro.synthesize(PHONEMES, style, layer_offsets=moved).samples
    shifted = style.clone()
    shifted[:, :128] += 0.05
    np.testing.assert_allclose(offsets, kokoro.synthesize(PHONEMES, shifted).samples, atol=1e-5)
    moved[count // 2] += 1.0
    other = kokoro.synthesize(PHONEMES, style, layer_offsets=moved).samples
    assert not np.allclose(other, offsets, atol=1e-3)


def test_bfloat16_keeps_the_durations_and_the_sound(tiny_kokoro: Path, style: Tensor) -> None:
    exact, rounded = (
        load(tiny_kokoro, numbers).synthesize(PHONEMES, style)
        for numbers in ("float32", "bfloat16")
    )
    assert np.array_equal(exact.durations_frames, rounded.durations_frames)
    assert not np.array_equal(exact.samples, rounded.samples)
    error = np.sqrt(np.mean((exact.samples - rounded.samples) ** 2))
    assert error < 0.1 * np.sqrt(np.mean(exact.samples**2))


def test_fft_convolutions_change_nothing_that_can_be_heard(
    kokoro: KokoroV1Wrapper, tiny_kokoro: Path, style: Tensor
) -> None:
    by_fft = load(tiny_kokoro, "float32-fft")
    assert by_fft.nbytes > kokoro.nbytes, "it has convolutions of many taps"
    first, again = (by_fft.synthesize(PHONEMES, style, seed=5) for _ in range(2))
    exact = kokoro.synthesize(PHONEMES, style, seed=5)
    assert np.array_equal(first.samples, again.samples)
    assert np.array_equal(first.durations_frames, exact.durations_frames)
    np.testing.assert_allclose(first.samples, exact.samples, rtol=1e-3, atol=1e-4)


def test_the_spectra_of_weights_count_as_memory() -> None:
    conv = torch.nn.Conv1d(64, 64, 11, padding=5)
    layers = SpeakingLayers(torch.float32, fft=True)
    layers.normed(conv, torch.ones(64), 0.0, None)
    assert layers.extra_numbers == (47 - 11) * 64 * 64


def test_a_wanted_precision_is_kept_and_a_gpu_speaks_in_plain_float32() -> None:
    assert precision.choose_precision("float32", "cpu") in ("float32", "float32-fft")
    assert precision.choose_precision("bfloat16", "cpu") == "bfloat16"
    assert precision.choose_precision("bfloat16", "cuda:0") == "bfloat16"
    assert precision.choose_precision("auto", "cuda:0") == "float32"
    assert precision.choose_precision("float32", "cuda:0") == "float32"


ASKED = ("float32", "float32-fft", "bfloat16")


@pytest.mark.parametrize("built_in", [True, False])
def test_bfloat16_is_considered_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, built_in: bool
) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: built_in)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(precision, "_fastest", lambda ways: asked.append(ways) or ways[0])
    precision.choose_precision("auto", "cpu")
    precision.choose_precision("float32", "cpu")
    assert asked == [ASKED if built_in else ASKED[:2], ASKED[:2]]


@pytest.mark.parametrize(
    ("seconds", "chosen"),
    [
        ((1.0, 0.95, 0.9), "float32"),
        ((1.0, 0.5, 0.45), "float32-fft"),
        ((1.0, 0.5, 0.2), "bfloat16"),
        ((1.0, 2.0, 0.5), "bfloat16"),
    ],
)
def test_what_costs_memory_or_digits_must_be_worth_it(
    monkeypatch: pytest.MonkeyPatch, seconds: tuple[float, ...], chosen: Precision
) -> None:
    monkeypatch.setattr(
        precision, "_measure_seconds", lambda ways: dict(zip(ways, seconds, strict=True))
    )
    assert precision._fastest.__wrapped__(ASKED) == chosen


def test_every_way_is_measured() -> None:
    seconds = precision._measure_seconds(("float32", "float32-fft", "bfloat16"))
    assert set(seconds) == set(ASKED)
    assert all(second > 0 for second in seconds.values())


def test_first_requests_at_once_agree_on_one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)
    gains = iter((2.0, 1.0))  # a busy machine: spectra win only the first time

    def measured(ways: tuple[str, ...]) -> dict[str, float]:
        time.sleep(0.05)
        return dict.fromkeys(ways, 1.0) | {"float32": next(gains)}

    def choose() -> Precision:
        both.wait(10)
        return precision.choose_precision("auto", "cpu")

    monkeypatch.setattr(precision, "_measure_seconds", measured)
    precision._fastest.cache_clear()
    try:
        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(choose) for _ in range(2)]
            assert {answer.result(10) for answer in answers} == {"float32-fft"}
    finally:
        precision._fastest.cache_clear()


def test_what_was_measured_first_is_kept_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "cache" / "precision.json"
    measured: list[Precision] = ["float32-fft", "float32", "float32", "float32"]
    monkeypatch.setattr(precision, "_fastest", lambda _ways: measured.pop(0))
    first = precision.choose_precision("auto", "cpu", kept)
    assert first == precision.choose_precision("auto", "cpu", kept) == "float32-fft"
    precision._kept_precision.cache_clear()  # a restart
    assert precision.choose_precision("auto", "cpu", kept) == "float32-fft"
    monkeypatch.setattr("platform.node", lambda: "another")
    assert precision.choose_precision("auto", "cpu", kept) == "float32"
    for damaged in ("", "[]", '{"another": 1}'):
        kept.write_text(damaged, encoding="utf-8")
        precision._kept_precision.cache_clear()
        monkeypatch.setattr(precision, "_fastest", lambda _ways: "float32")
        assert precision.choose_precision("auto", "cpu", kept) == "float32"
    monkeypatch.setattr(precision, "write_json", fail)
    kept.unlink()
    precision._kept_precision.cache_clear()
    assert precision.choose_precision("auto", "cpu", kept) == "float32"


def fail(*_: object) -> None:
    raise OSError("read-only")


@pytest.mark.parametrize("numbers", ["float32", "float32-fft"])
def test_work_in_the_middle_of_an_utterance_can_be_ended(
    tiny_kokoro: Path, numbers: Precision, style: Tensor
) -> None:
    kokoro = load(tiny_kokoro, numbers)
    looks = []

    def check_cancelled() -> None:
        looks.append(len(looks))
        if len(looks) == 5:
            raise InterruptedError

    whole = kokoro.synthesize(PHONEMES, style).samples
    with pytest.raises(InterruptedError):
        kokoro.synthesize(PHONEMES, style, check_cancelled=check_cancelled)
    assert len(looks) == 5
    assert np.array_equal(kokoro.synthesize(PHONEMES, style).samples, whole)
