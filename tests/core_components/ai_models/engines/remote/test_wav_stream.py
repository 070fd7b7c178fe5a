"""A wav file that is read while it arrives is read as libsndfile reads the whole."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
import pytest
import soundfile

from modules.core_components.ai_models.engines.remote.wav_stream import NotWavError, WavStream

RATE_HZ = 22_050


def wav(subtype: str = "PCM_16", channels: int = 1, fmt: str = "WAV") -> tuple[bytes, np.ndarray]:
    samples = np.random.default_rng(3).uniform(-0.9, 0.9, (700, channels)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE_HZ, subtype=subtype, format=fmt)
    heard, _ = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)
    return file.getvalue(), heard.mean(axis=1)


def fed(pieces: Iterable[bytes]) -> np.ndarray:
    stream = WavStream()
    samples = np.concatenate([stream.feed(piece) for piece in pieces])
    stream.finish()
    assert stream.sample_rate_hz == RATE_HZ
    return samples


@pytest.mark.parametrize("fmt", ["WAV", "WAVEX"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT"])
def test_all_forms_in_pieces_of_any_size(subtype: str, channels: int, fmt: str) -> None:
    content, expected = wav(subtype, channels, fmt)
    for size in (1, 7, 1000, len(content)):
        pieces = [content[at : at + size] for at in range(0, len(content), size)]
        assert fed(pieces) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"])
def test_a_stream_of_unknown_length_ends_with_the_answer(size: bytes) -> None:
    content, expected = wav()
    at = content.index(b"data") + 4
    unknown = content[:at] + size + content[at + 4 :]
    assert fed([unknown[:500], unknown[500:]]) == pytest.approx(expected, abs=1e-6)


def test_remarks_after_the_sound_are_no_sound() -> None:
    content, expected = wav()
    assert fed([content, b"LIST\4\0\0\0INFO"]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda wav: b"<html>", "does not begin"),
        (lambda wav: b"ID3\4" + wav, "does not begin"),
        (lambda wav: wav[:8] + b"AVI " + wav[12:], "another kind"),
        (lambda wav: wav[:20] + b"\x55\0" + wav[22:], "format 85"),
        (lambda wav: wav[:22] + b"\0\0" + wav[24:], "0 channels"),
        (lambda wav: wav[:12] + b"junk\xff\xff\xff\xff" + wav[12:], "too long"),
        (lambda wav: wav[:-100], "breaks off"),
        (lambda wav: wav[:30], "breaks off"),
        (lambda wav: b"", "breaks off"),
    ],
)
def test_what_is_no_wav_file_is_told(change: object, words: str) -> None:
    content, _ = wav()
    with pytest.raises(NotWavError, match=words):
        fed([change(content)])  # type: ignore[operator]


def test_values_that_are_no_numbers_are_refused() -> None:
    content, _ = wav("FLOAT")
    with pytest.raises(NotWavError, match="not numbers"):
        fed([content[:-4] + np.float32(np.nan).tobytes()])
