"""When the first steps are offered, and what they offer."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from modules.core_components.settings import ALWAYS, NEVER, UNTIL_MADE
from modules.tools.first_steps import (
    dismiss_first_steps,
    first_steps_wanted,
    first_voice,
    recommended_engine,
    show_first_steps_again,
    something_was_made,
    this_machine,
)
from modules.tools.models.recommendation import recommend
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.tools.voices.samples import NAME
from tests.helpers.fakes import SINE, add_noise


def make_take(services: Services) -> None:
    speak(services, SpeechRequest("Some words", "high", kind="preset"))


def delete_take(services: Services) -> None:
    make_take(services)
    services.takes.delete(services.takes.list()[0].id)


def add_own_sample(services: Services) -> None:
    add_noise(services, "Anna")


def delete_own_sample(services: Services) -> None:
    add_own_sample(services)
    services.samples.delete("Anna")


def save_voice(services: Services) -> None:
    services.voices.add("Bright", b"", SINE)


@pytest.mark.parametrize(
    "make", [make_take, delete_take, add_own_sample, delete_own_sample, save_voice]
)
def test_they_go_once_something_was_made(
    services: Services, make: Callable[[Services], None]
) -> None:
    assert first_steps_wanted(services)
    make(services)
    assert something_was_made(services)
    assert not first_steps_wanted(services)


def test_the_demo_sample_was_not_made_by_the_user(services: Services) -> None:
    add_noise(services, "demo")
    services.samples.update("demo", new_name=NAME)
    assert first_steps_wanted(services)


def test_they_can_be_dismissed_and_shown_again(services: Services) -> None:
    assert services.settings.first_steps == UNTIL_MADE
    dismiss_first_steps(services)
    assert services.saved_settings().first_steps == NEVER
    assert not first_steps_wanted(services)
    make_take(services)
    show_first_steps_again(services)
    assert services.settings.first_steps == ALWAYS
    assert first_steps_wanted(services)


def test_the_first_voice_can_be_heard(services: Services) -> None:
    voice = first_voice(services)
    assert voice is not None
    assert (voice.model_id, voice.name, voice.language) == (SINE, "high", "en-us")
    take = speak(services, voice.request(score=False))
    assert take.text == voice.sentence
    assert take.voice == "high"


def test_without_a_model_there_is_nothing_to_hear(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.tools.first_steps.speaking_models", lambda services: ())
    assert first_voice(services) is None


def test_the_machine_is_described(services: Services) -> None:
    machine = this_machine()
    assert machine.processor
    assert machine.cores >= 1
    assert machine.memory_bytes > 10**8


def test_the_hub_is_not_asked_for_the_recommended_engine(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(
        services.downloader, "check", lambda model_id, cancel: asked.append(model_id)
    )
    monkeypatch.setattr("modules.tools.models.speed.machine_step_s", lambda *_: None)
    found = recommended_engine(services)
    assert found is not None
    assert not asked
    recommend(services)
    assert asked
