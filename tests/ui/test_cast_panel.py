"""Who is proposed which voice, and what becomes of a choice."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest

from modules.core_components.library.conversations import CastMember
from modules.tools.cast import CastVoice
from modules.tools.services import Services
from modules.ui.cast_panel import MOST_SPEAKERS, CastPanel
from tests.fakes import SINE, add_noise


@pytest.fixture
def cast_panel(services: Services) -> Iterator[CastPanel]:
    add_noise(services, "Ben")
    with gr.Blocks():
        yield CastPanel(services)


def test_speakers_are_proposed_voices_of_their_name_or_different_ones(
    cast_panel: CastPanel,
) -> None:
    cast, speakers, *_ = cast_panel.show("Anna: a\nBEN: b\nCleo: c", {})
    voices = cast_panel.read(speakers, cast)
    assert voices["BEN"] == CastVoice("Ben", SINE, "sample")
    assert {voices["Anna"].voice, voices["Cleo"].voice} == {"high", "low"}


def test_choices_outlive_a_speaker_who_is_gone_for_a_while(cast_panel: CastPanel) -> None:
    chosen = cast_panel.remembered(
        [CastMember("Anna", "low+high", "preset", SINE, "it", {"speed": 2.0})]
    )
    cast, speakers, *_ = cast_panel.show("Cleo: c", chosen)
    assert speakers == ["Cleo"]
    cast, speakers, *_ = cast_panel.show("anna: a", cast)
    voice = cast_panel.read(speakers, cast)["anna"]
    assert voice == CastVoice("low+high", SINE, "preset", "it", {"speed": 2.0})


def test_more_speakers_than_rows_are_named(cast_panel: CastPanel) -> None:
    script = "\n".join(f"Speaker {number}: a" for number in range(MOST_SPEAKERS + 1))
    shown = cast_panel.show(script, {})
    assert len(shown) == len(cast_panel.outputs)
    assert f"Speaker {MOST_SPEAKERS}" in shown[2]["value"]
    assert len(cast_panel.read(shown[1], shown[0])) == MOST_SPEAKERS + 1


def test_a_script_without_speakers_shows_nobody(cast_panel: CastPanel) -> None:
    shown = cast_panel.show("", {})
    assert len(shown) == len(cast_panel.outputs)
    assert shown[1] == []
