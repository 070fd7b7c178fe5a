"""Scripts cut into parts that are spoken in one go."""

from __future__ import annotations

import pytest

from modules.core_components.errors import BadInputError
from modules.core_components.text.script import edge_pauses, labelled, parse_script, split_script


def split(script: str, longest: int = 100) -> tuple[str, ...]:
    return split_script(parse_script(script), "en", longest)


def test_parts_are_cut_between_lines_and_are_scripts_themselves() -> None:
    script = "Anna: (softly) Good morning.\n[and so]: Yes.\nAnna: How are you today?"
    assert split(script) == (script,)
    parts = split(script, 20)
    assert parts == (
        "Anna: (softly) Good morning.\n[and so]: Yes.",
        "Anna: How are you today?",
    )
    said = [(line.speaker, line.text) for part in parts for line in parse_script(part)]
    assert said == [(line.speaker, line.text) for line in parse_script(script)]


def test_a_pause_ends_its_part_and_the_speaker_goes_on_in_the_next() -> None:
    parts = split("[pause:2s]\nAnna: Well [pause:500ms] [pause:1s] yes.\nBen: No. [pause:3s]")
    assert parts == (
        "[pause:2s]\nAnna: Well\n[pause:0.5s]\n[pause:1s]",
        "Anna: yes.\nBen: No.\n[pause:3s]",
    )
    assert [edge_pauses(part) for part in parts] == [(2.0, 1.5), (0.0, 3.0)]
    assert [split(part) for part in parts] == [(part,) for part in parts]


def test_a_line_that_is_too_long_is_cut_between_sentences() -> None:
    assert split("Anna: (sad) One two three. Four five six.", 20) == (
        "Anna: (sad) One two three.",
        "Anna: Four five six.",
    )


def test_a_change_of_speed_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"Line 2, Ben: .* one speed"):
        split("Anna: Yes.\nBen: [speed:2] No.")


@pytest.mark.parametrize("name", ["Anna", "2", "and so on", "Dr. O'Neill", "a & b", "Ä (old)"])
def test_a_labelled_line_is_read_back(name: str) -> None:
    (line,) = parse_script(labelled(name, "Hello: you."))
    assert (line.speaker, line.text) == (name, "Hello: you.")
