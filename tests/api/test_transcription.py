"""POST /v1/audio/transcriptions and /translations on a fake listener."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import srt
import webvtt
from fastapi.testclient import TestClient
from openai.types.audio import TranscriptionDiarized

from modules.core_components.ai_models.engines.diarization.clustering import SpeakerCount
from modules.core_components.audio.encode import encode_speech
from modules.core_components.errors import StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Segment, Speech, Turn
from modules.tools.listening import speakers
from modules.tools.services import Services
from tests.api.listening import LISTENER, Listener
from tests.helpers.recordings import SoundTrack, make_video
from tests.helpers.waiting import eventually

RATE_HZ = 16_000
SECONDS = 4.0
NOISE = np.random.default_rng(1).normal(scale=0.1, size=int(SECONDS * RATE_HZ))
WAV = encode_speech(Speech(NOISE.astype(np.float32), RATE_HZ), "wav")
TRANSCRIPTIONS, TRANSLATIONS = "/v1/audio/transcriptions", "/v1/audio/translations"
DIARIZATION = "/v1/audio/diarization"


def ask(client: TestClient, path: str = TRANSCRIPTIONS, content: bytes = WAV, **form: Any) -> Any:
    return client.post(path, files={"file": ("a.wav", content)}, data=form)


def test_json_is_the_default(client: TestClient, listener: Listener) -> None:
    answer = ask(client)
    assert answer.status_code == 200
    assert answer.json() == {"text": "Buon giorno. Come stai?"}
    (heard,) = listener.heard
    assert heard.duration_s == pytest.approx(SECONDS)


def test_text(client: TestClient) -> None:
    answer = ask(client, response_format="text")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.split() == ["Buon", "giorno.", "Come", "stai?"]


def test_subtitles_that_other_programs_read(client: TestClient) -> None:
    cues = list(srt.parse(ask(client, response_format="srt").text))
    assert [cue.content for cue in cues] == ["Buon giorno.", "Come stai?"]
    assert cues[1].start.total_seconds() == SECONDS / 2
    captions = webvtt.from_buffer(io.StringIO(ask(client, response_format="vtt").text))
    assert [caption.text for caption in captions] == ["Buon giorno.", "Come stai?"]


def test_verbose_json(client: TestClient) -> None:
    whole = ask(client, response_format="verbose_json").json()
    assert whole["task"] == "transcribe"
    assert whole["language"] == "italian"
    assert whole["duration"] == pytest.approx(SECONDS)
    assert [segment["start"] for segment in whole["segments"]] == [0.0, SECONDS / 2]
    assert "words" not in whole


def test_word_times(client: TestClient) -> None:
    form = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
    whole = ask(client, **form).json()
    assert [word["word"] for word in whole["words"]] == ["Buon", "giorno.", "Come", "stai?"]
    assert [word["start"] for word in whole["words"]] == [0.0, 1.0, 2.0, 3.0]


def test_what_is_asked_for_arrives_at_the_listener(client: TestClient, listener: Listener) -> None:
    assert ask(client, language="it", prompt="Ciao", temperature=0.4).status_code == 200
    (asked,) = listener.asked
    assert (asked.language, asked.initial_prompt, asked.temperature) == ("it", "Ciao", 0.4)
    assert asked.task == "transcribe"
    assert not asked.word_timestamps


@pytest.mark.parametrize(
    ("fmt", "timed"),
    [("json", False), ("text", False), ("srt", True), ("vtt", True), ("verbose_json", True)],
)
def test_word_times_are_found_where_times_matter(
    client: TestClient, listener: Listener, fmt: str, timed: bool
) -> None:
    for path in (TRANSCRIPTIONS, TRANSLATIONS):
        assert ask(client, path, response_format=fmt).status_code == 200
    assert [asked.word_timestamps for asked in listener.asked] == [timed, timed]


def test_a_track_can_be_chosen(client: TestClient, listener: Listener) -> None:
    tracks = [
        SoundTrack(np.full(RATE_HZ, level, np.float32), RATE_HZ, is_default=level == 0.2)
        for level in (0.1, 0.2)
    ]
    film = make_video("matroska", ("", "flac"), tracks, 1, pictures=False)
    for form in ({}, {"track": "0"}, {"track": "1"}, {"track": "2"}):
        assert ask(client, content=film, **form).status_code == 200
    assert ask(client, content=film, stream="true", track="1").status_code == 200
    levels = [float(heard.samples[100:-100].mean()) for heard in listener.heard]
    assert levels == pytest.approx([0.2, 0.2, 0.1, 0.2, 0.1], abs=0.01)
    for number in ("3", "-1", "two"):
        answer = ask(client, content=film, track=number)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "track"


def test_translation(client: TestClient, listener: Listener) -> None:
    answer = ask(client, TRANSLATIONS, response_format="verbose_json").json()
    assert answer["text"] == "Good morning. How are you?"
    assert answer["task"] == "translate"
    assert listener.asked[0].task == "translate"


@pytest.mark.parametrize(
    ("form", "status", "param"),
    [
        ({"model": "nonsense-9"}, 404, "model"),
        ({"language": "tlh"}, 400, "language"),
        ({"response_format": "docx"}, 400, "response_format"),
        ({"temperature": "hot"}, 400, "temperature"),
        ({"temperature": 3}, 400, "temperature"),
        ({"timestamp_granularities[]": "word"}, 400, "timestamp_granularities"),
        ({"timestamp_granularities[]": "letter"}, 400, "timestamp_granularities"),
    ],
)
def test_bad_fields_are_refused(
    client: TestClient, listener: Listener, form: dict[str, Any], status: int, param: str
) -> None:
    answer = ask(client, **form)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["param"].startswith(param)
    assert not listener.asked


@pytest.mark.parametrize("content", [b"", b"no sound at all", WAV[:40]])
def test_what_is_no_recording_is_refused(client: TestClient, content: bytes) -> None:
    answer = ask(client, content=content)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == "file"


def test_a_request_without_a_file_is_refused(client: TestClient) -> None:
    no_boundary = {"content-type": "multipart/form-data"}
    for answer in (
        client.post(TRANSCRIPTIONS, data={"model": "whisper-1"}),
        client.post(TRANSCRIPTIONS, json={"model": "whisper-1", "file": "x"}),
        client.post(TRANSCRIPTIONS, content=b"--x", headers=no_boundary),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]


def test_nothing_of_a_recording_is_kept(client: TestClient, services: Services) -> None:
    ask(client)
    ask(client, content=b"no sound at all")
    kept = services.settings.cache_folder.rglob
    # It is removed by the thread that worked, just after the answer.
    eventually(lambda: not [path for path in kept("*") if "recording" in path.name])


def test_the_model_by_its_own_name(client: TestClient) -> None:
    assert ask(client, model=LISTENER).status_code == 200


def streamed(client: TestClient, path: str = TRANSCRIPTIONS, **form: Any) -> list[dict[str, Any]]:
    answer = ask(client, path, stream="true", **form)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events.pop() == ""
    assert all(event.startswith("data: ") for event in events)
    return [json.loads(event.removeprefix("data: ")) for event in events]


@pytest.mark.parametrize("fmt", ["json", "text"])
def test_a_streamed_transcript_comes_segment_by_segment(client: TestClient, fmt: str) -> None:
    assert streamed(client, response_format=fmt) == [
        {"type": "transcript.text.delta", "delta": "Buon giorno."},
        {"type": "transcript.text.delta", "delta": " Come stai?"},
        {"type": "transcript.text.done", "text": "Buon giorno. Come stai?"},
    ]
    *_, done = streamed(client, TRANSLATIONS)
    assert done["text"] == "Good morning. How are you?"


@pytest.mark.parametrize("fmt", ["srt", "vtt", "verbose_json"])
def test_only_text_is_streamed(client: TestClient, listener: Listener, fmt: str) -> None:
    answer = ask(client, stream="true", response_format=fmt)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "stream"
    assert not listener.asked


def test_what_is_no_recording_is_refused_before_the_first_event(
    client: TestClient, services: Services
) -> None:
    answer = ask(client, content=b"no sound at all", stream="true")
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "file"
    assert not list(services.settings.cache_folder.glob("recording-*"))


def test_listening_that_fails_ends_the_stream_with_an_error(
    client: TestClient, listener: Listener, services: Services
) -> None:
    def broken(duration_s: float, options: object, cancel: CancelToken) -> Iterator[Segment]:
        yield Segment("Buon giorno.", 0.0, 1.0)
        raise StudioError("The ear broke.", "Load it again.")

    listener._segments = broken  # type: ignore[method-assign]
    first, last = streamed(client)
    assert first["delta"] == "Buon giorno."
    assert last["error"]["message"] == "The ear broke. Load it again."
    assert not list(services.settings.cache_folder.glob("recording-*"))


# -- Speakers --------------------------------------------------------------------------------------


@pytest.fixture
def two_speakers(monkeypatch: pytest.MonkeyPatch) -> list[SpeakerCount]:
    """Each half of a recording is another speaker's; how many were asked for."""
    asked: list[SpeakerCount] = []

    def tell(
        services: Services, speech: Speech, count: SpeakerCount, *others: Any
    ) -> speakers.Diarization:
        asked.append(count)
        half = speech.duration_s / 2
        turns = (Turn(0.0, half, "Speaker 1"), Turn(half, 2 * half, "Speaker 2"))
        return speakers.Diarization(turns, (), {})

    monkeypatch.setattr("modules.tools.listening.transcribe.diarize", tell)
    monkeypatch.setattr("modules.tools.listening.speakers.diarize", tell)
    for place in ("tools.listening.transcribe", "api.diarization"):
        monkeypatch.setattr(f"modules.{place}.require_models", lambda services: None)
    return asked


def test_diarized_json_is_openais(client: TestClient, two_speakers: list[SpeakerCount]) -> None:
    answer = ask(client, model="gpt-4o-transcribe-diarize", response_format="diarized_json")
    whole = TranscriptionDiarized.model_validate(answer.json(), strict=True)
    assert [(part.speaker, part.text) for part in whole.segments] == [
        ("A", "Buon giorno."),
        ("B", "Come stai?"),
    ]
    assert whole.segments[1].start == SECONDS / 2
    assert whole.duration == pytest.approx(SECONDS)
    assert two_speakers == [SpeakerCount()]


def test_other_formats_name_speakers_on_request(
    client: TestClient, two_speakers: list[SpeakerCount]
) -> None:
    form = {"diarize": "true", "min_speakers": "2", "max_speakers": "4"}
    whole = ask(
        client, response_format="verbose_json", timestamp_granularities="word", **form
    ).json()
    assert [part["speaker"] for part in whole["segments"]] == ["Speaker 1", "Speaker 2"]
    assert [word["speaker"] for word in whole["words"]] == ["Speaker 1"] * 2 + ["Speaker 2"] * 2
    assert ask(client, response_format="text", **form).text.startswith("Speaker 1: Buon")
    assert two_speakers == [SpeakerCount(2, 4)] * 2
    assert "speaker" not in ask(client, response_format="verbose_json").json()["segments"][0]


def test_known_speakers_have_their_names(
    client: TestClient, two_speakers: list[SpeakerCount], monkeypatch: pytest.MonkeyPatch
) -> None:
    def recognize(services: Services, voices: Any, known: Any) -> dict[str, str]:
        assert list(known.values()) in ([], [WAV])
        return dict.fromkeys(["Speaker 2"], *known)

    for place in ("transcription", "diarization"):
        monkeypatch.setattr(f"modules.api.{place}.recognize", recognize)
    form = {
        "known_speaker_names[]": "Ben",
        "known_speaker_references[]": f"data:audio/wav;base64,{base64.b64encode(WAV).decode()}",
    }
    parts = ask(client, response_format="diarized_json", **form).json()["segments"]
    assert [part["speaker"] for part in parts] == ["A", "Ben"]
    turns = ask(client, DIARIZATION, **form).json()["segments"]
    assert [turn["speaker"] for turn in turns] == ["SPEAKER_00", "Ben"]


def test_diarization_is_speaches(client: TestClient, two_speakers: list[SpeakerCount]) -> None:
    answer = ask(client, DIARIZATION, max_speakers="3").json()
    assert answer["duration"] == pytest.approx(SECONDS)
    assert answer["segments"][1] == {"start": 2.0, "end": 4.0, "speaker": "SPEAKER_01"}
    lines = ask(client, DIARIZATION, response_format="RTTM").text.splitlines()
    assert lines[0] == "SPEAKER audio 1 0.000 2.000 <NA> <NA> SPEAKER_00 <NA> <NA>"
    assert two_speakers == [SpeakerCount(1, 3), SpeakerCount()]


@pytest.mark.parametrize(
    ("path", "form", "about"),
    [
        (DIARIZATION, {"known_speaker_names[]": "Ben"}, "known_speaker_references"),
        (
            DIARIZATION,
            {"known_speaker_names[]": "Ben", "known_speaker_references[]": "data:,x"},
            "known_speaker_references",
        ),
        (TRANSCRIPTIONS, {"diarize": "true", "min_speakers": 5, "max_speakers": 2}, "min_speakers"),
        (TRANSCRIPTIONS, {"diarize": "true", "max_speakers": 0}, "max_speakers"),
        (TRANSCRIPTIONS, {"diarize": "true", "stream": "true"}, "stream"),
        (TRANSLATIONS, {"response_format": "diarized_json"}, "response_format"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(
    client: TestClient, two_speakers: list[SpeakerCount], path: str, form: Any, about: str
) -> None:
    answer = ask(client, path, **form)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == about
