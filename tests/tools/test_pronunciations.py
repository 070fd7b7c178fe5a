"""What of the dictionary becomes part of a request, and so of a take."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from modules.core_components.ai_models.engines.options import option
from modules.core_components.errors import BadInputError
from modules.tools.services import Services
from modules.tools.speaking.pronunciations import (
    add_pronunciation,
    list_pronunciations,
    remove_pronunciation,
)
from modules.tools.speaking.request import SpeechRequest, complete_speech, request_of_take
from modules.tools.speaking.speech import speak
from tests.helpers.fakes import SINE, SineEngine, SineOptions


@dataclass(frozen=True)
class ReadingOptions(SineOptions):
    pronunciations: str = option("", "Pronunciations", "")


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SineEngine, "options_type", ReadingOptions)


@pytest.mark.usefixtures("reading")
def test_a_take_records_the_entries_that_its_text_used(services: Services) -> None:
    add_pronunciation(services, "en-us", "Nguyen", "win")
    add_pronunciation(services, "en-us", "Smith", "smit")
    assert list_pronunciations(services) == {"en-us": {"Nguyen": "win", "Smith": "smit"}}
    request = SpeechRequest("Ask nguyen.", "high", "preset", SINE, score=False)
    take = speak(services, request)
    assert take.options["pronunciations"] == "Nguyen = win"
    remove_pronunciation(services, "en-us", "Nguyen")
    again = complete_speech(services, request_of_take(take))
    assert again.given["pronunciations"] == "Nguyen = win"


@pytest.mark.usefixtures("reading")
def test_without_used_entries_a_request_stays_as_it_was(services: Services) -> None:
    request = SpeechRequest("Ask nobody.", "high", "preset", SINE)
    plain = complete_speech(services, request).given
    add_pronunciation(services, "en-us", "Nguyen", "win")
    assert complete_speech(services, request).given == plain == {}


def test_an_engine_that_takes_none_is_not_asked(services: Services) -> None:
    add_pronunciation(services, "en-us", "Nguyen", "win")
    request = SpeechRequest("Ask Nguyen.", "high", "preset", SINE)
    assert complete_speech(services, request).given == {}


def test_a_language_that_nobody_speaks_is_refused(services: Services) -> None:
    with pytest.raises(BadInputError, match="'xx'"):
        add_pronunciation(services, "xx", "Nguyen", "win")
