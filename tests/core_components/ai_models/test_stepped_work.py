"""Long calls done a step at a time: order, errors, and an end that leaves no thread."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from modules.core_components.ai_models.model_utils import SteppedWork

Give = Callable[[int], bool]


def test_it_works_only_while_somebody_waits() -> None:
    done: list[int] = []

    def work(give: Give) -> None:
        for number in range(3):
            done.append(number)
            give(number)

    steps = SteppedWork(work, "steps")
    assert done == []
    assert next(steps) == 0
    assert done == [0]
    assert list(steps) == [1, 2]
    assert next(steps, None) is None


def test_what_the_work_raises_is_raised_where_the_steps_are_taken() -> None:
    def work(give: Give) -> None:
        give(1)
        raise ValueError("broken")

    steps = SteppedWork(work, "steps")
    assert next(steps) == 1
    with pytest.raises(ValueError, match="broken"):
        next(steps)
    assert next(steps, None) is None


def test_closing_tells_the_work_to_stop_and_waits_for_its_end() -> None:
    wanted: list[bool] = []

    def work(give: Give) -> None:
        wanted.append(give(1))
        wanted.append(give(2))

    steps = SteppedWork(work, "a closed one")
    next(steps)
    steps.close()
    assert wanted == [False, False]
    assert not [thread for thread in threading.enumerate() if thread.name == "a closed one"]
    assert next(steps, None) is None


def test_closing_before_the_first_step_does_nothing() -> None:
    steps: SteppedWork[int] = SteppedWork(lambda give: pytest.fail("it ran"), "steps")
    steps.close()
    assert next(steps, None) is None
