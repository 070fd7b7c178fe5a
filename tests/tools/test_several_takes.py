"""Two takes compared, several exported."""

from __future__ import annotations

import zipfile

import pytest

from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.values import Take
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import speak
from modules.tools.speaking.take_comparison import Difference, compare_takes
from modules.tools.speaking.take_export import PAUSE_S, join_takes, zip_takes


def two(services: Services) -> tuple[Take, Take]:
    first = SpeechRequest("Good morning.", "high", "preset", seed=1, options={"speed": 1.0})
    second = SpeechRequest("Good evening.", "low", "preset", seed=2, options={"speed": 1.5})
    return speak(services, first), speak(services, second)


def test_a_comparison_has_the_settings_that_differ_and_all_scores(services: Services) -> None:
    first, second = two(services)
    compared = compare_takes(services, first.id, second.id)
    assert compared.settings == (
        Difference("Voice", "high", "low"),
        Difference("Seed", "1", "2"),
        Difference("Speed", "1", "1.5"),
    )
    assert compared.scores[0].label == "Length"
    assert {pair.label for pair in compared.scores} >= {"Length", "Generated in"}
    again = speak(services, SpeechRequest("Other.", "high", "preset", seed=1))
    assert compare_takes(services, first.id, again.id).settings == ()


def test_a_take_is_not_compared_with_itself(services: Services) -> None:
    first, _ = two(services)
    with pytest.raises(BadInputError, match="same take"):
        compare_takes(services, first.id, first.id)
    with pytest.raises(NotFoundError):
        compare_takes(services, first.id, "../secret")


def test_a_zip_has_each_take_as_it_is_with_its_record(services: Services) -> None:
    takes = two(services)
    with zipfile.ZipFile(zip_takes(services, [take.id for take in takes])) as archive:
        assert sorted(archive.namelist()) == sorted(
            name for take in takes for name in (take.path.name, f"{take.path.stem}.json")
        )
        assert archive.read(takes[0].path.name) == takes[0].path.read_bytes()


def test_joined_takes_come_in_the_order_asked_for(services: Services) -> None:
    first, second = two(services)
    joined = read_speech(join_takes(services, [second.id, first.id]))
    assert joined.duration_s == pytest.approx(
        first.duration_s + second.duration_s + PAUSE_S, abs=0.3
    )
    other = read_speech(join_takes(services, [first.id, second.id]))
    assert other.samples[:2000].tolist() != joined.samples[:2000].tolist()
    assert services.takes.get(first.id) == first


def test_nothing_selected_is_nothing_to_export(services: Services) -> None:
    for export in (zip_takes, join_takes):
        with pytest.raises(BadInputError, match="No takes are selected"):
            export(services, [])
        with pytest.raises(NotFoundError):
            export(services, ["../secret"])
    assert not services.exports_folder.exists() or not any(services.exports_folder.iterdir())
