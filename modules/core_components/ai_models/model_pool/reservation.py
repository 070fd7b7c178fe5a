"""All the memory of a device for work in another process, such as a training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modules.core_components.ai_models.model_pool.pool import ModelPool
from modules.core_components.ai_models.model_pool.records import ModelSpec
from modules.core_components.progress import CancelToken


@contextmanager
def whole_device(
    pool: ModelPool, device: str, holder: str, hint: str, cancel: CancelToken | None = None
) -> Iterator[None]:
    """Empties a device of models and keeps it empty until the block ends.

    Models in use are waited for, idle ones leave (to CPU memory, if there is room) and come back
    when they are next asked for. Who asks meanwhile is refused at once with ModelBusyError, which
    names `holder` and gives `hint`: such work takes hours. Raises JobCancelled while it waits.
    """
    budget = pool.budget(device)
    spec = ModelSpec(
        key=f"all {budget} bytes of {device}",
        device=device,
        nbytes=budget,
        load=lambda: device,
        measure=lambda _: budget,
        busy_hint=hint,
    )
    with pool.lease(spec, cancel, holder):
        try:
            yield
        finally:
            pool.invalidate(spec.key)
