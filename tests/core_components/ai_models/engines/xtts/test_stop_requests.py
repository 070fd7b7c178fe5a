"""Who may ask a training to stop."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests

SOON_S = 10.0


@pytest.fixture
def requests(tmp_path: Path) -> StopRequests:
    return StopRequests(tmp_path / "stop", tmp_path / "after")


def test_files_are_wishes(requests: StopRequests, tmp_path: Path) -> None:
    assert not requests.at_once
    assert not requests.after_epoch
    (tmp_path / "after").touch()
    assert requests.after_epoch
    (tmp_path / "stop").touch()
    assert requests.at_once
    assert requests.reason == "It was stopped."


def test_the_end_of_the_studio_is_one_whatever_ends_it(requests: StopRequests) -> None:
    reading, writing = os.pipe()
    requests.watch_parent(reading)
    assert not requests.at_once
    watcher = next(t for t in threading.enumerate() if t.name == "studio-lives")
    os.close(writing)
    watcher.join(SOON_S)
    assert requests.at_once
    assert requests.reason == "The studio was closed."
    os.close(reading)


def test_the_first_reason_is_told(requests: StopRequests) -> None:
    requests.stop("The system asked it to stop.")
    requests.stop("The studio was closed.")
    assert requests.reason == "The system asked it to stop."
