"""From sliders to a mix, in words."""

from __future__ import annotations

import pytest

from modules.core_components.errors import BadInputError
from modules.ui.tabs.voice_presets.voice_mixer import (
    MOST_VOICES,
    _add_row,
    _mix_html,
    _read_rows,
    checked_mix,
)


def test_sliders_make_a_mix_and_say_its_shares() -> None:
    mix, told = _read_rows("a", "b", None, "", "", 3.0, -1.0, 1.0, 2.0, None)
    assert mix == "a(3)-b(1)"
    assert "a 150%, b -50%" in told


def test_a_mix_that_cannot_be_spoken_says_why() -> None:
    assert "warn" in _mix_html([("a", 1.0), ("b", -1.0)])
    assert "&lt;b&gt;" in _mix_html([("<b>", 1.0)])
    with pytest.raises(BadInputError, match="weigh more"):
        checked_mix("a-b")
    with pytest.raises(BadInputError, match="no voice yet"):
        checked_mix("")


def test_rows_appear_one_by_one_up_to_five() -> None:
    count, *updates = _add_row(MOST_VOICES - 1)
    assert count == MOST_VOICES
    assert all(update["visible"] for update in updates[:MOST_VOICES])
    assert not updates[-1]["visible"]
