"""A speaking model, a listening model and a training in one budget that holds one of them.

Real tensors and real copies in a small size (bench/swap.py has them large and with a clock); a
ledger outside the pool counts the bytes that really are on the device.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from modules.core_components.ai_models.model_pool import (
    HOST,
    ModelPool,
    ModelSpec,
    whole_device,
)
from modules.core_components.ai_models.model_utils import module_bytes

if TYPE_CHECKING:
    import torch

DEVICE = "gpu"
WIDTH = 128
BUDGET = WIDTH * WIDTH * 4
REQUESTS, THREADS = 200, 4


class Device:
    """What lies on the device, by the bytes of its tensors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taken = 0
        self.peak = 0
        self.counts: Counter[str] = Counter()

    def take(self, nbytes: int, what: str) -> None:
        with self._lock:
            self._taken += nbytes
            self.peak = max(self.peak, self._taken)
            self.counts[what] += 1

    def spec(self, name: str, folder: Path) -> ModelSpec[torch.nn.Module]:
        """A model of the whole budget, loaded from its file, copied off and on the device."""

        def load() -> torch.nn.Module:
            import torch
            from safetensors.torch import load_file

            with torch.device("meta"):
                model = torch.nn.Linear(WIDTH, WIDTH, bias=False)
            model.load_state_dict(load_file(folder / f"{name}.safetensors"), assign=True)
            self.take(module_bytes(model), f"{name} loaded")
            return model

        def copied(model: torch.nn.Module, sign: int, what: str) -> torch.nn.Module:
            import torch

            copy = torch.nn.Linear(WIDTH, WIDTH, bias=False)
            copy.load_state_dict(model.state_dict())
            self.take(sign * module_bytes(copy), f"{name} {what}")
            return copy

        return ModelSpec(
            name, DEVICE, BUDGET, load,
            to_host=lambda model: copied(model, -1, "to host"),
            to_device=lambda model: copied(model, 1, "back"),
            measure=module_bytes,
        )  # fmt: skip


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    for value, name in ((1.0, "speaking"), (2.0, "listening")):
        save_file({"weight": torch.full((WIDTH, WIDTH), value)}, tmp_path / f"{name}.safetensors")
    return tmp_path


def test_two_hundred_mixed_requests_all_succeed_within_the_budget(weights: Path) -> None:
    import torch

    device = Device()
    # Collecting garbage at each swap would take seconds behind tests that imported much.
    pool = ModelPool(
        {DEVICE: BUDGET, HOST: 2 * BUDGET}, meter=lambda device: 0, reclaim=lambda: None
    )
    models = {
        "speaking": (device.spec("speaking", weights), 1.0),
        "listening": (device.spec("listening", weights), 2.0),
    }
    wishes = random.Random(5).choices(["speaking", "listening", "training"], [9, 9, 2], k=REQUESTS)

    one_at_a_time = threading.Lock()  # as in the studio's lane for trainings

    def serve(wish: str) -> str:
        if wish == "training":
            # As a training reserves the device; without a hint the others wait for it.
            with one_at_a_time, whole_device(pool, DEVICE, "training", hint=""):
                device.take(BUDGET, "trained")
                device.take(-BUDGET, "training ended")
            return wish
        spec, value = models[wish]
        with pool.lease(spec, None, wish, run=True) as model, torch.no_grad():
            answer = model(torch.ones(WIDTH))
        assert torch.equal(answer, torch.full((WIDTH,), WIDTH * value))
        return wish

    with ThreadPoolExecutor(THREADS) as threads:
        served = Counter(threads.map(serve, wishes))
    assert served == Counter(wishes)
    assert min(served.values()) > 0
    assert device.peak == BUDGET
    assert device.counts["trained"] == served["training"]
    # Each came from its file once; ever after it came back from CPU memory.
    assert device.counts["speaking loaded"] == device.counts["listening loaded"] == 1
    assert device.counts["speaking back"] > 10
    assert device.counts["listening back"] > 10
    pool.close()
