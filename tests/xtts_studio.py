"""A studio with the tiny XTTS as its base, and datasets to train it on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.files import write_speech
from modules.core_components.dataset.values import (
    EVAL,
    SAMPLE_RATE_HZ,
    TRAIN,
    Clip,
    Dataset,
    Source,
)
from modules.core_components.values import Speech
from modules.tools.job_kinds import register_job_kinds
from modules.tools.services import Services, open_services
from tests.tiny_xtts import install_tiny_xtts

SENTENCES = (
    "The weather is fine today.",
    "They have not been here for a week.",
    "What would you like to hear?",
    "It was the best of times.",
)
BASE = "xtts-v2.0.3"


def open_xtts_studio(root: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    """A studio in `root` whose XTTS v2.0.3 and training files are the tiny ones."""
    catalog = install_tiny_xtts(tiny, root / "models")
    monkeypatch.setenv("VOICE_STUDIO_CATALOG", str(catalog))
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    choices = {"models_folder": str(root / "models"), "device": "cpu", "score_takes": False}
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
