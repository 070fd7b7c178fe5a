"""The mixer on the Voice Presets tab: from sliders to a mix, shown or refused."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modules.ui.tabs.voice_presets.voice_mixer import MOST_VOICES
from tests.ui.conftest import Fake
from tests.ui.page_client import Page, opened


@pytest.fixture
def tab(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The tab with the mixer chosen, of an engine whose voices can be mixed."""
    services, engine = fake
    monkeypatch.setattr(engine, "preset_prompt", lambda voice: voice, raising=False)
    with opened(services, "Voice Presets") as page:
        page.fill("Kind of voice", "mix")
        yield page


def mix(page: Page, *parts: tuple[str, float]) -> None:
    for number, (voice, weight) in enumerate(parts, start=1):
        page.fill(f"Voice {number}", voice)
        page.fill(f"Weight {number}", weight)


def test_sliders_make_a_mix_and_say_its_shares(tab: Page) -> None:
    assert "Choose the voices to mix." in tab.text
    mix(tab, ("high", 3.0), ("low", -1.0))
    assert "<code>high(3)-low(1)</code>" in tab.text
    assert "high 150%, low -50%" in tab.text


def test_a_mix_that_cannot_be_spoken_says_why(tab: Page) -> None:
    tab.click("Play mix")
    assert "The mix has no voice yet." in tab.errors.pop()
    mix(tab, ("high", 1.0), ("low", -1.0))
    assert "studio-job warn" in tab.text
    assert "must weigh more" in tab.text
    tab.click("Play mix")
    assert "must weigh more" in tab.errors.pop()
    mix(tab, ("<b>", 1.0))
    assert "<code>&lt;b&gt;" in tab.text


def test_rows_appear_one_by_one_up_to_five(tab: Page) -> None:
    rows = [label for label in tab.labels("dropdown") if label.startswith("Voice ")]
    assert rows == ["Voice 1", "Voice 2"]
    for number in range(len(rows), MOST_VOICES):
        tab.click("Add a voice")
        assert f"Voice {number + 1}" in tab.labels("dropdown")
    assert "Add a voice" not in tab.labels("button")
