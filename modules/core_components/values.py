"""The values that tools, managers and engines pass on: frozen, with units in their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Word:
    """One spoken word; times in seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float
    probability: float = 1.0


@dataclass(frozen=True, eq=False)
class Speech:
    """Mono audio: `samples` float32 [n], nominally within -1..1.

    `words` are those of the text as it was written, where the engine knows when it says them;
    `notes` what its listener should know, such as that a limit cut it off.
    """

    samples: FloatArray
    sample_rate_hz: int
    words: tuple[Word, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def duration_s(self) -> float:
        return len(self.samples) / self.sample_rate_hz


@dataclass(frozen=True)
class Segment:
    """A stretch of speech as the listener cut it; times in seconds."""

    text: str
    start_s: float
    end_s: float
    words: tuple[Word, ...] = ()
    speaker: str | None = None


@dataclass(frozen=True)
class Turn:
    """A stretch in which one speaker talks; turns of two speakers may overlap. Times in seconds."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True)
class Transcript:
    """What was said: `language` is an ISO 639-1 code, `duration_s` that of the recording.

    `notes` say what a reader must know, such as a stretch that could not be written down;
    `overlaps` are where several speakers talk at once, (start, end) in seconds.
    """

    text: str
    language: str
    segments: tuple[Segment, ...]
    duration_s: float
    model_id: str = ""
    language_probability: float = 1.0
    notes: tuple[str, ...] = ()
    overlaps: tuple[tuple[float, float], ...] = ()

    def keys(self) -> tuple[str, ...]:
        """What can be read in brackets, as from the dictionary that the package whisper gives."""
        return ("text", "language", "segments", "duration")

    def __getitem__(self, name: str) -> Any:
        """`transcript["text"]`, "language", "duration" in seconds, and "segments": dictionaries
        with "text", "start" and "end" in seconds, "speaker" (None where it is not known) and
        "words". Raises KeyError for any other name."""
        if name == "segments":
            return [_segment_table(segment) for segment in self.segments]
        return {"text": self.text, "language": self.language, "duration": self.duration_s}[name]

    def get(self, name: str, default: Any = None) -> Any:
        """As in brackets, with `default` for names that are not there."""
        return self[name] if name in self.keys() else default


def _segment_table(segment: Segment) -> dict[str, Any]:
    words = [
        {"word": word.text, "start": word.start_s, "end": word.end_s} for word in segment.words
    ]
    return {
        "text": segment.text,
        "start": segment.start_s,
        "end": segment.end_s,
        "speaker": segment.speaker,
        "words": words,
    }


@dataclass(frozen=True)
class Consent:
    """Whose voice a sample is, and whether that person agreed to its use."""

    speaker: str
    agreed: bool
    note: str = ""


@dataclass(frozen=True)
class Sample:
    """A recording the user owns: `samples/<name>.wav` with `samples/<name>.json` next to it.

    `audio_sha256` is the hash of the decoded audio (float32 samples and rate), so that a copy
    under another name is still the same voice. A voice that is taken from several recordings has
    them in `parts`; it is no file of its own.
    """

    name: str
    path: Path
    audio_sha256: str
    duration_s: float
    ref_text: str = ""
    language: str = ""
    consent: Consent | None = None
    created: str = ""
    info: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[Sample, ...] = ()

    @property
    def recordings(self) -> tuple[Sample, ...]:
        """The recordings to take the voice from."""
        return self.parts or (self,)


@dataclass(frozen=True)
class OwnVoice:
    """A voice the user saved or imported: `voices/<name>.safetensors` with its JSON next to it.

    `name` is what mixes and programs call it, `label` what its owner wrote; `model_id` is the
    model whose voice it is, `made_from` says how it came about.
    """

    name: str
    path: Path
    label: str
    model_id: str = ""
    language: str = ""
    made_from: str = ""
    created: str = ""


@dataclass(frozen=True, eq=False)
class VoicePrompt:
    """An engine's digested form of a sample or of a preset: style pack, latents, codec tokens.

    Saved as safetensors with `info` (plain JSON) in the header; never a pickle.
    `key` is the content hash it is cached under.
    """

    key: str
    engine: str
    model_id: str
    model_revision: str
    tensors: Mapping[str, NDArray[Any]]
    info: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """How good a take is; None where it was not measured.

    `similarity` is the cosine of the speaker embeddings of take and sample (-1..1),
    `similarity_self` that of two halves of the sample: what the speaker himself reaches.
    `speaker_encoder` is the model that made the embeddings; figures that name none are GE2E's.
    `word_error_rate` compares a Whisper transcript of the take with its text (0 = every word).
    """

    similarity: float | None = None
    similarity_self: float | None = None
    word_error_rate: float | None = None
    heard: str | None = None
    loudness_lufs: float | None = None
    peak: float | None = None
    silence_fraction: float | None = None
    speaker_encoder: str | None = None


@dataclass(frozen=True)
class Take:
    """One generated recording with everything needed to make it again.

    On disk `output/<id>.wav` + `output/<id>.json`; `options` holds every parameter.
    `voice` names what `kind` says: a "sample" or a "preset" voice of the engine; of the kind
    "description" it is what the voice is like.
    `audio_sha256` is the hash of the float32 samples as they were made (a take made again must
    equal it), `pcm_sha256` that of the 16-bit samples a wav or flac file keeps of them.
    `prompt_key` is the content hash of the voice, where the engine's voices can change; `notes` say
    what went another way than asked, such as that a limit cut the speech off.
    Of the kind "script" it is several samples; `speaker_samples` are their hashes, by the speaker.
    `favourite`: the user marked it.
    """

    id: str
    path: Path
    text: str
    kind: str
    voice: str
    engine: str
    model_id: str
    model_revision: str
    language: str
    seed: int
    options: Mapping[str, Any]
    duration_s: float
    sample_rate_hz: int
    audio_sha256: str
    created: str
    app_version: str
    sample_sha256: str | None = None
    prompt_key: str | None = None
    ref_text: str = ""
    scores: Scores = Scores()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    made_from: str | None = None
    pcm_sha256: str = ""
    notes: tuple[str, ...] = ()
    speaker_samples: Mapping[str, str] = field(default_factory=dict)
    favourite: bool = False
