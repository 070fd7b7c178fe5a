"""The cards of the first steps on Voice Clone, and what they lead to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modules.tools.first_steps import recommended_engine
from modules.tools.models.library import access_token
from modules.tools.services import Services
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import Page, opened

CARDS = "Hear it now"


@pytest.fixture(autouse=True)
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modules.tools.models.speed.machine_step_s", lambda *_: None)


def act(page: Page, action: str) -> None:
    (number,) = (n for n in page._visible("html") if CARDS in page._value(n))
    page._trigger(number, "select", {"action": action})


def test_one_press_speaks_and_the_cards_are_gone(services: Services) -> None:
    with opened(services, "Voice Clone") as page:
        assert CARDS in page.text
        act(page, "hear")
        assert CARDS not in page.text
        assert page.value("Kind of voice") == "preset"
        assert page.value("Stock voice") == "high"
        assert page.value("Text to speak").startswith("Hello!")
        (job,) = services.jobs.list(kind="speak")
        services.jobs.wait(job.id, 60)
    assert services.takes.count() == 1
    with opened(services, "Voice Clone") as page:
        assert CARDS not in page.text


def test_the_engine_is_looked_for_after_the_cards_are_there(services: Services) -> None:
    with opened(services, "Voice Clone") as page:
        assert "data-looking" in page.text
        act(page, "look")
        assert "data-looking" not in page.text
        assert "on this machine" in page.text
        page.open_tab()
        assert "data-looking" not in page.text, "it is remembered"
        act(page, f"choose:{SINE}")
        assert page.value("Engine") == SINE
        act(page, "own")
        assert page.value("Kind of voice") == "sample"
        assert page.errors == []


def test_the_card_says_that_a_download_needs_an_account_until_a_token_is_saved(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = recommended_engine(services)
    assert known is not None
    gated = replace(known, state="missing", needs_token=True)
    monkeypatch.setattr(
        "modules.ui.tabs.voice_clone.first_steps.recommended_engine", lambda services: gated
    )
    with opened(services, "Voice Clone") as page:
        act(page, "look")
        assert f"Get {gated.label}" in page.text
        assert "free account at Hugging Face" in page.text
        access_token(services).save("hf_abcDEF123456")
        page.open_tab()
        assert f"Get {gated.label}" in page.text
        assert "free account at Hugging Face" not in page.text


def test_without_a_model_the_card_leads_to_the_models(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.tools.first_steps.speaking_models", lambda services: ())
    with opened(services, "Voice Clone") as page:
        assert "Open Models" in page.text
        act(page, "hear")
        assert "No speech model is installed" in page.errors[-1]


def test_they_are_dismissed_and_come_back_from_the_settings(services: Services) -> None:
    add_noise(services, "Anna")
    with opened(services, "Voice Clone") as page:
        assert CARDS not in page.text, "something was made"
    with opened(services, "Settings") as page:
        page.click("Show the first steps again")
    with opened(services, "Voice Clone") as page:
        act(page, "dismiss")
        assert CARDS not in page.text
        page.open_tab()
        assert CARDS not in page.text
