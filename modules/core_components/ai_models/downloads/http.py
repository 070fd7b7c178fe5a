"""One file over HTTP: streamed, resumed, and stopped within a moment."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog_entries import ModelFile
from modules.core_components.ai_models.downloads.meter import Meter
from modules.core_components.ai_models.downloads.part_file import PartFile
from modules.core_components.ai_models.downloads.waiting import take
from modules.core_components.ai_models.model_manifest import FileRecord
from modules.core_components.errors import CorruptFileError, DownloadError
from modules.core_components.progress import CancelToken

logger = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 4.0
FIRST_BYTE_TIMEOUT_S = 20.0
STALL_TIMEOUT_S = 30.0
_GRACE_S = 5.0  # the socket's own time-out speaks first: it can be retried
_FUTILE_ATTEMPTS = 4
_REFUSALS = {
    401: "asks for a token",
    403: "refuses access",
    404: "does not have it",
    410: "no longer has it",
}


@dataclass(frozen=True)
class HttpFile:
    """Where a file lies on the web."""

    url: str
    headers: Mapping[str, str]
    source: str


class _RetryableError(DownloadError):
    """The connection broke, the server was busy: the same request may go through later."""


def download(
    remote: HttpFile,
    target: Path,
    expected: ModelFile,
    meter: Meter,
    cancel: CancelToken,
    pause_s: float = 1.0,
) -> FileRecord:
    """Fetches `remote` to `target`, going on from a part that an earlier try left.

    A broken connection is taken up again as long as bytes keep coming. Raises DownloadError when
    the server does not deliver, CorruptFileError when it delivers something else.
    """
    meter.start(expected.name)
    with PartFile(target) as part:
        resumed = part.take_up(cancel)
        if resumed and expected.sha256 is None:
            part.restart()  # nothing could tell whether an old half and a new half belong together
            resumed = 0
        meter.at(part.size, arrived=False)
        try:
            _receive(remote, part, expected, meter, cancel, pause_s)
            return part.finish(expected)
        except CorruptFileError:
            if not resumed:
                raise
            part.path.unlink(missing_ok=True)
    logger.info("%s: the resumed half did not fit, fetching it whole", expected.name)
    return download(remote, target, expected, meter, cancel, pause_s)


def _receive(
    remote: HttpFile,
    part: PartFile,
    expected: ModelFile,
    meter: Meter,
    cancel: CancelToken,
    pause_s: float,
) -> None:
    futile = 0
    while expected.bytes is None or part.size < expected.bytes:
        before = part.size
        try:
            with _response(remote, part.size, cancel) as (start, chunks):
                if start != part.size:
                    part.restart()
                for chunk in chunks:
                    part.write(chunk)
                    meter.at(part.size)
            return
        except _RetryableError as error:
            futile = 0 if part.size > before else futile + 1
            if futile >= _FUTILE_ATTEMPTS:
                raise
            logger.info("%s broke off at %d bytes: %s", expected.name, part.size, error)
            if cancel.wait(pause_s * 2**futile):
                cancel.raise_if_cancelled()


@contextmanager
def _response(
    remote: HttpFile, offset: int, cancel: CancelToken
) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Yields the position at which the server's answer starts, and its bytes."""
    # The daemon thread only reads the socket; it never touches a file, so one that still hangs in
    # a read after a cancel does no harm.
    box: queue.Queue[Any] = queue.Queue(8)
    stop = threading.Event()
    arguments = (remote, offset, box, stop)
    threading.Thread(target=_pull, args=arguments, name="download", daemon=True).start()
    try:
        start = _sound(take(box, cancel, FIRST_BYTE_TIMEOUT_S, remote.source))
        yield start, _chunks(box, cancel, remote.source)
    finally:
        stop.set()


def _chunks(box: queue.Queue[Any], cancel: CancelToken, source: str) -> Iterator[bytes]:
    while (item := _sound(take(box, cancel, STALL_TIMEOUT_S + _GRACE_S, source))) is not None:
        cancel.raise_if_cancelled()
        yield item


def _sound(item: Any) -> Any:
    if isinstance(item, Exception):
        raise item
    return item


def _pull(remote: HttpFile, offset: int, box: queue.Queue[Any], stop: threading.Event) -> None:
    """Puts the start, the chunks and None (or what went wrong) into the box."""
    import httpx

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                box.put(item, timeout=1.0)
                return True
            except queue.Full:
                continue
        return False

    headers = {**remote.headers, "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    timeout = httpx.Timeout(STALL_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", remote.url, headers=headers) as response,
        ):
            put(_start_of(response, remote, offset))
            for chunk in response.iter_raw():
                if not put(chunk):
                    return
            put(None)
    except DownloadError as error:
        put(error)
    except (httpx.HTTPError, OSError) as error:
        put(_RetryableError(f"The connection to {remote.source} failed ({_brief(error)})."))


def _start_of(response: Any, remote: HttpFile, offset: int) -> int:
    status = response.status_code
    if status == 206:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {offset}-"):
            raise DownloadError(f"{remote.source} answered with another range: {content_range}.")
        return offset
    if status == 200:
        return 0
    if status == 416:
        raise CorruptFileError(f"{remote.source} has no byte {offset} of this file.")
    if status in _REFUSALS:
        raise DownloadError(f"{remote.source} {_REFUSALS[status]} (HTTP {status}).")
    raise _RetryableError(f"{remote.source} answered with HTTP {status}.")


def _brief(error: Exception) -> str:
    return str(error) or type(error).__name__
