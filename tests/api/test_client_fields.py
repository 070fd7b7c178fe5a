"""Fields, paths and names as clients send them."""

from __future__ import annotations

import base64
import errno
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from fastapi.testclient import TestClient
from openai import OpenAI

from modules.core_components.audio.encode import MEDIA_TYPES, RATE_HZ
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.settings import change
from modules.tools.services import Services
from modules.tools.speaking.request import is_silent
from modules.ui.safety import host_name
from modules.ui.server import create_app
from tests.api.conftest import HERE
from tests.api.listening import Listener
from tests.api.test_access import KEY
from tests.api.test_phonemes import GENERATE, PHONEMIZE, SPELLER, Speller, speller  # noqa: F401
from tests.api.test_speech import say
from tests.api.test_transcription import ask
from tests.helpers.fakes import SINE, SineEngine

SPEECH, CAPTIONED = "/v1/audio/speech", "/dev/captioned_speech"


def speech_fields(**changes: Any) -> dict[str, Any]:
    return {"input": "one two", "voice": "high", "seed": 7, "response_format": "wav", **changes}


@pytest.fixture
def usual(client: TestClient) -> bytes:
    return say(client, input="one two", response_format="wav")


# -- speech ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        *({name: None} for name in ("model", "speed", "stream", "language", "stream_format")),
        dict.fromkeys(("model", "speed", "stream", "language", "stream_format", "instructions")),
        {"voice": {"id": "high"}},
        {"voice": {"id": "HIGH", "name": "anything"}},
        {"voice": "High"},
        {"voice": " high "},
        *({"response_format": fmt} for fmt in ("WAV", "Wav", " wav ")),
        *({"model": name} for name in ("Sine-1", "SINE-1", "tts-1", "TTS-1", "Kokoro", "KOKORO")),
        *({"model": name} for name in ("gpt-4o-mini-tts-2025-12-15", "GPT-4o-mini-TTS", "")),
        *({"language": code} for code in ("en", "EN", "en-US", "en_US", "english", "eng", "a")),
        {"language": ""},
        {"lang_code": "a"},
        {"lang_code": None},
        {"speed": "1.0"},
        {"stream_format": "AUDIO"},
        {"unknown_field": {"of": "another server"}},
    ],
)
def test_what_means_the_same(client: TestClient, usual: bytes, changes: Mapping[str, Any]) -> None:
    answer = client.post(SPEECH, json=speech_fields(**changes))
    assert answer.status_code == 200, answer.text
    assert answer.content == usual


def test_null_means_the_default(client: TestClient, services: Services) -> None:
    answer = client.post(SPEECH, json=dict.fromkeys(("voice", "response_format"), None))
    assert answer.json()["error"]["param"] == "input"
    answer = client.post(SPEECH, json={"input": "one", "voice": None, "response_format": None})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES["mp3"]


@pytest.mark.parametrize("path", [SPEECH, CAPTIONED])
@pytest.mark.parametrize("fmt", ["MP3", "Opus", "AAC", "FLAC", "WAV", "PCM"])
def test_formats_in_any_case(client: TestClient, path: str, fmt: str) -> None:
    answer = client.post(path, json=speech_fields(response_format=fmt, stream=False))
    assert answer.status_code == 200, answer.text
    if path == SPEECH:
        assert answer.headers["content-type"] == MEDIA_TYPES[fmt.lower()]
    else:
        assert answer.json()["audio_format"] == fmt.lower()


@pytest.mark.parametrize(
    ("given", "spoken"),
    [("it", "it"), ("IT", "it"), ("it-IT", "it"), ("italian", "it"), ("ita", "it"), ("i", "it")],
)
def test_languages(client: TestClient, engine: SineEngine, given: str, spoken: str) -> None:
    languages = []
    stream = engine.stream

    def note_language(text: str, voice: Any, options: Any, cancel: Any) -> Iterator[Any]:
        languages.append(options.language)
        return stream(text, voice, options, cancel)

    engine.stream = note_language  # type: ignore[method-assign]
    for field in ("language", "lang_code"):
        for path in (SPEECH, CAPTIONED):
            assert client.post(path, json=speech_fields(**{field: given})).status_code == 200
    assert languages == [spoken] * 4


@pytest.mark.parametrize("given", ["it", "it-IT", "Italian", "i", "en-GB", "b", None, ""])
def test_languages_of_phonemes(client: TestClient, speller: Speller, given: str | None) -> None:  # noqa: F811
    for field in ("language", "lang_code"):
        answer = client.post(PHONEMIZE, json={"model": SPELLER, "text": "One.", field: given})
        assert answer.status_code == 200, answer.text
        assert answer.json()["phonemes"] == "ONE."
    given_phonemes = {"model": SPELLER, "voice": {"id": "high"}, "phonemes": "ONE"}
    assert client.post(GENERATE, json={**given_phonemes, "language": given}).status_code == 200


# -- server-sent events ---------------------------------------------------------------------------


def events_of(content: str) -> list[dict[str, Any]]:
    blocks = content.split("\n\n")
    assert blocks.pop() == ""
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


@pytest.mark.parametrize("stream", [None, True, False])
@pytest.mark.parametrize("fmt", ["pcm", "wav", "flac", "mp3"])
def test_speech_in_openais_events(client: TestClient, fmt: str, stream: bool | None) -> None:
    fields = speech_fields(response_format=fmt, stream=stream, stream_format="SSE")
    answer = client.post(SPEECH, json=fields)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_of(answer.text)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert (len(deltas) == 1) is (stream is False) or fmt in ("flac", "mp3")
    sound = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    whole = client.post(
        SPEECH, json=speech_fields(response_format=fmt, stream=stream is not False)
    ).content
    assert sound == whole
    samples = len(say(client, input="one two", response_format="pcm")) / 2
    assert done == {
        "type": "speech.audio.done",
        "usage": {
            "input_tokens": len("one two"),
            "output_tokens": round(samples / RATE_HZ * 20),
            "total_tokens": len("one two") + round(samples / RATE_HZ * 20),
        },
    }


def test_events_by_the_official_client(official: OpenAI) -> None:
    with official.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts",
        voice={"id": "high"},
        input="one two",
        stream_format="sse",
        response_format="pcm",
    ) as answer:
        lines = [line for line in answer.iter_lines() if line]
    kinds = [json.loads(line.removeprefix("data: "))["type"] for line in lines]
    assert kinds == ["speech.audio.delta"] * (len(kinds) - 1) + ["speech.audio.done"]


def test_what_cannot_be_spoken_is_no_stream_of_events(client: TestClient) -> None:
    answer = client.post(SPEECH, json=speech_fields(voice="nobody", stream_format="sse"))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "voice"


def test_what_fails_in_the_middle_ends_the_events(client: TestClient, engine: SineEngine) -> None:
    def break_off(text: str, voice: Any, options: Any, cancel: Any) -> Iterator[Any]:
        yield from SineEngine.stream(engine, "one", voice, options, cancel)
        raise BadInputError("No sound for this word.")

    engine.stream = break_off  # type: ignore[method-assign]
    answer = client.post(SPEECH, json=speech_fields(response_format="pcm", stream_format="sse"))
    first, last = events_of(answer.text)
    assert first["type"] == "speech.audio.delta"
    assert last["error"]["message"] == "No sound for this word."


# -- emoji ----------------------------------------------------------------------------------------

SILENT = ["😊", "👍🏽", "👨‍👩‍👧", "🇪🇸", "❤️", "😊 😊", "…", "?!", "—", "🎉🎉!", "☺", "✅", "“”"]


@pytest.mark.parametrize("text", SILENT)
def test_a_text_of_emoji_is_a_short_silence(client: TestClient, text: str) -> None:
    answer = client.post(SPEECH, json=speech_fields(input=text))
    assert answer.status_code == 200, answer.text
    speech = read_speech(answer.content)
    assert 0.1 <= speech.duration_s <= 0.5
    assert not speech.samples.any()
    answer = client.post(CAPTIONED, json=speech_fields(input=text, stream=False))
    assert answer.json()["timestamps"] == []


@pytest.mark.parametrize("text", ["a", "7", "℃", "™", "©", "%", "&", "@", "#", "$", "1️⃣", "你", "+"])
def test_what_has_a_reading_is_not_silent(text: str) -> None:
    assert not is_silent(text)


@pytest.mark.parametrize("text", ["", " ", "\n", "[pause:1s]"])
def test_no_text_is_still_refused(client: TestClient, text: str) -> None:
    answer = client.post(SPEECH, json=speech_fields(input=text))
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"


def test_emoji_between_words_are_a_pause(client: TestClient) -> None:
    answer = client.post(SPEECH, json=speech_fields(input="one [pause:1s] 😊 [pause:1s] two"))
    assert answer.status_code == 200
    assert read_speech(answer.content).duration_s > 2.2


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"voice": {"id": None}}, "voice"),
        ({"voice": {"name": "high"}}, "voice"),
        ({"voice": ["high"]}, "voice"),
        ({"voice": {"id": "nobody"}}, "voice"),
        ({"language": "klingon"}, "language"),
        ({"lang_code": "de"}, "language"),
        ({"language": 7}, "language"),
        ({"response_format": "MIDI"}, "response_format"),
        ({"stream_format": "websocket"}, "stream_format"),
        ({"speed": ""}, "speed"),
        ({"input": "[speed:9]one"}, "input"),
        ({"model": "nonsense"}, "model"),
        ({"seed": 2**31}, "seed"),
    ],
)
def test_every_refusal_names_its_field(
    client: TestClient, changes: dict[str, Any], param: str
) -> None:
    for path in (SPEECH,) if "stream_format" in changes else (SPEECH, CAPTIONED):
        answer = client.post(path, json=speech_fields(**changes))
        assert answer.status_code in (400, 404), answer.text
        assert answer.json()["error"]["param"] == param


def test_an_engines_refusal_is_about_the_text(client: TestClient, engine: SineEngine) -> None:
    def refuse(text: str, voice: Any, options: Any, cancel: Any) -> Iterator[Any]:
        raise BadInputError("There are no phonemes for this.")

    engine.stream = refuse  # type: ignore[method-assign]
    for path in (SPEECH, CAPTIONED):
        for changes in ({}, {"stream": False}, {"stream_format": "sse"}):
            answer = client.post(path, json=speech_fields(**changes))
            assert answer.status_code == 400
            assert answer.json()["error"]["param"] == "input"


@pytest.mark.parametrize(
    ("number", "status", "words"),
    [
        (errno.ENOSPC, 503, "no room on the disk"),
        (errno.EROFS, 503, "its disk is read-only"),
        (errno.EIO, 500, "its log says why"),
    ],
)
def test_a_disk_that_cannot_be_written_to(
    client: TestClient, engine: SineEngine, number: int, status: int, words: str
) -> None:
    def refuse(text: str, voice: Any, options: Any, cancel: Any) -> Iterator[Any]:
        raise OSError(number, "refused", "/data/a.wav")

    engine.stream = refuse  # type: ignore[method-assign]
    answer = client.post(SPEECH, json=speech_fields())
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


def test_an_upload_to_a_full_disk(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(self: Any, *given: Any, **more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("starlette.datastructures.UploadFile.write", refuse)
    answer = ask(client)
    assert answer.status_code == 503
    assert "no room on the disk" in answer.json()["error"]["message"]


def test_a_body_that_is_no_json_says_so(client: TestClient) -> None:
    answer = client.post(SPEECH, content=b"input=one", headers={"content-type": "text/plain"})
    assert answer.status_code == 400
    assert "application/json" in answer.json()["error"]["message"]


# -- transcription --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {"timestamp_granularities[]": "word"},
        {"timestamp_granularities": "word"},
        {"timestamp_granularities": ["word", "segment"]},
        {"timestamp_granularities[]": ["segment", "word"]},
        {"timestamp_granularities[0]": "word", "timestamp_granularities[1]": "segment"},
        {"timestamp_granularities": "segment,word"},
        {"timestamp_granularities": '["word"]'},
        {"timestamp_granularities": "word", "timestamp_granularities[]": "segment"},
    ],
)
def test_word_times_however_they_are_asked_for(client: TestClient, form: Any) -> None:
    answer = ask(client, response_format="Verbose_JSON", **form)
    assert answer.status_code == 200, answer.text
    assert [word["word"] for word in answer.json()["words"]] == ["Buon", "giorno.", "Come", "stai?"]


@pytest.mark.parametrize(
    "form", [{}, {"timestamp_granularities": "segment"}, {"timestamp_granularities[]": ""}]
)
def test_no_word_times_unless_they_are_asked_for(client: TestClient, form: Any) -> None:
    assert "words" not in ask(client, response_format="verbose_json", **form).json()


@pytest.mark.parametrize("name", ["timestamp_granularities", "timestamp_granularities[]"])
def test_other_granularities_are_refused(client: TestClient, name: str) -> None:
    answer = ask(client, response_format="verbose_json", **{name: "letter"})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "timestamp_granularities"


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        *(
            (name, "en")
            for name in ("en", "EN", "en-US", "en_GB", "english", "English", "eng", "a")
        ),
        *((name, "it") for name in ("it", "it-IT", "italian", "Italiano", "ita", "i", " it ")),
        *((name, "auto") for name in ("", "auto", "AUTO")),
    ],
)
def test_languages_of_recordings(
    client: TestClient, listener: Listener, given: str, asked: str
) -> None:
    assert ask(client, language=given).status_code == 200
    assert listener.asked[0].language == asked


def test_the_answered_language_can_be_sent_back(client: TestClient, listener: Listener) -> None:
    language = ask(client, response_format="verbose_json").json()["language"]
    assert ask(client, language=language).status_code == 200
    assert (language, listener.asked[-1].language) == ("italian", "it")


@pytest.mark.parametrize(
    ("model", "fmt"),
    [
        ("Whisper-1", "JSON"),
        ("WHISPER-1", "Text"),
        ("EAR-1", "SRT"),
        ("GPT-4o-transcribe", "VTT"),
        ("", "VERBOSE_JSON"),
    ],
)
def test_models_and_formats_of_transcripts(client: TestClient, model: str, fmt: str) -> None:
    answer = ask(client, model=model, response_format=fmt)
    assert answer.status_code == 200, answer.text


# -- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [f"{SPEECH}/", "/v1//audio/speech", "//v1/audio/speech", "/v1/audio/speech//"]
)
def test_slashes_too_many(client: TestClient, usual: bytes, path: str) -> None:
    answer = client.post(f"{HERE}{path}", json=speech_fields(), follow_redirects=False)
    assert answer.status_code == 200, answer.text
    assert answer.content == usual


@pytest.mark.parametrize(
    "path",
    ["/health", "/v1/models", "/v1/models/tts-1", "/v1/audio/voices", "/dev/models", "/dev/queue"],
)
def test_every_reading_path_with_a_slash_and_by_head(client: TestClient, path: str) -> None:
    read = client.get(path)
    assert client.get(f"{path}/", follow_redirects=False).json() == read.json()
    for written in (path, f"{path}/", f"{HERE}/{path}"):
        head = client.head(written, follow_redirects=False)
        assert head.status_code == 200, written
        assert head.content == b""
        assert head.headers["content-type"] == read.headers["content-type"]
        assert head.headers["content-length"] == read.headers["content-length"]


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/openapi.json", "/openapi.json/"])
def test_documentation_by_head(client: TestClient, path: str) -> None:
    assert client.head(path).status_code == 200


def test_models_by_their_name_in_any_case(client: TestClient) -> None:
    for name in ("TTS-1", "Kokoro", SINE.upper()):
        assert client.get(f"/v1/models/{name}").json()["id"] == name.lower()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("HEAD", SPEECH, 405),
        ("HEAD", "/v1/nothing", 404),
        ("OPTIONS", SPEECH, 405),
        ("OPTIONS", "/v1/nothing", 404),
        ("GET", f"{SPEECH}/", 405),
        ("GET", "/v1", 404),
        ("POST", "/dev", 404),
        ("GET", "/v1/", 404),
        ("GET", "/v1//", 404),
    ],
)
def test_other_methods_and_paths_do_not_build_the_page(
    services: Services, monkeypatch: pytest.MonkeyPatch, method: str, path: str, status: int
) -> None:
    monkeypatch.setattr("modules.ui.server._build_page", lambda *given: pytest.fail("built"))
    with TestClient(create_app(services), base_url=HERE) as client:
        answer = client.request(method, path)
        assert answer.status_code == status
        assert method == "HEAD" or answer.json()["error"]["message"]


@pytest.mark.parametrize("path", ["//v1/models", "/v1//models", "/v1/models/", "///v1/models//"])
def test_no_path_leads_around_the_key(services: Services, path: str) -> None:
    with TestClient(create_app(services, api_key=KEY), base_url=HERE) as client:
        for method in ("GET", "HEAD"):
            assert client.request(method, f"{HERE}{path}").status_code == 401
        headers = {"authorization": f"Bearer {KEY}".encode()}
        assert client.get(f"{HERE}{path}", headers=headers).status_code == 200


# -- host names -----------------------------------------------------------------------------------


def studio_with_hosts(services: Services, names: str) -> TestClient:
    services.settings = change(services.settings, allowed_hosts=names)
    return TestClient(create_app(services), base_url=HERE)


def test_another_host_name_is_refused_in_openais_shape(services: Services) -> None:
    headers = {"host": "host.docker.internal:7860"}
    with studio_with_hosts(services, "") as client:
        for path in ("/v1/models", "/health", "/dev/queue", "/docs"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 400
            error = answer.json()["error"]
            assert (error["param"], error["code"]) == ("Host", "host_not_allowed")
            assert "allowed_hosts" in error["message"]
        shown = client.get("/", headers=headers).text
        assert "Allowed host names" in shown
        assert "allowed_hosts" not in shown


@pytest.mark.parametrize(
    ("names", "host"),
    [
        ("host.docker.internal", "host.docker.internal:7860"),
        ("host.docker.internal", "HOST.docker.internal"),
        ("studio.local, Host.Docker.Internal", "host.docker.internal."),
        ("*.example.org", "studio.example.org:7860"),
        ("", "localhost:7860"),
        ("", "[::1]:7860"),
        ("", "127.0.0.1"),
    ],
)
def test_a_name_of_the_setting_is_let_in(services: Services, names: str, host: str) -> None:
    with studio_with_hosts(services, names) as client:
        assert client.get("/health", headers={"host": host}).status_code == 200
        for other in ("evil.example", "example.org", "xhost.docker.internal", "", "127.0.0.1.evil"):
            assert client.get("/health", headers={"host": other}).status_code == 400


@pytest.mark.parametrize("names", ["*", "http://studio", "studio:7860", "studio/", "*.*", "a b;c"])
def test_an_invalid_host_name(services: Services, names: str) -> None:
    with pytest.raises(BadInputError, match="is not a host name"):
        change(services.settings, allowed_hosts=names)


def test_a_list_of_host_names(services: Services) -> None:
    changed = change(services.settings, allowed_hosts=["A.local", "b.local"])
    assert changed.allowed_hosts == "a.local, b.local"


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("A.b:1", "a.b"),
        ("[::1]:1", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
        ("a.", "a"),
        ("[", "[]"),
    ],
)
def test_host_headers(header: str, name: str) -> None:
    assert host_name(header) == name


def test_a_foreign_page_is_refused_in_openais_shape(services: Services) -> None:
    with studio_with_hosts(services, "") as client:
        answer = client.post(
            SPEECH, json=speech_fields(), headers={"origin": "http://evil.example"}
        )
        assert answer.status_code == 403
        assert answer.json()["error"]["param"] == "Origin"
