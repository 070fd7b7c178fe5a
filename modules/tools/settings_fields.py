"""The settings with their present values, as faces show and change them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.settings import (
    NO_FALLBACK,
    SettingInfo,
    Settings,
    describe_settings,
)
from modules.tools.services import Services


@dataclass(frozen=True)
class SettingField:
    """A setting with its present value and what it may be on this machine."""

    about: SettingInfo
    value: Any
    choices: tuple[str, ...]


def setting_fields(services: Services) -> tuple[SettingField, ...]:
    """All settings, as saved, in the order in which they are shown."""
    saved = services.saved_settings()
    return tuple(
        SettingField(about, _value(saved, about.name), _choices(services, saved, about))
        for about in describe_settings()
    )


def change_settings(services: Services, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Saves what differs from now; returns the labels of what waits for the next start.

    Raises BadInputError that names the settings at fault; then nothing is saved.
    """
    fields = {item.about.name: item for item in setting_fields(services)}
    changes = {
        # A page's number box gives 3.0 where 3 is meant.
        name: int(value) if _is_whole(value) and type(fields[name].value) is int else value
        for name, value in given.items()
        if value != fields[name].value
    }
    waiting = services.change_settings(changes)
    return tuple(fields[name].about.label for name in waiting)


def default_values() -> str:
    """`configs/default.json`."""
    values = {item.name: item.default for item in describe_settings()}
    return json.dumps({**values, "model_settings": {}, "remotes": {}}, indent=2) + "\n"


def settings_table() -> str:
    """`docs/settings.md`: every setting with its default, range and meaning; in English."""
    lines = [
        "# Settings",
        "",
        "On the Settings tab, or as JSON in `config.json` in the data root. "
        "Written by `configs/generate.py`; ↻ takes effect at the next start.",
        "",
        "The access token for gated models of the Hugging Face hub is no setting: it is kept in a "
        "file of its own (`hub_token`, readable for its owner only) and never shown. Save or "
        "remove it on the Settings tab or with `models token`.",
        "",
        "Servers on other machines that speak and transcribe for this studio are kept as `remotes` "
        "(address, kind, longest silence, and what they said they have), their keys in files of "
        "their own (`remote_keys/`, as the token). Add them on the Models tab or with `remotes "
        "add`: [remotes.md](remotes.md).",
    ]
    group = ""
    for item in describe_settings():
        if item.group != group:
            group = item.group
            lines += ["", f"## {group}", "", "| setting | name | default | values | meaning |"]
            lines += ["|---|---|---|---|---|"]
        values = ", ".join(item.choices)
        if item.minimum is not None:
            values = f"{item.minimum:,} to {item.maximum:,}"
        label = f"{item.label}{' ↻' if item.needs_restart else ''}"
        default = f"`{json.dumps(item.default)}`"
        lines.append(f"| {label} | `{item.name}` | {default} | {values} | {item.meaning} |")
    return "\n".join(lines) + "\n"


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _value(saved: Settings, name: str) -> Any:
    value = getattr(saved, name)
    return str(value) if isinstance(value, Path) else value


def _choices(services: Services, saved: Settings, about: SettingInfo) -> tuple[str, ...]:
    manager = services.tts if "tts" in about.name else services.asr
    if about.name in ("tts_model", "asr_model"):
        return manager.engine_ids()
    if about.name in ("fallback_tts_model", "fallback_asr_model"):
        return (NO_FALLBACK, *manager.engine_ids())
    if about.name == "language":
        spoken = services.tts.entry(services.settings.tts_model).languages
        # What is saved stays, even if the model that is chosen now names it differently.
        return tuple(dict.fromkeys((*spoken, saved.language)))
    return about.choices
