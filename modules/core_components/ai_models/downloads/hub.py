"""Files of a Hugging Face hub repository, at a commit.

The hub's own listing gives the commit behind a branch or tag, the sizes, and the SHA-256 of large
files; the files themselves come over plain HTTP, so that they resume, report and cancel like any
other. The token, if the user has one, and the endpoint are huggingface_hub's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from modules.core_components.ai_models.catalog_entries import HubSource, ModelFile, Source
from modules.core_components.ai_models.downloads.arrival import Arrival, planned_revision
from modules.core_components.ai_models.downloads.disk import ensure_free
from modules.core_components.ai_models.downloads.http import (
    CONNECT_TIMEOUT_S,
    HttpFile,
    download,
)
from modules.core_components.ai_models.downloads.meter import Meter
from modules.core_components.ai_models.downloads.transport import Delivery
from modules.core_components.ai_models.downloads.waiting import call
from modules.core_components.ai_models.model_manifest import Manifest
from modules.core_components.errors import CorruptFileError, DownloadError
from modules.core_components.progress import CancelToken

logger = logging.getLogger(__name__)

_LISTING_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class _Listing:
    """A repository at one commit: path -> (bytes, SHA-256 or None)."""

    commit: str
    files: Mapping[str, tuple[int | None, str | None]]


class HubTransport:
    """Fetches from the hub; `endpoint` None is huggingface_hub's own (HF_ENDPOINT)."""

    def __init__(self, endpoint: str | None = None, pause_s: float = 1.0) -> None:
        self.local = False
        self.unreachable = False
        self._endpoint = endpoint
        self._pause_s = pause_s

    def serves(self, source: Source) -> bool:
        return isinstance(source, HubSource)

    def label(self, source: Source) -> str:
        return source.label

    def works_offline(self, source: Source) -> bool:
        return False

    def deliver(self, delivery: Delivery) -> Manifest:
        source, cancel = delivery.source, delivery.cancel
        assert isinstance(source, HubSource)  # noqa: S101 - `serves` said so
        asked = planned_revision(delivery.folder, source, delivery.pins.revision(source))
        listing = self._listing(source, asked, cancel)
        arrival = Arrival(delivery.folder, source, listing.commit)
        wanted = [
            delivery.pins.expected(source, item)
            for file in delivery.entry.files
            for item in _listed(file, source, listing)
        ]
        coming = [item for item in wanted if not arrival.has(item, cancel)]
        total = sum(item.bytes or 0 for item in coming)
        ensure_free(delivery.folder, total)
        meter = Meter(delivery.progress, total, source.label)
        for item in coming:
            remote = self._remote(source, listing.commit, item.name)
            target = arrival.target(item.name)
            arrival.add(item.name, download(remote, target, item, meter, cancel, self._pause_s))
        return arrival.complete(tuple(item.name for item in wanted))

    def _remote(self, source: HubSource, commit: str, name: str) -> HttpFile:
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(
            source.repository, _path(source, name), revision=commit, endpoint=self._endpoint
        )
        return HttpFile(url, _headers(), source.label)

    def _listing(self, source: HubSource, revision: str, cancel: CancelToken) -> _Listing:
        """Raises DownloadError; marks the hub as unreachable when nothing answers there."""
        import httpx
        from huggingface_hub import constants

        if constants.HF_HUB_OFFLINE:
            raise DownloadError("HF_HUB_OFFLINE is set, so the hub is not asked.")
        endpoint = self._endpoint or constants.ENDPOINT
        url = f"{endpoint}/api/models/{source.repository}/revision/{revision}"
        timeout = httpx.Timeout(_LISTING_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)

        def ask() -> httpx.Response:
            return httpx.get(
                url,
                params={"blobs": "true"},
                headers=_headers(),
                timeout=timeout,
                follow_redirects=True,
            )

        try:
            answer = call(ask, cancel, _LISTING_TIMEOUT_S, "the Hugging Face hub")
        except (httpx.TransportError, DownloadError) as error:
            self.unreachable = True
            raise DownloadError(f"The Hugging Face hub cannot be reached ({error}).") from error
        self.unreachable = False
        if answer.status_code != 200:
            raise DownloadError(
                f"The Hugging Face hub answered HTTP {answer.status_code} for "
                f"{source.repository} at {revision}."
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
        raise DownloadError(f"{source.repository} has no {wanted} at {listing.commit}.")
    found = []
    for path in paths:
        size, sha256 = listing.files[path]
        if (file.bytes or size) != size or (file.sha256 or sha256) != (sha256 or file.sha256):
            raise CorruptFileError(
                f"{path} of {source.repository} is not the file the catalog names "
                f"({size} bytes, SHA-256 {sha256}).",
                "Its owner replaced it; the studio keeps to the one it knows.",
            )
        name = path[len(source.path) + 1 :] if source.path else path
        found.append(replace(file, name=name, bytes=size, sha256=file.sha256 or sha256))
    return found


def _path(source: HubSource, name: str) -> str:
    return f"{source.path}/{name}" if source.path else name


def _headers() -> dict[str, str]:
    from huggingface_hub.utils import build_hf_headers

    return dict(build_hf_headers(library_name="voice-clone-studio"))
