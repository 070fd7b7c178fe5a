"""Recordings of a dataset that workers listened to before it is built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modules.tools.dataset import build as building
from modules.tools.dataset.build import (
    DatasetRequest,
    DatasetSummary,
    build_dataset,
    submit_build,
)
from modules.tools.services import Services
from modules.tools.work.executor import LocalExecutor, Outcome
from tests.tools.dataset_fakes import COUNTER, CounterListener, add_counter, hum


class SeveralWorkers(LocalExecutor):
    """One that says it is several."""

    has_several_workers = True
    runs = 0

    def run(self, *args: Any, **named: Any) -> Outcome:
        self.runs += 1
        return super().run(*args, **named)


@pytest.fixture
def listener(services: Services, monkeypatch: pytest.MonkeyPatch) -> CounterListener:
    # Noise is no speech: all of it counts as such.
    whole = "modules.tools.dataset.transcription.speech_regions"
    monkeypatch.setattr(whole, lambda speech, cancel=None: [(0.0, speech.duration_s)])
    return add_counter(services)


def build(services: Services, name: str, folder: Path, several: bool) -> DatasetSummary:
    services.datasets.create(name, "en", name)
    request = DatasetRequest(name, (str(folder),), model_id=COUNTER)
    executor = SeveralWorkers(services) if several else None
    return build_dataset(services, request, executor=executor)


def wavs(services: Services, name: str) -> dict[str, bytes]:
    folder = services.datasets.get(name).folder / "wavs"
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_build_asks_for_nothing_that_workers_heard(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    folder = tmp_path / "talks"
    for name in ("a.wav", "b.wav"):
        hum(folder / name, 40.0)
    (folder / "c.wav").write_bytes(b"no sound")
    ahead = build(services, "ahead", folder, several=True)
    asked = listener.asked
    assert asked == 2
    assert [refused.name for refused in ahead.refused] == ["talks/c.wav"]
    for path in (services.settings.cache_folder / "listening").iterdir():
        path.unlink()
    alone = build(services, "alone", folder, several=False)
    assert listener.asked == 2 * asked
    assert wavs(services, "ahead") == wavs(services, "alone")
    assert len(wavs(services, "alone")) > 4
    assert (alone.added, alone.refused) == (ahead.added, ahead.refused)
    # Heard once for all: the first of these built without listening again.
    build(services, "again", folder, several=True)
    assert listener.asked == 2 * asked


def test_a_job_of_the_page_has_several_recordings_heard_where_the_settings_say(
    services: Services, listener: CounterListener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = SeveralWorkers(services)
    monkeypatch.setattr(building, "choose_executor", lambda services: executor)
    services.datasets.create("talks", "en", "Anna")
    building.register(services)
    for names, runs in ((("a.wav", "b.wav"), 1), (("c.wav",), 1)):  # one alone is heard here
        paths = tuple(str(hum(tmp_path / name, 20.0 + ord(name[0]) / 10)) for name in names)
        job = submit_build(services, DatasetRequest("talks", paths, model_id=COUNTER))
        ended = services.jobs.wait(job.id, 20)
        assert (ended.state, ended.error) == ("done", "")
        assert executor.runs == runs
    assert len(services.datasets.get("talks").sources) == 3
