from __future__ import annotations

import threading
import time

import pytest

from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken
from modules.tools.speaking.request_queue import (
    Place,
    QueueFullError,
    RequestIdTakenError,
    RequestQueue,
)


class Visitor:
    """Takes a turn in a thread of its own and keeps it until told to go."""

    def __init__(self, turns: RequestQueue, order: list[int], number: int) -> None:
        self.cancel = CancelToken()
        self.may_go = threading.Event()
        self.came_in = threading.Event()
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._visit, args=(turns, order, number))
        self._thread.start()

    def _visit(self, turns: RequestQueue, order: list[int], number: int) -> None:
        try:
            with turns.turn(self.cancel, str(number)):
                order.append(number)
                self.came_in.set()
                self.may_go.wait(10)
        except (JobCancelled, QueueFullError) as error:
            self.error = error

    def go(self) -> None:
        self.may_go.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def wait_until_waiting(turns: RequestQueue, count: int) -> None:
    end = time.monotonic() + 5
    while turns.waiting != count:
        assert time.monotonic() < end
        time.sleep(0.005)


def test_turns_come_in_the_order_of_arrival_and_no_more_than_allowed() -> None:
    turns, order = RequestQueue(at_once=2, may_wait=4), []
    visitors = []
    for number in range(6):
        visitors.append(Visitor(turns, order, number))
        if number < 2:
            assert visitors[-1].came_in.wait(5)
        else:
            wait_until_waiting(turns, number - 1)
    assert (turns.working, turns.waiting) == (2, 4)
    assert order == [0, 1]
    for number, visitor in enumerate(visitors):
        visitor.go()
        if number + 2 < 6:
            assert visitors[number + 2].came_in.wait(5)
        assert turns.working <= 2
    assert order == [0, 1, 2, 3, 4, 5]
    assert (turns.working, turns.waiting) == (0, 0)


def test_a_full_line_refuses_at_once() -> None:
    turns, order = RequestQueue(at_once=1, may_wait=0), []
    first = Visitor(turns, order, 0)
    assert first.came_in.wait(5)
    with pytest.raises(QueueFullError), turns.turn(CancelToken()):
        pass
    first.go()
    with turns.turn(CancelToken()):
        assert turns.working == 1


def test_who_leaves_the_line_lets_the_next_one_move_up() -> None:
    turns, order = RequestQueue(at_once=1, may_wait=2), []
    first = Visitor(turns, order, 0)
    assert first.came_in.wait(5)
    leaving = Visitor(turns, order, 1)
    wait_until_waiting(turns, 1)
    staying = Visitor(turns, order, 2)
    wait_until_waiting(turns, 2)
    leaving.cancel.cancel()
    wait_until_waiting(turns, 1)
    first.go()
    assert staying.came_in.wait(5)
    assert isinstance(leaving.error, JobCancelled)
    staying.go()
    assert order == [0, 2]


def test_a_turn_is_given_back_after_a_failure() -> None:
    turns = RequestQueue(at_once=1, may_wait=0)
    with pytest.raises(ValueError, match="broken"), turns.turn(CancelToken()):
        raise ValueError("broken")
    assert turns.working == 0


def test_everybody_has_a_place_and_names_are_unique() -> None:
    turns, order = RequestQueue(at_once=1, may_wait=2), []
    visitors = [Visitor(turns, order, 0)]
    assert visitors[0].came_in.wait(5)
    for number in (1, 2):
        visitors.append(Visitor(turns, order, number))
        wait_until_waiting(turns, number)
    assert turns.places() == (Place("0", 0), Place("1", 1), Place("2", 2))
    assert [place.state for place in turns.places()] == ["working", "waiting", "waiting"]
    for taken in ("0", "2"):
        with pytest.raises(RequestIdTakenError), turns.turn(CancelToken(), taken):
            pass
    visitors[0].go()
    assert visitors[1].came_in.wait(5)
    assert turns.places() == (Place("1", 0), Place("2", 1))
    for visitor in visitors[1:]:
        visitor.go()
    assert turns.places() == ()
