"""Firing the page's events over HTTP, as its own script does."""

from __future__ import annotations

import json
from typing import Any

from fastapi.testclient import TestClient

HERE = "http://127.0.0.1:7860"


def fire(
    client: TestClient,
    event_id: int,
    data: list[Any],
    session: str = "test",
    event_data: Any = None,
) -> dict[str, Any]:
    """Runs an event through the queue; returns its last message, with `success` and `output`."""
    body = {
        "data": data,
        "fn_index": event_id,
        "session_hash": session,
        "event_data": event_data,
    }
    assert client.post("/gradio_api/queue/join", json=body).status_code == 200
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data: ")) if line else {}
            if message.get("msg") == "process_completed":
                return dict(message)
    raise AssertionError("the queue ended without an answer")


def open_page(client: TestClient) -> list[dict[str, Any]]:
    """Fires what the page fires when it is opened and each tab is chosen; returns the outcomes."""
    config = client.get("/config").json()
    tabs = {item["id"] for item in config["components"] if item["type"] == "tabitem"}
    values = {item["id"]: item["props"].get("value") for item in config["components"]}
    return [
        fire(client, event["id"], [values[number] for number in event["inputs"]])
        for event in config["dependencies"]
        if event["backend_fn"]
        and not event["types"]["generator"]  # it never ends
        and any(is_opening(*target, tabs) for target in event["targets"])
    ]


def is_opening(component: int, event: str, tabs: set[int]) -> bool:
    return event == "load" or (event == "select" and component in tabs)


def call(client: TestClient, name: str, data: list[Any]) -> dict[str, Any]:
    """Calls a public endpoint; returns what it answers."""
    config = client.get("/config").json()
    (event,) = (d for d in config["dependencies"] if d["api_name"] == name)
    outcome = fire(client, event["id"], data)
    assert outcome["success"], outcome
    answer: dict[str, Any] = outcome["output"]["data"][0]
    return answer
