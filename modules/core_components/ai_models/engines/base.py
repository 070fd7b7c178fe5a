"""The protocols of engines, their options, and the context that they work in."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload, runtime_checkable

from modules.core_components.ai_models.catalog import Catalog, ModelEntry
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
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.units import memory_text
from modules.core_components.validation import KIND_NAMES, unknown_name
from modules.core_components.values import Sample, Segment, Speech, Transcript, VoicePrompt

if TYPE_CHECKING:
    import torch

    from modules.core_components.ai_models.engines.remote.health import RemoteHealth

logger = logging.getLogger(__name__)


OptionsT = TypeVar("OptionsT")


@dataclass(frozen=True)
class OptionField:
    """One parameter of an engine, enough to draw a slider, check a request or fill a help text."""

    name: str
    label: str
    help: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()


def option(
    default: Any,
    label: str,
    help: str,  # noqa: A002 - the field's own word
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    step: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its range and its help; see `describe_options`."""
    about = {
        "label": label,
        "help": help,
        "minimum": minimum,
        "maximum": maximum,
        "step": step,
        "choices": choices,
    }
    return field(default=default, metadata=about)


def as_written_option() -> Any:
    """The option of engines whose text goes through the front end; see `steps_without` there."""
    return option(
        "",
        "Leave as written",
        "Steps of the reading that are left out, with commas: money, units. See docs/text.md.",
    )


def describe_options(options_type: type) -> tuple[OptionField, ...]:
    """The parameters of an engine's options dataclass, in their order."""
    return tuple(
        OptionField(name=item.name, default=item.default, **item.metadata)
        for item in dataclasses.fields(options_type)
    )


def parse_options(options_type: type[OptionsT], given: Mapping[str, Any]) -> OptionsT:
    """Fills the dataclass from user input, once for page, API and command line.

    Raises BadInputError for an unknown name, a wrong type, or a value outside its range.
    """
    fields = {item.name: item for item in describe_options(options_type)}
    for name in given:
        if name not in fields:
            raise unknown_name("option", name, list(fields))
    return options_type(**{name: _checked(fields[name], value) for name, value in given.items()})


def _checked(about: OptionField, value: Any) -> Any:
    kind = type(about.default)
    try:
        if kind is bool and not isinstance(value, bool):
            raise ValueError
        value = kind(value)
    except (TypeError, ValueError):
        raise BadInputError(
            f"{about.label} must be {KIND_NAMES[kind]}, not {value!r}.", about.help, about.name
        ) from None
    if about.choices and value not in about.choices:
        raise BadInputError(
            f"{about.label} cannot be {value!r}.",
            f"Choose one of {', '.join(about.choices)}.",
            about.name,
        )
    below = about.minimum is not None and value < about.minimum
    above = about.maximum is not None and value > about.maximum
    if below or above or value != value:  # the last is NaN
        raise BadInputError(
            f"{about.label} is {value}.",
            f"It must lie between {about.minimum} and {about.maximum}.",
            about.name,
        )
    return value


@runtime_checkable
class TTSEngine(Protocol):
    """A handle on a speaking model: a small value that borrows the weights for each call.

    `voices()` are the stock voices by name; `languages` ISO 639-1 codes (with region where the
    engine tells them apart); `can_clone` says whether `prepare_voice` works.
    """

    model_id: str
    model_revision: str
    label: str
    sample_rate_hz: int
    languages: tuple[str, ...]
    can_clone: bool
    options_type: type

    @property
    def precision(self) -> str:
        """The number format that it computes with here, such as "float32"."""
        ...

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights."""
        ...

    def voices(self) -> tuple[str, ...]: ...

    def prompt_parameters(self) -> Mapping[str, Any]:
        """Everything besides the sample that shapes a prompt; part of its cache key."""
        ...

    def prepare_voice(
        self, sample: Sample, progress: Progress, cancel: CancelToken
    ) -> VoicePrompt: ...

    def stream(
        self, text: str, voice: VoicePrompt | str, options: Any, cancel: CancelToken
    ) -> Iterator[Speech]:
        """Yields the speech in order, chunk by chunk.

        Raises BadInputError before the first chunk for text, voice or options it cannot use.
        """
        ...


@runtime_checkable
class RefiningEngine(Protocol):
    """A cloning engine whose voices are made in seconds, and become better by longer computing."""

    def refining_parameters(self) -> Mapping[str, Any]:
        """As `prompt_parameters`, for refined prompts."""
        ...

    def refine_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """A better prompt than that of `prepare_voice`; minutes, resumed where it stopped.

        Pauses while others compute on its device. Raises as `prepare_voice`.
        """
        ...


@runtime_checkable
class DeviceBoundEngine(Protocol):
    """An engine that not every machine can run, whatever its memory."""

    def check_device(self) -> None:
        """Raises StudioError, with what to choose instead, where it cannot run."""
        ...


@runtime_checkable
class AttentiveEngine(Protocol):
    """An engine whose attention has several implementations (see `load_with_attention`)."""

    @property
    def attention(self) -> str:
        """The one that the weights were loaded with last; "" before."""
        ...


@runtime_checkable
class PooledEngine(Protocol):
    """An engine whose weights lie in the pool.

    `configurable` are the settings, besides the device, that its weights are loaded by and that a
    user may choose for this model alone: "precision", "attention_mechanism".
    """

    configurable: tuple[str, ...]

    def model_spec(self) -> ModelSpec[Any]:
        """What the pool would load for it; raises StudioError where it cannot run."""
        ...


@runtime_checkable
class PackEngine(Protocol):
    """An engine whose voices are packs of numbers that can be mixed, kept and exchanged."""

    def preset_prompt(self, voice: str) -> VoicePrompt:
        """A voice or a mix as it is now, under its content hash; raises as `stream` does.

        Later changes of the voice's file do not affect it.
        """
        ...


@runtime_checkable
class RemoteEngine(Protocol):
    """An engine whose model is on another machine. Nothing is loaded or computed here."""

    @property
    def health(self) -> RemoteHealth:
        """Whether it delivered lately."""
        ...


@runtime_checkable
class VoiceLanguagesEngine(Protocol):
    """An engine that says itself which languages its voices speak."""

    def voice_languages(self) -> Mapping[str, str]:
        """The language of each of `voices()`; "" where it is not known."""
        ...


@dataclass(frozen=True)
class ScriptLine:
    """What one speaker says; `speaker` is the index of their voice."""

    speaker: int
    text: str


@runtime_checkable
class ScriptEngine(TTSEngine, Protocol):
    """A speaking engine that speaks dialogues of several speakers at once."""

    max_speakers: int

    def stream_script(
        self,
        lines: Sequence[ScriptLine],
        voices: Sequence[VoicePrompt],
        options: Any,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """As `stream`; `voices[i]` is the voice of speaker i.

        Raises BadInputError before the first chunk for more speakers than `max_speakers`.
        """
        ...


class PhonemeSentence(Protocol):
    """A sentence as it was written, and as the engine will speak it."""

    @property
    def text(self) -> str: ...

    @property
    def phonemes(self) -> str: ...


@runtime_checkable
class PhonemeEngine(TTSEngine, Protocol):
    """A speaking engine that converts texts to phonemes, and speaks phonemes."""

    def phonemize(self, text: str, options: Any) -> Sequence[PhonemeSentence]:
        """The sentences of a text with what `stream` would speak; raises as `stream` does."""
        ...

    def stream_phonemes(
        self, phonemes: str, voice: VoicePrompt | str, options: Any, cancel: CancelToken
    ) -> Iterator[Speech]:
        """As `stream`. Raises BadInputError before the first chunk for unknown phonemes."""
        ...


@dataclass(frozen=True)
class TranscriptionInfo:
    """What is known before the first segment: language (ISO 639-1) and lengths in seconds."""

    language: str
    language_probability: float
    duration_s: float
    duration_after_vad_s: float


@dataclass(frozen=True)
class Transcription:
    """A running transcription: `segments` are computed as they are consumed.

    `notes` grows meanwhile with what a reader of the transcript must know, such as a part that
    could not be transcribed.
    """

    info: TranscriptionInfo
    segments: Iterator[Segment]
    notes: Sequence[str] = ()


@runtime_checkable
class ASREngine(Protocol):
    """A handle on a transcription model."""

    model_id: str
    model_revision: str
    label: str
    languages: tuple[str, ...]
    options_type: type

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights."""
        ...

    def transcribe(
        self, recording: Speech, options: Any, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        """Starts a transcription. The engines of the catalog take files too (ListeningEngine)."""
        ...


class ListeningEngine:
    """What engines that transcribe share: a file gives the whole transcript."""

    entry: ModelEntry
    options_type: type

    def transcribe_speech(
        self, speech: Speech, options: Any, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        """Starts a transcription; the engine says how."""
        raise NotImplementedError

    @overload
    def transcribe(
        self,
        recording: Speech,
        options: Any = None,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> Transcription: ...

    @overload
    def transcribe(
        self,
        recording: str | Path,
        options: Any = None,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> Transcript: ...

    def transcribe(
        self,
        recording: Speech | str | Path,
        options: Any = None,
        progress: Progress = no_progress,
        cancel: CancelToken | None = None,
    ) -> Transcription | Transcript:
        """The whole transcript of a file; of speech, as `transcribe_speech`.

        Options are the engine's defaults unless given. Raises BadInputError for a file that is no
        recording, and what `transcribe_speech` raises.
        """
        options = self.options_type() if options is None else options
        cancel = cancel or CancelToken()
        if isinstance(recording, Speech):
            return self.transcribe_speech(recording, options, progress, cancel)
        speech = read_speech(recording, sample_rate_hz=self.entry.sample_rate_hz)
        running = self.transcribe_speech(speech, options, progress, cancel)
        segments = tuple(running.segments)
        return Transcript(
            text=" ".join(segment.text.strip() for segment in segments),
            language=running.info.language,
            segments=segments,
            duration_s=speech.duration_s,
            model_id=self.entry.id,
            language_probability=running.info.language_probability,
            notes=(*speech.notes, *running.notes),
        )


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
    return tuple(words for _, words in sorted(found, reverse=True)[:_MOST])


def _stands_in(other: ModelEntry, entry: ModelEntry) -> bool:
    same = other.family == entry.family and other.id != entry.id
    does = _ESSENTIAL & set(other.abilities) == _ESSENTIAL & set(entry.abilities)
    return same and does and set(entry.languages) <= set(other.languages)
