"""GET /dev/models, load and unload, on an engine whose weights lie in the real pool."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from fastapi.testclient import TestClient

from modules.core_components.ai_models.model_pool import ModelSpec, model_key
from modules.core_components.errors import ModelMissingError
from modules.core_components.progress import CancelToken
from modules.tools.services import Services
from tests.api.listening import LISTENER
from tests.helpers.fakes import SINE, SineEngine, fake_entry

WEIGHTY = "weighty-1"
NBYTES = 3_000_000


class Weighty(SineEngine):
    """A voice with weights: NBYTES of nothing."""

    model_id = WEIGHTY
    label = "Weighty 1"

    def __init__(self, services: Services) -> None:
        super().__init__()
        self._pool = services.tts.pool
        self.loads = 0

    def load(self, cancel: CancelToken | None = None) -> None:
        with self.borrowed("loading"):
            return

    @contextmanager
    def borrowed(self, holder: str) -> Iterator[None]:
        with self._pool.lease(self._spec(), None, holder):
            yield

    def _spec(self) -> ModelSpec[bytes]:
        key = model_key(WEIGHTY, "r1", "cpu", "float32")
        return ModelSpec(key, "cpu", NBYTES, self._loaded, measure=len)

    def _loaded(self) -> bytes:
        self.loads += 1
        return bytes(NBYTES)


@pytest.fixture
def weighty(services: Services) -> Weighty:
    engine = Weighty(services)
    entry = fake_entry(WEIGHTY, "text-to-speech", ("stock-voices",))
    services.tts.register_engine(WEIGHTY, lambda entry, context: engine, entry)
    return engine


def test_every_known_model_has_a_state(client: TestClient) -> None:
    listed = client.get("/dev/models").json()
    assert listed["object"] == "list"
    states = {model["id"]: model for model in listed["data"]}
    assert states[SINE]["state"] == states[LISTENER]["state"] == "ready"
    assert states["kokoro-v1.0"]["state"] == "not downloaded"
    assert "Download it" in states["kokoro-v1.0"]["problem"]
    for name, state in states.items():
        assert client.get(f"/dev/models/{name}").json() == state
        assert state["in_memory"] == []


def test_a_model_is_loaded_shown_and_unloaded(client: TestClient, weighty: Weighty) -> None:
    for _ in range(2):
        loaded = client.post(f"/dev/models/{WEIGHTY}/load")
        assert loaded.status_code == 200, loaded.text
        (copy,) = loaded.json()["in_memory"]
        assert copy["bytes"] == NBYTES
        assert copy["used_by"] == []
        assert copy["idle_seconds"] >= 0
    assert weighty.loads == 1
    freed = client.post(f"/dev/models/{WEIGHTY}/unload")
    assert freed.json() == {"id": WEIGHTY, "freed_bytes": NBYTES}
    assert client.get(f"/dev/models/{WEIGHTY}").json()["in_memory"] == []
    assert client.post(f"/dev/models/{WEIGHTY}/unload").json()["freed_bytes"] == 0


def test_a_model_that_is_used_stays(client: TestClient, weighty: Weighty) -> None:
    with weighty.borrowed("speaking"):
        (copy,) = client.get(f"/dev/models/{WEIGHTY}").json()["in_memory"]
        assert copy["used_by"] == ["speaking"]
        answer = client.post(f"/dev/models/{WEIGHTY}/unload")
        assert answer.status_code == 409
        error = answer.json()["error"]
        assert error["code"] == "model_in_use"
        assert "speaking" in error["message"]
        assert "Wait until" in error["message"]
    assert client.post(f"/dev/models/{WEIGHTY}/unload").json()["freed_bytes"] == NBYTES


def test_nothing_is_downloaded(client: TestClient) -> None:
    answer = client.post("/dev/models/kokoro-v1.0/load")
    assert answer.status_code == 503
    assert "download it" in answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["", "/load", "/unload"])
def test_an_unknown_model_is_not_found(client: TestClient, path: str) -> None:
    answer = client.request("POST" if path else "GET", f"/dev/models/nonsense-9{path}")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"


def test_a_load_that_fails_is_told(client: TestClient, weighty: Weighty) -> None:
    def missing() -> bytes:
        raise ModelMissingError("Weighty 1 has no weights.", "Download them.")

    weighty._loaded = missing  # type: ignore[method-assign]
    answer = client.post(f"/dev/models/{WEIGHTY}/load")
    assert answer.status_code == 503
    assert answer.json()["error"]["message"] == "Weighty 1 has no weights. Download them."
