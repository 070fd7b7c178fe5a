"""A training: killed in its process, resumed, stopped.

A process takes ten seconds to import what it needs, so there is one, and the second half of the
story is told by the same code in a thread. The tests look at what the run left.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.xtts.checkpoint import read_weights
from modules.core_components.ai_models.engines.xtts.training.child import run_training
from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    row_of,
    row_to_json,
)
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, clip_label
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.jobs import Job
from modules.core_components.library.training_events import (
    BACK,
    CHECKPOINT,
    END,
    EVAL,
    NOTE,
    SAVING,
    START,
    STEP,
    Event,
    EventWriter,
    read_events,
)
from modules.core_components.library.training_runs import RunFiles, TrainingRun
from modules.core_components.progress import CancelToken, no_progress
from modules.tools.services import Services
from modules.tools.training import training
from modules.tools.training.curves import in_force, read_curves
from modules.tools.training.training import (
    TrainingRequest,
    resume_training,
    start_training,
    stop_after_epoch,
    stop_training,
    train,
)
from tests.helpers.xtts_studio import BASE, add_dataset, open_xtts_studio

TRAINED, HELD_OUT = 10, 2
PLAN = {
    "epochs": 3,
    "batch_size": 2,
    "learning_rate": 0.01,
    "checkpoint_minutes": 0.01,
    "early_stopping": 0,
    "workers": 0,
}
SOON_S = 120.0


@dataclass(frozen=True)
class Story:
    """What a run went through: killed, resumed through a job, stopped when it had a while to go."""

    services: Services
    run: TrainingRun
    poisoned: str
    killed: StudioError
    state_when_killed: str
    resumed: Job
    messages: tuple[str, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        return read_events(self.run.files.progress)

    def of_kind(self, kind: str) -> list[Event]:
        return [event for event in self.events if event["kind"] == kind]


def states_in(events: Sequence[Event]) -> list[int]:
    """The steps of the states to resume from, as the events have them; not those of weights."""
    return [e["step"] for e in events if e["kind"] == CHECKPOINT and e["file"] == "state.pt"]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_xtts: Path) -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as monkeypatch:
        services = open_xtts_studio(tmp_path_factory.mktemp("studio"), tiny_xtts, monkeypatch)
        yield services
        services.close()
        reset_managers()


class ThreadInsteadOfProcess:
    """Trains where `wait` is called, as the process would."""

    def __init__(self, files: RunFiles) -> None:
        self._files = files

    def wait(self) -> int:
        requests = StopRequests(self._files.stop, self._files.stop_after_epoch)
        return run_training(self._files, requests)

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def story(studio: Services) -> Story:
    dataset = add_dataset(studio, "Short", TRAINED + HELD_OUT, 1.0, HELD_OUT)
    poisoned = dataset.rows[3]
    nothing = np.full(SAMPLE_RATE_HZ, np.nan, dtype=np.float32)
    soundfile.write(dataset.wav_of(poisoned), nothing, SAMPLE_RATE_HZ, subtype="FLOAT")
    rows = [row_to_json(row_of(clip)) for clip in dataset.rows]
    run = studio.training_runs.create("anna", dataset.name, BASE, "en", PLAN, rows)
    messages: list[str] = []

    def kill_when_a_state_is_kept(fraction: float, message: str) -> None:
        messages.append(message)
        if max(states_in(read_events(run.files.progress)), default=0) > 0:
            for child in psutil.Process().children():
                if str(run.folder) in child.cmdline():
                    child.kill()

    with pytest.raises(StudioError) as killed:
        train(studio, {"run": run.name}, kill_when_a_state_is_kept, CancelToken())
    state = studio.training_runs.get(run.name).state
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(training, "TrainingProcess", ThreadInsteadOfProcess)
        job = resume_training(studio, run.name, more_epochs=200)
        while len(read_curves(studio, run.name).eval_losses) < 3:
            job = studio.jobs.wait(job.id, 0.1)
            assert job.is_active, job.error
        stop_training(studio, run.name)
        resumed = studio.jobs.wait(job.id, SOON_S)
    return Story(
        studio, run, clip_label(poisoned.text), killed.value, state, resumed, tuple(messages)
    )


def test_killed_it_says_so_and_can_be_resumed(story: Story) -> None:
    assert "ended unexpectedly" in story.killed.message
    assert "Exit code" in story.killed.details
    assert "Resume" in story.killed.hint
    assert story.state_when_killed == "interrupted"
    assert any("Epoch 1 of 3, step 1 of 15" in message for message in story.messages)


def test_resumed_it_goes_on_from_the_last_state(story: Story) -> None:
    first, second = story.of_kind(START)
    assert (first["resumed"], second["resumed"]) == (False, True)
    before = story.events[: story.events.index(second)]
    done = [event["step"] for event in before if event["kind"] == STEP]
    # It may have been killed after it wrote a state, before the line that says so.
    assert 0 < states_in(before)[-1] <= second["step"] <= done[-1]
    steps = read_curves(story.services, "anna").steps
    assert steps == tuple(range(1, len(steps) + 1))


def test_stopped_it_kept_its_state(story: Story) -> None:
    assert (story.resumed.state, story.resumed.error) == ("done", "")
    assert story.resumed.result == {"run": "anna", "outcome": "stopped"}
    curves = read_curves(story.services, "anna")
    assert (curves.state, curves.outcome) == ("stopped", "It was stopped.")
    assert story.of_kind(CHECKPOINT)[-1]["step"] == curves.step < curves.steps_total
    assert curves.step_s is not None
    assert curves.log


def test_the_evaluation_loss_falls_by_a_fifth(story: Story) -> None:
    losses = [event["loss"] for event in in_force(story.events, EVAL)]
    assert min(losses[1:]) < 0.8 * losses[0]


def test_a_clip_of_no_numbers_is_told_and_the_training_goes_on(story: Story) -> None:
    notes = [event["text"] for event in story.of_kind(NOTE)]
    assert any("no finite number" in note and story.poisoned in note for note in notes)
    assert not story.of_kind(BACK)
    assert all(np.isfinite(read_curves(story.services, "anna").train_losses))


def test_what_is_kept_is_the_whole_voice_model_and_only_its_gpt_changed(story: Story) -> None:
    base = read_weights(story.services.downloader.verify(BASE) / "model.pth")
    kept = story.services.training_runs.checkpoints("anna")
    assert 1 <= len(kept) <= 4
    weights = read_weights(kept[0].path)
    assert set(base) <= set(weights)
    changed = {name.split(".")[0] for name in base if not torch.equal(base[name], weights[name])}
    assert changed == {"gpt"}


def test_curves_for_tensorboard_are_kept(story: Story) -> None:
    assert list(story.run.files.tensorboard.glob("events.out.tfevents.*"))


def test_the_memory_is_free_again(story: Story) -> None:
    assert not story.services.tts.pool.snapshot()


def test_a_batch_of_one_that_would_be_left_over_is_refused_with_the_remedy(
    studio: Services,
) -> None:
    add_dataset(studio, "Left over", 33, 5.0, 8)
    request = TrainingRequest("left over", "Left over", BASE, {"batch_size": 4})
    with pytest.raises(BadInputError) as refused:
        start_training(studio, request)
    assert "25" in refused.value.message
    assert "batch" in refused.value.hint.lower()
    assert "left_over" not in [run.name for run in studio.training_runs.list()]


class SlowToSave:
    """A process that heeds the wish to stop at once and then writes its state for long."""

    may_end = threading.Event()

    def __init__(self, files: RunFiles) -> None:
        self._files = files
        self.killed = threading.Event()

    def wait(self) -> int:
        while not self._files.stop.exists():
            assert not self.killed.wait(0.01)
        EventWriter(self._files.progress).write(SAVING, step=1, epoch=1)
        assert self.may_end.wait(SOON_S)
        return 0

    def close(self) -> None: ...


class Hung(SlowToSave):
    """A process that heeds nothing."""

    def wait(self) -> int:
        assert self.killed.wait(SOON_S)
        return -9

    def kill(self) -> None:
        self.killed.set()


class StillLoading(SlowToSave):
    """A process that hears the wish to stop after an epoch before it has said a word."""

    def wait(self) -> int:
        while not self._files.stop_after_epoch.exists():
            assert not self.killed.wait(0.01)
        EventWriter(self._files.progress).write(END, outcome="stopped", text="", hint="")
        return 0


def cancelled_at_once(studio: Services, name: str) -> None:
    """Trains a new run with a token that is set as soon as the training has its device."""
    run = studio.training_runs.create(name, "Short", BASE, "en", PLAN, [])
    cancel = CancelToken()

    def when_it_holds_the_device() -> None:
        while not studio.tts.pool.snapshot():
            assert not cancel.wait(0.01)
        cancel.cancel()

    threading.Thread(target=when_it_holds_the_device, daemon=True).start()
    with pytest.raises(JobCancelled):
        train(studio, {"run": run.name}, no_progress, cancel)


def test_the_job_is_over_while_the_state_is_written_and_the_memory_is_kept_until_then(
    studio: Services, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "TrainingProcess", SlowToSave)
    cancelled_at_once(studio, "slow")
    assert [resident.holders for resident in studio.tts.pool.snapshot()] == [("The training slow",)]
    SlowToSave.may_end.set()
    next(t for t in threading.enumerate() if t.name == "training-slow").join(SOON_S)
    assert not studio.tts.pool.snapshot()


def test_a_wish_said_while_the_process_still_loads_is_heard(
    studio: Services, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "TrainingProcess", StillLoading)
    run = studio.training_runs.create("early", "Short", BASE, "en", PLAN, [])
    job = resume_training(studio, run.name)
    stop_after_epoch(studio, run.name)
    ended = studio.jobs.wait(job.id, SOON_S)
    assert ended.result == {"run": "early", "outcome": "stopped"}
    assert not run.files.stop_after_epoch.exists()


def test_a_process_that_hangs_is_ended(
    studio: Services, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "TrainingProcess", Hung)
    monkeypatch.setattr(training, "_KILL_AFTER_S", 0.0)
    cancelled_at_once(studio, "hung")
    assert not studio.tts.pool.snapshot()


def test_the_terminal_tells_how_trainings_stand(story: Story) -> None:
    root = str(story.services.settings.root)
    told = CliRunner().invoke(app, ["--data-root", root, "train", "status", "anna", "--json"])
    curves = json.loads(told.stdout)
    assert (curves["run"], curves["state"]) == ("anna", "stopped")
    assert curves["eval_losses"] == list(read_curves(story.services, "anna").eval_losses)
    unknown = CliRunner().invoke(app, ["--data-root", root, "train", "stop", "nobody", "--json"])
    assert unknown.exit_code == 1
    assert "no training named 'nobody'" in json.loads(unknown.stdout)["error"]
