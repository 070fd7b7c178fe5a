"""The reference recording of a training: chosen once, judged with, and published with."""

from __future__ import annotations

import json
from dataclasses import dataclass

from modules.core_components import atomic
from modules.core_components.audio.files import audio_sha256, read_speech, write_speech
from modules.core_components.dataset.reference_clips import choose_reference
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.progress import CancelToken
from modules.core_components.values import Sample
from modules.tools.services import Services

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
