"""The bodies of requests and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)


def lower_case(given: Any) -> Any:
    """A name of a format as clients write it: "MP3" is "mp3"."""
    return given.strip().lower() if isinstance(given, str) else given


def voice_name(given: Any) -> Any:
    """OpenAI's reference to a voice, {"id": ...}, is the voice of that name."""
    return given.get("id") if isinstance(given, dict) else given


_VOICE_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    ]
}
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
VoiceName = Annotated[str, BeforeValidator(voice_name), WithJsonSchema(_VOICE_SCHEMA)]


class ErrorDetails(BaseModel):
    """What went wrong: `message` for people, the rest for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """OpenAI's error object."""

    error: ErrorDetails


class RequestBody(BaseModel):
    """Fields as clients send them: null means the default, as if the field were left out."""

    @model_validator(mode="before")
    @classmethod
    def _leave_nulls_out(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {
            name: value
            for name, value in given.items()
            if value is not None or name not in optional
        }


class LanguageFields(RequestBody):
    """The language of a text; Kokoro's programs call the field `lang_code`."""

    @model_validator(mode="before")
    @classmethod
    def _read_lang_code(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("language") is None:
            return {**given, "language": given.get("lang_code")}
        return given


class SpeechFields(LanguageFields):
    """What OpenAI's clients send besides the text, and two fields of our own."""

    model: str = Field("tts-1", description="An installed speaking model, or OpenAI's name.")
    voice: VoiceName = Field(
        "alloy", description='A stock voice, a mix "af_bella(2)+af_sky(1)", a sample.'
    )
    response_format: Annotated[SpeechFormat, BeforeValidator(lower_case)] = "mp3"
    speed: float = Field(1.0, ge=0.25, le=4.0, description="Limited by the model, too.")
    stream: bool | None = Field(
        None, description="false: a finished file. Left out: streamed, but wav comes finished."
    )
    language: str = Field(
        "", description="Of the text, such as en or pt-BR; left out, that of the voice."
    )
    seed: int | None = Field(None, ge=0, lt=2**31, description="The same seed, the same sound.")

    @property
    def streamed(self) -> bool:
        """A wav header must name the length, so wav is sent when it is finished by default."""
        return self.response_format != "wav" if self.stream is None else self.stream


class SpeechBody(SpeechFields):
    """A text to speak."""

    input: str = Field(description="What to say.")


class SpeechFileBody(SpeechBody):
    """A text to speak, as OpenAI's clients send it."""

    stream_format: Annotated[Literal["audio", "sse"], BeforeValidator(lower_case)] = Field(
        "audio", description="sse: the sound in server-sent events, in base64."
    )


class CaptionedBody(SpeechBody):
    """A text to speak, with the times of its words."""

    stream: bool | None = Field(None, description="false: one object with a finished file.")


class SpokenWord(BaseModel):
    """A word as it was written; times in seconds from the start of the whole speech."""

    word: str
    start_time: float
    end_time: float


class CaptionedSpeech(BaseModel):
    """One line of the stream, or the whole; `audio` in base64."""

    audio: str
    audio_format: str
    timestamps: list[SpokenWord]


class ReadBody(LanguageFields):
    """A text to see the spoken form of."""

    model: str = Field(
        "", description="A speaking model, whose languages and steps apply; left out: all steps."
    )
    text: str = Field(description="The text as it is written.")
    language: str = Field("", description="Of the text; left out, the one in the settings.")
    steps: list[str] | None = Field(
        None, description="Names of the steps of the reading that apply; left out, all of them."
    )


class PhonemizeBody(ReadBody):
    """A text to see the phonemes of."""

    model: str = Field("tts-1", description="An installed speaking model, or OpenAI's name.")


class Replaced(BaseModel):
    """Words as they were written, and what is said for them."""

    written: str
    spoken: str


class StepChange(BaseModel):
    """A step that changed something: the whole text after it, and what it replaced."""

    step: str
    about: str
    text: str
    replaced: list[Replaced]


class ReadText(BaseModel):
    """The spoken form of a text; `pronounced` are words with sounds of their own."""

    language: str
    spoken: str
    changes: list[StepChange]
    pronounced: list[Replaced]


class Sentence(BaseModel):
    """A sentence as it was written, and its phonemes."""

    text: str
    phonemes: str


class Phonemized(BaseModel):
    """All phonemes in one line, and sentence by sentence."""

    phonemes: str
    sentences: list[Sentence]


class PhonemeSpeechBody(SpeechFields):
    """Phonemes to speak, of any length."""

    phonemes: str = Field(description="As /dev/phonemize writes them.")


class DiarizedTurn(BaseModel):
    """A stretch in which one speaker talks; times in seconds."""

    start: float
    end: float
    speaker: str


class Diarized(BaseModel):
    """Who speaks when."""

    duration: float
    segments: list[DiarizedTurn]


class InMemory(BaseModel):
    """One copy of a model's weights. `used_by` names the work that uses it."""

    place: str
    bytes: int
    used_by: list[str]
    idle_seconds: float


class ModelStatus(BaseModel):
    """A model as it is now. `state` is "ready", or why not, which `problem` explains."""

    id: str
    label: str
    task: str
    state: str
    problem: str
    in_memory: list[InMemory]


class ModelStatusList(BaseModel):
    """Every model that the studio knows."""

    object: str = "list"
    data: list[ModelStatus]


class RecommendedModel(BaseModel):
    """A model that can take the voice of a sample on this machine.

    `way` is "clone" or "match"; `state` "installed", "partial" or "missing". `real_time_factor` is
    the computing for a second of speech, null where nothing is known of it; not `measured`: it is
    estimated. `problem` says why the model cannot be used now; "" where it can be, after what is
    needed and the download.
    """

    id: str
    label: str
    way: str
    state: str
    download_bytes: int
    memory_bytes: int
    device: str
    licence: str
    commercial: bool
    needs_acceptance: bool
    needs_token: bool
    languages: list[str]
    speaks_language: bool
    real_time_factor: float | None
    measured: bool
    problem: str


class RecommendedModels(BaseModel):
    """Best first. `language` is that of the sample, or else of the settings."""

    object: str = "list"
    sample: str
    language: str
    data: list[RecommendedModel]


class Unloaded(BaseModel):
    """The memory that unloading a model freed."""

    id: str
    freed_bytes: int


class Ready(BaseModel):
    """Whether a studio takes work, and which of its default models are at hand."""

    ready: bool
    closing: bool
    speech: bool
    transcription: bool


class QueuedRequest(BaseModel):
    """A request by its X-Request-Id. `place` 1 is the next to be worked on, 0 has begun."""

    id: str
    state: str
    place: int


class Queue(BaseModel):
    """How many are worked on and wait now; `at_once` and `limit` are the most of each."""

    working: int
    waiting: int
    at_once: int
    limit: int
    requests: list[QueuedRequest]
