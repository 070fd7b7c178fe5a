"""What the engines of the catalog share: their surroundings, and how they find and load weights."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modules.core_components.ai_models.catalog import Catalog, ModelEntry
from modules.core_components.ai_models.engines.base import PooledEngine
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec, model_key
from modules.core_components.ai_models.model_utils import (
    get_attention_implementation,
    get_device,
    get_dtype,
    usable_cores,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _
from modules.core_components.units import memory_text
from modules.core_components.values import Speech

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

# Networks that read a voice fail on less, or find none in it.
_SHORTEST_SAMPLE_S = 0.5


ModelT = TypeVar("ModelT")


@dataclass(frozen=True)
class EngineContext:
    """The surroundings of an engine handle.

    `ensure_model` gives the folder of a model whose files were checked, or raises ModelMissingError
    or CorruptFileError; call it in `ModelSpec.load`. `engine` gives the handle of another model,
    such as the speaker encoder's. A thread count of 0 means one per usable core. The user's own
    voices are in `voices_folder`, prepared ones in `prompts`. The user's settings for one model are
    applied already; with `keep_loaded` its weights stay loaded when unused. With
    `low_cpu_mem_usage` they leave no copy in main memory when they make room on a GPU.
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
    voice_match_steps: int = 14
    keep_loaded: bool = False
    low_cpu_mem_usage: bool = False

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

    @property
    def dtype_name(self) -> str:
        """ "bfloat16", "float16" or "float32"."""
        return str(self.dtype).removeprefix("torch.")

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
        """The pool's specification of a model; `ways` are further fields of `ModelSpec`."""
        device = device or self.device
        if self.low_cpu_mem_usage:
            ways = {name: way for name, way in ways.items() if name not in _WAYS_OF_A_COPY}
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


_WAYS_OF_A_COPY = ("to_host", "to_device")
# The abilities that one size must share with another to be offered instead of it.
_ESSENTIAL = frozenset({"clone", "voice-match", "stock-voices", "voice-design"})
_MOST = 3


def fitting_sizes(context: EngineContext, entry: ModelEntry) -> tuple[str, ...]:
    """Other sizes of a model that have its abilities and fit on their devices, largest first."""
    found = []
    for other in context.catalog.entries(entry.task):
        if not _stands_in(other, entry):
            continue
        try:
            engine = context.engine(other.id)
            if not isinstance(engine, PooledEngine):
                continue
            plan = context.pool.plan(engine.model_spec())
        except StudioError as error:  # a package or its kind of GPU is missing
            logger.info("%s cannot replace it: %s", other.label, error.message)
            continue
        if plan.fits:
            found.append((plan.nbytes, f"{other.label} ({memory_text(plan.nbytes)})"))
    return tuple(words for _unused, words in sorted(found, reverse=True)[:_MOST])


def _stands_in(other: ModelEntry, entry: ModelEntry) -> bool:
    same = other.family == entry.family and other.id != entry.id
    does = _ESSENTIAL & set(other.abilities) == _ESSENTIAL & set(entry.abilities)
    return same and does and set(entry.languages) <= set(other.languages)


class CatalogEngine:
    """A handle on one entry of the catalog, whose weights are in the pool while they are used."""

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        self.model_id = entry.id
        self.label = entry.label
        self.languages = tuple(entry.languages)
        self._entry = entry
        self._context = context

    @property
    def model_revision(self) -> str:
        """Of the weights that are here now."""
        return self._context.catalog.revision(self._entry)

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights, so that the next call starts at once."""
        with self._context.pool.lease(
            self.model_spec(), cancel, _("loading {label}", label=self.label)
        ):
            return

    def model_spec(self) -> ModelSpec[Any]:
        """The weights, for the pool."""
        raise NotImplementedError


def read_sample(path: Path, name: str, sample_rate_hz: int, advice: str) -> Speech:
    """The recording of a sample, mono at this rate. Raises BadInputError below half a second.

    `advice` says which model wants how much, as in "Give XTTS at least 3 seconds of the voice."
    """
    speech = read_speech(path, sample_rate_hz)
    if speech.duration_s < _SHORTEST_SAMPLE_S:
        raise BadInputError(
            _("{name} has only {duration_s:.1f} seconds.", name=name, duration_s=speech.duration_s),
            advice,
            "voice",
        )
    return speech
