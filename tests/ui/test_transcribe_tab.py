"""Transcribe: what is corrected on the page is kept, shown and exported."""

from __future__ import annotations

import re

from modules.core_components.values import Segment, Transcript, Word
from modules.tools.listening.transcripts import get_transcript, keep_transcript
from modules.tools.services import Services
from tests.ui.page_client import Page, opened

SAID = Transcript(
    text="Good mourning. Fine.",
    language="en",
    segments=(
        Segment(
            "Good mourning.", 0.0, 1.0, (Word("Good", 0.0, 0.5), Word("mourning.", 0.5, 1.0)), "S1"
        ),
        Segment("Fine.", 1.0, 2.0, speaker="S1"),
    ),
    duration_s=2.0,
)


def correct(page: Page, key: str, **made: object) -> None:
    """What the transcript's script sends."""
    page.send(f'<studio-transcript key="{key}"', {"key": key, **made})


def test_corrections_are_kept_and_seen_in_every_format(services: Services) -> None:
    key = keep_transcript(services, SAID, "morning").stem
    with opened(services, "Transcribe") as page:
        page.choose_row(key)
        correct(page, key, kind="word", segment=0, word=1, text="morning.")
        correct(page, key, kind="name", segment=1, name="Anna", everywhere=True)
        assert page.errors == []
        assert "Good morning. Fine." in page.text  # in the list of transcripts
        assert "Corrected words" in page.text
        page.fill("Format", "srt")
        assert "Anna: Good morning." in page.value("Transcript")
    with opened(services, "Transcribe") as page:  # after a restart
        page.choose_row(key)
        page.fill("Format", "txt")
        assert page.value("Transcript") == "Anna: Good morning.\nFine.\n"
    assert get_transcript(services, key).original == SAID


def test_a_refused_correction_has_the_page_read_the_transcript_again(services: Services) -> None:
    key = keep_transcript(services, SAID, "morning").stem
    with opened(services, "Transcribe") as page:
        page.choose_row(key)
        before = re.findall(r"<studio-transcript[^>]*>", page.text)
        correct(page, key, kind="word", segment=7, word=1, text="morning.")
        assert page.errors == []
        after = re.findall(r"<studio-transcript[^>]*>", page.text)
        assert before != after
    assert get_transcript(services, key).corrections.is_empty
