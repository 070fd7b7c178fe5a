"""Adding a sample and making a dataset: any recording, a speaker's name only where one is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modules.core_components.audio.files import encode_speech
from modules.core_components.values import Speech
from modules.tools.services import Services
from tests.helpers.espeak import espeak
from tests.helpers.recordings import SoundTrack, make_video
from tests.ui.page_client import opened

RATE_HZ = 48_000
UPLOAD, SPEAKER = "Audio or video", "Speaker (optional)"
SENTENCE = "The studio clones a voice from a sample, and then it reads this aloud."


@pytest.fixture(scope="module")
def spoken() -> Any:
    from modules.core_components.audio.resample import resample

    speech = espeak(SENTENCE)
    return resample(speech.samples, speech.sample_rate_hz, RATE_HZ)


@pytest.mark.parametrize(
    ("name", "container", "codecs"),
    [
        ("talk.mp4", "mp4", ("mpeg4", "aac")),
        ("talk.MOV", "mov", ("mpeg4", "aac")),
        ("talk.mkv", "matroska", ("mpeg4", "aac")),
        ("talk.webm", "webm", ("libvpx", "libopus")),
    ],
)
def test_a_video_becomes_a_sample_without_a_speakers_name(
    services: Services, spoken: Any, name: str, container: str, codecs: Any
) -> None:
    video_s = len(spoken) / RATE_HZ
    content = make_video(container, codecs, [SoundTrack(spoken, RATE_HZ)], video_s)
    with opened(services, "Voice Clone") as page:
        page.upload(UPLOAD, name, content)
        page.fill("This is my own voice, or the speaker agreed to this use of it.", True)
        page.click("Add sample")
        assert page.errors == []
    (sample,) = services.samples.list()
    assert sample.duration_s == pytest.approx(video_s, abs=0.2)
    assert sample.consent is not None
    assert (sample.consent.speaker, sample.consent.agreed) == (sample.name, True)


def test_what_was_typed_stays_when_the_sample_is_refused(services: Services) -> None:
    silent = make_video("mp4", ("mpeg4", "aac"), [], 1.0)
    quiet = SoundTrack(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    with opened(services, "Voice Clone") as page:
        for content in (silent, make_video("mp4", ("mpeg4", "aac"), [quiet], 1.0)):
            page.upload(UPLOAD, "film.mp4", content)
            page.fill(SPEAKER, "Zoë")
            page.click("Add sample")  # nobody agreed
            page.fill("This is my own voice, or the speaker agreed to this use of it.", True)
            page.click("Add sample")
            assert len(page.errors) == 2
            assert page.value(SPEAKER) == "Zoë"
            assert [file["orig_name"] for file in page.value(UPLOAD)] == ["film.mp4"]
            page.errors.clear()
            page.fill("This is my own voice, or the speaker agreed to this use of it.", False)
    assert services.samples.list() == ()


def recording(spoken: Any, gain: float) -> bytes:
    return encode_speech(Speech(spoken * np.float32(gain), RATE_HZ), "wav")


def test_several_files_become_samples_and_those_refused_stay_in_the_form(
    services: Services, spoken: Any
) -> None:
    files = [
        ("Morning.wav", recording(spoken, 1.0)),
        ("notes.txt", b"no recording at all"),
        ("Evening.wav", recording(spoken, 0.5)),
        ("silence.wav", recording(spoken, 0.0)),
    ]
    with opened(services, "Voice Clone") as page:
        page.upload_all(UPLOAD, files)
        page.fill(SPEAKER, "Zoë")
        page.click("Add sample")
        assert len(page.errors) == 1
        assert "its owner agreed" in page.errors[0]
        assert len(page.value(UPLOAD)) == 4
        page.fill("This is my own voice, or the speaker agreed to this use of it.", True)
        page.fill("Reference text (optional)", "The studio clones a voice.")
        page.click("Add sample")
        assert "what is said in one recording" in page.errors[-1]
        assert services.samples.list() == ()
        page.fill("Reference text (optional)", "")
        page.click("Add sample")
        assert len(page.errors) == 2
        names = {sample.name: sample for sample in services.samples.list()}
        assert set(names) == {"Morning", "Evening"}
        assert {sample.consent and sample.consent.speaker for sample in names.values()} == {"Zoë"}
        assert [file["orig_name"] for file in page.value(UPLOAD)] == ["notes.txt", "silence.wav"]
        # What is left can be tried again, and changes nothing that was added.
        assert page.value(SPEAKER) == "Zoë"
        page.click("Add sample")
        assert len(services.samples.list()) == 2


def test_several_files_with_one_name_are_numbered(services: Services, spoken: Any) -> None:
    with opened(services, "Voice Clone") as page:
        page.upload_all(UPLOAD, [(f"{gain}.wav", recording(spoken, gain)) for gain in (1.0, 0.5)])
        page.fill("Name (optional)", "Narrator")
        page.fill("This is my own voice, or the speaker agreed to this use of it.", True)
        page.click("Add sample")
        assert page.errors == []
        assert page.value("Name (optional)") == ""
        assert not page.value(UPLOAD)
    assert {sample.name for sample in services.samples.list()} == {"Narrator", "Narrator 2"}


def test_a_dataset_needs_no_speakers_name_either(services: Services) -> None:
    with opened(services, "Dataset") as page:
        page.fill("Name of the dataset", "Evening readings")
        page.click("Create dataset")
        assert len(page.errors) == 1
        assert "agreed" in page.errors[0]
        page.fill("This is my own voice, or the speaker agreed to this use of it.", True)
        assert page.value(SPEAKER) == ""
        page.click("Create dataset")
        assert len(page.errors) == 1
    (dataset,) = services.datasets.list()
    assert (dataset.speaker, dataset.agreed) == ("Evening readings", True)
