"""The pace of a sample beside that of a voice, on a tiny random Kokoro."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from modules.core_components.ai_models.engines.kokoro.fit.inputs import TranscribedSample
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    FASTEST,
    FRAME_S,
    SLOWEST,
    Reading,
    articulation_s,
    speaking_rate,
)
from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
from modules.core_components.values import Segment, Word
from tests.helpers.tiny_kokoro import build_tiny_kokoro

TEXT = "the rain came down all day, and the old road was under water."
STYLE = torch.zeros(1, 256)


@pytest.fixture(scope="module")
def kmodel(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = build_tiny_kokoro(tmp_path_factory.mktemp("kokoro"))
    return import_kmodel()(
        repo_id="tiny", config=str(folder / "config.json"), model=str(folder / "kokoro-v1_0.pth")
    ).eval()


def said_in(seconds: float, pause_s: float = 0.0, probability: float = 0.9) -> Segment:
    """The text in words of one length, with a pause after the sixth."""
    words = TEXT.split()
    each = seconds / len(words)
    starts = [i * each + (pause_s if i > 5 else 0.0) for i in range(len(words))]
    spoken = tuple(
        Word(word, start, start + each, probability)
        for word, start in zip(words, starts, strict=True)
    )
    return Segment(TEXT, 0.0, seconds + pause_s, spoken)


def own_pace_s(kmodel: Any) -> float:
    return Reading(kmodel, TEXT).articulation_s(kmodel, STYLE[:, 128:])


def rate(kmodel: Any, *segments: Segment) -> float:
    return speaking_rate(kmodel, TranscribedSample(segments, lambda text: text), STYLE)


def test_the_voices_own_pace_is_left_as_it_is(kmodel: Any) -> None:
    assert rate(kmodel, said_in(own_pace_s(kmodel))) == pytest.approx(1.0, abs=0.01)


def test_a_faster_speaker_makes_a_faster_voice_but_not_all_the_way(kmodel: Any) -> None:
    assert 1.05 < rate(kmodel, said_in(own_pace_s(kmodel) / 1.2)) < 1.2
    assert 1 / 1.2 < rate(kmodel, said_in(own_pace_s(kmodel) * 1.2)) < 0.95


def test_the_pace_has_bounds(kmodel: Any) -> None:
    assert rate(kmodel, said_in(own_pace_s(kmodel) / 9)) == FASTEST
    assert rate(kmodel, said_in(own_pace_s(kmodel) * 9)) == SLOWEST


def test_pauses_do_not_count(kmodel: Any) -> None:
    assert articulation_s(said_in(4.0, pause_s=2.0)) == pytest.approx(4.0)
    seconds = own_pace_s(kmodel)
    assert rate(kmodel, said_in(seconds, pause_s=2.0)) == rate(kmodel, said_in(seconds))
    # A comma is a pause of the voice's own.
    reading = Reading(kmodel, "a,")
    with_comma_s = float(reading.durations(kmodel, STYLE[:, 128:])[1:-1].detach().sum()) * FRAME_S
    assert reading.articulation_s(kmodel, STYLE[:, 128:]) < with_comma_s


def test_guesswork_and_too_few_words_leave_it_alone(kmodel: Any) -> None:
    slow = own_pace_s(kmodel) * 2
    assert rate(kmodel, said_in(slow)) < 1
    assert rate(kmodel, said_in(slow, probability=0.3)) == 1.0
    assert rate(kmodel) == 1.0
    few = Segment("a slow man", 0.0, 6.0, said_in(slow).words[:3])
    assert rate(kmodel, few) == 1.0


def test_what_cannot_be_read_is_passed_over(kmodel: Any) -> None:
    unreadable = Segment("%%%", 0.0, 9.0, said_in(9.0).words)
    assert rate(kmodel, unreadable, said_in(own_pace_s(kmodel))) == pytest.approx(1.0, abs=0.01)
