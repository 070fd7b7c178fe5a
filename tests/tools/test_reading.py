"""How a text will be read: pieces, steps, tags, given sounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.errors import BadInputError
from modules.core_components.text.markup import has_markup
from modules.core_components.text.reading.comparison import Segment, compare_texts
from modules.core_components.text.reading.front_end import (
    RULED_LANGUAGES,
    STEP_NAMES,
    read_as_spoken,
    rules_for,
    spoken_form,
)
from modules.core_components.text.reading.offset_text import OffsetText
from modules.tools.services import Services
from modules.tools.speaking.reading import (
    language_to_read,
    named_steps,
    read_text,
)
from tests.helpers.fakes import fake_studio
from tests.helpers.spoken_forms import LANGUAGES, load_spoken_forms

KOKORO, XTTS, QWEN = "kokoro-v1.0", "xtts-v2.0.3", "qwen3-tts-1.7b-base"


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    services, _ = fake_studio(tmp_path)
    yield services
    services.close()
    reset_managers()


@pytest.mark.parametrize("language", LANGUAGES)
def test_pieces_are_the_written_and_the_spoken_text(services: Services, language: str) -> None:
    for sentence in load_spoken_forms(language):
        text = sentence.text.strip()
        reading = read_text(services, text, language)
        assert "".join(piece.written for piece in reading.segments) == text
        if has_markup(text):  # pauses stay as they are written
            continue
        assert reading.spoken == spoken_form(text, language)
        if reading.changes:
            assert reading.changes[-1].text == reading.spoken


def test_every_language_with_rules_is_known_to_the_tool() -> None:
    assert None not in map(rules_for, RULED_LANGUAGES)
    assert set(LANGUAGES) <= set(RULED_LANGUAGES)


def test_a_replaced_piece_reaches_to_the_ends_of_its_words() -> None:
    pieces = compare_texts(read_as_spoken(OffsetText.of("**World War II** isn’t over"), "en-us"))
    replaced = [piece for piece in pieces if piece.is_replaced]
    assert replaced == [
        Segment("**World", "World"),
        Segment("II**", "two"),
        Segment("isn’t", "isn't"),
    ]


def test_tags_stay_and_given_sounds_are_not_read(services: Services) -> None:
    services.pronunciations.put("en-us", "Dr. No", "doctor no")
    text = "[speed:1.2]Dr. No and [Louis XIV](/lˈui/) paid $5. [pause:1s] Dr. Who too."
    reading = read_text(services, text, "en-us", KOKORO)
    assert reading.spoken == (
        "[speed:1.2]Dr. No and Louis XIV paid five dollars. [pause:1s] Doctor Who too."
    )
    assert reading.pronounced == (Segment("Dr. No", "doctor no"), Segment("Louis XIV", "/lˈui/"))
    assert [change.step for change in reading.changes] == ["abbreviations", "money"]
    assert reading.changes[0].text.endswith("paid $5. [pause:1s] Doctor Who too.")
    with pytest.raises(BadInputError, match=r"\[speed:9\]"):
        read_text(services, "[speed:9]one", "en-us")


def test_models_without_pronunciations_read_the_words(services: Services) -> None:
    services.pronunciations.put("en", "five", "cinque")
    reading = read_text(services, "[5](/fˈIv/) five", "en", XTTS)
    assert (reading.spoken, reading.pronounced) == ("five five", ())


def test_models_trained_on_written_text_get_it_without_formatting(services: Services) -> None:
    reading = read_text(services, "**5 €** for Tom’s", "en", QWEN)
    assert reading.spoken == "5 € for Tom's"
    with pytest.raises(BadInputError, match="no step can be left out"):
        read_text(services, "5 €", "en", QWEN, "money")


def test_steps_are_left_out_by_name(services: Services) -> None:
    assert read_text(services, "$5, 3 km", "en-us", KOKORO, "units").spoken == (
        "five dollars, three km"
    )
    assert named_steps(None) == ""
    assert set(named_steps(STEP_NAMES)) == set()
    as_written = named_steps(["Money", " numbers"])
    assert read_text(services, "$5, 3 km", "en-us", "", as_written).spoken == (
        "five dollars, three km"
    )
    with pytest.raises(BadInputError, match="no step “mony”"):
        named_steps(["mony"])


@pytest.mark.parametrize(
    ("language", "model", "code"),
    [
        ("", "", "en-us"),
        ("english", "", "en-us"),
        ("en-GB", "", "en-gb"),
        ("Deutsch", "", "de"),
        ("b", "", "en-gb"),
        ("nl", "", "nl"),
        ("pt", KOKORO, "pt-br"),
        ("de-AT", XTTS, "de"),
    ],
)
def test_languages_are_found_by_code_and_name(
    services: Services, language: str, model: str, code: str
) -> None:
    assert language_to_read(services, language, model) == code


def test_a_placeholder_in_the_text_is_refused(services: Services) -> None:
    with pytest.raises(BadInputError, match=r"U\+E000"):
        read_text(services, "one \ue000 two", "en-us")
