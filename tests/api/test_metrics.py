"""/metrics: what is counted, in few labels, and who may read it."""

from __future__ import annotations

import threading
import time

import prometheus_client
import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from modules.api.app import create_api
from modules.api.traffic import Traffic
from modules.tools.services import Services
from tests.api.conftest import HERE
from tests.api.listening import LISTENER
from tests.api.test_transcription import WAV
from tests.helpers.fakes import SINE, SineEngine, add_tones
from tests.helpers.waiting import eventually

Samples = dict[tuple[str, frozenset[str]], float]


def read(client: TestClient) -> Samples:
    """The value of each sample by its name and the values of its labels."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, *labels: str) -> float:
    return samples.get((name, frozenset(labels)), 0.0)


def test_requests_are_counted_by_route_and_status(client: TestClient) -> None:
    speech = {"input": "one two", "voice": "high", "response_format": "pcm", "seed": 1}
    sound = client.post("/v1/audio/speech", json=speech).content
    client.post("/v1/audio/speech", json={**speech, "voice": "a secret voice"})
    client.get(f"/v1/models/{SINE}")
    client.get("/v1/models/a-secret-name")
    client.get("/v1/a-secret-path")
    client.post("/v1/audio/transcriptions", files={"file": ("a.wav", WAV)})
    client.get("/health")
    found = read(client)
    assert value(found, "studio_requests_total", "/v1/audio/speech", "200") == 1
    assert value(found, "studio_requests_total", "/v1/audio/speech", "400") == 1
    models = [name for name in found if name[0] == "studio_requests_total" and "404" in name[1]]
    assert {frozenset(labels) for _, labels in models} == {
        frozenset({"/v1/models/{model_id}", "404"}),
        frozenset({"other", "404"}),
    }
    assert value(found, "studio_audio_made_seconds_total", "sine") == pytest.approx(
        len(sound) / 2 / 24_000, abs=0.01
    )
    assert value(found, "studio_audio_heard_seconds_total", "ear") == pytest.approx(4, abs=0.01)
    assert value(found, "studio_first_audio_seconds_count") == 1
    assert 0 < value(found, "studio_first_audio_seconds_sum") < 60
    assert "secret" not in client.get("/metrics").text
    assert "high" not in client.get("/metrics").text


def test_what_is_worked_on_and_waits_is_told(client: TestClient, engine: SineEngine) -> None:
    engine.may_speak.clear()
    speech = {"input": "one", "voice": "high", "response_format": "pcm"}
    threads = [
        threading.Thread(target=client.post, args=("/v1/audio/speech",), kwargs={"json": speech})
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: value(read(client), "studio_requests_waiting") == 1)
    assert value(read(client), "studio_requests_in_progress") == 4
    engine.may_speak.set()
    for thread in threads:
        thread.join(10)


def test_models_memory_and_jobs_are_told(client: TestClient, services: Services) -> None:
    add_tones(services, {"cpu": 1_000})
    for name in ("tone-large", "tone-small"):  # not both fit
        services.tts.get(name).load()
    services.jobs.register("nothing", lambda payload, job: {})
    services.jobs.wait(services.jobs.submit("nothing", "Nothing", {}).id)
    found = read(client)
    assert value(found, "studio_model_loads_total", "other") == 2
    assert value(found, "studio_model_unloads_total", "other") == 1
    assert value(found, "studio_memory_bytes", "models on cpu") == 400_000_000
    assert value(found, "studio_memory_bytes", "process") > 10_000_000
    assert value(found, "studio_jobs", "done") == 1
    assert value(found, "studio_jobs", "failed") == 0


def test_it_needs_the_key_and_health_does_not(services: Services) -> None:
    with TestClient(create_api(services, "the-key"), base_url=HERE) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/health").status_code == client.get("/ready").status_code == 200
        with_key = client.get("/metrics", headers={"Authorization": "Bearer the-key"})
        assert with_key.status_code == 200
        assert LISTENER not in with_key.text


def test_nothing_of_it_is_in_the_registry_of_the_process(client: TestClient) -> None:
    read(client)
    assert b"studio_" not in prometheus_client.generate_latest()


def test_while_it_drains_new_work_is_refused(services: Services) -> None:
    traffic = Traffic()
    with TestClient(create_api(services, traffic=traffic), base_url=HERE) as client:
        traffic.start_draining()
        assert client.get("/ready").json()["closing"] is True
        refused = client.post("/v1/audio/speech", json={"input": "one", "voice": "high"})
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "draining"
        assert int(refused.headers["retry-after"]) > 0
        assert refused.headers["connection"] == "close"
        assert client.get("/health").status_code == 200
        assert value(read(client), "studio_draining") == 1


def test_waiting_for_the_last_answer_has_an_end() -> None:
    traffic = Traffic()
    traffic.begin()
    begun_s = time.monotonic()
    assert not traffic.wait_until_idle(0.1)
    assert time.monotonic() - begun_s >= 0.1
    threading.Timer(0.05, traffic.end).start()
    assert traffic.wait_until_idle(10)
