"""Previews: spoken once for what they are made of, and not more of them than are useful."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.tools.services import Services
from modules.tools.voices import previews
from modules.tools.voices.previews import find_preview, make_preview, submit_preview
from tests.helpers.fakes import SINE


def test_a_preview_is_made_once_and_found_after_that(services: Services) -> None:
    assert find_preview(services, SINE, "high", "it") is None
    made = make_preview(services, SINE, "high", "it")
    assert read_speech(made).duration_s > 1
    assert find_preview(services, SINE, "high", "it") == made
    assert find_preview(services, SINE, "low", "it") is None
    assert find_preview(services, SINE, "high", "en-us") is None
    assert make_preview(services, SINE, "high") == make_preview(services, SINE, "high", "en-us")


def test_a_job_makes_it_in_a_lane_of_its_own(services: Services) -> None:
    job = submit_preview(services, SINE, "high", "it")
    done = services.jobs.wait(job.id, 20.0)
    assert done.state == "done", done.error
    assert done.result is not None
    assert find_preview(services, SINE, "high", "it") == Path(done.result["file"])


def test_a_voice_that_is_not_there_fails_in_words(services: Services) -> None:
    with pytest.raises(BadInputError, match="no voice"):
        make_preview(services, SINE, "nobody")
    assert not list(services.previews_folder.glob("*"))


def test_the_oldest_are_forgotten(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "KEPT_PREVIEWS", 2)
    for voice, language in (("high", "it"), ("low", "it"), ("high", "en-us")):
        make_preview(services, SINE, voice, language)
    assert find_preview(services, SINE, "high", "it") is None
    assert find_preview(services, SINE, "low", "it") is not None
