"""Hearing what a training made of a voice: every kept checkpoint, and the base beside them.

All speak the same texts with the same seeds in the voice of the same reference clips: the fixed
sentences of the language, and rows that the training never heard. What is judged is the folder that
would be published, spoken by the engine that would speak it.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.downloads.disk import ensure_free
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.xtts.engine import Place, XttsEngine
from modules.core_components.ai_models.engines.xtts.files import WEIGHTS
from modules.core_components.ai_models.engines.xtts.pack import pack
from modules.core_components.errors import BadInputError, CorruptFileError
from modules.core_components.library.evaluation import (
    BASE,
    JudgedCheckpoint,
    Judgement,
    judged,
    judgement_from_json,
    propose,
)
from modules.core_components.library.training_runs import ALIVE, KeptCheckpoint, TrainingRun
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.tools.services import Services
from modules.tools.training.evaluated_takes import SEED, Ears, TakeFolder, Text, texts_of

logger = logging.getLogger(__name__)

FOLDER, RESULT = "judgement", "judgement.json"


def judge_run(
    services: Services,
    run_name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Judgement:
    """Judges the kept checkpoints of a run and keeps the result in its folder.

    Takes that were judged before are not made again, so a killed or cancelled judging goes on.
    Raises NotFoundError, BadInputError without a checkpoint or while the run trains,
    DiskFullError, JobCancelled.
    """
    cancel = cancel or CancelToken()
    run = services.training_runs.get(run_name)
    if run.state in ALIVE:
        raise BadInputError(f"{run.name} is being trained.", "Stop it, or wait until it is done.")
    checkpoints = sorted(services.training_runs.checkpoints(run_name), key=lambda kept: kept.step)
    if not checkpoints:
        raise BadInputError(
            f"The training {run.name!r} has no checkpoint yet.",
            "One is kept at the end of each epoch.",
        )
    folder = run.folder / FOLDER
    folder.mkdir(exist_ok=True)
    progress(0.0, "Choosing the reference")
    ears = Ears.open(services, run, cancel)
    texts = texts_of(services, run)
    rows: list[JudgedCheckpoint] = []
    candidates: Sequence[KeptCheckpoint | None] = (None, *checkpoints)
    for index, kept in enumerate(candidates):
        part = scaled(progress, index / len(candidates), (index + 1) / len(candidates))
        rows.append(_judge(services, run, kept, texts, ears, part, cancel))
    proposed, reason = propose(rows)
    found = Judgement(
        run=run.name,
        rows=tuple(rows),
        proposed=proposed,
        reason=reason,
        real_word_error_rate=ears.real_word_error_rate(texts, cancel),
        listener=services.settings.asr_model,
        seed=SEED,
        real_clips={text.key: text.real for text in texts if text.real},
    )
    atomic.write_json(folder / RESULT, asdict(found))
    progress(1.0, "Judged")
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
            f"The judgement of {run.name} cannot be read ({error!r}).", "Judge the run again."
        ) from error


def _judge(
    services: Services,
    run: TrainingRun,
    kept: KeptCheckpoint | None,
    texts: Sequence[Text],
    ears: Ears,
    progress: Progress,
    cancel: CancelToken,
) -> JudgedCheckpoint:
    """Speaks and hears with one checkpoint, None for the base. All is spoken before it is heard,
    so that the models need not make room for each other at every sentence."""
    name = BASE if kept is None else str(kept.step)
    label = "the base" if kept is None else f"step {name}"
    identity = services.tts.get(run.base_model).model_revision if kept is None else _identity(kept)
    folder = TakeFolder(run.folder / FOLDER / name, f"{identity} {ears.reference_sha256}")
    missing = [text for text in texts if not folder.is_spoken(text)]
    if missing:
        with _speaker(services, run, kept) as engine:
            voice = ears.voice(engine, cancel)
            for number, text in enumerate(missing):
                progress(0.8 * number / len(missing), f"Speaking with {label}")
                folder.speak(engine, voice, text, run.language, cancel)
    takes = []
    for number, text in enumerate(texts):
        progress(0.8 + 0.2 * number / len(texts), f"Hearing {label}")
        takes.append(folder.hear(text, ears, run.folder, cancel))
    folder.remove_others(texts)
    loss = None if kept is None else kept.eval_loss
    return judged(name, takes, ears.similarity_self(texts, cancel), loss)


@contextmanager
def _speaker(
    services: Services, run: TrainingRun, kept: KeptCheckpoint | None
) -> Iterator[TTSEngine]:
    """The engine of a checkpoint, whose packed folder is gone afterwards."""
    if kept is None:
        yield services.tts.get(run.base_model)
        return
    base = services.catalog.folder(services.catalog.entry(run.base_model))
    ensure_free(run.folder, (base / WEIGHTS).stat().st_size)
    packed = run.folder / FOLDER / f".candidate-{kept.step}"
    entry = replace(services.tts.entry(run.base_model), id=f"judged-{run.name}-{kept.step}")
    place = Place(packed, revision=lambda: _identity(kept), checked=lambda: packed)
    try:
        pack(kept.path, base, packed)
        # Its revision is read off the folder; the protocol would have it settable.
        engine: Any = XttsEngine(entry, services.tts.context, place)
        yield engine
    finally:
        services.tts.unload(entry.id)
        shutil.rmtree(packed, ignore_errors=True)


def _identity(kept: KeptCheckpoint) -> str:
    """Another training to the same step, after going back to a state, makes another file."""
    found = kept.path.stat()
    return f"{kept.step}-{found.st_size}-{found.st_mtime_ns}"
