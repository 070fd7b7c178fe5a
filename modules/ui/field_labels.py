"""Which field of the page an error is about, so that it stays at that field (field_errors.js)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from modules.core_components.settings import describe_settings
from modules.core_components.texts import _, mark

# By what `BadInputError.about` says: the labels that the field has in the views. The first one on
# show is meant; a label that ends in "…" only begins so, in every language.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "text": (mark("Text to speak"),),
    "script": (mark("Script"),),
    "voice": (mark("Sample"), mark("Voice")),
    "seed": (mark("Seed"),),
    "track": (mark("Audio track"),),
    "speakers": (mark("Speakers"),),
    "name": (
        mark("Name of the dataset"),
        mark("Name of the voice"),
        mark("Name of the new voice"),
        mark("Name for it"),
        mark("Name (optional)"),
        mark("Name"),
    ),
    "run": (mark("Name of the training"),),
    "dataset": (mark("Dataset"),),
    "consent": (mark("This is my own voice…"),),
    "licence": (mark("I accept this licence"), mark("I accept the Coqui…")),
    "token": (mark("Access token…"), mark("Another access token…")),
    "recording": (
        mark("Audio or video"),
        mark("Recordings"),
        mark("Record"),
        mark("Voice file"),
        mark("Zip file of the model"),
    ),
    "description": (mark("Description of the voice"),),
    "start": (mark("From (s)"),),
    "folder": (mark("Folder on this machine"),),
    "ref_text": (mark("Reference text (optional)"), mark("Reference text")),
}


def field_labels() -> Mapping[str, tuple[str, ...]]:
    """The labels by `about`: those of the forms, and of every setting."""
    settings = {item.name: (item.label,) for item in describe_settings()}
    forms = {about: tuple(_(label) for label in labels) for about, labels in _FIELDS.items()}
    # The language of a text, and the one of the settings.
    return {**settings, **forms, "language": (_("Language"), *settings.get("language", ()))}


def labels_for_script() -> str:
    """The same as JSON, for field_errors.js."""
    return json.dumps(field_labels())
