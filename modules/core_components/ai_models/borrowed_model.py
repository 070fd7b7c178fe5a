"""A model of the pool that looks like the model itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec
from modules.core_components.progress import CancelToken


class BorrowedModel:
    """Borrows the weights for the length of each call, so it never dangles.

    `model.generate(...)` reads as if it were the model: the pool brings it back if it had to make
    room meanwhile. A generator keeps it until it is consumed or closed. For several calls on the
    same weights use `borrowed`.
    """

    def __init__(self, pool: ModelPool, spec: ModelSpec[Any]) -> None:
        self._pool = pool
        self._spec = spec

    def borrowed(self, cancel: CancelToken | None = None) -> AbstractContextManager[Any]:
        """The model itself, with a run slot of its device, for the length of a block."""
        return self._pool.lease(self._spec, cancel, self._spec.key, run=True)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._calling("__call__")(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what copy, pickle and inspect look for
            raise AttributeError(name)
        with self.borrowed() as model:
            value = getattr(model, name)
        return self._calling(name) if inspect.isroutine(value) else value

    def _calling(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            with self.borrowed() as model:
                method = getattr(model, name)
                if not inspect.isgeneratorfunction(method):
                    return method(*arguments, **named)
            return self._streaming(name, arguments, named)

        return call

    def _streaming(
        self, name: str, arguments: tuple[Any, ...], named: dict[str, Any]
    ) -> Iterator[Any]:
        with self.borrowed() as model:
            yield from getattr(model, name)(*arguments, **named)
