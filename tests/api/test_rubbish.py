"""Whatever is sent, the answer is a refusal in OpenAI's shape and never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.test_phonemes import SPELLER, Speller, speller  # noqa: F401 - a fixture

VOICED = {"model": SPELLER, "voice": "high", "response_format": "pcm"}
# What is right for each route, and the fields it takes besides.
RIGHT: dict[str, dict[str, Any]] = {
    "/v1/audio/speech": {**VOICED, "input": "one"},
    "/dev/captioned_speech": {**VOICED, "input": "one"},
    "/dev/generate_from_phonemes": {**VOICED, "phonemes": "ONE"},
    "/dev/read": {"text": "one"},
    "/dev/phonemize": {"model": SPELLER, "text": "one"},
}
MORE = ("speed", "stream", "language", "seed")
FIELDS = [(path, field) for path, right in RIGHT.items() for field in (*right, *MORE)]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=3,
)


BREAKING = ('"\\ud800"', "NaN", "Infinity", "-1e999", "1" * 400, '"\\u0000"', '"../../etc/passwd"')


@pytest.fixture(autouse=True)
def model(speller: Speller) -> Speller:  # noqa: F811
    return speller


def post(client: TestClient, path: str, raw: bytes) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    answer = client.post(path, content=raw, headers=headers)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.status_code, answer.content


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.sampled_from(FIELDS), value=JSON)
def test_any_value_in_any_field(client: TestClient, place: tuple[str, str], value: object) -> None:
    path, field = place
    status, _ = post(client, path, json.dumps({**RIGHT[path], field: value}).encode())
    assert status in (200, 400, 404)


@pytest.mark.parametrize(("path", "field"), FIELDS)
def test_values_that_break_parsers(client: TestClient, path: str, field: str) -> None:
    rest = json.dumps({name: right for name, right in RIGHT[path].items() if name != field})
    for value in BREAKING:
        status, _ = post(client, path, f'{rest[:-1]}, "{field}": {value}}}'.encode())
        assert status in (200, 400, 404), value


@pytest.mark.parametrize("path", RIGHT)
def test_bodies_that_are_no_request(client: TestClient, path: str) -> None:
    for raw in (b"", b"{", b"[]", b"null", b"\xff\xfe", b'"x"', b"[" * 5000):
        assert post(client, path, raw)[0] == 400, raw


@pytest.mark.parametrize(
    "field", ["model", "language", "response_format", "temperature", "stream", "file"]
)
def test_rubbish_in_a_form(client: TestClient, field: str) -> None:
    for value in ("", "\x00", "\udc80".encode("utf-8", "surrogatepass"), "a" * 10_000, "NaN"):
        data = {field: value}
        files = {} if field == "file" else {"file": ("\x00/../a.wav", b"RIFF")}
        answer = client.post("/v1/audio/transcriptions", data=data, files=files)
        assert answer.status_code in (400, 404), (value, answer.text)
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["%ff%fe", "%00", "..%2f..%2fetc", "%ed%a0%80", "a" * 3000])
def test_rubbish_in_the_path(client: TestClient, name: str) -> None:
    gets = (
        "/v1/models/",
        "/v1/",
        "/v1/audio/voices?model=",
        "/dev/models/",
        "/dev/queue/",
        "/dev/",
    )
    for path in gets:
        answer = client.get(f"{path}{name}")
        assert answer.status_code == 404, path
        assert answer.json()["error"]["message"]
    for doing in ("load", "unload"):
        assert client.post(f"/dev/models/{name}/{doing}").status_code == 404
