"""What lies in the cache for nobody any more, removed at the start of the studio.

All of it can be had again: a recording is uploaded, exported or listened to once more.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

from modules.tools.services import Services

logger = logging.getLogger(__name__)

DAY_S = 86_400
# By folder of the cache. Listening to hours of recordings takes hours: it is kept for longer.
KEEP_DAYS = {"inbox": 7, "exports": 7, "listening": 90}


def clean_cache(services: Services) -> int:
    """Removes the files that nobody has touched for their days; returns how many."""
    now = time.time()
    old = [
        path
        for name, days in KEEP_DAYS.items()
        for path in (services.settings.cache_folder / name).glob("*")
        if path.is_file() and now - path.stat().st_mtime > days * DAY_S
    ]
    return sum(_removed(path) for path in old)


def _removed(path: Path) -> bool:
    try:
        path.unlink()
    except OSError as error:  # in use, on Windows; the next start tries again
        logger.warning("%s stays in the cache: %s", path, error)
        return False
    return True
