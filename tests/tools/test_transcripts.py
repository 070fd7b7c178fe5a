from __future__ import annotations

import logging

import pytest

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.values import Segment, Transcript, Word
from modules.tools.listening.transcripts import (
    delete_transcript,
    export_transcript,
    get_transcript,
    keep_transcript,
    list_transcripts,
    transcripts_folder,
)
from modules.tools.services import Services

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


def test_deleting(services: Services) -> None:
    kept_id = keep_transcript(services, SAID, "morning").stem
    delete_transcript(services, kept_id)
    assert list_transcripts(services) == ()
    with pytest.raises(NotFoundError):
        delete_transcript(services, kept_id)
