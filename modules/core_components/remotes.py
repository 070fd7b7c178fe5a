"""Remotes: servers on other machines that speak and transcribe for this studio.

A remote is another studio, vLLM-Omni or any server with OpenAI's audio API. The user adds each one;
the studio never looks for any. `config.json` has their addresses and what they said they have. The
key of a remote is no setting: it lies in a file of its own (see `access_token.remote_key`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from modules.core_components.errors import BadInputError
from modules.core_components.texts import _, mark
from modules.core_components.validation import bad_input, refused

PREFIX = "remote:"
# What the engines and catalog entries of remotes have as their family.
REMOTE_FAMILY = "remote"
# "studio": another Voice Clone Studio; "vllm": vLLM-Omni; "openai": any server with OpenAI's API.
RemoteKind = Literal["studio", "vllm", "openai"]
MOST_REMOTES, MOST_MODELS, MOST_VOICES = 50, 200, 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_LONGEST_WORD = 200


class RemoteModel(BaseModel):
    """One model of a remote, as the remote described it when it was asked last.

    `voices` are the languages of its voices by name ("" where it is not known), `languages` those
    of the model (empty: not known). `clones`: it takes the voice of a recording that is sent along.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["text-to-speech", "speech-to-text"]
    label: str = Field("", max_length=_LONGEST_WORD)
    voices: Mapping[str, str] = Field(default={}, max_length=MOST_VOICES)
    languages: tuple[str, ...] = Field((), max_length=MOST_VOICES)
    clones: bool = False


class Remote(BaseModel):
    """A server on another machine. `url` is what comes before /v1; `models` are by name.

    `timeout_s` is how long it may send nothing: a model that is loaded first takes its time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(title=mark("Address"))
    kind: RemoteKind = "openai"
    timeout_s: float = Field(120.0, title=mark("Longest silence"), ge=1, le=3600)
    models: Mapping[str, RemoteModel] = Field(default={}, max_length=MOST_MODELS)

    @field_validator("url")
    @classmethod
    def _read_url(cls, value: str) -> str:
        return read_address(value)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.url).netloc

    @property
    def is_readable_on_the_way(self) -> bool:
        """Whether texts, recordings and the key travel unencrypted to another machine."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and not is_this_machine(parts.hostname or "")

    def chosen(self) -> dict[str, Any]:
        """As plain JSON, without what is as usual."""
        return self.model_dump(mode="json", exclude_defaults=True)


def read_address(given: str) -> str:
    """The address of a server without a slash or /v1 at its end. Raises ValueError
    (see `refused`)."""
    given = given.strip()
    try:
        parts = urlsplit(given)
        _unused = parts.port
    except ValueError:
        parts = urlsplit("")
    is_plain = not (parts.query or parts.fragment or re.search(r"[\s\x00-\x1f]", given))
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise refused(
            _("{address!r} is not the address of a server.", address=given[:100]),
            _("Give one such as http://192.168.1.20:7860."),
        )
    if "@" in parts.netloc:
        # The address is shown and kept with the settings; a password must not be.
        raise refused(
            _("An address cannot have a name or password in it."), _("Give the key apart.")
        )
    return given.rstrip("/").removesuffix("/v1").rstrip("/")


def is_this_machine(host: str) -> bool:
    """Whether a host name or address means the machine itself."""
    return host == "localhost" or host == "::1" or host.startswith("127.")


def check_name(name: str) -> str:
    """A name for a remote. Raises BadInputError."""
    name = name.strip().lower()
    if not _NAME.fullmatch(name):
        raise BadInputError(
            _("{name!r} cannot be the name of a remote.", name=name[:50]),
            _("Take up to 32 small letters, digits, dashes and underscores."),
            "name",
        )
    return name


def parse_remotes(given: Mapping[str, Any]) -> dict[str, Remote]:
    """The remotes by name, from plain JSON. Raises BadInputError that names the remote."""
    if len(given) > MOST_REMOTES:
        raise BadInputError(
            _("There are more than {most_remotes} remotes.", most_remotes=MOST_REMOTES)
        )
    return {check_name(name): _parse_one(name, about) for name, about in given.items()}


def _parse_one(name: str, about: Any) -> Remote:
    try:
        return about if isinstance(about, Remote) else Remote.model_validate(about)
    except ValidationError as error:
        fault = bad_input(error, Remote, mark("field of a remote"))
        raise BadInputError(f"{name}: {fault.message}", fault.hint, fault.about) from error


def model_id_of(name: str, model: str) -> str:
    """The id by which a model of a remote is named everywhere: "remote:NAME/MODEL"."""
    return f"{PREFIX}{name}/{model}"


def remote_of(model_id: str) -> str:
    """The name of the remote that a model id belongs to; "" for a model of this studio."""
    return model_id.removeprefix(PREFIX).partition("/")[0] if model_id.startswith(PREFIX) else ""
