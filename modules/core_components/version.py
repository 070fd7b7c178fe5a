"""The version of the studio, and the machine it computes on, as takes record them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata

APP_VERSION = "0.1.0"

_NAMED_PACKAGES = ("torch", "kokoro", "misaki", "faster-whisper", "numpy")


def computing_environment(precision: str = "", attention: str = "") -> Mapping[str, str]:
    """What besides the parameters decides whether audio can be repeated bit for bit.

    Torch picks its kernels by the processor's abilities and splits work over its threads;
    `precision` is the engine's choice of numbers, `attention` the implementation it was loaded with
    where there are several.
    """
    import torch

    found = {name: _version(name) for name in _NAMED_PACKAGES}
    return {
        **found,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch_threads": str(torch.get_num_threads()),
        "precision": precision,
        "attention": attention,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "",
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
