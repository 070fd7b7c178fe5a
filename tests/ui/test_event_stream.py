"""The page's one stream of answers, read as its own script reads it, from a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from modules.tools.services import Services
from modules.ui import studio
from modules.ui.page import create_page
from tests.api.conftest import served
from tests.helpers.waiting import eventually

SESSION = "test"


def join(client: httpx.Client, event: dict[str, Any], *data: str | None) -> str:
    body = {"data": data, "fn_index": event["id"], "session_hash": SESSION}
    return str(client.post("/gradio_api/queue/join", json=body).json()["event_id"])


def answers(stream: httpx.Response) -> Iterator[dict[str, Any]]:
    """What ends an event or the stream."""
    for line in stream.iter_lines():
        message = json.loads(line.removeprefix("data: ")) if line else {}
        if message.get("msg") in ("process_completed", "close_stream"):
            yield message


def test_a_page_has_one_stream_until_it_is_closed(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studio, "HOLD_S", 0.05)
    app = create_page(services)
    mounted: Any = app.routes[-1]
    queue = mounted.app.get_blocks()._queue
    with served(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        events = client.get("/config").json()["dependencies"]
        hold = next(e for e in events if e["backend_fn"] and "load" in dict(e["targets"]).values())
        loaded = {e["id"] for e in events if "load" in dict(e["targets"]).values()}
        other = next(e for e in events if e["backend_fn"] and e["trigger_after"] in loaded)
        join(client, hold)
        path = f"/gradio_api/queue/data?session_hash={SESSION}"
        with client.stream("GET", path) as stream:
            answered = answers(stream)
            for _ in range(3):
                asked = join(client, other, "a page", *[None] * (len(other["inputs"]) - 1))
                assert next(answered).get("event_id") == asked
        eventually(lambda: not any(queue.active_jobs))
