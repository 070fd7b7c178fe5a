"""Speech of running jobs for pages that play it: one feed for each job, in bounded memory."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from modules.core_components.errors import JobCancelled
from modules.core_components.values import Speech

DONE, CANCELLED, FAILED, LEFT_BEHIND = "done", "cancelled", "failed", "left behind"
# Forty megabytes as text. A page that is further behind waits for the take instead.
KEPT_S = 600.0
# A page may ask for a feed whose job ended already.
FORGET_AFTER_S = 60.0


@dataclass(frozen=True)
class News:
    """What a reader has not read yet: `lines` of JSON, the next position, how it ended or ""."""

    lines: tuple[str, ...]
    position: int
    end: str = ""


class LiveFeed:
    """The pieces of one job in order, for any number of readers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: deque[tuple[str, float]] = deque()
        self._dropped = 0
        self._kept_s = 0.0
        self.end = ""
        self.ended_at = 0.0

    def put(self, speech: Speech) -> None:
        """Adds a piece; the oldest go when more than `KEPT_S` seconds are kept."""
        line = piece_line(speech)
        with self._lock:
            self._pieces.append((line, speech.duration_s))
            self._kept_s += speech.duration_s
            while self._kept_s > KEPT_S and len(self._pieces) > 1:
                self._kept_s -= self._pieces.popleft()[1]
                self._dropped += 1

    def close(self, end: str, now: float) -> None:
        """Ends the feed; `end` says why."""
        with self._lock:
            self.end, self.ended_at = end, now

    def after(self, position: int) -> News:
        """The pieces since `position` (0 at first)."""
        with self._lock:
            if position < self._dropped:
                return News((), position, LEFT_BEHIND)
            lines = tuple(line for line, _ in list(self._pieces)[position - self._dropped :])
            return News(lines, position + len(lines), self.end)


class LiveFeeds:
    """The feeds of the running jobs. Safe from every thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._feeds: dict[str, LiveFeed] = {}

    @contextmanager
    def feeding(self, job_id: str) -> Iterator[Callable[[Speech], None]]:
        """Yields what takes the pieces of a job; the feed ends with the block."""
        feed = LiveFeed()  # a job that is resumed begins anew
        with self._lock:
            self._forget_old()
            self._feeds[job_id] = feed
        end = FAILED
        try:
            yield feed.put
            end = DONE
        except JobCancelled:
            end = CANCELLED
            raise
        finally:
            feed.close(end, self._clock())

    def find(self, job_id: str) -> LiveFeed | None:
        """The feed of a job; None before it speaks, and a while after it ended."""
        with self._lock:
            self._forget_old()
            return self._feeds.get(job_id)

    def _forget_old(self) -> None:
        oldest = self._clock() - FORGET_AFTER_S
        over = [key for key, feed in self._feeds.items() if feed.end and feed.ended_at < oldest]
        for job_id in over:
            del self._feeds[job_id]


def piece_line(speech: Speech) -> str:
    """A piece as one line of JSON: `rate`, `audio` (16 bit, little-endian, base64) and `words`.

    A word is its text with start and end in seconds from the start of the piece.
    """
    pcm = (np.clip(speech.samples, -1, 1) * 32767).round().astype("<i2").tobytes()
    words = [(word.text, round(word.start_s, 3), round(word.end_s, 3)) for word in speech.words]
    piece = {
        "rate": speech.sample_rate_hz,
        "audio": base64.b64encode(pcm).decode("ascii"),
        "words": words,
    }
    return json.dumps(piece)
