"""What an engine is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modules.core_components.ai_models.catalog import Catalog, ModelEntry
from modules.core_components.ai_models.engines.fitting_sizes import fitting_sizes
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec, model_key
from modules.core_components.ai_models.model_utils import (
    get_attention_implementation,
    get_device,
    get_dtype,
    usable_cores,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore

if TYPE_CHECKING:
    import torch

ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class EngineContext:
    """The surroundings of an engine handle.

    `ensure_model` gives the folder of a model whose files were checked, or raises
    ModelMissingError or CorruptFileError; call it in `ModelSpec.load`. `engine` gives the handle
    of another model, such as the speaker encoder's. A thread count of 0 means one a usable core.
    The user's own voices lie in `voices_folder`, prepared ones in `prompts`. What a user chose for
    one model alone is in its context already; with `keep_loaded` its weights stay however long
    nobody uses them.
    """

    pool: ModelPool
    catalog: Catalog
    device_preference: str
    attention_preference: str
    threads: int
    cache_folder: Path
    ensure_model: Callable[[str], Path]
    engine: Callable[[str], Any]
    prompts: VoicePromptStore
    precision_preference: str = "auto"
    voices_folder: Path | None = None
    keep_loaded: bool = False

    @property
    def models_folder(self) -> Path:
        return self.catalog.models_folder

    @cached_property
    def device(self) -> str:
        """ "cuda:0", "mps" or "cpu". Raises StudioError when the preferred one is not here."""
        return get_device(self.device_preference)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The float type for weights on the device: as preferred, else what suits it."""
        return get_dtype(self.device, self.precision_preference)

    @cached_property
    def attention(self) -> list[str]:
        """The attention implementations to try, in order."""
        return get_attention_implementation(self.attention_preference, self.device)

    @cached_property
    def cpu_threads(self) -> int:
        """The threads that one computation on the CPU may use."""
        return self.threads or usable_cores()

    def model_spec(
        self,
        entry: ModelEntry,
        revision: str,
        precision: str,
        load: Callable[[], ModelT],
        device: str | None = None,
        **ways: Any,
    ) -> ModelSpec[ModelT]:
        """What the pool needs to know of a model; `ways` are the further fields of `ModelSpec`."""
        device = device or self.device
        return ModelSpec(
            key=model_key(entry.id, revision, device, precision),
            device=device,
            nbytes=entry.memory_mb * 1_000_000,
            load=load,
            label=entry.label,
            instead=partial(fitting_sizes, self, entry),
            keep=self.keep_loaded,
            **ways,
        )
