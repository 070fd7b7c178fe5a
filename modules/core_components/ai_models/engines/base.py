"""The protocols of engines, their options, and the context that they work in."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.audio.files import read_speech
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.values import Sample, Segment, Speech, Transcript, VoicePrompt

if TYPE_CHECKING:
    from modules.core_components.ai_models.engines.remote.health import RemoteHealth

logger = logging.getLogger(__name__)


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

    _entry: ModelEntry
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
        speech = read_speech(recording, sample_rate_hz=self._entry.sample_rate_hz)
        running = self.transcribe_speech(speech, options, progress, cancel)
        segments = tuple(running.segments)
        return Transcript(
            text=" ".join(segment.text.strip() for segment in segments),
            language=running.info.language,
            segments=segments,
            duration_s=speech.duration_s,
            model_id=self._entry.id,
            language_probability=running.info.language_probability,
            notes=(*speech.notes, *running.notes),
        )
