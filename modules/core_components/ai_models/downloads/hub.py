"""Files of a Hugging Face hub repository, at a commit.

The hub's own listing gives the commit behind a branch or tag, the sizes, and the SHA-256 of large
files; the files themselves come over plain HTTP, so that they resume, report and cancel like any
other. The endpoint is huggingface_hub's, and so is the token unless the studio was given one.

Not by `hf_hub_download`: it calls its progress hook once in 10 MB, so that a cancel on a slow line
waits for many seconds (constants.DOWNLOAD_CHUNK_SIZE, 1.33); and it takes a half file from an
earlier try as right, where this one hashes it with the rest.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.catalog import (
    FileRecord,
    HubSource,
    Manifest,
    ModelEntry,
    ModelFile,
    Source,
    is_safe_name,
)
from modules.core_components.ai_models.downloads.files import (
    Arrival,
    Delivery,
    Meter,
    PartFile,
    ensure_free,
    planned_revision,
)
from modules.core_components.errors import CorruptFileError, DownloadError
from modules.core_components.progress import CancelToken, call, take
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    import httpx

logger = logging.getLogger(__name__)


CONNECT_TIMEOUT_S = 4.0
FIRST_BYTE_TIMEOUT_S = 20.0
STALL_TIMEOUT_S = 30.0
_GRACE_S = 5.0  # the socket's own time-out speaks first: it can be retried
_FUTILE_ATTEMPTS = 4
_SERVER_ERROR = 500
_NO_PERMISSION = (401, 403)
_REFUSALS = {
    401: mark("{source} asks for a token (HTTP {status})."),
    403: mark("{source} refuses access (HTTP {status})."),
    404: mark("{source} does not have it (HTTP {status})."),
    410: mark("{source} no longer has it (HTTP {status})."),
}


@dataclass(frozen=True)
class HttpFile:
    """Where a file lies on the web; the headers may hold a token, so no text shows them."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    source: str


class _RefusedError(DownloadError):
    """The server wants a permission (HTTP 401 or 403)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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
            part.restart()  # without a hash, the two halves may be of different files
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
        put(
            _RetryableError(
                _(
                    "The connection to {source} failed ({brief}).",
                    source=remote.source,
                    brief=_brief(error),
                )
            )
        )


def _start_of(response: Any, remote: HttpFile, offset: int) -> int:
    status = response.status_code
    if status == 206:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {offset}-"):
            raise DownloadError(
                _(
                    "{source} sent another part of the file than was asked for.",
                    source=remote.source,
                ),
                details=f"Content-Range: {content_range}, asked from {offset}.",
            )
        return offset
    if status == 200:
        return 0
    if status == 416:
        raise CorruptFileError(
            _("{source} has a shorter file than the studio began with.", source=remote.source)
        )
    if status in _REFUSALS:
        message = _(_REFUSALS[status], source=remote.source, status=status)
        raise _RefusedError(message, status) if status in _NO_PERMISSION else DownloadError(message)
    raise _RetryableError(
        _("{source} answered with HTTP {status}.", source=remote.source, status=status)
    )


def _brief(error: Exception) -> str:
    return str(error) or type(error).__name__


_LISTING_TIMEOUT_S = 15.0
# How long an answer to `check` holds. The hub is one place: it holds for all of its repositories.
_CHECK_HOLDS_S = 60.0


@dataclass(frozen=True)
class _Listing:
    """A repository at one commit: path -> (bytes, SHA-256 or None)."""

    commit: str
    files: Mapping[str, tuple[int | None, str | None]]


def no_token() -> str | None:
    """None: huggingface_hub's own log-in counts."""
    return None


class HubTransport:
    """Fetches from the hub; `endpoint` None is huggingface_hub's own (HF_ENDPOINT).

    `token` is asked at every request for the user's access token; None takes huggingface_hub's.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        pause_s: float = 1.0,
        token: Callable[[], str | None] = no_token,
    ) -> None:
        self.local = False
        self.unreachable = False
        self._endpoint = endpoint
        self._pause_s = pause_s
        self._token = token
        self._checked: tuple[float, str] | None = None

    def serves(self, source: Source) -> bool:
        return isinstance(source, HubSource)

    def label(self, source: Source) -> str:
        return source.label

    def works_offline(self, source: Source) -> bool:
        return False

    def check(self, entry: ModelEntry, source: Source, folder: Path, cancel: CancelToken) -> None:
        assert isinstance(source, HubSource)  # noqa: S101 - `serves` said so
        if self._checked is None or time.monotonic() - self._checked[0] > _CHECK_HOLDS_S:
            problem = ""
            try:
                status = self._ask(source, source.revision, cancel).status_code
                # Any other refusal is about this repository, and the hub is there.
                if status >= _SERVER_ERROR:
                    problem = f"The Hugging Face hub answered HTTP {status}."
            except DownloadError as error:
                problem = error.message
            self._checked = time.monotonic(), problem
        if self._checked[1]:
            raise DownloadError(self._checked[1])

    @property
    def sends_token(self) -> bool:
        """Whether requests carry a token: the user's, or that of huggingface_hub's log-in."""
        return "authorization" in {name.lower() for name in self._headers()}

    def deliver(self, delivery: Delivery) -> Manifest:
        source, cancel = delivery.source, delivery.cancel
        assert isinstance(source, HubSource)  # noqa: S101 - `serves` said so
        asked = planned_revision(delivery.folder, source, delivery.pins.revision(source))
        listing = self._listing(source, asked, cancel)
        arrival = Arrival(delivery.folder, source, listing.commit)
        places = {file.name: source.place_of(file.name) for file in delivery.entry.files}
        listings = {source: listing}
        for place in places.values():
            if place not in listings:
                listings[place] = self._listing(place, place.revision, cancel)
        origins: dict[str, HubSource] = {}
        wanted = []
        for file in delivery.entry.files:
            place = places[file.name]
            for item in _listed(file, place, listings[place]):
                origins[item.name] = place
                wanted.append(delivery.pins.expected(source, item))
        coming = [item for item in wanted if not arrival.has(item, cancel)]
        total = sum(item.bytes or 0 for item in coming)
        ensure_free(delivery.folder, total)
        meter = Meter(delivery.progress, total, source.label)
        for item in coming:
            place = origins[item.name]
            remote = self._remote(place, listings[place].commit, item.name)
            target = arrival.target(item.name)
            try:
                record = download(remote, target, item, meter, cancel, self._pause_s)
            except _RefusedError as error:
                raise self._refused(place, error.status) from error
            arrival.add(item.name, record)
        return arrival.complete(tuple(item.name for item in wanted))

    def _remote(self, source: HubSource, commit: str, name: str) -> HttpFile:
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(
            source.repository, _path(source, name), revision=commit, endpoint=self._endpoint
        )
        return HttpFile(url, self._headers(), source.label)

    def _headers(self) -> dict[str, str]:
        from huggingface_hub.utils import build_hf_headers

        return dict(build_hf_headers(token=self._token(), library_name="voice-clone-studio"))

    def _refused(self, source: HubSource, status: int) -> DownloadError:
        """What to do about a refusal, in the message: it is shown as one source's reason."""
        page = f"https://huggingface.co/{source.repository}"
        if not self.sends_token:
            what = _(
                "Accept the terms at {page} and save an access token of that account (Settings "
                "tab).",
                page=page,
            )
        elif status == 401:
            what = _(
                "It does not know your access token: save another one, or remove it (Settings tab)."
            )
        else:
            what = _(
                "Accept the terms at {page} with the account of your access token, which may be "
                "saved again (Settings tab).",
                page=page,
            )
        return DownloadError(
            _(
                "The Hugging Face hub refuses {repository} (HTTP {status}). {what}",
                repository=source.repository,
                status=status,
                what=what,
            ),
            details="In the terminal: `models token`.",
        )

    def _ask(self, source: HubSource, revision: str, cancel: CancelToken) -> httpx.Response:
        """The answer to a listing; marks the hub as unreachable, with a DownloadError, when nothing
        answers there."""
        import httpx
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise DownloadError(
                _("The Hugging Face hub is not asked: this machine is set to be offline."),
                details="HF_HUB_OFFLINE is set.",
            )
        endpoint = self._endpoint or constants.ENDPOINT
        url = f"{endpoint}/api/models/{source.repository}/revision/{revision}"
        timeout = httpx.Timeout(_LISTING_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)

        def ask() -> httpx.Response:
            return httpx.get(
                url,
                params={"blobs": "true"},
                headers=self._headers(),
                timeout=timeout,
                follow_redirects=True,
            )

        try:
            answer = call(ask, cancel, _LISTING_TIMEOUT_S, _("the Hugging Face hub"))
        except (httpx.TransportError, DownloadError) as error:
            self.unreachable = True
            raise DownloadError(
                _("The Hugging Face hub cannot be reached."), details=str(error)
            ) from error
        self.unreachable = False
        return answer

    def _listing(self, source: HubSource, revision: str, cancel: CancelToken) -> _Listing:
        """Raises DownloadError."""
        answer = self._ask(source, revision, cancel)
        if answer.status_code in _NO_PERMISSION:
            raise self._refused(source, answer.status_code)
        if answer.status_code != 200:
            raise DownloadError(
                _(
                    "The Hugging Face hub does not give {repository} (HTTP {status_code}).",
                    repository=source.repository,
                    status_code=answer.status_code,
                ),
                details=f"Asked for revision {revision}.",
            )
        content = answer.json()
        files = {
            item["rfilename"]: (item.get("size"), (item.get("lfs") or {}).get("sha256"))
            for item in content["siblings"]
        }
        return _Listing(content["sha"], files)


def _listed(file: ModelFile, source: HubSource, listing: _Listing) -> list[ModelFile]:
    """`file`, or the files behind its pattern, with what the hub knows of them.

    Raises CorruptFileError where hub and catalog disagree: before gigabytes are moved.
    """
    wanted = _path(source, file.name)
    paths = sorted(path for path in listing.files if fnmatchcase(path, wanted))
    if not paths:
        raise DownloadError(
            _("{repository} lacks a file of the model.", repository=source.repository),
            details=f"No {wanted} at {listing.commit}.",
        )
    found = []
    for path in paths:
        size, sha256 = listing.files[path]
        if (file.bytes or size) != size or (file.sha256 or sha256) != (sha256 or file.sha256):
            raise CorruptFileError(
                _(
                    "{repository} has another file than the one that the studio knows: its "
                    "owner replaced it.",
                    repository=source.repository,
                ),
                details=f"{path} has {size} bytes, SHA-256 {sha256}.",
            )
        name = path[len(source.path) + 1 :] if source.path else path
        if not is_safe_name(name):
            raise CorruptFileError(_("An unsafe file name was refused."), details=repr(name))
        found.append(replace(file, name=name, bytes=size, sha256=file.sha256 or sha256))
    return found


def _path(source: HubSource, name: str) -> str:
    return f"{source.path}/{name}" if source.path else name
