from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from modules.ui.render import (
    card_html,
    clock_text,
    device_text,
    duration_text,
    empty_html,
    error_html,
    facts_html,
    note_html,
    part,
    render,
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
    for html in (
        facts_html({"Name": evil}),
        facts_html({evil: "value"}),
        empty_html(evil),
        note_html(evil),
        card_html(evil, evil, "warn"),
        error_html(evil, evil),
        part("title", evil),
        part("badge", evil),
        part("bar", 0.5, evil),
        table_html([evil], [(evil, ["b", evil])]),
        table_html([], [], empty=evil),
    ):
        assert "<script>" not in html
        assert "' onclick" not in html
        assert "&lt;script&gt;" in html


def test_a_table_marks_the_chosen_row_and_says_when_it_is_empty() -> None:
    html = table_html(["A"], [("one", ["1"]), ("two", ["2"])], chosen="two")
    assert 'data-id="two" tabindex="0" class="chosen"' in html
    assert table_html(["A"], [], empty="Nothing.") == '<div class="studio-empty">Nothing.</div>'


def test_a_bar_stays_within_its_frame() -> None:
    assert "width:100.0%" in part("bar", 3.0)
    assert "width:0.0%" in part("bar", -1.0)


def test_what_was_escaped_once_is_not_escaped_again() -> None:
    badge = part("badge", "<new>")
    assert f"<td>{badge}</td>" in table_html(["A"], [("one", [badge])])


def test_a_value_that_is_left_out_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        render("log")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("device (cpu)", "CPU"),
        ("device (cuda:1)", "GPU 1"),
        ("host (cuda:0)", "main memory"),
        ("loading (cuda:0)", "GPU 0, loading"),
    ],
)
def test_devices_are_named_as_people_do(place: str, words: str) -> None:
    assert device_text(place) == words
