"""A models folder with tiny checkpoints of an engine, and managers over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.audio.files import audio_sha256, write_speech
from modules.core_components.settings import Settings, load_settings
from modules.core_components.values import Sample, Speech

_RATE_HZ = 24_000


@dataclass(frozen=True)
class EngineStudio:
    settings: Settings
    catalog_file: Path
    pool: ModelPool

    def manager(self) -> TTSManager:
        """A manager as a fresh start of the studio would have it; the pool is kept."""
        return TTSManager(self.settings, self.pool, self.catalog_file)


@contextmanager
def engine_studio(root: Path, install: Callable[[Path], Path]) -> Iterator[EngineStudio]:
    """`install` puts the checkpoints into the models folder and returns the catalog's file."""
    choices = {"models_folder": str(root / "models"), "device": "cpu", "torch_threads": 1}
    settings = load_settings(root, choices)
    catalog_file = install(settings.models_folder)
    pool = ModelPool({"cpu": 2**34}, meter=lambda device: 0)
    yield EngineStudio(settings, catalog_file, pool)
    pool.close()


def noise_sample(
    folder: Path, name: str, seconds: float = 2.0, language: str = "", ref_text: str = ""
) -> Sample:
    """Noise that depends on the length of the name."""
    noise = np.random.default_rng(len(name)).normal(scale=0.1, size=int(seconds * _RATE_HZ))
    speech = Speech(noise.astype(np.float32), _RATE_HZ)
    write_speech(folder / f"{name}.wav", speech)
    sha = audio_sha256(speech)
    return Sample(name, folder / f"{name}.wav", sha, seconds, ref_text, language=language)
