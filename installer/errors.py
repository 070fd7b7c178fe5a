"""What can go wrong while installing, said so that a user knows what to do next."""

from __future__ import annotations

import re

_NO_SPACE = re.compile(r"No space left on device|Errno 28|not enough space on the disk", re.I)
_NO_ANSWER = re.compile(
    r"Failed to establish a new connection|Name or service not known|name resolution"
    r"|getaddrinfo failed|nodename nor servname|Connection (?:refused|timed out|reset)"
    r"|Read timed out|ConnectTimeout|Network is unreachable|dns error|error sending request"
    r"|Could not connect|Cannot connect to proxy|tunnel",
    re.I,
)
_NO_BUILD = re.compile(r"No matching distribution found|No solution found", re.I)


class InstallError(Exception):
    """The installation cannot go on; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DiskFullInstallError(InstallError):
    """Not enough room: no other source of the same package would help."""


def explain_failure(what: str, output: str) -> InstallError:
    """The error for a failed pip, uv or apt-get, read from what it printed."""
    if _NO_SPACE.search(output):
        return DiskFullInstallError(
            f"The disk is full: {what} could not be installed.",
            "Free some space, then run the installer again; it goes on where it stopped.",
        )
    if _NO_ANSWER.search(output):
        return InstallError(
            f"No package registry answered, so {what} could not be fetched.",
            "Check the network (behind a proxy: set HTTPS_PROXY; with a mirror: "
            "`pip config set global.index-url URL`), then run the installer again.",
        )
    if _NO_BUILD.search(output):
        return InstallError(
            f"The package registry has no fitting build of {what} for this machine.",
            "install.log names the package and what was on offer.",
        )
    last_line = next((line for line in reversed(output.splitlines()) if line.strip()), "")
    return InstallError(
        f"{what} could not be installed: {last_line.strip()[:300]}", "See install.log."
    )
