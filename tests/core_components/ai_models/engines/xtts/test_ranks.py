"""Two real processes that train a toy together over gloo, against one with twice the batch."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from modules.core_components.ai_models.engines.xtts.training import rank_processes
from modules.core_components.ai_models.engines.xtts.training.plan import (
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.rank_processes import (
    BROKE_OFF,
    MOST_RESTARTS,
    train_together,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    StopRequests,
    shards,
    step_batches,
)
from modules.core_components.library.training_events import EventWriter
from modules.core_components.library.training_runs import RunFiles
from modules.core_components.settings import app_folder
from tests.core_components.ai_models.engines.xtts import rank_stories
from tests.core_components.ai_models.engines.xtts.rank_stories import CLIPS, PLAN
from tests.core_components.ai_models.engines.xtts.toy_trainee import events

SOON_S = 60.0
Story = Mapping[str, Any]


# -- Batches of several ranks ----------------------------------------------------------------------


@pytest.mark.parametrize("world", [2, 3, 4])
@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("clips", [2, 3, 7, 24, 31])
def test_each_clip_goes_to_one_rank_and_none_gets_a_single_one(
    world: int, size: int, clips: int
) -> None:
    groups = step_batches(tuple(range(clips)), world * size, 2)
    cut = [shards(batch, world, size) for group in groups for batch in group]
    assert all(len(parts) == world for parts in cut)
    assert all(len(part) == 0 or 2 <= len(part) <= size for parts in cut for part in parts)
    heard = [clip for parts in cut for part in parts for clip in part]
    odd = size == 2 and clips % 2 == 1  # batches of two leave one out, as in a training alone
    assert len(set(heard)) == len(heard) == (clips - 1 if odd else clips)


def test_a_rank_alone_has_the_batches_that_it_always_had() -> None:
    assert shards((5, 3, 1), 1, 2) == ((5, 3, 1),)


# -- Two processes ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two processes have trained; each left what it knows in its file."""
    folder = tmp_path_factory.mktemp("ranks")
    command = [sys.executable, "-m", rank_stories.__name__, str(folder), (folder / "m").as_uri()]
    processes = [
        subprocess.Popen(
            command,
            cwd=app_folder(),
            env={
                **os.environ,
                "RANK": str(number),
                "WORLD_SIZE": "2",
                "LOCAL_RANK": str(number),
                "LOCAL_WORLD_SIZE": "2",
                "OMP_NUM_THREADS": "1",
            },
        )
        for number in range(2)
    ]
    assert [process.wait(SOON_S) for process in processes] == [0, 0]
    return folder


def of_both(folder: Path, story: str) -> tuple[Story, Story]:
    first, second = (json.loads((folder / f"{n}.json").read_text())[story] for n in range(2))
    return first, second


def test_two_end_with_the_weights_of_one_with_twice_the_batch(folder: Path, tmp_path: Path) -> None:
    first, second = of_both(folder, "whole")
    assert first["weights"] == second["weights"]
    doubled = dataclasses.replace(PLAN, batch_size=2 * PLAN.batch_size)
    alone = rank_stories.train(tmp_path / "alone", doubled)
    assert first["weights"] == pytest.approx(alone["weights"], rel=1e-5)
    for kind in ("step", "eval"):
        losses = [event["loss"] for event in events(folder / "whole", kind)]
        expected = [event["loss"] for event in events(tmp_path / "alone", kind)]
        assert losses == pytest.approx(expected, rel=1e-5), kind
    assert [event["clips"] for event in events(folder / "whole", "step")] == [12, 2, 12, 2]


def test_they_share_the_clips_and_the_first_one_alone_keeps_records(folder: Path) -> None:
    first, second = of_both(folder, "whole")
    heard = [clip for part in first["heard"] + second["heard"] for clip in part]
    assert sorted(heard) == sorted(2 * list(range(CLIPS)))
    assert [event["processes"] for event in events(folder / "whole", "start")] == [2]
    assert len(events(folder / "whole", "eval")) == 3


def test_a_loss_that_is_no_number_in_one_is_a_step_that_none_takes(folder: Path) -> None:
    first, second = of_both(folder, "spoiled")
    assert first["outcome"] == second["outcome"] == "done"
    assert first["weights"] == second["weights"]
    (note,) = events(folder / "spoiled", "note")
    spoiled = second["heard"][0]
    assert all(f"clip{number}" in note["text"] for number in spoiled)
    assert len(events(folder / "spoiled", "step")) == 3


def test_out_of_memory_in_one_ends_both_with_the_state_of_the_last_step(folder: Path) -> None:
    first, second = of_both(folder, "full")
    assert first["outcome"] == second["outcome"]
    assert "not enough memory for step 3" in first["outcome"]
    assert [event["step"] for event in events(folder / "full", "checkpoint")][-1] == 2


def test_who_hears_of_a_stop_tells_the_other(folder: Path) -> None:
    first, second = of_both(folder, "stopped")
    assert first["outcome"] == second["outcome"] == "stopped"
    assert first["left"] == second["left"] == CLIPS
    assert events(folder / "stopped", "step") == []


def test_what_two_began_one_ends(folder: Path) -> None:
    left = rank_stories.train(folder / "full", PLAN)
    assert left["outcome"] == "done"
    start, again = events(folder / "full", "start")
    assert (start["processes"], again["processes"], again["step"]) == (2, 1, 2)
    assert sum(event["clips"] for event in events(folder / "full", "step")) == 2 * CLIPS


# -- What becomes of processes that end ------------------------------------------------------------


class Attempts:
    """Stands for the processes of each attempt, which end with these codes at once."""

    def __init__(self, files: RunFiles, *codes: Sequence[int | None], says: str = "") -> None:
        self._files = files
        self._codes = list(codes)
        self._says = says
        self.started = 0

    def __call__(self, files: RunFiles, setup: TrainingSetup) -> Attempts:
        self.started += 1
        if self._says:
            EventWriter(files.progress).write("end", outcome="failed", text=self._says, hint="")
        return self

    def codes(self) -> Sequence[int | None]:
        return self._codes[min(self.started, len(self._codes)) - 1]

    def ask_to_stop(self, reason: str) -> None: ...

    def kill(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def files(tmp_path: Path) -> RunFiles:
    return RunFiles(tmp_path)


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rank_processes, "_END_WITHIN_S", 0.0)
    monkeypatch.setattr(rank_processes, "_LOOK_EVERY_S", 0.0)


def ended(files: RunFiles, attempts: Attempts) -> int:
    requests = StopRequests(files.stop, files.stop_after_epoch)
    nowhere = files.folder
    setup = TrainingSetup(
        TrainingPlan(), "en", "cpu", 0, nowhere, nowhere, nowhere, nowhere, nowhere, nowhere,
        devices=("cpu", "cpu"),
    )  # fmt: skip
    return train_together(files, setup, requests, attempts)


def test_a_lost_process_starts_all_again_and_says_so(files: RunFiles) -> None:
    EventWriter(files.progress).write("checkpoint", step=7, epoch=2, file="state.pt", write_s=0.1)
    attempts = Attempts(files, (None, -9), (0, 0))
    assert ended(files, attempts) == 0
    assert attempts.started == 2
    (note,) = events(files.folder, "note")
    assert note["text"] == (
        "Process 2 of 2 ended unexpectedly (SIGKILL): all start again from step 7."
    )


def test_one_that_is_lost_again_and_again_ends_the_training(files: RunFiles) -> None:
    attempts = Attempts(files, (BROKE_OFF, -9))
    assert ended(files, attempts) == 1
    assert attempts.started == 1 + MOST_RESTARTS
    (end,) = events(files.folder, "end")
    assert end["outcome"] == "failed"
    assert "Process 2 of 2 ended unexpectedly (SIGKILL), after 3 restarts." in end["text"]
    assert "fewer processes" in end["hint"]


def test_a_failure_that_a_rank_has_recorded_is_final(files: RunFiles) -> None:
    attempts = Attempts(files, (BROKE_OFF, 1), says="The disk is full.")
    assert ended(files, attempts) == 1
    assert attempts.started == 1
    assert [event["text"] for event in events(files.folder, "end")] == ["The disk is full."]


def test_an_unexpected_error_in_all_of_them_is_no_reason_to_try_again(files: RunFiles) -> None:
    attempts = Attempts(files, (BROKE_OFF, BROKE_OFF))
    assert ended(files, attempts) == 1
    assert attempts.started == 1
    assert "broke off" in events(files.folder, "end")[0]["text"]


def test_one_that_is_lost_while_it_stops_is_not_started_again(files: RunFiles) -> None:
    files.stop.touch()
    attempts = Attempts(files, (BROKE_OFF, -9))
    assert ended(files, attempts) == 0
    assert events(files.folder, "end")[0]["outcome"] == "stopped"
