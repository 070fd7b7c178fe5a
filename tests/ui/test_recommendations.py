"""The engines recommended on the Voice Clone tab, from the closed gate to a take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.tools.jobs import register_job_kinds
from modules.tools.models import speed
from modules.tools.services import Services, open_services
from modules.ui.tabs.voice_clone.recommendations import TITLE
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.helpers.fakes import add_noise
from tests.helpers.pocket_studio import MODEL, STRANGER, TOKEN, has_part
from tests.helpers.waiting import eventually
from tests.ui.page_client import Page, opened

ACCEPT, USE, HERE = "I accept this licence", "Download and speak", "Speak with it"
TEXT = "Good morning to you."


@pytest.fixture
def services(
    pocket_root: Path, pocket_hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Services]:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    monkeypatch.setattr(speed, "decoder_step_seconds", lambda device: 0.01)
    opened = open_services(pocket_root)
    register_job_kinds(opened)
    add_noise(opened, "Anna")
    yield opened
    opened.close()


@pytest.fixture
def page(services: Services) -> Iterator[Page]:
    with opened(services, "Voice Clone") as page:
        page.expand(TITLE)
        yield page


def follow(services: Services, page: Page) -> None:
    """Until nothing runs and the page has seen it."""
    while True:
        active = services.jobs.list(states=("queued", "running"))
        for job in active:
            services.jobs.wait(job.id, 60)
        page.tick()
        if not active:
            return


def ask_for(page: Page, text: str, token: str = TOKEN) -> None:
    """Fills everything in and presses the button."""
    page.fill("Text to speak", text)
    page.fill(ACCEPT, True)
    page.fill("Access token", token)
    page.click(USE)


def test_from_a_refusal_to_a_take_in_one_click(services: Services, page: Page) -> None:
    assert page.text.index("Pocket TTS English") < page.text.index("Kokoro 82M v1.0")
    assert "lawful consent" in page.text
    page.fill("Text to speak", TEXT)
    page.click(USE)
    page.fill(ACCEPT, True)
    page.click(USE)
    assert "licence is not accepted" in page.errors[0]
    assert "access token" in page.errors[1]
    assert services.downloader.needs_consent(MODEL)  # half an answer is none

    page.fill("Access token", STRANGER)
    page.click(USE)
    follow(services, page)
    assert "Accept the terms at https://huggingface.co/kyutai/pocket-tts" in page.text
    assert ACCEPT not in page.labels("checkbox")
    assert page.value("Engine") == ""
    page.fill("Another access token (one is saved)", TOKEN)
    page.click(USE)
    follow(services, page)
    (take,) = services.takes.list()
    assert (take.model_id, take.voice, take.text) == (MODEL, "Anna", TEXT)
    assert page.value("Engine") == MODEL
    assert "on this machine" in page.text
    assert "measured here" in page.text

    page.click(HERE)
    follow(services, page)
    assert len(services.takes.list()) == 2
    assert len(page.errors) == 2
    assert TOKEN not in page.text


def test_clones_come_first_and_what_is_not_possible_now_cannot_be_pressed(
    services: Services,
) -> None:
    services.change_settings({"offline_mode": True})
    with opened(services, "Voice Clone") as page:
        page.expand(TITLE)
        assert page.text.index("Clone the voice") < page.text.index("Pocket TTS English")
        assert page.text.index("Pocket TTS English") < page.text.index("Imitate it (voice match)")
        assert ">recommended<" not in page.text
        page.choose_row(MODEL)
        assert USE not in page.labels("button")
        assert "Not possible now" in page.labels("button")
        assert "sample in" not in page.text  # its language is not known


def test_two_clicks_are_one_job_which_goes_on_where_it_was_cancelled(
    services: Services,
    page: Page,
    pocket_hub: FakeHub,
) -> None:
    pocket_hub.hold.clear()
    ask_for(page, TEXT)
    eventually(lambda: has_part(services.settings.root), 30)
    page.click(USE)
    assert len(services.jobs.list()) == 1
    page.click("Cancel")
    follow(services, page)
    assert services.takes.list() == ()
    assert "Cancelled." in page.text
    pocket_hub.hold.set()
    page.click("Try again")
    follow(services, page)
    assert any(asked and asked.startswith("bytes=") for asked in pocket_hub.ranges)
    assert len(services.takes.list()) == 1
    assert page.errors == []


def test_without_words_to_say_it_is_only_downloaded(
    services: Services,
    page: Page,
    pocket_hub: FakeHub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pocket_hub.asked.clear()
    ask_for(page, "[pause:2s]")
    assert len(page.errors) == 1  # refused before anything is fetched
    assert pocket_hub.asked == []
    assert services.jobs.list() == ()

    with monkeypatch.context() as patch:
        usage = type("Usage", (), {"total": 0, "used": 0, "free": 1_000_000})
        patch.setattr("shutil.disk_usage", lambda path: usage)
        page.choose_row(MODEL)
        assert "1.0 MB free" in page.text
        assert "choose another models folder" in page.text

    page.expand(TITLE)
    page.fill("Text to speak", "")
    page.click(USE)
    follow(services, page)
    assert services.tts.available(MODEL)
    assert services.takes.list() == ()
    assert page.value("Engine") == MODEL
    page.click(HERE)  # chosen already, and nothing to say
    assert services.jobs.list(states=("queued", "running")) == ()
    assert len(page.errors) == 1
