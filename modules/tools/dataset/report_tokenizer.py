"""What the real tokenizer of XTTS says to the texts of a dataset, kept by text."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.xtts.preflight.rows import (
    load_tokenizer,
    text_fault,
)
from modules.core_components.dataset.report_cache import ContentCache
from modules.core_components.dataset.report_text import TextFault, faulty_words
from modules.core_components.dataset.values import Clip
from modules.core_components.errors import ModelMissingError
from modules.tools.services import Services

_VOCABULARY = "vocab.json"


def text_faults(
    services: Services, clips: Sequence[Clip], language: str, cache: ContentCache, quick: bool
) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Why the trainer would drop a text, and the words at fault; by clip id, those at fault only.

    `quick` takes only what is known already. Raises ModelMissingError where no base is installed.
    """
    base = _installed_base(services)
    what = f"tokens:{language}:{base.id}:{services.catalog.revision(base)}"
    ask: TextFault | None = None
    found = {}
    for clip in clips:
        sha256 = text_sha256(clip)
        kept = cache.get(what, sha256)
        if kept is None:
            if quick:
                continue
            ask = ask or load_text_fault(services, base)
            fault = ask(clip.text, language)
            kept = [fault, faulty_words(clip.text, language, ask) if fault else []]
            cache.put(what, sha256, kept)
        if kept[0]:
            found[clip.id] = (str(kept[0]), tuple(kept[1]))
    return found


def text_sha256(clip: Clip) -> str:
    """Under what the tokenizer's answer is kept."""
    return hashlib.sha256(clip.text.encode("utf-8", errors="backslashreplace")).hexdigest()


def load_text_fault(services: Services, base: ModelEntry) -> TextFault:
    """Asks the tokenizer of an installed base. The first call imports coqui's package: seconds."""
    return partial(text_fault, load_tokenizer(services.catalog.folder(base) / _VOCABULARY))


def _installed_base(services: Services) -> ModelEntry:
    """The newest, which the catalog lists last."""
    for entry in reversed(services.catalog.entries("text-to-speech")):
        if entry.family == "xtts" and (services.catalog.folder(entry) / _VOCABULARY).is_file():
            return entry
    raise ModelMissingError(
        "no base model of XTTS is installed.", "Get XTTS v2.0.3 on the Models tab."
    )
