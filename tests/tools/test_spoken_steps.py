"""A request is completed once, into the steps that takes and live speech follow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.base import TTSEngine
from modules.core_components.ai_models.engines.options import option
from modules.core_components.errors import BadInputError
from modules.core_components.text.sentences import split_passages
from modules.tools.services import Services
from modules.tools.speaking.request import (
    PASSAGE_CHARACTERS,
    PAUSE_BETWEEN_PASSAGES_S,
    Passage,
    PauseStep,
    SpeechRequest,
    complete_speech,
    engine_options,
    plan_steps,
    read_completed,
)
from modules.tools.speaking.speech import read_take, speak
from tests.helpers.fakes import SINE, SineEngine

LONG = "This sentence is here to fill the passage up with words. " * (PASSAGE_CHARACTERS // 20)


@pytest.fixture
def engine(services: Services) -> TTSEngine:
    return services.tts.get(SINE)


def steps_of(
    engine: TTSEngine, text: str, seed: int, options: Mapping[str, Any]
) -> tuple[Passage | PauseStep, ...]:
    return plan_steps(engine, text, engine_options(engine, options, "en-us", seed))


def passages(steps: Sequence[Passage | PauseStep]) -> list[Passage]:
    return [step for step in steps if isinstance(step, Passage)]


def test_text_without_markup_is_its_passages(engine: TTSEngine) -> None:
    steps = steps_of(engine, LONG, 7, {"speed": 1.5})
    spoken = passages(steps)
    assert [p.text for p in spoken] == split_passages(LONG, "en-us", PASSAGE_CHARACTERS)
    assert [p.options.seed for p in spoken] == [7 + 100_003 * i for i in range(len(spoken))]
    assert {p.options.speed for p in spoken} == {1.5}
    assert [s for s in steps if isinstance(s, PauseStep)] == [
        PauseStep(PAUSE_BETWEEN_PASSAGES_S)
    ] * (len(spoken) - 1)


def test_a_pause_replaces_the_usual_one_and_speeds_multiply(engine: TTSEngine) -> None:
    text = "One.[pause:2s] Two. [speed:1.2] Three. [speed:1] Four."
    steps = steps_of(engine, text, 0, {"speed": 1.5})
    assert [step.seconds if isinstance(step, PauseStep) else step.text for step in steps] == [
        "One.", 2.0, "Two.", "Three.", "Four.",
    ]  # fmt: skip
    assert [p.options.speed for p in passages(steps)] == [1.5, 1.5, 1.8, 1.5]
    assert isinstance(steps[0], Passage)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a [speed:2] b", "Speed is 3"),
        ("a [speed:x] b", "no possible speed"),
        ("a [pause:x] b", "names no time"),
        ("[pause:1s] [speed:2]", "nothing to speak"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_spoken(
    services: Services, text: str, reason: str
) -> None:
    request = SpeechRequest(text, "high", "preset", SINE, options={"speed": 1.5})
    with pytest.raises(BadInputError, match=reason):
        complete_speech(services, request)


def test_an_engine_without_a_speed_says_so() -> None:
    @dataclass(frozen=True)
    class Options:
        language: str = option("en-us", "Language", "")
        seed: int = option(0, "Seed", "")

    class OneSpeed(SineEngine):
        options_type = Options

    with pytest.raises(BadInputError, match="cannot change its speed"):
        steps_of(OneSpeed(), "a [speed:2] b", 0, {})


def test_a_pause_is_exactly_as_long_as_it_says(services: Services) -> None:
    def taken(text: str) -> np.ndarray:
        return read_take(
            speak(services, SpeechRequest(text, "high", "preset", SINE, seed=1, score=False))
        ).samples

    one, both = taken("one"), taken("one [pause:1500ms] two [pause:0.5s]")
    rate_hz = SineEngine.sample_rate_hz
    assert np.all(both[len(one) : len(one) + int(1.5 * rate_hz)] == 0)
    assert len(both) == 2 * len(one) + 2 * rate_hz


def test_a_completed_request_comes_back_from_json(services: Services) -> None:
    text = "One.[pause:2s] Two. [speed:1.2] Three."
    request = SpeechRequest(text, "high", "preset", SINE, options={"speed": 1.5}, score=False)
    completed = complete_speech(services, request)
    assert [p.options.speed for p in completed.passages] == [1.5, 1.5, 1.8]
    assert read_completed(services, json.loads(json.dumps(asdict(completed)))) == completed


def test_the_payload_of_an_earlier_version_is_completed(services: Services) -> None:
    old = {
        "text": "one two", "voice": "high", "kind": "preset", "engine": SINE,
        "language": "en-us", "seed": 7, "options": {"speed": 1.5}, "score": False,
        "output_format": "flac", "made_from": None, "may_fall_back": True, "note": "Replaced.",
    }  # fmt: skip
    completed = read_completed(services, old)
    assert (completed.model_id, completed.seed, completed.note) == (SINE, 7, "Replaced.")
    assert [(p.text, p.options.speed) for p in completed.passages] == [("one two", 1.5)]


def test_options_that_the_engine_no_longer_has_are_completed_anew(services: Services) -> None:
    request = SpeechRequest("one two", "high", "preset", SINE, seed=7, options={"speed": 1.5})
    completed = complete_speech(services, request)
    payload = json.loads(json.dumps(asdict(completed)))
    payload["options"]["gone"] = payload["steps"][0]["options"]["gone"] = 1
    assert read_completed(services, payload) == completed
