"""What the figures of a take mean, in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modules.core_components.values import Scores, Take
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.scores import explain_words, heard_words
from modules.tools.speaking.speech import speak
from tests.helpers.fakes import add_noise


@pytest.fixture
def take(services: Services) -> Take:
    sample = add_noise(services)
    return speak(services, SpeechRequest("one two", sample.name, seed=1, score=False))


@pytest.mark.parametrize(
    ("text", "rate", "figure", "sentence"),
    [
        ("K-Board", 1.0, "0 of 2", "No word was understood."),
        ("Open the door", 0.3333, "2 of 3", "One of 3 words was heard differently."),
        ("Open the door", 0.0, "3 of 3", "Every word was understood."),
        ("Open", 3.0, "0 of 1", "No word was understood."),
        ("one " * 100, 0.02, "98%", "2 of 100 words were heard differently."),
        ("one " * 100, 0.0, "100%", "Every word was understood."),
        ("one " * 100, 0.004, "99%", "One of 100 words was heard differently."),
        ("one " * 20_000, 0.5, "50%", "10000 of 20000 words were heard differently."),
    ],
)
def test_few_words_have_no_percentage(
    take: Take, text: str, rate: float, figure: str, sentence: str
) -> None:
    heard = heard_words(replace(take, text=text, scores=Scores(word_error_rate=rate)))
    assert heard is not None
    assert (heard.figure, heard.sentence) == (figure, sentence)


def test_what_was_not_measured_says_so(take: Take) -> None:
    assert heard_words(take) is None
    assert explain_words(take) == "Not measured."
