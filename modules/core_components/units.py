"""Sizes and times as text."""

from __future__ import annotations


def size_text(nbytes: float) -> str:
    """Bytes in decimal units: 0.4 MB, 75.5 MB, 3.09 GB."""
    return f"{nbytes / 1e9:.2f} GB" if nbytes >= 1e9 else f"{nbytes / 1e6:.1f} MB"


def memory_text(nbytes: float) -> str:
    """Bytes in memory, in binary units as drivers and budgets count them: 6.05 GiB."""
    return f"{nbytes / 2**30:.2f} GiB"


def device_name(device: str) -> str:
    """A device as torch names it, for people: "cuda:0" is GPU 0, "cpu" CPU."""
    kind, _, number = device.partition(":")
    return f"GPU {number}".strip() if kind == "cuda" else kind.upper()


def clock_text(seconds: float) -> str:
    """A position in a recording, whole seconds: 4:05, 75:00."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
