"""Trainings on several devices; only the listing of the devices is not real."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingSetup
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.errors import BadInputError, ModelBusyError, StudioError
from modules.core_components.library.training_events import END, EventWriter
from modules.core_components.library.training_runs import RunFiles
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from modules.tools.training import training
from modules.tools.training.preflight import TrainingRequest, preflight
from modules.tools.training.training import resume_training, start_training, stop_training
from tests.helpers.xtts_studio import add_dataset, open_xtts_studio

GIB = 2**30
SOON_S = 60.0


@pytest.fixture
def device() -> str:
    """What the settings say."""
    return "cpu"


@pytest.fixture
def studio(
    tmp_path: Path, tiny_xtts: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> Iterator[Services]:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    about = SimpleNamespace(total_memory=12 * GIB, major=8)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device=None: (12 * GIB, 12 * GIB))
    services = open_xtts_studio(tmp_path, tiny_xtts, monkeypatch, device=device)
    add_dataset(services)
    yield services
    services.close()
    reset_managers()


class WaitsForAWord:
    """Stands for the process of a training; it says on which device it would train."""

    running: dict[str, threading.Event]

    def __init__(self, files: RunFiles) -> None:
        self._files = files
        self._may_end = threading.Event()
        self.running[TrainingSetup.read(files.setup).device] = self._may_end

    def wait(self) -> int:
        while not self._files.stop.exists():
            if self._may_end.wait(0.01):
                break
        EventWriter(self._files.progress).write(END, outcome="done", text="", hint="")
        return 0

    def kill(self) -> None:
        self._may_end.set()

    def close(self) -> None: ...


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> dict[str, threading.Event]:
    """What trains now: the events that let it end, by device."""
    WaitsForAWord.running = {}
    monkeypatch.setattr(training, "TrainingProcess", WaitsForAWord)
    return WaitsForAWord.running


def until(condition: object) -> None:
    waiting = threading.Event()
    for _ in range(2000):
        if condition():  # type: ignore[operator]
            return
        waiting.wait(0.01)
    raise AssertionError("it did not come to that")


def asked(run: str, device: str) -> TrainingRequest:
    return TrainingRequest(run, "Anna", options={"device": device})


def test_two_devices_train_at_once_and_a_third_goes_on(
    studio: Services, running: dict[str, threading.Event]
) -> None:
    first = start_training(studio, asked("one", "cuda:0"))
    second = start_training(studio, asked("two", "cuda:1"))
    third = start_training(studio, asked("three", "cuda:1"))
    until(lambda: len(running) == 2)
    assert running.keys() == {"cuda:0", "cuda:1"}
    assert studio.jobs.get(third.id).state == "queued"
    assert studio.jobs.ahead(third.id) == 1
    idle = ModelSpec("engine@cpu", "cpu", 1000, lambda: object())
    with studio.tts.pool.lease(idle, CancelToken(), "speaking"):
        pass
    taken = ModelSpec("engine@cuda:1", "cuda:1", 1000, lambda: object())
    with (
        pytest.raises(ModelBusyError, match="two"),
        studio.tts.pool.lease(taken, CancelToken(), "speaking", timeout_s=5.0),
    ):
        pass
    running["cuda:0"].set()
    assert studio.jobs.wait(first.id, SOON_S).state == "done"
    with studio.tts.pool.lease(
        ModelSpec("engine@cuda:0", "cuda:0", 1000, lambda: object()), CancelToken(), "speaking"
    ):
        pass
    running.pop("cuda:1").set()
    assert studio.jobs.wait(second.id, SOON_S).state == "done"
    until(lambda: "cuda:1" in running)
    running["cuda:1"].set()
    assert studio.jobs.wait(third.id, SOON_S).state == "done"


def test_one_on_the_processor_leaves_the_cards_alone(
    studio: Services, running: dict[str, threading.Event]
) -> None:
    job = start_training(studio, asked("slow", "cpu"))
    until(lambda: "cpu" in running)
    with studio.tts.pool.lease(
        ModelSpec("engine@cuda:0", "cuda:0", 1000, lambda: object()), CancelToken(), "speaking"
    ):
        pass
    stop_training(studio, "slow")
    assert studio.jobs.wait(job.id, SOON_S).state == "done"


def test_a_device_that_is_not_here_is_refused_by_name(studio: Services) -> None:
    with pytest.raises(StudioError, match="'cuda:7' is not on this machine") as told:
        start_training(studio, asked("nowhere", "cuda:7"))
    assert "cuda:0, cuda:1, cpu" in told.value.hint


def test_a_training_resumes_on_another_device_but_not_with_another_optimizer(
    studio: Services, running: dict[str, threading.Event]
) -> None:
    job = start_training(studio, asked("moves", "cuda:0"))
    until(lambda: "cuda:0" in running)
    running["cuda:0"].set()
    studio.jobs.wait(job.id, SOON_S)
    with pytest.raises(BadInputError, match="optimizer"):
        resume_training(studio, "moves", options={"optimizer": "adamw8bit"})
    again = resume_training(studio, "moves", options={"device": "cuda:1"})
    until(lambda: "cuda:1" in running)
    running["cuda:1"].set()
    assert studio.jobs.wait(again.id, SOON_S).state == "done"


def test_the_preflight_says_what_auto_chose_and_the_run_keeps_it(
    studio: Services, running: dict[str, threading.Event]
) -> None:
    found = preflight(studio, asked("fits", "cuda:1"))
    (check,) = (one for one in found.checks if one.name == "Memory preset")
    assert "auto chose for cuda:1: batch size 2, accumulation 2, precision bf16" in check.message
    job = start_training(studio, asked("fits", "cuda:1"))
    until(lambda: "cuda:1" in running)
    plan = studio.training_runs.get("fits").plan
    assert (plan["batch_size"], plan["accumulation"], plan["precision"]) == (2, 2, "bf16")
    running["cuda:1"].set()
    studio.jobs.wait(job.id, SOON_S)
    on_the_processor = preflight(studio, asked("other", "cpu"))
    assert on_the_processor.plan.batch_size == 4
    assert [one for one in on_the_processor.checks if one.name == "Memory preset"] == []


@pytest.mark.parametrize("device", ["auto"])
def test_one_process_for_each_gpu_and_a_training_on_one_of_them_waits(
    studio: Services, running: dict[str, threading.Event]
) -> None:
    both = start_training(studio, TrainingRequest("both", "Anna"))
    until(lambda: "cuda:0" in running)
    setup = TrainingSetup.read(studio.training_runs.get("both").files.setup)
    assert setup.devices == ("cuda:0", "cuda:1")
    later = start_training(studio, asked("later", "cuda:1"))
    until(lambda: studio.jobs.get(later.id).state == "running")
    assert running.keys() == {"cuda:0"}
    running["cuda:0"].set()
    assert studio.jobs.wait(both.id, SOON_S).state == "done"
    until(lambda: "cuda:1" in running)
    running["cuda:1"].set()
    assert studio.jobs.wait(later.id, SOON_S).state == "done"
    until(lambda: not studio.tts.pool.snapshot())


@pytest.mark.parametrize("device", ["auto"])
def test_the_preflight_counts_processes(studio: Services) -> None:
    def found(name: str, **options: object) -> str:
        request = TrainingRequest("new", "Anna", options=options)
        return next(c.message for c in preflight(studio, request).checks if c.name == name)

    assert "8 clips. They take cuda:0, cuda:1." in found("Processes")
    assert "for 2 processes" in found("Main memory")
    assert "13 in 2 processes take 26 clips" not in found("Batches", batch_size=13)
    assert "14 in 2 processes take 28 clips" in found("Batches", batch_size=14, processes=2)
    alone = preflight(studio, TrainingRequest("new", "Anna", options={"batch_size": 14}))
    assert "Processes" not in [check.name for check in alone.checks]  # too few clips for two
    with pytest.raises(BadInputError, match="3 processes need as many GPUs; this machine has 2"):
        preflight(studio, TrainingRequest("new", "Anna", options={"processes": 3}))
    with pytest.raises(BadInputError, match="Several processes do not fit on cuda:1"):
        preflight(
            studio, TrainingRequest("new", "Anna", options={"processes": 2, "device": "cuda:1"})
        )


def test_on_the_processor_there_are_several_only_where_asked_for(studio: Services) -> None:
    plain = preflight(studio, TrainingRequest("new", "Anna"))
    assert "Processes" not in [check.name for check in plain.checks]
    two = preflight(studio, TrainingRequest("new", "Anna", options={"processes": 2}))
    (check,) = (one for one in two.checks if one.name == "Processes")
    assert "hardly faster" in check.hint


def test_the_terminal_asks_for_processes(studio: Services) -> None:
    command = ["train", "preflight", "--dataset", "Anna", "--processes", "2", "--set", "device=cpu"]
    told = CliRunner().invoke(app, ["--data-root", str(studio.settings.root), *command])
    assert "2 processes train together; a step learns from 8 clips." in told.stdout
