"""POST /dev/read."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.testclient import TestClient

from modules.tools.services import Services
from tests.helpers.fakes import SINE

READ = "/dev/read"


def test_a_text_in_its_spoken_form(client: TestClient) -> None:
    given = {"text": "Cuesta 5 €. [pause:1s] [Xavi](/tʃaβi/) 3 km.", "lang_code": "e"}
    answer = client.post(READ, json={**given, "model": None})
    assert answer.status_code == 200
    units = {"written": "3 km", "spoken": "tres kilómetros"}
    assert answer.json() == {
        "language": "es",
        "spoken": "Cuesta cinco euros. [pause:1s] Xavi tres kilómetros.",
        "changes": [
            {
                "step": "money",
                "about": "Amounts of money",
                "text": "Cuesta cinco euros. [pause:1s] Xavi 3 km.",
                "replaced": [{"written": "5 €", "spoken": "cinco euros"}],
            },
            {
                "step": "units",
                "about": "Numbers with units",
                "text": "Cuesta cinco euros. [pause:1s] Xavi tres kilómetros.",
                "replaced": [units],
            },
        ],
        "pronounced": [{"written": "Xavi", "spoken": "/tʃaβi/"}],
    }


def test_only_the_named_steps_apply(client: TestClient, services: Services) -> None:
    services.pronunciations.put("en-us", "km", "klicks")
    given = {"text": "**$5**, 3 km", "steps": ["money", "Numbers"]}
    answer = client.post(READ, json=given).json()
    assert answer["spoken"] == "**five dollars**, three km"
    assert answer["pronounced"] == [{"written": "km", "spoken": "klicks"}]
    assert client.post(READ, json={**given, "steps": []}).json()["spoken"] == given["text"]


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"text": " "}, 400, "text"),
        ({"text": "a" * 501}, 400, "text"),
        ({"text": "[pause:x] a"}, 400, "text"),
        ({"language": "klingonn"}, 400, "language"),
        ({"language": "de", "model": SINE}, 400, "language"),
        ({"model": "nonsense-9"}, 404, "model"),
        ({"steps": ["mony"]}, 400, "steps"),
        ({"steps": ["money"], "model": SINE}, 400, "steps"),
    ],
)
def test_what_cannot_be_read_is_refused(
    client: TestClient, changes: dict[str, Any], status: int, param: str
) -> None:
    answer = client.post(READ, json={"text": "One.", **changes})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param
