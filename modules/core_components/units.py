"""Sizes and times as text."""

from __future__ import annotations

from modules.core_components.texts import _


def size_text(nbytes: float) -> str:
    """Bytes in decimal units: 0.4 MB, 75.5 MB, 3.09 GB."""
    if nbytes >= 1e9:
        return _("{size:.2f} GB", size=nbytes / 1e9)
    return _("{size:.1f} MB", size=nbytes / 1e6)


def memory_text(nbytes: float) -> str:
    """Bytes in memory, in binary units as drivers and budgets count them: 6.05 GiB."""
    return _("{size:.2f} GiB", size=nbytes / 2**30)


def device_name(device: str) -> str:
    """A device as torch names it, for people: "cuda:0" is GPU 0, "cpu" CPU."""
    kind, _unused, number = device.partition(":")
    return f"GPU {number}".strip() if kind == "cuda" else kind.upper()


def clock_text(seconds: float) -> str:
    """A position in a recording, whole seconds: 4:05, 75:00."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
