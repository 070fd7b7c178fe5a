"""The user's remotes: adding, asking anew what they have, removing.

Nothing is sent to a server that the user did not add here; asking what it has sends no text and no
recording.
"""

from __future__ import annotations

from dataclasses import dataclass

from modules.core_components.access_token import remote_key
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.remote.entries import (
    connect,
    entry_of,
    privacy_note,
)
from modules.core_components.ai_models.engines.remote.survey import survey
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.progress import CancelToken
from modules.core_components.remotes import (
    REMOTE_FAMILY,
    Remote,
    RemoteModel,
    check_name,
    parse_remotes,
    remote_of,
)
from modules.core_components.texts import _, mark
from modules.tools.services import Services

_SETTING = "remotes"


@dataclass(frozen=True)
class KnownRemote:
    """A remote as it is listed. `has_key`: one is saved; it is never shown."""

    name: str
    address: str
    kind: str
    has_key: bool
    speaking: tuple[ModelEntry, ...]
    listening: tuple[ModelEntry, ...]
    voices: int
    note: str


@dataclass(frozen=True)
class RemoteRequest:
    """A remote to add. `speaks` and `transcribes` name models whose task it does not tell;
    `clones` says whether speaking ones take a recording's voice, None finds it out."""

    name: str
    address: str
    speaks: tuple[str, ...] = ()
    transcribes: tuple[str, ...] = ()
    clones: bool | None = None
    timeout_s: float = 120.0


def list_remotes(services: Services) -> tuple[KnownRemote, ...]:
    """The remotes as they were when they were asked last; none is asked now."""
    return tuple(_known(services, name) for name in services.settings.remotes)


def add_remote(
    services: Services, request: RemoteRequest, key: str = "", cancel: CancelToken | None = None
) -> KnownRemote:
    """Asks a server what it has and keeps it with its key, in place of one of that name.

    Without `key` a key that is kept for the name stays. Raises RemoteError and BadInputError; then
    nothing is kept.
    """
    name = check_name(request.name)
    about = {"url": request.address, "timeout_s": request.timeout_s}
    given = parse_remotes({**services.settings.remotes, name: about})[name]
    before = services.settings.remotes.get(name)
    kept = remote_key(services.settings.root, name)
    old_key = kept.read()
    if key:
        kept.save(key)
    elif before is not None and before.host != given.host:
        kept.remove()  # it is that of another server
    try:
        _ask_and_keep(services, name, given, request, cancel)
    except BaseException:
        if old_key:
            kept.save(old_key)
        else:
            kept.remove()
        raise
    return _known(services, name)


def refresh_remote(services: Services, name: str, cancel: CancelToken | None = None) -> KnownRemote:
    """Asks a remote anew what it has, and keeps that. Raises NotFoundError, RemoteError."""
    remote = _find(services, name)
    known = remote.models.items()
    # What the user named stays, where the remote does not tell what it does.
    named = {
        task: tuple(m for m, about in known if about.task == task and remote.kind != "studio")
        for task in _TASKS
    }
    clones = any(about.clones for _unused, about in known)
    speaks, transcribes = named.values()
    request = RemoteRequest(name, remote.url, speaks, transcribes, clones or None, remote.timeout_s)
    _ask_and_keep(services, check_name(name), remote, request, cancel)
    return _known(services, check_name(name))


def remove_remote(services: Services, name: str) -> None:
    """Forgets a remote and its key. Raises NotFoundError."""
    _find(services, name)
    name = check_name(name)
    left = {n: remote for n, remote in services.settings.remotes.items() if n != name}
    _save(services, left)
    remote_key(services.settings.root, name).remove()


_NOTHING_HERE = {
    "download": mark("{model_id} runs on another machine; there is nothing to download here."),
    "delete": mark("{model_id} runs on another machine; there is nothing to delete here."),
    "check": mark("{model_id} runs on another machine; there is nothing to check here."),
}


def refuse_remote(model_id: str, purpose: str) -> None:
    """Raises BadInputError for a model of a remote; `purpose` is what cannot be done with it."""
    if name := remote_of(model_id):
        raise BadInputError(
            _(_NOTHING_HERE[purpose], model_id=model_id),
            _("Remove {name} among the other machines to be without it.", name=name),
            "model",
        )


def is_remote(entry: ModelEntry) -> bool:
    """Whether a model runs on another machine."""
    return entry.family == REMOTE_FAMILY


def privacy_words(entry: ModelEntry) -> str:
    """What is sent to another machine when this model is used; "" for one that runs here."""
    return entry.note if is_remote(entry) else ""


_TASKS = ("text-to-speech", "speech-to-text")


def _ask_and_keep(
    services: Services,
    name: str,
    remote: Remote,
    request: RemoteRequest,
    cancel: CancelToken | None,
) -> None:
    connection = connect(services.settings, name, remote)
    found = survey(
        connection,
        cancel or CancelToken(),
        request.speaks,
        request.transcribes,
        request.clones,
    )
    _save(services, {**services.settings.remotes, name: found})


def _save(services: Services, remotes: dict[str, Remote]) -> None:
    services.change_settings({_SETTING: {n: remote.chosen() for n, remote in remotes.items()}})


def _find(services: Services, name: str) -> Remote:
    remotes = services.settings.remotes
    if name.strip().lower() not in remotes:
        raise NotFoundError(
            _("There is no remote {name!r}.", name=name),
            _("There are: {names}.", names=", ".join(remotes))
            if remotes
            else _("There are: none."),
        )
    return remotes[name.strip().lower()]


def _known(services: Services, name: str) -> KnownRemote:
    remote = services.settings.remotes[name]
    entries = [(about, entry_of(name, remote, model)) for model, about in remote.models.items()]
    return KnownRemote(
        name=name,
        address=remote.url,
        kind=remote.kind,
        has_key=remote_key(services.settings.root, name).saved,
        speaking=_of_task(entries, _TASKS[0]),
        listening=_of_task(entries, _TASKS[1]),
        voices=sum(len(about.voices) for about, _unused in entries),
        note=privacy_note(name, remote, remote.models.values()),
    )


def _of_task(entries: list[tuple[RemoteModel, ModelEntry]], task: str) -> tuple[ModelEntry, ...]:
    return tuple(entry for about, entry in entries if about.task == task)
