"""The panel of a matched voice shows what refines that voice, and no other."""

from __future__ import annotations

import pytest

from modules.core_components.settings import change
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.tools.voices.refinement import find_refinement, submit_refinement
from tests.helpers.fakes import MATCH, add_match, add_noise
from tests.ui.page_client import opened

WAIT_S = 20.0


def test_only_the_refinement_of_the_chosen_voice_is_shown(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.ui.tabs.voice_clone.tab.is_matched", lambda prompt: True)
    engine = add_match(services)
    engine.may_refine.clear()
    services.settings = change(services.settings, refine_voices=False, tts_model=MATCH)
    for name in ("Anna", "Ben"):
        speak(services, SpeechRequest("Good morning.", add_noise(services, name).name))
    job = submit_refinement(services, MATCH, services.samples.voice("Anna"))
    assert job is not None
    with opened(services, "Voice Clone") as page:
        page.reload()
        page.fill("Engine", MATCH)
        page.fill("Sample", "Anna")
        assert "Refine the voice of Anna" in page.text
        page.fill("Sample", "Ben")
        assert "<dl" in page.text, "the figures of the other voice"
        assert "Refine the voice of" not in page.text
        submit_refinement(services, MATCH, services.samples.voice("Ben"))
        page.fill("Sample", "Anna")
        assert "Refine the voice of Anna" in page.text
        page.fill("Sample", "Ben")
        assert "Refine the voice of Ben" in page.text
        assert "Waiting: 1 ahead of you." in page.text
        page.fill("Sample", "Anna")
        assert "Refine the voice of Anna" in page.text
        engine.may_refine.set()
        for name in ("Anna", "Ben"):
            queued = find_refinement(services, MATCH, name)
            assert queued is not None
            services.jobs.wait(queued.id, WAIT_S)
        page.tick()
        assert "Refine the voice of" not in page.text
        assert page.errors == []
