"""What both managers share: handles on engines, and the ways to plug in more of them.

A manager knows what *can* be loaded and how; the pool knows what *is* loaded.
"""

from __future__ import annotations

import dataclasses
import inspect
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from modules.core_components.access_token import AccessToken
from modules.core_components.ai_models.catalog import Catalog, ModelEntry
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.engines.base import EngineContext
from modules.core_components.ai_models.engines.registry import (
    EngineMissingError,
    EngineRegistry,
    EngineSpec,
    Factory,
)
from modules.core_components.ai_models.model_pool import (
    ModelPool,
    ModelSpec,
    automatic_budgets,
    configure_model_pool,
    model_key,
)
from modules.core_components.ai_models.model_utils import load_with_attention, module_bytes
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.errors import NotFoundError
from modules.core_components.progress import CancelToken
from modules.core_components.settings import Settings, app_folder

logger = logging.getLogger(__name__)


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


# The recipe of Voice Clone Studio's first versions for adding a model: a loader method.
#
#     def get_new_tts_model(self, size="default"):
#         self._check_and_unload_if_different(f"new_tts_{size}")
#         if self._new_tts_model is None:
#             self._new_tts_model, _ = self._load_model_with_attention(NewTTSModel, folder, ...)
#         return self._new_tts_model
#
# It works as before, on top of the pool: what it returns borrows the weights for each call, so the
# attribute can be kept for ever and the model still makes room for others. For what a new model
# should look like instead, see docs/adding-a-model.md.


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


# Names another catalog than configs/models.toml, such as a firm's own or that of a test.
CATALOG_VARIABLE = "VOICE_STUDIO_CATALOG"


@dataclass(frozen=True)
class Availability:
    """Whether a model can be used now.

    `state` is "ready", "not downloaded", "no engine" or "package missing"; `message` and `hint`
    say it to people.
    """

    state: str
    message: str = ""
    hint: str = ""

    @property
    def ready(self) -> bool:
        return self.state == "ready"


class BaseManager(LoaderRecipe):
    """The engines for the models of `task`. Everything here is safe from every thread.

    They run on the device that `device_preference` names, unless a model has its own.
    """

    task = ""

    def __init__(
        self,
        settings: Settings,
        pool: ModelPool | None = None,
        catalog_file: Path | None = None,
    ) -> None:
        super().__init__()
        self._own_pool = pool
        self._catalog_file = catalog_file or _usual_catalog()
        self._lock = threading.RLock()
        self._added: list[EngineSpec] = []
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Takes over new settings. Handles given out before keep the old ones."""
        catalog = Catalog.load(self._catalog_file, settings.models_folder)
        downloader = Downloader(
            catalog,
            offline=lambda: self.settings.offline_mode,
            token=AccessToken(settings.root).read,
        )
        with self._lock:
            self.settings = settings
            self.catalog = catalog
            self.downloader = downloader
            self.pool = self._own_pool or _process_pool(settings)
            self._registry = EngineRegistry(catalog.entries())
            for spec in self._added:
                self._registry.add(spec)
            self._handles: dict[str, Any] = {}
            self.prompts = _prompt_store(settings)
            self.context = EngineContext(
                pool=self.pool,
                catalog=catalog,
                device_preference=self.device_preference(settings),
                attention_preference=settings.attention_mechanism,
                threads=settings.torch_threads,
                cache_folder=settings.cache_folder,
                ensure_model=downloader.verify,
                engine=self._handle,
                precision_preference=settings.precision,
                voices_folder=settings.voices_folder,
                voice_match_steps=settings.voice_match_steps,
                prompts=self.prompts,
            )

    def device_preference(self, settings: Settings) -> str:
        """The device for the models of this task."""
        return settings.device

    @property
    def user_config(self) -> Mapping[str, Any]:
        """The settings by name, as loaders written for other studios read them."""
        return self.settings.model_dump()

    def context_of(self, model_id: str) -> EngineContext:
        """The surroundings of one model's engine, with what was chosen for it alone."""
        own = self.settings.of_model(model_id)
        usual = self.context
        return dataclasses.replace(
            usual,
            device_preference=own.device or usual.device_preference,
            attention_preference=own.attention_mechanism or usual.attention_preference,
            precision_preference=own.precision or usual.precision_preference,
            keep_loaded=own.keep_loaded,
        )

    def engine_ids(self) -> tuple[str, ...]:
        """The models of this task that have an engine, here or still to be downloaded."""
        return tuple(
            i for i in self._registry.ids() if self._registry.get(i).entry.task == self.task
        )

    def entry(self, model_id: str) -> ModelEntry:
        """What the catalog, or who plugged it in, says of a model. Raises NotFoundError."""
        return self._registry.get(model_id).entry

    def get(self, model_id: str) -> Any:
        """The engine handle of a model of this task; nothing is loaded yet.

        Raises NotFoundError, and EngineMissingError for a model whose engine comes later or lacks
        a package. A model that is not downloaded is missed at its first use (ModelMissingError).
        """
        spec = self._registry.get(model_id)
        if spec.entry.task != self.task:
            raise NotFoundError(
                f"{spec.entry.label} is for {spec.entry.task}, not for {self.task}.",
                f"There are: {', '.join(self.engine_ids())}.",
            )
        return self._handle(model_id)

    def availability(self, model_id: str) -> Availability:
        """Whether a model can be used, and what to do if not; looked up anew each time."""
        spec = self._registry.get(model_id)
        try:
            spec.check()
        except EngineMissingError as error:
            return Availability(
                "package missing" if spec.factory else "no engine", error.message, error.hint
            )
        # An engine plugged in at run time may have its weights from elsewhere.
        if not spec.entry.sources or self.catalog.state(spec.entry) == "installed":
            return Availability("ready")
        missing = ", ".join(self.catalog.missing_files(spec.entry))
        return Availability(
            "not downloaded",
            f"{spec.entry.label} is not on this machine (missing: {missing}).",
            f"Download it on the Models tab or with `models download {model_id}`.",
        )

    def available(self, model_id: str) -> bool:
        """Whether a model can be used now."""
        return self.availability(model_id).ready

    def register_engine(self, model_id: str, factory: str | Factory, entry: ModelEntry) -> None:
        """Plugs in the engine of a model at run time; `entry` describes it as the catalog would.

        Raises ValueError when the model has an engine already.
        """
        spec = EngineSpec(dataclasses.replace(entry, id=model_id), factory)
        with self._lock:
            self._registry.add(spec)
            self._added.append(spec)

    def unload(self, model_id: str) -> None:
        """Takes one model out of memory: now, or when the last one who uses it is done."""
        self._unload_where(lambda loaded: loaded == model_id)

    def unload_all(self) -> None:
        """As `unload`, for every model of this task."""
        self._unload_where(self._is_of_this_task)

    def _handle(self, model_id: str) -> Any:
        with self._lock:
            if model_id not in self._handles:
                context = self.context_of(model_id)
                self._handles[model_id] = self._registry.get(model_id).create(context)
            return self._handles[model_id]

    def _unload_where(self, mine: Callable[[str], bool]) -> None:
        for resident in self.pool.snapshot():
            if mine(resident.key.partition("@")[0]):
                self.pool.invalidate(resident.key)

    def _is_of_this_task(self, model_id: str) -> bool:
        in_catalog = (entry.id for entry in self.catalog.entries(self.task))
        return model_id in self.recipe_models or model_id in {*in_catalog, *self.engine_ids()}


def _usual_catalog() -> Path:
    return Path(os.environ.get(CATALOG_VARIABLE) or app_folder() / "configs" / "models.toml")


def _prompt_store(settings: Settings) -> VoicePromptStore:
    return VoicePromptStore(
        settings.cache_folder / "prompts",
        settings.prepared_voices_mb * 1_000_000,
        settings.prepared_voices_memory_mb * 1_000_000,
    )


def _process_pool(settings: Settings) -> ModelPool:
    return configure_model_pool(
        budgets=partial(
            automatic_budgets,
            settings.cpu_memory_budget_gb,
            settings.gpu_memory_budget_gb,
            settings.gpu_memory_budgets,
        ),
        idle_after_s=settings.idle_unload_minutes * 60,
        sizes_file=settings.cache_folder / "sizes.json",
    )
