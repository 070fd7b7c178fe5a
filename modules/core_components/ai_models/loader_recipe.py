"""Loader methods as Voice Clone Studio's first versions had them, on top of the model pool.

    def get_new_tts_model(self, size="default"):
        self._check_and_unload_if_different(f"new_tts_{size}")
        if self._new_tts_model is None:
            self._new_tts_model, _ = self._load_model_with_attention(NewTTSModel, folder, ...)
        return self._new_tts_model

They work as before: what they return borrows the weights for each call, so the attribute can be
kept for ever and the model still makes room for others. For what a new model should look like
instead, see docs/adding-a-model.md.
"""

from __future__ import annotations

import inspect
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec, model_key
from modules.core_components.ai_models.model_utils import (
    get_device,
    load_with_attention,
    module_bytes,
)
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import Settings

logger = logging.getLogger(__name__)

# The attributes that loader methods keep their models in; one that was never set is None.
_MODEL_ATTRIBUTE = re.compile(r"_[a-z0-9_]+_model")


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


class LoaderRecipe:
    """The extension points, for managers.

    An attribute that a loader method puts a model into reads as the model of the id that the
    calling thread named last, and as None where that one is not loaded yet: one attribute serves
    all sizes, and threads that ask for different sizes do not get each other's.
    """

    pool: ModelPool
    settings: Settings

    def __init__(self) -> None:
        self.recipe_models: set[str] = set()
        self._next = threading.local()
        # By attribute and model id: one attribute holds all sizes.
        self._held: dict[tuple[str, str], BorrowedModel] = {}

    def context_of(self, model_id: str) -> EngineContext:
        """The surroundings of one model's engine; the manager knows them."""
        raise NotImplementedError

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Models that a class declares as None are left to `__getattr__`."""
        super().__init_subclass__(**arguments)
        for name, value in tuple(vars(cls).items()):
            if value is None and _MODEL_ATTRIBUTE.fullmatch(name):
                delattr(cls, name)

    if not TYPE_CHECKING:  # a type checker would take any attribute for known

        def __getattr__(self, name: str) -> BorrowedModel | None:
            if not _MODEL_ATTRIBUTE.fullmatch(name):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self._held.get((name, self._wanted_id))

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, BorrowedModel):
            self._held[name, self._wanted_id] = value
        elif value is None and _MODEL_ATTRIBUTE.fullmatch(name):
            self._held.pop((name, self._wanted_id), None)
            self.__dict__.pop(name, None)
        else:
            super().__setattr__(name, value)

    @property
    def _wanted_id(self) -> str:
        """The model that this thread named last."""
        return str(getattr(self._next, "model_id", ""))

    def forget_recipe_models(self) -> None:
        """Has every loader method load anew; models that were handed out keep working."""
        self._held.clear()

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
        `attn_implementation` and `arguments`. A `device_map` that names a GPU which this machine
        does not have is replaced by the device of the settings. Returns a handle, and the
        attention in use.
        """
        model_id = self._wanted_id or str(source)
        load: Callable[..., Any] = getattr(loader, "from_pretrained", loader)
        context = self.context_of(model_id)
        device = context.device
        if isinstance(arguments.get("device_map"), str) and arguments["device_map"] != "auto":
            arguments["device_map"] = device = _device_here(arguments["device_map"], device)
        if self.settings.offline_mode:
            arguments["local_files_only"] = True
        if self.settings.low_cpu_mem_usage and _takes(load, "low_cpu_mem_usage"):
            arguments.setdefault("low_cpu_mem_usage", True)
        used: list[str] = []

        def load_best() -> Any:
            model, attention = load_with_attention(
                lambda name: load(str(source), attn_implementation=name, **arguments),
                used or context.attention,
            )
            used[:] = [attention]
            return model

        movable = device != "cpu" and not self.settings.low_cpu_mem_usage
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


def _device_here(wanted: str, usual: str) -> str:
    """The device that a loader method names, or the usual one where that is not here."""
    try:
        return get_device(wanted)
    except StudioError as error:
        logger.info("%s Loading on %s instead", error, usual)
        return usual


def _takes(load: Callable[..., Any], name: str) -> bool:
    """Whether a function can be given an argument of that name."""
    try:
        parameters = inspect.signature(load).parameters
    except (TypeError, ValueError):  # built in, without a signature
        return False
    return name in parameters or any(
        parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()
    )


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
