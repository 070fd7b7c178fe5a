"""Runs on the disk: their names, their state by the diary and the lock, their trash."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from filelock import FileLock

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library.training_events import (
    CHECKPOINT,
    END,
    SAVING,
    STEP,
    EventReader,
    EventWriter,
    last_event,
    read_events,
)
from modules.core_components.library.training_runs import TrainingRun, TrainingRunLibrary


@pytest.fixture
def library(tmp_path: Path) -> TrainingRunLibrary:
    return TrainingRunLibrary(tmp_path / "training")


def made(library: TrainingRunLibrary, name: str = "Anna") -> TrainingRun:
    return library.create(name, "anna", "xtts-v2.0.3", "en", {"epochs": 2}, [{"clip_id": "a"}])


def test_a_run_is_found_again_with_its_rows(library: TrainingRunLibrary) -> None:
    run = made(library, "Änne / 1")
    assert run.name == "Änne_1"
    assert library.get("änne_1") == run
    assert run.state == "new"
    assert json.loads(run.files.rows.read_text())["rows"] == [{"clip_id": "a"}]
    with pytest.raises(BadInputError, match="already is a training"):
        made(library, "änne_1")
    with pytest.raises(NotFoundError):
        library.get("../Änne_1")


def test_the_last_one_begun_comes_first_and_damage_hides_only_itself(
    library: TrainingRunLibrary,
) -> None:
    for name in ("b", "a", "c"):
        made(library, name)
    (library.folder / "a" / "run.json").write_text("{")
    assert [run.name for run in library.list()] == ["c", "b"]


def test_its_state_is_what_diary_and_lock_say(library: TrainingRunLibrary) -> None:
    run = made(library)
    diary = EventWriter(run.files.progress)
    diary.write(STEP, step=1)
    assert library.get("anna").state == "interrupted"
    with FileLock(run.files.lock):
        assert library.get("anna").state == "running"
        diary.write(SAVING, step=1)
        assert library.get("anna").state == "saving"
        with pytest.raises(BadInputError, match="is running"):
            library.delete("anna")
    diary.write(END, outcome="stopped", text="", hint="")
    assert library.get("anna").state == "stopped"


def test_checkpoints_are_those_still_there_the_best_first(library: TrainingRunLibrary) -> None:
    run = made(library)
    run.files.checkpoints.mkdir()
    diary = EventWriter(run.files.progress)
    diary.write(CHECKPOINT, step=0, epoch=1, file="state.pt")
    for step, loss in ((3, 2.0), (6, 1.0), (9, 3.0)):
        diary.write(
            CHECKPOINT, step=step, epoch=step // 3, file=f"checkpoints/{step}.pth", eval_loss=loss
        )
        (run.files.checkpoints / f"{step}.pth").touch()
    (run.files.checkpoints / "9.pth").unlink()
    assert [kept.step for kept in library.checkpoints("anna")] == [6, 3]


def test_a_changed_plan_keeps_the_rest(library: TrainingRunLibrary) -> None:
    run = made(library)
    changed = library.change_plan("anna", {"epochs": 5})
    assert library.get("anna") == changed
    assert (changed.plan, changed.created) == ({"epochs": 5}, run.created)


def test_deleted_runs_come_back_or_go_for_good(library: TrainingRunLibrary) -> None:
    run = made(library)
    trash_id = library.delete("anna")
    assert library.list() == ()
    made(library)
    with pytest.raises(BadInputError, match="another training"):
        library.restore(trash_id)
    library.delete("anna")
    assert library.restore(trash_id) == run
    assert library.trash.empty() == 1
    assert [left.name for left in library.list()] == ["Anna"]


def test_half_a_line_is_passed_over_and_the_next_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    EventWriter(path).write(STEP, step=1)
    with path.open("ab") as file:
        file.write(b'{"kind": "step", "st')
    reader = EventReader(path)
    assert [event["step"] for event in reader.new()] == [1]
    last = last_event(path)
    assert last is not None
    assert last["step"] == 1
    EventWriter(path).write(STEP, step=2)
    assert [event["step"] for event in reader.new()] == [2]
    assert [event["step"] for event in read_events(path)] == [1, 2]
