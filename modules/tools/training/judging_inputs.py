"""What the checkpoints of a training speak to be judged, and in whose voice."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from modules.core_components import atomic
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import read_rows
from modules.core_components.audio.files import audio_sha256, read_speech, write_speech
from modules.core_components.dataset.reference_clips import choose_reference
from modules.core_components.library.evaluation import HELD_OUT, SENTENCE
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.progress import CancelToken
from modules.core_components.text.judging_sentences import judging_sentences
from modules.core_components.values import Sample
from modules.tools.services import Services

# The reference recording of a training is chosen once, for its evaluation and for publishing.
AUDIO, ABOUT = "reference.wav", "reference.json"


@dataclass(frozen=True)
class RunReference:
    """The recording as a sample, and the ids of the dataset's clips that it is made of."""

    sample: Sample
    clips: tuple[str, ...]


def run_reference(services: Services, run: TrainingRun, cancel: CancelToken) -> RunReference:
    """The reference of a run; chosen by the rule of `reference_clips` when first asked for.

    Raises NotFoundError without the dataset then, BadInputError for one without clips.
    """
    audio, about = run.folder / AUDIO, run.folder / ABOUT
    if not (audio.is_file() and about.is_file()):
        chosen = choose_reference(services.datasets.get(run.dataset), cancel)
        write_speech(audio, chosen.speech)
        atomic.write_json(about, {"clips": list(chosen.clips)})
    speech = read_speech(audio)
    clips = tuple(json.loads(about.read_text(encoding="utf-8"))["clips"])
    sample = Sample(run.name, audio, audio_sha256(speech), speech.duration_s, language=run.language)
    return RunReference(sample, clips)


SEED = 1
MOST_HELD_OUT = 8


@dataclass(frozen=True)
class Text:
    """A text to speak. `real` is the speaker's own clip of it, relative to the dataset's folder,
    "" for sentences; the seed depends only on its position in the list."""

    key: str
    kind: str
    text: str
    seed: int
    real: str = ""


def texts_of(services: Services, run: TrainingRun) -> tuple[Text, ...]:
    """The sentences of the run's language, then held-out rows, spread over all of them."""
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
