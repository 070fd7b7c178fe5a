"""What both managers share: handles on engines, and the ways to plug in more of them.

A manager knows what *can* be loaded and how; the pool knows what *is* loaded.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from modules.core_components.access_token import AccessToken
from modules.core_components.ai_models.catalog import TASK_NAMES, Catalog, ModelEntry
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.registry import (
    EngineMissingError,
    EngineRegistry,
    EngineSpec,
    Factory,
)
from modules.core_components.ai_models.engines.remote.entries import remote_specs
from modules.core_components.ai_models.loader_recipe import LoaderRecipe
from modules.core_components.ai_models.model_pool import (
    ModelPool,
    automatic_budgets,
    configure_model_pool,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.errors import NotFoundError
from modules.core_components.settings import Settings, app_folder
from modules.core_components.texts import _

logger = logging.getLogger(__name__)


# Names another catalog than configs/models.toml, such as a firm's own or that of a test.
CATALOG_VARIABLE = "VOICE_STUDIO_CATALOG"


@dataclass(frozen=True)
class Availability:
    """Whether a model can be used now.

    `state` is "ready", "not downloaded", "no engine" or "package missing"; `message` and `hint`
    say it to people, `details` as those of a StudioError.
    """

    state: str
    message: str = ""
    hint: str = ""
    details: str = ""

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
            for spec in (*remote_specs(settings), *self._added):
                self._registry.add(spec)
            self._handles: dict[str, Any] = {}
            self.forget_recipe_models()
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
                low_cpu_mem_usage=settings.low_cpu_mem_usage,
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
                _(
                    "{label} is for {task}, not for {other_task}.",
                    label=spec.entry.label,
                    task=_(TASK_NAMES[spec.entry.task]),
                    other_task=_(TASK_NAMES[self.task]),
                ),
                _("There are: {engine_ids}.", engine_ids=", ".join(self.engine_ids())),
            )
        return self._handle(model_id)

    def availability(self, model_id: str) -> Availability:
        """Whether a model can be used, and what to do if not; looked up anew each time."""
        spec = self._registry.get(model_id)
        try:
            spec.check()
        except EngineMissingError as error:
            return Availability(
                "package missing" if spec.factory else "no engine",
                error.message,
                error.hint,
                error.details,
            )
        # An engine plugged in at run time may have its weights from elsewhere.
        if not spec.entry.sources or self.catalog.state(spec.entry) == "installed":
            return Availability("ready")
        return Availability(
            "not downloaded",
            _("{label} is not installed.", label=spec.entry.label),
            _("Download it on the Models tab."),
            f"Missing: {', '.join(self.catalog.missing_files(spec.entry))}. Download it with "
            f"`models download {model_id}`.",
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
