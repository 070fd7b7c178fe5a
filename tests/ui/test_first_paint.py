"""What a page shows before the server has answered anything."""

from __future__ import annotations

import json
import re

import gradio as gr
from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.tools.voices.preset_voices import preset_voices
from modules.ui.server import create_app
from modules.ui.tabs.voice_clone.first_steps import HIDE_DRAWN
from modules.ui.tabs.voice_presets.voices import VoiceList
from modules.ui.widgets.parts import LOADING
from tests.helpers.fakes import SINE, add_noise
from tests.ui.page_client import HERE, Page

BROWSER = {"Accept": "text/html,application/xhtml+xml", "Accept-Encoding": "gzip, br"}
NOTHING_THERE = re.compile(
    r"\b(No|None|Not|Nothing)\b.* yet\b|\bNone\b|\b[Nn]o [a-z]+ (is|are)\b|^Create a dataset"
)


def test_nothing_is_said_to_be_missing_before_the_first_answer(services: Services) -> None:
    add_noise(services)  # there is something, which the page cannot know when it is built
    with TestClient(create_app(services), base_url=HERE) as client:
        components = client.get("/config").json()["components"]
    shown = {
        str(text)
        for component in components
        for text in (
            component["props"].get("value"),
            *(label for label, _ in component["props"].get("choices") or ()),
        )
        if isinstance(text, str)
    }
    assert LOADING in shown
    assert [text for text in shown if NOTHING_THERE.search(text)] == []


def test_no_answer_calls_missing_what_another_answer_brings(services: Services) -> None:
    """The answers of an opened tab come in any order: here the voices before the models."""
    with gr.Blocks():
        voices = VoiceList(services)
    assert LOADING in str(voices.show("", "", "")[2])
    assert preset_voices(services, services.tts.get(SINE))[0].name in str(
        voices.show(SINE, "", "")[2]
    )
    sample = add_noise(services)
    with TestClient(create_app(services), base_url=HERE) as client:
        page = Page(client, "Voice Clone")
        assert f"Voice: {sample.name}" in page.text
        assert "No voice is chosen" not in page.text


def test_the_chosen_shade_is_applied_in_the_head_before_gradio(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        answer = client.get("/", headers={**BROWSER, "Accept-Encoding": "identity"})
    head, found, _ = answer.text.partition('type="module"')
    assert found
    assert head.index("studio-shade") < head.index("gradio_config")
    assert int(answer.headers["content-length"]) == len(answer.content)
    # What the page is made of is as whole as before.
    config = answer.text.partition("window.gradio_config = ")[2].partition(";</script>")[0]
    assert json.loads(config)["components"]


def test_what_is_no_page_is_left_as_it_is(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        config = client.get("/config", headers=BROWSER)
        theme = client.get("/theme.css", headers=BROWSER)
        assert client.head("/", headers=BROWSER).status_code == 200
    assert config.json()["components"]
    assert "readystatechange" not in theme.text + config.text


def test_the_page_is_sent_compressed_to_browsers_that_take_it(services: Services) -> None:
    with TestClient(create_app(services), base_url=HERE) as client:
        sizes = {}
        for encoding in ("gzip, br", "identity"):
            asked = {"accept": "text/html", "accept-encoding": encoding}
            with client.stream("GET", "/", headers=asked) as answer:
                sizes[encoding] = int(answer.headers["content-length"])
                assert answer.headers.get("content-encoding") == (
                    "gzip" if "gzip" in encoding else None
                )
                assert b"gradio_config" in answer.read()
    assert sizes["gzip, br"] < sizes["identity"] / 5


def test_the_first_steps_are_drawn_with_the_page_and_hidden_once_something_was_made(
    services: Services,
) -> None:
    """Cards that come with an answer push everything else down."""
    with TestClient(create_app(services), base_url=HERE) as client:
        first = client.get("/", headers={**BROWSER, "Accept-Encoding": "identity"}).text
        add_noise(services)
        later = client.get("/", headers={**BROWSER, "Accept-Encoding": "identity"}).text
    assert "Hear it now" in first
    assert HIDE_DRAWN not in first
    assert HIDE_DRAWN in later.partition("gradio_config")[0]
