"""The names that people use for models, and what an unknown one is answered with."""

from __future__ import annotations

import pytest

from modules.core_components.errors import NotFoundError
from modules.tools.models.library import find_model_id
from modules.tools.models.model_names import SHORT_NAMES, find_model
from modules.tools.services import Services
from tests.helpers.fakes import ECHO, SINE

WHISPER = [
    *("tiny", "tiny.en", "base", "base.en", "small", "small.en", "medium", "medium.en"),
    *("large-v1", "large-v2", "large-v3", "large-v3-turbo"),
]


@pytest.mark.parametrize("size", WHISPER)
def test_faster_whispers_names(services: Services, size: str) -> None:
    assert find_model(services.asr, size) == f"whisper-{size}"
    assert find_model(services.asr, f"Whisper {size}") == f"whisper-{size}"
    assert find_model_id(services, size) == f"whisper-{size}"


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("kokoro", "kokoro-v1.0"),
        ("Kokoro 82M v1.0", "kokoro-v1.0"),
        ("xtts", "xtts-v2.0.3"),
        ("XTTS-v2", "xtts-v2.0.3"),
        ("v2.0.1", "xtts-v2.0.1"),
        ("qwen3-tts", "qwen3-tts-1.7b-base"),
        ("0.6b-base", "qwen3-tts-0.6b-base"),
        ("vibevoice", "vibevoice-1.5b"),
        ("OmniVoice", "omnivoice"),
        ("omni", "omnivoice"),
        ("Amharic", "omnivoice-amharic"),
        (" kokoro-v0.19 ", "kokoro-v0.19"),
        (SINE, SINE),
    ],
)
def test_speaking_models(services: Services, name: str, model_id: str) -> None:
    assert find_model(services.tts, name) == model_id


@pytest.mark.parametrize(
    ("name", "model_id"),
    [("large", "whisper-large-v3"), ("turbo", "whisper-large-v3-turbo"), (ECHO, ECHO)],
)
def test_listening_models(services: Services, name: str, model_id: str) -> None:
    assert find_model(services.asr, name) == model_id


def test_every_short_name_means_a_model_of_the_catalog(services: Services) -> None:
    ids = {entry.id for entry in services.catalog.entries()}
    assert set(SHORT_NAMES.values()) <= ids


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("whisper-tin", "whisper-tiny"),
        ("large-v4", "whisper-large-v"),
        ("smal", "whisper-small"),
        ("kokoro", "There are"),
        ("xtts-v2.0.3", "There are"),
    ],
)
def test_an_unknown_listening_model_is_answered_with_those_of_its_task(
    services: Services, name: str, near: str
) -> None:
    with pytest.raises(NotFoundError, match="no listening model") as raised:
        find_model(services.asr, name)
    assert near in raised.value.hint
    assert "kokoro" not in raised.value.hint
    assert "xtts" not in raised.value.hint


@pytest.mark.parametrize(
    ("name", "near"), [("kokro", "kokoro-v1.0"), ("xtts-v2.0.5", "xtts-v2.0.3"), ("tiny.en", "")]
)
def test_an_unknown_speaking_model_too(services: Services, name: str, near: str) -> None:
    with pytest.raises(NotFoundError, match="no speaking model") as raised:
        find_model(services.tts, name)
    assert near in raised.value.hint
    assert "whisper" not in raised.value.hint


def test_settings_take_short_names(services: Services) -> None:
    services.overrides = {}  # those of the fakes would win
    services.change_settings({"tts_model": "kokoro", "asr_model": "tiny.en"})
    assert services.settings.tts_model == "kokoro-v1.0"
    assert services.saved_settings().asr_model == "whisper-tiny.en"
    services.change_settings({"fallback_tts_model": "xtts", "fallback_asr_model": "none"})
    assert services.settings.fallback_tts_model == "xtts-v2.0.3"
    with pytest.raises(NotFoundError, match="no speaking model 'kokro'"):
        services.change_settings({"tts_model": "kokro"})
