"""The models of the user's remotes as models like any other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from modules.core_components.access_token import remote_key
from modules.core_components.ai_models.catalog import Ability, Licence, ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.registry import EngineSpec, Factory
from modules.core_components.ai_models.engines.remote import listening, speech
from modules.core_components.ai_models.engines.remote.connection import Connection
from modules.core_components.remotes import REMOTE_FAMILY, Remote, RemoteModel, model_id_of
from modules.core_components.settings import Settings
from modules.core_components.texts import _


def remote_specs(settings: Settings) -> Iterator[EngineSpec]:
    """An engine for each model of each remote in the settings; nothing is asked of any."""
    for name, remote in settings.remotes.items():
        connection = connect(settings, name, remote)
        for model, about in remote.models.items():
            yield EngineSpec(entry_of(name, remote, model), _factory(connection, model, about))


def connect(settings: Settings, name: str, remote: Remote) -> Connection:
    """The remote with its key, which is read anew for each request."""
    return Connection(name, remote, remote_key(settings.root, name).read)


def entry_of(name: str, remote: Remote, model: str) -> ModelEntry:
    """A model of a remote described as the catalog would; `name` is that of the remote."""
    about = remote.models[model]
    speaks = about.task == "text-to-speech"
    return ModelEntry(
        id=model_id_of(name, model),
        family=REMOTE_FAMILY,
        version="",
        task=about.task,
        label=_("{model} on {machine}", model=about.label or model, machine=name),
        folder="",
        files=(),
        sources=(),
        # Who may use what it says is for the other side to tell; until then, as for the strictest.
        licence=Licence(_("Licence not known here"), "", commercial=False),
        languages=about.languages,
        sample_rate_hz=speech.SAMPLE_RATE_HZ if speaks else listening.SAMPLE_RATE_HZ,
        memory_mb=0,
        abilities=_abilities(about),
        note=privacy_note(name, remote, (about,)),
    )


def privacy_note(name: str, remote: Remote, models: Iterable[RemoteModel]) -> str:
    """What is sent to the other machine when these models of it are used, as a warning."""
    models = tuple(models)
    listens = any(about.task == "speech-to-text" for about in models)
    sent = [
        _("the texts that you have it speak")
        if any(m.task != "speech-to-text" for m in models)
        else "",
        _("the samples in whose voices it speaks") if any(m.clones for m in models) else "",
        _("the recordings that you have it transcribe") if listens else "",
    ]
    what = _(" and ").join(filter(None, sent))
    if remote.is_readable_on_the_way:
        return _(
            "Runs on another machine. Sent to {name} ({host}), unencrypted: {what}.",
            name=name,
            host=remote.host,
            what=what,
        )
    return _(
        "Runs on another machine. Sent to {name} ({host}): {what}.",
        name=name,
        host=remote.host,
        what=what,
    )


def _abilities(about: RemoteModel) -> tuple[Ability, ...]:
    if about.task == "speech-to-text":
        return ("language-detection",)
    found: list[Ability] = ["streaming"]
    if about.voices:
        found.append("stock-voices")
    if about.clones:
        found.append("clone")
    return tuple(found)


def _factory(connection: Connection, model: str, about: RemoteModel) -> Factory:
    kind: Any = speech.RemoteSpeaker
    if about.task == "speech-to-text":
        kind = listening.RemoteListener

    def create(entry: ModelEntry, context: EngineContext) -> Any:
        return kind(entry, context, connection, model)

    return create
