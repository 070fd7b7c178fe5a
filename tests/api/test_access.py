"""Key, Host, Origin and size: who and what is let in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from modules.api.app import create_api
from modules.tools.services import Services
from modules.ui.server import create_app
from tests.api.conftest import HERE

KEY = "sésame, open"
BODY = {"input": "one two", "voice": "high", "response_format": "pcm"}


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer wrong", "Bearer sésame, ope", "Basic sésame, open", "sésame, open"],
)
def test_without_the_key_nothing_is_answered(services: Services, given: str) -> None:
    with TestClient(create_api(services, KEY), base_url=HERE) as client:
        headers = {"authorization": given.encode()} if given else {}
        for method, path in (
            ("GET", "/v1/models"),
            ("POST", "/v1/audio/speech"),
            ("POST", "/v1/audio/transcriptions"),
            ("GET", "/v1/nothing"),
        ):
            answer = client.request(method, path, headers=headers)
            assert answer.status_code == 401, path
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.json()["error"]["type"] == "authentication_error"
        assert client.get("/health").status_code == 200


def test_with_the_key_the_api_answers(services: Services) -> None:
    with TestClient(create_api(services, KEY), base_url=HERE) as client:
        headers = {"authorization": f"Bearer {KEY}".encode()}
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.post("/v1/audio/speech", json=BODY, headers=headers).status_code == 200


def test_the_pages_password_closes_the_api_too(services: Services) -> None:
    with TestClient(create_app(services, password="secret"), base_url=HERE) as client:
        assert client.get("/v1/models").status_code == 401
        right = {"authorization": "Bearer secret"}
        assert client.get("/v1/models", headers=right).status_code == 200
        assert client.get("/config").status_code == 401


def test_a_key_of_its_own_takes_the_passwords_place(services: Services) -> None:
    app = create_app(services, password="secret", api_key="other")
    with TestClient(app, base_url=HERE) as client:
        for key, status in (("secret", 401), ("other", 200)):
            headers = {"authorization": f"Bearer {key}"}
            assert client.get("/v1/models", headers=headers).status_code == status


@pytest.fixture
def studio(services: Services) -> Iterator[TestClient]:
    """Page and API in one app, as the studio serves them."""
    with TestClient(create_app(services), base_url=HERE) as client:
        yield client


def test_page_and_api_share_one_port(studio: TestClient) -> None:
    assert "Voice Clone Studio" in studio.get("/").text
    assert studio.get("/config").status_code == 200
    assert studio.post("/v1/audio/speech", json=BODY).status_code == 200
    assert studio.get("/v1/nothing").json()["error"]["message"]
    assert "POST /v1/audio/speech" in studio.get("/docs").text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"origin": "http://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "cors"}, 403),
        ({"host": "localhost:7860"}, 200),
    ],
)
def test_other_sites_are_refused_as_by_the_page(
    studio: TestClient, headers: dict[str, str], status: int
) -> None:
    answer = studio.post("/v1/audio/speech", json=BODY, headers=headers)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers


def test_a_body_that_is_too_large_is_refused_by_its_declared_size(client: TestClient) -> None:
    answer = client.post("/v1/audio/speech", json={**BODY, "input": "a" * 200_000})
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.json()["error"]["param"] == "input"


@pytest.mark.parametrize("kind", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_is_too_large_is_refused_while_it_arrives(
    client: TestClient, kind: str
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(50):
            sent += 1
            yield b"a" * 100_000

    path = "/v1/audio/transcriptions" if "multipart" in kind else "/v1/audio/speech"
    answer = client.post(path, content=endless(), headers={"content-type": kind})
    assert answer.status_code == 413, answer.text
    assert answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == ("file" if "multipart" in kind else "input")


def test_a_large_recording_is_refused(client: TestClient) -> None:
    files = {"file": ("a.wav", b"0" * 1_100_000)}
    answer = client.post("/v1/audio/transcriptions", files=files)
    assert answer.status_code == 413
