"""What can go wrong, said so that a user knows what to do next."""

from __future__ import annotations

from collections.abc import Sequence


class StudioError(Exception):
    """An error with a message for people and a hint that says what to do.

    Faces show both; the traceback goes to the log only. `details` are what helps in the terminal
    and in the log, and puzzles on the page: files, folders, hashes, commands, environment
    variables.
    """

    def __init__(self, message: str, hint: str = "", *, details: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class BadInputError(StudioError):
    """What the user gave cannot be used: a wrong file, an empty text, an unknown name.

    `about` names the field at fault, where one is: "text", "voice", "language", an option's name.
    `faults` are those of several fields, each an error of its own; the message names all.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        about: str = "",
        *,
        details: str = "",
        faults: Sequence[BadInputError] = (),
    ) -> None:
        super().__init__(message, hint, details=details)
        self.about = about
        self.faults = tuple(faults)


class NotFoundError(StudioError):
    """A sample, take, job or model of that name does not exist."""


class ModelMissingError(StudioError):
    """The weights are not on this machine (and may not be fetched right now)."""


class CorruptFileError(StudioError):
    """A file does not have the content it must have (checksum, size or layout)."""


class DownloadError(StudioError):
    """No source delivered the file; what arrived so far is kept for the next try."""


class RemoteError(StudioError):
    """A server on another machine did not answer, refused, or sent what cannot be used."""


class DiskFullError(StudioError):
    """There is not enough free space, or writing failed for lack of it."""


class NotWritableError(StudioError):
    """A folder cannot be written to: its disk is read-only, or the user has no right to."""


class ModelTooLargeError(StudioError):
    """The model alone exceeds the memory budget of its device."""


class ModelBusyError(StudioError):
    """No room came free in time; the message names who holds it."""


class LeaseDeadlockError(StudioError):
    """A thread waits for room that only its own leases could give."""


class JobCancelled(Exception):  # noqa: N818 - a request of the user, not an error
    """Raised inside work whose user asked it to stop."""
