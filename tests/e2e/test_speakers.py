"""Telling speakers apart with the starter weights, on a made conversation of three voices."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.diarization.clustering import SpeakerCount
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import FloatArray, Speech
from modules.tools.jobs import register_job_kinds
from modules.tools.listening.speakers import Diarization, diarize, recognize
from modules.tools.listening.transcribe import submit_transcription
from modules.tools.listening.transcripts import get_transcript, name_speaker
from modules.tools.services import Services, open_services
from tests.api.listening import LISTENER, Listener
from tests.helpers.fakes import fake_entry

pytestmark = pytest.mark.e2e

RECORDINGS = Path(__file__).resolve().parents[2] / "docs" / "voice_match"
RATE_HZ = 16_000
ANY = SpeakerCount()
# A reader of LibriVox and two stock voices; the third turn begins before the second has ended.
ORDER = ("libri-0", "carlo-1", "menardi-1", "libri-0", "carlo-1")
GAPS_S = (0.5, 0.6, -1.2, 0.7, 0.5)


@pytest.fixture(scope="module")
def conversation() -> tuple[Speech, list[tuple[float, float, str]]]:
    pieces = {name: read_speech(RECORDINGS / f"{name}.mp3", RATE_HZ).samples for name in ORDER}
    samples = np.zeros(40 * RATE_HZ, np.float32)
    turns, at = [], 0
    for name, gap_s in zip(ORDER, GAPS_S, strict=True):
        piece = pieces[name] * (0.08 / float(np.sqrt(np.mean(pieces[name] ** 2))))
        at += round(gap_s * RATE_HZ)
        samples[at : at + len(piece)] += piece
        turns.append((at / RATE_HZ, (at + len(piece)) / RATE_HZ, name))
        at += len(piece)
    return Speech(samples[: at + RATE_HZ], RATE_HZ), turns


@pytest.fixture
def studio(starter_models: Path, tmp_path: Path) -> Iterator[Services]:
    here = {"device": "cpu", "models_folder": str(starter_models), "asr_model": LISTENER}
    services = open_services(tmp_path / "studio", here)
    entry = fake_entry(LISTENER, "speech-to-text", ())
    services.asr.register_engine(LISTENER, lambda entry, context: Listener(), entry)
    register_job_kinds(services)
    yield services
    services.close()
    reset_managers()


def told(studio: Services, speech: Speech, count: SpeakerCount = ANY) -> Diarization:
    return diarize(studio, speech, count, no_progress, CancelToken())


def test_three_are_told_apart_with_their_overlap(
    studio: Services, conversation: tuple[Speech, list[tuple[float, float, str]]]
) -> None:
    speech, turns = conversation
    found = told(studio, speech)
    names = {"Speaker 1": "libri-0", "Speaker 2": "carlo-1", "Speaker 3": "menardi-1"}
    assert set(found.voices) == set(names)
    wanted, heard = (np.zeros((3, round(speech.duration_s * 100)), np.bool_) for _ in range(2))
    order = list(names.values())
    for start_s, end_s, name in turns:
        wanted[order.index(name), round(start_s * 100) : round(end_s * 100)] = True
    for turn in found.turns:
        place = order.index(names[turn.speaker])
        heard[place, round(turn.start_s * 100) : round(turn.end_s * 100)] = True
    # The silence at either end of the clips counts as an error here.
    assert (wanted != heard).sum() / wanted.sum() < 0.25
    (overlap,) = (pair for pair in found.overlaps if pair[1] - pair[0] > 0.3)
    assert turns[2][0] - 0.2 < overlap[0] < overlap[1] < turns[1][1] + 0.2
    known = {name: (RECORDINGS / f"{name}.mp3").read_bytes() for name in ("menardi-1", "june-1")}
    assert recognize(studio, found.voices, known) == {"Speaker 3": "menardi-1"}
    # Another number of speakers comes from what was heard already.
    listened: list[float] = []
    two = SpeakerCount(2, 2)
    again = diarize(studio, speech, two, lambda f, _: listened.append(f), CancelToken())
    assert len(again.voices) == 2
    assert not listened


def noise(seconds: float, rate_hz: int = RATE_HZ) -> FloatArray:
    wave = np.random.default_rng(0).normal(scale=0.05, size=round(seconds * rate_hz))
    return wave.astype(np.float32)


def chords(seconds: float) -> FloatArray:
    """Something like an organ."""
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tones = [np.sin(2 * np.pi * f * time_s) for f in (220, 277.2, 329.6, 440)]
    return (0.05 * sum(tones) * (1 + np.sin(2 * np.pi * time_s / 2))).astype(np.float32)


@pytest.mark.parametrize(
    "samples", [np.zeros(12 * RATE_HZ, np.float32), noise(12.0), chords(12.0), noise(0.01)]
)
def test_what_is_no_speech_has_no_speakers(studio: Services, samples: FloatArray) -> None:
    assert told(studio, Speech(samples, RATE_HZ)).turns == ()


def test_one_speaker_over_a_telephone(
    studio: Services, conversation: tuple[Speech, list[tuple[float, float, str]]]
) -> None:
    speech, turns = conversation
    alone = speech.samples[: round(turns[0][1] * RATE_HZ)]
    found = told(studio, Speech(alone[::2].copy(), RATE_HZ // 2))  # 8 kHz
    assert set(found.voices) == {"Speaker 1"}
    assert sum(turn.end_s - turn.start_s for turn in found.turns) > 4.0


def test_a_job_names_speakers_and_goes_on_after_it_was_cancelled(
    studio: Services,
    conversation: tuple[Speech, list[tuple[float, float, str]]],
    tmp_path: Path,
) -> None:
    speech, _ = conversation
    cancel = CancelToken()

    def stop_half_way(fraction: float, message: str) -> None:
        if fraction > 0.5:
            cancel.cancel()

    with pytest.raises(JobCancelled):
        diarize(studio, speech, ANY, stop_half_way, cancel)
    path = tmp_path / "talk.wav"
    write_speech(path, speech)
    ids = []
    for _ in range(2):
        job = submit_transcription(studio, path, "talk", "", "", speakers="3")
        done = studio.jobs.wait(job.id, 120.0)
        assert done.state == "done", done.error
        ids.append(Path((done.result or {})["transcript"]).stem)
        if len(ids) == 1:
            segments = get_transcript(studio, ids[0]).transcript.segments
            assert [part.text for part in segments[:2]] == ["Buon", "giorno."]
            assert segments[0].speaker == "Speaker 1"
            assert segments[1].speaker in ("Speaker 2", "Speaker 3")  # both talk then
            name_speaker(studio, ids[0], 0, "Reader")
    assert get_transcript(studio, ids[1]).transcript.segments[0].speaker == "Reader"
