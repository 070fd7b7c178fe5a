"""The routes of the player: recordings by kind and id, never by a path; and its scripts."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.values import Segment, Speech, Transcript, Word
from modules.tools.conversation.cast import CastVoice
from modules.tools.conversation.conversation import (
    ConversationRequest,
    begin_conversation,
    speak_conversation,
)
from modules.tools.listening.transcripts import correct_word, keep_transcript
from modules.tools.recordings import clip_key, line_key
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.ui.server import create_app
from tests.helpers.fakes import add_noise
from tests.helpers.small_datasets import babble, make_dataset
from tests.ui.page_client import HERE

RATE_HZ = 16_000


@pytest.fixture
def client(services: Services) -> Iterator[TestClient]:
    with TestClient(create_app(services), base_url=HERE) as client:
        yield client


def sounds(services: Services) -> dict[str, str]:
    """One recording of each kind: its key by its kind."""
    sample = add_noise(services, "Anna & <Ben>")
    take = speak(services, SpeechRequest("Good morning.", "high", "preset", seed=1))
    dataset = make_dataset(services, [("good morning", babble(2.0)), ("and you", babble(2.0))])
    words = (Word("Good", 0.0, 0.5), Word("morning.", 0.5, 1.0, 0.3))
    said = Transcript("Good morning.", "en", (Segment("Good morning.", 0, 1, words),), 1.0)
    noise = np.random.default_rng(0).normal(scale=0.1, size=RATE_HZ).astype(np.float32)
    kept = keep_transcript(services, said, "meeting", Speech(noise, RATE_HZ))
    clip = clip_key(dataset.name, dataset.clips[0].id)
    asked = ConversationRequest("Anna: Good morning.", {"Anna": CastVoice("high", kind="preset")})
    talk = speak_conversation(services, begin_conversation(services, asked).id)
    line = line_key(talk.id, talk.lines[0].id)
    return {
        "sample": sample.name,
        "take": take.id,
        "clip": clip,
        "transcript": kept.stem,
        "conversation": talk.id,
        "line": line,
    }


def test_every_kind_has_its_waveform_and_its_sound(client: TestClient, services: Services) -> None:
    for kind, key in sounds(services).items():
        for _ in range(2):  # computed, then from the cache
            wave = client.get(f"/recordings/{kind}/wave", params={"key": key})
            assert wave.status_code == 200, wave.text
            assert wave.headers["cache-control"] == "no-store"
        audio = client.get(f"/recordings/{kind}/audio", params={"key": key})
        speech = read_speech(audio.content)
        assert wave.json()["seconds"] == pytest.approx(speech.duration_s, abs=0.001)
        assert max(wave.json()["peaks"]) == 1000
        assert len(wave.json()["words"]) == (2 if kind == "clip" else 0)
    ranged = client.get(
        "/recordings/clip/audio", params={"key": key}, headers={"Range": "bytes=0-9"}
    )
    assert ranged.status_code == 404  # the key of a line is that of no clip


def test_a_browser_gets_the_range_that_it_asks_for(client: TestClient, services: Services) -> None:
    key = sounds(services)["take"]
    part = client.get("/recordings/take/audio", params={"key": key}, headers={"Range": "bytes=0-3"})
    assert part.status_code == 206
    assert part.content == b"RIFF"
    assert part.headers["content-type"] == "audio/wav"


def test_another_sound_has_another_version(client: TestClient, services: Services) -> None:
    sample = add_noise(services, "Anna")
    first = client.get("/recordings/sample/wave", params={"key": "Anna"}).json()
    write_speech(sample.path, Speech(np.full(RATE_HZ, 0.1, np.float32), RATE_HZ))
    second = client.get("/recordings/sample/wave", params={"key": "Anna"}).json()
    assert second["version"] != first["version"]
    assert second["seconds"] == 1.0


def test_a_part_is_saved_and_the_recording_stays(client: TestClient, services: Services) -> None:
    key = sounds(services)["sample"]
    before = services.samples.get(key).path.read_bytes()
    query = {"key": key, "start": 0.5, "end": 1.25}
    saved = client.get("/recordings/sample/part", params=query)
    assert soundfile.info(io.BytesIO(saved.content)).duration == 0.75
    assert saved.headers["content-disposition"].startswith('attachment; filename="Anna')
    assert services.samples.get(key).path.read_bytes() == before
    for nothing in ({"start": 1.0, "end": 1.0}, {"start": "nan", "end": 1.0}):
        refused = client.get("/recordings/sample/part", params={**query, **nothing})
        assert refused.status_code == 422
        assert "nothing to save" in refused.json()["detail"]


def test_a_file_that_is_no_sound_is_reported(client: TestClient, services: Services) -> None:
    (services.settings.output_folder / "broken.wav").write_bytes(b"This is no recording at all.")
    answer = client.get("/recordings/take/wave", params={"key": "broken"})
    assert answer.status_code == 422
    assert "broken" in answer.json()["detail"]


def test_no_key_is_a_path(client: TestClient, services: Services) -> None:
    (services.settings.root / "secret.wav").write_bytes(b"secret")
    for kind in (*sounds(services), "settings", ".."):
        for key in ("../secret", "/etc/passwd", "Anna/../../secret", str(services.settings.root)):
            for what in ("wave", "audio", "part?start=0&end=1"):
                mark = "&" if "?" in what else "?"
                answer = client.get(f"/recordings/{kind}/{what}{mark}key={key}")
                assert answer.status_code == 404, (kind, key, answer.text)
    assert client.get("/recordings/transcript/text", params={"key": "../config"}).status_code == 404


def test_a_transcript_comes_with_both_texts(client: TestClient, services: Services) -> None:
    key = sounds(services)["transcript"]
    correct_word(services, key, 0, 1, "evening.")
    content = client.get("/recordings/transcript/text", params={"key": key}).json()
    assert content["hasSound"]
    (segment,) = content["segments"]
    assert segment["words"] == [
        ["Good ", 0.0, 0.5, None, 1.0],
        ["morning.", 0.5, 1.0, "evening.", 0.3],
    ]


def test_the_scripts_are_there_and_nothing_else(client: TestClient) -> None:
    for name in ("players.js", "wave.js", "wavesurfer.js"):
        script = client.get(f"/player/{name}")
        assert script.headers["content-type"].startswith("text/javascript")
    for name in ("wavesurfer.LICENSE.txt", "..%2Ffavicon.svg", "nothing.js"):
        assert client.get(f"/player/{name}").status_code == 404


def test_recordings_need_the_login_of_the_page_and_its_origin(services: Services) -> None:
    key = sounds(services)["take"]
    with TestClient(create_app(services, password="secret"), base_url=HERE) as client:
        assert client.get("/recordings/take/audio", params={"key": key}).status_code == 401
        login = {"username": "studio", "password": "secret"}
        assert client.post("/login", data=login).status_code == 200
        assert client.get("/recordings/take/audio", params={"key": key}).status_code == 200
        foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
        answer = client.get("/recordings/take/audio", params={"key": key}, headers=foreign)
        assert answer.status_code == 403
