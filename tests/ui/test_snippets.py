from __future__ import annotations

import pytest

from modules.ui.widgets.snippets import (
    bar_html,
    clock_text,
    duration_text,
    excerpt,
    facts_html,
    size_text,
    table_html,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1:00 min"), (3661, "1:01:01 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_places_in_a_recording() -> None:
    assert clock_text(4.25) == "0:04.2"
    assert clock_text(3723.44) == "1:02:03.4"


def test_sizes() -> None:
    assert [size_text(n) for n in (None, 0, 10, 75_500_000, 1_870_000_000)] == [
        "–",
        "–",
        "< 1 MB",
        "76 MB",
        "1.9 GB",
    ]


def test_what_users_typed_is_never_live() -> None:
    evil = "<script>alert(1)</script>' onclick='x"
    for html in (facts_html({"Name": evil}), excerpt(evil), table_html(["A"], [(evil, ["b"])])):
        assert "<script>" not in html
        assert "' onclick" not in html


def test_a_table_marks_the_chosen_row_and_says_when_it_is_empty() -> None:
    html = table_html(["A"], [("one", ["1"]), ("two", ["2"])], chosen="two")
    assert "data-id='two' tabindex='0' class='chosen'" in html
    assert table_html(["A"], [], empty="Nothing.") == "<div class='studio-empty'>Nothing.</div>"


def test_a_bar_stays_within_its_frame() -> None:
    assert "width:100.0%" in bar_html(3.0)
    assert "width:0.0%" in bar_html(-1.0)
