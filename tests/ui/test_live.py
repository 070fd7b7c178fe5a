"""What the page hears of a job, over HTTP as its own script asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import read_take, submit_speech
from modules.ui.page import USER
from modules.ui.server import create_app
from tests.helpers.fakes import SINE
from tests.ui.conftest import Fake
from tests.ui.page_client import HERE

TEXT = "Three <b>bold</b> words."


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url=HERE) as client:
        yield client


def speak(services: Services, live: bool = True) -> str:
    request = SpeechRequest(TEXT, "high", "preset", SINE, seed=1, score=False)
    return submit_speech(services, request, live).id


def heard(client: TestClient, job_id: str) -> list[dict[str, Any]]:
    answer = client.get(f"/live/{job_id}")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_the_pieces_are_those_of_the_take(fake: Fake, client: TestClient) -> None:
    services, engine = fake
    engine.may_speak.clear()
    job_id = speak(services)
    assert engine.speaking.wait(20)
    engine.may_speak.set()
    text, *pieces, end = heard(client, job_id)
    assert (text, end) == ({"text": TEXT}, {"end": "done"})
    assert [piece["words"][0][0] for piece in pieces] == TEXT.split()
    result = services.jobs.wait(job_id, 20.0).result
    assert result is not None
    taken = read_take(services.takes.get(result["take"])).samples
    samples = np.concatenate(
        [np.frombuffer(base64.b64decode(piece["audio"]), "<i2") for piece in pieces]
    )
    np.testing.assert_allclose(samples / 32767, taken, atol=2 / 32767)


def test_a_cancelled_job_ends_at_once(fake: Fake, client: TestClient) -> None:
    services, engine = fake
    engine.may_speak.clear()
    first, second = speak(services), speak(services)
    services.jobs.cancel(second)  # never began
    assert heard(client, second)[-1] == {"end": "cancelled"}
    assert engine.speaking.wait(20)
    services.jobs.cancel(first)
    assert heard(client, first)[-1] == {"end": "cancelled"}


def test_a_job_that_is_not_played_ends_without_a_sound(
    services: Services, client: TestClient
) -> None:
    job_id = speak(services, live=False)
    services.jobs.wait(job_id, 20.0)
    assert services.live.find(job_id) is None
    assert heard(client, job_id) == [{"text": TEXT}, {"end": "done"}]


def test_nobody_else_hears_it(services: Services, client: TestClient) -> None:
    assert client.get("/live/nothing").status_code == 404
    job_id = speak(services)
    foreign = {"Origin": "http://evil.example"}
    assert client.get(f"/live/{job_id}", headers=foreign).status_code == 403
    assert client.get(f"/live/{job_id}", headers={"Host": "evil.example"}).status_code == 400


def test_a_password_guards_it(services: Services) -> None:
    app = create_app(services, password="correct horse")
    with TestClient(app, base_url=HERE) as client:
        job_id = speak(services)
        assert client.get(f"/live/{job_id}").status_code == 401
        login = {"username": USER, "password": "correct horse"}
        assert client.post("/login", data=login).status_code == 200
        assert client.get(f"/live/{job_id}").status_code == 200
