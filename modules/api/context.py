"""What the routes share."""

from __future__ import annotations

from dataclasses import dataclass

from modules.tools.services import Services
from modules.tools.speaking.request_queue import Turns

# Computing happens chunk by chunk in turns of the pool; a few at once keep every client supplied.
AT_ONCE = 4


@dataclass(frozen=True)
class ApiContext:
    """The studio behind the routes, and the line in which their requests stand."""

    services: Services
    turns: Turns


def make_context(services: Services) -> ApiContext:
    """A context with an empty line of the length that the settings allow."""
    return ApiContext(services, Turns(AT_ONCE, services.settings.api_queue_length))
