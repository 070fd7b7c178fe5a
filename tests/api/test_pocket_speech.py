"""Pocket TTS over the API, from a model that is not there to takes in the voice of a sample.

The catalog, the engine and the package are the real ones, the checkpoint is tiny and random. No
request downloads anything: that is done as the page does it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import soundfile

from modules.api.app import create_api
from modules.core_components.access_token import AccessToken
from modules.core_components.errors import DownloadError
from modules.core_components.values import Consent
from modules.tools.models import library, speed
from modules.tools.services import Services, open_services
from tests.api.conftest import served
from tests.core_components.ai_models.fake_hub import FakeHub
from tests.helpers.pocket_studio import MODEL, STRANGER, TOKEN, harm
from tests.helpers.waiting import eventually

TEXT = "Hello there, this costs $5. And that is all."
LONG = " ".join(f"This is sentence number {number}, and it says little." for number in range(300))


@pytest.fixture
def services(
    pocket_root: Path,
    pocket_hub: FakeHub,
    pocket_recording: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Services]:
    monkeypatch.setattr(speed, "decoder_step_seconds", lambda device: 0.01)
    services = open_services(pocket_root)
    services.samples.add(pocket_recording, "Anna", language="en", consent=Consent("Anna", True))
    yield services
    services.close()


@pytest.fixture
def client(services: Services) -> Iterator[httpx.Client]:
    with (
        served(create_api(services)) as address,
        httpx.Client(base_url=address, timeout=120) as client,
    ):
        yield client


def body(text: str = TEXT, **fields: Any) -> dict[str, Any]:
    return {"model": MODEL, "voice": "Anna", "input": text, "response_format": "wav", **fields}


def recommended(client: httpx.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/dev/recommended-models", params={"sample": "Anna"})
    assert answer.status_code == 200, answer.text
    return {one["id"]: one for one in answer.json()["data"]}


def test_from_the_gate_to_takes(
    services: Services,
    client: httpx.Client,
    pocket_hub: FakeHub,
    pocket_root: Path,
) -> None:
    found = recommended(client)
    assert next(iter(found)) == MODEL
    assert found[MODEL]["needs_acceptance"]
    assert found[MODEL]["needs_token"]
    assert not found[MODEL]["measured"]
    missing = client.post("/v1/audio/speech", json=body())
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "model_not_found"
    unknown = client.get("/dev/recommended-models", params={"sample": "Berta"})
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (404, "sample")

    library.accept_licence(services, MODEL)
    AccessToken(pocket_root).save(STRANGER)
    with pytest.raises(DownloadError, match="HTTP 403"):
        library.download(services, MODEL)
    AccessToken(pocket_root).save(TOKEN)
    library.download(services, MODEL)
    pocket_hub.listing_status = 503  # what is here speaks without the hub

    def say(seed: int) -> bytes:
        answer = client.post("/v1/audio/speech", json=body(seed=seed))
        assert answer.status_code == 200, answer.text
        return answer.content

    alone = [say(seed) for seed in (1, 2)]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(say, (1, 2)))
    assert together == alone
    assert alone[0] != alone[1]
    samples, rate_hz = soundfile.read(io.BytesIO(alone[0]))
    assert (rate_hz, len(samples) > 24_000) == (24_000, True)
    french = client.post("/v1/audio/speech", json=body(language="fr"))
    assert (french.status_code, french.json()["error"]["param"]) == (400, "language")
    assert recommended(client)[MODEL]["state"] == "installed"


def test_who_leaves_in_the_middle_stops_it_and_a_harmed_file_is_named(
    services: Services,
    client: httpx.Client,
    pocket_root: Path,
) -> None:
    library.accept_licence(services, MODEL)
    AccessToken(pocket_root).save(TOKEN)
    folder = library.download(services, MODEL)
    asked = body(LONG, response_format="pcm")  # whose beginning is sent at once
    with client.stream("POST", "/v1/audio/speech", json=asked) as answer:
        assert answer.status_code == 200
        assert next(answer.iter_raw())
        assert client.get("/health").json()["working"] == 1
    eventually(lambda: client.get("/health").json()["working"] == 0)
    assert all(not resident.holders for resident in services.tts.pool.snapshot())
    assert client.post("/v1/audio/speech", json=body("Hi there.")).status_code == 200

    services.tts.pool.unload_all()
    harm(folder / "model.safetensors")
    harmed = client.post("/v1/audio/speech", json=body("Hi there."))
    assert harmed.status_code == 503
    assert "is damaged" in harmed.json()["error"]["message"]
