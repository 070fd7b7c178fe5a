"""Whom the page shuts out: its colours, names and keys, on every view, filled and empty.

The tests of a studio share one page, which is opened once.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page, expect

from tests.conftest import ROOT
from tests.e2e.conftest import StudioProcess, watched_page
from tests.e2e.studio_page import SETTLED_MS, StudioPage
from tests.helpers.old_root import restore_what_git_drops

pytestmark = pytest.mark.e2e

VIEWS = (
    "Voice Clone",
    "Voice Presets",
    "Conversation",
    "Voices",
    "Voice Design",
    "Transcribe",
    "Dataset",
    "Train XTTS",
    "Activity",
    "Models",
    "History",
    "Settings",
)
# A browser that prefers light, whose user chose dark. Notes each state of the body before and after
# Gradio draws, and every text on show that says that something is not there.
RECORDER = """
(() => {
  localStorage.getItem('studio-shade') || localStorage.setItem('studio-shade', 'dark');
  window.shades = [];
  window.missing = [];
  const NOTHING = /^.*(\\bNo [\\w ]+ yet|None yet|None installed|No voice is chosen).*$/gm;
  const look = () => {
    if (!document.body) return;
    const drawn = !!document.querySelector('.gradio-container button');
    const shade = [document.body.classList.contains('dark'), drawn].join();
    const isNew = document.readyState !== 'loading' && !window.shades.includes(shade);
    if (isNew) window.shades.push(shade);
    const boxes = [...document.querySelectorAll('input')].filter(box => box.offsetParent);
    const said = [document.body.innerText, ...boxes.map(box => box.value)].join('\\n');
    for (const found of said.match(NOTHING) || []) window.missing.push(found);
  };
  new MutationObserver(look).observe(document, {
    childList: true, subtree: true, attributes: true, attributeFilter: ['class', 'value'],
  });
})();
"""
# The colours differ between the shades, names and structure do not.
EVERYTHING: dict[str, Any] = {"label-content-name-mismatch": {"enabled": True}}
# Axe would walk through the other views too, of which nothing can be seen.
ON_SHOW = {"exclude": [['#views [role=tabpanel][style*="display: none"]']]}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


@pytest.fixture(scope="module")
def filled(
    chromium: Browser, starter_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """The page of a studio that has something of everything."""
    root = tmp_path_factory.mktemp("filled") / "studio"
    shutil.copytree(ROOT / "tests" / "data" / "root_2026_11", root)
    restore_what_git_drops(root)
    (root / "config.json").write_text("{}", encoding="utf-8")
    studio = StudioProcess(root, starter_models)
    studio.start()
    with watched_page(chromium, studio.url, RECORDER) as page:
        yield page
    studio.stop()


@pytest.fixture(scope="module")
def empty(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page of a studio that has nothing, not even a model."""
    root = tmp_path_factory.mktemp("empty")
    studio = StudioProcess(root / "studio", root / "models")
    studio.start()
    with watched_page(chromium, studio.url) as page:
        yield page
    studio.stop()


def test_the_chosen_shade_is_there_before_anything_is_drawn(filled: Page) -> None:
    StudioPage(filled).open_tab("Voice Clone")
    assert filled.evaluate("shades") == ["true,false", "true,true"]


def test_a_menu_is_closed_by_escape_and_when_it_is_left(filled: Page) -> None:
    screen = StudioPage(filled)
    screen.open_tab("Voice Clone")
    lists = filled.get_by_role("listbox")
    menu = screen.menu("Engine")
    menu.focus()
    expect(lists).to_have_count(1)
    filled.keyboard.press("Tab")
    expect(menu).not_to_be_focused()
    expect(lists).to_have_count(1)  # that of the next menu
    filled.keyboard.press("Escape")
    expect(lists).to_have_count(0)
    menu.click()
    expect(lists).to_have_count(1)
    filled.keyboard.press("Escape")
    expect(lists).to_have_count(0)
    menu.click()  # it has the focus still
    expect(lists).to_have_count(1)
    filled.keyboard.press("Escape")


def test_a_screen_reader_says_what_is_on_show(filled: Page) -> None:
    screen = StudioPage(filled)
    screen.open_tab("Voice Clone")
    area = filled.locator("#views")
    expect(area.get_by_role("group", name="Kind of voice")).to_be_visible()
    options = area.get_by_role("button", name="Options").locator("visible=true")
    expect(options).to_have_attribute("aria-expanded", "false")
    options.click()
    expect(options).to_have_attribute("aria-expanded", "true")
    for role, name in (
        ("slider", "Speed"),
        ("spinbutton", "Speed, as a number"),
    ):
        control = area.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        expect(control.locator("visible=true")).to_have_count(1)
    for role, name in (("button", "Play"), ("combobox", "Playback speed")):
        control = area.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]
        expect(control.locator("visible=true").first).to_be_enabled()
    area.get_by_role("spinbutton", name="Speed").locator("visible=true").fill("1.5")
    area.get_by_role("button", name="Reset Speed").locator("visible=true").click()
    expect(area.get_by_role("slider", name="Speed").locator("visible=true")).to_have_value("1")
    filled.get_by_role("button", name="New sample").click()
    upload = area.get_by_role(
        "button", name="Audio or video: Drop File Here - or - Click to Upload"
    )
    expect(upload.locator("visible=true")).to_have_count(1)


def test_escape_takes_a_question_back(filled: Page) -> None:
    screen = StudioPage(filled)
    screen.open_tab("Voice Clone")
    screen.button("Delete sample").click()
    screen.button("Delete").focus()
    filled.keyboard.press("Escape")
    expect(screen.button("Delete")).to_have_count(0)
    expect(screen.button("Delete sample")).to_be_visible()


def test_control_and_enter_in_a_text_generate(filled: Page) -> None:
    screen = StudioPage(filled)
    for view, button, words in (
        ("Voice Clone", "Generate", "no text to speak"),
        ("Conversation", "Generate conversation", "nothing to speak"),
    ):
        screen.open_tab(view)
        # Until the view's first answer the button is disabled, for the keyboard too.
        expect(screen.button(button)).to_be_enabled()
        text = filled.locator(".studio-text textarea").locator("visible=true")
        text.fill(" ")
        text.press("Control+Enter")
        expect(screen.message(words)).to_be_visible()
        filled.get_by_role("button", name="Close").first.click()
    screen.open_tab("Voice Presets")
    expect(screen.button("Generate")).to_be_enabled()
    text = filled.get_by_label("Text to speak").locator("visible=true")
    text.press_sequentially("Typed and sent at once. " * 3)
    text.press("Control+Enter")
    expect(screen.job("Typed and sent at once. Typed")).to_be_visible()
    expect(text).to_be_focused()
    screen.button("Cancel").click()
    expect(screen.job("Typed and sent")).to_contain_text("Cancelled")


def test_axe_finds_nothing_serious_where_there_is_everything(filled: Page, tmp_path: Path) -> None:
    filled.evaluate(AXE_SCRIPT)
    filled.add_style_tag(content=NOT_IN_SIGHT)
    screen, found = StudioPage(filled), {}
    for view in VIEWS:
        screen.open_tab(view)
        open_all(filled)
        if view == "Voice Clone":
            screen.write("  ")
            screen.button("Generate").click()
            expect(screen.message("no text to speak")).to_be_visible()
            screen.menu("Engine").click()
            expect(filled.get_by_role("listbox")).to_have_count(1)
        if view == "Transcribe":
            (tmp_path / "notes.wav").write_text("This is no recording at all.")
            screen.upload(tmp_path / "notes.wav")
            screen.button("Transcribe").click()
            refused = filled.locator(".studio-field-error").locator("visible=true")
            expect(refused).to_contain_text("notes.wav")
        found |= serious(filled, f"{view}, dark", {"rules": EVERYTHING})
    screen.button("Light / dark").click()
    for view in VIEWS:
        screen.open_tab(view)
        found |= serious(filled, f"{view}, light", COLOURS)
    assert found == {}, json.dumps(found, indent=1)


def test_no_view_ever_called_missing_what_is_there(filled: Page) -> None:
    screen = StudioPage(filled)
    for view in VIEWS:  # where the tests above have not been
        screen.open_tab(view)
        expect(filled.get_by_text("Loading…").locator("visible=true")).to_have_count(0)
    said = set(filled.evaluate("missing"))
    # It has something of everything but this.
    assert {words for words in said if not words.startswith("No benchmark yet.")} == set()


def test_axe_finds_nothing_serious_where_there_is_nothing(empty: Page) -> None:
    empty.evaluate(AXE_SCRIPT)
    empty.add_style_tag(content=NOT_IN_SIGHT)
    screen, found = StudioPage(empty), {}
    for view in VIEWS:
        screen.open_tab(view)
        found |= serious(empty, f"{view}, light", {"rules": EVERYTHING})
    screen.button("Light / dark").click()
    for view in VIEWS:
        screen.open_tab(view)
        found |= serious(empty, f"{view}, dark", COLOURS)
    assert found == {}, json.dumps(found, indent=1)


def open_all(page: Page) -> None:
    """Opens the first row of each list and every accordion on show."""
    rows = page.locator("tr[data-id]").locator("visible=true")
    if rows.count():
        rows.first.click()
    closed = page.locator("button.label-wrap[aria-expanded=false]").locator("visible=true")
    while closed.count():
        closed.first.click()
    expect(page.get_by_text("Loading…").locator("visible=true")).to_have_count(0)


# For axe, what lies under a button that stays in sight has the colour of the button behind it.
NOT_IN_SIGHT = ".studio-go { position: static !important; }"


def serious(page: Page, where: str, options: dict[str, Any]) -> dict[str, str]:
    """What axe finds that is serious or critical: the element, and what is wrong with it."""
    found = run_axe(page, where, options)
    if found:  # something may have been fading in
        page.wait_for_timeout(SETTLED_MS)
        found = run_axe(page, where, options)
    return found


def run_axe(page: Page, where: str, options: dict[str, Any]) -> dict[str, str]:
    result = page.evaluate(
        "([where, options]) => axe.run(where, options)",
        [ON_SHOW, {"resultTypes": ["violations"], **options}],
    )
    return {
        f"{where}: {' '.join(map(str, node['target']))}": f"{rule['id']}: {node['failureSummary']}"
        for rule in result["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    }
