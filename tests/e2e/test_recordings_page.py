"""Recordings on the page: transcribed, taken as samples, refused, cleaned; with starter models."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech
from tests.e2e.conftest import START_S, StudioProcess
from tests.e2e.studio_page import SPEAKING_MS, StudioPage
from tests.helpers.recordings import SoundTrack, make_video

pytestmark = pytest.mark.e2e

SENTENCE = (
    "The ship came in at noon, with nine sailors and a cat. They had been away for three long "
    "years, and nobody in the town remembered their names."
)


@pytest.fixture(scope="module")
def spoken(studio: StudioProcess, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of SENTENCE."""
    recording = tmp_path_factory.mktemp("spoken") / "ship.wav"
    asked = {"input": SENTENCE, "voice": "af_heart", "response_format": "wav"}
    answer = httpx.post(f"{studio.url}/v1/audio/speech", json=asked, timeout=START_S)
    recording.write_bytes(answer.raise_for_status().content)
    return recording


def test_a_recording_is_transcribed(screen: StudioPage, spoken: Path) -> None:
    page = screen.page
    screen.open_tab("Transcribe")
    screen.upload(spoken)
    screen.button("Transcribe").dblclick()
    expect(screen.text("Words with a dotted line")).to_be_visible(timeout=SPEAKING_MS)
    page.get_by_label("Text", exact=True).check()
    shown = page.locator("textarea").locator("visible=true").last
    expect(shown).not_to_be_empty()
    assert word_error_rate(SENTENCE, shown.input_value()) == 0
    page.get_by_label("SRT", exact=True).check()
    expect(shown).to_have_value(re.compile(r"^1\n00:00:0\d,\d{3} --> "))
    with page.expect_download() as download:
        screen.button("Download srt").click()
    content = Path(download.value.path()).read_text(encoding="utf-8")
    assert content.startswith("1\n00:00:00,")
    expect(screen.rows()).to_have_count(1)
    page.get_by_role("radio", name="Words", exact=True).check()
    said = page.get_by_role("region", name="Transcript")
    said.get_by_role("button", name="ship", exact=True).dblclick()
    corrected = page.get_by_label("Correct “ship”")
    corrected.fill("boat")
    corrected.press("Enter")
    expect(screen.rows().first).to_contain_text("boat")
    said.get_by_role("button", name="boat", exact=True).press("Enter")
    expect(page.get_by_role("group", name="Recording").get_by_text("Pause")).to_be_visible()
    with page.expect_download() as download:
        screen.button("Download txt").click()
    assert "boat" in Path(download.value.path()).read_text(encoding="utf-8")


def test_every_kind_of_recording_is_taken(screen: StudioPage, spoken: Path, tmp_path: Path) -> None:
    """Also those whose endings the system does not know, by their content."""
    speech = read_speech(spoken, 48_000)
    track = SoundTrack(speech.samples, 48_000)
    quiet = replace(track, samples=np.zeros_like(speech.samples), language="eng")
    loud = replace(track, language="fra", is_default=True)
    kinds = {
        "base.caf": ("caf", ("", "pcm_s16be"), [track]),
        "clip.ts": ("mpegts", ("mpeg2video", "mp2"), [track]),
        "film.MKV": ("matroska", ("mpeg4", "aac"), [quiet, loud]),
        "recording": ("matroska", ("mpeg4", "aac"), [quiet, loud]),
    }
    screen.open_tab("Transcribe")
    for name, (container, codecs, tracks) in kinds.items():
        path = tmp_path / name
        has_pictures = bool(codecs[0])
        path.write_bytes(make_video(container, codecs, tracks, 2.0, pictures=has_pictures))
        screen.upload(path)
        if len(tracks) > 1:
            expect(screen.menu("Audio track")).to_have_value("2 (French), default")
        else:
            expect(screen.menu("Audio track")).to_have_count(0)
        if name != "recording":
            screen.button("Clear").last.click()
    expect(screen.message("Invalid file type")).to_have_count(0)
    screen.button("Transcribe").click()
    expect(screen.text("Audio track 2 of 2: 1 (English), 2 (French).")).to_be_visible(
        timeout=SPEAKING_MS
    )
    screen.open_tab("Voice Clone")
    screen.add_sample(tmp_path / "base.caf", "From a caf", "Nobody")
    expect(screen.message("From a caf is ready")).to_be_visible()


def test_bad_recordings_are_refused_in_words(
    screen: StudioPage, spoken: Path, tmp_path: Path
) -> None:
    speech = read_speech(spoken)
    no_audio = tmp_path / "notes.wav"
    no_audio.write_text("This is no recording at all.")
    silent = tmp_path / "silent.wav"
    write_speech(silent, Speech(np.zeros(5 * 16_000, np.float32), 16_000))
    short = tmp_path / "short.wav"
    half = speech.samples[: speech.sample_rate_hz // 2]
    write_speech(short, Speech(half, speech.sample_rate_hz))
    screen.open_tab("Transcribe")
    screen.upload(no_audio)
    screen.button("Transcribe").click()
    # Nothing is queued: what is wrong stays at the field until the file is gone.
    refused = screen.page.locator(".studio-field-error").locator("visible=true")
    expect(refused).to_contain_text("notes.wav")
    screen.button("Clear").first.click()
    expect(refused).to_have_count(0)
    screen.open_tab("Voice Clone")
    for recording, words in ((silent, "silent"), (short, "seconds of speech|Nobody")):
        screen.add_sample(recording, "Nobody", "Nobody")
        expect(screen.message(words).first).to_be_visible()
        expect(screen.button("Add sample")).to_be_enabled()
        screen.button("Clear").first.click()
    # No reload in between: the form takes the next recording.
    whole = tmp_path / "whole.wav"
    write_speech(
        whole, Speech(speech.samples[: -speech.sample_rate_hz // 2], speech.sample_rate_hz)
    )
    screen.add_sample(whole, "Somebody after all", "Nobody")
    expect(screen.message("Somebody after all is ready")).to_be_visible()


def test_a_voice_is_not_taken_without_consent(
    screen: StudioPage, spoken: Path, studio: StudioProcess, tmp_path: Path
) -> None:
    speech = read_speech(spoken)
    own = tmp_path / "own.wav"  # what is in the library already would not be another sample
    write_speech(own, Speech(speech.samples[: -speech.sample_rate_hz], speech.sample_rate_hz))
    screen.add_sample(own, "Stolen", "Somebody", agreed=False)
    expect(screen.message("owner agreed")).to_be_visible()
    assert not list((studio.root / "samples").glob("Stolen*"))
    # What was typed is still there, and consent can be given now.
    screen.page.get_by_label("This is my own voice", exact=False).check()
    screen.button("Add sample").click()
    expect(screen.message("Stolen is ready")).to_be_visible()


def test_a_strange_name_is_kept_as_typed_and_safe_on_disk(
    screen: StudioPage, spoken: Path, studio: StudioProcess
) -> None:
    name = "../Zoë 🎤/.."
    screen.add_sample(spoken, name, "Zoë")
    expect(screen.message("is ready")).to_be_visible()
    expect(screen.menu("Sample")).to_have_value(name)
    assert (studio.root / "samples" / "Zoë.wav").is_file()
    screen.button("Transcribe sample").click()
    words = screen.page.get_by_role("textbox", name=re.compile("^Reference text What is said"))
    expect(words).not_to_be_empty(timeout=SPEAKING_MS)
    transcribed = words.input_value()
    assert word_error_rate(SENTENCE, transcribed) == 0
    screen.button("Remove noise").click()
    expect(screen.menu("Sample")).to_have_value(f"{name} (noise removed)", timeout=SPEAKING_MS)
    expect(words).to_have_value(transcribed)
    both = screen.page.get_by_role("region", name="Before and after")
    for name_of_player in ("Before", "After"):
        player = both.get_by_role("group", name=name_of_player, exact=True)
        # Its recording has arrived, which is about to be deleted.
        expect(player.get_by_role("button", name="Play", exact=True)).to_be_enabled()
    for shown in (f"{name} (noise removed)", name):
        expect(screen.menu("Sample")).to_have_value(shown)
        screen.button("Delete sample").click()
        screen.button("Delete").click()
        expect(screen.menu("Sample")).not_to_have_value(shown)
        if shown != name:
            screen.choose("Sample", name)
    assert not (studio.root / "samples" / "Zoë.wav").exists()
