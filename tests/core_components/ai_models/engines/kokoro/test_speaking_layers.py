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

from modules.core_components.ai_models.engines.kokoro import wrapper
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder, SpeakingLayers
from modules.core_components.ai_models.engines.kokoro.fit.layers import adain_layers
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


def load(folder: Path, numbers: wrapper.Precision) -> KokoroV1Wrapper:
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


def test_a_forced_precision_is_kept_and_a_gpu_speaks_in_float32() -> None:
    assert wrapper.choose_precision("float32", "cpu") == "float32"
    assert wrapper.choose_precision("bfloat16", "cpu") == "bfloat16"
    assert wrapper.choose_precision("auto", "cuda:0") == "float32"


def test_a_processor_without_bfloat16_speaks_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert wrapper._measure_faster_precision.__wrapped__() == "float32"


@pytest.mark.parametrize(("seconds", "chosen"), [(0.5, "bfloat16"), (0.95, "float32")])
def test_bfloat16_must_be_worth_it(
    monkeypatch: pytest.MonkeyPatch, seconds: float, chosen: wrapper.Precision
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(
        wrapper, "_best_seconds", lambda dtype: 1.0 if dtype == torch.float32 else seconds
    )
    assert wrapper._measure_faster_precision.__wrapped__() == chosen


def test_first_requests_at_once_agree_on_one_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2)
    gains = iter((2.0, 1.0, 1.0, 1.0))  # a busy machine: bfloat16 wins only the first time

    def measured(_: torch.dtype) -> float:
        time.sleep(0.05)
        return next(gains)

    def choose() -> wrapper.Precision:
        both.wait(10)
        return wrapper.choose_precision("auto", "cpu")

    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.setattr(wrapper, "_best_seconds", measured)
    wrapper._measure_faster_precision.cache_clear()
    try:
        with ThreadPoolExecutor(2) as threads:
            answers = [threads.submit(choose) for _ in range(2)]
            assert len({answer.result(10) for answer in answers}) == 1
    finally:
        wrapper._measure_faster_precision.cache_clear()


def test_what_was_measured_first_is_kept_for_the_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = tmp_path / "cache" / "precision.json"
    measured: list[wrapper.Precision] = ["bfloat16", "float32", "float32", "float32"]
    monkeypatch.setattr(wrapper, "_measure_faster_precision", lambda: measured.pop(0))
    first = wrapper.choose_precision("auto", "cpu", kept)
    assert first == wrapper.choose_precision("auto", "cpu", kept) == "bfloat16"
    wrapper._kept_precision.cache_clear()  # a restart
    assert wrapper.choose_precision("auto", "cpu", kept) == "bfloat16"
    assert wrapper.choose_precision("float32", "cpu", kept) == "float32", "a choice is a choice"
    monkeypatch.setattr("platform.node", lambda: "another")
    assert wrapper.choose_precision("auto", "cpu", kept) == "float32"
    for damaged in ("", "[]", '{"another": 1}'):
        kept.write_text(damaged, encoding="utf-8")
        wrapper._kept_precision.cache_clear()
        monkeypatch.setattr(wrapper, "_measure_faster_precision", lambda: "float32")
        assert wrapper.choose_precision("auto", "cpu", kept) == "float32"
    monkeypatch.setattr(wrapper, "write_json", fail)
    kept.unlink()
    wrapper._kept_precision.cache_clear()
    assert wrapper.choose_precision("auto", "cpu", kept) == "float32"


def fail(*_: object) -> None:
    raise OSError("read-only")


def test_work_in_the_middle_of_an_utterance_can_be_ended(
    kokoro: KokoroV1Wrapper, style: Tensor
) -> None:
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
