"""What the Models tab says of prepared voices and of the last benchmark, and of a fallback."""

from __future__ import annotations

import gradio as gr
import pytest

from modules.tools.models.benchmark import BenchmarkRequest, run_benchmark
from modules.tools.models.ready_models import has_stock_voices
from modules.tools.services import Services
from modules.ui.events import Studio
from modules.ui.tabs.models.panels import NO_PREPARED_VOICES, BenchmarkPanel, PromptCachePanel
from modules.ui.widgets.engine_panel import EnginePanel
from modules.ui.widgets.jobs_view import JobsView
from tests.helpers.fakes import SINE, SineEngine, add_noise


@pytest.fixture
def panels(services: Services) -> tuple[PromptCachePanel, BenchmarkPanel]:
    with gr.Blocks() as page, gr.Tabs(), gr.Tab("Models") as tab:
        studio = Studio(services, page)
        jobs = JobsView(services, ())
        return PromptCachePanel(studio, tab), BenchmarkPanel(studio, tab, jobs)


def test_prepared_voices_by_model_stale_ones_marked(
    services: Services, panels: tuple[PromptCachePanel, BenchmarkPanel]
) -> None:
    prepared, _ = panels
    assert NO_PREPARED_VOICES in prepared._show()
    sample = add_noise(services)
    services.tts.prepare_voice(SINE, sample)
    assert "no longer used" not in prepared._show()
    engine = services.tts.get(SINE)
    assert isinstance(engine, SineEngine)
    engine.model_revision = "r2"
    assert prepared._show().count("no longer used") == 1
    services.tts.prepare_voice(SINE, sample)
    assert "All: 2 voices" in prepared._show()
    assert NO_PREPARED_VOICES in prepared._clear()


def test_the_last_benchmark_is_shown(
    services: Services, panels: tuple[PromptCachePanel, BenchmarkPanel]
) -> None:
    _, benchmark = panels
    assert "No benchmark yet" in benchmark._show()
    run_benchmark(services, BenchmarkRequest((SINE,)))
    assert f"<td>{SINE}</td>" in benchmark._show()
    assert "stopped before the end" not in benchmark._show()


def test_the_page_tells_that_the_usual_model_is_replaced(services: Services) -> None:
    with gr.Blocks():
        panel = EnginePanel(services)
    assert panel.show(has_stock_voices, None, None, is_cloning=False)[3] == ""
    services.overrides = {**services.overrides, "tts_model": "kokoro-v0.19"}
    services.change_settings({"fallback_tts_model": SINE})
    model_id, _, _, about, *_ = panel.show(has_stock_voices, None, None, is_cloning=False)
    assert model_id == SINE
    assert "Kokoro 82M v0.19 is not on this machine" in about
    assert "sine-1 is used instead" in about
