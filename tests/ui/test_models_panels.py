"""What the Models tab says of voice prompts and of the last benchmark, and of a fallback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modules.tools.models.benchmark import BenchmarkRequest, run_benchmark
from modules.tools.services import Services
from modules.ui.tabs.models.panels import NO_BENCHMARK, NO_PREPARED_VOICES
from tests.helpers.fakes import SINE, SineEngine, add_noise
from tests.ui.page_client import Page, opened


@pytest.fixture
def tab(services: Services) -> Iterator[Page]:
    with opened(services, "Models") as page:
        yield page


def test_voice_prompts_by_model_stale_ones_marked(services: Services, tab: Page) -> None:
    assert NO_PREPARED_VOICES in tab.text
    sample = add_noise(services)
    services.tts.prepare_voice(SINE, sample)
    tab.open_tab()
    assert "no longer used" not in tab.text
    engine = services.tts.get(SINE)
    assert isinstance(engine, SineEngine)
    engine.model_revision = "r2"
    tab.open_tab()
    assert tab.text.count("no longer used") == 1
    services.tts.prepare_voice(SINE, sample)
    tab.open_tab()
    assert "All: 2 voices" in tab.text
    tab.click("Delete voice prompts")
    tab.click("Delete")
    assert NO_PREPARED_VOICES in tab.text


def test_the_last_benchmark_is_shown(services: Services, tab: Page) -> None:
    assert NO_BENCHMARK in tab.text
    run_benchmark(services, BenchmarkRequest((SINE,)))
    tab.open_tab()
    assert f"<td>{SINE}</td>" in tab.text
    assert "stopped before the end" not in tab.text


def test_the_page_says_that_the_default_model_is_replaced(services: Services) -> None:
    with opened(services, "Voice Presets") as page:
        assert "is used instead" not in page.text
        services.overrides = {**services.overrides, "tts_model": "kokoro-v0.19"}
        services.change_settings({"fallback_tts_model": SINE})
        page.fill("Engine", "gone")
        page.open_tab()
        assert page.value("Engine") == SINE
        assert "Kokoro 82M v0.19 is not installed" in page.text
        assert "sine-1 is used instead" in page.text
