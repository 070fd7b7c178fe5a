"""What an engine is given to work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.model_utils import (
    get_attention_implementation,
    get_device,
    get_dtype,
    usable_cores,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class EngineContext:
    """The surroundings of an engine handle.

    `ensure_model` gives the folder of a model whose files were checked, or raises
    ModelMissingError or CorruptFileError; call it in `ModelSpec.load`. `engine` gives the handle
    of another model, such as the speaker encoder's. A thread count of 0 means one a usable core.
    The user's own voices lie in `voices_folder`, prepared ones in `prompts`.
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

    @property
    def models_folder(self) -> Path:
        return self.catalog.models_folder

    @cached_property
    def device(self) -> str:
        """ "cuda:0", "mps" or "cpu". Raises StudioError when the preferred one is not here."""
        return get_device(self.device_preference)

    @cached_property
    def dtype(self) -> torch.dtype:
        """The float type for weights on the device."""
        return get_dtype(self.device)

    @cached_property
    def attention(self) -> list[str]:
        """The attention implementations to try, in order."""
        return get_attention_implementation(self.attention_preference, self.device)

    @cached_property
    def cpu_threads(self) -> int:
        """The threads that one computation on the CPU may use."""
        return self.threads or usable_cores()
