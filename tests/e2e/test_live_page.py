"""Hearing a take while it is made, in Chromium: a studio on fakes, so that the words are ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from modules.core_components.ai_models import reset_managers
from modules.core_components.errors import BadInputError
from modules.tools.services import Services
from modules.ui.server import create_app
from tests.api.conftest import served
from tests.e2e.conftest import watched_page
from tests.e2e.studio_page import StudioPage
from tests.helpers.fakes import SineEngine, fake_studio

pytestmark = pytest.mark.e2e

TEXT = "Seven <b>bold</b> sailors & one [odd] cat went ashore."
Fake = tuple[Services, SineEngine]


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        services, engine = fake_studio(tmp_path_factory.mktemp("live"))
        yield services, engine
        engine.may_speak.set()
        services.close()
        reset_managers()


@pytest.fixture(scope="module")
def page(fake: Fake, chromium: Browser) -> Iterator[Page]:
    """One page for all: opening it takes longer than the tests."""
    with served(create_app(fake[0])) as address, watched_page(chromium, address) as page:
        StudioPage(page).open_tab("Voice Presets")
        yield page


@pytest.fixture
def services(fake: Fake) -> Services:
    """The services, without any take."""
    services = fake[0]
    for take in services.takes.list():
        services.takes.delete(take.id)
    return services


@pytest.fixture
def engine(fake: Fake) -> SineEngine:
    engine = fake[1]
    engine.may_speak.set()
    engine.speaking.clear()
    return engine


@pytest.fixture
def screen(page: Page) -> StudioPage:
    screen = StudioPage(page)
    voices = page.locator(".studio-short tr[data-id]").locator("visible=true")
    expect(voices).to_have_count(2)
    return screen


def stage(screen: StudioPage) -> Locator:
    return screen.page.get_by_role("group", name="Playing while generating")


def speak(screen: StudioPage, text: str = TEXT) -> None:
    screen.write(text)
    screen.button("Generate").click()


def in_state(screen: StudioPage, state: str) -> None:
    expect(stage(screen)).to_have_attribute("data-state", state)


def test_words_are_followed_and_computed_once(
    services: Services, engine: SineEngine, screen: StudioPage
) -> None:
    engine.may_speak.clear()
    speak(screen)
    in_state(screen, "waiting")
    expect(stage(screen)).to_contain_text(TEXT)
    engine.may_speak.set()
    in_state(screen, "playing")
    expect(stage(screen).locator(".now")).to_have_count(1)
    in_state(screen, "done")
    expect(stage(screen).locator(".said")).to_have_text(TEXT.split())
    expect(stage(screen)).to_have_attribute("data-gaps", "0")
    expect(stage(screen).locator("b")).to_have_count(0)
    expect(screen.text("high · Sine 1")).to_be_visible()
    (take,) = services.takes.list()
    assert take.text == TEXT


def test_cancel_stops_the_sound_and_stop_does_not_cancel(
    services: Services, engine: SineEngine, screen: StudioPage
) -> None:
    speak(screen, "word " * 200)
    in_state(screen, "playing")
    screen.button("Stop playing").click()
    in_state(screen, "stopped")
    engine.may_speak.clear()
    expect(screen.button("Cancel")).to_have_count(0)
    engine.speaking.clear()
    speak(screen)
    assert engine.speaking.wait(20)
    in_state(screen, "waiting")
    screen.button("Cancel").click()
    in_state(screen, "stopped")
    expect(stage(screen)).to_contain_text("Cancelled.")
    (take,) = services.takes.list()
    assert take.text.startswith("word word")


def test_two_are_heard_one_after_the_other_and_pause_holds_the_first(
    engine: SineEngine, screen: StudioPage
) -> None:
    speak(screen, "one first" + " word" * 20)
    in_state(screen, "playing")
    screen.button("Pause").click()
    in_state(screen, "paused")
    speak(screen, "two second")
    expect(stage(screen)).to_contain_text("one first")
    screen.button("Continue").click()
    expect(stage(screen)).to_contain_text("two second")
    in_state(screen, "done")


def test_an_error_in_the_middle_ends_it_in_words(
    engine: SineEngine, screen: StudioPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = engine._speak

    def broken(text: str, *rest: object) -> Iterator[object]:
        yield from whole(text.partition("boom")[0], *rest)  # type: ignore[arg-type]
        raise BadInputError("The voice broke.", "Mend it.")

    monkeypatch.setattr(engine, "_speak", broken)
    speak(screen, "before boom after")
    in_state(screen, "failed")
    expect(screen.page.locator(".studio-job.bad")).to_contain_text("The voice broke.")
    screen.button("Dismiss").click()


def test_a_reload_in_the_middle_keeps_the_take_and_the_choice_is_remembered(
    services: Services, engine: SineEngine, screen: StudioPage
) -> None:
    engine.may_speak.clear()
    speak(screen)
    in_state(screen, "waiting")
    wanted = screen.page.get_by_label("Play while generating").locator("visible=true")
    wanted.uncheck()
    screen.page.reload()
    engine.may_speak.set()
    screen.open_tab("Voice Presets")
    expect(wanted).not_to_be_checked()
    expect(screen.text("high · Sine 1")).to_be_visible()
    expect(stage(screen)).to_have_count(0)
    engine.may_speak.clear()
    speak(screen, "not heard")
    expect(screen.job("not heard")).to_be_visible()
    engine.may_speak.set()
    expect(screen.button("Cancel")).to_have_count(0)
    expect(stage(screen)).to_have_count(0)
    assert len(services.takes.list()) == 2
