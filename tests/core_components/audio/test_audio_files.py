"""Any recording in, wav, flac and mp3 out; bad files are told apart and explained."""

from __future__ import annotations

import errno
import io
import os
import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from modules.core_components.audio.files import (
    audio_sha256,
    encode_speech,
    pcm_sha256,
    read_speech,
    write_speech,
)
from modules.core_components.errors import BadInputError, DiskFullError
from modules.core_components.values import FloatArray, Speech

RATE = 24_000


def tone(seconds: float = 1.0, rate_hz: int = RATE, frequency_hz: float = 440.0) -> FloatArray:
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time)).astype(np.float32)


def similarity(first: FloatArray, second: FloatArray) -> float:
    """Correlation of the part both have; lossy codecs keep it near 1."""
    length = min(len(first), len(second))
    return float(np.corrcoef(first[:length], second[:length])[0, 1])


def zero_crossings_hz(samples: FloatArray, rate_hz: int) -> float:
    """The frequency of a tone."""
    rising = np.count_nonzero((samples[:-1] < 0) & (samples[1:] >= 0))
    return float(rising * rate_hz / len(samples))


def encoded(container: str, codec: str, samples: FloatArray, rate_hz: int, **options: str) -> bytes:
    """A file made by FFmpeg, for instance what a phone or a browser records."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate_hz, options=options)
        stream.layout = "mono"
        fmt = stream.codec_context.codec.audio_formats[0].name
        resampler = av.AudioResampler(
            format=fmt, layout="mono", rate=rate_hz, frame_size=stream.codec_context.frame_size
        )
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), 0
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return buffer.getvalue()


def video(samples: FloatArray | None) -> bytes:
    """A second of black pictures in Matroska, with or without sound."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as output:
        pictures = output.add_stream("mpeg4", rate=10)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sound = (
            output.add_stream("pcm_s16le", rate=RATE, layout="mono")
            if samples is not None
            else None
        )
        for _ in range(10):
            picture = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            output.mux(pictures.encode(picture))
        output.mux(pictures.encode(None))
        if sound is not None and samples is not None:
            pcm = (samples * 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            output.mux(sound.encode(frame))
            output.mux(sound.encode(None))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("container", "codec", "rate_hz", "tolerance"),
    [
        ("mp3", "libmp3lame", 24_000, 0),
        ("ipod", "aac", 44_100, 3_000),  # m4a: AAC comes in frames of 1024 with a delay
        ("ogg", "libopus", 48_000, 1_000),
        ("flac", "flac", 16_000, 0),
        ("webm", "libopus", 48_000, 1_000),  # what a browser's microphone gives
        ("aiff", "pcm_s16be", 22_050, 0),
    ],
)
def test_common_formats_are_read_at_their_rate_and_length(
    container: str, codec: str, rate_hz: int, tolerance: int
) -> None:
    samples = tone(1.0, rate_hz)
    speech = read_speech(encoded(container, codec, samples, rate_hz))
    assert speech.sample_rate_hz == rate_hz
    assert speech.samples.dtype == np.float32
    assert abs(len(speech.samples) - len(samples)) <= tolerance
    middle = speech.samples[rate_hz // 4 : -rate_hz // 4]
    assert np.sqrt((middle**2).mean()) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("suffix", [".g722", ".G722"])
def test_a_raw_g722_file_is_known_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"prompt{suffix}"
    path.write_bytes(encoded("g722", "g722", tone(1.0, 16_000), 16_000))
    speech = read_speech(path)
    assert speech.sample_rate_hz == 16_000
    assert speech.duration_s == pytest.approx(1.0, abs=0.01)
    assert np.abs(speech.samples).max() == pytest.approx(0.5, abs=0.05)


def test_the_sound_of_a_video_is_read() -> None:
    samples = tone()
    assert np.abs(read_speech(video(samples)).samples - samples).max() < 1e-4


def test_stereo_24_bit_48_khz_becomes_the_mean_of_its_channels() -> None:
    left, right = tone(0.5, 48_000, 440), tone(0.5, 48_000, 1000)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([left, right], 1), 48_000, format="WAV", subtype="PCM_24")
    speech = read_speech(buffer.getvalue())
    assert speech.sample_rate_hz == 48_000
    assert np.abs(speech.samples - (left + right) / 2).max() < 1e-6


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_has_the_same_scale(subtype: str) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), RATE, format="WAV", subtype=subtype)
    tolerance = 0.01 if subtype == "PCM_U8" else 1e-4
    assert np.abs(read_speech(buffer.getvalue()).samples - tone()).max() < tolerance


def test_resampling_on_the_way_equals_a_tone_at_the_new_rate() -> None:
    speech = read_speech(encode_speech(Speech(tone(1.0, 48_000), 48_000), "wav"), 16_000)
    wanted = tone(1.0, 16_000)
    assert speech.sample_rate_hz == 16_000
    assert len(speech.samples) == len(wanted)
    inner = slice(200, -200)  # a band limit rings at the ends
    assert np.abs(speech.samples[inner] - wanted[inner]).max() < 1e-3


def test_mp3_files_joined_end_to_end_leave_at_the_first_ones_rate() -> None:
    parts = [encode_speech(Speech(tone(1.0, rate), rate), "mp3") for rate in (16_000, 24_000)]
    speech = read_speech(b"".join(parts))
    assert speech.sample_rate_hz == 16_000
    assert speech.duration_s == pytest.approx(2.0, abs=0.2)
    inner = speech.samples[20_000:28_000]
    assert zero_crossings_hz(inner, 16_000) == pytest.approx(440, rel=0.02)


# What is no usable recording


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no file .*nothing\.wav"):
        read_speech(tmp_path / "nothing.wav")


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is a folder"):
        read_speech(tmp_path)


def test_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(BadInputError, match=r"empty\.wav is empty"):
        read_speech(tmp_path / "empty.wav")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(BadInputError, match="is not a file"):
        read_speech(tmp_path / "pipe.wav")


@pytest.mark.parametrize(
    "content",
    [
        b"Dear diary, this is a text that was renamed.\n" * 100,
        b"\x89PNG\r\n\x1a\n" + bytes(1000),
        b"PK\x03\x04" + bytes(1000),
        bytes(range(256)) * 20,
        b"x",
    ],
    ids=["text", "picture", "archive", "bytes", "one byte"],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "renamed.wav"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"renamed\.wav .*Give a recording"):
        read_speech(path)


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile secret.wav\n",  # which FFmpeg by itself would follow
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nsecret.wav\n#EXT-X-ENDLIST\n",
    ],
    ids=["concat", "HLS"],
)
def test_a_playlist_cannot_make_us_open_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playlist: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_speech(tmp_path / "secret.wav", Speech(tone(), RATE))
    (tmp_path / "list.wav").write_text(playlist)
    for source in (tmp_path / "list.wav", playlist.encode()):
        with pytest.raises(BadInputError):
            read_speech(source)


def test_a_video_without_sound() -> None:
    with pytest.raises(BadInputError, match="holds no sound"):
        read_speech(video(None))


def test_a_wav_of_no_length() -> None:
    with pytest.raises(BadInputError, match="no sound"):
        read_speech(encode_speech(Speech(np.zeros(0, np.float32), RATE), "wav"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_numbers(value: float) -> None:
    samples = tone()
    samples[5000] = value
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV", subtype="FLOAT")
    with pytest.raises(BadInputError, match="not numbers"):
        read_speech(buffer.getvalue())


def test_a_recording_that_is_too_long_names_the_limit() -> None:
    content = encode_speech(Speech(tone(3.0), RATE), "wav")
    assert read_speech(content, max_duration_s=3.0).duration_s == 3.0
    with pytest.raises(BadInputError, match=r"longer than 2 seconds.*Cut out"):
        read_speech(content, max_duration_s=2.0)


def test_decoding_stops_at_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that promises days of sound, or a file full of it, costs only the limit."""
    decoded = 0

    def endless(*_: object):
        nonlocal decoded
        while True:
            decoded += RATE
            yield np.zeros(RATE, np.float32), RATE

    monkeypatch.setattr("modules.core_components.audio.files.decode_mono", endless)
    with pytest.raises(BadInputError, match="longer than 20 minutes"):
        read_speech(b"two hours", max_duration_s=1200)
    assert decoded == 1201 * RATE


def test_a_file_cut_short_keeps_what_is_there() -> None:
    content = encode_speech(Speech(tone(2.0), RATE), "wav")
    assert read_speech(content[: len(content) // 2]).duration_s == pytest.approx(1.0, abs=0.05)


def test_a_damaged_spot_in_an_mp3_costs_only_that_spot() -> None:
    content = bytearray(encode_speech(Speech(tone(4.0), RATE), "mp3"))
    middle = len(content) // 2
    content[middle : middle + 400] = b"\x00" * 400
    assert read_speech(bytes(content)).duration_s == pytest.approx(4.0, abs=0.3)


def test_a_rate_that_no_recording_has() -> None:
    content = bytearray(encode_speech(Speech(tone(), RATE), "wav"))
    content[24:28] = struct.pack("<I", 5)
    with pytest.raises(BadInputError):
        read_speech(bytes(content))


# Writing


@pytest.mark.parametrize("fmt", ["wav", "flac"])
def test_wav_and_flac_keep_every_16_bit_sample(tmp_path: Path, fmt: str) -> None:
    every_value = np.arange(-32768, 32768).astype(np.float32) / 32768
    path = tmp_path / f"all.{fmt}"
    write_speech(path, Speech(every_value, RATE))
    read = read_speech(path)
    assert np.array_equal(read.samples, every_value)
    assert audio_sha256(read) == audio_sha256(Speech(every_value, RATE))


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("length", [1151, 1152, 24_137])
def test_mp3_keeps_length_and_place(rate_hz: int, length: int) -> None:
    samples = tone(length / rate_hz, rate_hz, 200.0)
    read = read_speech(encode_speech(Speech(samples, rate_hz), "mp3"))
    assert read.sample_rate_hz == rate_hz
    assert len(read.samples) == length
    if length > 2000:
        assert similarity(read.samples, samples) > 0.99
        assert similarity(read.samples[-500:], samples[-500:]) > 0.9


def test_mp3_at_a_rate_it_does_not_know_is_resampled() -> None:
    speech = Speech(tone(1.0, 13_000), 13_000)
    read = read_speech(encode_speech(speech, "mp3"))
    assert read.sample_rate_hz == 16_000
    assert read.duration_s == pytest.approx(1.0, abs=0.001)


@pytest.mark.parametrize("fmt", ["wav", "flac", "mp3"])
def test_too_loud_is_clipped_and_never_wraps_around(fmt: str) -> None:
    loud = Speech(tone() * 4, RATE)
    read = read_speech(encode_speech(loud, fmt))
    assert similarity(read.samples, np.clip(loud.samples, -1, 1)) > 0.99
    if fmt != "mp3":
        assert np.abs(read.samples - np.clip(loud.samples, -1, 1)).max() < 1e-4


def test_wav_is_plain_16_bit_mono() -> None:
    with wave.open(io.BytesIO(encode_speech(Speech(tone(), RATE), "wav"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)
        assert file.getnframes() == RATE


def test_encoding_is_repeatable() -> None:
    speech = Speech(tone(), RATE)
    for fmt in ("wav", "flac", "mp3"):
        assert encode_speech(speech, fmt) == encode_speech(speech, fmt)


def test_not_a_number_is_not_written() -> None:
    with pytest.raises(BadInputError, match="not numbers"):
        encode_speech(Speech(np.array([0.0, np.nan], np.float32), RATE), "wav")


def test_an_unknown_format_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="wav, flac, mp3"):
        write_speech(tmp_path / "a.wma", Speech(tone(), RATE))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        write_speech(tmp_path / "take.wav", Speech(tone(), RATE))
    assert list(tmp_path.iterdir()) == []


# Fingerprints


def test_hashes_tell_apart_what_differs_and_only_that() -> None:
    samples = tone()
    louder_by_a_hair = samples.copy()
    louder_by_a_hair[100] = np.nextafter(samples[100], np.float32(1))
    one, other = Speech(samples, RATE), Speech(louder_by_a_hair, RATE)
    assert audio_sha256(one) == audio_sha256(Speech(samples.copy(), RATE))
    assert audio_sha256(one) != audio_sha256(other)
    assert audio_sha256(one) != audio_sha256(Speech(samples, 16_000))
    assert pcm_sha256(one) == pcm_sha256(other)  # 16 bits do not hold the difference
    assert pcm_sha256(one) == pcm_sha256(read_speech(encode_speech(one, "flac")))
