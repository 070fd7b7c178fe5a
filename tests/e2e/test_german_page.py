"""The page in its second language, as somebody meets it who chose German in the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import expect

from modules.core_components.texts import CATALOGS
from modules.ui.studio import VIEWS
from tests.e2e.conftest import StudioProcess, watched_page
from tests.e2e.studio_page import SPEAKING_MS, StudioPage

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.e2e

# Of these texts, those that can be read on the page, or that a screen reader reads.
LEFT_IN_ENGLISH = """texts => {
  const english = new Set(texts);
  const found = new Set();
  const words = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (words.nextNode()) {
    const text = words.currentNode.textContent.trim();
    const shown = words.currentNode.parentElement.checkVisibility();
    if (shown && english.has(text)) found.add(text);
  }
  for (const name of ['aria-label', 'placeholder', 'title']) {
    for (const node of document.querySelectorAll(`[${name}]`)) {
      const text = node.getAttribute(name);
      if (node.checkVisibility() && english.has(text)) found.add(text);
    }
  }
  return [...found];
}"""


@pytest.fixture(scope="module")
def german() -> dict[str, str]:
    """The German text of each English one that has no places for values."""
    with (CATALOGS / "de.po").open("rb") as file:
        catalog = read_po(file, locale="de")
    return {
        message.id: message.string
        for message in catalog
        if isinstance(message.id, str) and message.id and "{" not in message.id
    }


@pytest.fixture(scope="module")
def studio(
    starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StudioProcess]:
    root = tmp_path_factory.mktemp("studio")
    settings = {"refine_voices": False, "page_language": "de"}
    (root / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    process = StudioProcess(root, starter_models, language="")
    process.start()
    yield process
    process.stop()


def english_left(page: Page, german: dict[str, str]) -> list[str]:
    texts = [english for english, other in german.items() if english != other]
    return list(page.evaluate(LEFT_IN_ENGLISH, texts))


def open_view(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()
    expect(page).to_have_title(re.compile(f"^{name} · "))
    StudioPage(page).wait_for_view()


def test_a_german_page_speaks_german_everywhere(
    chromium: Browser, studio: StudioProcess, german: dict[str, str]
) -> None:
    with watched_page(chromium, studio.url) as page:
        on = StudioPage(page)
        expect(page.get_by_role("link", name="Einstellungen", exact=True)).to_be_visible()
        on.wait_for_view()
        assert page.locator("html").get_attribute("lang") == "de"
        # Gradio's own words follow the page, not the browser.
        assert page.evaluate("navigator.language") == "de"
        left = {}
        for view in VIEWS:
            open_view(page, german[view.label])
            assert page.url.endswith(f"#/{view.id}")  # addresses are the same in every language
            left[view.id] = english_left(page, german)
        assert not any(left.values()), left

        # A refusal, at its field.
        open_view(page, german["Voice Presets"])
        on.button(german["Generate"]).click()
        expect(page.get_by_text(german["There is no text to speak."]).first).to_be_visible()
        # A take, with the decimal comma in its facts.
        on.fill_when_shown(german["Text to speak"], "Good morning, everybody.")
        on.button(german["Generate"]).click()
        take = page.locator("studio-wave:visible").first
        expect(take).to_be_visible(timeout=SPEAKING_MS)
        expect(
            page.get_by_text(re.compile(r"\d,\d s")).locator("visible=true").first
        ).to_be_visible()
        left = english_left(page, german)
        assert left == []
