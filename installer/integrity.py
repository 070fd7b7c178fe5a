"""Finding packages that a broken-off installation left half there.

pip and uv copy a package's files first and write `INSTALLER` and `RECORD` last. A package without
them, or with a file that its RECORD gives another size, was not finished; without its `.dist-info`
folder it counts as absent, and the next `install` puts it there whole.
"""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

ASIDE_SUFFIX = ".aside"
"""Ending of files that the installer moved out of the way on purpose (see torchaudio_fix)."""


def drop_broken_distributions(site_packages: Path) -> list[str]:
    """Makes every half-installed package count as absent; returns their names."""
    for leftover in site_packages.glob("~*"):  # where pip moves what it is about to replace
        _remove(leftover)
    broken = [folder for folder in sorted(site_packages.glob("*.dist-info")) if _is_broken(folder)]
    for folder in broken:
        _remove(folder)
    return [folder.name.split("-")[0] for folder in broken]


def _is_broken(dist_info: Path) -> bool:
    try:
        with (dist_info / "RECORD").open(newline="", encoding="utf-8") as record:
            rows = [row for row in csv.reader(record) if len(row) == 3]
    except (OSError, UnicodeDecodeError, csv.Error):
        return True
    if not rows or not (dist_info / "INSTALLER").exists():
        return True
    site_packages = dist_info.parent
    return any(
        not _is_whole(site_packages / name, size)
        for name, _digest, size in rows
        if not name.endswith(".pyc")  # Python writes those anew as it likes
    )


def _is_whole(path: Path, recorded_size: str) -> bool:
    try:
        size = path.stat().st_size
    except OSError:
        return path.with_name(path.name + ASIDE_SUFFIX).exists()
    return not recorded_size or size == int(recorded_size)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
