"""What an error says in all: message, hint, and the details that only terminal and log have."""

from __future__ import annotations

import re
from collections.abc import Callable

from modules.core_components.errors import StudioError


def told(error: BaseException) -> str:
    """All of it in one line."""
    return f"{error} {error.details}" if isinstance(error, StudioError) else str(error)


def detailed(pattern: str) -> Callable[[BaseException], bool]:
    """For `pytest.raises(..., check=)`: whether an error says this, perhaps in its details."""
    return lambda error: re.search(pattern, told(error)) is not None
