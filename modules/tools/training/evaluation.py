"""Evaluating a training: every kept checkpoint and the base model speak and are scored.

All speak the same texts with the same seeds in the voice of the same reference clips: the fixed
sentences of the language, and held-out rows. A checkpoint is packed as it would be published.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from modules.core_components import atomic
from modules.core_components.ai_models.downloads.files import ensure_free
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle
from modules.core_components.ai_models.engines.xtts.engine import ModelFiles, XttsEngine
from modules.core_components.ai_models.engines.xtts.packing import FULL, HALF, pack
from modules.core_components.ai_models.engines.xtts.text_form import FRONT_END
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.speech_regions import speech_seconds, trim_to_speech
from modules.core_components.errors import BadInputError, CorruptFileError, StudioError
from modules.core_components.library.evaluation import (
    BASE,
    JudgedCheckpoint,
    JudgedTake,
    Judgement,
    judged,
    judgement_from_json,
    propose,
)
from modules.core_components.library.training_runs import ALIVE, KeptCheckpoint, TrainingRun
from modules.core_components.library.tuned_models import CARD
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.speaker_scale import FIRST_ENCODER
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.request import engine_options
from modules.tools.speaking.scores import read_back
from modules.tools.training.base import base_folder
from modules.tools.training.judging_inputs import SEED, Text, run_reference, texts_of
from modules.tools.training.run_texts import run_front_end, run_vocabulary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpeakerScore:
    """Seconds of speech, and similarity to the reference; both 0 without speech."""

    speech_s: float
    similarity: float | None


@dataclass
class Judge:
    """Scores speech against the reference of a run."""

    services: Services
    run: TrainingRun
    reference: Sample
    dataset_folder: Path
    encoder: SpeakerEncoderHandle[Any]
    _target: FloatArray | None = None
    _real: dict[str, SpeakerScore] = field(default_factory=dict)

    @classmethod
    def open(cls, services: Services, run: TrainingRun, cancel: CancelToken) -> Judge:
        """Raises as `run_reference`."""
        reference = run_reference(services, run, cancel).sample
        folder = services.datasets.get(run.dataset).folder
        return cls(services, run, reference, folder, services.asr.get_speaker_encoder())

    @property
    def reference_sha256(self) -> str:
        return self.reference.audio_sha256

    def voice(self, engine: TTSEngine, cancel: CancelToken) -> VoicePrompt:
        """The voice prompt that an engine makes of the reference."""
        return engine.prepare_voice(self.reference, no_progress, cancel)

    def score(self, speech: Speech) -> SpeakerScore:
        """Similarity is None without a speaker encoder."""
        seconds = speech_seconds(speech)
        if not seconds:
            return SpeakerScore(0.0, 0.0)
        try:
            if self._target is None:
                spoken = trim_to_speech(read_speech(self.reference.path))
                self._target = self.encoder.embed(spoken)
            similarity = float(np.dot(self.encoder.embed(trim_to_speech(speech)), self._target))
        except BadInputError:  # too short for the encoder: no voice to recognize
            return SpeakerScore(seconds, 0.0)
        except StudioError as error:
            logger.warning("No similarity: %s", error)
            return SpeakerScore(seconds, None)
        return SpeakerScore(seconds, round(similarity, 4))

    def real(self, text: Text) -> SpeakerScore:
        """The speaker's own clip of a held-out text."""
        if text.key not in self._real:
            self._real[text.key] = self.score(read_speech(self.dataset_folder / text.real))
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
        """The word error rate of the real clips: no checkpoint can be much better."""
        rates = []
        for text in texts:
            cancel.raise_if_cancelled()
            if text.real:
                speech = read_speech(self.dataset_folder / text.real)
                _unused, rate = read_back(
                    self.services, speech, text.text, self.run.language, cancel
                )
                rates += [] if rate is None else [rate]
        return round(fmean(rates), 4) if rates else None


class TakeFolder:
    """The takes of one checkpoint; `identity` is all that they depend on besides the text.

    A take's name holds the hash of both, so that a file of that name is finished and right.
    """

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

    def judge(self, text: Text, judge: Judge, run_folder: Path, cancel: CancelToken) -> JudgedTake:
        """The scored take; read from its file if it was scored before."""
        cancel.raise_if_cancelled()
        path = self._path(text, _scores_suffix(judge.encoder.model_id))
        known = _read_take(path)
        if known is not None:
            return known
        audio = self._path(text, ".wav")
        speech = read_speech(audio)
        score = judge.score(speech)
        words, rate = read_back(judge.services, speech, text.text, judge.run.language, cancel)
        real_s = judge.real(text).speech_s if text.real else 0.0
        take = JudgedTake(
            key=text.key,
            kind=text.kind,
            text=text.text,
            audio=audio.relative_to(run_folder).as_posix(),
            heard=words,
            word_error_rate=rate,
            similarity=score.similarity,
            duration_ratio=round(score.speech_s / real_s, 4) if real_s else None,
        )
        atomic.write_json(path, asdict(take))
        return take

    def remove_others(self, texts: Sequence[Text], encoder: str) -> None:
        """Deletes takes of other texts, and scores by another speaker encoder."""
        suffixes = (".wav", _scores_suffix(encoder))
        wanted = {self._path(text, suffix) for text in texts for suffix in suffixes}
        for path in self._folder.iterdir():
            if path not in wanted:
                path.unlink()

    def _path(self, text: Text, suffix: str) -> Path:
        made_of = json.dumps([self._identity, text.text, text.seed])
        digest = hashlib.sha256(made_of.encode()).hexdigest()[:12]
        return self._folder / f"{text.key}-{digest}{suffix}"


def _scores_suffix(encoder: str) -> str:
    """Of the file with a take's scores; its name tells the encoder, but for those that earlier
    versions wrote."""
    return ".json" if encoder == FIRST_ENCODER else f".{encoder}.json"


def _read_take(path: Path) -> JudgedTake | None:
    try:
        return JudgedTake(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


FOLDER, RESULT = "judgement", "judgement.json"


def judge_run(
    services: Services,
    run_name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Judgement:
    """Evaluates the kept checkpoints of a run and keeps the result in its folder.

    Takes that were scored before are not made again, so a cancelled evaluation can be resumed.
    Raises NotFoundError, BadInputError without a checkpoint or while the run trains,
    DiskFullError, JobCancelled.
    """
    cancel = cancel or CancelToken()
    run = services.training_runs.get(run_name)
    if run.state in ALIVE:
        raise BadInputError(
            _("{name} is being trained.", name=run.name), _("Stop it, or wait until it is done.")
        )
    checkpoints = sorted(services.training_runs.checkpoints(run_name), key=lambda kept: kept.step)
    if not checkpoints:
        raise BadInputError(
            _("The training {name!r} has no checkpoint yet.", name=run.name),
            _("One is kept at the end of each epoch."),
        )
    folder = run.folder / FOLDER
    folder.mkdir(exist_ok=True)
    progress(0.0, _("Choosing the reference"))
    judge = Judge.open(services, run, cancel)
    texts = texts_of(services, run)
    rows: list[JudgedCheckpoint] = []
    candidates: Sequence[KeptCheckpoint | None] = (None, *checkpoints)
    if run_front_end(run):
        candidates = checkpoints  # the base does not have the language
    for index, kept in enumerate(candidates):
        part = scaled(progress, index / len(candidates), (index + 1) / len(candidates))
        rows.append(_judge(services, run, kept, texts, judge, part, cancel))
    proposed, reason = propose(rows, judge.encoder.model_id)
    found = Judgement(
        run=run.name,
        rows=tuple(rows),
        proposed=proposed,
        reason=reason,
        real_word_error_rate=judge.real_word_error_rate(texts, cancel),
        listener=services.settings.asr_model,
        seed=SEED,
        real_clips={text.key: text.real for text in texts if text.real},
        speaker_encoder=judge.encoder.model_id,
    )
    atomic.write_json(folder / RESULT, asdict(found))
    progress(1.0, _("Evaluated"))
    return found


def read_judgement(run: TrainingRun) -> Judgement | None:
    """The last judgement of a run; None before there is one. Raises CorruptFileError."""
    path = run.folder / FOLDER / RESULT
    if not path.is_file():
        return None
    try:
        return judgement_from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(
            _("The judgement of {name} cannot be read.", name=run.name),
            _("Judge its checkpoints again."),
            details=f"{path}: {error!r}",
        ) from error


@dataclass(frozen=True)
class Halving:
    """The scores of a checkpoint in full and in half precision, by one speaker encoder."""

    full: JudgedCheckpoint
    half: JudgedCheckpoint
    speaker_encoder: str


def judge_halving(
    services: Services,
    run: TrainingRun,
    kept: KeptCheckpoint,
    progress: Progress,
    cancel: CancelToken,
) -> Halving:
    """Has a checkpoint speak before and after halving; what was judged before is not spoken again.

    Raises as `judge_run`.
    """
    (run.folder / FOLDER).mkdir(exist_ok=True)
    judge = Judge.open(services, run, cancel)
    texts = texts_of(services, run)
    full, half = (
        _judge(services, run, kept, texts, judge, scaled(progress, start, start + 0.5), cancel,
               precision)
        for start, precision in ((0.0, FULL), (0.5, HALF))
    )  # fmt: skip
    return Halving(full, half, judge.encoder.model_id)


def _judge(
    services: Services,
    run: TrainingRun,
    kept: KeptCheckpoint | None,
    texts: Sequence[Text],
    judge: Judge,
    progress: Progress,
    cancel: CancelToken,
    precision: str = FULL,
) -> JudgedCheckpoint:
    """Evaluates one checkpoint, None for the base. All texts are spoken before any is scored, so
    that the models need not replace each other in memory for every sentence."""
    name = BASE if kept is None else str(kept.step)
    label = _("the base model") if kept is None else _("step {number}", number=name)
    identity = services.tts.get(run.base_model).model_revision if kept is None else _identity(kept)
    if precision == HALF:
        name, label, identity = (
            f"{name}-half",
            _("{label} in half precision", label=label),
            f"{identity} half",
        )
    folder = TakeFolder(run.folder / FOLDER / name, f"{identity} {judge.reference_sha256}")
    missing = [text for text in texts if not folder.is_spoken(text)]
    if missing:
        with _speaker(services, run, kept, precision) as engine:
            voice = judge.voice(engine, cancel)
            for number, text in enumerate(missing):
                progress(0.8 * number / len(missing), _("Speaking with {label}", label=label))
                folder.speak(engine, voice, text, run.language, cancel)
    takes = []
    for number, text in enumerate(texts):
        progress(0.8 + 0.2 * number / len(texts), _("Scoring {label}", label=label))
        takes.append(folder.judge(text, judge, run.folder, cancel))
    folder.remove_others(texts, judge.encoder.model_id)
    loss = None if kept is None else kept.eval_loss
    return judged(name, takes, judge.similarity_self(texts, cancel), loss)


@contextmanager
def _speaker(
    services: Services, run: TrainingRun, kept: KeptCheckpoint | None, precision: str = FULL
) -> Iterator[TTSEngine]:
    """The engine of a checkpoint, whose packed folder is gone afterwards."""
    if kept is None:
        yield services.tts.get(run.base_model)
        return
    base = base_folder(services, run.base_model)
    ensure_free(run.folder, kept.path.stat().st_size)
    packed = run.folder / FOLDER / f".candidate-{kept.step}-{precision}"
    entry = services.tts.entry(run.base_model)
    languages = tuple(dict.fromkeys((run.language, *entry.languages)))
    entry = replace(entry, id=f"judged-{run.name}-{kept.step}-{precision}", languages=languages)
    files = ModelFiles(packed, lambda: f"{_identity(kept)} {precision}", lambda: packed)
    try:
        pack(kept.path, base, run_vocabulary(run, base), packed, precision)
        if front_end := run_front_end(run):
            atomic.write_json(packed / CARD, {FRONT_END: front_end})
        # Its revision is read off the folder; the protocol would have it settable.
        engine: Any = XttsEngine(entry, services.tts.context, files)
        yield engine
    finally:
        services.tts.unload(entry.id)
        shutil.rmtree(packed, ignore_errors=True)


def _identity(kept: KeptCheckpoint) -> str:
    """Another training to the same step, after going back to a state, makes another file."""
    found = kept.path.stat()
    return f"{kept.step}-{found.st_size}-{found.st_mtime_ns}"
