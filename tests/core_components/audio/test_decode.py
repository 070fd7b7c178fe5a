"""The times of a track in its file, the choice among tracks, and channels made one."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modules.core_components.audio.decode import Track, default_track, list_tracks
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Speech
from tests.helpers.recordings import SoundTrack, make_video

RATE_HZ = 48_000
CONTAINERS = {
    "mkv": ("matroska", ("mpeg4", "aac")),
    "mka": ("matroska", ("mpeg4", "flac")),
    "webm": ("webm", ("libvpx", "libopus")),
    "mp4": ("mp4", ("mpeg4", "aac")),
    "mov": ("mov", ("mpeg4", "aac")),
    "3gp": ("3gp", ("mpeg4", "aac")),
    "ts": ("mpegts", ("mpeg2video", "aac")),
    "mp2 in ts": ("mpegts", ("mpeg2video", "mp2")),
    "mpg": ("mpeg", ("mpeg1video", "mp2")),
    "flv": ("flv", ("flv1", "aac")),
}


def tone(seconds: float, frequency_hz: float = 440.0) -> FloatArray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def sounding_s(speech: Speech, least_pause_s: float = 0.2) -> list[tuple[float, float]]:
    """The stretches that are not silent, in seconds."""
    loud = np.flatnonzero(np.abs(speech.samples) > 0.05) / speech.sample_rate_hz
    cuts = np.flatnonzero(np.diff(loud) > least_pause_s)
    starts, ends = np.r_[loud[0], loud[cuts + 1]], np.r_[loud[cuts], loud[-1]]
    return [(float(a), float(b)) for a, b in zip(starts, ends, strict=True)]


def frequency_hz(speech: Speech) -> float:
    spectrum = np.abs(np.fft.rfft(speech.samples))
    return float(spectrum.argmax() * speech.sample_rate_hz / len(speech.samples))


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_track_that_starts_late_keeps_its_times(kind: str) -> None:
    container, codecs = CONTAINERS[kind]
    late = SoundTrack(tone(2.0), RATE_HZ, start_s=5.0)
    speech = read_speech(make_video(container, codecs, [late], 8.0))
    assert sounding_s(speech) == [pytest.approx((5.0, 7.0), abs=0.05)]
    at_once = read_speech(make_video(container, codecs, [late], 8.0), keep_times=False)
    assert sounding_s(at_once) == [pytest.approx((0.0, 2.0), abs=0.05)]


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_gap_in_the_packets_is_silence(kind: str) -> None:
    container, codecs = CONTAINERS[kind]
    broken = SoundTrack(tone(2.0), RATE_HZ, gap_at_s=1.0, gap_s=3.0)
    speech = read_speech(make_video(container, codecs, [broken], 6.0), 16_000)
    before, after = sounding_s(speech)
    assert before == pytest.approx((0.0, 1.0), abs=0.06)
    assert after == pytest.approx((4.0, 5.0), abs=0.06)


@pytest.mark.parametrize("kind", ["mkv", "mp4", "ts"])
def test_a_track_that_starts_with_the_pictures_is_not_padded(kind: str) -> None:
    container, codecs = CONTAINERS[kind]
    whole = SoundTrack(tone(2.0), RATE_HZ)
    speech = read_speech(make_video(container, codecs, [whole], 2.0))
    assert sounding_s(speech) == [pytest.approx((0.0, 2.0), abs=0.03)]


def test_timestamps_that_jump_by_hours_or_back_are_no_silence() -> None:
    for gap_s in (20_000.0, -0.7):
        faulty = SoundTrack(tone(2.0), RATE_HZ, gap_at_s=1.0, gap_s=gap_s)
        content = make_video("mpegts", ("mpeg2video", "mp2"), [faulty], 2.0)
        assert read_speech(content).duration_s == pytest.approx(2.0, abs=0.1)


def test_silence_before_a_late_track_counts_to_the_limit() -> None:
    late = SoundTrack(tone(1.0), RATE_HZ, start_s=30.0)
    content = make_video("matroska", ("mpeg4", "aac"), [late], 32.0)
    with pytest.raises(BadInputError, match="longer than 20 seconds"):
        read_speech(content, max_duration_s=20.0)


def three_tracks(default: int) -> bytes:
    about = [("eng", "Commentary", 300.0), ("fre", "", 500.0), ("", "", 700.0)]
    return make_video(
        "matroska",
        ("mpeg4", "aac"),
        [
            SoundTrack(
                tone(1.0, hz),
                RATE_HZ,
                language=language,
                title=title,
                is_default=number == default,
            )
            for number, (language, title, hz) in enumerate(about, start=1)
        ],
        1.0,
    )


@pytest.mark.parametrize(("default", "hz"), [(1, 300.0), (2, 500.0), (3, 700.0)])
def test_the_default_track_is_read(default: int, hz: float) -> None:
    assert frequency_hz(read_speech(three_tracks(default))) == pytest.approx(hz, abs=5)


@pytest.mark.parametrize(("number", "hz"), [(1, 300.0), (2, 500.0), (3, 700.0)])
def test_another_track_can_be_chosen(number: int, hz: float) -> None:
    assert frequency_hz(read_speech(three_tracks(2), track=number)) == pytest.approx(hz, abs=5)


def test_the_tracks_of_a_file_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    path.write_bytes(three_tracks(2))
    tracks = list_tracks(path)
    assert [track.label for track in tracks] == ["1 (eng, Commentary)", "2 (fre)", "3"]
    assert default_track(tracks).number == 2
    assert default_track((Track(1), Track(2))).number == 1
    with pytest.raises(BadInputError, match=r"no audio track 4.*1 \(eng, Commentary\), 2"):
        read_speech(path, track=4)
    (tmp_path / "notes.txt").write_text("no recording")
    with pytest.raises(BadInputError, match="not a recording"):
        list_tracks(tmp_path / "notes.txt")


def stereo(*channels: FloatArray) -> Speech:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack(channels, 1), RATE_HZ, format="WAV", subtype="PCM_16")
    return read_speech(buffer.getvalue())


def half_inverted(left: FloatArray) -> FloatArray:
    right = left.copy()
    right[len(right) // 2 :] *= -1
    return right


@pytest.mark.parametrize(
    "right",
    [
        lambda left: -left,
        lambda left: -0.8 * left,
        lambda left: -0.5 * left,
        lambda left: -left + 0.001,
        half_inverted,
        lambda left: half_inverted(-left),
        np.zeros_like,
        lambda left: left,
        lambda left: -np.roll(left, 3),
    ],
    ids=["inverted", "-0.8", "-0.5", "offset", "half", "other half", "silent", "same", "late"],
)
def test_channels_do_not_cancel_each_other(right: Callable[[FloatArray], FloatArray]) -> None:
    left = tone(3.0)
    for first, second in ((left, right(left)), (right(left), left)):
        speech = stereo(first, second)
        power = np.square(speech.samples).mean() / np.square(left).mean()
        assert power > 0.2  # half the amplitude where one channel is silent
        steps = np.abs(np.diff(speech.samples)).max()
        assert steps < 1.5 * np.abs(np.diff(left)).max()  # nothing clicks


def test_a_channel_of_several_is_inverted_too() -> None:
    left = tone(1.0)
    speech = stereo(left, -left, left, -left)
    assert np.square(speech.samples).mean() == pytest.approx(np.square(left).mean(), rel=0.05)


def test_it_is_said_that_a_channel_was_inverted() -> None:
    left = tone(1.0)
    assert stereo(left, -left).notes == ("Its channels cancel each other; one was inverted.",)
    assert stereo(left, left).notes == ()
    assert stereo(left, np.zeros_like(left)).notes == ()


def test_the_mean_of_ordinary_stereo_stays_as_it_is() -> None:
    generator = np.random.default_rng(0)
    left = generator.normal(scale=0.1, size=3 * RATE_HZ).astype(np.float32)
    right = (0.3 * left + generator.normal(scale=0.1, size=len(left))).astype(np.float32)
    assert np.abs(stereo(left, right).samples - (left + right) / 2).max() < 1e-4
