"""What is found in a sample, and the copies in which it is better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.measure import loudness_lufs
from modules.core_components.errors import BadInputError
from modules.core_components.values import Consent, FloatArray, Sample, Speech
from modules.tools.services import Services
from modules.tools.voices import sample_check
from modules.tools.voices.remedies import (
    REMEDIES,
    improve_sample,
    original_of,
    submit_remedy,
    what_changed,
)
from modules.tools.voices.sample_check import are_findings_known, sample_findings
from modules.tools.voices.samples import add_sample
from modules.ui.widgets.sample_panel import SamplePanel, about_html, compared_html
from tests.conftest import ROOT
from tests.helpers.fakes import add_noise
from tests.helpers.noise import white, with_noise

RATE_HZ = 16_000
CONSENT = Consent("Carlo", True)


@pytest.fixture(scope="module")
def voice() -> Speech:
    """A person's recording, 14 s."""
    recorded = read_speech(ROOT / "docs" / "voice_match" / "carlo-1.mp3", RATE_HZ)
    return Speech(np.tile(recorded.samples, 4), RATE_HZ)


class LevelEncoder:
    """Takes what is quiet for another voice than what is loud."""

    def embed(self, samples: FloatArray, sample_rate_hz: int) -> FloatArray:
        is_loud = float(np.abs(samples).max()) > 0.3
        return np.array([is_loud, not is_loud], np.float32)


@pytest.fixture
def tells_voices(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def borrowed(cancel: object = None) -> Iterator[LevelEncoder]:
        yield LevelEncoder()

    handle = SimpleNamespace(model_id="campplus", borrowed=borrowed)
    monkeypatch.setattr(services.asr, "get_speaker_encoder", lambda: handle)


def add(services: Services, folder: Path, speech: Speech, name: str = "Carlo") -> Sample:
    write_speech(folder / "recording.wav", speech)
    sample, _ = add_sample(services, folder / "recording.wav", name, CONSENT, "Buongiorno.", "it")
    return sample


def kinds(services: Services, sample: Sample) -> dict[str, str]:
    return {finding.kind: finding.remedy for finding in sample_findings(services, sample)}


@pytest.mark.usefixtures("tells_voices")
def test_a_second_voice_is_found_and_left_out(
    services: Services, tmp_path: Path, voice: Speech
) -> None:
    loud = voice.samples / np.abs(voice.samples).max() * np.float32(0.9)
    both = np.concatenate([loud[: 9 * RATE_HZ], loud[9 * RATE_HZ :] * np.float32(0.1)])
    sample = add(services, tmp_path, Speech(both, RATE_HZ))
    assert kinds(services, sample) == {"speakers": "one_voice"}
    copy = improve_sample(services, sample.name, "one_voice")
    assert copy.name == "Carlo (one voice)"
    kept = read_speech(copy.path)
    # A window with both in it counts as loud.
    assert 6 < kept.duration_s < 10
    assert np.abs(kept.samples[-2 * RATE_HZ :]).max() > 0.3
    # The words are not known any more.
    assert (copy.ref_text, copy.language, copy.consent) == ("", "it", CONSENT)
    assert "speakers" not in kinds(services, copy)


@pytest.mark.usefixtures("tells_voices")
def test_one_voice_is_not_two(services: Services, tmp_path: Path, voice: Speech) -> None:
    assert kinds(services, add(services, tmp_path, voice)) == {}


def test_a_quiet_sample_is_raised(services: Services, tmp_path: Path, voice: Speech) -> None:
    sample = add(services, tmp_path, Speech(voice.samples * np.float32(0.02), RATE_HZ))
    assert kinds(services, sample)["level"] == "level"
    copy = improve_sample(services, sample.name, "level")
    assert loudness_lufs(read_speech(copy.path)) == pytest.approx(-20.0, abs=0.1)
    assert copy.ref_text == "Buongiorno."
    assert "level" not in kinds(services, copy)
    assert "Changed the level by +" in what_changed(copy)
    assert "to −20.0 dB." in what_changed(copy)


def test_a_long_sample_is_shortened_at_a_pause(
    services: Services, tmp_path: Path, voice: Speech
) -> None:
    long = np.concatenate([np.zeros(20 * RATE_HZ, np.float32), np.tile(voice.samples, 10)])
    sample = add(services, tmp_path, Speech(long, RATE_HZ))
    assert kinds(services, sample) == {"long": "shorten"}
    kept = read_speech(improve_sample(services, sample.name, "shorten").path)
    assert 20 < kept.duration_s <= 30.3
    assert np.abs(kept.samples[:RATE_HZ]).max() > 0.05  # not the silence at the beginning


def test_a_copy_knows_its_original_and_what_was_done(
    services: Services, tmp_path: Path, voice: Speech
) -> None:
    sample = add(services, tmp_path, with_noise(voice, white(len(voice.samples)), 10.0))
    assert kinds(services, sample) == {"noise": "denoise"}
    copy = improve_sample(services, sample.name)
    line = what_changed(copy)
    assert line.startswith("Removed noise (DeepFilterNet 3); noise ")
    assert "dB lower, loudness −" in line
    assert original_of(services, copy) == sample
    assert (original_of(services, sample), what_changed(sample)) == (None, "")
    twice = improve_sample(services, copy.name, "level")
    assert twice.info["steps"][0] == "removed noise (DeepFilterNet 3)"
    assert twice.info["steps"][1].startswith("changed the level by")
    # Another recording under the old name is not what it was made from.
    services.samples.delete(sample.name)
    add_noise(services, sample.name)
    assert original_of(services, copy) is None
    with pytest.raises(BadInputError):
        submit_remedy(services, copy.name, "magic")


def test_a_look_is_taken_once(
    services: Services, tmp_path: Path, voice: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = add(services, tmp_path, Speech(voice.samples * np.float32(0.02), RATE_HZ))
    found = sample_findings(services, sample)
    assert are_findings_known(services, sample)
    monkeypatch.setattr(sample_check, "_look", lambda services, speech: ())
    assert sample_findings(services, sample) == found
    (kept,) = (services.settings.cache_folder / "sample_checks").iterdir()
    kept.write_text("{")
    assert sample_findings(services, sample) == ()


def test_what_is_no_speech_says_so(services: Services) -> None:
    (finding,) = sample_findings(services, add_noise(services))
    assert (finding.kind, finding.remedy) == ("unusable", "")
    assert "no speech in this recording" in finding.sentence


def test_the_page_shows_findings_with_buttons_and_a_copy_beside_its_original(
    services: Services, tmp_path: Path, voice: Speech
) -> None:
    sample = add(services, tmp_path, with_noise(voice, white(len(voice.samples)), 10.0), "A & <b>")
    assert 'data-looking="A &amp; &lt;b&gt;"' in about_html(services, sample, False)
    shown = about_html(services, sample, True)
    assert "It is noisy" in shown
    assert f'data-remedy="denoise">{REMEDIES["denoise"].button}</button>' in shown
    assert compared_html(services, sample) == ""
    copy = improve_sample(services, sample.name)
    compared = compared_html(services, copy)
    assert 'key="A &amp; &lt;b&gt;" label="Before"' in compared
    assert 'key="A &amp; &lt;b&gt; (noise removed)" label="After"' in compared
    shown = about_html(services, copy, True)
    assert what_changed(copy) in shown
    assert "data-remedy" not in shown


def test_a_button_of_the_page_queues_its_remedy(
    services: Services, tmp_path: Path, voice: Speech
) -> None:
    sample = add(services, tmp_path, Speech(voice.samples * np.float32(0.02), RATE_HZ))
    with gr.Blocks():
        panel = SamplePanel(services)
    job_id = panel._act(sample.name, gr.EventData(None, {"remedy": "level"}))
    assert services.jobs.get(job_id).payload == {"sample": sample.name, "remedy": "level"}
    assert "It is very quiet" in panel._show_findings(sample.name)
    hum = add_noise(services, "Hum").name
    assert panel._show_findings(hum) == gr.skip(), "before it was looked at"
    assert panel._act(hum, gr.EventData(None, {"sample": sample.name})) == gr.skip()
    assert panel._show_findings(hum) == gr.skip()
    assert panel._act(hum, gr.EventData(None, {"sample": hum})) == gr.skip()
    assert "no speech" in panel._show_findings(hum)
