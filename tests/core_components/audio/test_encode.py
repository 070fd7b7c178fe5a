"""Streamed files begin with the first sample of the sound and end with its last."""

from __future__ import annotations

import io
import math

import av
import numpy as np
import pytest

from modules.core_components.audio.encode import (
    RATE_HZ,
    STREAM_FORMATS,
    encode_pieces,
    encode_whole,
)
from modules.core_components.values import FloatArray, Speech

# A format without a length ends with its last frame, in samples.
FRAME = {"mp3": 576, "aac": 1024}
# What an aac's decoder fades in, since the packet with the delay is left out.
FADED_IN = 1024


def noise(samples: int) -> FloatArray:
    """Noise below an eighth of its rate, loud from its first sample to its last."""
    white = np.random.default_rng(samples).standard_normal(samples + 32)
    low = np.convolve(white, np.hanning(33) / 16, "valid")
    return (0.1 * low).astype(np.float32)


def cut(samples: FloatArray, rate_hz: int, sizes: tuple[int, ...]) -> list[Speech]:
    """Pieces of `sizes` in turn, until all is in one."""
    pieces, start = [], 0
    while start < len(samples):
        end = start + sizes[len(pieces) % len(sizes)]
        pieces.append(Speech(samples[start:end], rate_hz))
        start = end
    return pieces


def decode(content: bytes, fmt: str) -> FloatArray:
    """Float32 at 24 kHz, as FFmpeg decodes it."""
    if fmt == "pcm":
        return np.frombuffer(content, "<i2").astype(np.float32) / 32768
    resampler = av.AudioResampler("flt", "mono", 48_000 if fmt == "opus" else RATE_HZ)
    with av.open(io.BytesIO(content)) as container:
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
    frames += resampler.resample(None)
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return samples[::2] if fmt == "opus" else samples


def lag(sound: FloatArray, decoded: FloatArray) -> int:
    """By how many samples `decoded` is late."""
    size = 2 ** math.ceil(math.log2(len(sound) + len(decoded)))
    spectrum = np.conj(np.fft.rfft(sound, size)) * np.fft.rfft(decoded, size)
    best = int(np.argmax(np.fft.irfft(spectrum)))
    return best if best < size // 2 else best - size


@pytest.mark.parametrize("fmt", STREAM_FORMATS)
@pytest.mark.parametrize(
    ("samples", "rate_hz", "sizes"),
    [
        (3_000, 24_000, (1,)),
        (24_000, 24_000, (24_000,)),
        (24_001, 24_000, (7, 1_000)),
        (24_575, 24_000, (575, 577, 1_023, 1_025)),
        (24_576, 24_000, (4_800,)),
        (66_150, 44_100, (1, 30_000)),
        (20_011, 16_000, (999,)),
        (19_999, 22_050, (2_205,)),
    ],
)
def test_a_stream_is_as_long_as_its_pcm_and_not_late(
    fmt: str, samples: int, rate_hz: int, sizes: tuple[int, ...]
) -> None:
    pieces = cut(noise(samples), rate_hz, sizes)
    sound = decode(b"".join(encode_pieces(pieces, "pcm")), "pcm")
    decoded = decode(b"".join(encode_pieces(pieces, fmt)), fmt)
    frame = FRAME.get(fmt, 1)
    assert len(sound) <= len(decoded) < len(sound) + frame
    assert len(sound) == math.ceil(samples * RATE_HZ / rate_hz)
    assert lag(sound, decoded) == 0
    steady = slice(FADED_IN if fmt == "aac" else 0, len(sound))
    assert np.corrcoef(sound[steady], decoded[steady])[0, 1] > 0.95


@pytest.mark.parametrize("fmt", STREAM_FORMATS)
@pytest.mark.parametrize("samples", [3_000, 24_001, 24_576])
def test_a_finished_file_is_as_long_as_its_pcm(fmt: str, samples: int) -> None:
    sound = noise(samples)
    decoded = decode(encode_whole([Speech(sound, RATE_HZ)], fmt), fmt)
    frame = FRAME["aac"] if fmt == "aac" else 1
    assert len(sound) <= len(decoded) < len(sound) + frame
    assert lag(sound, decoded) == 0


@pytest.mark.parametrize("fmt", STREAM_FORMATS)
def test_sound_after_a_short_silence_keeps_its_beginning(fmt: str) -> None:
    """What speech has before its first word: an aac's fade is over by then."""
    sound = np.concatenate([np.zeros(FADED_IN, np.float32), noise(6_000)])
    decoded = decode(b"".join(encode_pieces([Speech(sound, RATE_HZ)], fmt)), fmt)
    begin = slice(FADED_IN, FADED_IN + 600)
    assert np.corrcoef(sound[begin], decoded[begin])[0, 1] > 0.95
