"""Kokoro with its real weights, judged by ears: what Whisper reads back, level, silences."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models.catalog import Catalog
from modules.core_components.ai_models.engines import whisper
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.kokoro import engine as kokoro
from modules.core_components.ai_models.engines.kokoro.engine import KokoroEngine, KokoroOptions
from modules.core_components.ai_models.engines.kokoro.pipeline import SynthesizedChunk
from modules.core_components.ai_models.engines.kokoro.precision import Precision
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.whisper import WhisperEngine, WhisperOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.measure import clipping_fraction, loudness_lufs, peak
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.settings import app_folder
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech
from modules.tools.listening.language_check import detect_language

pytestmark = pytest.mark.e2e

LIGHTHOUSE = (
    "The old lighthouse stood at the end of a narrow road, far from the nearest village. For more "
    "than a hundred years it had guided ships safely past the rocks, and the people who lived "
    "along the shore still spoke of it with affection. Every evening, when the sun went down "
    "behind the hills, the keeper climbed the winding stairs and lit the great lamp at the top. "
    "He was a quiet man with a gray beard and strong hands. "
)


@pytest.fixture(scope="module")
def context(
    starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineContext]:
    catalog = Catalog.load(app_folder() / "configs" / "models.toml", starter_models)
    pool = ModelPool({"cpu": 4 * 2**30})

    def no_other(model_id: str) -> None:
        raise AssertionError(f"nobody should ask for {model_id}")

    yield EngineContext(
        pool=pool,
        catalog=catalog,
        device_preference="cpu",
        attention_preference="auto",
        threads=0,
        cache_folder=tmp_path_factory.mktemp("cache"),
        ensure_model=lambda model_id: catalog.folder(catalog.entry(model_id)),
        engine=no_other,
        prompts=VoicePromptStore(tmp_path_factory.mktemp("prompts")),
    )
    pool.close()


@pytest.fixture(scope="module")
def speaker(context: EngineContext) -> KokoroEngine:
    return kokoro.create(context.catalog.entry("kokoro-v1.0"), context)


@pytest.fixture(scope="module")
def listener(context: EngineContext) -> WhisperEngine:
    return whisper.create(context.catalog.entry("whisper-base"), context)


def say(speaker: KokoroEngine, text: str, voice: str, language: str, seed: int = 1) -> Speech:
    options = KokoroOptions(language=language, seed=seed)
    pieces = [piece.samples for piece in speaker.stream(text, voice, options, CancelToken())]
    return Speech(np.concatenate(pieces), speaker.sample_rate_hz)


def heard(listener: WhisperEngine, speech: Speech, language: str) -> str:
    options = WhisperOptions(language=language[:2])
    running = listener.transcribe(speech, options, no_progress, CancelToken())
    return " ".join(segment.text.strip() for segment in running.segments)


def test_whisper_says_which_language_it_would_have_detected(
    speaker: KokoroEngine, listener: WhisperEngine
) -> None:
    text = "Buongiorno a tutti. La nave entra nel porto a mezzogiorno, e il mare oggi è calmo."
    found = detect_language(listener, say(speaker, text, "if_sara", "it"), CancelToken())
    assert found is not None
    assert found.contradicts("en")
    assert not found.contradicts("it")


def longest_pause_s(speech: Speech) -> float:
    regions = speech_regions(speech)
    return max(
        (later[0] - earlier[1] for earlier, later in itertools.pairwise(regions)),
        default=0.0,
    )


def assert_sounds_right(speech: Speech) -> None:
    loudness = loudness_lufs(speech)
    assert loudness is not None
    assert -35 < loudness < -14
    assert peak(speech) < 1
    assert clipping_fraction(speech) == 0
    assert longest_pause_s(speech) < 1.2


@pytest.mark.parametrize(
    ("voice", "language", "text"),
    [
        ("af_heart", "en-us", "Dr. Smith paid $4.50 on March 3rd, 2024 for it."),
        ("am_michael", "en-us", "The train to the coast leaves at noon, so please be early."),
        ("bf_emma", "en-gb", "She put the kettle on, and nobody said a word for a while."),
        ("af_bella(2)+af_sky(1)", "en-us", "Could you bring me a cup of tea and the newspaper?"),
        ("ef_dora", "es", "Buenos días, me llamo Dora y vivo en una casa muy grande."),
        ("if_sara", "it", "Buongiorno, oggi il tempo è molto bello e andiamo al mare."),
    ],
)
def test_what_is_said_is_heard(
    speaker: KokoroEngine, listener: WhisperEngine, voice: str, language: str, text: str
) -> None:
    speech = say(speaker, text, voice, language)
    assert_sounds_right(speech)
    assert word_error_rate(text, heard(listener, speech, language), language) <= 0.1


def test_the_same_seed_gives_the_same_bits(speaker: KokoroEngine) -> None:
    text = "Twice the same, and once another."
    first = say(speaker, text, "af_heart", "en-us", seed=5).samples
    assert np.array_equal(say(speaker, text, "af_heart", "en-us", seed=5).samples, first)
    assert not np.array_equal(say(speaker, text, "af_heart", "en-us", seed=6).samples, first)


def test_a_long_text_is_spoken_whole(speaker: KokoroEngine, listener: WhisperEngine) -> None:
    text = (LIGHTHOUSE * 5)[:1000].rsplit(" ", 1)[0]
    speech = say(speaker, text, "af_heart", "en-us")
    assert_sounds_right(speech)
    assert 45 < speech.duration_s < 90
    assert word_error_rate(text, heard(listener, speech, "en-us"), "en") <= 0.03


def test_a_cut_inside_a_sentence_costs_no_word(
    speaker: KokoroEngine, listener: WhisperEngine
) -> None:
    text = (
        "When the rain had stopped and the streets were dry again the children came out of their "
        "houses to play with the old wooden boat that their uncle had found on the beach last "
        "summer and painted in the colors of the sea"
    )
    speech = say(speaker, text, "af_heart", "en-us")
    assert longest_pause_s(speech) < 0.5
    assert word_error_rate(text, heard(listener, speech, "en-us"), "en") <= 0.05


def test_fft_convolutions_make_the_same_speech(starter_models: Path) -> None:
    folder = starter_models / "kokoro" / "v1_0"

    def spoken(precision: Precision) -> SynthesizedChunk:
        model = KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE, "cpu", precision)
        phonemes = "ðə hˈɑɹbəɹ wʌz kwˈIət bəfˈɔɹ dˈɔn."
        return model.synthesize(phonemes, model.voice("af_heart").style(len(phonemes)), seed=4)

    direct, by_fft = spoken("float32"), spoken("float32-fft")
    assert np.array_equal(direct.durations_frames, by_fft.durations_frames)
    assert np.abs(direct.samples - by_fft.samples).max() < 1e-4
    assert np.abs(direct.samples).max() > 0.1
