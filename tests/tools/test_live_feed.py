"""What a page hears of a job: in order, bounded, forgotten in the end."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from modules.core_components.errors import JobCancelled
from modules.core_components.values import Speech, Word
from modules.tools.speaking import live_feed
from modules.tools.speaking.live_feed import (
    CANCELLED,
    DONE,
    FAILED,
    LEFT_BEHIND,
    LiveFeeds,
    piece_line,
)

PIECE = Speech(np.array([0.0, 0.5, -1.0, 2.0], np.float32), 4, (Word("Wört", 0.25, 0.75),))


def test_a_piece_as_json() -> None:
    piece = json.loads(piece_line(PIECE))
    samples = np.frombuffer(base64.b64decode(piece["audio"]), "<i2")
    assert samples.tolist() == [0, 16384, -32767, 32767]
    assert piece["rate"] == 4
    assert piece["words"] == [["Wört", 0.25, 0.75]]


def test_every_reader_gets_every_piece_once() -> None:
    feeds = LiveFeeds()
    with feeds.feeding("job") as hear:
        feed = feeds.find("job")
        assert feed is not None
        hear(PIECE)
        first = feed.after(0)
        assert (len(first.lines), first.position, first.end) == (1, 1, "")
        assert feed.after(1).lines == ()
        hear(PIECE)
        assert len(feed.after(1).lines) == 1
    assert len(feed.after(0).lines) == 2
    assert feed.after(2).end == DONE


@pytest.mark.parametrize(
    ("error", "end"), [(JobCancelled(), CANCELLED), (ValueError("broken"), FAILED)]
)
def test_an_end_before_the_end_is_told(error: Exception, end: str) -> None:
    feeds = LiveFeeds()
    with pytest.raises(type(error)), feeds.feeding("job"):
        raise error
    feed = feeds.find("job")
    assert feed is not None
    assert feed.after(0).end == end


def test_a_reader_who_falls_behind_is_told_and_memory_stays_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live_feed, "KEPT_S", 3.0)
    feeds = LiveFeeds()
    with feeds.feeding("job") as hear:
        for _ in range(10):
            hear(PIECE)  # one second each
        feed = feeds.find("job")
        assert feed is not None
        assert feed.after(0).end == LEFT_BEHIND
        assert len(feed.after(7).lines) == 3


def test_a_feed_is_forgotten_a_while_after_its_end() -> None:
    now = [0.0]
    feeds = LiveFeeds(lambda: now[0])
    with feeds.feeding("old"):
        now[0] = 1000.0
        assert feeds.find("old") is not None
    now[0] += live_feed.FORGET_AFTER_S - 1
    assert feeds.find("old") is not None
    now[0] += 2
    assert feeds.find("old") is None
