"""A manager with a tiny checkpoint of every cloning engine, under the names of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shutil import copy2, copytree

import numpy as np

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.audio.files import audio_sha256, write_speech
from modules.core_components.progress import CancelToken
from modules.core_components.settings import load_settings
from modules.core_components.values import Sample, Speech, VoicePrompt
from tests.helpers.open_catalog import open_catalog
from tests.helpers.tiny_omnivoice import FOLDERS as OMNIVOICES
from tests.helpers.tiny_omnivoice import install_tiny_omnivoice
from tests.helpers.tiny_pocket import install_tiny_pocket
from tests.helpers.tiny_qwen import MODEL_IDS, build_tiny_qwen
from tests.helpers.tiny_vibevoice import install_tiny
from tests.helpers.tiny_xtts import SPEAKING_FILES

XTTS, QWEN, VIBEVOICE = "xtts-v2.0.3", "qwen3-tts-0.6b-base", "vibevoice-1.5b"
OMNIVOICE = "omnivoice"


def open_tiny_engines(
    root: Path,
    xtts: Path,
    vibevoice: Path,
    omnivoice: Path,
    pocket: Path,
    pocket_ids: Sequence[str],
) -> TTSManager:
    """`xtts`, `vibevoice`, `omnivoice` and `pocket` are folders of tiny checkpoints; the one of
    Pocket TTS stands for all its languages. Close the manager's pool at the end."""
    choices = {"models_folder": str(root / "models"), "device": "cpu", "torch_threads": 1}
    settings = load_settings(root, choices)
    models = settings.models_folder
    for model_id in pocket_ids:
        install_tiny_pocket(pocket, models, model_id)
    install_tiny(vibevoice, models, VIBEVOICE)
    install_tiny_omnivoice(omnivoice, models, OMNIVOICE)
    (models / "xtts" / "v2.0.3").mkdir(parents=True)
    for name in SPEAKING_FILES:
        copy2(xtts / name, models / "xtts" / "v2.0.3" / name)
    (kind, size), _ = next(one for one in MODEL_IDS.items() if one[1] == QWEN)
    qwen = build_tiny_qwen(root / "qwen", kind, size)
    catalog = open_catalog(models, (XTTS, QWEN, VIBEVOICE, *OMNIVOICES, *pocket_ids))
    manager = TTSManager(settings, ModelPool({"cpu": 2**34}, meter=lambda device: 0), catalog)
    copytree(qwen, manager.catalog.folder(manager.entry(QWEN)), dirs_exist_ok=True)
    return manager


def a_recording(folder: Path) -> Sample:
    """Two seconds of noise, as the sample of a voice."""
    noise = np.random.default_rng(1).normal(scale=0.1, size=2 * 24_000)
    speech = Speech(noise.astype(np.float32), 24_000)
    write_speech(folder / "anna.wav", speech)
    return Sample("anna", folder / "anna.wav", audio_sha256(speech), 2.0, "What is said.")


def first_sound(engine: TTSEngine, voice: VoicePrompt | str, text: str, language: str) -> Speech:
    """The first piece of the speech; the rest is not computed."""
    stream = engine.stream(text, voice, engine.options_type(language=language), CancelToken())
    try:
        return next(iter(stream))
    finally:
        stream.close()  # type: ignore[attr-defined]
