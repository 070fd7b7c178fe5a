"""Errors as a sentence with its remedy; tracebacks go to the log file and never to the terminal."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.handlers
import os
import sqlite3
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from modules.core_components.atomic import explain_write_error, is_refused_write
from modules.core_components.errors import DiskFullError, NotWritableError, StudioError

logger = logging.getLogger(__name__)

_LOG_NAME = "studio.log"
_LOG_BYTES, _LOGS_KEPT = 2_000_000, 3
_TALKATIVE = ("httpx", "httpcore", "faster_whisper", "urllib3")


class _LogFile(logging.handlers.RotatingFileHandler):
    """Knows whether the disk refused to take a record, instead of printing a traceback."""

    refused = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        self.refused = True

    def close(self) -> None:
        # What a full disk did not take is lost.
        with contextlib.suppress(OSError):
            super().close()


class _Terminal(logging.StreamHandler):
    """Has no place to report that the terminal is gone."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's own name
        return


class _OneLine(logging.Formatter):
    """The level and the message, without the traceback that the log file has."""

    def format(self, record: logging.LogRecord) -> str:
        # Uvicorn writes the traceback of a server that cannot start into the message itself.
        message = record.getMessage().partition("Traceback (most recent call last)")[0].strip()
        more = " The log has the details." if record.exc_info else ""
        return f"{record.levelname}: {message or 'An error without a message.'}{more}"


def use_utf8() -> None:
    """Writes UTF-8 to standard output and error, whatever the locale or PYTHONIOENCODING says.

    Texts are in every script, and pipes on Windows have a code page of 256 characters. What is no
    character, such as half of an emoji, is written as its escape.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def start_logging(folder: Path, verbose: bool) -> None:
    """Everything goes to a rotating file in `folder`, warnings also to the terminal.

    Without a file if the folder cannot be written to: what is wrong with it is reported by the
    command that needs it.
    """
    to_terminal = _Terminal()
    to_terminal.setLevel(logging.INFO if verbose else logging.WARNING)
    to_terminal.setFormatter(_OneLine())
    handlers: list[logging.Handler] = [to_terminal]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        to_file = _LogFile(
            folder / _LOG_NAME, maxBytes=_LOG_BYTES, backupCount=_LOGS_KEPT, encoding="utf-8"
        )
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(to_file)
    except OSError as error:
        logger.debug("No log in %s: %s", folder, error)
    logging.basicConfig(level=logging.INFO, handlers=handlers, force=True)
    for talkative in _TALKATIVE:
        logging.getLogger(talkative).setLevel(logging.WARNING)


def log_uncaught_errors() -> None:
    """Errors of threads and of clean-up, which Python would print, go to the log."""

    def log_thread(uncaught: threading.ExceptHookArgs) -> None:
        if uncaught.exc_value is not None and uncaught.exc_type is not SystemExit:
            name = uncaught.thread.name if uncaught.thread else "A thread"
            logger.error("%s failed.", name, exc_info=uncaught.exc_value)

    def log_unraisable(uncaught: sys.UnraisableHookArgs) -> None:
        logger.info("Ignored in %r", uncaught.object, exc_info=uncaught.exc_value)

    threading.excepthook = log_thread
    sys.unraisablehook = log_unraisable


def explain(error: Exception) -> StudioError:
    """The sentence and the remedy for an error, whose traceback is logged.

    An error that is not foreseen is named, with the path of the log.
    """
    if isinstance(error, StudioError):
        logger.info("Failed", exc_info=error)
        return error
    logger.info("Failed unexpectedly", exc_info=error)
    known = _known(error)
    if known is not None:
        return known
    message = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":. ")
    log = _log_of(error)
    hint = f"The log has the details: {log}" if log else "No log could be written."
    return StudioError(f"This failed in a way that was not foreseen ({message}).", hint)


def _known(error: Exception) -> StudioError | None:
    """An explanation for what the system refused."""
    if isinstance(error, OSError):
        return explain_write_error(error) if is_refused_write(error) else None
    if isinstance(error, sqlite3.OperationalError):
        words = str(error)
        if "full" in words:
            return DiskFullError(
                "There was no room on the disk to keep the list of jobs.", "Free some space."
            )
        if "readonly" in words or "unable to open" in words:
            return NotWritableError(
                f"The list of jobs cannot be written ({words}).",
                "Choose another folder with --data-root, or make this one writable.",
            )
    if isinstance(error, ModuleNotFoundError):
        return StudioError(f"The package {error.name} is missing.", "Run the installer again.")
    if isinstance(error, MemoryError):
        return StudioError("There was not enough memory.", "Close other programs and try again.")
    return None


def _log_of(error: Exception) -> Path | None:
    """The file that has the traceback: the log, or one in the system's folder for such files."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _LogFile) and not handler.refused:
            return Path(handler.baseFilename)
    lines = "".join(traceback.format_exception(error))
    try:
        number, name = tempfile.mkstemp(prefix="voice-clone-studio-", suffix=".log")
        with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(lines)
    except OSError:
        return None
    return Path(name)


def finish_output(code: int) -> int:
    """The exit code once everything is written out; 1 where the output could not be.

    A pipe that its reader closed (`| head`) is no error to report. The stream is then replaced, so
    that Python does not try again, and complain, while it ends.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            with open(os.devnull, "w") as nothing:  # noqa: PTH123 - devnull is no Path
                os.dup2(nothing.fileno(), stream.fileno())
            code = code or 1
    return code
