"""Waiting for what another thread brings about."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


def eventually(condition: Callable[[], bool], limit_s: float = 10.0) -> None:
    """Returns once `condition` holds; fails the test when that takes too long."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            pytest.fail("it did not happen in time")
        time.sleep(0.005)
