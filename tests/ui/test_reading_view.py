"""“How it will be read” on the Voice Clone tab."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from modules.core_components.ai_models.engines.options import option
from modules.core_components.errors import BadInputError
from modules.core_components.settings import change
from modules.core_components.text.reading.front_end import STEP_NAMES
from modules.tools.services import Services
from tests.helpers.fakes import SineEngine, fake_entry
from tests.ui.page_client import Page, opened

READER = "reader-1"
STEPS = "Steps of the reading"


@dataclass(frozen=True)
class ReaderOptions:
    language: str = option("en-us", "Language", "Of the text.", choices=("en-us", "it"))
    seed: int = option(0, "Seed", "Of the tremble.", minimum=0, maximum=2**31 - 1)
    as_written: str = option("", "Leave as written", "Steps that are left out.")


class Sentence:
    def __init__(self, text: str) -> None:
        self.text, self.phonemes = text, f"/{text.lower()}/"


class Reader(SineEngine):
    """Its phonemes are small letters; it has none for Cyrillic ones."""

    model_id = READER
    label = "Reader 1"
    options_type = ReaderOptions

    def phonemize(self, text: str, options: Any) -> tuple[Sentence, ...]:
        if "п" in text:
            raise BadInputError("Reader 1 has no phonemes for п.", "Leave it out.")
        return (Sentence(f"{options.as_written}: {text}"),)

    def stream_phonemes(self, *given: Any) -> Any:
        raise AssertionError("nothing is spoken here")


@pytest.fixture
def page(services: Services) -> Iterator[Page]:
    entry = fake_entry(READER, "text-to-speech", ("clone", "stock-voices"))
    services.tts.register_engine(READER, lambda entry, context: Reader(), entry)
    services.settings = change(services.settings, tts_model=READER)
    with opened(services, "Voice Clone") as page:
        yield page


def test_the_text_is_shown_as_it_will_be_said(page: Page) -> None:
    before = page.fired
    page.fill("Text to speak", "It cost $5. It was <i>far</i>: 3 km.")
    assert page.fired == before, "nothing is asked for while it is typed"
    page.click("Update")
    assert '<mark title="$5">five dollars</mark>' in page.text
    assert "<b>three kilometers</b>" in page.text
    assert "English (US) · Reader 1" in page.text
    assert '<mark title="&lt;i&gt;far&lt;/i&gt;">far</mark>' in page.text
    assert "<p>/: it cost $5. it was &lt;i&gt;far&lt;/i&gt;: 3 km./</p>" in page.text
    assert page.value(STEPS) == list(STEP_NAMES)


def test_steps_that_are_not_checked_fill_the_option(page: Page) -> None:
    page.fill("Text to speak", "It cost $5, 3 km away.")
    page.click("Update")
    page.fill(STEPS, [name for name in STEP_NAMES if name != "units"])
    assert page.value("Leave as written") == "units"
    assert "five dollars</mark>, <mark" in page.text
    assert "three kilometers" not in page.text
    assert "<p>/units: it cost" in page.text
    page.fill("Leave as written", "Money , units")
    page.click("Update")
    assert page.value(STEPS) == [name for name in STEP_NAMES if name not in ("money", "units")]
    page.fill(STEPS, list(STEP_NAMES))
    assert page.value("Leave as written") == ""


def test_errors_are_shown_in_a_sentence(page: Page) -> None:
    page.click("Update")
    assert "Type a text above" in page.text
    page.fill("Text to speak", "[pause:x] five")
    page.click("Update")
    assert "[pause:x] names no time." in page.text
    page.fill("Text to speak", "пять")
    page.click("Update")
    assert "Reader 1 has no phonemes for п." in page.text
    page.fill("Leave as written", "mony")
    page.click("Update")
    assert "The reading has no step “mony”." in page.text
    assert "no phonemes" not in page.text
    assert page.errors == []


def test_models_trained_on_written_text_have_no_steps(services: Services) -> None:
    with opened(services, "Voice Clone") as page:
        page.fill("Text to speak", "**5 km**")
        page.click("Update")
        assert "Sine 1 was trained on text as it is written" in page.text
        assert STEPS not in page.labels("checkboxgroup")
