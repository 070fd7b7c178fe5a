"""The page as its user sees it: tabs, labels and buttons, never ids or classes."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

# Two slow cores, shared with other work.
SOON_MS = 60_000
SETTLED_MS = 500
# A form that is opened; far more than it takes on a busy machine.
OPENING_FORM_MS = 10_000
SPEAKING_MS = 300_000


class StudioPage:
    """What one does on the page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(SOON_MS)
        expect.set_options(timeout=SOON_MS)

    def open_tab(self, name: str) -> None:
        expect(self.text("Light / dark")).to_be_visible()
        link = self.page.get_by_role("link", name=name, exact=True)
        # A narrow window has the last views in a menu.
        more = self.page.get_by_role("button", name="More", exact=True).locator("visible=true")
        expect(link.locator("visible=true").or_(more).first).to_be_visible()
        if not link.is_visible():
            more.click()
        link.click()
        # Before the page has given back what was typed, it shows no other view.
        expect(self.page).to_have_title(re.compile(f"^{name} · "))
        self.wait_for_view()

    def wait_for_view(self) -> None:
        """Until its first answers a view takes neither the focus nor clicks."""
        expect(self.page.locator("#views:not([inert])")).to_be_attached()

    def upload(self, recording: Path) -> None:
        """Drops a recording on the Transcribe tab and waits until it has arrived."""
        self.pick_file(recording)
        expect(self.page.get_by_role("link", name=re.compile(r"B ⇣$"))).to_be_visible()

    def pick_file(self, file: Path) -> None:
        """Picks a file in the first upload area on show.

        As a user does, by the dialog: the hidden inputs of other tabs, and of an accordion that is
        still opening, take files too.
        """
        area = self.page.get_by_role("button", name=re.compile("Click to Upload$"))
        with self.page.expect_file_chooser() as dialog:
            area.locator("visible=true").first.click()
        dialog.value.set_files(file)

    def fill_when_shown(self, label: str, text: str) -> None:
        """Types into a box that has just come into view.

        Gradio puts the value that it had for the box there once more, some time after it is shown;
        nobody types that fast.
        """
        box = self.page.get_by_label(label).locator("visible=true")
        for _ in range(SOON_MS // SETTLED_MS):
            box.fill(text)
            self.page.wait_for_timeout(SETTLED_MS)
            if box.input_value() == text:
                return

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True).locator("visible=true")

    def choose(self, label: str, option: str) -> None:
        """Picks from a menu."""
        menu = self.menu(label)
        menu.click()
        # The list of another menu may still be closing.
        own = self.page.locator(f"[id^='{menu.get_attribute('aria-controls')}-']")
        self.page.get_by_role("option", name=option, exact=True).and_(own).click()

    def menu(self, label: str) -> Locator:
        return self.page.get_by_role("combobox", name=label).locator("visible=true").first

    def use_stock_voice(self) -> None:
        self.page.get_by_label("Stock voice", exact=True).first.check()
        expect(self.text("Voices that come with the model, and your own.")).to_be_visible()

    def write(self, text: str) -> None:
        self.page.get_by_label("Text to speak").locator("visible=true").fill(text)

    def set_seed(self, seed: int) -> None:
        self.page.get_by_role("button", name="Options").locator("visible=true").click()
        self.page.get_by_label("Seed").locator("visible=true").fill(str(seed))

    def speak(self, text: str) -> None:
        """Generates and waits for the take."""
        self.write(text)
        self.button("Generate").click()
        self.wait_for_take()

    def wait_for_take(self) -> None:
        expect(self.button("Cancel")).to_have_count(0, timeout=SPEAKING_MS)
        expect(self.text("Understood by Whisper")).to_be_visible(timeout=SPEAKING_MS)

    def add_sample(self, recording: Path, name: str, speaker: str, agreed: bool = True) -> None:
        self.wait_for_view()  # it opens the form where there is no sample
        form = self.page.get_by_label("Speaker (optional)").locator("visible=true")
        if not form.is_visible():
            self._open_form(form)
        self.pick_file(recording)
        self.page.get_by_label("Name (optional)").locator("visible=true").fill(name)
        self.page.get_by_label("Speaker (optional)").locator("visible=true").fill(speaker)
        self.page.get_by_label("This is my own voice", exact=False).set_checked(agreed)
        expect(self.button("Clear").first).to_be_visible()  # it has arrived
        self.button("Add sample").click()

    def _open_form(self, form: Locator) -> None:
        """Presses "New sample" until the form is there; the page may be opening it just then."""
        for _ in range(3):
            self.page.get_by_role("button", name="New sample").first.click()
            try:
                expect(form).to_be_visible(timeout=OPENING_FORM_MS)
            except AssertionError:
                continue
            return

    def message(self, words: str) -> Locator:
        """A message in the corner of the page."""
        return self.page.get_by_test_id("toast-body").filter(has_text=re.compile(words))

    def text(self, words: str | re.Pattern[str]) -> Locator:
        """Words that can be seen now, on whatever tab they stand."""
        return self.page.get_by_text(words).locator("visible=true").first

    def job(self, title: str) -> Locator:
        """The card of the job that is followed, if its title has these words."""
        return self.page.locator(".studio-job", has_text=title).locator("visible=true")

    def rows(self) -> Locator:
        """The rows of the list on show."""
        return self.page.locator("tr[data-id]").locator("visible=true")
