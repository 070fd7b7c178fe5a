"""Which field of the page an error is about, so that it stays at that field (field_errors.js)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from modules.core_components.settings import describe_settings

# By what `BadInputError.about` says: the labels that the field has in the views. The first one on
# show is meant; a label that ends in "…" only begins so.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": ("Text to speak",),
    "script": ("Script",),
    "voice": ("Sample", "Voice"),
    "seed": ("Seed",),
    "track": ("Audio track",),
    "speakers": ("Speakers",),
    "name": (
        *("Name of the dataset", "Name of the voice", "Name of the new voice", "Name for it"),
        *("Name (optional)", "Name"),
    ),
    "run": ("Name of the training",),
    "dataset": ("Dataset",),
    "consent": ("This is my own voice…",),
    "licence": ("I accept this licence", "I accept the Coqui…"),
    "token": ("Access token…", "Another access token…"),
    "recording": ("Audio or video", "Recordings", "Record", "Voice file", "Zip file of the model"),
    "description": ("Description of the voice",),
    "start": ("From (s)",),
    "folder": ("Folder on this machine",),
    "ref_text": ("Reference text (optional)", "Reference text"),
}


@lru_cache(maxsize=1)
def field_labels() -> Mapping[str, tuple[str, ...]]:
    """The labels by `about`: those of the forms, and of every setting."""
    settings = {item.name: (item.label,) for item in describe_settings()}
    # The language of a text, and the one of the settings.
    return {**settings, **_FIELDS, "language": ("Language", *settings.get("language", ()))}


def labels_for_script() -> str:
    """The same as JSON, for field_errors.js."""
    return json.dumps(field_labels())
