"""The Voice Design tab's own thoughts: a missing model, tries side by side, what is asked for."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr
import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.services import Services
from modules.tools.voices.design import DesignRequest, design_voice
from modules.ui.events import Studio
from modules.ui.tabs.voice_design.tab import MISSING, MOST_TRIES, VoiceDesignTab
from tests.helpers.fakes import SineEngine, SineOptions, fake_entry

DESIGNER = "designer-1"


class Designer(SineEngine):
    """Hums at a pitch of its own for every description."""

    model_id = DESIGNER
    label = "Designer"
    can_clone = False

    def voices(self) -> tuple[str, ...]:
        return ()

    def stream(
        self, text: str, voice: VoicePrompt | str, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        return self._spoken(text, 200.0 + len(str(voice)), options, cancel)


@pytest.fixture
def tab(services: Services) -> VoiceDesignTab:
    with gr.Blocks() as page, gr.Tabs(), gr.Tab("Voice Design") as tab:
        return VoiceDesignTab(Studio(services, page), tab)


def with_designer(services: Services) -> None:
    entry = fake_entry(DESIGNER, "text-to-speech", ("voice-design",))
    services.tts.register_engine(DESIGNER, lambda entry, context: Designer(), entry)


def test_without_the_model_the_tab_says_so(tab: VoiceDesignTab) -> None:
    missing, why, ready, *_ = tab._models(None, None)
    assert (missing["visible"], ready["visible"]) == (True, False)
    assert MISSING in why


def test_tries_stand_side_by_side_and_are_asked_for_with_seeds_in_a_row(
    services: Services, tab: VoiceDesignTab
) -> None:
    with_designer(services)
    assert tab._models(None, None)[2]["visible"]
    ids, empty, *_ = tab._show()
    assert (ids, empty["visible"]) == ([], True)
    how = [DESIGNER, "en-us", 5, *(component.value for component in tab._engine.inputs[3:])]
    tab._submit("a deep hum", "one two", 3, *how)
    for job in services.jobs.list():
        done = services.jobs.wait(job.id, 60.0)
        assert done.state == "done", done.error
    assert sorted(take.seed for take in services.takes.list()) == [5, 6, 7]
    for seed in range(MOST_TRIES):
        design_voice(services, DesignRequest("high", "one", DESIGNER, "en-us", seed))
    ids, empty, *_ = tab._show()
    assert len(ids) == MOST_TRIES
    assert not empty["visible"]
    with pytest.raises(BadInputError, match="no description"):
        tab._submit(" ", "one", 1, *how)
