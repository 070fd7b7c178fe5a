"""What Ray starts on a machine of the cluster: a worker that holds its models and does items.

Nothing here imports Ray: it calls this class as an actor, in a process of its own.
"""

from __future__ import annotations

import logging
import platform
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.errors import CorruptFileError, JobCancelled, StudioError
from modules.core_components.progress import CancelToken
from modules.core_components.texts import _, use_language_of_studio
from modules.core_components.version import APP_VERSION
from modules.tools.work.executor import (
    STOPS_ALL,
    Worker,
    failure_words,
    make_own_folder,
    open_worker,
)

if TYPE_CHECKING:
    from modules.tools.services import Services

logger = logging.getLogger(__name__)

# How a call ended; the second and third words of an answer are a message and a hint.
DONE, FAILED, CANCELLED, IMPOSSIBLE = "done", "failed", "cancelled", "impossible"
Answer = tuple[str, str, str]
# Hashes by the names of a model's files.
Files = Mapping[str, str]
_SHARED_CACHES = ("prompts", "fits", "listening")


class RayWorker:
    """Opens the studio's services in its own process; `do` does an item.

    `progress` and `cancel` are called while `do` runs, from another thread.
    """

    def __init__(self, plan: Mapping[str, Any]) -> None:
        use_language_of_studio()
        self._plan = plan
        self._worker: Worker | None = None
        self._cancel = CancelToken()
        self._latest: tuple[int, float, str] = (-1, 0.0, "")
        self._cache = make_own_folder(Path(tempfile.gettempdir()), "studio-worker-")

    def open(self) -> Answer:
        """Opens the services and checks that version and models are those of the studio that asks;
        the second word of the answer says on which machine."""
        try:
            if self._plan["version"] != APP_VERSION:
                raise StudioError(
                    _(
                        "The studio on {node} is version {version}; the one that asks is "
                        "{other_version}.",
                        node=platform.node(),
                        version=APP_VERSION,
                        other_version=self._plan["version"],
                    ),
                    _("Update the studio so that all machines have the same version."),
                )
            from modules.tools.services import open_services

            fill_cache(self._cache, Path(self._plan["cache"]))
            overrides = {**self._plan["overrides"], "cache_folder": str(self._cache)}
            services = open_services(Path(self._plan["root"]), overrides)
            for model_id, files in self._plan["models"].items():
                require_same_files(services, model_id, files)
            self._worker = open_worker(services, self._plan["opener"], self._plan["setup"])
        except StudioError as error:
            return IMPOSSIBLE, error.message, error.hint
        except Exception as error:  # noqa: BLE001 - answered, since not every error can be pickled
            return IMPOSSIBLE, *failure_words(error, _("Opening a worker"))
        return DONE, platform.node(), ""

    def do(self, number: int, inputs: Mapping[str, Any], result: str) -> Answer:
        """Does an item, unless its result is there: a lost worker may have written it."""
        path = Path(result)
        if path.is_file():
            return DONE, "", ""

        def report(fraction: float, message: str) -> None:
            self._latest = (number, fraction, message)

        try:
            if self._worker is None:
                raise StudioError(_("The worker was not opened."))
            self._worker(inputs, path, report, self._cancel)
        except JobCancelled:
            return CANCELLED, "", ""
        except STOPS_ALL as error:
            return IMPOSSIBLE, error.message, error.hint
        except Exception as error:  # noqa: BLE001 - one item must not end the others
            return FAILED, *failure_words(error, result)
        return DONE, "", ""

    def progress(self) -> tuple[int, float, str]:
        """The item's number, the fraction done and what is being done."""
        return self._latest

    def cancel(self) -> None:
        """Asks `do` to stop."""
        self._cancel.cancel()

    def close(self) -> None:
        """Removes the worker's cache."""
        shutil.rmtree(self._cache, ignore_errors=True)


def fill_cache(own: Path, of_studio: Path) -> None:
    """Gives a worker's cache what the studio knows: what was made of samples and recordings is
    shared, what was measured of machines is copied.

    The rest stays apart: the studio's list of jobs is for processes of its own machine.
    """
    for name in _SHARED_CACHES:
        (of_studio / name).mkdir(parents=True, exist_ok=True)
        try:
            (own / name).symlink_to(of_studio / name, target_is_directory=True)
        except OSError:  # Windows, without the right to make links: it is made anew
            logger.info("%s is not shared with this worker", name)
    for measured in of_studio.glob("*.json"):
        shutil.copy(measured, own)


def files_of(services: Services, model_id: str) -> dict[str, str]:
    """The SHA-256 of each file of a model, as `Downloader.verify` has checked it; none for a model
    that is not of the catalog.

    Raises ModelMissingError and CorruptFileError.
    """
    from modules.core_components.ai_models.catalog import read_manifest

    if not any(entry.id == model_id and entry.sources for entry in services.catalog.entries()):
        return {}
    manifest = read_manifest(services.downloader.verify(model_id))
    return {name: record.sha256 for name, record in manifest.files.items()} if manifest else {}


def require_same_files(services: Services, model_id: str, wanted: Files) -> None:
    """Raises ModelMissingError or CorruptFileError unless the model's files here have these
    hashes."""
    here = files_of(services, model_id)
    different = sorted(name for name, digest in wanted.items() if here.get(name) != digest)
    if different:
        raise CorruptFileError(
            _(
                "{model_id} has other files on {node} than on the machine that asks: {different}.",
                model_id=model_id,
                node=platform.node(),
                different=", ".join(different),
            ),
            _("Keep the models in a folder that all machines share, or download the model there."),
        )
