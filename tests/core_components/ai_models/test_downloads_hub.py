"""Downloads from a hub that stands on 127.0.0.1 and fails in every way a network does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from modules.core_components.ai_models.catalog import (
    Catalog,
    FileElsewhere,
    HubSource,
    ModelFile,
    read_manifest,
)
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.downloads import hub as transfer
from modules.core_components.ai_models.downloads.hub import HubTransport
from modules.core_components.ai_models.downloads.local import LocalTransport
from modules.core_components.errors import (
    DiskFullError,
    DownloadError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.progress import CancelToken
from tests.core_components.ai_models.catalogs import catalog, model
from tests.core_components.ai_models.fake_hub import (
    COMMIT,
    REPOSITORY,
    FakeHub,
    running_hub,
    sha256,
)
from tests.helpers.errors import detailed

BIG = bytes(range(256)) * 8192  # 2 MiB
SMALL = b'{"a": 1}'
ROOT = Path(__file__).parents[3]


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with running_hub(
        files={"weights.bin": BIG, "config.json": SMALL, "notes.md": b"no part of the model"},
        large={"weights.bin"},
    ) as running:
        yield running


@pytest.fixture
def models(tmp_path: Path) -> Catalog:
    return catalog(tmp_path, model((ModelFile("config.json"), ModelFile("weights.bin"))))


def downloader(models: Catalog, hub: FakeHub, **about: bool) -> Downloader:
    offline = about.get("offline", False)
    return Downloader(models, lambda: offline, [HubTransport(hub.endpoint, pause_s=0.0)])


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_fetches_the_model_and_records_where_it_came_from(models: Catalog, hub: FakeHub) -> None:
    reports: list[tuple[float, str]] = []
    folder = downloader(models, hub).fetch("tiny", lambda f, m: reports.append((f, m)))
    assert (folder / "weights.bin").read_bytes() == BIG
    assert files_below(folder) == {"weights.bin", "config.json", ".studio.json"}
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.complete
    assert (manifest.source, manifest.revision) == (f"hub:{REPOSITORY}", COMMIT)
    assert manifest.files["config.json"].sha256 == sha256(SMALL)
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert reports[-1] == (1.0, "The tiny model is here")
    assert "2.1 MB from the Hugging Face hub" in " ".join(message for _, message in reports)


def test_a_model_that_is_here_asks_nobody(models: Catalog, hub: FakeHub) -> None:
    loader = downloader(models, hub)
    loader.fetch("tiny")
    hub.asked.clear()
    loader.fetch("tiny")
    assert hub.asked == []


def test_a_broken_connection_is_taken_up_where_it_broke(models: Catalog, hub: FakeHub) -> None:
    hub.cut_after = [len(SMALL), 700_000, 600_000]
    folder = downloader(models, hub).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == BIG
    assert hub.ranges == [None, None, "bytes=700000-", "bytes=1300000-"]


def test_gives_up_when_nothing_comes_any_more(models: Catalog, hub: FakeHub) -> None:
    hub.cut_after = [len(SMALL), 500_000] + [0] * 20
    with pytest.raises(DownloadError, match="failed"):
        downloader(models, hub).fetch("tiny")
    folder = models.folder(models.entry("tiny"))
    assert "weights.bin" not in files_below(folder)
    assert (folder / "weights.bin.part").stat().st_size == 500_000
    hub.cut_after = []
    hub.ranges.clear()
    downloader(models, hub).fetch("tiny")
    assert hub.ranges == ["bytes=500000-"]
    assert (folder / "weights.bin").read_bytes() == BIG


def test_a_part_of_something_else_is_thrown_away(models: Catalog, hub: FakeHub) -> None:
    folder = models.folder(models.entry("tiny"))
    folder.mkdir(parents=True)
    (folder / "weights.bin.part").write_bytes(b"x" * 1000)
    downloader(models, hub).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == BIG
    (folder / "weights.bin").unlink()
    (folder / "weights.bin.part").write_bytes(BIG + b"too long")
    downloader(models, hub).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == BIG


def test_wrong_content_never_gets_its_final_name(tmp_path: Path, hub: FakeHub) -> None:
    models = catalog(tmp_path, model((ModelFile("config.json", len(SMALL), "0" * 64),)))
    with pytest.raises(DownloadError, check=detailed("SHA-256")):
        downloader(models, hub).fetch("tiny")
    assert files_below(models.folder(models.entry("tiny"))) == set()


def test_a_replaced_file_is_refused_before_it_is_moved(tmp_path: Path, hub: FakeHub) -> None:
    models = catalog(tmp_path, model((ModelFile("weights.bin", None, "0" * 64),)))
    with pytest.raises(
        DownloadError, check=detailed("another file than the one that the studio knows")
    ):
        downloader(models, hub).fetch("tiny")
    assert hub.ranges == []


def test_the_first_download_pins_the_commit_and_the_hashes(models: Catalog, hub: FakeHub) -> None:
    loader = downloader(models, hub)
    loader.fetch("tiny")
    loader.delete("tiny")
    hub.asked.clear()
    loader.fetch("tiny")
    assert f"/api/models/{REPOSITORY}/revision/{COMMIT}" in hub.asked
    loader.delete("tiny")
    hub.files["config.json"] = b'{"a": 2}'  # same commit, same size, not the same file
    with pytest.raises(DownloadError, check=detailed("SHA-256")):
        loader.fetch("tiny")


def test_patterns_and_folders_of_the_repository(tmp_path: Path) -> None:
    files = {"v1/voices/a.pt": b"A", "v1/voices/b.pt": b"B", "v1/x.pt": b"X"}
    source = HubSource(REPOSITORY, "main", "v1")
    models = catalog(tmp_path, model((ModelFile("voices/*.pt"),), (source,)))
    with running_hub(files=files) as hub:
        folder = downloader(models, hub).fetch("tiny")
    assert files_below(folder) == {"voices/a.pt", "voices/b.pt", ".studio.json"}
    assert models.state(models.entry("tiny")) == "installed"


def test_a_listing_cannot_name_a_file_of_another_folder(tmp_path: Path) -> None:
    models = catalog(tmp_path, model((ModelFile("voices/*.pt"),)))
    with (
        running_hub(files={"voices/../../../evil.pt": b"!"}) as hub,
        pytest.raises(DownloadError, match="unsafe file name"),
    ):
        downloader(models, hub).fetch("tiny")
    assert list(tmp_path.rglob("evil*")) == []


def test_a_file_the_repository_lacks(tmp_path: Path, hub: FakeHub) -> None:
    models = catalog(tmp_path, model((ModelFile("other.bin"),)))
    with pytest.raises(DownloadError, check=detailed(r"lacks a file.*No other\.bin")):
        downloader(models, hub).fetch("tiny")


def test_a_refusal_is_told_at_once(models: Catalog, hub: FakeHub) -> None:
    hub.listing_status = 401
    with pytest.raises(DownloadError, match="HTTP 401"):
        downloader(models, hub).fetch("tiny")
    assert len(hub.asked) == 1


def test_a_full_disk_is_noticed_before_the_first_byte(
    models: Catalog, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = SimpleNamespace(total=10**9, used=10**9, free=1_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(DiskFullError, match=r"1\.0 MB free; 69\.2 MB are needed"):
        downloader(models, hub).fetch("tiny")
    assert hub.ranges == []


def test_a_disk_that_fills_up_meanwhile_keeps_the_part(
    models: Catalog, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules.core_components.ai_models.downloads import files

    class FullFile:
        def __init__(self, file: object) -> None:
            self._file = file

        def write(self, chunk: bytes) -> int:
            raise OSError(28, "No space left on device")

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

    opened = files.PartFile.__init__

    def full(self: files.PartFile, target: Path) -> None:
        opened(self, target)
        self._file = FullFile(self._file)  # type: ignore[assignment]

    monkeypatch.setattr(files.PartFile, "__init__", full)
    with pytest.raises(DiskFullError, match="became full"):
        downloader(models, hub).fetch("tiny")
    assert files_below(models.folder(models.entry("tiny"))) == {"config.json.part"}


def test_cancel_stops_a_transfer_that_hangs(models: Catalog, hub: FakeHub) -> None:
    hub.files["config.json"] = b""
    hub.hold.clear()
    cancel = CancelToken()
    outcome: list[BaseException] = []

    def work() -> None:
        try:
            downloader(models, hub).fetch("tiny", cancel=cancel)
        except JobCancelled as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert hub.held.wait(10)  # the server sent half and says no more
    cancel.cancel()
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(outcome[0], JobCancelled)
    folder = models.folder(models.entry("tiny"))
    assert "weights.bin" not in files_below(folder)
    hub.hold.set()
    assert (downloader(models, hub).fetch("tiny") / "weights.bin").read_bytes() == BIG


def test_offline_names_what_is_missing_and_where_to_get_it(models: Catalog, hub: FakeHub) -> None:
    with pytest.raises(ModelMissingError) as caught:
        downloader(models, hub, offline=True).fetch("tiny")
    assert hub.asked == []
    assert "the studio is offline" in caught.value.message
    assert "config.json, weights.bin" in caught.value.details
    assert f"https://huggingface.co/{REPOSITORY}/tree/main" in caught.value.details
    assert str(models.folder(models.entry("tiny"))) in caught.value.details


def test_an_unreachable_hub_fails_and_is_remembered(models: Catalog) -> None:
    with running_hub() as gone:
        pass
    transport = HubTransport(gone.endpoint)
    with pytest.raises(DownloadError, match="cannot be reached"):
        Downloader(models, transports=[transport]).fetch("tiny")
    assert transport.unreachable


def test_a_check_asks_once_a_minute_and_fetches_nothing(
    models: Catalog, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(transfer.time, "monotonic", lambda: clock.now)
    loader = downloader(models, hub)
    loader.check("tiny")
    hub.listing_status = 503
    loader.check("tiny")
    assert len(hub.asked) == 1
    clock.now = 61.0
    with pytest.raises(DownloadError, match=r"cannot be downloaded now.*HTTP 503") as caught:
        loader.check("tiny")
    assert "By hand" in caught.value.details
    assert not models.folder(models.entry("tiny")).exists()
    with pytest.raises(ModelMissingError, check=detailed("the studio is offline")):
        downloader(models, hub, offline=True).check("tiny")
    assert len(hub.asked) == 2


def test_a_check_sees_a_hub_that_is_gone_files_that_are_here_and_a_full_disk(
    models: Catalog, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_hub() as gone:
        pass
    gone_hub, usb = HubTransport(gone.endpoint), LocalTransport([tmp_path / "usb"])
    with pytest.raises(DownloadError, check=detailed(r"cannot be reached")) as caught:
        Downloader(models, transports=[usb, gone_hub]).check("tiny")
    assert "No folder" not in caught.value.message
    copy = tmp_path / "usb" / models.entry("tiny").folder
    copy.mkdir(parents=True)
    for name in ("config.json", "weights.bin"):
        (copy / name).write_bytes(SMALL)
    Downloader(models, transports=[usb, gone_hub]).check("tiny")
    entry = replace(models.entry("tiny"), download_mb=1_000)
    full = SimpleNamespace(free=10_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: full)
    with pytest.raises(DiskFullError, match=r"10\.0 MB free"):
        Downloader(Catalog([entry], models.models_folder), transports=[usb]).check("tiny")


def test_a_hub_that_never_answers_is_left(
    models: Catalog, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "FIRST_BYTE_TIMEOUT_S", 0.0)
    hub.hold.clear()
    silent = threading.Event()
    monkeypatch.setattr(transfer, "_pull", lambda *_: silent.wait(5))
    with pytest.raises(DownloadError, match="sent nothing"):
        downloader(models, hub).fetch("tiny")
    silent.set()


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = [{here!r}, {root!r}]
from tests.core_components.ai_models.catalogs import catalog, model
from modules.core_components.ai_models.catalog import ModelFile
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.downloads.hub import HubTransport
from modules.core_components.ai_models.downloads.local import LocalTransport
from tests.helpers.errors import detailed
models = catalog(Path({tmp!r}), model((ModelFile("config.json"), ModelFile("weights.bin"))))
Downloader(models, transports=[HubTransport({endpoint!r})]).fetch("tiny")
"""


def test_kill_9_in_the_middle_and_the_next_try_goes_on(
    tmp_path: Path, models: Catalog, hub: FakeHub
) -> None:
    hub.files["config.json"] = b""
    hub.hold.clear()
    script = CHILD.format(
        here=str(Path(__file__).parent), root=str(ROOT), tmp=str(tmp_path), endpoint=hub.endpoint
    )
    child = subprocess.Popen([sys.executable, "-c", script])
    part = models.folder(models.entry("tiny")) / "weights.bin.part"
    try:
        assert hub.held.wait(100)  # half of the file is on its way
        while not part.exists() or part.stat().st_size < len(BIG) // 2:
            assert child.poll() is None
            time.sleep(0.01)  # another process writes: only its file can be watched
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
    hub.hold.set()
    kept = part.stat().st_size
    assert kept == len(BIG) // 2
    assert models.state(models.entry("tiny")) == "partial"
    hub.ranges.clear()
    folder = downloader(models, hub).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == BIG
    assert hub.ranges == [f"bytes={kept}-"]
    assert models.state(models.entry("tiny")) == "installed"


GATED = "kyutai/gated"
OPEN_ONE = "kyutai/open"
OURS, STRANGERS = "hf_accepted1", "hf_stranger1"


@pytest.fixture
def gated(tmp_path: Path) -> Catalog:
    """Weights in a gated repository, the tokenizer in an open one at another folder."""
    elsewhere = (FileElsewhere("tokenizer.json", OPEN_ONE, COMMIT, "shared"),)
    source = HubSource(GATED, COMMIT, "english", elsewhere)
    files = (ModelFile("weights.bin"), ModelFile("tokenizer.json"))
    return catalog(tmp_path, model(files, (source,)))


@pytest.fixture
def gated_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    # The person who runs the tests may be logged in at the hub.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    with running_hub(
        files={"english/weights.bin": BIG, "shared/tokenizer.json": SMALL},
        large={"english/weights.bin"},
        gated={GATED},
        known={STRANGERS},
        accepted={OURS},
    ) as running:
        yield running


def ask_gate(models: Catalog, hub: FakeHub, token: str | None) -> Path:
    transport = HubTransport(hub.endpoint, pause_s=0.0, token=lambda: token)
    return Downloader(models, transports=[transport]).fetch("tiny")


def test_files_of_one_model_in_two_repositories(gated: Catalog, gated_hub: FakeHub) -> None:
    folder = ask_gate(gated, gated_hub, OURS)
    assert files_below(folder) == {"weights.bin", "tokenizer.json", ".studio.json"}
    assert (folder / "tokenizer.json").read_bytes() == SMALL
    assert f"/{GATED}/resolve/{COMMIT}/english/weights.bin" in gated_hub.asked
    assert f"/{OPEN_ONE}/resolve/{COMMIT}/shared/tokenizer.json" in gated_hub.asked
    manifest = read_manifest(folder)
    assert manifest is not None
    assert (manifest.source, manifest.revision) == (f"hub:{GATED}", COMMIT)


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (None, "HTTP 401.*Accept the terms at https://huggingface.co/kyutai/gated and save"),
        (STRANGERS, "HTTP 403.*Accept the terms at .* with the account of your access token"),
        ("hf_mistyped1", "HTTP 401.*does not know your access token"),
    ],
)
def test_a_closed_gate_says_what_to_do_and_not_the_token(
    gated: Catalog,
    gated_hub: FakeHub,
    token: str | None,
    words: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    with pytest.raises(DownloadError, match=words) as caught:
        ask_gate(gated, gated_hub, token)
    if token is not None:
        assert token not in str(caught.value) + caplog.text
    assert not (gated.folder(gated.entry("tiny")) / "weights.bin").exists()
    ask_gate(gated, gated_hub, OURS)  # the gate opens: the same call goes through


def test_the_hub_cache_may_hold_them_in_two_repositories(gated: Catalog, tmp_path: Path) -> None:
    for repository, name, content in (
        (GATED, "english/weights.bin", BIG),
        (OPEN_ONE, "shared/tokenizer.json", SMALL),
    ):
        cached = tmp_path / f"hub/models--{repository.replace('/', '--')}/snapshots" / COMMIT / name
        cached.parent.mkdir(parents=True)
        cached.write_bytes(content)
    loader = Downloader(gated, lambda: True, [LocalTransport([tmp_path / "hub"])])
    assert (loader.fetch("tiny") / "tokenizer.json").read_bytes() == SMALL
