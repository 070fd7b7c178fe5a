"""A second studio as an engine of the first: the far one over a real port, both on fakes."""

from __future__ import annotations

import json
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.responses import JSONResponse

from modules.api.app import create_api
from modules.api.streaming import FALLBACK_MODEL
from modules.core_components.access_token import REMOTE_KEYS_FOLDER
from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.engines.remote import listening
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError, JobCancelled, NotFoundError, RemoteError
from modules.core_components.library import SampleLibrary
from modules.core_components.progress import CancelToken
from modules.core_components.settings import change
from modules.core_components.values import Speech
from modules.tools.models.benchmark import BenchmarkRequest, run_benchmark
from modules.tools.models.library import list_models
from modules.tools.models.remotes import (
    RemoteRequest,
    add_remote,
    list_remotes,
    refresh_remote,
    remove_remote,
)
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from tests.api.conftest import served
from tests.api.listening import LISTENER, Listener
from tests.api.test_transcription import WAV
from tests.helpers.fakes import SINE, SineEngine, add_noise, fake_entry
from tests.helpers.waiting import eventually

KEY = "the-key-of-the-far-studio"
FAR_SPEAKS, FAR_LISTENS = f"remote:far/{SINE}", f"remote:far/{LISTENER}"


class FarStudio:
    """Another studio with the same fakes, managers of its own and an empty folder."""

    def __init__(self, near: Services, root: Path) -> None:
        self.engine, self.listener = SineEngine(), Listener()
        settings = change(
            near.settings,
            root=root,
            samples_folder=root / "samples",
            max_upload_mb=100,
            api_queue_length=16,
        )
        tts, asr = TTSManager(settings), ASRManager(settings)
        speaks = fake_entry(SINE, "text-to-speech", ("clone", "stock-voices"))
        listens = fake_entry(LISTENER, "speech-to-text", ())
        tts.register_engine(SINE, lambda entry, context: self.engine, speaks)
        asr.register_engine(LISTENER, lambda entry, context: self.listener, listens)
        samples = SampleLibrary(settings.samples_folder, max_duration_s=60)
        self.services = replace(near, settings=settings, tts=tts, asr=asr, samples=samples)


@pytest.fixture
def far(services: Services, tmp_path: Path) -> Iterator[FarStudio]:
    far = FarStudio(services, tmp_path / "far")
    yield far
    far.engine.may_speak.set()


@pytest.fixture
def far_address(far: FarStudio) -> Iterator[str]:
    with served(create_api(far.services, KEY)) as address:
        yield address


@pytest.fixture
def added(services: Services, far_address: str) -> Services:
    add_remote(services, RemoteRequest("far", far_address), KEY)
    return services


def body(**changes: Any) -> dict[str, Any]:
    usual = {"model": FAR_SPEAKS, "input": "one two three", "voice": "low", "seed": 4}
    return {**usual, "response_format": "pcm", **changes}


def test_what_it_has_is_listed_everywhere_and_its_key_nowhere(
    added: Services, far_address: str, client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    (known,) = list_remotes(added)
    assert (known.name, known.kind, known.has_key) == ("far", "studio", True)
    assert [entry.id for entry in known.speaking] == [FAR_SPEAKS]
    assert [entry.id for entry in known.listening] == [FAR_LISTENS]
    assert "the texts that you have it speak and the recordings" in known.note
    assert FAR_SPEAKS in added.tts.engine_ids()
    listed = {model["id"]: model for model in client.get("/v1/models").json()["data"]}
    assert listed[FAR_SPEAKS]["owned_by"] == "remote"
    assert client.get(f"/v1/models/{FAR_SPEAKS}").json() == listed[FAR_SPEAKS]
    assert client.get(f"/dev/models/{FAR_SPEAKS}").json()["state"] == "ready"
    voices = client.get("/v1/audio/voices", params={"model": FAR_SPEAKS}).json()["voices"]
    stock = {voice["id"] for voice in voices if voice["kind"] == "stock"}
    assert stock == {"high", "low"}
    assert {item.entry.id for item in list_models(added) if item.state == "remote"} == {
        FAR_SPEAKS,
        FAR_LISTENS,
    }
    kept = (added.settings.root / "config.json").read_text()
    assert far_address in kept
    assert KEY not in f"{kept}{caplog.text}{known}{json.dumps(listed)}"
    file = added.settings.root / REMOTE_KEYS_FOLDER / "far"
    assert file.read_text() == KEY
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_speaks_as_if_it_were_here(added: Services, far: FarStudio, client: TestClient) -> None:
    told = client.post("/v1/audio/speech", json=body())
    assert told.status_code == 200, told.text
    with TestClient(create_api(far.services, "")) as itself:
        there = itself.post("/v1/audio/speech", json=body(model=SINE)).content
    # 16 bits there, once more 16 bits here.
    heard, said = (np.frombuffer(content, np.int16) for content in (told.content, there))
    assert len(heard) == pytest.approx(len(said), abs=2)
    shortest = min(len(heard), len(said))
    assert np.abs(heard[:shortest].astype(int) - said[:shortest]).max() <= 2
    assert client.post("/v1/audio/speech", json=body(voice="nobody")).status_code == 400
    assert not added.tts.pool.snapshot()


def test_sound_is_handed_on_before_the_far_studio_is_done(added: Services, far: FarStudio) -> None:
    engine = added.tts.get(FAR_SPEAKS)
    options = engine.options_type()
    pieces = engine.stream("one " * 40, "low", options, CancelToken())
    assert len(next(pieces).samples)
    far.engine.may_speak.clear()
    closed: Any = pieces
    closed.close()


def test_a_cancel_reaches_the_far_studio(added: Services, far: FarStudio) -> None:
    far.engine.may_speak.clear()
    cancel = CancelToken()
    pieces = added.tts.get(FAR_SPEAKS).stream(
        "one two", "low", added.tts.get(FAR_SPEAKS).options_type(), cancel
    )
    threading.Thread(target=lambda: far.engine.speaking.wait(10) and cancel.cancel()).start()
    with pytest.raises(JobCancelled):
        list(pieces)
    threads = [t for t in threading.enumerate() if t.name == "api /v1/audio/speech"]
    eventually(lambda: not any(thread.is_alive() for thread in threads))


def test_a_take_names_the_other_machine(added: Services) -> None:
    take = speak(added, SpeechRequest("one two", "low", "preset", FAR_SPEAKS, score=False))
    assert (take.model_id, take.engine, take.voice) == (FAR_SPEAKS, "sine-1 on far", "low")
    assert read_speech(take.path).duration_s > 0


def test_a_sample_of_this_studio_is_not_sent_to_one_that_cannot_take_it(added: Services) -> None:
    sample = add_noise(added)
    with pytest.raises(BadInputError, match="cannot clone"):
        speak(added, SpeechRequest("one", sample.name, "sample", FAR_SPEAKS))


def test_it_transcribes_with_times(
    added: Services, far: FarStudio, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = {
        "model": FAR_LISTENS,
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
        "prompt": "Ghent",
    }
    told = client.post("/v1/audio/transcriptions", files={"file": ("a.wav", WAV)}, data=form).json()
    assert told["text"] == "Buon giorno. Come stai?"
    assert told["language"] == "italian"
    assert [round(one["start"]) for one in told["segments"]] == [0, 2]
    assert [word["word"] for word in told["words"]] == ["Buon", "giorno.", "Come", "stai?"]
    assert far.listener.asked[-1].initial_prompt == "Ghent"
    assert far.listener.heard[-1].duration_s == pytest.approx(4, abs=0.01)
    english = client.post(
        "/v1/audio/translations", files={"file": ("a.wav", WAV)}, data={"model": FAR_LISTENS}
    )
    assert english.json()["text"] == "Good morning. How are you?"
    # A long recording is sent in parts.
    monkeypatch.setattr(listening, "_PART_S", 1.5)
    monkeypatch.setattr(listening, "_LOOK_BACK_S", 0.5)
    told = client.post("/v1/audio/transcriptions", files={"file": ("a.wav", WAV)}, data=form).json()
    sent = [speech.duration_s for speech in far.listener.heard[-3:]]
    assert sent == pytest.approx([1.5, 1.5, 1.0], abs=0.02)
    assert [round(one["start"], 1) for one in told["segments"]] == [0, 0.8, 1.5, 2.2, 3, 3.5]


def test_a_wrong_key_a_strange_server_and_nobody(
    services: Services, far_address: str, client: TestClient
) -> None:
    with pytest.raises(RemoteError, match="does not accept the key"):
        add_remote(services, RemoteRequest("far", far_address), "another-key")
    with pytest.raises(RemoteError, match="cannot be reached"):
        add_remote(services, RemoteRequest("far", "http://127.0.0.1:9"))
    strange = FastAPI()
    strange.add_api_route("/v1/models", lambda: {"data": [{"id": "gpt-7"}, {"id": 3}, "x"]})
    with served(strange) as address, pytest.raises(BadInputError, match="names no model"):
        add_remote(services, RemoteRequest("far", address))
    for given in (
        "ftp://far",
        "http://me:secret@far",
        "http://far/?a=b",
        "far",
        "http://far:99999",
    ):
        with pytest.raises(BadInputError) as raised:
            add_remote(services, RemoteRequest("far", given))
        assert "secret" not in str(raised.value)
    with pytest.raises(BadInputError, match="cannot be the name"):
        add_remote(services, RemoteRequest("../far", far_address))
    assert not services.settings.remotes
    assert not list(services.settings.root.glob(f"{REMOTE_KEYS_FOLDER}/*"))


def test_its_failure_is_the_fallbacks_business(
    services: Services, far: FarStudio, client: TestClient
) -> None:
    with served(create_api(far.services, KEY)) as address:
        add_remote(services, RemoteRequest("far", address), KEY)
    wanted = SpeechRequest("one two", "low", "preset", FAR_SPEAKS, score=False)
    with pytest.raises(RemoteError, match="cannot be reached"):
        speak(services, wanted)
    told = client.post("/v1/audio/speech", json=body())
    assert told.status_code == 502
    assert told.json()["error"]["code"] == "remote_failed"
    services.change_settings({"fallback_tts_model": SINE})
    take = speak(services, wanted)
    assert take.model_id == SINE
    assert "far cannot be reached. sine-1 is used instead." in take.notes[0]
    # Known to be gone, it is not waited for.
    told = client.post("/v1/audio/speech", json=body())
    assert (told.status_code, told.headers[FALLBACK_MODEL]) == (200, SINE)


def test_it_is_asked_anew_and_removed(added: Services, far: FarStudio) -> None:
    more = fake_entry("sine-2", "text-to-speech", ("stock-voices",))
    far.services.tts.register_engine("sine-2", lambda entry, context: far.engine, more)
    assert "remote:far/sine-2" not in added.tts.engine_ids()
    refresh_remote(added, "far")
    assert "remote:far/sine-2" in added.tts.engine_ids()
    remove_remote(added, "far")
    assert not [name for name in added.tts.engine_ids() if name.startswith("remote:")]
    assert not (added.settings.root / REMOTE_KEYS_FOLDER / "far").exists()
    with pytest.raises(NotFoundError):
        remove_remote(added, "far")


def test_models_that_the_far_studio_has_from_elsewhere_are_left_out(
    added: Services, far: FarStudio, far_address: str
) -> None:
    far.services.settings = change(far.services.settings, remotes=dict(added.settings.remotes))
    far.services.tts.configure(far.services.settings)
    assert FAR_SPEAKS in far.services.tts.engine_ids()
    refresh_remote(added, "far")
    assert all("remote:far/remote:" not in name for name in added.tts.engine_ids())


def test_a_benchmark_of_what_is_installed_sends_nothing(added: Services, far: FarStudio) -> None:
    run_benchmark(added, BenchmarkRequest())
    assert not far.engine.speaking.is_set()
    assert not far.listener.heard


def test_a_server_with_openais_api_and_one_of_vllm(services: Services) -> None:
    app = FastAPI()
    models: list[dict[str, str]] = [{"id": "gpt-4o-mini-tts"}, {"id": "whisper-1"}, {"id": "gpt-7"}]
    voices: Any = None

    @app.get("/v1/models")
    def list_models() -> Any:
        return {"object": "list", "data": models}

    @app.get("/v1/audio/voices")
    def list_voices() -> Any:
        return JSONResponse(voices, 200 if voices else 404)

    @app.post("/v1/audio/transcriptions")
    async def transcribe(request: Request) -> Any:
        form = await request.form()
        if form["response_format"] == "verbose_json":
            message = "response_format 'verbose_json' is not compatible with this model"
            return JSONResponse({"error": {"message": message}}, 400)
        return {"text": "Good day.", "usage": {}}

    with served(app) as address:
        known = add_remote(services, RemoteRequest("cloud", f"{address}/v1/"))
        assert [entry.id for entry in known.speaking] == ["remote:cloud/gpt-4o-mini-tts"]
        assert "alloy" in services.tts.get("remote:cloud/gpt-4o-mini-tts").voices()
        listener = services.asr.get("remote:cloud/whisper-1")
        running = listener.transcribe(
            Speech(np.zeros(16_000, np.float32), 16_000),
            listener.options_type(),
            lambda fraction, message: None,
            CancelToken(),
        )
        assert [(s.text, s.start_s, s.end_s) for s in running.segments] == [("Good day.", 0, 1)]
        models[:] = [{"id": "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "owned_by": "vllm"}]
        voices = {"voices": ["vivian", "bad\nname"], "uploaded_voices": []}
        known = add_remote(services, RemoteRequest("gpu", address))
    (entry,) = known.speaking
    assert entry.id == "remote:gpu/Qwen/Qwen3-TTS-12Hz-1.7B-Base"
    assert (known.kind, set(entry.abilities)) == ("vllm", {"streaming", "stock-voices", "clone"})
    assert services.tts.get(entry.id).voices() == ("vivian",)
    assert "speak and the samples in whose voices it speaks" in entry.note
