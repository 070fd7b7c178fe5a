"""What the Models tab says of loading one model, and the options of how it is loaded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modules.tools.models import library
from modules.tools.services import Services
from tests.helpers.fakes import LARGE_TONE, SINE, SMALL_TONE, add_tones
from tests.ui.page_client import Page, opened


@pytest.fixture
def tab(services: Services) -> Iterator[Page]:
    add_tones(services, {"cpu": 1000})
    services.tts.configure(services.settings)
    with opened(services, "Models") as page:
        yield page


def test_it_says_what_is_unloaded(tab: Page, services: Services) -> None:
    tab.choose_row(LARGE_TONE)
    assert "0.65 GiB on cpu, which are free" in tab.text
    library.load(services, LARGE_TONE)
    tab.choose_row(LARGE_TONE)
    assert "tone-large is in memory" in tab.text
    tab.choose_row(SMALL_TONE)
    assert "tone-large (0.65 GiB, used just now) leaves" in tab.text


def test_what_can_never_fit_is_said_in_red(tab: Page, services: Services) -> None:
    services.tts.pool.configure({"cpu": 500_000_000})
    tab.choose_row(LARGE_TONE)
    assert "studio-job bad" in tab.text
    assert "takes 0.65 GiB, but models may only use 0.47 GiB on cpu" in tab.text


def test_options_are_those_of_the_engine(tab: Page) -> None:
    tab.choose_row(SMALL_TONE)
    assert (tab.value("Device"), tab.value("Precision")) == ("", "")
    assert tab.labels("checkbox") == ["Keep in memory when idle", "Load at the start"]
    assert not tab.value("Keep in memory when idle")
    assert "Attention" not in tab.labels("dropdown")
    tab.choose_row(SINE)  # it has no weights
    assert "studio-job" not in tab.text
    assert "Device" not in tab.labels("textbox")


def test_what_is_chosen_is_kept(tab: Page, services: Services) -> None:
    tab.choose_row(SMALL_TONE)
    tab.fill("Device", " cpu ")
    tab.fill("Precision", "float32")
    tab.fill("Keep in memory when idle", True)
    tab.click("Save")
    assert (tab.value("Device"), tab.value("Precision")) == ("cpu", "float32")
    assert services.settings.of_model(SMALL_TONE).chosen() == {
        "device": "cpu",
        "precision": "float32",
        "keep_loaded": True,
    }
    tab.fill("Device", "cuda:9")
    tab.click("Save")
    assert "cuda:9" in tab.errors.pop()
