"""A model that is missing, deleted or broken, and another one in its place: never silently."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models.engines.base import Transcription
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelMissingError,
    NotFoundError,
)
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.listening.transcribe import TranscribeRequest, transcribe
from modules.tools.models.fallback import choose_listening_model, choose_speaking_model
from modules.tools.services import Services
from modules.tools.speaking.history import make_again
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.speech import speak
from tests.helpers.fakes import ECHO, RATE_HZ, SINE, EchoListener, SineEngine, add_noise, fake_entry

# Of the catalog, and not downloaded.
GONE, UNHEARD = "kokoro-v0.19", "whisper-tiny"
BROKEN, DEAF = "broken-1", "deaf-1"


class BrokenEngine(SineEngine):
    """Whose files look well until they are loaded; after `pieces` of a text it fails, too."""

    model_id = BROKEN
    pieces = 0

    def stream(self, *arguments: Any) -> Iterator[Speech]:
        spoken = super().stream(*arguments)
        for _ in range(self.pieces):
            yield next(spoken)
        raise CorruptFileError("model.safetensors of broken-1 is not whole.")


class DeafListener(EchoListener):
    model_id = DEAF

    def transcribe(self, *arguments: Any) -> Transcription:
        raise CorruptFileError("model.bin of deaf-1 is not whole.")


@pytest.fixture
def broken(services: Services) -> BrokenEngine:
    """Beside the two models that work, two that are broken."""
    engine = BrokenEngine()
    speaks = fake_entry(BROKEN, "text-to-speech", ("clone", "stock-voices"))
    services.tts.register_engine(BROKEN, lambda entry, context: engine, speaks)
    services.asr.register_engine(
        DEAF, lambda entry, context: DeafListener(), fake_entry(DEAF, "speech-to-text", ())
    )
    return engine


@pytest.fixture
def fallback(services: Services, broken: BrokenEngine) -> None:
    services.change_settings({"fallback_tts_model": SINE, "fallback_asr_model": ECHO})


def request(**changes: Any) -> SpeechRequest:
    wanted = SpeechRequest("Good day.", "high", "preset", GONE, seed=1, score=False)
    return dataclasses.replace(wanted, **changes)


def test_without_a_fallback_what_is_missing_is_an_error(
    services: Services, broken: BrokenEngine
) -> None:
    assert choose_speaking_model(services, GONE).model_id == GONE
    with pytest.raises(CorruptFileError):
        speak(services, request(engine=BROKEN))


@pytest.mark.usefixtures("fallback")
def test_the_take_says_which_model_spoke_and_why(services: Services) -> None:
    take = speak(services, request(options={"steady": True, "speed": 1.5}))
    kept = services.takes.get(take.id)
    assert (kept.model_id, kept.engine, kept.options["speed"]) == (SINE, "Sine 1", 1.5)
    (note,) = kept.notes
    assert note.startswith("Kokoro 82M v0.19 is not installed.")
    assert "sine-1 is used instead" in note
    assert not speak(services, request(engine=SINE)).notes
    (sample_note,) = speak(services, request(voice=add_noise(services).name, kind="sample")).notes
    assert sample_note == note


@pytest.mark.usefixtures("fallback")
def test_what_the_fallback_cannot_do_is_refused_and_what_it_lacks_is_told(
    services: Services,
) -> None:
    with pytest.raises(BadInputError, match=r"^Kokoro 82M v0.19 .* no voice 'af_heart'"):
        complete_speech(services, request(voice="af_heart"))
    with pytest.raises(BadInputError, match=r"sine-1 is used .* does not speak 'ja'"):
        complete_speech(services, request(language="ja"))
    with pytest.raises(BadInputError, match=r"sine-1 is used .* voice from a description"):
        complete_speech(services, request(kind="description", voice="An old man."))
    completed = complete_speech(services, request(options={"temperature": 0.7, "speed": 9.0}))
    assert completed.given == {}
    assert completed.note.endswith("Left out, as it has no such options: temperature, speed.")
    with pytest.raises(NotFoundError):  # a mistyped name is no missing model
        complete_speech(services, request(engine="gnoe-1"))


@pytest.mark.usefixtures("fallback")
def test_what_turns_out_broken_gives_way_before_the_first_sound_only(
    services: Services, broken: BrokenEngine
) -> None:
    take = speak(services, request(engine=BROKEN))
    assert take.model_id == SINE
    assert "model.safetensors of broken-1 is not whole. sine-1 is used instead." in take.notes
    broken.pieces = 1
    heard: list[Speech] = []
    with pytest.raises(CorruptFileError):
        speak(services, request(engine=BROKEN), on_piece=heard.append)
    assert len(heard) == 1


@pytest.mark.usefixtures("fallback")
def test_making_a_take_again_is_for_its_own_model_only(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = speak(services, request(engine=SINE))
    services.change_settings({"fallback_tts_model": BROKEN})

    def gone(*arguments: Any) -> Iterator[Speech]:
        raise ModelMissingError("sine-1 is not on this machine.")

    monkeypatch.setattr(SineEngine, "stream", gone)
    with pytest.raises(ModelMissingError):
        make_again(services, take.id)


@pytest.mark.usefixtures("fallback")
def test_files_that_are_not_whole_are_found_before_loading(services: Services) -> None:
    entry = services.catalog.entry(UNHEARD)
    folder = services.catalog.folder(entry)
    folder.mkdir(parents=True)
    for file in entry.files:
        (folder / file.name).write_bytes(b"half of it")
    choice = choose_listening_model(services, UNHEARD)
    assert choice.model_id == ECHO
    assert "A file of Whisper tiny is damaged" in choice.note


@pytest.mark.usefixtures("fallback")
def test_listening_falls_back_and_the_transcript_says_so(
    services: Services, tmp_path: Path
) -> None:
    recording = tmp_path / "said.wav"
    soundfile.write(recording, np.zeros(RATE_HZ, np.float32), RATE_HZ)
    wanted = TranscribeRequest(recording, DEAF)
    heard = transcribe(services, wanted)
    assert heard.model_id == ECHO
    (note,) = heard.notes
    assert "model.bin of deaf-1 is not whole. echo-1 is used instead." in note
    missing = TranscribeRequest(recording, UNHEARD, options={"initial_prompt": "Ada"})
    (note,) = transcribe(services, missing).notes
    assert note.endswith("no such options: initial prompt.")
    with pytest.raises(CorruptFileError):
        transcribe(services, dataclasses.replace(wanted, may_fall_back=False), cancel=CancelToken())
    assert choose_listening_model(services).model_id == ECHO


@pytest.mark.usefixtures("fallback")
def test_the_command_line_tells_it_too(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    speaking: Callable[..., list[str]] = lambda voice: [  # noqa: E731
        "--data-root", str(services.settings.root), "speak", "--voice", voice, "--engine", GONE,
        "--text", "Good day.", "--out", str(tmp_path / "out.wav"), "--json",
    ]  # fmt: skip
    spoken = json.loads(CliRunner().invoke(app, speaking("low")).stdout)
    assert spoken["model_id"] == SINE
    assert "is used instead" in spoken["notes"][0]
    refused = CliRunner().invoke(app, speaking("af_heart"))
    assert refused.exit_code == 1
    assert "sine-1 is used instead. But" in json.loads(refused.stdout)["error"]
