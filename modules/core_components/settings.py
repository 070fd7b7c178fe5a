"""Every setting, its default, and where the user's own choices are kept.

`configs/default.json` holds the defaults, `config.json` in the data root (the folder of `app.py`
unless `--data-root` names another; ignored by git) only what the user changed. Both are plain JSON
objects with the field names of `Settings`.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.errors import BadInputError

logger = logging.getLogger(__name__)


# What a user chooses for one model alone; everything else holds for all models.


PRECISIONS = ("auto", "float32", "bfloat16")
ATTENTIONS = ("auto", "flash_attention_2", "sdpa", "eager")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "precision": ("", *PRECISIONS),
    "attention_mechanism": ("", *ATTENTIONS),
}


@dataclass(frozen=True)
class ModelSettings:
    """How one model is loaded; "" is as for all models.

    With `keep_loaded` it stays in memory however long nobody uses it, with `preload` it is
    brought in when the studio starts.
    """

    device: str = ""
    precision: str = ""
    attention_mechanism: str = ""
    keep_loaded: bool = False
    preload: bool = False

    def chosen(self) -> dict[str, Any]:
        """What differs from the defaults, as plain JSON."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value}


def parse_model_settings(given: Mapping[str, Any]) -> dict[str, ModelSettings]:
    """The settings by model id, from plain JSON. Raises BadInputError that names the model."""
    return {model_id: _parsed(model_id, own) for model_id, own in given.items()}


def _parsed(model_id: str, own: Any) -> ModelSettings:
    if not isinstance(own, Mapping):
        raise BadInputError(f"The settings of {model_id} must be names with values, not {own!r}.")
    kinds = {item.name: type(item.default) for item in dataclasses.fields(ModelSettings)}
    for name, value in own.items():
        if name not in kinds:
            raise BadInputError(
                f"There is no setting {name!r} of {model_id}.", f"There are: {', '.join(kinds)}."
            )
        if type(value) is not kinds[name]:
            raise BadInputError(
                f"The setting {name} of {model_id} must be a {kinds[name].__name__}, not {value!r}."
            )
        if value not in _CHOICES.get(name, (value,)):
            raise BadInputError(
                f"The setting {name} of {model_id} cannot be {value!r}.",
                f"Choose {', '.join(_CHOICES[name][1:])}, or nothing.",
                name,
            )
    return ModelSettings(**own)


USER_FILE = "config.json"
# The value of a fallback model: there is none, what cannot be used is an error.
NO_FALLBACK = "none"
# Weights are large: several studios, and the tests, may share one folder of them.
MODELS_FOLDER_VARIABLE = "VOICE_STUDIO_MODELS"

CHOICES: Mapping[str, tuple[str, ...]] = {
    "output_format": ("wav", "flac", "mp3"),
    "precision": PRECISIONS,
    "attention_mechanism": ATTENTIONS,
}
RANGES: Mapping[str, tuple[float, float]] = {
    "gpu_memory_budget_gb": (0, 1024),
    "cpu_memory_budget_gb": (0, 4096),
    "idle_unload_minutes": (0, 24 * 60),
    "prepared_voices_mb": (1, 1_000_000),
    "prepared_voices_memory_mb": (1, 100_000),
    "torch_threads": (0, 256),
    "max_sample_minutes": (0.1, 600),
    "max_text_characters": (1, 10_000_000),
    "max_upload_mb": (1, 100_000),
    "api_max_text_characters": (1, 1_000_000),
    "api_queue_length": (0, 10_000),
    "port": (0, 65535),
}


@dataclass(frozen=True)
class Settings:
    """The user's choices. Folders are absolute; a budget or thread count of 0 means automatic.

    An empty `listening_device` means `device`; `gpu_memory_budgets` are those of single GPUs (see
    `parse_gpu_budgets`).
    """

    root: Path
    samples_folder: Path
    output_folder: Path
    voices_folder: Path
    datasets_folder: Path
    training_folder: Path
    finetune_folder: Path
    models_folder: Path
    cache_folder: Path
    tts_model: str
    asr_model: str
    fallback_tts_model: str
    fallback_asr_model: str
    language: str
    output_format: str
    score_takes: bool
    preload_model: bool
    device: str
    listening_device: str
    attention_mechanism: str
    precision: str
    offline_mode: bool
    gpu_memory_budget_gb: float
    gpu_memory_budgets: str
    cpu_memory_budget_gb: float
    idle_unload_minutes: float
    prepared_voices_mb: int
    prepared_voices_memory_mb: int
    torch_threads: int
    max_sample_minutes: float
    max_text_characters: int
    max_upload_mb: int
    api_max_text_characters: int
    api_queue_length: int
    port: int
    model_settings: Mapping[str, ModelSettings]

    def of_model(self, model_id: str) -> ModelSettings:
        """What was chosen for one model alone."""
        return self.model_settings.get(model_id, ModelSettings())


def app_folder() -> Path:
    """Where the program lies: `app.py` and `configs/`."""
    return Path(__file__).resolve().parents[2]


def read_defaults() -> dict[str, Any]:
    """Every setting with its default, from `configs/default.json`."""
    return _read_object(app_folder() / "configs" / "default.json")


def load_settings(root: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The defaults, then config.json, then `overrides`.

    A config.json that cannot be read is set aside (never deleted) and the defaults are used, so
    that a damaged file does not keep the studio from starting. Raises BadInputError for a bad
    override.
    """
    root = root.resolve()
    values = read_defaults()
    values.update(_usable_user_values(root, values))
    if shared := os.environ.get(MODELS_FOLDER_VARIABLE):
        values["models_folder"] = shared
    for name, value in (overrides or {}).items():
        values[name] = _checked(name, value, values)
    folders = {
        name: (root / value).resolve() for name, value in values.items() if name.endswith("_folder")
    }
    own = {"model_settings": parse_model_settings(values["model_settings"])}
    return Settings(root=root, **{**values, **folders, **own})


def save_settings(root: Path, changes: Mapping[str, Any]) -> Settings:
    """Adds `changes` to config.json (written whole, then renamed) and returns the new settings.

    Raises BadInputError for an unknown name or a value of the wrong kind, DiskFullError when there
    is no room; then nothing is written.
    """
    root = root.resolve()
    defaults = read_defaults()
    chosen = _usable_user_values(root, defaults)
    chosen.update({name: _checked(name, value, defaults) for name, value in changes.items()})
    kept = {name: value for name, value in chosen.items() if value != defaults[name]}
    atomic.write_json(root / USER_FILE, kept)
    return load_settings(root)


def parse_gpu_budgets(text: str) -> dict[str, float]:
    """Gigabytes by GPU, from such as "cuda:0=8, cuda:1=20". Raises BadInputError."""
    budgets = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        device, _, gigabytes = (word.strip() for word in part.partition("="))
        try:
            budgets[device] = float(gigabytes)
        except ValueError:
            budgets[device] = -1.0
        low, high = RANGES["gpu_memory_budget_gb"]
        if not device.startswith(("cuda:", "mps")) or not low <= budgets[device] <= high:
            raise BadInputError(
                f"{part!r} is not the memory of a GPU.", "Write it like this: cuda:0=8, cuda:1=20."
            )
    return budgets


def _usable_user_values(root: Path, defaults: Mapping[str, Any]) -> dict[str, Any]:
    path = root / USER_FILE
    if not path.exists():
        return {}
    try:
        given = _read_object(path)
    except (ValueError, OSError) as error:
        aside = path.with_suffix(".json.damaged")
        path.replace(aside)
        logger.warning("config.json could not be read (%s); kept as %s", error, aside.name)
        return {}
    usable = {}
    for name, value in given.items():
        try:
            usable[name] = _checked(name, value, defaults)
        except BadInputError as error:
            logger.warning("config.json: %s Using the default.", error)
    return usable


def _read_object(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} is not a JSON object")  # noqa: TRY004 - about file content
    return content


def _checked(name: str, value: Any, defaults: Mapping[str, Any]) -> Any:
    if name not in defaults:
        raise BadInputError(
            f"There is no setting {name!r}.", f"Settings are: {', '.join(sorted(defaults))}."
        )
    kind = type(defaults[name])
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise BadInputError(f"The setting {name} must be a {kind.__name__}, not {value!r}.")
    if name in CHOICES and value not in CHOICES[name]:
        raise BadInputError(
            f"The setting {name} cannot be {value!r}.", f"Choose {', '.join(CHOICES[name])}."
        )
    if name in RANGES and not RANGES[name][0] <= value <= RANGES[name][1]:
        low, high = RANGES[name]
        raise BadInputError(f"The setting {name} is {value}.", f"It must lie in {low} to {high}.")
    if name == "gpu_memory_budgets":
        parse_gpu_budgets(value)
    if name == "model_settings":
        parse_model_settings(value)
    if name.endswith("_folder") and not value.strip():
        raise BadInputError(f"The setting {name} is empty.", "Give a folder.")
    return value


def field_names() -> tuple[str, ...]:
    """The names a user may set for the whole studio; `model_settings` are those of one model."""
    names = (item.name for item in dataclasses.fields(Settings))
    return tuple(name for name in names if name not in ("root", "model_settings"))
