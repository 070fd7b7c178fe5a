"""Training in less memory, on the tiny XTTS: gradient checkpointing, and another optimizer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from modules.core_components.ai_models.engines.xtts.training.plan import (
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    TrainingRow,
    XttsTrainee,
)
from modules.core_components.errors import StudioError

ROWS = tuple(
    TrainingRow(f"{n}", f"{n}.wav", "The weather is fine today.", "a", "train") for n in range(2)
)


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    noise = np.random.default_rng(1).normal(0, 0.1, 2 * 22_050)
    for row in ROWS:
        soundfile.write(tmp_path / row.audio_file, noise, 22_050)
    return tmp_path


def trainee_of(tiny: Path, clips: Path, **options: Any) -> XttsTrainee:
    setup = TrainingSetup(
        TrainingPlan(batch_size=2, workers=0, **options), "en", "cpu", 0, clips,
        tiny / "model.pth", tiny / "config.json", tiny / "vocab.json", tiny / "dvae.pth",
        tiny / "mel_stats.pth",
    )  # fmt: skip
    return XttsTrainee(setup, ROWS)


def step(trainee: XttsTrainee) -> tuple[float, Mapping[str, torch.Tensor], int]:
    """Loss and gradients of one batch, and how many bytes were kept for going back."""
    kept: dict[int, int] = {}

    own = {value.untyped_storage().data_ptr() for value in trainee.trainable.parameters()}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    torch.manual_seed(5)
    batch = next(trainee.batches([(0, 1)], 0))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = trainee.loss(batch)
    loss.backward()
    weights = trainee.trainable.named_parameters()
    return loss.item(), {n: w.grad for n, w in weights if w.grad is not None}, sum(kept.values())


def test_checkpointing_keeps_less_and_changes_nothing(tiny_xtts: Path, clips: Path) -> None:
    plain_loss, plain, plain_bytes = step(trainee_of(tiny_xtts, clips))
    lean_loss, lean, lean_bytes = step(trainee_of(tiny_xtts, clips, gpt_checkpointing=True))
    assert plain_bytes - lean_bytes > 3_000_000  # of the two small layers
    assert lean_loss == pytest.approx(plain_loss, rel=1e-6)
    assert lean.keys() == plain.keys()
    for name, gradient in plain.items():
        assert torch.allclose(lean[name], gradient, rtol=1e-4, atol=1e-6), name


def test_the_optimizer_of_8_bits_gets_coquis_groups(
    tiny_xtts: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bitsandbytes runs on GPUs alone: torch's own AdamW stands for its class here."""
    package, optim = ModuleType("bitsandbytes"), SimpleNamespace(AdamW8bit=torch.optim.AdamW)
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", optim)
    plain = trainee_of(tiny_xtts, clips).optimizer
    small = trainee_of(tiny_xtts, clips, optimizer="adamw8bit").optimizer
    for group, other in zip(plain.param_groups, small.param_groups, strict=True):
        assert len(group["params"]) == len(other["params"])
        for name in ("lr", "weight_decay", "betas", "eps"):
            assert group[name] == other[name]


def test_without_bitsandbytes_it_says_what_to_do(
    tiny_xtts: Path, clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(StudioError, match="bitsandbytes") as told:
        trainee_of(tiny_xtts, clips, optimizer="adamw8bit")
    assert "choose adamw" in told.value.hint
