"""The tiny XTTS trained by two processes over gloo, one of which is killed, against one process
with twice the batch; then resumed with one.

A process takes five seconds to import what it needs, so there is one such training, and the tests
look at what it left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.xtts.training.child import run_training
from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    row_of,
    row_to_json,
)
from modules.core_components.library.training_events import (
    CHECKPOINT,
    EVAL,
    NOTE,
    START,
    Event,
    read_events,
)
from modules.core_components.library.training_runs import RunFiles
from modules.core_components.progress import CancelToken, no_progress
from modules.tools.services import Services
from modules.tools.training import training
from modules.tools.training.curves import in_force, read_curves
from modules.tools.training.training import reopen_run, train
from tests.helpers.xtts_studio import BASE, add_dataset, open_xtts_studio

# Ten clips in batches of eight: each epoch's last batch is of two, of which one process has both.
TRAINED, HELD_OUT = 10, 2
PLAN = {
    "epochs": 3,
    "batch_size": 4,
    "learning_rate": 0.002,
    "checkpoint_minutes": 0.01,
    "early_stopping": 0,
    "workers": 0,
    "device": "cpu",
}
# What dropout makes of single steps, and that XTTS leaves out a part of one clip in each batch;
# over an epoch it evens out.
STEP_TOLERANCE, EVAL_TOLERANCE = 0.08, 0.02


class InThisProcess:
    """Trains where `wait` is called, as the process would."""

    def __init__(self, files: RunFiles) -> None:
        self._files = files

    def wait(self) -> int:
        requests = StopRequests(self._files.stop, self._files.stop_after_epoch)
        return run_training(self._files, requests)

    def close(self) -> None: ...


@dataclass(frozen=True)
class Together:
    services: Services
    outcome: Any
    resumed: Any

    def events(self, run: str) -> tuple[Event, ...]:
        return read_events(self.services.training_runs.get(run).files.progress)

    def of_kind(self, run: str, kind: str) -> list[Event]:
        return [event for event in self.events(run) if event["kind"] == kind]


def new_run(services: Services, name: str, **options: Any) -> None:
    rows = [row_to_json(row_of(clip)) for clip in services.datasets.get("Short").rows]
    services.training_runs.create(name, "Short", BASE, "en", {**PLAN, **options}, rows)


def rank_of(process: psutil.Process) -> str:
    return process.environ().get("RANK", "") if process.is_running() else ""


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, tiny_xtts: Path) -> Iterator[Together]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        services = open_xtts_studio(
            tmp_path_factory.mktemp("studio"), tiny_xtts, monkeypatch, torch_threads=1
        )
        add_dataset(services, "Short", TRAINED + HELD_OUT, 1.0, HELD_OUT)
        new_run(services, "two", processes=2)
        files = services.training_runs.get("two").files
        killed: list[int] = []

        def kill_the_second_when_a_state_is_kept(fraction: float, message: str) -> None:
            saved = [e["step"] for e in read_events(files.progress) if e["kind"] == CHECKPOINT]
            if max(saved, default=0) > 0 and not killed:
                for child in psutil.Process().children(recursive=True):
                    if str(files.folder) in child.cmdline() and rank_of(child) == "1":
                        killed.append(child.pid)
                        child.kill()

        outcome = train(
            services, {"run": "two"}, kill_the_second_when_a_state_is_kept, CancelToken()
        )
        monkeypatch.setattr(training, "TrainingProcess", InThisProcess)
        threads = torch.get_num_threads()
        new_run(services, "one", batch_size=8)
        train(services, {"run": "one"}, no_progress, CancelToken())
        reopen_run(services, "two", more_epochs=1, options={"processes": 1})
        resumed = train(services, {"run": "two"}, no_progress, CancelToken())
        torch.set_num_threads(threads)
        yield Together(services, outcome, resumed)
        services.close()
        reset_managers()


def test_a_killed_process_starts_all_again_from_the_last_state(together: Together) -> None:
    assert together.outcome == {"run": "two", "outcome": "done"}
    (note,) = together.of_kind("two", NOTE)
    first, again, _ = together.of_kind("two", START)
    assert "Process 2 of 2 ended unexpectedly (SIGKILL)" in note["text"]
    assert (first["processes"], again["processes"]) == (2, 2)
    assert note["text"] in read_curves(together.services, "two").notes
    assert again["resumed"]
    assert again["step"] > 0
    assert f"start again from step {again['step']}" in note["text"]


def test_two_have_the_loss_curves_of_one_with_twice_the_batch(together: Together) -> None:
    alone = read_curves(together.services, "one")
    events = in_force(together.events("two"), "step")[: len(alone.steps)]
    assert tuple(event["step"] for event in events) == alone.steps == tuple(range(1, 7))
    assert [event["clips"] for event in events] == [8, 2] * 3
    losses = [event["loss"] for event in events]
    assert losses == pytest.approx(alone.train_losses, rel=STEP_TOLERANCE)
    evaluated = [event["loss"] for event in in_force(together.events("two"), EVAL)]
    assert evaluated[:4] == pytest.approx(alone.eval_losses, rel=EVAL_TOLERANCE)
    assert evaluated[3] < 0.9 * evaluated[0]


def test_resumed_with_one_it_goes_on_where_the_two_were(together: Together) -> None:
    assert together.resumed == {"run": "two", "outcome": "done"}
    last = together.of_kind("two", START)[-1]
    assert (last["processes"], last["step"], last["resumed"]) == (1, 6, True)
    steps = [event for event in in_force(together.events("two"), "step") if event["step"] > 6]
    assert [event["clips"] for event in steps] == [4, 4, 2]
    losses = [event["loss"] for event in in_force(together.events("two"), EVAL)]
    assert losses[-1] < losses[-2]
