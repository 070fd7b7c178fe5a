from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.text.subtitles import FORMATS, render
from modules.core_components.values import Segment, Speech, Transcript, Word
from modules.tools.listening.transcribe import submit_transcription
from modules.tools.listening.transcripts import (
    DeletedTranscripts,
    correct_word,
    delete_transcript,
    export_transcript,
    get_transcript,
    keep_transcript,
    list_transcripts,
    name_speaker,
    transcripts_folder,
)
from modules.tools.services import Services
from tests.helpers.fakes import add_noise

SAID = Transcript(
    text="Good morning. How are you?",
    language="en",
    segments=(
        Segment(
            "Good morning.", 0.0, 1.5, (Word("Good", 0.0, 0.6, 0.9), Word("morning.", 0.6, 1.5))
        ),
        Segment("How are you?", 1.5, 2.5, speaker="B"),
    ),
    duration_s=2.5,
    model_id="echo-1",
    language_probability=0.98,
)


def test_a_kept_transcript_comes_back_whole(services: Services) -> None:
    path = keep_transcript(services, SAID, "../a morning")
    (kept,) = list_transcripts(services)
    assert kept.path == path
    assert kept.transcript == SAID
    assert get_transcript(services, kept.id) == kept


def test_it_is_exported_in_every_format(services: Services) -> None:
    kept_id = keep_transcript(services, SAID, "morning").stem
    srt = export_transcript(services, kept_id, "srt")
    assert srt.parent == services.exports_folder
    assert "00:00:01,500 --> 00:00:02,500" in srt.read_text(encoding="utf-8")
    assert export_transcript(services, kept_id, "vtt").read_text().startswith("WEBVTT")
    with pytest.raises(BadInputError, match="docx"):
        export_transcript(services, kept_id, "docx")


def test_an_id_is_never_a_path(services: Services) -> None:
    keep_transcript(services, SAID, "morning")
    (services.settings.root / "config.json").write_text("{}")
    for evil in ("../../config", "config", "/etc/passwd", ""):
        with pytest.raises(NotFoundError):
            get_transcript(services, evil)


def test_a_damaged_file_does_not_hide_the_others(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    keep_transcript(services, SAID, "morning")
    (transcripts_folder(services) / "broken.json").write_text('{"text": 1')
    with caplog.at_level(logging.WARNING):
        assert len(list_transcripts(services)) == 1
    assert "broken.json" in caplog.text


def test_corrections_are_kept_apart_and_exported(services: Services) -> None:
    path = keep_transcript(services, SAID, "morning")
    before = path.read_bytes()
    correct_word(services, path.stem, 0, 1, "evening.")
    name_speaker(services, path.stem, 1, "Ben")
    kept = get_transcript(services, path.stem)
    assert path.read_bytes() == before
    assert kept.original == SAID
    assert kept.transcript.text == "Good evening. How are you?"
    assert list_transcripts(services) == (kept,)
    exported = {
        fmt: export_transcript(services, path.stem, fmt).read_text(encoding="utf-8")
        for fmt in FORMATS
    }
    for fmt, text in exported.items():
        assert "Good evening." in text, fmt
        assert "Ben" in text, fmt
    correct_word(services, path.stem, 0, 1, "morning.")
    assert get_transcript(services, path.stem).transcript.text == SAID.text


def test_damaged_corrections_are_set_aside(services: Services) -> None:
    path = keep_transcript(services, SAID, "morning")
    correct_word(services, path.stem, 0, 1, "evening.")
    corrections = path.parent / "corrections" / path.name
    for damaged in ("[1]", '{"words": {"a.b": 1}}', '{"words": 3}', "{"):
        corrections.write_text(damaged)
        assert get_transcript(services, path.stem).transcript == SAID
        assert not corrections.exists()


def test_a_transcribed_recording_is_kept_with_its_transcript(
    services: Services, tmp_path: Path
) -> None:
    sample = add_noise(services)
    job = submit_transcription(services, sample.path, "meeting", "", "")
    done = services.jobs.wait(job.id, 20.0)
    kept = get_transcript(services, Path((done.result or {})["transcript"]).stem)
    assert kept.recording is not None
    assert read_speech(kept.recording).duration_s == pytest.approx(sample.duration_s, abs=0.001)


def test_a_deleted_transcript_comes_back_with_recording_and_corrections(
    services: Services,
) -> None:
    path = keep_transcript(services, SAID, "morning", Speech(np.zeros(800, np.float32), 8000))
    kept_id = path.stem
    correct_word(services, kept_id, 0, 1, "evening.")
    before = get_transcript(services, kept_id)
    entry_id = delete_transcript(services, kept_id)
    assert list_transcripts(services) == ()
    assert not [f for f in path.parent.rglob("*") if f.is_file() and ".trash" not in f.parts]
    with pytest.raises(NotFoundError):
        delete_transcript(services, kept_id)
    deleted = DeletedTranscripts(services)
    assert deleted.restore(entry_id) == before
    assert deleted.trash.ids() == ()
    # Another one has its name now.
    entry_id = delete_transcript(services, kept_id)
    path.write_text(render(SAID, "json"), encoding="utf-8")
    restored = deleted.restore(entry_id)
    assert restored.id != kept_id
    assert restored.transcript == before.transcript
    assert restored.recording is not None
    assert get_transcript(services, kept_id).transcript == SAID
