"""Long calls into a library, done a step at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

StepT = TypeVar("StepT")


class SteppedWork(Generic[StepT]):
    """An iterator over what a function gives out of the middle of its work.

    The function runs in a thread of its own, and only while somebody waits in `next`: between two
    steps it stands still, so that whoever iterates can take a run slot and the random generators
    around each step and leave them to others in between. Iterate from one thread at a time.
    """

    def __init__(self, work: Callable[[Callable[[StepT], bool]], None], name: str) -> None:
        """`work` is called with `give`, which hands out a step and returns whether to go on."""
        self._work = work
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._go, self._came = threading.Semaphore(0), threading.Semaphore(0)
        self._steps: list[StepT] = []
        self._error: BaseException | None = None
        self._closed = False

    def __iter__(self) -> Iterator[StepT]:
        return self

    def __next__(self) -> StepT:
        """The next step. Raises what the work raises."""
        if self._closed:
            raise StopIteration
        if self._thread.ident is None:
            self._thread.start()
        else:
            self._go.release()
        self._came.acquire()
        if self._steps:
            return self._steps.pop()
        self._closed = True
        self._thread.join()
        if self._error is not None:
            raise self._error
        raise StopIteration

    def close(self) -> None:
        """Has the work end where it stands, and waits for that; what it raises then is dropped."""
        self._closed = True
        if self._thread.is_alive():
            self._go.release()
            self._thread.join()

    def _give(self, step: StepT) -> bool:
        if self._closed:
            return False
        self._steps.append(step)
        self._came.release()
        self._go.acquire()
        return not self._closed

    def _run(self) -> None:
        try:
            self._work(self._give)
        except BaseException as error:  # noqa: BLE001 - raised where the steps are taken
            self._error = error
        finally:
            self._came.release()
