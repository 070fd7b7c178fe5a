"""The note that a finished installation leaves, so that the next run knows it has little to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

STAMP_NAME = ".studio-install.json"


@dataclass(frozen=True)
class Stamp:
    """What was installed: a digest of the requirements and the installer, and the user's wishes."""

    digest: str
    torch_wish: str
    dev: bool
    cluster: bool = False


def sources_digest(root: Path, requirements: Iterable[Path]) -> str:
    """SHA-256 over everything that decides what an installation consists of."""
    installer = [root / "smart_install.py", *sorted((root / "installer").glob("*.py"))]
    digest = hashlib.sha256()
    for path in [*installer, *requirements]:
        content = path.read_bytes().replace(b"\r\n", b"\n")
        digest.update(f"{path.name} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def read_stamp(environment_folder: Path) -> Stamp | None:
    """The stamp of the last finished installation; None if there is none that can be read."""
    try:
        fields = json.loads((environment_folder / STAMP_NAME).read_text(encoding="utf-8"))
        return Stamp(
            str(fields["digest"]),
            str(fields["torch_wish"]),
            bool(fields["dev"]),
            bool(fields.get("cluster", False)),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_stamp(environment_folder: Path, stamp: Stamp) -> None:
    """Written last, and whole or not at all."""
    path = environment_folder / STAMP_NAME
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(json.dumps(asdict(stamp), indent=2) + "\n", encoding="utf-8")
    draft.replace(path)


def clear_stamp(environment_folder: Path) -> None:
    """Before anything changes: a run that breaks off must not look finished."""
    path = environment_folder / STAMP_NAME
    if path.exists():
        path.unlink()
