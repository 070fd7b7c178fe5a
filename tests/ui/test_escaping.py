"""What users type is text on every tab, never HTML: one studio full of a hostile name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from modules.core_components.ai_models import reset_managers
from modules.core_components.library.training_events import EventWriter
from modules.core_components.values import Segment, Transcript
from modules.tools.conversation.cast import CastVoice
from modules.tools.conversation.conversation import (
    ConversationRequest,
    begin_conversation,
    speak_conversation,
)
from modules.tools.listening.transcripts import keep_transcript
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak, submit_speech
from modules.ui.render import TEMPLATES
from modules.ui.server import create_app
from tests.helpers.fakes import add_noise, fake_studio
from tests.ui.page_client import HERE, Page

EVIL = "<img src=x onerror=alert(1)>"


def fill(services: Services) -> None:
    """Samples, takes, transcripts, conversations, datasets, trainings and a failed job."""
    sample = add_noise(services, EVIL)
    speak(services, SpeechRequest(EVIL, sample.name, seed=1, score=False))
    segments = (Segment(EVIL, 0.0, 1.0, speaker=EVIL),)
    keep_transcript(services, Transcript(EVIL, "en", segments, 1.0, "echo-1"), "meeting")
    request = ConversationRequest(
        f"Anna: {EVIL}\nBen: Yes.",
        {"Anna": CastVoice("high"), "Ben": CastVoice("low")},
        title=EVIL,
        seed=1,
    )
    speak_conversation(services, begin_conversation(services, request).id)
    services.datasets.create("Anna", "en", EVIL, True)
    run = services.training_runs.create("first", "Anna", "xtts-v2.0.3", "en", {"epochs": 2}, [])
    log = EventWriter(run.files.progress)
    log.write("start", step=0, epochs=2, steps_per_epoch=4, steps_total=8, clips=8, resumed=False)
    log.write("note", step=4, epoch=1, text=EVIL, hint="")
    failed = submit_speech(services, SpeechRequest("one", EVIL[:-1], "preset", seed=1, score=False))
    assert services.jobs.wait(failed.id, 20.0).state == "failed"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("evil")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        patch.setenv("GRADIO_TEMP_DIR", str(root / "page"))
        services, _ = fake_studio(root)
        fill(services)
        with TestClient(create_app(services), base_url=HERE) as client:
            yield client
        services.close()
        reset_managers()


@pytest.mark.parametrize(
    "tab", ["Voice Clone", "Conversation", "Transcribe", "Train XTTS", "History"]
)
def test_a_hostile_name_is_shown_as_it_was_typed(client: TestClient, tab: str) -> None:
    page = Page(client, tab)
    page.reload()
    for key in re.findall(r'<tr data-id="([^"]+)"', page.text):
        page.choose_row(key)
    assert "&lt;img src=x onerror=alert(1)" in page.text
    assert "<img" not in page.text
    assert page.errors == []


@pytest.mark.parametrize("template", sorted(path.name for path in TEMPLATES.glob("*.html")))
def test_no_template_lets_a_value_out_of_its_place(template: str) -> None:
    source = (TEMPLATES / template).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe|autoescape", source)
    assert not re.search(r"[\w-]=\s*\{\{", source), "a value in an attribute without quotes"
    assert "<script" not in source
    assert not re.search(r"\son\w+=", source)
