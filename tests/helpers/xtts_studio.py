"""A studio with the tiny XTTS as its base, and datasets to train it on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.xtts.checkpoint import read_weights
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    row_of,
    row_to_json,
)
from modules.core_components.audio.files import write_speech
from modules.core_components.dataset.values import (
    EVAL,
    SAMPLE_RATE_HZ,
    TRAIN,
    Clip,
    Dataset,
    Source,
)
from modules.core_components.library.training_events import EventWriter
from modules.core_components.library.training_runs import TrainingRun
from modules.core_components.values import Speech
from modules.tools.jobs import register_job_kinds
from modules.tools.services import Services, open_services
from tests.helpers.tiny_xtts import install_tiny_xtts

SENTENCES = (
    "The weather is fine today.",
    "They have not been here for a week.",
    "What would you like to hear?",
    "It was the best of times.",
)
BASE = "xtts-v2.0.3"


def open_xtts_studio(
    root: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Services:
    """A studio in `root` whose XTTS v2.0.3 and training files are the tiny ones."""
    catalog = install_tiny_xtts(tiny, root / "models")
    monkeypatch.setenv("VOICE_STUDIO_CATALOG", str(catalog))
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    choices = {"models_folder": str(root / "models"), "device": "cpu", "score_takes": False}
    choices |= settings
    services = open_services(root, choices)
    register_job_kinds(services)
    return services


def add_dataset(
    services: Services,
    name: str = "Anna",
    clips: int = 30,
    clip_s: float = 5.0,
    evaluated: int = 4,
    texts: Sequence[str] = SENTENCES,
    language: str = "en",
) -> Dataset:
    """A dataset of so many clips of humming; the last `evaluated` of them are held out."""
    dataset = services.datasets.create(name, language, name)
    times_s = np.arange(round(clip_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    made = []
    for number in range(clips):
        clip_id = f"aa_{number:04d}"
        tone = 0.2 * np.sin(2 * np.pi * (150 + 5 * number) * times_s)
        write_speech(
            dataset.folder / "wavs" / f"{clip_id}.wav",
            Speech(tone.astype(np.float32), SAMPLE_RATE_HZ),
        )
        text = texts[number % len(texts)]
        subset = EVAL if number >= clips - evaluated else TRAIN
        start_s = number * clip_s
        made.append(
            Clip(clip_id, "aa", start_s, start_s + clip_s, text, text, (), subset, dataset.speaker)
        )
    source = Source("aa", "aa.wav", "aa" * 32, clips * clip_s, tuple(made), ())
    return services.datasets.save_source(dataset, source)


def add_run(
    services: Services, name: str = "first", dataset: str = "Anna", steps: Sequence[int] = (6, 12)
) -> TrainingRun:
    """A training that is done, with checkpoints as the trainer leaves them.

    Their numbers are the base's, the text head moved a little further at each step.
    """
    import torch

    rows = [row_to_json(row_of(clip)) for clip in services.datasets.get(dataset).rows]
    run = services.training_runs.create(
        name, dataset, BASE, "en", dataclasses.asdict(TrainingPlan()), rows
    )
    checkpoints = run.files.checkpoints
    checkpoints.mkdir()
    base = read_weights(services.catalog.folder(services.catalog.entry(BASE)) / "model.pth")
    events = EventWriter(run.files.progress)
    for epoch, step in enumerate(steps, start=1):
        weights = {f"xtts.{key}": value for key, value in base.items()}
        weights["xtts.gpt.mel_head.weight"] = base["gpt.mel_head.weight"] * (1 + step / 100)
        weights["torch_mel_spectrogram_dvae.mel_stft.window"] = torch.ones(4)
        weights["dvae.codebook"] = torch.ones(4)
        path = checkpoints / f"{step}.pth"
        torch.save({"model": weights, "optimizer": {"moments": torch.ones(100_000)}}, path)
        events.write("step", step=step, epoch=epoch, loss=4.0 - step / 10, step_s=0.5)
        events.write("eval", step=step, epoch=epoch, loss=4.2 - step / 20)
        events.write(
            "checkpoint",
            step=step,
            epoch=epoch,
            eval_loss=4.2 - step / 20,
            file=path.relative_to(run.folder).as_posix(),
        )
    events.write("end", step=steps[-1], epoch=len(steps), outcome="done", text="", hint="")
    return services.training_runs.get(name)
