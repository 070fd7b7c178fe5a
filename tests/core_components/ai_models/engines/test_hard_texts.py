"""Texts that break programs, given to every engine on its tiny checkpoint.

Each is spoken, or refused with an error that names what cannot be said; nothing else is raised.
Only the first sound is waited for: what comes after is tokenized in the same way.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.kokoro.engine import KokoroEngine, create
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.errors import BadInputError
from modules.core_components.settings import app_folder
from modules.core_components.values import VoicePrompt
from tests.helpers.tiny_engines import (
    OMNIVOICE,
    QWEN,
    VIBEVOICE,
    XTTS,
    a_recording,
    first_sound,
    open_tiny_engines,
)
from tests.helpers.tiny_kokoro import build_tiny_kokoro

ENGINES = ("kokoro-v1.0", XTTS, "pocket-tts-english", QWEN, VIBEVOICE, OMNIVOICE)
# Those whose model knows certain letters; the tokens of the others are bytes.
WITH_AN_ALPHABET = ("kokoro-v1.0", "xtts-v2.0.3")
TEXTS = {
    "mixed scripts": "Hello мир 漢字 there, good day.",
    "emoji": "Good day 😀👩‍👧 to you 🇩🇪!",
    "right-to-left marks": "Good \u200fday\u200e to \u202eyou\u202c.",
    "zero-width characters": "Go\u200bod d\u2060ay, \ufeffyou.",
    "control characters": "Good\x00 day\x07 to\x1b you.",
    "a lone surrogate": "Good day \ud83d to you.",
    "an emoji in halves": "Good day \ud83d\ude00 to you.",
    "letters in two characters": "Cafe\u0301 nai\u0308ve, you.",
}


@pytest.fixture(scope="module")
def manager(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_xtts: Path,
    tiny_pocket: Path,
    tiny_vibevoice: Path,
    tiny_omnivoice: Path,
) -> Iterator[TTSManager]:
    root = tmp_path_factory.mktemp("studio")
    opened = open_tiny_engines(
        root, tiny_xtts, tiny_vibevoice, tiny_omnivoice, tiny_pocket, (ENGINES[2],)
    )
    yield opened
    opened.pool.close()


@pytest.fixture(scope="module")
def voices(
    manager: TTSManager, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, VoicePrompt | str]:
    sample = a_recording(tmp_path_factory.mktemp("samples"))
    own: dict[str, VoicePrompt | str] = {
        name: manager.prepare_voice(name, sample)[0] for name in ENGINES[1:]
    }
    return {**own, ENGINES[0]: "af_one"}


@pytest.fixture(scope="module")
def kokoro(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KokoroEngine]:
    """The engine on the tiny Kokoro, which has few of the catalog's voices."""
    root = tmp_path_factory.mktemp("kokoro")
    build_tiny_kokoro(root / "models" / "kokoro" / "v1_0")
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", root / "models")
    with contextlib.closing(ModelPool({"cpu": 2**32}, meter=lambda device: 0)) as pool:
        context = EngineContext(
            pool=pool,
            catalog=catalog,
            device_preference="cpu",
            attention_preference="auto",
            threads=1,
            cache_folder=root / "cache",
            ensure_model=lambda model_id: catalog.folder(catalog.entry(model_id)),
            engine=lambda model_id: pytest.fail(f"nobody should ask for {model_id}"),
            prompts=VoicePromptStore(root / "prompts"),
        )
        yield create(catalog.entry(ENGINES[0]), context)


def language_of(engine: TTSEngine) -> str:
    return "en-us" if engine.model_id.startswith("kokoro") else "en"


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("name", ENGINES)
def test_it_is_spoken_or_refused_by_name(
    manager: TTSManager,
    kokoro: KokoroEngine,
    voices: dict[str, VoicePrompt | str],
    name: str,
    kind: str,
) -> None:
    engine = kokoro if name == kokoro.model_id else manager.get(name)
    if kind == "mixed scripts" and name in WITH_AN_ALPHABET:
        with pytest.raises(BadInputError, match=r"[мир漢字]"):
            first_sound(engine, voices[name], TEXTS[kind], language_of(engine))
        return
    speech = first_sound(engine, voices[name], TEXTS[kind], language_of(engine))
    assert len(speech.samples)
    assert np.isfinite(speech.samples).all()


@pytest.mark.parametrize("name", ENGINES)
def test_five_thousand_digits_are_spoken(
    manager: TTSManager, kokoro: KokoroEngine, voices: dict[str, VoicePrompt | str], name: str
) -> None:
    engine = kokoro if name == kokoro.model_id else manager.get(name)
    text = "The number is " + "1234567890" * 500 + "."
    assert len(first_sound(engine, voices[name], text, language_of(engine)).samples)
