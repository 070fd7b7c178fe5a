"""Our own OpenAPI schema, tried out by schemathesis: requests that fit it, and that do not.

The default run takes a few examples of each kind; STUDIO_FUZZ_EXAMPLES=500 takes its time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.listening import LISTENER
from tests.api.test_phonemes import SPELLER, Speller, speller  # noqa: F401 - a fixture
from tests.api.test_transcription import WAV

EXAMPLES = int(os.environ.get("STUDIO_FUZZ_EXAMPLES", "12"))
# That all that does not fit is refused is no rule: a number in quotes is taken for the number.
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
# What drawn names and recordings would never be; the other fields stay as they were drawn.
RIGHT = {
    "application/json": {"model": SPELLER, "voice": "high", "language": "it"},
    "multipart/form-data": {"model": LISTENER, "language": "it", "file": WAV},
}


@pytest.fixture
def tried() -> dict[tuple[str, str], set[int]]:
    """The statuses of the answers, by method and path."""
    return {}


@pytest.fixture
def ask(tried: dict[tuple[str, str], set[int]]) -> Callable[[Case], None]:
    def ask(case: Case) -> None:
        answer = case.call()
        tried.setdefault((case.method, case.operation.path), set()).add(answer.status_code)
        assert answer.status_code != 500, case.as_curl_command()
        case.validate_response(answer, checks=CHECKS)

    return ask


def test_requests_that_fit(
    client: TestClient,
    speller: Speller,  # noqa: F811
    ask: Callable[[Case], None],
    tried: dict[tuple[str, str], set[int]],
) -> None:
    operations = operations_of(client)

    def ask_by_right_names(case: Case, by_right_names: bool) -> None:
        if by_right_names and isinstance(case.body, dict):
            case.body.update(RIGHT[case.media_type or ""])
        ask(case)

    for operation in operations:
        strategy = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        quietly(given(strategy, st.booleans())(ask_by_right_names))()
    assert len(tried) == len(operations)
    for path in ("/v1/audio/speech", "/dev/captioned_speech", "/v1/audio/transcriptions"):
        assert 200 in tried["POST", path], path


def test_requests_that_do_not_fit(
    client: TestClient, ask: Callable[[Case], None], tried: dict[tuple[str, str], set[int]]
) -> None:
    with_body = [op for op in operations_of(client) if op.definition.raw.get("requestBody")]
    for operation in with_body:
        quietly(given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(ask))()
    assert len(tried) == len(with_body)


def operations_of(client: TestClient) -> list[Any]:
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    return [found.ok() for found in schema.get_all_operations()]


def quietly(test: Any) -> Any:
    """Seeded, and slow examples are no failure."""
    return settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )(test)
