"""The models of the catalog and the fine-tuned ones: installed, in memory, loaded, deleted."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.access_token import AccessToken
from modules.core_components.ai_models import catalog as catalogs
from modules.core_components.ai_models.base_manager import Availability
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.downloads.downloader import model_status
from modules.core_components.ai_models.engines.base import DeviceBoundEngine
from modules.core_components.ai_models.engines.registry import EngineMissingError
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned, model_id_of
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    ModelMissingError,
    StudioError,
)
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.job import RESUMABLE
from modules.core_components.library.tuned_models import TunedModel
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.texts import _, mark
from modules.tools.models.fallback import choose_speaking_model
from modules.tools.models.memory import manager_of, report_load
from modules.tools.models.model_names import find_entry
from modules.tools.models.remotes import is_remote, refuse_remote
from modules.tools.services import Services

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelOverview:
    """One model of the catalog, one that was fine-tuned (`tuned`), or one of a remote.

    `state` is "installed", "partial", "missing" or "remote"; `usable`: the studio has an engine for
    it and the packages the engine needs.
    """

    entry: ModelEntry
    state: str
    bytes_on_disk: int
    needs_consent: bool
    usable: bool
    in_memory: bool
    folder: Path
    source: str
    tuned: TunedModel | None = None


@dataclass(frozen=True)
class LoadedModel:
    """One model in memory. `place` is its device or CPU memory; `holders` use it now."""

    key: str
    model_id: str
    label: str
    place: str
    nbytes: int
    holders: tuple[str, ...]
    idle_s: float


@dataclass(frozen=True)
class ModelState:
    """One model as it is now: whether it can be used, and its copies in memory."""

    entry: ModelEntry
    availability: Availability
    loaded: tuple[LoadedModel, ...]


class ModelInUseError(BadInputError):
    """The model that was to be unloaded or deleted is in use."""


@dataclass(frozen=True)
class CheckedModel:
    """The outcome of reading every file of a model; `problem` is "" if all are right."""

    model_id: str
    state: str
    problem: str = ""
    hint: str = ""


def find_model_id(services: Services, name: str) -> str:
    """The id of the model, of whatever task, that has this id, label or short name.

    Raises NotFoundError that names similar models.
    """
    known = {entry.id: entry for entry in services.catalog.entries()}
    for manager in (services.tts, services.asr):
        known |= {model_id: manager.entry(model_id) for model_id in manager.engine_ids()}
    return name if name in known else find_entry(known.values(), name)


def list_models(services: Services) -> tuple[ModelOverview, ...]:
    """Every model of the catalog, in its order, then the fine-tuned ones and those of remotes."""
    loaded = {model.model_id for model in in_memory(services)}
    known = [_overview(services, entry, loaded) for entry in services.catalog.entries()]
    tuned = [_tuned_overview(services, model, loaded) for model in services.tuned_models.list()]
    return (*known, *tuned, *_remote_overviews(services))


def in_memory(services: Services) -> tuple[LoadedModel, ...]:
    """The models in memory, and what uses them."""
    labels = {entry.id: entry.label for entry in services.catalog.entries()}
    labels |= {model_id_of(model): model.label for model in services.tuned_models.list()}
    found = []
    for resident in services.tts.pool.snapshot():
        model_id = resident.key.partition("@")[0]
        found.append(
            LoadedModel(
                key=resident.key,
                model_id=model_id,
                label=labels.get(model_id, model_id),
                place=f"{resident.place} ({resident.device})",
                nbytes=resident.nbytes,
                holders=resident.holders,
                idle_s=resident.idle_s,
            )
        )
    return tuple(found)


def starter_ids(services: Services) -> tuple[str, ...]:
    """The models a fresh studio needs to speak, match a voice and listen."""
    return catalogs.starter_ids(services.catalog)


def needs_consent(services: Services, model_id: str) -> bool:
    """Whether the model's licence has to be accepted before the download."""
    return services.downloader.needs_consent(model_id)


def accept_licence(services: Services, model_id: str) -> None:
    """Remembers that the user accepted the licence."""
    services.downloader.accept_licence(model_id)


def access_token(services: Services) -> AccessToken:
    """The user's token for files that the hub gives only to accounts that accepted their terms."""
    return AccessToken(services.settings.root)


def download(
    services: Services,
    model_id: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Downloads a model, resuming an earlier try; returns its folder.

    Raises StudioError before anything is fetched where this machine cannot run the model.
    """
    refuse_remote(model_id, "download")
    _check_device(services, model_id)
    return services.downloader.fetch(model_id, progress, cancel)


def delete(services: Services, model_id: str) -> int:
    """Unloads a model and deletes it from the disk; returns the bytes that became free.

    A fine-tuned one goes to the trash (see `TunedModelLibrary.restore`), where it still takes
    space. Raises ModelInUseError while it is in use.
    """
    refuse_remote(model_id, "delete")
    tuned = services.tts.tuned_model(model_id)
    _refuse_if_used(services, model_id, "delete")
    unload(services, model_id)
    if tuned is None:
        return services.downloader.delete(model_id)
    services.tuned_models.delete(tuned.name)
    return 0


def load(services: Services, model_id: str, cancel: CancelToken | None = None) -> None:
    """Loads a model; it stays in memory until it was idle for long or room is needed."""
    manager_of(services, model_id).context.engine(model_id).load(cancel)


def unload(services: Services, model_id: str) -> None:
    """Unloads a model: now, or when its last user is done."""
    manager_of(services, model_id).unload(model_id)


def unload_unused(services: Services, model_id: str) -> int:
    """Unloads a model now; returns the bytes that became free.

    Raises ModelInUseError while it is in use, NotFoundError for an unknown model.
    """
    freed = sum(loaded.nbytes for loaded in model_state(services, model_id).loaded)
    _refuse_if_used(services, model_id, "unload")
    unload(services, model_id)
    return freed


def model_states(services: Services) -> tuple[ModelState, ...]:
    """Every model of the catalog, then those that were registered at run time."""
    registered = [*services.tts.engine_ids(), *services.asr.engine_ids()]
    ids = [entry.id for entry in services.catalog.entries()]
    loaded = in_memory(services)
    return tuple(_state(services, model_id, loaded) for model_id in dict.fromkeys(ids + registered))


def model_state(services: Services, model_id: str) -> ModelState:
    """One model as it is now. Raises NotFoundError."""
    return _state(services, model_id, in_memory(services))


def unload_idle(services: Services) -> int:
    """Unloads all models that are not in use; returns how many."""
    return services.tts.pool.unload_idle()


def check(
    services: Services,
    model_ids: tuple[str, ...] = (),
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> tuple[CheckedModel, ...]:
    """Reads every file of the models named, or of all that are here, against its checksum."""
    ids = model_ids or tuple(
        item.entry.id
        for item in list_models(services)
        if item.state != "missing" and not is_remote(item.entry)
    )
    checked = []
    for index, model_id in enumerate(ids):
        refuse_remote(model_id, "check")
        part = scaled(progress, index / len(ids), (index + 1) / len(ids))
        tuned = services.tts.tuned_model(model_id)
        entry = services.tts.entry(model_id) if tuned else services.catalog.entry(model_id)
        state = "installed" if tuned else services.catalog.state(entry)
        try:
            if tuned:
                check_tuned(tuned.folder)
            else:
                services.downloader.verify(model_id, part, cancel, full=True)
            checked.append(CheckedModel(model_id, state))
        except (CorruptFileError, ModelMissingError, BadInputError) as error:
            checked.append(CheckedModel(model_id, state, error.message, error.hint))
    return tuple(checked)


def _check_device(services: Services, model_id: str) -> None:
    try:
        engine = manager_of(services, model_id).context.engine(model_id)
    except EngineMissingError:
        return  # kept for a later version, or until its package is there
    if isinstance(engine, DeviceBoundEngine):
        engine.check_device()


_AFTERWARDS = {
    "delete": mark("Wait until that is done, or cancel it, then delete the model."),
    "unload": mark("Wait until that is done, or cancel it, then unload the model."),
}


def _refuse_if_used(services: Services, model_id: str, purpose: str) -> None:
    users = [
        holder
        for loaded in in_memory(services)
        if loaded.model_id == model_id
        for holder in loaded.holders
    ]
    if users:
        label = manager_of(services, model_id).entry(model_id).label
        raise ModelInUseError(
            _("{label} is in use ({users}).", label=label, users=", ".join(users)),
            _(_AFTERWARDS[purpose]),
        )


def _state(services: Services, model_id: str, loaded: tuple[LoadedModel, ...]) -> ModelState:
    manager = manager_of(services, model_id)
    entry, availability = manager.entry(model_id), manager.availability(model_id)
    mine = tuple(model for model in loaded if model.model_id == model_id)
    return ModelState(entry, availability, mine)


def _remote_overviews(services: Services) -> Iterable[ModelOverview]:
    for manager in (services.tts, services.asr):
        for entry in map(manager.entry, manager.engine_ids()):
            if is_remote(entry):
                yield ModelOverview(
                    entry=entry,
                    state="remote",
                    bytes_on_disk=0,
                    needs_consent=False,
                    usable=True,
                    in_memory=False,
                    folder=Path(),
                    source=_("another machine"),
                )


def _tuned_overview(services: Services, model: TunedModel, loaded: set[str]) -> ModelOverview:
    entry = services.tts.entry(model_id_of(model))
    known = {one.id: one.label for one in services.catalog.entries()}
    base = known.get(model.base_model, model.base_model)
    return ModelOverview(
        entry=entry,
        state="installed",
        bytes_on_disk=sum(path.stat().st_size for path in model.folder.iterdir()),
        needs_consent=False,
        usable=services.tts.available(entry.id),
        in_memory=entry.id in loaded,
        folder=model.folder,
        source=_("fine-tuned from {base}", base=base) if base else _("fine-tuned"),
        tuned=model,
    )


def _overview(services: Services, entry: ModelEntry, loaded: set[str]) -> ModelOverview:
    status = model_status(services.catalog, entry)
    availability = services.tts.availability(entry.id)
    return ModelOverview(
        entry=entry,
        state=status.state,
        bytes_on_disk=status.bytes_on_disk,
        needs_consent=services.downloader.needs_consent(entry.id),
        usable=availability.state in ("ready", "not downloaded"),
        in_memory=entry.id in loaded,
        folder=services.catalog.folder(entry),
        source=status.source,
    )


# Downloading and loading as jobs.

DOWNLOAD, LOAD = "download", "load_model"
_IN_BACKGROUND = "in_background"
_NICENESS = 10
# The page is built when a browser asks for it; a studio without a browser does not wait longer.
PRELOAD_AFTER_S = 10.0


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_download(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        download(services, payload["model"], job.progress, job.cancel)
        return {"model": payload["model"]}

    def run_load(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, _("Loading"))
        manager = manager_of(services, payload["model"])
        engine = manager.context.engine(payload["model"])
        report_load(manager, engine, job.progress)
        if payload.get(_IN_BACKGROUND):
            _load_in_background(engine, job.cancel)
        else:
            engine.load(job.cancel)
        return {"model": payload["model"]}

    services.jobs.register(DOWNLOAD, run_download, lane="network")
    services.jobs.register(LOAD, run_load, lane="loading")


def submit_download(services: Services, model_id: str) -> Job:
    """Queues a download, or returns the job that downloads the model already. Raises as `download`
    does."""
    _check_device(services, model_id)
    entry = services.catalog.entry(model_id)
    for job in services.jobs.list(states=("queued", "running"), kind=DOWNLOAD):
        if job.payload.get("model") == model_id:
            return job
    return services.jobs.submit(
        DOWNLOAD, _("Download {label}", label=entry.label), {"model": model_id}
    )


def submit_load(services: Services, model_id: str, in_background: bool = False) -> Job:
    """Queues loading a model, or returns the job that loads it already."""
    entry = model_state(services, model_id).entry
    for job in services.jobs.list(kind=LOAD):
        if job.payload.get("model") == model_id and job.is_active:
            return job
        if job.payload.get("model") == model_id and job.state in RESUMABLE:
            services.jobs.dismiss(job.id)  # this is the new try
    payload = {"model": model_id, _IN_BACKGROUND: in_background}
    return services.jobs.submit(LOAD, _("Load {label}", label=entry.label), payload)


def _load_in_background(engine: Any, cancel: CancelToken) -> None:
    """Loads at low priority, in a thread that ends then: its priority cannot be raised again."""

    def load() -> None:
        if hasattr(os, "setpriority"):  # of this thread alone, on Linux
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        engine.load(cancel)

    with ThreadPoolExecutor(1, "preload") as executor:
        executor.submit(load).result()


def do_later(page_built: threading.Event, work: Callable[[], object]) -> None:
    """Calls `work` once the page is built, so that both do not compete at the start."""

    def wait() -> None:
        page_built.wait(PRELOAD_AFTER_S)
        work()

    threading.Thread(target=wait, name="after-the-page", daemon=True).start()


def preload(services: Services) -> tuple[Job, ...]:
    """Queues loading the models that the settings name for the start.

    Nothing waits for them; one that fails stops neither the others nor the start.
    """
    settings = services.settings
    default = choose_speaking_model(services).model_id
    installed = default in services.tts.engine_ids() and services.tts.available(default)
    wanted = [default] if settings.preload_model and installed else []
    wanted += [model_id for model_id, own in settings.model_settings.items() if own.preload]
    queued = []
    for model_id in dict.fromkeys(wanted):
        try:
            queued.append(submit_load(services, model_id, in_background=True))
        except StudioError as error:  # a model that was deleted since
            logger.warning("%s is not loaded at the start: %s", model_id, error.message)
    return tuple(queued)
