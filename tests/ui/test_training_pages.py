"""The Train XTTS tab without a browser: what it shows of runs, checks and judgements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
import pytest

from modules.core_components.ai_models.engines.xtts.preflight.data import RejectedRow
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import TrainingRow
from modules.core_components.library.evaluation import JudgedCheckpoint, JudgedTake, Judgement
from modules.core_components.library.training_events import EventWriter
from modules.core_components.library.training_runs import TrainingRun
from modules.tools.services import Services
from modules.tools.training.preflight import OK, STOP, Check, Preflight, TrainingRequest
from modules.ui.tabs.train_xtts.evaluation import TrainingJudge
from modules.ui.tabs.train_xtts.live import LiveTraining, loss_curves_html
from modules.ui.tabs.train_xtts.setup import TrainingSetup, preflight_html, rejected_html
from modules.ui.tabs.train_xtts.steps import Steps
from tests.ui.page_client import opened

ASKED = (TrainingRequest("Anna_v1", "Anna"), TrainingPlan(), "en")


@pytest.fixture
def run(services: Services) -> TrainingRun:
    """A training that was broken off after its first evaluation."""
    made = services.training_runs.create("first", "Anna", "xtts-v2.0.3", "en", {"epochs": 2}, [])
    diary = EventWriter(made.files.progress)
    diary.write("start", step=0, epochs=2, steps_per_epoch=4, steps_total=8, clips=8, resumed=False)
    for step in (1, 2, 3, 4):
        diary.write("step", step=step, epoch=1, loss=5.0 - step / 10, step_s=0.5, gpu_bytes=None)
    diary.write("eval", step=4, epoch=1, loss=4.75)
    diary.write("note", step=4, epoch=1, text="<b>careful</b>", hint="")
    return services.training_runs.get("first")


@pytest.fixture
def page() -> Iterator[gr.Blocks]:
    with gr.Blocks() as page:
        yield page


def visible(update: Any) -> bool:
    return bool(update["visible"])


def test_an_interrupted_run_is_shown_with_its_curves_and_can_be_resumed(
    services: Services, page: gr.Blocks, run: TrainingRun
) -> None:
    live = LiveTraining(services, gr.State(""), Steps())
    head, curves, log, stop, after, resume, more, _, onward, timer = live.show("first")
    assert "interrupted: its state is kept" in head
    assert "4 of 8" in head
    assert "<b>careful" not in head
    assert "latest evaluation loss 4.750" in curves
    assert "Nothing yet." in log
    assert [visible(button) for button in (stop, after, resume, more)] == [
        False,
        False,
        True,
        False,
    ]
    assert not onward["interactive"], "there is no checkpoint to listen to"
    assert not timer.active
    assert len(live.outputs) == len(live.show("first")) == len(live.show(""))


def test_a_run_that_is_done_can_be_trained_on(
    services: Services, page: gr.Blocks, run: TrainingRun
) -> None:
    EventWriter(run.files.progress).write("end", step=8, epoch=2, outcome="done", text="", hint="")
    *_, resume, more, _, _, _ = LiveTraining(services, gr.State(""), Steps()).show("first")
    assert (visible(resume), visible(more)) == (False, True)


def test_curves_leave_out_what_is_not_finite() -> None:
    assert loss_curves_html([(1, float("nan"))], [], 10) == ""
    svg = loss_curves_html([(1, 3.0), (2, float("inf")), (3, 2.0)], [(3, 2.5)], 10)
    assert svg.count("<circle") == 1
    assert "nan" not in svg
    assert "inf" not in svg


def test_long_curves_are_thinned() -> None:
    svg = loss_curves_html([(step, 1.0 + step % 7) for step in range(1, 5001)], [], 5000)
    (points,) = (part.split('"')[0] for part in svg.split('points="')[1:])
    assert 300 < len(points.split()) <= 400


def test_preflight_shows_what_stops_first_and_escapes_what_users_wrote() -> None:
    row = TrainingRow("a", "wavs/a.wav", "Hello.", "Anna", "train")
    rejected = RejectedRow("b", "<script>", "it has no text")
    checks = (Check("Rows", OK, "fine"), Check("Disk", STOP, "full", "Free some."))
    found = Preflight(*ASKED, checks, (rejected,), (row,), (), 2.0)
    shown = preflight_html(found)
    assert shown.index("Disk") < shown.index("Rows")
    assert "1 problem to fix" in shown
    assert "Free some." in shown
    assert "&lt;script&gt;" in rejected_html(found)
    assert "Ready: 1 rows" in preflight_html(Preflight(*ASKED, checks[:1], (), (row,), (), 2.0))


def test_a_preset_is_changed_and_the_users_own_value_stays(services: Services) -> None:
    with opened(services, "Train XTTS") as page:
        page.fill("Batch size", 2)
        assert "Batch size: 2 instead of 4" in page.text
        before = page.text
        page.fill("Preset", "careful")
        assert page.value("Batch size") == 2
        assert page.text != before
        assert "Batch size: 2 instead of 4" in page.text
        page.click("Run preflight")
        assert not page.errors
        assert "No dataset is chosen." in page.text


def test_the_first_step_leads_on_once_there_is_a_dataset(
    services: Services, page: gr.Blocks
) -> None:
    setup = TrainingSetup(services, Steps())
    assert not setup.refresh()[-1]["interactive"]
    services.datasets.create("Anna", "en", "Anna")
    assert setup.refresh()[-1]["interactive"]
    assert len(setup.refresh()) == len(setup.outputs)


def test_the_first_step_asks_for_a_name(services: Services) -> None:
    with opened(services, "Train XTTS") as page:
        page.click("Next")
        assert "The training has no name." in page.errors[-1]
        page.errors.clear()
        page.fill("Name of the training", "first")
        page.click("Next")
        assert not page.errors


def test_a_judgement_fills_table_menus_and_players(
    services: Services, page: gr.Blocks, run: TrainingRun
) -> None:
    judge = TrainingJudge(services, gr.State(""))
    assert "Not judged yet" in judge.show("first")[0]
    rows = []
    for checkpoint, likeness in (("base", 0.5), ("4", 0.7)):
        folder = run.folder / "judgement" / checkpoint
        folder.mkdir(parents=True)
        (folder / "s.wav").write_bytes(b"RIFF")
        take = JudgedTake(
            "s",
            "sentence",
            "<i>Hello</i>",
            f"judgement/{checkpoint}/s.wav",
            "hello",
            0.0,
            0.6,
            None,
        )
        rows.append(JudgedCheckpoint(checkpoint, 0.04, likeness, 0.86, None, None, (take,)))
    found = Judgement("first", tuple(rows), "4", "It is best.", 0.02, "whisper-base", 1, {})
    (run.folder / "judgement" / "judgement.json").write_text(json.dumps(asdict(found)))
    shown = judge.show("first")
    assert len(shown) == len(judge.outputs)
    verdict, table, _, text, first, second = shown[:6]
    assert "Step 4 is proposed." in verdict
    assert table.count("data-id") == 2
    assert "same speaker 0.86" in table
    assert text["choices"] == [("<i>Hello</i>", "s")]
    assert (first["value"], second["value"]) == ("base", "4")
    assert shown[7]["value"].endswith("base/s.wav")


def test_a_dataset_in_amharic_says_how_xtts_learns_it(services: Services, page: gr.Blocks) -> None:
    services.datasets.create("Almaz", "am", "Almaz")
    services.datasets.create("Anna", "en", "Anna")
    setup = TrainingSetup(services, Steps())
    assert "Long consonants are not written" in setup.refresh("Almaz")[1]
    assert "Amharic" not in setup.refresh("Anna")[1]
