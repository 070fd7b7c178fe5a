"""The Voice Design tab: a missing model, tries side by side, what is asked for and kept."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.voices.design import DesignRequest, design_voice
from modules.ui.tabs.voice_design.tab import MOST_TRIES
from tests.helpers.fakes import SineEngine, SineOptions, fake_entry
from tests.ui.page_client import Page, opened

DESIGNER = "designer-1"


class Designer(SineEngine):
    """Hums at a pitch of its own for every description."""

    model_id = DESIGNER
    label = "Designer"
    can_clone = False

    def voices(self) -> tuple[str, ...]:
        return ()

    def stream(
        self, text: str, voice: VoicePrompt | str, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        return self._speak(text, 200.0 + len(str(voice)), options, cancel)


@pytest.fixture
def tab(services: Services) -> Iterator[Page]:
    with opened(services, "Voice Design") as page:
        yield page


def with_designer(services: Services) -> None:
    entry = fake_entry(DESIGNER, "text-to-speech", ("voice-design",))
    services.tts.register_engine(DESIGNER, lambda entry, context: Designer(), entry)


def test_without_the_model_the_tab_says_so(tab: Page) -> None:
    assert "Qwen3-TTS 1.7B VoiceDesign, which is not installed yet" in tab.text
    assert ".json" not in tab.text
    assert "Download model" in tab.labels("button")
    assert "Design" not in tab.labels("button")


def test_tries_are_asked_for_with_seeds_in_a_row(services: Services, tab: Page) -> None:
    with_designer(services)
    tab.open_tab()
    assert "Download model" not in tab.labels("button")
    assert "Your tries appear here." in tab.text
    tab.click("Design")
    assert "no description" in tab.errors.pop()
    tab.fill("Description of the voice", "a deep hum")
    tab.fill("Text to speak", "one two")
    tab.fill("Tries", 3)
    tab.fill("Seed", 5)
    tab.click("Design")
    assert tab.errors == []
    for job in services.jobs.list():
        done = services.jobs.wait(job.id, 60.0)
        assert done.state == "done", done.error
    assert sorted(take.seed for take in services.takes.list()) == [5, 6, 7]
    assert {take.text for take in services.takes.list()} == {"one two"}


def test_the_latest_tries_stand_side_by_side(services: Services, tab: Page) -> None:
    with_designer(services)
    for seed in range(MOST_TRIES + 1):
        design_voice(services, DesignRequest("<i>high</i>", "one", DESIGNER, "en-us", seed))
    tab.open_tab()
    players = re.findall(r'<studio-wave kind="take" key="([^"]+)" label="(Seed \d+)"', tab.text)
    newest = services.takes.list()[:MOST_TRIES]
    assert players == [(take.id, f"Seed {take.seed}") for take in newest]
    assert [take.seed for take in newest] == list(range(MOST_TRIES, 0, -1))
    assert "Your tries appear here." not in tab.text
    assert "&lt;i&gt;high" in tab.text
    assert tab.labels("button").count("Save as sample") == MOST_TRIES
    tab.fill("Name of the voice", "Humming")
    tab.click("Save as sample")
    assert "seconds of clear speech" in tab.errors.pop()  # a hum is none
    assert tab.value("Name of the voice") == "Humming"
