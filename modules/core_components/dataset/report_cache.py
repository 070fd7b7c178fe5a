"""Measures that are kept by content, so that a second report only looks at what is new."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.values import FloatArray

logger = logging.getLogger(__name__)


class ContentCache:
    """Plain JSON values by (what was measured, hash of the sound); one file, read when opened.

    A file that cannot be read is started anew: everything in it can be measured again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, dict[str, Any]] = {}
        self._is_new = False
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self._values = {key: dict(value) for key, value in content.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, TypeError) as error:
            logger.warning("%s cannot be read (%s); measuring anew", path, error)

    def get(self, what: str, sha256: str) -> Any:
        """None where it was not measured yet."""
        return self._values.get(sha256, {}).get(what)

    def latest(self, beginning: str, sha256: str) -> Any:
        """The value kept last under a name that begins so; None if there is none."""
        values = self._values.get(sha256, {})
        return next((values[key] for key in reversed(values) if key.startswith(beginning)), None)

    def put(self, what: str, sha256: str, value: Any) -> None:
        values = self._values.setdefault(sha256, {})
        values.pop(what, None)  # it becomes the latest
        values[what] = value
        self._is_new = True

    def drop_all_but(self, hashes: Collection[str]) -> None:
        """Forgets the sounds that are no longer there."""
        gone = self._values.keys() - set(hashes)
        for sha256 in gone:
            del self._values[sha256]
        self._is_new = self._is_new or bool(gone)

    def save(self) -> None:
        """Writes what is new. Raises DiskFullError."""
        if not self._is_new:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps(self._values, separators=(",", ":"))
        atomic.write_bytes(self._path, content.encode())
        self._is_new = False


def packed(embedding: FloatArray) -> str:
    """A vector as text, in half precision: cosines keep three digits."""
    return base64.b64encode(embedding.astype("<f2").tobytes()).decode()


def unpacked(text: str) -> FloatArray:
    """The vector of `packed`, of unit length again."""
    vector = np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-8), dtype=np.float32)
