"""Whatever is sent, the answer is a refusal in OpenAI's shape and never a 500."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes import SINE

FIELDS = ("model", "input", "voice", "response_format", "speed", "stream", "language", "seed")
RIGHT: dict[str, Any] = {"model": SINE, "input": "one", "voice": "high", "response_format": "pcm"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=3,
)


def post(client: TestClient, raw: bytes) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    answer = client.post("/v1/audio/speech", content=raw, headers=headers)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    return answer.status_code, answer.content


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(field=st.sampled_from(FIELDS), value=JSON)
def test_any_value_in_any_field(client: TestClient, field: str, value: object) -> None:
    status, _ = post(client, json.dumps({**RIGHT, field: value}).encode())
    assert status in (200, 400, 404)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value",
    [r'"\ud800"', "NaN", "Infinity", "-1e999", "1" * 400, r'"\u0000"', '"../../etc/passwd"'],
)
def test_values_that_break_parsers(client: TestClient, field: str, value: str) -> None:
    rest = json.dumps({name: right for name, right in RIGHT.items() if name != field})
    status, _ = post(client, f'{rest[:-1]}, "{field}": {value}}}'.encode())
    assert status in (200, 400, 404)


@pytest.mark.parametrize("field", ["model", "language", "response_format", "temperature", "file"])
def test_rubbish_in_a_form(client: TestClient, field: str) -> None:
    for value in ("", "\x00", "\udc80".encode("utf-8", "surrogatepass"), "a" * 10_000, "NaN"):
        data = {field: value}
        files = {} if field == "file" else {"file": ("\x00/../a.wav", b"RIFF")}
        answer = client.post("/v1/audio/transcriptions", data=data, files=files)
        assert answer.status_code in (400, 404), (value, answer.text)
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["%ff%fe", "%00", "..%2f..%2fetc", "%ed%a0%80", "a" * 3000])
def test_rubbish_in_the_path(client: TestClient, name: str) -> None:
    for path in (f"/v1/models/{name}", f"/v1/{name}", f"/v1/audio/voices?model={name}"):
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["error"]["message"]
