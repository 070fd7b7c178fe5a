"""Asking a remote what it is and what it has. Sends no text and no recording."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from modules.core_components.ai_models.engines.remote.connection import Call, Connection
from modules.core_components.ai_models.engines.remote.speech import OPENAI_VOICES
from modules.core_components.errors import BadInputError, RemoteError
from modules.core_components.progress import CancelToken
from modules.core_components.remotes import (
    MOST_MODELS,
    MOST_VOICES,
    PREFIX,
    Remote,
    RemoteKind,
    RemoteModel,
)
from modules.core_components.texts import _

_SPEAKS, _LISTENS = "text-to-speech", "speech-to-text"
# Servers with OpenAI's API do not say what their models do; their names do.
_LISTENING_NAMES = re.compile(
    r"whisper|transcri|\basr\b|-asr|parakeet|canary|sensevoice|wav2vec|voxtral-(mini|small)", re.I
)
_SPEAKING_NAMES = re.compile(
    r"tts|speech|kokoro|voice|vibe|xtts|bark|piper|orpheus|chatterbox|fish|s2-pro|dia\b|csm|voxcpm"
    r"|parler|zonos|higgs|spark|indextts|moss",
    re.I,
)
# Models that vLLM-Omni serves and that speak in the voice of `ref_audio`.
_CLONING_NAMES = re.compile(
    r"qwen3-tts.*base|omnivoice|voxcpm|cosyvoice|s2-pro|fish|higgs|moss|indextts", re.I
)
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")


def survey(
    connection: Connection,
    cancel: CancelToken,
    speaks: tuple[str, ...] = (),
    transcribes: tuple[str, ...] = (),
    clones: bool | None = None,
) -> Remote:
    """The remote with its kind and its models as it tells them now.

    `speaks` and `transcribes` name models whose task it does not tell, `clones` whether the
    speaking ones take `ref_audio`; None finds it out. Raises as `Connection`, and BadInputError
    where no model can speak or transcribe.
    """
    is_studio = _is_studio(connection, cancel)
    listed = list(_listed(connection.ask(Call("/v1/models"), cancel)))
    kind: RemoteKind = "studio" if is_studio else "openai"
    if any(model.get("owned_by") == "vllm" for model in listed):
        kind = "vllm"
    tasks = {model["id"]: _task_of(model, kind) for model in listed}
    tasks |= dict.fromkeys(speaks, _SPEAKS) | dict.fromkeys(transcribes, _LISTENS)
    about = {model["id"]: model for model in listed}
    known = dataclasses.replace(connection, remote=connection.remote.model_copy())
    models: dict[str, RemoteModel] = {}
    for name, task in list(tasks.items())[:MOST_MODELS]:
        if task == _SPEAKS:
            models[name] = _speaking(known, name, about.get(name, {}), kind, clones, cancel)
        elif task == _LISTENS:
            models[name] = RemoteModel(
                task="speech-to-text",
                label=_word(about.get(name, {}).get("label")),
                languages=tuple(_words(about.get(name, {}).get("languages"))),
            )
    if not models:
        has = ", ".join(list(about)[:10]) or "none"
        raise BadInputError(
            _("{name} names no model that speaks or transcribes.", name=connection.name),
            _("Say which of its models do."),
            details=f"It has: {has}. Name them with --speaks MODEL or --transcribes MODEL.",
        )
    return connection.remote.model_copy(update={"kind": kind, "models": models})


def _is_studio(connection: Connection, cancel: CancelToken) -> bool:
    """By what GET /health answers; most other servers have none, or an empty one."""
    try:
        answer = connection.ask(Call("/health"), cancel, 100_000)
    except (RemoteError, BadInputError):
        return False  # if there is no answer, the next question says so
    return isinstance(answer, dict) and {"status", "version", "working", "waiting"} <= answer.keys()


def _listed(answer: Any) -> Iterator[dict[str, Any]]:
    """The models of a list in OpenAI's form, without other names for the same and without those
    that the remote has from a third machine."""
    data = answer.get("data") if isinstance(answer, dict) else None
    for model in data if isinstance(data, list) else ():
        name = _word(model.get("id")) if isinstance(model, dict) else ""
        if name and not name.startswith(PREFIX) and model.get("stands_for", name) == name:
            yield {**model, "id": name}


def _task_of(model: Mapping[str, Any], kind: RemoteKind) -> str:
    name, task = model["id"], model.get("task")
    if kind == "studio":
        return str(task)
    if task in (_SPEAKS, "tts") or (not task and _SPEAKING_NAMES.search(name)):
        return "" if _LISTENING_NAMES.search(name) and not task else _SPEAKS
    if task in (_LISTENS, "automatic-speech-recognition", "asr") or _LISTENING_NAMES.search(name):
        return _LISTENS
    return ""


def _speaking(
    connection: Connection,
    name: str,
    about: Mapping[str, Any],
    kind: RemoteKind,
    clones: bool | None,
    cancel: CancelToken,
) -> RemoteModel:
    voices = _voices(connection, name, cancel)
    if clones is None:
        clones = kind == "vllm" and bool(_CLONING_NAMES.search(name))
    if not voices and not clones and kind == "openai":
        voices = dict.fromkeys(OPENAI_VOICES, "")
    return RemoteModel(
        task="text-to-speech",
        label=_word(about.get("label")),
        voices=voices,
        languages=tuple(_words(about.get("languages"))),
        clones=clones,
    )


def _voices(connection: Connection, model: str, cancel: CancelToken) -> dict[str, str]:
    """The languages of the voices by their names; none from a server that lists none."""
    try:
        answer = connection.ask(Call("/v1/audio/voices", query={"model": model}), cancel)
    except (RemoteError, BadInputError):
        return {}
    listed = answer.get("voices", answer.get("data")) if isinstance(answer, dict) else answer
    found: dict[str, str] = {}
    for voice in (listed if isinstance(listed, list) else ())[:MOST_VOICES]:
        if isinstance(voice, str):
            found[_word(voice)] = ""
        elif isinstance(voice, dict) and voice.get("kind") != "openai":  # other names for stock
            name = voice.get("id") or voice.get("voice_id") or voice.get("name")
            found[_word(name)] = _word(voice.get("language"))
    found.pop("", None)
    return found


def _word(given: Any) -> str:
    """A name as the remote wrote it; "" for what is none, such as one with control characters."""
    return given if isinstance(given, str) and _NAME.fullmatch(given) else ""


def _words(given: Any) -> Iterator[str]:
    for one in given if isinstance(given, list) else ():
        if word := _word(one):
            yield word
