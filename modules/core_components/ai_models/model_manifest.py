"""The note beside a model's files: where they came from, and what each one must be ever after."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

logger = logging.getLogger(__name__)

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
