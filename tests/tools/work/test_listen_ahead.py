"""Recordings of a dataset that workers listened to before it is built."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.tools.dataset.build import DatasetRequest, DatasetSummary, build_dataset
from modules.tools.services import Services
from modules.tools.work.executor import LocalExecutor
from tests.tools.dataset_fakes import COUNTER, CounterListener, add_counter, hum


class SeveralWorkers(LocalExecutor):
    """One that says it is several."""

    has_several_workers = True


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
