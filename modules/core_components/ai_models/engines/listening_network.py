"""Small networks that listen to a voice: how their files are read, and how the pool holds them."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import module_bytes, seeded
from modules.core_components.errors import StudioError
from modules.core_components.texts import _


class TorchModule(Protocol):
    """What the pool needs of a network."""

    def to(self, device: str) -> Any:
        """Moves the weights."""


ModuleT = TypeVar("ModuleT", bound=TorchModule)


def listening_spec(
    context: EngineContext,
    entry: ModelEntry,
    weights: str,
    load_network: Callable[[Path, str], ModuleT],
) -> ModelSpec[ModuleT]:
    """The weights in float32, for the pool; `load_network` reads their file for a device."""
    device = context.device

    def load() -> ModuleT:
        # New layers draw random weights, which must not disturb the seed of running speech.
        with seeded(0):
            return load_network(context.ensure_model(entry.id) / weights, device)

    return context.model_spec(
        entry,
        context.catalog.revision(entry),
        "float32",
        load=load,
        to_host=lambda network: network.to("cpu"),
        to_device=lambda network: network.to(device),
        measure=module_bytes,
    )


@contextmanager
def reading_weights(weights: Path, what: str) -> Iterator[Any]:
    """The content of a file of torch, read with weights_only: it never unpickles code.

    Whatever shows within that it is damaged, or of another network, is a StudioError; `what` names
    the network in it.
    """
    import torch

    try:
        yield torch.load(weights, map_location="cpu", weights_only=True)
    except (
        OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, EOFError,
        pickle.UnpicklingError,
    ) as error:  # fmt: skip
        raise StudioError(
            _("The file of the {what} is damaged.", what=what),
            hint=_("Delete the model on the Models tab (under Other) and download it again."),
            details=f"{weights}: {error}",
        ) from error
