"""Who is proposed which voice, and what becomes of a choice."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest

from modules.core_components.library.conversations import CastMember
from modules.tools.conversation.cast import CastVoice
from modules.tools.services import Services
from modules.ui.tabs.conversation.cast_panel import (
    IN_ONE_GO,
    LINE_BY_LINE,
    MOST_SPEAKERS,
    CastPanel,
)
from tests.helpers.fakes import DUET, SINE, add_duet, add_noise


@pytest.fixture
def cast_panel(services: Services) -> Iterator[CastPanel]:
    add_noise(services, "Ben")
    with gr.Blocks():
        yield CastPanel(services)


def test_speakers_are_proposed_voices_of_their_name_or_different_ones(
    cast_panel: CastPanel,
) -> None:
    cast, speakers, *_ = cast_panel.show("Anna: a\nBEN: b\nCleo: c", {}, LINE_BY_LINE)
    voices = cast_panel.read(speakers, cast)
    assert voices["BEN"] == CastVoice("Ben", SINE, "sample")
    assert {voices["Anna"].voice, voices["Cleo"].voice} == {"high", "low"}


def test_choices_outlive_a_speaker_who_is_gone_for_a_while(cast_panel: CastPanel) -> None:
    chosen = cast_panel.remembered(
        [CastMember("Anna", "low+high", "preset", SINE, "it", {"speed": 2.0})]
    )
    cast, speakers, *_ = cast_panel.show("Cleo: c", chosen, LINE_BY_LINE)
    assert speakers == ["Cleo"]
    cast, speakers, *_ = cast_panel.show("anna: a", cast, LINE_BY_LINE)
    voice = cast_panel.read(speakers, cast)["anna"]
    assert voice == CastVoice("low+high", SINE, "preset", "it", {"speed": 2.0})


def test_more_speakers_than_rows_are_named(cast_panel: CastPanel) -> None:
    script = "\n".join(f"Speaker {number}: a" for number in range(MOST_SPEAKERS + 1))
    shown = cast_panel.show(script, {}, LINE_BY_LINE)
    assert len(shown) == len(cast_panel.outputs)
    assert f"Speaker {MOST_SPEAKERS}" in shown[2]["value"]
    assert len(cast_panel.read(shown[1], shown[0])) == MOST_SPEAKERS + 1


def test_a_script_without_speakers_shows_nobody(cast_panel: CastPanel) -> None:
    shown = cast_panel.show("", {}, LINE_BY_LINE)
    assert len(shown) == len(cast_panel.outputs)
    assert shown[1] == []


def test_in_one_go_all_have_one_engine_samples_and_the_same_options(
    services: Services, cast_panel: CastPanel
) -> None:
    shown = cast_panel.show("Anna: a\nBen: b", {}, IN_ONE_GO)
    assert "VibeVoice" in shown[2]["value"]
    add_duet(services)
    add_noise(services, "Cleo")
    chosen = cast_panel.remembered(
        [CastMember("Anna", "Cleo", "sample", DUET, "it", {"speed": 2.0})]
    )
    cast, speakers, *rest = cast_panel.show("Anna: a\nBen: b", chosen, IN_ONE_GO)
    assert cast_panel.read(speakers, cast) == {
        "Anna": CastVoice("Cleo", DUET, "sample", "it", {"speed": 2.0}),
        "Ben": CastVoice("Ben", DUET, "sample", "it", {"speed": 2.0}),
    }
    engines = rest[1 + 2 * MOST_SPEAKERS :][:2]
    assert [menu["visible"] for menu in engines] == [True, False]
    assert engines[0]["label"] == "Engine of all speakers"
