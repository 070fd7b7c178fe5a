"""The names that people use for models: "tiny.en", "large-v3", "kokoro", "xtts"."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from modules.core_components.ai_models.asr_manager import NEWEST_WHISPERS
from modules.core_components.ai_models.base_manager import BaseManager
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import NotFoundError
from modules.core_components.texts import _, mark

# What a family's name alone means, and faster-whisper's names for the newest large models.
SHORT_NAMES: Mapping[str, str] = {
    "kokoro": "kokoro-v1.0",
    "xtts": "xtts-v2.0.3",
    "xtts-v2": "xtts-v2.0.3",
    "pocket": "pocket-tts-english",
    "pocket-tts": "pocket-tts-english",
    "omni": "omnivoice",
    "qwen3-tts": "qwen3-tts-1.7b-base",
    "vibevoice": "vibevoice-1.5b",
    "whisper": "whisper-base",
    **{name: f"whisper-{size}" for name, size in NEWEST_WHISPERS.items()},
}
_TASKS = {
    "text-to-speech": mark("speaking model"),
    "speech-to-text": mark("listening model"),
}


def find_model(manager: BaseManager, name: str) -> str:
    """The id of the model of the manager's task that has this id, label or short name.

    Raises NotFoundError that names similar models of the same task.
    """
    if name in (ids := manager.engine_ids()):
        return name
    return find_entry((manager.entry(model_id) for model_id in ids), name, _TASKS[manager.task])


def find_entry(entries: Iterable[ModelEntry], name: str, what: str = mark("model")) -> str:
    """As `find_model`, among these entries. `what` is what the error calls them, marked for
    translation."""
    known: dict[str, str] = {}
    for entry in entries:
        own = (entry.id, entry.label, entry.id.removeprefix(f"{entry.family}-"))
        known |= {word.casefold(): entry.id for word in own if word.casefold() not in known}
    ids = set(known.values())
    known |= {word: model_id for word, model_id in SHORT_NAMES.items() if model_id in ids}
    wanted = name.strip().casefold()
    if wanted in known:
        return known[wanted]
    similar = difflib.get_close_matches(wanted, known, n=6, cutoff=0.5)
    near = list(dict.fromkeys(known[word] for word in similar))[:3]
    hint = (
        _("Did you mean {near}?", near=_(" or ").join(near))
        if near
        else _("There are: {ids}.", ids=", ".join(sorted(ids)))
    )
    raise NotFoundError(_("There is no {what} {name!r}.", what=_(what), name=name), hint)
