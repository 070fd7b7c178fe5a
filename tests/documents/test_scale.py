"""docs/scale.md has the tables that its script computes, and the script computes what it says."""

from __future__ import annotations

import math

import pytest

from bench.capacity import carried, chance_to_wait, hours_a_day, tables
from tests.conftest import ROOT


def test_the_tables_are_those_of_the_script() -> None:
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    for table in tables():
        assert table in page


@pytest.mark.parametrize(
    ("streams", "listeners", "chance"),
    # One stream: it is taken as often as there is a listener. Others: tables of Erlang C.
    [(1, 0.3, 0.3), (2, 1.0, 1 / 3), (10, 5.0, 0.0361)],
)
def test_the_chance_to_wait_is_erlangs(streams: int, listeners: float, chance: float) -> None:
    assert chance_to_wait(streams, listeners) == pytest.approx(chance, abs=5e-4)


def test_more_workers_carry_more_than_in_proportion() -> None:
    one, ten = carried(1, 3.5), carried(10, 3.5)
    assert (one.streams, ten.streams) == (3, 30)
    assert 10 * one.listeners < ten.listeners < ten.streams
    assert ten.requests_a_second == pytest.approx(ten.listeners / 6)
    assert chance_to_wait(30, ten.listeners) == pytest.approx(0.05, abs=1e-6)


def test_a_model_slower_than_speech_carries_no_listener() -> None:
    load = carried(100, 0.9)
    assert (load.streams, load.listeners) == (0, 0.0)
    assert math.isclose(hours_a_day(100, 0.9), 2160)
