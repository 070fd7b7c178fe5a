"""What the downloader promises beside the transfer: local files, checks, licences, deleting."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from modules.core_components.ai_models.catalog import (
    Catalog,
    HubSource,
    Licence,
    Manifest,
    ModelEntry,
    ModelFile,
    read_manifest,
)
from modules.core_components.ai_models.downloads import Downloader, LicenceNotAcceptedError
from modules.core_components.ai_models.downloads.files import Delivery, Meter, process_lock
from modules.core_components.ai_models.downloads.hub import HubTransport
from modules.core_components.ai_models.downloads.local import LocalTransport, local_roots
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.progress import CancelToken, no_progress
from tests.core_components.ai_models.catalogs import OPEN, catalog, model
from tests.core_components.ai_models.fake_hub import COMMIT, REPOSITORY, running_hub, sha256
from tests.helpers.errors import detailed

FILES = (ModelFile("config.json"), ModelFile("weights.bin", 3, sha256(b"abc")))
CPML = Licence("CPML", "https://coqui.ai/cpml", False, True, "Non-commercial use only.")


def put(folder: Path, weights: bytes = b"abc") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "weights.bin").write_bytes(weights)


def installed(tmp_path: Path, entry: ModelEntry | None = None) -> tuple[Catalog, Downloader, Path]:
    models = catalog(tmp_path, entry or model(FILES))
    put(tmp_path / "usb/family/tiny")
    loader = Downloader(models, lambda: True, [LocalTransport([tmp_path / "usb"])])
    return models, loader, loader.fetch("tiny")


def test_a_local_folder_serves_even_offline(tmp_path: Path) -> None:
    _, _, folder = installed(tmp_path)
    assert (folder / "weights.bin").read_bytes() == b"abc"
    assert (tmp_path / "usb/family/tiny/weights.bin").exists()


def test_the_hub_cache_serves_too(tmp_path: Path) -> None:
    cached = tmp_path / "hub/models--someone--some-model/snapshots" / COMMIT
    put(cached)
    models = catalog(tmp_path, model(FILES, (HubSource(REPOSITORY, COMMIT),)))
    loader = Downloader(models, lambda: True, [LocalTransport([tmp_path / "hub"])])
    assert (loader.fetch("tiny") / "config.json").read_bytes() == b"{}"


def test_local_roots_are_the_users_and_the_hub_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_STUDIO_LOCAL_MODELS", os.pathsep.join(["/a", "/b"]))
    assert local_roots()[:2] == (Path("/a"), Path("/b"))
    assert len(local_roots()) == 3


def test_a_wrong_local_file_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "usb/family/tiny", b"xyz")
    models = catalog(tmp_path, model(FILES))
    with running_hub(files={"config.json": b"{}", "weights.bin": b"abc"}) as hub:
        transports = [LocalTransport([tmp_path / "usb"]), HubTransport(hub.endpoint)]
        folder = Downloader(models, transports=transports).fetch("tiny")
    assert (folder / "weights.bin").read_bytes() == b"abc"
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.revision == COMMIT


def test_verify_reads_a_file_once_and_again_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modules.core_components.ai_models.downloads import downloader

    _, loader, folder = installed(tmp_path)
    read: list[str] = []
    real = downloader.sha256_of

    def counting(path: Path, cancel: CancelToken) -> str:
        read.append(path.name)
        return real(path, cancel)

    monkeypatch.setattr(downloader, "sha256_of", counting)
    assert loader.verify("tiny") == folder
    assert read == []
    os.utime(folder / "config.json", ns=(1, 1))  # touched, but the same content
    loader.verify("tiny")
    assert read == ["config.json"]
    loader.verify("tiny")
    assert read == ["config.json"]
    loader.verify("tiny", full=True)
    assert sorted(read[1:]) == ["config.json", "weights.bin"]


def test_a_corrupted_file_is_named_with_its_remedy(tmp_path: Path) -> None:
    _, loader, folder = installed(tmp_path)
    (folder / "weights.bin").write_bytes(b"aXc")
    with pytest.raises(
        CorruptFileError, check=detailed(r"The tiny model is damaged.*weights\.bin has changed")
    ) as e:
        loader.verify("tiny")
    assert "models delete tiny" in e.value.details


def test_damage_that_keeps_size_and_time_is_found_by_a_full_check(tmp_path: Path) -> None:
    _, loader, folder = installed(tmp_path)
    stamp = (folder / "weights.bin").stat().st_mtime_ns
    (folder / "weights.bin").write_bytes(b"aXc")
    os.utime(folder / "weights.bin", ns=(stamp, stamp))
    loader.verify("tiny")
    with pytest.raises(CorruptFileError):
        loader.verify("tiny", full=True)


def test_files_put_there_by_hand_are_checked_against_the_catalog(tmp_path: Path) -> None:
    models = catalog(tmp_path, model(FILES))
    folder = models.folder(models.entry("tiny"))
    put(folder, b"xyz")
    loader = Downloader(models)
    with pytest.raises(CorruptFileError, check=detailed("not a file the catalog knows")):
        loader.verify("tiny")
    assert read_manifest(folder) is None
    put(folder)
    loader.verify("tiny")
    manifest = read_manifest(folder)
    assert manifest is not None
    assert set(manifest.files) == {"config.json", "weights.bin"}
    (folder / "config.json").write_bytes(b"[]")  # recorded now, so a change is seen
    with pytest.raises(CorruptFileError, check=detailed(r"config\.json")):
        loader.verify("tiny")


def test_verify_of_a_model_that_is_not_here(tmp_path: Path) -> None:
    models = catalog(tmp_path, model(FILES))
    with pytest.raises(ModelMissingError, check=detailed("is not installed")):
        Downloader(models).verify("tiny")


def test_a_limiting_licence_is_asked_for_once(tmp_path: Path) -> None:
    put(tmp_path / "usb/family/tiny")
    models = catalog(tmp_path, model(FILES, licence=CPML))
    transports = [LocalTransport([tmp_path / "usb"])]
    loader = Downloader(models, transports=transports)
    assert loader.needs_consent("tiny")
    with pytest.raises(LicenceNotAcceptedError, match="Non-commercial use only") as caught:
        loader.fetch("tiny")
    assert caught.value.licence.url in caught.value.hint
    assert models.state(models.entry("tiny")) == "missing"
    loader.accept_licence("tiny")
    assert not Downloader(models).needs_consent("tiny")  # it is remembered
    assert loader.fetch("tiny").is_dir()


def test_an_unreadable_consent_is_no_consent(tmp_path: Path) -> None:
    models = catalog(tmp_path, model(FILES, licence=CPML))
    models.models_folder.mkdir(parents=True)
    (models.models_folder / ".accepted_licences.json").write_text('["CPML"', encoding="utf-8")
    assert Downloader(models).needs_consent("tiny")
    assert not catalog(tmp_path, model(FILES, licence=OPEN)).entry("tiny").licence.consent_required


def test_delete_takes_the_models_own_files_only(tmp_path: Path) -> None:
    models, loader, folder = installed(tmp_path)
    (folder / "my_own_voice.pt").write_bytes(b"mine")
    (folder / "weights.bin.part").write_bytes(b"half")
    other = folder.parent / "other"
    other.mkdir()
    assert loader.delete("tiny") > 0
    assert [path.name for path in folder.iterdir()] == ["my_own_voice.pt"]
    assert models.state(models.entry("tiny")) == "missing"
    (folder / "my_own_voice.pt").unlink()
    loader.delete("tiny")
    assert not folder.exists()
    assert other.exists()


def test_delete_does_not_follow_a_link_out_of_the_models_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside)
    models = catalog(tmp_path, model(FILES))
    folder = models.folder(models.entry("tiny"))
    folder.parent.mkdir(parents=True)
    folder.symlink_to(outside, target_is_directory=True)
    with pytest.raises(BadInputError, match="does not lie in the models folder"):
        Downloader(models).delete("tiny")
    assert (outside / "weights.bin").exists()


def test_another_process_is_waited_for_and_the_wait_can_be_cancelled(tmp_path: Path) -> None:
    models = catalog(tmp_path, model(FILES))
    put(tmp_path / "usb/family/tiny")
    loader = Downloader(models, transports=[LocalTransport([tmp_path / "usb"])])
    cancel = CancelToken()
    reports: list[str] = []

    def listen(_fraction: float, message: str) -> None:
        reports.append(message)
        cancel.cancel()

    lock = models.models_folder / ".locks" / "family--tiny"
    with process_lock(lock, CancelToken()):
        done = threading.Thread(target=_expect_cancelled, args=(loader, listen, cancel))
        done.start()
        done.join(10)
        assert not done.is_alive()
    assert "another" in reports[0]
    assert loader.fetch("tiny").is_dir()


def _expect_cancelled(loader: Downloader, listen, cancel: CancelToken) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(JobCancelled):
        loader.fetch("tiny", listen, cancel)


class SlowTransport(LocalTransport):
    """Delivers once `heard` is set; counts how often it was asked."""

    def __init__(self, root: Path) -> None:
        super().__init__([root])
        self.asked = 0
        self.at_work = threading.Event()
        self.heard = threading.Event()

    def deliver(self, delivery: Delivery) -> Manifest:
        self.asked += 1
        self.at_work.set()
        while not self.heard.wait(0.01):
            delivery.progress(0.5, "half")
            delivery.cancel.raise_if_cancelled()
        return super().deliver(delivery)


@pytest.fixture
def slow(tmp_path: Path) -> tuple[SlowTransport, Downloader]:
    put(tmp_path / "usb/family/tiny")
    transport = SlowTransport(tmp_path / "usb")
    return transport, Downloader(catalog(tmp_path, model(FILES)), transports=[transport])


def test_two_callers_share_one_download(slow: tuple[SlowTransport, Downloader]) -> None:
    transport, loader = slow
    folders: list[Path] = []
    first = threading.Thread(target=lambda: folders.append(loader.fetch("tiny")))
    first.start()
    assert transport.at_work.wait(10)
    folders.append(loader.fetch("tiny", lambda _f, _m: transport.heard.set()))
    first.join(10)
    assert transport.asked == 1
    assert folders[0] == folders[1]


def test_who_waits_takes_over_when_the_first_gives_up(
    slow: tuple[SlowTransport, Downloader],
) -> None:
    transport, loader = slow
    cancel = CancelToken()
    first = threading.Thread(target=_expect_cancelled, args=(loader, no_progress, cancel))
    first.start()
    assert transport.at_work.wait(10)

    def listen(_fraction: float, _message: str) -> None:
        cancel.cancel()  # the second one has joined
        if transport.asked == 2:
            transport.heard.set()

    assert loader.fetch("tiny", listen).is_dir()
    first.join(10)
    assert transport.asked == 2


def test_who_waits_may_leave_without_stopping_the_first(
    slow: tuple[SlowTransport, Downloader],
) -> None:
    transport, loader = slow
    folders: list[Path] = []
    first = threading.Thread(target=lambda: folders.append(loader.fetch("tiny")))
    first.start()
    assert transport.at_work.wait(10)
    cancel = CancelToken()
    with pytest.raises(JobCancelled):
        loader.fetch("tiny", lambda _f, _m: cancel.cancel(), cancel)
    transport.heard.set()
    first.join(10)
    assert transport.asked == 1
    assert folders[0].is_dir()


def test_the_meter_tells_megabytes_speed_and_source() -> None:
    now = [0.0]
    reports: list[tuple[float, str]] = []
    meter = Meter(
        lambda f, m: reports.append((round(f, 3), m)), 20_000_000, "the hub", lambda: now[0]
    )
    meter.start("model.bin")
    meter.at(10_000_000, arrived=False)
    now[0] = 1.0
    meter.at(13_000_000)
    now[0] = 1.05  # too soon for another report
    meter.at(13_500_000)
    now[0] = 2.0
    meter.at(16_000_000)
    meter.start("config.json")
    now[0] = 3.0
    meter.at(4_000_000)
    assert reports == [
        (0.5, "model.bin: 10.0 MB of 20.0 MB from the hub"),
        (0.65, "model.bin: 13.0 MB of 20.0 MB, 3.0 MB/s from the hub"),
        (0.8, "model.bin: 16.0 MB of 20.0 MB, 3.0 MB/s from the hub"),
        (1.0, "config.json: 20.0 MB of 20.0 MB, 3.3 MB/s from the hub"),
    ]
