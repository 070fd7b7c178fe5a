"""Other machines on the Models tab: added, asked again, removed, and never the key."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.ui.server import create_app
from tests.api.conftest import served
from tests.ui.page_client import HERE, Page, opened


@pytest.fixture
def tab(services: Services) -> Iterator[Page]:
    with opened(services, "Models") as page:
        yield page


def assert_said_where_it_is_used(services: Services) -> None:
    """The page says what is sent, where a model of another machine is chosen, and only then."""
    for view, menu, model in (
        ("Transcribe", "Model", "remote:big-pc/whisper-1"),
        ("Voice Clone", "Engine", "remote:big-pc/omnivoice"),
    ):
        with opened(services, view) as page:
            assert "Sent to big-pc" not in page.text
            page.fill(menu, model)
            page.open_tab()
            assert "Sent to big-pc (127.0.0.1:" in page.text, view


def test_a_machine_is_added_asked_again_and_removed(services: Services, tab: Page) -> None:
    models = [{"id": "kokoro"}]
    app = FastAPI()
    app.add_api_route("/v1/models", lambda: {"data": models})
    app.add_api_route("/v1/audio/voices", lambda: {"voices": ["<b>af_heart</b>"]})
    with served(app) as address:
        tab.fill("Name for it", "big-pc")
        tab.fill("Its address", address)
        tab.fill("Its key", "a-secret-key")
        tab.click("Add this machine")
        assert not tab.errors
        assert "kokoro on big-pc" in tab.text
        assert "Sent to big-pc (127.0.0.1:" in tab.text
        assert "another machine</span>" in tab.text
        assert "a-secret-key" not in tab.text
        assert tab.value("Its key") == ""
        # Its voices are in the grid of Voices; a key with a slash in it is found.
        key = quote("stock:remote:big-pc/kokoro:<b>af_heart</b>", safe="")
        with TestClient(create_app(services), base_url=HERE) as client:
            assert client.get(f"/voices/{key}/sound").status_code == 409  # it has no speech
        models.extend([{"id": "whisper-1"}, {"id": "omnivoice", "owned_by": "vllm"}])
        tab.click("Ask again what it has")
        assert "whisper-1 on big-pc" in tab.text
        assert_said_where_it_is_used(services)
    tab.fill("Name for it", "gone")
    tab.fill("Its address", "http://127.0.0.1:9")
    tab.click("Add this machine")
    assert "gone cannot be reached" in tab.errors[-1]
    tab.click("Remove big-pc")
    assert "kokoro on big-pc" not in tab.text
    assert not services.settings.remotes
