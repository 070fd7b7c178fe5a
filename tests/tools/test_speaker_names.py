"""A name that was given once follows the voice from transcript to transcript."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.values import FloatArray, Segment, Transcript
from modules.tools.listening.speaker_voices import read_voices, voices_path
from modules.tools.listening.speakers import parse_speakers, speakers_between
from modules.tools.listening.transcripts import (
    DeletedTranscripts,
    delete_transcript,
    get_transcript,
    keep_transcript,
    name_speaker,
)
from modules.tools.services import Services


def voice(seed: int, apart: float = 0.0) -> FloatArray:
    """A voice, and with `apart` another recording of it."""
    own = np.random.default_rng(seed).normal(size=192)
    own += apart * np.random.default_rng(99).normal(size=192)
    return np.asarray(own / np.linalg.norm(own), np.float32)


def keep(services: Services, voices: dict[str, FloatArray]) -> str:
    segments = tuple(
        Segment(f"Said by {label}.", number, number + 1, speaker=label)
        for number, label in enumerate(voices)
    )
    heard = Transcript("Said.", "en", segments, float(len(voices)), overlaps=((0.5, 1.0),))
    return keep_transcript(services, heard, "meeting", voices=voices).stem


def names(services: Services, kept_id: str) -> list[str | None]:
    return [segment.speaker for segment in get_transcript(services, kept_id).transcript.segments]


def test_a_named_voice_is_known_in_the_next_recording(services: Services) -> None:
    first = keep(services, {"Speaker 1": voice(1), "Speaker 2": voice(2)})
    name_speaker(services, first, 1, "Ben")
    second = keep(services, {"Speaker 1": voice(2, apart=0.4), "Speaker 2": voice(3)})
    assert names(services, second) == ["Ben", "Speaker 2"]
    assert get_transcript(services, second).original.segments[0].speaker == "Speaker 1"
    assert get_transcript(services, second).transcript.overlaps == ((0.5, 1.0),)


def test_a_name_reaches_the_earlier_recordings_but_replaces_no_other(services: Services) -> None:
    ids = [keep(services, {"Speaker 1": voice(1, apart=0.1 * n)}) for n in range(3)]
    stranger = keep(services, {"Speaker 1": voice(5)})
    name_speaker(services, ids[2], 0, "Bea")
    assert [names(services, one) for one in [*ids, stranger]] == [
        ["Bea"],
        ["Bea"],
        ["Bea"],
        ["Speaker 1"],
    ]
    name_speaker(services, ids[0], 0, "Beate", everywhere=False)
    name_speaker(services, ids[1], 0, "Beatrix")  # a better spelling follows, too
    assert [names(services, one) for one in ids] == [["Beate"], ["Beatrix"], ["Beatrix"]]


def test_voices_go_to_the_trash_and_come_back(services: Services) -> None:
    kept_id = keep(services, {"Speaker 1": voice(1)})
    path = get_transcript(services, kept_id).path
    entry = delete_transcript(services, kept_id)
    assert not voices_path(path).exists()
    restored = DeletedTranscripts(services).restore(entry)
    np.testing.assert_allclose(read_voices(restored.path)["Speaker 1"], voice(1), atol=1e-4)


@pytest.mark.parametrize("content", ["", "[]", '{"encoder": "campplus", "voices": {"A": ["x"]}}'])
def test_harmed_voices_are_none(services: Services, content: str) -> None:
    kept_id = keep(services, {"Speaker 1": voice(1)})
    path = get_transcript(services, kept_id).path
    voices_path(path).write_text(content, encoding="utf-8")
    assert read_voices(path) == {}
    assert names(services, kept_id) == ["Speaker 1"]


def test_the_number_of_speakers_as_it_is_written() -> None:
    assert parse_speakers("") is None
    assert parse_speakers(" Off ") is None
    for given, bounds in (("3", (3, 3)), ("2-4", (2, 4)), (" 2 - 4 ", (2, 4)), ("50", (50, 50))):
        count = parse_speakers(given)
        assert count is not None
        assert (count.least, count.most) == bounds
    assert parse_speakers(speakers_between(2, None)) == parse_speakers("2-50")
    for given in ("0", "4-2", "51", "two", "1-", "-3", "1.5"):
        with pytest.raises(BadInputError, match="no number of speakers"):
            parse_speakers(given)
