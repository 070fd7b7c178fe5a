"""The one pool of this process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

from modules.core_components.ai_models.model_pool.books import Budgets
from modules.core_components.ai_models.model_pool.pool import ModelPool
from modules.core_components.ai_models.model_pool.sizes import SizeBook

_making = threading.Lock()
_pool: ModelPool | None = None


def get_model_pool() -> ModelPool:
    """The process-wide pool; it has no room until `configure_model_pool` gives it some."""
    global _pool
    with _making:
        if _pool is None:
            _pool = ModelPool({})
        return _pool


def configure_model_pool(
    budgets: Budgets | None = None,
    run_slots: Mapping[str, int] | None = None,
    idle_after_s: float | None = None,
    sizes_file: Path | None = None,
) -> ModelPool:
    """Gives the process-wide pool its budgets and habits, at the start and when settings change.

    What is not given stays as it is. Models in use stay, idle ones that no longer fit leave.
    """
    pool = get_model_pool()
    sizes = SizeBook(sizes_file) if sizes_file is not None else None
    pool.configure(budgets, run_slots, idle_after_s, sizes)
    return pool
