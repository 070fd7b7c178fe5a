"""One text spoken by one checkpoint, and what ears that can be trusted say of it.

A take's name holds the hash of everything that made it. What lies there under its name is finished
and right; what does not is made. That is all there is to resuming.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean

import numpy as np

from modules.core_components import atomic
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.xtts.training.rows import read_rows
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.speech_regions import speech_seconds, trim_to_speech
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.library.evaluation import HELD_OUT, SENTENCE, JudgedTake
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.text.judging_sentences import judging_sentences
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.plan import engine_options
from modules.tools.speaking.scores import read_back
from modules.tools.training.run_reference import run_reference

logger = logging.getLogger(__name__)

SEED = 1
MOST_HELD_OUT = 8


@dataclass(frozen=True)
class Text:
    """What is spoken. `real` is the speaker's own clip of it, relative to the dataset's folder,
    "" for sentences; the seed depends on the place in the list only."""

    key: str
    kind: str
    text: str
    seed: int
    real: str = ""


def texts_of(services: Services, run: TrainingRun) -> tuple[Text, ...]:
    """The sentences of the run's language, then rows it never heard, spread over all of them."""
    dataset = services.datasets.get(run.dataset)
    held_out = [
        row
        for row in read_rows(run.files.rows)
        if not row.for_training and (dataset.folder / row.audio_file).is_file()
    ]
    spread = np.linspace(0, len(held_out) - 1, min(MOST_HELD_OUT, len(held_out)))
    rows = [held_out[place] for place in sorted({round(place) for place in spread.tolist()})]
    sentences = enumerate(judging_sentences(run.language), start=1)
    made = [(f"sentence-{number}", SENTENCE, text, "") for number, text in sentences]
    made += [(row.clip_id, HELD_OUT, row.text, row.audio_file) for row in rows]
    return tuple(
        Text(key, kind, text, SEED + index, real)
        for index, (key, kind, text, real) in enumerate(made)
    )


@dataclass(frozen=True)
class Heard:
    """Seconds of speech and likeness to the reference; 0 where nobody speaks."""

    speech_s: float
    similarity: float | None


@dataclass
class Ears:
    """The reference of a run and the models that compare with it."""

    services: Services
    run: TrainingRun
    reference: Sample
    dataset_folder: Path
    _target: FloatArray | None = None
    _real: dict[str, Heard] = field(default_factory=dict)

    @classmethod
    def open(cls, services: Services, run: TrainingRun, cancel: CancelToken) -> Ears:
        """The ears for a run. Raises as `run_reference`."""
        reference = run_reference(services, run, cancel).sample
        return cls(services, run, reference, services.datasets.get(run.dataset).folder)

    @property
    def reference_sha256(self) -> str:
        return self.reference.audio_sha256

    def voice(self, engine: TTSEngine, cancel: CancelToken) -> VoicePrompt:
        """The reference as the engine of a checkpoint digests it."""
        return engine.prepare_voice(self.reference, no_progress, cancel)

    def hear(self, speech: Speech) -> Heard:
        """Likeness None where there is no speaker encoder."""
        seconds = speech_seconds(speech)
        if not seconds:
            return Heard(0.0, 0.0)
        try:
            encoder = self.services.asr.get_speaker_encoder()
            if self._target is None:
                spoken = trim_to_speech(read_speech(self.reference.path))
                self._target = encoder.embed(spoken)
            similarity = float(np.dot(encoder.embed(trim_to_speech(speech)), self._target))
        except BadInputError:  # too short for the encoder: no voice to recognize
            return Heard(seconds, 0.0)
        except StudioError as error:
            logger.warning("No likeness: %s", error)
            return Heard(seconds, None)
        return Heard(seconds, round(similarity, 4))

    def real(self, text: Text) -> Heard:
        """The speaker's own clip of a held-out text."""
        if text.key not in self._real:
            self._real[text.key] = self.hear(read_speech(self.dataset_folder / text.real))
        return self._real[text.key]

    def similarity_self(self, texts: Sequence[Text], cancel: CancelToken) -> float | None:
        """What the speaker's own held-out clips reach against the reference."""
        reached = []
        for text in texts:
            cancel.raise_if_cancelled()
            if text.real and (similarity := self.real(text).similarity) is not None:
                reached.append(similarity)
        return round(fmean(reached), 4) if reached else None

    def real_word_error_rate(self, texts: Sequence[Text], cancel: CancelToken) -> float | None:
        """What the listener misunderstands of the real clips: no checkpoint can do much better."""
        rates = []
        for text in texts:
            cancel.raise_if_cancelled()
            if text.real:
                speech = read_speech(self.dataset_folder / text.real)
                _, rate = read_back(self.services, speech, text.text, self.run.language, cancel)
                rates += [] if rate is None else [rate]
        return round(fmean(rates), 4) if rates else None


class TakeFolder:
    """The takes of one checkpoint; `identity` is all that shapes them besides the text."""

    def __init__(self, folder: Path, identity: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._identity = identity

    def is_spoken(self, text: Text) -> bool:
        return self._path(text, ".wav").is_file()

    def speak(
        self,
        engine: TTSEngine,
        voice: VoicePrompt,
        text: Text,
        language: str,
        cancel: CancelToken,
    ) -> None:
        """Raises JobCancelled; then nothing is kept of this take."""
        options = engine_options(engine, {}, language, text.seed)
        pieces = []
        for piece in engine.stream(text.text, voice, options, cancel):
            cancel.raise_if_cancelled()
            pieces.append(piece.samples)
        samples = np.concatenate(pieces) if pieces else np.zeros(1, np.float32)
        write_speech(self._path(text, ".wav"), Speech(samples, engine.sample_rate_hz))

    def hear(self, text: Text, ears: Ears, run_folder: Path, cancel: CancelToken) -> JudgedTake:
        """The judged take; judged anew only if it was not before."""
        cancel.raise_if_cancelled()
        path = self._path(text, ".json")
        known = _read_take(path)
        if known is not None:
            return known
        audio = self._path(text, ".wav")
        speech = read_speech(audio)
        heard = ears.hear(speech)
        words, rate = read_back(ears.services, speech, text.text, ears.run.language, cancel)
        real_s = ears.real(text).speech_s if text.real else 0.0
        take = JudgedTake(
            key=text.key,
            kind=text.kind,
            text=text.text,
            audio=audio.relative_to(run_folder).as_posix(),
            heard=words,
            word_error_rate=rate,
            similarity=heard.similarity,
            duration_ratio=round(heard.speech_s / real_s, 4) if real_s else None,
        )
        atomic.write_json(path, asdict(take))
        return take

    def remove_others(self, texts: Sequence[Text]) -> None:
        """Deletes takes that nothing asks for any more."""
        wanted = {self._path(text, suffix) for text in texts for suffix in (".wav", ".json")}
        for path in self._folder.iterdir():
            if path not in wanted:
                path.unlink()

    def _path(self, text: Text, suffix: str) -> Path:
        made_of = json.dumps([self._identity, text.text, text.seed])
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:12]
        return self._folder / f"{text.key}-{digest}{suffix}"


def _read_take(path: Path) -> JudgedTake | None:
    try:
        return JudgedTake(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
