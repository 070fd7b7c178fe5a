"""An error that is about a field names it, so that the page shows it there too."""

from __future__ import annotations

import re

import numpy as np

from modules.core_components.audio.encode import encode_speech
from modules.core_components.settings import describe_settings
from modules.core_components.values import Speech
from modules.tools.services import Services
from modules.ui.field_labels import field_labels
from modules.ui.page import head_html
from tests.ui.page_client import Page, opened


def field_of(page: Page) -> str:
    """What the last error is about."""
    found = re.search(r'class="studio-refused about-(\w+)"', page.errors[-1])
    assert found, page.errors[-1]
    return found[1]


def test_a_bad_setting_is_shown_at_its_field(services: Services) -> None:
    (item,) = (item for item in describe_settings() if item.label == "Voice match steps")
    with opened(services, "Settings") as page:
        page.fill(item.label, -5)
        page.click("Save")
        assert field_labels()[field_of(page)] == (item.label,)


def test_all_bad_settings_are_shown_each_at_its_field(services: Services) -> None:
    with opened(services, "Settings") as page:
        page.fill("Voice match steps", -5)
        page.fill("Port", 99_999)
        page.click("Save")
        found = re.findall(r'class="studio-refused about-(\w+)">([^<]+)', page.errors[-1])
    labels = {field_labels()[about][0]: message for about, message in found}
    assert labels == {
        "Voice match steps": "Voice match steps is -5.",
        "Port": "Port is 99999.",
    }


def test_forms_say_which_field_is_missing(services: Services) -> None:
    with opened(services, "Voice Clone") as page:
        page.click("Add sample")
        assert field_of(page) == "recording"
        page.upload_all("Audio or video", [("a.wav", wav(0.1))])
        page.click("Add sample")
        assert field_of(page) == "consent"
        page.click("Generate")
        assert field_of(page) in ("text", "voice")
    with opened(services, "Dataset") as page:
        page.fill("Name of the dataset", "Anna")
        page.click("Create dataset")
        assert field_of(page) == "consent"


def test_a_recording_that_cannot_be_transcribed_is_refused_before_a_job_is_queued(
    services: Services,
) -> None:
    refused = {"notes.txt": b"Not a recording at all.", "quiet.wav": wav(0.0)}
    with opened(services, "Transcribe") as page:
        for name, content in refused.items():
            page.upload("Audio or video", name, content)
            page.click("Transcribe")
            assert name in page.errors[-1]
            assert field_of(page) == "recording"
        assert "is silent" in page.errors[-1]
    assert not services.jobs.list()


def test_every_label_is_on_the_page(services: Services) -> None:
    assert all(label in head_html() for label in ("Audio or video", "Voice match steps"))


def wav(level: float) -> bytes:
    tone = level * np.sin(np.arange(16_000) / 8)
    return encode_speech(Speech(tone.astype(np.float32), 16_000), "wav")
