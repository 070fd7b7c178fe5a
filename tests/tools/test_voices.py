from __future__ import annotations

from dataclasses import replace

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import language_name
from modules.tools.models.ready_models import (
    can_clone,
    has_stock_voices,
    is_voice_match,
    listening_models,
    option_types,
    speaking_models,
)
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.voice_lookup import find_voice
from modules.tools.voices.preset_voices import describe_voice, prepared_voice, preset_voices
from tests.helpers.fakes import ECHO, SINE, SineEngine, SineOptions, add_noise, fake_entry


def test_only_what_can_be_used_now_is_offered(services: Services) -> None:
    (speaks,) = speaking_models(services)
    (listens,) = listening_models(services)
    assert (speaks.id, listens.id) == (SINE, ECHO)
    assert can_clone(speaks)
    assert has_stock_voices(speaks)
    assert not is_voice_match(speaks)
    kokoro = services.catalog.entry("kokoro-v1.0")
    assert can_clone(kokoro)
    assert is_voice_match(kokoro)
    assert SineOptions in option_types(services)


@pytest.mark.parametrize(
    ("name", "label", "language"),
    [
        ("bf_emma", "Emma · British English, woman", "en-gb"),
        ("em_alex", "Alex · Spanish, man", "es"),
        ("zf_xiaobei", "Xiaobei · Mandarin Chinese, woman", "zh"),
        ("xf_nobody", "xf_nobody", "unreadable"),
        ("Vivian", "Vivian", ""),
        ("uncle_fu", "uncle_fu", ""),
    ],
)
def test_voices_in_words(name: str, label: str, language: str) -> None:
    voice = describe_voice(name)
    assert (voice.label, voice.language) == (label, language)


def test_voices_whose_language_cannot_be_read_are_left_out(services: Services) -> None:
    voices = preset_voices(services, services.tts.get(SINE))
    assert [voice.name for voice in voices] == ["high", "low"]


def test_a_prepared_voice_is_found_and_nothing_is_prepared_for_that(services: Services) -> None:
    sample = add_noise(services)
    assert prepared_voice(services, sample.name, SINE) is None
    prompt, was_there = services.tts.prepare_voice(SINE, sample)
    assert not was_there
    found = prepared_voice(services, sample.name, SINE)
    assert found is not None
    assert found.key == prompt.key
    assert prepared_voice(services, "nobody", SINE) is None
    assert prepared_voice(services, sample.name, "no-such-model") is None


def test_language_names() -> None:
    codes = ("en", "en-us", "fr-fr", "pt-br", "yue", "xx")
    assert [language_name(code) for code in codes] == [
        "English",
        "English (US)",
        "French",
        "Portuguese (Brazil)",
        "Cantonese",
        "xx",
    ]


def test_several_samples_are_for_models_that_take_them(services: Services) -> None:
    for name in ("Anna", "Berta"):
        add_noise(services, name)
    request = SpeechRequest("Hello.", "Anna + Berta", "sample", SINE)
    with pytest.raises(BadInputError, match="one sample only"):
        complete_speech(services, request)
    several = fake_entry("several-1", "text-to-speech", ("clone", "several-clips"))
    engine = SineEngine()
    engine.model_id = "several-1"
    services.tts.register_engine("several-1", lambda entry, context: engine, several)
    found = find_voice(services, engine, "Anna+Berta")
    assert (found.name, found.kind) == ("Anna + Berta", "sample")
    complete_speech(services, replace(request, engine="several-1"))
