"""POST /dev/phonemize and /dev/generate_from_phonemes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient

from modules.core_components.ai_models.engines.base import PhonemeEngine
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from tests.api.test_leaving import LongSpeech, made_after_leaving
from tests.helpers.fakes import SINE, SineEngine, fake_entry

PHONEMIZE, GENERATE = "/dev/phonemize", "/dev/generate_from_phonemes"
SPELLER = "speller-1"


class SpelledSentence:
    """A sentence whose phonemes are its letters in capitals."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.phonemes = text.upper()


class Speller(SineEngine):
    """Its phonemes are capital letters, and its speech of them is that of the text."""

    model_id = SPELLER
    label = "Speller 1"

    def phonemize(self, text: str, options: Any) -> tuple[SpelledSentence, ...]:
        return tuple(SpelledSentence(f"{part.strip()}.") for part in text.split(".") if part)

    def stream_phonemes(self, phonemes: str, voice: Any, options: Any, cancel: CancelToken) -> Any:
        if phonemes != phonemes.upper():
            raise BadInputError("Speller 1 has no sound for small letters.", "Use capitals.")
        return self.stream(phonemes, voice, options, cancel)


@pytest.fixture
def speller(services: Services) -> Speller:
    speller = Speller()
    entry = fake_entry(SPELLER, "text-to-speech", ("stock-voices",))
    services.tts.register_engine(SPELLER, lambda entry, context: speller, entry)
    return speller


def spoken(client: TestClient, **changes: Any) -> Any:
    given = {"model": SPELLER, "voice": "high", "phonemes": "ONE TWO", "seed": 7}
    return client.post(GENERATE, json={**given, "response_format": "pcm", **changes})


def test_the_phonemes_of_a_text_sentence_by_sentence(client: TestClient, speller: Speller) -> None:
    answer = client.post(PHONEMIZE, json={"model": SPELLER, "text": "One two. Three."})
    assert answer.status_code == 200
    assert answer.json() == {
        "phonemes": "ONE TWO. THREE.",
        "sentences": [
            {"text": "One two.", "phonemes": "ONE TWO."},
            {"text": "Three.", "phonemes": "THREE."},
        ],
    }


def test_markup_has_no_phonemes(client: TestClient, speller: Speller) -> None:
    text = "One. [pause:1.5s] [speed:1.2]Two."
    answer = client.post(PHONEMIZE, json={"model": SPELLER, "text": text})
    assert answer.json()["phonemes"] == "ONE. TWO."


@pytest.mark.parametrize("stream", [True, False])
def test_phonemes_are_spoken_as_the_text_they_came_from(
    client: TestClient, speller: Speller, stream: bool
) -> None:
    said = spoken(client, stream=stream)
    assert said.status_code == 200
    body = {"model": SPELLER, "input": "ONE TWO", "voice": "high", "seed": 7}
    text = client.post("/v1/audio/speech", json={**body, "response_format": "pcm"})
    assert said.content == text.content
    assert len(spoken(client, speed=2.0).content) < 0.6 * len(said.content)
    assert spoken(client, response_format="flac").content[:4] == b"fLaC"


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"phonemes": " "}, 400, "phonemes"),
        ({"phonemes": "A" * 501}, 400, "phonemes"),
        ({"phonemes": "one"}, 400, "phonemes"),
        ({"phonemes": None}, 400, "phonemes"),
        ({"model": SINE}, 400, "model"),
        ({"model": "nonsense-9"}, 404, "model"),
        ({"voice": "nobody"}, 400, "voice"),
        ({"speed": 3.0}, 400, "speed"),
    ],
)
def test_what_cannot_be_spoken_is_refused(
    client: TestClient, speller: Speller, changes: dict[str, Any], status: int, param: str
) -> None:
    for stream in (True, False):
        answer = spoken(client, stream=stream, **changes)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("changes", "status", "param"),
    [
        ({"text": " "}, 400, "text"),
        ({"text": "a" * 501}, 400, "text"),
        ({"text": 7}, 400, "text"),
        ({"steps": ["mony"]}, 400, "steps"),
        ({"steps": ["money"]}, 400, "steps"),  # the model has no steps to choose from
        ({"steps": "money"}, 400, "steps"),
        ({"language": "tlh"}, 400, "language"),
        ({"model": SINE}, 400, "model"),
        ({"model": "nonsense-9"}, 404, "model"),
    ],
)
def test_what_has_no_phonemes_is_refused(
    client: TestClient, speller: Speller, changes: dict[str, Any], status: int, param: str
) -> None:
    answer = client.post(PHONEMIZE, json={"model": SPELLER, "text": "One.", **changes})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"] == param


def test_who_leaves_stops_the_computing(address: str, speller: Speller) -> None:
    speech = LongSpeech(speller)
    given = {"model": SPELLER, "voice": "high", "phonemes": "ONE", "response_format": "pcm"}
    with httpx.stream("POST", f"{address}{GENERATE}", json=given, timeout=30) as answer:
        assert next(answer.iter_raw())
    assert made_after_leaving(speech) <= 2


def test_kokoro_takes_phonemes(services: Services) -> None:
    engine = services.tts.get("kokoro-v1.0")
    assert isinstance(engine, PhonemeEngine)
