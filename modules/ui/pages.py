"""Which page asks: every tab of a browser is a page with an id, under which its jobs are kept.

The browser makes the id and keeps it for as long as the tab lives, so that a reload, even after a
crash of the studio, is the same page. Gradio's own session is a new one with each load.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from modules.core_components.jobs import Job, submitted_by

_MOST_SESSIONS = 1000


class Pages:
    """The pages that are open in any browser. Safe from every thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, str] = OrderedDict()
        self._open: set[str] = set()

    def open(self, session: str, page: str) -> None:
        """A page was opened or reloaded, under a new session."""
        with self._lock:
            self._pages[session] = page
            self._open.add(session)
            while len(self._pages) > _MOST_SESSIONS:
                forgotten, _ = self._pages.popitem(last=False)
                self._open.discard(forgotten)

    def close(self, session: str) -> None:
        """The connection of a session has ended."""
        with self._lock:
            self._open.discard(session)

    def page_of(self, session: str) -> str:
        """The page of a session, also one that was closed.

        A session that never said which page it is (its script has not run yet) is one itself.
        """
        with self._lock:
            return self._pages.get(session, session)

    def is_open(self, page: str) -> bool:
        """Whether any session of the page is connected."""
        with self._lock:
            return any(self._pages.get(session) == page for session in self._open)


_ASKING: ContextVar[tuple[Pages | None, str]] = ContextVar("asking", default=(None, ""))


@contextmanager
def asked_by(pages: Pages | None, page: str) -> Iterator[None]:
    """In the block this page is the one that asks, and the jobs that are queued are its own."""
    token = _ASKING.set((pages, page))
    try:
        with submitted_by(page):
            yield
    finally:
        _ASKING.reset(token)


def asking_page() -> str:
    """The id of the page that asks; "" where none does."""
    return _ASKING.get()[1]


def is_own(job: Job) -> bool:
    """Whether the page that asks queued this job."""
    return bool(job.page) and job.page == asking_page()


def is_left_behind(job: Job) -> bool:
    """Whether the page that queued this job is not open now; what a program queued has none."""
    pages, _ = _ASKING.get()
    return bool(job.page) and (pages is None or not pages.is_open(job.page))
