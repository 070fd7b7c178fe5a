"""A dataset of recordings in which several people speak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Segment, Speech, Transcript, Turn
from modules.tools.dataset.build import DatasetRequest, build_dataset, create_dataset
from modules.tools.dataset.interview import OTHER_SPEAKER, TWO_VOICES
from modules.tools.listening.speakers import Diarization
from modules.tools.listening.transcripts import keep_transcript, name_speaker
from modules.tools.services import Services
from tests.tools.dataset_fakes import add_counter, hum

# Ben asks for a moment; Anna speaks most, in the last seconds both of them do.
TURNS = ((0.0, 4.0, "Ben"), (4.1, 14.0, "Anna"), (14.0, 18.0, "Ben"), (16.0, 18.0, "Anna"))


def voice(name: str) -> FloatArray:
    own = np.random.default_rng(sum(map(ord, name))).normal(size=192)
    return np.asarray(own / np.linalg.norm(own), np.float32)


@pytest.fixture(autouse=True)
def _two_people(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    def tell(services: Services, speech: Speech, *others: object) -> Diarization:
        # The first to speak is "Speaker 1", as ever.
        labels = {"Ben": "Speaker 1", "Anna": "Speaker 2"}
        turns = tuple(Turn(a, b, labels[name]) for a, b, name in TURNS)
        return Diarization(turns, ((16.0, 18.0),), {labels[n]: voice(n) for n in labels})

    monkeypatch.setattr("modules.tools.dataset.interview.diarize", tell)
    monkeypatch.setattr("modules.tools.dataset.interview.require_models", lambda services: None)
    monkeypatch.setattr("modules.tools.dataset.build.complete_transcription", lambda *a: None)
    add_counter(services)
    create_dataset(services, "talk", "en", "Anna Bianchi", True)


def build(services: Services, path: Path, take: str) -> None:
    request = DatasetRequest("talk", (str(path),), model_id="counter-1", speakers="2", take=take)
    build_dataset(services, request)


def test_who_speaks_most_is_taken_and_two_voices_are_left_out_and_listed(
    services: Services, tmp_path: Path
) -> None:
    build(services, hum(tmp_path / "a.wav", 18.0), "")
    dataset = services.datasets.get("talk")
    assert {clip.speaker for clip in dataset.clips} == {"Anna Bianchi"}
    assert all(clip.start_s > 3.8 and clip.end_s < 14.3 for clip in dataset.clips)
    reasons = {gap.reason for gap in dataset.sources[0].dropped}
    assert {TWO_VOICES, OTHER_SPEAKER} <= reasons
    (both,) = (gap for gap in dataset.sources[0].dropped if gap.reason == TWO_VOICES)
    assert both.end_s > 16.0
    source = dataset.sources[0]
    covered = sum(c.duration_s for c in source.clips) + sum(
        gap.end_s - gap.start_s for gap in source.dropped
    )
    assert covered == pytest.approx(source.duration_s, abs=0.01)
    assert source.made_with["take"] == "main"


def test_each_is_a_speaker_with_one_name_in_all_recordings(
    services: Services, tmp_path: Path
) -> None:
    for name in ("a.wav", "b.wav"):
        build(services, hum(tmp_path / name, 18.0), "each")
    for source in services.datasets.get("talk").sources:
        by_speaker = {clip.speaker: clip for clip in source.clips}
        assert set(by_speaker) == {"Speaker 1", "Speaker 2"}
        assert by_speaker["Speaker 1"].start_s > 3.8  # who speaks most, not who begins


def test_a_name_from_a_transcript_can_be_taken(services: Services, tmp_path: Path) -> None:
    heard = Transcript("Yes.", "en", (Segment("Yes.", 0, 1, speaker="Speaker 1"),), 1.0)
    kept = keep_transcript(services, heard, "call", voices={"Speaker 1": voice("Ben")})
    name_speaker(services, kept.stem, 0, "Ben Okri")
    build(services, hum(tmp_path / "a.wav", 18.0), "Ben Okri")
    clips = services.datasets.get("talk").clips
    assert clips
    assert all(clip.end_s < 4.2 or clip.start_s > 13.8 for clip in clips)
    with pytest.raises(BadInputError, match="No speaker is called"):
        build(services, hum(tmp_path / "b.wav", 18.0), "Carla")


def test_speakers_are_taken_only_where_they_are_told_apart(
    services: Services, tmp_path: Path
) -> None:
    path = hum(tmp_path / "a.wav")
    with pytest.raises(BadInputError, match="told apart"):
        build_dataset(services, DatasetRequest("talk", (str(path),), take="each"))
