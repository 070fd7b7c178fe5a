"""Reads configs/models.toml strictly: the unknown, missing or unsafe is an error that names it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from modules.core_components.ai_models.catalog_entries import (
    ABILITIES,
    REGISTRIES,
    TASKS,
    HubSource,
    JoinedFile,
    Licence,
    ModelEntry,
    ModelFile,
    Package,
    RegistrySource,
    Source,
)
from modules.core_components.ai_models.model_manifest import is_safe_name
from modules.core_components.errors import StudioError

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
