"""Scripts cut into parts: nothing lost, nothing too long, commands to the model taken out."""

from __future__ import annotations

import pytest

from modules.core_components.ai_models.engines.base import ScriptLine
from modules.core_components.ai_models.engines.vibevoice.script import (
    LONGEST_PART,
    check_script,
    plan_parts,
)

SENTENCE = "The harbour was quiet before dawn, and nobody spoke of the storm. "


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize(
    "line", [SENTENCE * 758, "word " * 10_000, "a" * 50_000, "天气很好" * 12_500]
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_fifty_thousand_characters_become_parts(line: str, language: str) -> None:
    assert len(line) >= 49_000
    parts = plan_parts(check_script([ScriptLine(0, line)], 1), language, 0)
    assert len(parts) > 3
    assert max(part.characters for part in parts) <= LONGEST_PART * 1.05
    said = "".join(one.text for part in parts for one in part.lines)
    assert letters(said) == letters(line)


def test_lines_stay_lines_and_speakers_stay_themselves() -> None:
    lines = [ScriptLine(1, "Good morning. How are you?"), ScriptLine(0, "Well. And you?")]
    (whole,) = plan_parts(lines, "en", 0)
    assert whole.lines == tuple(lines)
    assert whole.speakers == (1, 0)
    parts = plan_parts(lines, "en", 3)
    assert [[(one.speaker, one.text) for one in part.lines] for part in parts] == [
        [(1, "Good morning. How are you?"), (0, "Well.")],
        [(0, "And you?")],
    ]


def test_what_the_model_would_take_for_a_command_is_not_spoken() -> None:
    lines = [
        ScriptLine(0, "Hello <|vision_pad|><|endoftext|>\nthere, it’s me."),
        ScriptLine(0, "—"),
    ]
    assert check_script(lines, 1) == (ScriptLine(0, "Hello there, it's me."),)
