"""The package `kokoro`, imported without its side effects on the host program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The repository the architecture comes from. KModel prints a warning when it is not named; nothing
# is fetched from there, since configuration and weights are always handed in.
REPOSITORY = "hexgrad/Kokoro-82M"

_import_lock = threading.Lock()


def import_kmodel() -> Any:
    """The class `kokoro.model.KModel`."""
    with _import_lock:
        if "kokoro.model" in sys.modules:
            return sys.modules["kokoro.model"].KModel
        with _loguru_left_alone():
            from kokoro.model import KModel
        return KModel


@contextmanager
def _loguru_left_alone() -> Iterator[None]:
    """`kokoro/__init__.py` removes every sink of the process's loguru logger and adds its own."""
    from loguru import logger

    instance: Any = logger
    instance.remove = lambda *_args, **_options: None
    instance.add = lambda *_args, **_options: 0
    try:
        yield
    finally:
        # The methods of the class show again once the instance's own names are gone.
        del instance.remove, instance.add
