"""Stretches of a long recording, answers that break off, and speakers across both."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.vibevoice_asr.network import (
    Answer,
    SpeakerTurn,
    read_answer,
)
from modules.core_components.ai_models.engines.vibevoice_asr.windows import (
    SpeakerNames,
    transcribe_windows,
)
from modules.core_components.values import FloatArray, Speech

TALK = [SpeakerTurn(f"Sentence {n}.", n * 7.0, n * 7.0 + 6.5, n % 2) for n in range(20)]
LENGTH_S = 140.0


class Listener:
    """Hears TALK; of a stretch it writes down `most` whole utterances, and says how it ended."""

    def __init__(self, most: int = 1000, deaf_between: tuple[float, float] = (0, 0)) -> None:
        self.most = most
        self.deaf = deaf_between
        self.asked: list[tuple[float, float]] = []

    def __call__(self, start_s: float, end_s: float) -> Answer:
        self.asked.append((start_s, end_s))
        if self.deaf[0] < end_s and start_s < self.deaf[1]:
            return Answer((), complete=False)
        said = [
            SpeakerTurn(
                one.text, max(one.start_s - start_s, 0.0), min(one.end_s, end_s) - start_s,
                one.speaker,
            )
            for one in TALK
            if one.end_s > start_s + 0.2 and one.start_s < end_s - 0.2
        ]  # fmt: skip
        return Answer(tuple(said[: self.most]), complete=len(said) <= self.most)


def texts(found: Any) -> list[str]:
    return [one.text for window in found for one in window.turns]


EVERYTHING = [one.text for one in TALK]


@pytest.mark.parametrize("longest_s", [3600.0, 60.0, 33.0, 10.0])
def test_nothing_is_lost_and_nothing_is_doubled(longest_s: float) -> None:
    found = list(transcribe_windows(LENGTH_S, longest_s, Listener()))
    assert texts(found) == EVERYTHING
    heard = [one for window in found for one in window.turns]
    assert [round(one.start_s, 6) for one in heard] == [one.start_s for one in TALK]
    assert not any(window.note for window in found)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_an_answer_that_breaks_off_is_gone_on_with_and_told(most: int) -> None:
    found = list(transcribe_windows(LENGTH_S, 3600.0, Listener(most=most)))
    assert texts(found) == EVERYTHING
    assert sum("too long" in window.note for window in found) == len(found) - 1
    assert not found[-1].note


def test_a_stretch_that_cannot_be_written_down_is_told_and_the_rest_kept() -> None:
    listener = Listener(deaf_between=(63.0, 64.0))
    found = list(transcribe_windows(LENGTH_S, 3600.0, listener))
    (lost,) = [window for window in found if window.note]
    assert "could not be transcribed" in lost.note
    assert lost.start_s <= 63.0 < lost.end_s
    assert lost.end_s - lost.start_s <= 10.0
    assert len(set(EVERYTHING) - set(texts(found))) <= 1


def test_every_stretch_begins_behind_the_last() -> None:
    listener = Listener(most=3)
    list(transcribe_windows(LENGTH_S, 40.0, listener))
    starts = [start_s for start_s, _ in listener.asked]
    assert starts == sorted(set(starts))


def test_an_answer_is_read_with_what_models_forget() -> None:
    parsed = [
        {"Start": 0.5, "End": 2, "Speaker": "1", "Content": " Hello \n there. "},
        {"Start": "soon", "End": None, "Content": "[Music]"},
        {"Start": 3.0, "End": 99.0, "Speaker": None, "Content": "The end."},
    ]
    answer = read_answer(parsed, finished=True, length_s=5.0)
    assert answer.complete
    assert [(u.text, u.start_s, u.end_s, u.speaker) for u in answer.turns] == [
        ("Hello there.", 0.5, 2.0, 1),
        ("[Music]", 2.0, 2.0, None),
        ("The end.", 3.0, 5.0, None),
    ]
    assert [u.is_sound for u in answer.turns] == [False, True, False]
    assert read_answer("assistant [{", finished=True, length_s=5.0) == Answer((), complete=False)


RATE_HZ = 1000
RECORDING = Speech(
    np.concatenate([np.full(RATE_HZ, level, np.float32) for level in (1, 2, 2, 1, 3, 1)]), RATE_HZ
)


def voice_of(clip: Speech) -> FloatArray:
    """The level of the recording is the voice: 1, 2 and 3 are strangers."""
    vector = np.zeros(4, np.float32)
    vector[int(clip.samples[0])] = 1.0
    return vector


def said(*turns: tuple[int, int]) -> list[SpeakerTurn]:
    return [SpeakerTurn("Words.", second, second + 1.0, number) for second, number in turns]


def test_speakers_keep_their_names_when_the_model_numbers_them_anew() -> None:
    names = SpeakerNames(voice_of, 0.72)
    assert names.name_speakers(RECORDING, said((0, 0), (1, 1))) == {0: "Speaker 1", 1: "Speaker 2"}
    assert names.name_speakers(RECORDING, said((2, 0), (3, 1))) == {0: "Speaker 2", 1: "Speaker 1"}
    assert names.name_speakers(RECORDING, said((4, 0), (5, 1))) == {0: "Speaker 3", 1: "Speaker 1"}


def test_who_cannot_be_recognised_is_never_taken_for_another() -> None:
    names = SpeakerNames(lambda clip: None, 0.72)
    assert names.name_speakers(RECORDING, said((0, 0))) == {0: "Speaker 1"}
    assert names.name_speakers(RECORDING, said((3, 0))) == {0: "Speaker 2"}


def test_one_stretch_needs_no_speaker_encoder() -> None:
    names = SpeakerNames(lambda clip: pytest.fail("nobody is to be compared"), 0.72)
    assert names.name_speakers(RECORDING, said((0, 3), (1, 0))) == {3: "Speaker 1", 0: "Speaker 2"}
