"""GET /dev/queue, and the ids by which requests are found in it."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from modules.api import streaming as api_context
from tests.api.test_leaving import BODY
from tests.helpers.fakes import SineEngine
from tests.helpers.waiting import eventually

HEADER = "X-Request-Id"


def test_an_empty_queue(client: TestClient) -> None:
    queue = client.get("/dev/queue").json()
    expected: dict[str, Any] = {"working": 0, "waiting": 0, "requests": []}
    assert queue == {**expected, "at_once": api_context.AT_ONCE, "limit": 1}
    missing = client.get("/dev/queue/mine")
    assert missing.status_code == 404
    assert missing.json()["error"]["param"] == "request_id"


def test_every_answer_names_its_request(client: TestClient) -> None:
    given = {HEADER: "mine-1.a_B"}
    for answer in (
        client.post("/v1/audio/speech", json=BODY, headers=given),
        client.post("/v1/audio/speech", json={}, headers=given),
        client.get("/dev/queue", headers=given),
        client.get("/v1/nothing", headers=given),
    ):
        assert answer.headers[HEADER] == "mine-1.a_B"
    drawn = {client.post("/v1/audio/speech", json=BODY).headers[HEADER] for _ in range(3)}
    assert len(drawn) == 3


@pytest.mark.parametrize("bad", ["", "a b", "a" * 65, "../x", "é", '"', "a\tb"])
def test_an_id_that_is_none_is_refused(client: TestClient, bad: str) -> None:
    answer = client.post("/v1/audio/speech", json=BODY, headers={HEADER: bad.encode("latin-1")})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == HEADER


def test_a_request_can_ask_for_its_place(address: str, engine: SineEngine) -> None:
    engine.may_speak.clear()
    names = [f"client-{number}" for number in range(api_context.AT_ONCE + 1)]
    answers: dict[str, int] = {}

    def ask(name: str) -> None:
        answer = httpx.post(
            f"{address}/v1/audio/speech", json=BODY, headers={HEADER: name}, timeout=30
        )
        answers[name] = answer.status_code

    def queue() -> Any:
        return httpx.get(f"{address}/dev/queue").json()

    clients = [threading.Thread(target=ask, args=(name,)) for name in names]
    for number, thread in enumerate(clients):
        thread.start()
        eventually(lambda so_far=number + 1: len(queue()["requests"]) == so_far)
    assert queue()["requests"] == [
        *({"id": name, "state": "working", "place": 0} for name in names[:-1]),
        {"id": names[-1], "state": "waiting", "place": 1},
    ]
    last = httpx.get(f"{address}/dev/queue/{names[-1]}").json()
    assert last == {"id": names[-1], "state": "waiting", "place": 1}
    same = httpx.post(f"{address}/v1/audio/speech", json=BODY, headers={HEADER: names[0]})
    assert same.status_code == 409
    assert same.json()["error"]["code"] == "request_id_taken"
    engine.may_speak.set()
    for thread in clients:
        thread.join(20)
    assert answers == dict.fromkeys(names, 200)
    eventually(lambda: httpx.get(f"{address}/dev/queue/{names[-1]}").status_code == 404)
