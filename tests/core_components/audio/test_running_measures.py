"""What is measured and cleaned piece by piece equals what is measured and cleaned as a whole."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.denoise import remove_noise, without_noise
from modules.core_components.audio.encode import RunningSha256, audio_sha256
from modules.core_components.audio.files import (
    PiecewiseRecording,
    read_speech,
    write_pieces,
    write_speech,
)
from modules.core_components.audio.measure import (
    clipping_fraction,
    loudness_lufs,
    peak,
    signal_to_noise_db,
)
from modules.core_components.audio.running_measures import RunningMeasures, measure
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech
from tests.conftest import ROOT


def voice(rate_hz: int) -> Speech:
    recorded = read_speech(ROOT / "docs" / "voice_match" / "june-1.mp3", rate_hz)
    loud = np.clip(recorded.samples[: 3 * rate_hz] * 6 + np.float32(0.01), -1, 1)
    return Speech(loud.astype(np.float32), rate_hz)


def in_pieces(samples: FloatArray, seed: int = 0) -> list[FloatArray]:
    """Divided at random: some pieces are empty, some a single sample, some seconds long."""
    rng = np.random.default_rng(seed)
    cuts = np.sort(rng.integers(0, len(samples), 12)).tolist()
    return np.split(samples, [0, 1, 2, *cuts])


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 48_000])
def test_figures_do_not_depend_on_the_pieces(rate_hz: int) -> None:
    speech = voice(rate_hz)
    running = RunningMeasures(rate_hz)
    for piece in in_pieces(speech.samples):
        running.feed(piece)
    found = running.figures()
    assert astuple(found) == pytest.approx(astuple(measure(speech)), rel=1e-9)
    assert found.loudness_lufs == pytest.approx(loudness_lufs(speech), abs=0.01)
    assert found.signal_to_noise_db == pytest.approx(signal_to_noise_db(speech))
    assert found.peak == peak(speech) == 1.0
    assert found.clipping_fraction == pytest.approx(clipping_fraction(speech))
    assert found.clipping_fraction > 0.001
    assert found.offset == pytest.approx(float(speech.samples.mean(dtype=np.float64)))


def test_a_clipped_run_counts_across_pieces() -> None:
    samples = np.zeros(1000, np.float32)
    samples[100:106] = 1.0
    samples[998:] = 1.0  # two are none
    running = RunningMeasures(16_000)
    for piece in np.split(samples, [101, 102, 104]):
        running.feed(piece)
    assert running.figures().clipping_fraction == 6 / 1000


def test_what_is_no_sound_has_no_level() -> None:
    for samples in (np.zeros(0, np.float32), np.zeros(16_000, np.float32)):
        figures = measure(Speech(samples, 16_000))
        assert figures.loudness_lufs is None
        assert figures.noise_dbfs is None
        assert figures.signal_to_noise_db is None


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 48_000])
def test_noise_is_removed_the_same_in_pieces(rate_hz: int) -> None:
    speech = voice(rate_hz)
    whole = remove_noise(speech).samples
    pieces = np.concatenate(list(without_noise(in_pieces(speech.samples), rate_hz)))
    assert len(pieces) == len(whole) == len(speech.samples)
    np.testing.assert_allclose(pieces, whole, atol=1e-5)


@pytest.mark.parametrize("fmt", ["wav", "flac", "mp3"])
def test_a_file_written_in_pieces_is_the_same(tmp_path: Path, fmt: str) -> None:
    # mp3 knows no 10,000 Hz: it is resampled.
    rate_hz = 10_000 if fmt == "mp3" else 24_000
    speech = voice(rate_hz)
    write_speech(tmp_path / f"whole.{fmt}", speech)
    write_pieces(tmp_path / f"pieces.{fmt}", in_pieces(speech.samples), rate_hz, fmt)
    kept, whole = (read_speech(tmp_path / f"{name}.{fmt}") for name in ("pieces", "whole"))
    assert kept.sample_rate_hz == whole.sample_rate_hz
    np.testing.assert_allclose(kept.samples, whole.samples, atol=2e-4)


def test_a_recording_read_in_pieces_is_the_same(tmp_path: Path) -> None:
    import soundfile

    speech = voice(16_000)
    # In the second channel is noise that covers the speech: it is left out, as `read_speech` does.
    noise = np.random.default_rng(1).normal(scale=0.3, size=len(speech.samples))
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([speech.samples * 0.2, noise], axis=1), 16_000)
    recording, whole = PiecewiseRecording(path), read_speech(path)
    assert (recording.length, recording.sample_rate_hz) == (len(whole.samples), 16_000)
    assert recording.notes == whole.notes
    assert "Only channel 1 was used" in recording.notes[0]
    digest = RunningSha256(16_000)
    for _ in range(2):  # as often as wanted
        pieces = list(recording.pieces())
        np.testing.assert_array_equal(np.concatenate(pieces), whole.samples)
    for piece in pieces:
        digest.feed(piece)
    assert digest.hexdigest() == audio_sha256(whole)


def test_what_cannot_be_read_is_refused_in_pieces_too(tmp_path: Path) -> None:
    (tmp_path / "no.wav").write_bytes(b"no sound")
    for name in ("no.wav", "nowhere.wav"):
        with pytest.raises(BadInputError):
            PiecewiseRecording(tmp_path / name)
