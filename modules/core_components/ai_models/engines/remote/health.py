"""Whether a remote delivered lately, so that a fallback is taken at once while it does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from modules.core_components.errors import RemoteError

# After a failure it is tried again so much later; a person who tests it is never put off.
TRY_AGAIN_S = 20.0


class RemoteHealth:
    """Remembers the last failure of a model of a remote for a short time. Safe from every thread.

    It only tells those who can use something else (`fallback`): a request that has nothing else is
    always sent.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failure: tuple[float, str] | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Notes how the work of the block ended."""
        try:
            yield
        except RemoteError as error:
            self._failure = (self._clock(), error.message)
            raise
        else:
            self._failure = None

    @property
    def problem(self) -> str:
        """Why it did not deliver a moment ago; "" where nothing is known against it."""
        failure = self._failure
        if failure is None or self._clock() - failure[0] > TRY_AGAIN_S:
            return ""
        return failure[1]
