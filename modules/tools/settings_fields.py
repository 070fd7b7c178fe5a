"""The settings in words: what each one means, what it may be, and when a change takes effect.

What is chosen for one model alone is in `model_settings`, on the Models tab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.base import OptionField
from modules.core_components.errors import BadInputError
from modules.core_components.settings import CHOICES, NO_FALLBACK, RANGES, Settings
from modules.tools.services import RESTART_SETTINGS, Services

_GROUPS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Speaking and listening": {
        "tts_model": ("Speaking model", "Chosen when nothing else is asked for."),
        "asr_model": ("Listening model", "Transcribes samples and reads takes back."),
        "fallback_tts_model": ("If it is missing, speak with", "Told each time it is used."),
        "fallback_asr_model": ("If it is missing, listen with", "Told each time it is used."),
        "language": ("Language", "Spoken by default; en-us is American English."),
        "output_format": ("Format of new takes", "wav and flac lose nothing; mp3 is small."),
        "preload_model": ("Load at the start", "The speaking model; the first word comes sooner."),
        "score_takes": ("Score every take", "Likeness and words; costs a few seconds each."),
    },
    "Limits": {
        "max_text_characters": ("Longest text", "Characters in one take."),
        "max_sample_minutes": ("Longest sample", "Minutes."),
        "max_upload_mb": ("Largest upload", "Megabytes."),
        "api_max_text_characters": ("Longest text over the API", "Characters in one request."),
        "api_queue_length": ("API requests that may wait", "More are told to come again later."),
    },
    "Network": {
        "offline_mode": ("Offline", "Nothing is fetched; what is missing is named instead."),
        "port": ("Port", "Where the page answers on this machine."),
    },
    "Computing": {
        "device": ("Device", "auto takes the first GPU; a model may have its own (Models)."),
        "listening_device": ("Device for listening", "Empty: the same."),
        "attention_mechanism": ("Attention", "auto tries the fastest that works here."),
        "precision": ("Numbers", "auto takes what is fast here, and measures it for Kokoro."),
        "torch_threads": ("Threads", "0 leaves it to torch."),
        "gpu_memory_budget_gb": ("Memory on the GPU", "Gigabytes for models; 0 is automatic."),
        "gpu_memory_budgets": ("Memory on single GPUs", "Such as cuda:0=8, cuda:1=20; gigabytes."),
        "cpu_memory_budget_gb": ("Main memory", "Gigabytes for models; 0 is automatic."),
        "idle_unload_minutes": ("Unload when idle for", "Minutes; 0 keeps models in memory."),
        "prepared_voices_mb": ("Prepared voices on disk", "Megabytes; the least used go first."),
        "prepared_voices_memory_mb": ("Prepared voices in memory", "Megabytes of them."),
    },
    "Folders": {
        "samples_folder": ("Samples", "The voices you brought in."),
        "output_folder": ("Output", "Takes and transcripts."),
        "voices_folder": ("Voices", "Those you saved or imported."),
        "datasets_folder": ("Datasets", "Clips with their texts, to train on."),
        "training_folder": ("Training runs", "Checkpoints, curves and logs; they take gigabytes."),
        "finetune_folder": ("Fine-tuned models", "What you trained and published, or imported."),
        "models_folder": ("Models", "Weights; several gigabytes."),
        "cache_folder": ("Cache", "Can be deleted; prepared voices are made again then."),
    },
}


@dataclass(frozen=True)
class SettingField:
    """A setting with its present value; `group` is the heading it stands under."""

    about: OptionField
    group: str
    needs_restart: bool


def setting_fields(services: Services) -> tuple[SettingField, ...]:
    """All settings, as saved, in the order in which they are shown."""
    saved = services.saved_settings()
    return tuple(
        SettingField(_about(services, saved, name, *words), group, name in RESTART_SETTINGS)
        for group, settings in _GROUPS.items()
        for name, words in settings.items()
    )


def change_settings(services: Services, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Saves what differs from now; returns the labels of what waits for the next start.

    Raises BadInputError that names the setting; then nothing is saved.
    """
    fields = {item.about.name: item for item in setting_fields(services)}
    empty = [fields[name].about.label for name, value in given.items() if value is None]
    if empty:
        raise BadInputError(f"{empty[0]} is empty.", "Give a value.")
    changes = {
        name: type(fields[name].about.default)(value)
        for name, value in given.items()
        if value != fields[name].about.default
    }
    waiting = services.change_settings(changes)
    return tuple(fields[name].about.label for name in waiting)


def _about(services: Services, saved: Settings, name: str, label: str, words: str) -> OptionField:
    value = getattr(saved, name)
    low, high = RANGES.get(name, (None, None))
    return OptionField(
        name=name,
        label=label,
        help=words,
        default=str(value) if isinstance(value, Path) else value,
        minimum=low,
        maximum=high,
        choices=_choices(services, saved, name),
    )


def _choices(services: Services, saved: Settings, name: str) -> tuple[str, ...]:
    if name == "tts_model":
        return services.tts.engine_ids()
    if name == "asr_model":
        return services.asr.engine_ids()
    if name == "fallback_tts_model":
        return (NO_FALLBACK, *services.tts.engine_ids())
    if name == "fallback_asr_model":
        return (NO_FALLBACK, *services.asr.engine_ids())
    if name == "language":
        spoken = services.tts.entry(services.settings.tts_model).languages
        # What is saved stays, though another model was chosen that calls it otherwise.
        return tuple(dict.fromkeys((*spoken, saved.language)))
    return CHOICES.get(name, ())
