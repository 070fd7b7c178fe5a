"""What is said of a take next to its figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modules.core_components.text.lines import shorten
from modules.core_components.values import Take
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak, submit_speech
from modules.tools.voices.preset_voices import voice_in_words
from modules.ui.widgets.jobs_view import job_html
from modules.ui.widgets.take_panel import loudness_words, scores_html
from tests.helpers.fakes import add_noise
from tests.ui.page_client import opened


@pytest.fixture
def take(services: Services) -> Take:
    add_noise(services)
    return speak(services, SpeechRequest("Good morning.", "Anna", "sample"))


def test_a_voice_that_is_still_refined_is_said_so_next_to_the_score(take: Take) -> None:
    scores = replace(take.scores, similarity=0.4, speaker_encoder="campplus")
    take = replace(take, scores=scores)
    assert "still being refined" in scores_html(take, is_refining=True)
    assert "still being refined" not in scores_html(take)


def test_loudness_is_a_word_and_its_figure_a_tooltip(take: Take) -> None:
    html = scores_html(replace(take, scores=replace(take.scores, loudness_lufs=-25.0)))
    assert 'title="Loudness −25 dB"' in html
    assert ">usual loudness<" in html
    assert loudness_words(-40.0)[0] == "quiet"


@pytest.mark.parametrize(
    ("voice", "words"),
    [
        ("af_alloy", "Alloy"),
        ("af_bella(2)+af_sky(1)", "Bella (2) + Sky (1)"),
        ("af_heart-af_nicole(0.5)", "Heart − Nicole (0.5)"),
        ("Anna", "Anna"),
        ("my_voice", "my_voice"),
    ],
)
def test_stock_voices_are_called_by_their_names(voice: str, words: str) -> None:
    assert voice_in_words(voice) == words


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("Good evening, and welcome.", 15, "Good evening…"),
        ("Good evening, and welcome.", 40, "Good evening, and welcome."),
        ("Donaudampfschifffahrtsgesellschaft", 10, "Donaudamp…"),
        ("one two", 4, "one…"),
    ],
)
def test_a_text_is_cut_after_a_word(text: str, length: int, shown: str) -> None:
    assert shorten(text, length) == shown


def test_a_long_title_ends_with_a_word_and_is_whole_in_the_tooltip(services: Services) -> None:
    add_noise(services)
    text = "The keeper came home and the lamp was lit again in the old tower by the sea. " * 2
    job = submit_speech(services, SpeechRequest(text.strip(), "Anna", "sample"))
    html = job_html(job)
    assert f'title="{job.title}"' in html
    assert text.strip() in job.title
    assert "…</strong>" in html


def test_an_empty_dataset_offers_what_can_be_done(services: Services) -> None:
    services.datasets.create("Empty", "en", "Anna", True)
    with opened(services, "Dataset") as page:
        assert "This dataset is empty" in page.text
        shown = page.labels("button")
        assert "Add to dataset" in shown
        assert not {"Check all clips", "Download LJSpeech zip", "Next"} & set(shown)
