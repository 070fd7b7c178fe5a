"""What a listener is given: its own rate, hotwords or a prompt; and what it notes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.base import Transcription, TranscriptionInfo
from modules.core_components.ai_models.engines.options import option
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken
from modules.core_components.values import Segment, Speech
from modules.tools.listening.transcribe import (
    TranscribeRequest,
    complete_transcription,
    takes_hotwords,
    transcribe,
)
from modules.tools.listening.transcripts import get_transcript, keep_transcript, read_transcript
from modules.tools.services import Services
from modules.ui.recordings import transcript_json
from modules.ui.tabs.transcribe.tab import _facts
from tests.helpers.fakes import ECHO, EchoListener, fake_entry

KNOWING = "knowing-1"


@dataclass(frozen=True)
class KnowingOptions:
    language: str = option("auto", "Language", "Of the recording.")
    hotwords: str = option("", "Hotwords", "What to expect.")


class KnowingListener(EchoListener):
    """Hears at 24 kHz, can be told what to expect, and has something to note."""

    model_id = KNOWING
    options_type = KnowingOptions

    def __init__(self) -> None:
        self.heard: list[tuple[int, Any]] = []

    def transcribe(
        self, speech: Speech, options: Any, progress: Any, cancel: CancelToken
    ) -> Transcription:
        self.heard.append((speech.sample_rate_hz, options))
        said = (
            Segment("Hello.", 0.0, 0.4, speaker="Speaker 1"),
            Segment("[Music]", 0.4, 0.5),
            Segment("<Hi>.", 0.5, 1.0, speaker="Speaker 2"),
        )
        info = TranscriptionInfo("", 1.0, speech.duration_s, speech.duration_s)
        return Transcription(info, iter(said), ["0:20 to 0:25 could not be written down."])


@pytest.fixture
def listener(services: Services) -> KnowingListener:
    listener = KnowingListener()
    entry = replace(fake_entry(KNOWING, "speech-to-text", ("speakers",)), sample_rate_hz=24_000)
    services.asr.register_engine(KNOWING, lambda *_: listener, entry)
    return listener


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "meeting.wav"
    write_speech(path, Speech(np.full(48_000, 0.1, np.float32), 48_000))
    return path


def test_each_listener_hears_at_its_own_rate(
    services: Services, listener: KnowingListener, recording: Path
) -> None:
    transcribe(services, TranscribeRequest(recording, KNOWING))
    ((rate_hz, options),) = listener.heard
    assert rate_hz == 24_000
    assert options == KnowingOptions()


def test_a_prompt_becomes_hotwords_where_there_is_no_prompt(
    services: Services, listener: KnowingListener, recording: Path
) -> None:
    for name in ("initial_prompt", "hotwords"):
        transcribe(services, TranscribeRequest(recording, KNOWING, options={name: "Zanzibar"}))
    assert [options.hotwords for _, options in listener.heard] == ["Zanzibar"] * 2
    assert takes_hotwords(services, KNOWING)
    assert not takes_hotwords(services, ECHO)
    with pytest.raises(BadInputError, match="no option 'hotwords'"):
        complete_transcription(
            services, TranscribeRequest(recording, ECHO, options={"hotwords": "x"})
        )


def test_notes_and_speakers_are_kept_and_shown(
    services: Services, listener: KnowingListener, recording: Path
) -> None:
    transcript = transcribe(services, TranscribeRequest(recording, KNOWING))
    path = keep_transcript(services, transcript, "meeting")
    assert read_transcript(path) == transcript
    kept = get_transcript(services, path.stem)
    facts = _facts(kept, "Knowing")
    speakers = [part.speaker or "" for part in transcript.segments]
    assert facts["Speakers"] == ", ".join(sorted({*speakers} - {""}))
    assert "could not be written down" in facts["Note"]
    assert facts["Language"] == "unknown"
    shown = transcript_json(kept)["segments"]
    assert [part["speaker"] or "" for part in shown] == speakers
    assert "<Hi>" in "".join(word[0] for part in shown for word in part["words"])
