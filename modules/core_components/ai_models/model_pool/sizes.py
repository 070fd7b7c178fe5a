"""What models were measured to take, remembered for the next start."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from modules.core_components import atomic
from modules.core_components.errors import DiskFullError

logger = logging.getLogger(__name__)


class SizeBook:
    """Measured bytes by model key, kept in a JSON file; without a path, for this process only.

    Of several measurements the largest counts: an allocator that hands out pages it had kept
    makes a model look smaller than it is, never larger. A file that cannot be read or written is
    only a lost optimisation: it is logged, and the catalog's estimates are used.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._sizes = self._read()

    def get(self, key: str) -> int | None:
        """The measured bytes, None for a model that was never loaded."""
        return self._sizes.get(key)

    def remember(self, key: str, nbytes: int) -> None:
        with self._lock:
            if nbytes <= self._sizes.get(key, 0):
                return
            # Another process may have measured other models meanwhile.
            self._sizes = {**self._read(), **self._sizes, key: nbytes}
            if self._path is None:
                return
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                atomic.write_json(self._path, self._sizes)
            except (OSError, DiskFullError) as error:
                logger.warning("Could not write %s: %s", self._path, error)

    def _read(self) -> dict[str, int]:
        if self._path is None or not self._path.exists():
            return {}
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            return {str(key): int(nbytes) for key, nbytes in content.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            logger.warning("Could not read %s: %s", self._path, error)
            return {}
