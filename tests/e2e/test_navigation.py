"""Addresses, Back, and what survives a reload, a second tab and a killed studio."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from modules.core_components.ai_models import reset_managers
from modules.ui.server import create_app
from modules.ui.widgets.sample_panel import SamplePanel
from tests.api.conftest import served
from tests.e2e.conftest import StudioProcess, watched_page
from tests.e2e.studio_page import StudioPage
from tests.helpers.fakes import add_noise, fake_studio

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e
TEXT = "A text that nobody wants to type twice."
SCRIPT = "Anna: Good morning.\nBen: Is there coffee?"
DESCRIPTION = "An old sailor with a hoarse voice."


def test_views_have_addresses_and_back_works(page: Page, studio: StudioProcess) -> None:
    on = StudioPage(page)
    on.open_tab("Voice Clone")
    on.open_tab("Conversation")
    on.open_tab("Settings")
    assert page.url == f"{studio.url}/#/settings"
    page.go_back()
    expect(page.get_by_role("link", name="Conversation")).to_have_attribute("aria-current", "page")
    expect(page.get_by_label("Script").locator("visible=true")).to_be_visible()
    page.go_forward()
    expect(on.button("Save")).to_be_visible()
    page.wait_for_url("**/#/settings")
    # As typed into the browser.
    page.goto(f"{studio.url}/transcribe")
    expect(page).to_have_title(re.compile("^Transcribe · "))
    expect(on.button("Transcribe")).to_be_visible()
    assert page.url == f"{studio.url}/#/transcribe"
    page.goto(f"{studio.url}/#/no-such-view")
    expect(page).to_have_title(re.compile("^Voice Clone · "))
    page.wait_for_url("**/#/voice-clone")


INERT_WHEN_SHOWN = """views => new Promise(resolve => {
  addEventListener('hashchange', () => resolve(views.inert), { once: true });
  location.hash = '#/conversation';
})"""


INERT_AT_FIRST = """new MutationObserver((changes, observer) => {
  const views = document.getElementById('views');
  if (!views) return;
  observer.disconnect();
  requestAnimationFrame(() => { window.inertAtFirst = views.inert; });
}).observe(document, { childList: true, subtree: true })"""


def test_nothing_can_be_chosen_before_the_answer_that_would_replace_it(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    services, _ = fake_studio(tmp_path)
    add_noise(services, "Anna")
    add_noise(services, "Ben")
    asked, may_answer = threading.Event(), threading.Event()
    listed = SamplePanel.refresh

    def answer_late(panel: SamplePanel, chosen: str) -> list[Any]:
        answer = listed(panel, chosen)
        asked.set()
        may_answer.wait(60)
        return answer

    monkeypatch.setattr(SamplePanel, "refresh", answer_late)
    with (
        served(create_app(services)) as address,
        watched_page(chromium, address, INERT_AT_FIRST) as page,
    ):
        on = StudioPage(page)
        views = page.locator("#views")
        page.wait_for_function("window.studioOpened")
        assert page.evaluate("window.inertAtFirst"), "before Gradio has sent what the views ask"
        assert asked.wait(60)
        assert views.evaluate("views => views.inert")
        may_answer.set()
        on.choose("Sample", "Ben")
        assert not views.evaluate("views => views.inert")
        expect(on.text("Voice: Ben")).to_be_visible()
        assert views.evaluate(INERT_WHEN_SHOWN), "before Gradio has sent what the view asks"
        on.wait_for_view()
    services.close()
    reset_managers()


def test_on_a_phone_the_last_views_are_in_a_menu(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    on = StudioPage(page)
    on.open_tab("Train XTTS")
    expect(page.get_by_role("tab", name="5 · Listen and publish")).to_be_visible()
    more = on.button("More")
    more.click()
    expect(page.get_by_role("link", name="Models")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Models")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_take_is_made_by_keyboard_alone(page: Page) -> None:
    on = StudioPage(page)
    expect(on.text("Voice: Demo voice")).to_be_visible()
    expect(on.button("Generate")).to_be_enabled()
    on.wait_for_view()
    # The first stop of the keyboard leads past the navigation.
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Skip to the text")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("Typed without a mouse.")
    expect(page.get_by_label("Text to speak").locator("visible=true")).to_have_value(
        "Typed without a mouse."
    )
    page.keyboard.press("Control+Enter")
    expect(on.button("Cancel")).to_be_visible()
    on.wait_for_take()


@pytest.fixture
def own_studio(starter_models: Path, tmp_path: Path) -> Iterator[StudioProcess]:
    process = StudioProcess(tmp_path / "root", starter_models)
    process.start()
    yield process
    process.stop()


def test_what_is_typed_survives_a_killed_studio(
    chromium: Browser, own_studio: StudioProcess
) -> None:
    address = own_studio.url
    with watched_page(chromium, address) as page:
        on = StudioPage(page)
        expect(on.button("Generate")).to_be_enabled()
        on.use_stock_voice()
        on.write(TEXT)
        on.set_seed(77)
        on.choose("Language", "Italian")
        on.open_tab("Conversation")
        on.fill_when_shown("Script", SCRIPT)
        on.open_tab("Voice Design")
        on.fill_when_shown("Description of the voice", DESCRIPTION)

        page.goto(f"{address}/#/voice-clone")
        page.reload()
        check_clone(on)
        # Another tab of the browser begins with it too, and each keeps its own from then on.
        second = page.context.new_page()
        second.goto(address)
        on_second = StudioPage(second)
        check_clone(on_second)
        on_second.write("Only here.")
        page.reload()
        check_clone(on)
        second.reload()
        expect(on_second.button("Generate")).to_be_enabled()
        expect(second.get_by_label("Text to speak").locator("visible=true")).to_have_value(
            "Only here."
        )
        second.close()

        page.goto("about:blank")
        own_studio.kill()
        port = int(address.rpartition(":")[2])
        own_studio.start(port)
        page.goto(address)
        check_clone(on)
        on.open_tab("Conversation")
        expect(page.get_by_label("Script").locator("visible=true")).to_have_value(SCRIPT)
        on.open_tab("Voice Design")
        described = page.get_by_label("Description of the voice").locator("visible=true")
        expect(described).to_have_value(DESCRIPTION)


def check_clone(on: StudioPage) -> None:
    expect(on.button("Generate")).to_be_enabled()
    expect(on.page.get_by_label("Text to speak").locator("visible=true")).to_have_value(TEXT)
    expect(on.text("Voices that come with the model, and your own.")).to_be_visible()
    expect(on.menu("Language")).to_have_value("Italian")
    on.page.get_by_role("button", name="Options").locator("visible=true").click()
    expect(on.page.get_by_label("Seed").locator("visible=true")).to_have_value("77")
