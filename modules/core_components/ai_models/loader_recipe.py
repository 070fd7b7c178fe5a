"""The recipe of Voice Clone Studio's first versions for adding a model: a loader method.

    def get_new_tts_model(self, size="default"):
        self._check_and_unload_if_different(f"new_tts_{size}")
        if self._new_tts_model is None:
            self._new_tts_model, _ = self._load_model_with_attention(NewTTSModel, folder, ...)
        return self._new_tts_model

It works as before, on top of the pool: what it returns borrows the weights for each call, so the
attribute can be kept for ever and the model still makes room for others. For what a new model
should look like instead, see docs/adding-a-model.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.borrowed_model import BorrowedModel
from modules.core_components.ai_models.engines.context import EngineContext
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec, model_key
from modules.core_components.ai_models.model_utils import load_with_attention, module_bytes
from modules.core_components.settings import Settings


class LoaderRecipe:
    """The extension points, for managers."""

    pool: ModelPool
    settings: Settings

    def __init__(self) -> None:
        self.recipe_models: set[str] = set()
        self._next = threading.local()

    def context_of(self, model_id: str) -> EngineContext:
        """The surroundings of one model's engine; the manager knows them."""
        raise NotImplementedError

    def _check_and_unload_if_different(self, model_id: str) -> None:
        """Says which model the next `_load_model_with_attention` of this thread loads.

        Whether another one has to leave for it is the pool's decision, made when room is needed.
        """
        self._next.model_id = model_id

    def _load_model_with_attention(
        self, loader: Any, source: str | Path, **arguments: Any
    ) -> tuple[BorrowedModel, str]:
        """Loads a model into the pool with the best attention it takes.

        `loader` is a class with `from_pretrained`, or a function; it is called with `source`,
        `attn_implementation` and `arguments`. Returns a handle, and the attention in use.
        """
        model_id = getattr(self._next, "model_id", str(source))
        load: Callable[..., Any] = getattr(loader, "from_pretrained", loader)
        context = self.context_of(model_id)
        device = str(arguments.get("device_map") or context.device)
        if self.settings.offline_mode:
            arguments["local_files_only"] = True
        used: list[str] = []

        def load_best() -> Any:
            model, attention = load_with_attention(
                lambda name: load(str(source), attn_implementation=name, **arguments),
                used or context.attention,
            )
            used[:] = [attention]
            return model

        movable = device != "cpu"
        spec: ModelSpec[Any] = ModelSpec(
            key=model_key(model_id, str(source), device, str(arguments.get("dtype", ""))),
            device=device,
            nbytes=_size_on_disk(Path(source)),
            load=load_best,
            to_host=partial(_moved, device="cpu") if movable else None,
            to_device=partial(_moved, device=device) if movable else None,
            measure=_weights,
        )
        self.recipe_models.add(model_id)
        model = BorrowedModel(self.pool, spec)
        with model.borrowed():  # errors show here, and the attention is known
            return model, used[0] if used else ""


def _moved(model: Any, device: str) -> Any:
    return model.to(device)


def _weights(model: Any) -> int:
    """Bytes of a torch module; 0, which lets the estimate stand, for anything else."""
    return module_bytes(model) if hasattr(model, "parameters") else 0


def _size_on_disk(source: Path) -> int:
    """An estimate for what a folder of weights takes in memory; 0 for a name on a hub."""
    if not source.is_dir():
        return 0
    return sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
