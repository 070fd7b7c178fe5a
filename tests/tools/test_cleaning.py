"""Cleaned copies of recordings, and what is said about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.measure import loudness_lufs, peak, signal_to_noise_db
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.jobs.job import DONE
from modules.core_components.values import Consent, Speech
from modules.tools.listening.cleaning import CleaningRequest, clean_recording
from modules.tools.services import Services
from modules.tools.voices.remedies import IMPROVE, improve_sample, submit_remedy
from modules.tools.voices.samples import add_sample
from modules.ui.widgets.sample_panel import SamplePanel
from tests.conftest import ROOT
from tests.helpers.fakes import fake_studio
from tests.helpers.waiting import eventually


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of a voice in hiss, off zero, in a file of its own."""
    voice = read_speech(ROOT / "docs" / "voice_match" / "allison-1.mp3", 24_000)
    samples = voice.samples[:72_000]
    hiss = np.random.default_rng(2).standard_normal(len(samples)).astype(np.float32)
    path = tmp_path_factory.mktemp("recording") / "Ana María.wav"
    write_speech(path, Speech(samples * 0.5 + hiss * np.float32(0.01) + np.float32(0.02), 24_000))
    return path


def test_a_copy_is_cleaned_and_the_original_stays(recording: Path, tmp_path: Path) -> None:
    original = recording.read_bytes()
    steps: list[str] = []
    cleaned = clean_recording(
        CleaningRequest(recording, tmp_path), lambda fraction, message: steps.append(message)
    )
    assert recording.read_bytes() == original
    assert cleaned.written == tmp_path / "Ana María-clean.wav"
    assert steps[-1] == "Done"
    before, after = cleaned.before, cleaned.after
    assert before.offset == pytest.approx(0.02, abs=0.002)
    assert abs(after.offset) < 0.001
    assert before.signal_to_noise_db is not None
    assert after.signal_to_noise_db is not None
    assert after.signal_to_noise_db > before.signal_to_noise_db + 10
    kept = read_speech(cleaned.written)
    assert kept.duration_s == read_speech(recording).duration_s
    report = json.loads(cleaned.written.with_suffix(".json").read_text(encoding="utf-8"))
    assert report["steps"] == ["removed an offset of 0.020", "removed noise (DeepFilterNet 3)"]
    assert report["source"] == "Ana María.wav"
    assert len(report["source_sha256"]) == 64
    assert report["after"]["signal_to_noise_db"] == after.signal_to_noise_db


def test_an_earlier_copy_is_kept(recording: Path, tmp_path: Path) -> None:
    level = CleaningRequest(recording, tmp_path, denoise=False, target_lufs=-25.0)
    names = [clean_recording(level).written.name for _ in range(3)]
    assert names == ["Ana María-clean.wav", "Ana María-clean-2.wav", "Ana María-clean-3.wav"]
    assert len(list(tmp_path.iterdir())) == 6


@pytest.mark.parametrize("fmt", ["wav", "flac", "mp3"])
def test_the_loudness_is_the_one_wanted(recording: Path, tmp_path: Path, fmt: str) -> None:
    request = CleaningRequest(recording, tmp_path, target_lufs=-23.0, denoise=False, fmt=fmt)
    kept = read_speech(clean_recording(request).written)
    # mp3 leaves out the highest of the hiss.
    assert loudness_lufs(kept) == pytest.approx(-23.0, abs=0.6 if fmt == "mp3" else 0.1)


def test_peaks_limit_the_loudness(recording: Path, tmp_path: Path) -> None:
    cleaned = clean_recording(CleaningRequest(recording, tmp_path, target_lufs=-10.0))
    assert "Its peaks allow" in cleaned.notes[0]
    assert peak(read_speech(cleaned.written)) == pytest.approx(0.89, abs=0.01)


def test_clipping_is_reported(recording: Path, tmp_path: Path) -> None:
    loud = read_speech(recording)
    clipped = tmp_path / "clipped.wav"
    write_speech(clipped, replace(loud, samples=np.clip(loud.samples * 20, -1, 1)))
    cleaned = clean_recording(CleaningRequest(clipped, tmp_path))
    assert "is clipped, which cannot be undone" in cleaned.notes[-1]


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    write_speech(silence, Speech(np.zeros(24_000, np.float32), 24_000))
    cleaned = clean_recording(CleaningRequest(silence, tmp_path, target_lufs=-20.0))
    assert "cannot be measured" in cleaned.notes[0]
    assert cleaned.after.loudness_lufs is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target_lufs": 0.0}, "out of range"),
        ({"target_lufs": float("nan")}, "out of range"),
        ({"fmt": "ogg"}, "Unknown format"),
        ({"denoise": False}, "nothing to do"),
        ({"source": Path("nowhere.wav")}, "There is no file"),
    ],
)
def test_bad_requests_write_nothing(
    recording: Path, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    request = replace(CleaningRequest(recording, tmp_path), **change)  # type: ignore[arg-type]
    with pytest.raises(BadInputError, match=words):
        clean_recording(request)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services, _ = fake_studio(tmp_path / "data")
    yield services
    services.close()
    reset_managers()


def test_a_sample_without_noise_is_a_sample_of_its_own(services: Services, recording: Path) -> None:
    consent = Consent(speaker="Ana", agreed=True)
    sample, _ = add_sample(services, recording, "Ana", consent, "Good morning.", "es")
    original = sample.path.read_bytes()
    job = submit_remedy(services, "Ana")
    eventually(lambda: services.jobs.get(job.id).state == DONE)
    result = services.jobs.get(job.id).result or {}
    assert result == {"sample": "Ana (noise removed)", "cleaned_from": "Ana"}
    cleaned = services.samples.get("Ana (noise removed)")
    assert (cleaned.ref_text, cleaned.language) == ("Good morning.", "es")
    assert cleaned.consent == consent
    assert cleaned.info["source_sha256"] == sample.audio_sha256
    assert sample.path.read_bytes() == original
    noise, left = (signal_to_noise_db(read_speech(one.path)) for one in (sample, cleaned))
    assert noise is not None
    assert left is not None
    assert left > noise + 10


def test_a_designed_voice_without_noise_still_says_what_it_was_made_of(
    services: Services, recording: Path
) -> None:
    design = {"description": "An old man.", "model": "qwen3", "seed": 3}
    services.samples.add(recording, "Old man", info={"design": design})
    cleaned = improve_sample(services, "Old man")
    assert cleaned.info["design"] == design
    assert cleaned.info["cleaned_from"] == "Old man"


def test_the_copy_is_shown_only_where_its_original_is_chosen(
    services: Services, recording: Path
) -> None:
    services.samples.add(recording, "Ana")
    cleaned = improve_sample(services, "Ana")
    with gr.Blocks():
        panel = SamplePanel(services)
    result = {"sample": cleaned.name, "cleaned_from": "Ana"}
    job = Job("1", IMPROVE, "", DONE, 0.0, {}, result=result)
    assert panel.show_after(job, "Ana")[0] == cleaned.name
    assert panel.show_after(job, cleaned.name)[0] == cleaned.name
    services.samples.delete(cleaned.name)
    assert panel.show_after(job, "Ana")[0] == "Ana"
