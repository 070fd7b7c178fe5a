"""Which engine code runs which model."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.errors import NotFoundError, StudioError
from modules.core_components.texts import _

Factory = Callable[[ModelEntry, EngineContext], Any]


class EngineMissingError(StudioError):
    """The catalog has the model, but it cannot run: no engine yet, or a package is missing."""


@dataclass(frozen=True)
class EngineSpec:
    """The engine of one model. `factory` is a function or a dotted path "module:function".

    An engine's module may name the packages it imports in its loaders, as REQUIRED_PACKAGES.
    """

    entry: ModelEntry
    factory: str | Factory

    def create(self, context: EngineContext) -> Any:
        """The engine handle. Raises EngineMissingError."""
        self.check()
        return self._resolved()(self.entry, context)

    def check(self) -> None:
        """Raises EngineMissingError when the engine cannot work here, with what to do."""
        if self.factory == "":
            raise EngineMissingError(
                _("The engine for {label} comes in a later version.", label=self.entry.label),
                _("Choose another model for now."),
            )
        try:
            module = sys.modules[self._resolved().__module__]
        except ModuleNotFoundError as error:
            raise self._lacks(error.name or str(error)) from error
        for package in getattr(module, "REQUIRED_PACKAGES", ()):
            if importlib.util.find_spec(package) is None:
                raise self._lacks(package)

    def _resolved(self) -> Factory:
        if callable(self.factory):
            return self.factory
        module, _unused, function = self.factory.partition(":")
        return getattr(importlib.import_module(module), function)

    def _lacks(self, package: str) -> EngineMissingError:
        return EngineMissingError(
            _(
                "{label} cannot run: a part of the studio that it needs is not installed.",
                label=self.entry.label,
            ),
            _("Run the installer again."),
            details=f"The Python package {package} is missing; install.sh or install.bat brings "
            "it.",
        )


class EngineRegistry:
    """The engines by model id: those of the catalog, and those added at run time."""

    def __init__(self, entries: Iterable[ModelEntry]) -> None:
        self._specs = {entry.id: EngineSpec(entry, entry.engine) for entry in entries}

    def add(self, spec: EngineSpec) -> None:
        """Plugs an engine in. Raises ValueError when the model has one already."""
        known = self._specs.get(spec.entry.id)
        if known is not None and known.factory:
            raise ValueError(f"The model {spec.entry.id} already has an engine")
        self._specs[spec.entry.id] = spec

    def remove(self, model_id: str) -> None:
        """Forgets an engine that was added; nothing happens where there is none."""
        self._specs.pop(model_id, None)

    def get(self, model_id: str) -> EngineSpec:
        """Raises NotFoundError."""
        if model_id not in self._specs:
            raise NotFoundError(
                _("There is no model {model_id!r} for this task.", model_id=model_id),
                _("There are: {ids}.", ids=", ".join(self.ids())),
            )
        return self._specs[model_id]

    def ids(self) -> tuple[str, ...]:
        """The models that have an engine, in the catalog's order."""
        return tuple(model_id for model_id, spec in self._specs.items() if spec.factory)
