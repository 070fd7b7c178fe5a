"""Times of transcripts beside what is known of made recordings: silence, late tracks, gaps.

Speech is placed at known times; srt, vtt and words must agree with them within 0.2 s.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import srt
import webvtt

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.encode import encode_speech
from modules.core_components.audio.resample import resample
from modules.core_components.text.subtitles import render
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import FloatArray, Speech, Transcript
from modules.tools.listening.transcribe import TranscribeRequest, transcribe
from modules.tools.services import Services, open_services
from tests.helpers.espeak import espeak
from tests.helpers.recordings import SoundTrack, make_video

RATE_HZ = 16_000
WITHIN_S = 0.2
PHRASES = (
    "The morning train was late again.",
    "Nobody in the village seemed to mind.",
    "They talked about the weather.",
)
Span = tuple[float, float]


def spoken(phrase: str) -> FloatArray:
    """The phrase without silence around it."""
    speech = espeak(phrase)
    samples = resample(speech.samples, speech.sample_rate_hz, RATE_HZ)
    loud = np.flatnonzero(np.abs(samples) > 0.02)
    return samples[loud[0] : loud[-1] + 1]


def placed(*pauses_s: float, noise: float = 0.0) -> tuple[FloatArray, list[Span]]:
    """The phrases in turn, each after its pause, and where each of them is said."""
    pieces: list[FloatArray] = []
    spans: list[Span] = []
    at_s = 0.0
    for number, pause_s in enumerate(pauses_s):
        said = spoken(PHRASES[number % len(PHRASES)])
        pieces += [np.zeros(round(pause_s * RATE_HZ), np.float32), said]
        spans.append((at_s + pause_s, at_s + pause_s + len(said) / RATE_HZ))
        at_s = spans[-1][1]
    samples = np.concatenate([*pieces, np.zeros(RATE_HZ // 2, np.float32)])
    generator = np.random.default_rng(0)
    return samples + generator.normal(scale=noise, size=len(samples)).astype(np.float32), spans


def wav(samples: FloatArray) -> bytes:
    return encode_speech(Speech(samples, RATE_HZ), "wav")


def film(container: str, codecs: tuple[str, str], sound: SoundTrack) -> bytes:
    return make_video(container, codecs, [sound], 15.0)


@pytest.fixture(scope="module")
def services(starter_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A studio over a link to Whisper base."""
    root = tmp_path_factory.mktemp("studio")
    models = root / "models"
    models.mkdir()

    def link(source: str, target: str) -> None:
        Path(target).symlink_to(source)

    name = Path("whisper", "base")
    shutil.copytree(starter_models / name, models / name, copy_function=link)
    services = open_services(root, {"models_folder": models, "asr_model": "whisper-base"})
    yield services
    services.close()
    reset_managers()


def transcript_of(services: Services, content: bytes, folder: Path, **options: bool) -> Transcript:
    path = folder / "recording"
    path.write_bytes(content)
    request = TranscribeRequest(path, "whisper-base", "en", options=options, timed=True)
    return transcribe(services, request)


def check_times(transcript: Transcript, spans: list[Span]) -> None:
    """Each phrase has its segment, its cue in both formats, and its first and last word."""
    wanted = [pytest.approx(span, abs=WITHIN_S) for span in spans]
    assert [(part.start_s, part.end_s) for part in transcript.segments] == wanted
    words = [(part.words[0].start_s, part.words[-1].end_s) for part in transcript.segments]
    assert words == wanted
    from_srt = list(srt.parse(render(transcript, "srt")))
    assert [(c.start.total_seconds(), c.end.total_seconds()) for c in from_srt] == wanted
    from_vtt = webvtt.from_buffer(io.StringIO(render(transcript, "vtt")))
    assert [(seconds(c.start), seconds(c.end)) for c in from_vtt] == wanted


def seconds(clock: str) -> float:
    hours, minutes, rest = clock.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("pauses_s", "noise"),
    [
        ((0.0, 2.5, 40.0), 0.0),
        ((6.0, 30.0, 3.0), 0.0),
        ((0.3, 2.6, 30.0), 0.001),
        ((0.5, 90.0), 0.003),
    ],
    ids=["40 s of silence", "silence first", "30 s of faint noise", "90 s of noise"],
)
def test_cues_are_where_the_speech_is(
    services: Services, tmp_path: Path, pauses_s: tuple[float, ...], noise: float
) -> None:
    samples, spans = placed(*pauses_s, noise=noise)
    check_times(transcript_of(services, wav(samples), tmp_path), spans)


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("container", "codecs"),
    [
        ("matroska", ("mpeg4", "aac")),
        ("mp4", ("mpeg4", "aac")),
        ("mpegts", ("mpeg2video", "mp2")),
        ("webm", ("libvpx", "libopus")),
    ],
)
def test_a_late_track_keeps_its_times(
    services: Services, tmp_path: Path, container: str, codecs: tuple[str, str]
) -> None:
    samples, spans = placed(0.0, 3.0)
    rate_hz = 48_000
    sound = SoundTrack(resample(samples, RATE_HZ, rate_hz), rate_hz, start_s=5.0)
    transcript = transcript_of(services, film(container, codecs, sound), tmp_path)
    check_times(transcript, [(a + 5.0, b + 5.0) for a, b in spans])


@pytest.mark.e2e
def test_a_gap_in_the_packets_keeps_the_times_after_it(services: Services, tmp_path: Path) -> None:
    samples, spans = placed(0.0, 3.0)
    rate_hz = 48_000
    sound = SoundTrack(
        resample(samples, RATE_HZ, rate_hz), rate_hz, gap_at_s=spans[0][1] + 1.0, gap_s=4.0
    )
    transcript = transcript_of(services, film("matroska", ("mpeg4", "aac"), sound), tmp_path)
    (first, last) = spans
    check_times(transcript, [first, (last[0] + 4.0, last[1] + 4.0)])


CLEAR = "Nobody in the village seemed to mind."


@pytest.mark.e2e
@pytest.mark.parametrize("gain", [-1.0, -0.7, 0.0])
def test_channels_that_cancel_each_other_are_understood(
    services: Services, tmp_path: Path, gain: float
) -> None:
    samples = spoken(CLEAR)
    tracks = [SoundTrack(np.stack([samples, gain * samples]), RATE_HZ)]
    said = transcript_of(services, make_video("matroska", ("mpeg4", "flac"), tracks, 1), tmp_path)
    assert word_error_rate(CLEAR, said.text) == 0
    assert bool(said.notes) == (gain < 0)


@pytest.mark.e2e
def test_noise_in_one_channel_does_not_cover_the_other(services: Services, tmp_path: Path) -> None:
    samples = spoken(CLEAR)
    noise = np.random.default_rng(0).normal(scale=0.5, size=len(samples)).astype(np.float32)
    tracks = [SoundTrack(np.stack([noise, samples]), RATE_HZ)]
    said = transcript_of(services, make_video("matroska", ("mpeg4", "flac"), tracks, 1), tmp_path)
    assert word_error_rate(CLEAR, said.text) == 0
    assert said.notes == ("Only channel 2 was used: the others cover its speech.",)


@pytest.mark.e2e
def test_speech_in_the_middle_stays_where_the_sides_cancel_each_other(
    services: Services, tmp_path: Path
) -> None:
    """Loud noise that one channel has inverted: only the plain mean is free of it."""
    samples = spoken(CLEAR)
    # Not so loud that it clips: what is cut off would not cancel.
    noise = np.random.default_rng(0).normal(scale=0.15, size=len(samples)).astype(np.float32)
    tracks = [SoundTrack(np.stack([samples + noise, samples - noise]), RATE_HZ)]
    said = transcript_of(services, make_video("matroska", ("mpeg4", "flac"), tracks, 1), tmp_path)
    assert word_error_rate(CLEAR, said.text) == 0
