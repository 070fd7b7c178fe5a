"""The contract of executors on the one that works in this process; nothing of it needs Ray."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from modules.core_components.atomic import write_bytes
from modules.core_components.audio.encode import pcm_sha256
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    JobCancelled,
    StudioError,
)
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.settings import HEAVY_CLUSTER, HEAVY_HERE, HEAVY_WORKERS
from modules.tools.listening import transcribe_many as many
from modules.tools.listening.transcribe import TranscribeRequest
from modules.tools.services import Services
from modules.tools.speaking import speak_many
from modules.tools.speaking.request import SpeechRequest
from modules.tools.work import executor as contract
from modules.tools.work.executor import LocalExecutor, Tally, Work, Worker, WorkItem
from modules.tools.work.places import choose_executor
from modules.tools.work.ray_driver import connection_error, fitting_workers
from modules.tools.work.ray_executor import RayExecutor, require_address
from modules.tools.work.under_way import Node, WorkStateFile, published_state, under_way
from tests.conftest import ROOT
from tests.helpers.espeak import espeak

Opening = Callable[[Worker], None]


@pytest.fixture
def opens(monkeypatch: pytest.MonkeyPatch) -> Opening:
    """Has every work done by the worker that is given."""

    def open_it(worker: Worker) -> None:
        monkeypatch.setattr(contract, "open_worker", lambda services, opener, setup: worker)

    return open_it


def work_of(folder: Path, count: int) -> Work:
    return Work(
        "", {}, tuple(WorkItem(f"item {n}", {"n": n}, folder / f"{n}.json") for n in range(count))
    )


def test_items_are_done_in_order_and_a_failure_stops_only_itself(
    services: Services, opens: Opening, tmp_path: Path
) -> None:
    seen: list[int] = []
    reports: list[tuple[str, float]] = []
    fractions: list[float] = []

    def write(inputs: Any, result: Path, progress: Progress, cancel: CancelToken) -> None:
        seen.append(inputs["n"])
        progress(0.5, "Half")
        if inputs["n"] == 1:
            raise BadInputError("It is no good.", "Take another.")
        if inputs["n"] == 2:
            raise ZeroDivisionError
        write_bytes(result, b"{}")

    opens(write)
    outcome = LocalExecutor(services).run(
        work_of(tmp_path, 4),
        lambda fraction, message: fractions.append(fraction),
        on_item=lambda item, fraction, message: reports.append((item.name, fraction)),
    )
    assert seen == [0, 1, 2, 3]
    assert [item.name for item in outcome.done] == ["item 0", "item 3"]
    said = [(failure.item.name, failure.message, failure.hint) for failure in outcome.failures]
    assert said[0] == ("item 1", "It is no good.", "Take another.")
    assert "ZeroDivisionError" in said[1][1]
    assert reports[:3] == [("item 0", 0.5), ("item 0", 1.0), ("item 1", 0.5)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_full_disk_stops_all(services: Services, opens: Opening, tmp_path: Path) -> None:
    seen: list[int] = []

    def write(inputs: Any, result: Path, progress: Progress, cancel: CancelToken) -> None:
        seen.append(inputs["n"])
        raise DiskFullError("There is no room.")

    opens(write)
    with pytest.raises(DiskFullError):
        LocalExecutor(services).run(work_of(tmp_path, 4))
    assert seen == [0]


def test_what_is_done_stays_when_the_rest_is_cancelled(
    services: Services, opens: Opening, tmp_path: Path
) -> None:
    cancel = CancelToken()
    seen: list[int] = []

    def write(inputs: Any, result: Path, progress: Progress, cancel: CancelToken) -> None:
        seen.append(inputs["n"])
        cancel.raise_if_cancelled()
        write_bytes(result, b"{}")
        if inputs["n"] == 1:
            cancel.cancel()

    opens(write)
    with pytest.raises(JobCancelled):
        LocalExecutor(services).run(work_of(tmp_path, 4), cancel=cancel)
    outcome = LocalExecutor(services).run(work_of(tmp_path, 4))
    assert seen == [0, 1, 2, 3]
    assert [item.name for item in outcome.skipped] == ["item 0", "item 1"]
    assert [item.name for item in outcome.done] == ["item 2", "item 3"]


def test_two_items_with_one_result_are_a_fault(tmp_path: Path) -> None:
    item = WorkItem("a", {}, tmp_path / "a.json")
    with pytest.raises(ValueError, match="same result"):
        Tally(Work("", {}, (item, item)), lambda *_: None, lambda *_: None)


def test_folders_of_killed_processes_go(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for name in (f"ray-{ended.pid}-x", f"ray-{os.getpid()}-x", f"other-{ended.pid}-x", "ray-x"):
        (tmp_path / name).mkdir()
    made = contract.make_own_folder(tmp_path, "ray-")
    assert {path.name for path in tmp_path.iterdir()} == {
        made.name,
        f"ray-{os.getpid()}-x",
        f"other-{ended.pid}-x",
        "ray-x",
    }


def test_only_the_studios_own_functions_open_workers(services: Services) -> None:
    with pytest.raises(BadInputError):
        contract.open_worker(services, "os:system", {})


@pytest.fixture
def thousand(tmp_path: Path) -> tuple[tuple[Path, Path], ...]:
    folder = tmp_path / "clips"
    folder.mkdir()
    first = folder / "0000.wav"
    write_speech(first, espeak("Good morning."))
    for n in range(1, 1000):
        os.link(first, folder / f"{n:04}.wav")
    return many.find_recordings([folder])


def test_finished_work_is_left_alone(
    services: Services,
    thousand: tuple[tuple[Path, Path], ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "texts"
    few = thousand[:3]
    request = TranscribeRequest(Path())
    executor = LocalExecutor(services)
    first = many.transcribe_many(services, executor, few, request, "txt", out)
    assert [one.written.name for one in first.transcribed] == ["0000.txt", "0001.txt", "0002.txt"]
    assert (out / "0001.txt").read_text() == "Good <b>morning</b>.\nHow are you?\n"
    # The results of the others, as their workers would have left them.
    made = first.transcribed[0].result.read_bytes()
    planned: list[WorkItem] = []

    def note(work: Work, *_: Any) -> contract.Outcome:
        planned.extend(work.items)
        return contract.Outcome((), work.items[:3], ())

    with monkeypatch.context() as patched:
        patched.setattr(LocalExecutor, "run", lambda self, work, *rest: note(work))
        patched.setattr(many, "write_transcript", lambda *_: None)
        many.transcribe_many(services, executor, thousand, request, "txt", out)
    for item in planned[3:]:
        item.result.write_bytes(made)
        Path(item.inputs["text"]).write_text("as it was", encoding="utf-8")

    monkeypatch.setattr(contract, "open_worker", lambda *_: pytest.fail("a worker was opened"))
    monkeypatch.setattr(many, "read_transcript", lambda *_: pytest.fail("a result was read"))
    again = many.transcribe_many(services, executor, thousand, request, "txt", out)
    assert len(again.transcribed) == 1000
    assert all(one.was_there for one in again.transcribed)
    assert (out / "0999.txt").read_text() == "as it was"


def test_what_changed_is_done_again_and_another_format_is_only_written(
    services: Services, thousand: tuple[tuple[Path, Path], ...], tmp_path: Path
) -> None:
    out, few, executor = tmp_path / "texts", thousand[:2], LocalExecutor(services)

    def run(fmt: str, language: str = "") -> list[bool]:
        request = TranscribeRequest(Path(), language=language)
        batch = many.transcribe_many(services, executor, few, request, fmt, out)
        return [one.was_there for one in batch.transcribed]

    assert run("txt") == [False, False]
    assert run("srt") == [True, True]
    assert (out / "0001.srt").read_text().startswith("1\n00:00:00,000")
    (out / "0001.txt").unlink()
    assert run("txt") == [True, True]
    assert (out / "0001.txt").is_file()
    assert run("txt", "it") == [False, False]
    few[1][0].unlink()
    write_speech(few[1][0], espeak("Good evening to you."))
    assert run("txt") == [True, False]


def test_recordings_of_one_name_do_not_share_a_text(
    services: Services, thousand: tuple[tuple[Path, Path], ...], tmp_path: Path
) -> None:
    recording = thousand[0][0]
    for name in ("a/talk.wav", "b/talk.wav", "deep/a/talk.wav", "deep/a/talk.flac"):
        path = tmp_path / "named" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(recording, path)
    places = [tmp_path / "named" / name for name in ("a/talk.wav", "b/talk.wav", "deep")]
    found = many.find_recordings(places)
    batch = many.transcribe_many(
        services, LocalExecutor(services), found, TranscribeRequest(Path()), "txt", tmp_path / "out"
    )
    written = [str(one.written.relative_to(tmp_path / "out")) for one in batch.transcribed]
    assert written == ["talk.txt", "talk-2.txt", "a/talk.txt", "a/talk-2.txt"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="no recording in"):
        many.find_recordings([tmp_path / "empty"])


def test_many_texts_are_spoken_each_into_a_file_of_its_own(
    services: Services, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("One two.\n\nThree four.\n!\nFive.\n", encoding="utf-8")
    out, request = tmp_path / "out", SpeechRequest("", "high", "")

    def run(out: Path = out) -> tuple[list[bool], list[str]]:
        texts = speak_many.read_texts(lines)
        batch = speak_many.speak_many(services, LocalExecutor(services), texts, request, out)
        assert [failure.item.name for failure in batch.failures] == ["00004"]
        written = [read_speech(one.written) for one in batch.spoken]
        assert [one.about()["pcm_sha256"] for one in batch.spoken] == [
            pcm_sha256(speech) for speech in written
        ]
        return [one.was_there for one in batch.spoken], [one.written.name for one in batch.spoken]

    assert run() == ([False] * 3, ["00001.wav", "00003.wav", "00005.wav"])
    assert run() == ([True] * 3, ["00001.wav", "00003.wav", "00005.wav"])
    assert services.takes.list() == ()
    assert not any((services.settings.cache_folder / "speaking").iterdir())
    first = (out / "00001.wav").read_bytes()
    (out / "00001.wav").unlink()
    assert run()[0] == [False, True, True]
    # The seed follows from the text and what is wanted, and so do the samples.
    assert (out / "00001.wav").read_bytes() == first
    assert run(tmp_path / "other")[0] == [False] * 3
    assert (tmp_path / "other" / "00001.wav").read_bytes() == first
    lines.write_text("One two.\n\nThree five.\n!\nFive.\n", encoding="utf-8")
    assert run()[0] == [True, False, True]


def test_texts_of_a_folder_are_named_by_their_files(tmp_path: Path) -> None:
    for name, text in (("b.txt", "Two\nlines."), ("a.txt", "One."), ("c.txt", " ")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    texts = speak_many.read_texts(tmp_path)
    assert [(text.name, text.text) for text in texts] == [("a", "One."), ("b", "Two\nlines.")]
    for place in (tmp_path / "c.txt", tmp_path / "none.txt"):
        with pytest.raises(BadInputError):
            speak_many.read_texts(place)


# -- recordings in buckets ------------------------------------------------------------------------


@pytest.fixture
def bucket() -> Iterator[MemoryFileSystem]:
    store = MemoryFileSystem()
    store.store.clear()
    yield store
    store.store.clear()


def test_recordings_of_a_bucket_are_transcribed(
    services: Services, bucket: MemoryFileSystem, tmp_path: Path
) -> None:
    write_speech(tmp_path / "talk.wav", espeak("Good morning."))
    sound = (tmp_path / "talk.wav").read_bytes()
    for name in ("a.wav", "deep/b.wav", "notes.txt"):
        bucket.pipe(f"/talks/{name}", sound)

    def run(*places: Path | str) -> list[tuple[str, bool]]:
        batch = many.transcribe_many(
            services,
            LocalExecutor(services),
            many.find_recordings(places),
            TranscribeRequest(Path()),
            "txt",
            tmp_path / "out",
        )
        assert batch.failures == ()
        assert all(one.written.read_text().startswith("Good") for one in batch.transcribed)
        names = [str(one.written.relative_to(tmp_path / "out")) for one in batch.transcribed]
        return list(zip(names, [one.was_there for one in batch.transcribed], strict=True))

    assert run("memory://talks") == [("a.txt", False), ("deep/b.txt", False)]
    assert run("memory://talks") == [("a.txt", True), ("deep/b.txt", True)]
    write_speech(tmp_path / "talk.wav", espeak("Good evening to you."))
    bucket.pipe("/talks/a.wav", (tmp_path / "talk.wav").read_bytes())
    assert run("memory://talks/", tmp_path / "talk.wav") == [
        ("a.txt", False),
        ("deep/b.txt", True),
        ("talk.txt", False),
    ]
    assert run((tmp_path / "talk.wav").as_uri(), str(tmp_path / "talk.wav")) == [
        ("talk.txt", False),
        ("talk-2.txt", False),
    ]
    assert not any((services.settings.cache_folder / "work").glob("fetched-*/*"))
    bucket.rm("/talks/a.wav")
    with pytest.raises(BadInputError, match="no recording in memory://talks/a"):
        many.find_recordings(["memory://talks/a.wav"])
    bucket.pipe("/empty/notes.txt", b"")
    with pytest.raises(BadInputError, match="no recording in memory://empty"):
        many.find_recordings(["memory://empty"])


def test_a_recording_that_leaves_its_bucket_is_a_failure_of_its_own(
    services: Services, bucket: MemoryFileSystem, tmp_path: Path
) -> None:
    write_speech(tmp_path / "talk.wav", espeak("Good morning."))
    for name in ("a.wav", "b.wav"):
        bucket.pipe(f"/talks/{name}", (tmp_path / "talk.wav").read_bytes())
    found = many.find_recordings(["memory://talks"])
    bucket.rm("/talks/a.wav")
    batch = many.transcribe_many(
        services, LocalExecutor(services), found, TranscribeRequest(Path()), "txt", tmp_path / "out"
    )
    assert [one.written.name for one in batch.transcribed] == ["b.txt"]
    ((name, message),) = [(failure.item.name, failure.message) for failure in batch.failures]
    assert message == f"There is nothing at {name}."


@pytest.mark.parametrize(
    "key", ["../../up.wav", "/up.wav", "C:up.wav", ".results/x.wav", "a?*.wav"]
)
def test_no_name_in_a_bucket_leads_out_of_the_folder_of_the_texts(
    key: str, bucket: MemoryFileSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {f"/talks/{key}": {"size": 3, "created": "now"}}
    monkeypatch.setattr(MemoryFileSystem, "find", lambda *_, **__: listed)
    ((recording, place),) = many.find_recordings(["memory://talks"])
    target = (tmp_path / place).resolve()
    assert target.is_relative_to(tmp_path)
    assert target != tmp_path
    assert not any(part.startswith(".") for part in place.parts)
    assert str(recording).endswith(key)


def test_what_an_address_needs_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(StudioError, match="s3:// needs the package s3fs, which is not inst"):
        many.find_recordings(["s3://bucket/talks"])
    for refused in (
        "simplecache::memory://talks",
        "memory://a::file:///etc",
        "github://x:y@main/",
        "ssh://host/talks",
        "ftp://host/talks",
    ):
        with pytest.raises(BadInputError, match="is no place that recordings are read from"):
            many.find_recordings([refused])


# -- what is told of work that is under way --------------------------------------------------------


def test_speed_and_estimate_are_those_of_the_last_minute(tmp_path: Path) -> None:
    work, now = work_of(tmp_path, 60), 0.0
    for item in work.items[:10]:
        write_bytes(item.result, b"{}")
    tally = Tally(work, lambda *_: None, lambda *_: None)
    state_file = WorkStateFile(tmp_path / "state.json", "Count", "here", tally, lambda: now)

    def told() -> dict[str, Any]:
        state_file.update()
        found: dict[str, Any] = json.loads((tmp_path / "state.json").read_text())
        return found

    now = 30.0  # the workers have taken half a minute to start, which is no speed
    state_file.update([Node("a", "10.0.0.1", True, 4, 1, workers=1, busy=1)])
    assert (told()["done"], told()["a_second"], told()["left_s"]) == (10, None, None)
    for number in range(10, 20):
        now += 10.0
        tally.finish(number)
        state_file.update()
    tally.fail(20, "It is no good.")
    now += 10.0
    assert (told()["done"], told()["failed"], told()["items"]) == (20, 1, 60)
    assert told()["a_second"] == pytest.approx(0.1)
    assert told()["left_s"] == pytest.approx(390.0)
    for number in range(21, 51):  # ten times as fast from now on
        now += 1.0
        tally.finish(number)
        state_file.update()
    now += 31.0
    assert told()["a_second"] == pytest.approx(0.5, rel=0.1)


def test_only_what_living_processes_do_is_under_way(services: Services, tmp_path: Path) -> None:
    tally = Tally(work_of(tmp_path, 3), lambda *_: None, lambda *_: None)
    with published_state(services, "Count", "here", tally):
        (own,) = under_way(services)
        assert (own.title, own.items, own.is_own) == ("Count", 3, True)
        (folder,) = (services.settings.cache_folder / "work").iterdir()
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        for name in (f"state-{ended.pid}-x", f"state-{os.getppid()}-y", "state-1-z", "state-q"):
            shutil.copytree(folder, folder.parent / name)
        (folder.parent / "state-1-z" / "state.json").write_text('{"of": "another version"}')
        assert sorted(one.is_own for one in under_way(services)) == [False, True]
    assert [one.is_own for one in under_way(services)] == [False]


# -- without Ray ----------------------------------------------------------------------------------


def test_nothing_imports_ray_at_the_start() -> None:
    """Neither the commands nor the page, nor the executor that would use it."""
    code = (
        "import sys, modules.cli.main, modules.ui.server, modules.tools.jobs, modules.cli.cluster, "
        "modules.tools.work.probe, modules.tools.work.ray_driver; "
        "sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_without_ray_it_says_how_to_get_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for refused in (
        lambda: choose_executor(services, "local"),
        lambda: choose_executor(services, "10.0.0.5:6379"),
        lambda: services.change_settings({"heavy_work": HEAVY_WORKERS}),
    ):
        with pytest.raises(StudioError, match="Ray is not installed") as error:
            refused()
        assert "--cluster" in error.value.hint
    assert isinstance(choose_executor(services), LocalExecutor)
    assert isinstance(choose_executor(services, "none"), LocalExecutor)


def test_the_settings_choose_the_place(services: Services) -> None:
    with pytest.raises(BadInputError, match="address of the cluster is missing"):
        services.change_settings({"heavy_work": HEAVY_CLUSTER})
    for wrong in ("nonsense", "ray://10.0.0.5:10001", "10.0.0.5"):
        with pytest.raises(BadInputError, match="is not the address of a cluster"):
            services.change_settings({"cluster_address": wrong})
    services.change_settings({"heavy_work": HEAVY_CLUSTER, "cluster_address": "10.0.0.5:6379"})
    chosen = choose_executor(services)
    assert isinstance(chosen, RayExecutor)
    assert chosen.label == "the cluster at 10.0.0.5:6379"
    assert isinstance(choose_executor(services, "none"), LocalExecutor)


def test_what_has_nothing_to_do_with_ray_can_be_changed_without_it(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.change_settings({"heavy_work": HEAVY_WORKERS})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    services.change_settings({"prepared_voices_mb": 2})
    # Sent as it was, it is no change.
    services.change_settings({"prepared_voices_mb": 3, "heavy_work": HEAVY_WORKERS})
    assert services.settings.prepared_voices_mb == 3
    for changes in (
        {"heavy_work_workers": 2},
        {"heavy_work": HEAVY_CLUSTER, "cluster_address": "10.0.0.5:6379"},
    ):
        with pytest.raises(StudioError, match="Ray is not installed"):
            services.change_settings({"prepared_voices_mb": 1, **changes})
    assert services.settings.prepared_voices_mb == 3
    services.change_settings({"heavy_work": HEAVY_HERE})


def test_a_cluster_that_does_not_answer_is_named() -> None:
    for address in ("127.0.0.1:9", "127.0.0.1:x", "127.0.0.1:99999"):
        with pytest.raises(StudioError, match=f"No Ray cluster answers at {address}"):
            require_address(address)


def test_how_many_workers_fit() -> None:
    assert fitting_workers([{"CPU": 2.0}]) == 1
    assert fitting_workers([{"CPU": 16.0}, {"CPU": 3.0}, {}]) == 5
    assert fitting_workers([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 8.0}]) == 2


def test_other_versions_of_ray_and_python_are_one_sentence() -> None:
    said = (
        "Version mismatch: The cluster was started with:\n    Ray: 2.59.0\n    Python: 3.11.9\n"
        "This process on 10.0.0.7 was started with:\n    Ray: 2.60.0\n    Python: 3.11.7\n"
    )
    assert connection_error("10.0.0.5:6379", said).message == (
        "The cluster has Ray 2.59.0 and Python 3.11.9, this studio has Ray 2.60.0 and Python "
        "3.11.7."
    )
    assert "ray start --address=10.0.0.5:6379" in connection_error("10.0.0.5:6379", "no").details
