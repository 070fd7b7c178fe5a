"""Every setting in one place: type, range, default, label, meaning, whether it needs a restart.

The Settings tab, `configs/default.json` and `docs/settings.md` (both written by
`configs/generate.py`) and all checks come from the class `Settings`. What the user changed is kept
in `config.json` in the data root: the folder of `app.py` unless `--data-root` names another.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from modules.core_components import atomic
from modules.core_components.errors import BadInputError
from modules.core_components.remotes import Remote, parse_remotes
from modules.core_components.texts import AUTOMATIC, _, mark
from modules.core_components.validation import bad_input, bounds_of, refused

logger = logging.getLogger(__name__)

USER_FILE = "config.json"
# The value of a fallback model that says: there is none, a model that cannot be used is an error.
NO_FALLBACK = mark("none")
# Weights are large: several studios, and the tests, may share one folder of them.
MODELS_FOLDER_VARIABLE = "VOICE_STUDIO_MODELS"

# The codes of `LANGUAGES`.
PageLanguage = Literal["auto", "en", "de"]

# When the first steps are offered.
UNTIL_MADE, ALWAYS, NEVER = mark("until something is made"), mark("always"), mark("never")
FirstSteps = Literal["until something is made", "always", "never"]

# Where heavy work runs.
HEAVY_HERE, HEAVY_WORKERS = mark("this machine"), mark("several workers on this machine")
HEAVY_CLUSTER = mark("a cluster of machines")
HeavyWork = Literal["this machine", "several workers on this machine", "a cluster of machines"]
HEAVY_SETTINGS = ("heavy_work", "heavy_work_workers", "cluster_address")

Precision = Literal["auto", "float32", "bfloat16"]
Attention = Literal["auto", "flash_attention_2", "sdpa", "eager"]
PRECISIONS: tuple[str, ...] = get_args(Precision)
ATTENTIONS: tuple[str, ...] = get_args(Attention)
_GPU_BUDGET_GB = (0, 1024)
# A name, or all names below one; not all names there are, which would open the studio to a page
# whose name was made to mean this machine.
_ADDRESS = re.compile(r"[A-Za-z0-9_.-]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_-]*\.?)*|\[[0-9a-f:.]+\]")


_STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)


class ModelSettings(BaseModel):
    """How one model is loaded; "" means: as for all models.

    With `keep_loaded` it stays in memory however long it is idle, with `preload` it is loaded when
    the studio starts.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    device: str = ""
    precision: Literal["", Precision] = ""
    attention_mechanism: Literal["", Attention] = ""
    keep_loaded: bool = False
    preload: bool = False

    def chosen(self) -> dict[str, Any]:
        """What differs from the defaults, as plain JSON."""
        return self.model_dump(exclude_defaults=True)


def parse_model_settings(given: Mapping[str, Any]) -> dict[str, ModelSettings]:
    """The settings by model id, from plain JSON. Raises BadInputError that names the model."""
    return {model_id: _parse_one(model_id, own) for model_id, own in given.items()}


def _parse_one(model_id: str, own: Any) -> ModelSettings:
    try:
        return ModelSettings.model_validate(own)
    except ValidationError as error:
        fault = bad_input(error, ModelSettings, mark("setting"))
        raise BadInputError(f"{model_id}: {fault.message}", fault.hint, fault.about) from error


def _setting(
    default: Any,
    group: str,
    label: str,
    meaning: str,
    low: float | None = None,
    high: float | None = None,
    restart: bool = False,
) -> Any:
    """A field of `Settings`. With `restart` a change takes effect at the next start."""
    return Field(
        default,
        title=label,
        description=meaning,
        ge=low,
        le=high,
        json_schema_extra={"group": group, "restart": restart},
    )


_SPEECH, _LIMITS = mark("Speech and transcription"), mark("Limits")
_NETWORK, _COMPUTING, _HEAVY = mark("Network"), mark("Computing"), mark("Heavy work")
_FOLDERS, PAGE_GROUP = mark("Folders"), mark("Page")


class Settings(BaseModel):
    """The user's choices. Folders are absolute; a budget or thread count of 0 means automatic."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", validate_default=True)

    root: Path

    tts_model: str = _setting(
        "kokoro-v1.0", _SPEECH, "Speech model", "Speaks unless you choose another."
    )
    asr_model: str = _setting(
        "whisper-base", _SPEECH, "Transcription model", "Transcribes samples and checks takes."
    )
    fallback_tts_model: str = _setting(
        NO_FALLBACK,
        _SPEECH,
        "Fallback speech model",
        "Speaks when the chosen model cannot be used; the take says so.",
    )
    fallback_asr_model: str = _setting(
        NO_FALLBACK,
        _SPEECH,
        "Fallback transcription model",
        "Transcribes when the chosen model cannot be used; the transcript says so.",
    )
    language: str = _setting(
        "en-us", _SPEECH, "Language", "Spoken by default; en-us is American English."
    )
    output_format: Literal["wav", "flac", "mp3"] = _setting(
        "wav", _SPEECH, "Format of new takes", "wav and flac are lossless; mp3 is small."
    )
    preload_model: bool = _setting(
        True,
        _SPEECH,
        "Load at the start",
        "Loads the speech model once the page is open, so that the first take is fast.",
    )
    score_takes: bool = _setting(
        True, _SPEECH, "Score every take", "Likeness and word errors; takes a few seconds each."
    )

    prepare_voices: bool = _setting(
        True,
        _SPEECH,
        "Prepare new voices",
        "The voice of a new sample is prepared at once, in the background, for a quick first take.",
    )
    refine_voices: bool = _setting(
        True,
        _SPEECH,
        "Refine voices",
        "A voice matched to a sample becomes more like it in the background, in minutes.",
    )
    voice_match_steps: int = _setting(
        14,
        _SPEECH,
        "Voice match steps",
        "Of fitting a Kokoro voice to a sample: fewer are faster, more come nearer to the voice.",
        1,
        200,
    )

    max_text_characters: int = _setting(
        200_000, _LIMITS, "Longest text", "Characters in one take.", 1, 10_000_000
    )
    max_sample_minutes: float = _setting(20.0, _LIMITS, "Longest sample", "Minutes.", 0.1, 600)
    max_upload_mb: int = _setting(2000, _LIMITS, "Largest upload", "Megabytes.", 1, 100_000)
    api_max_text_characters: int = _setting(
        20_000, _LIMITS, "Longest text over the API", "Characters in one request.", 1, 1_000_000
    )
    api_queue_length: int = _setting(
        16,
        _LIMITS,
        "Longest API queue",
        "Requests that may wait; later ones are asked to try again.",
        0,
        10_000,
        restart=True,
    )

    page_language: PageLanguage = _setting(
        AUTOMATIC,
        PAGE_GROUP,
        "Language of the page",
        "The language of the page and of its messages; auto is that of this machine.",
        restart=True,
    )
    first_steps: FirstSteps = _setting(
        UNTIL_MADE,
        PAGE_GROUP,
        "First steps",
        "When Voice Clone offers the first steps: hear a voice, use your own, this machine.",
    )

    offline_mode: bool = _setting(
        False, _NETWORK, "Offline", "Downloads nothing; an error names what is missing."
    )
    port: int = _setting(
        7860, _NETWORK, "Port", "Of the page and the API on this machine.", 0, 65_535, restart=True
    )

    allowed_hosts: str = _setting(
        "",
        _NETWORK,
        "Allowed host names",
        "Names, with commas between them, by which programs may call the studio besides this "
        "machine's own, such as host.docker.internal.",
        restart=True,
    )

    device: str = _setting(
        "auto",
        _COMPUTING,
        "Device",
        "auto takes the first GPU; a model may have its own (Models tab).",
        restart=True,
    )
    listening_device: str = _setting(
        "", _COMPUTING, "Device for transcription", "Empty: the same.", restart=True
    )
    attention_mechanism: Attention = _setting(
        "auto", _COMPUTING, "Attention", "auto takes the fastest that works here."
    )
    precision: Precision = _setting(
        "auto", _COMPUTING, "Precision", "auto takes what is fast here; measured for Kokoro."
    )
    low_cpu_mem_usage: bool = _setting(
        False,
        _COMPUTING,
        "Spare main memory",
        "Models leave no copy in main memory when they make room on a GPU; they are read from "
        "disk again, which takes longer.",
    )
    torch_threads: int = _setting(
        0, _COMPUTING, "Threads", "0 leaves the number to PyTorch.", 0, 256, restart=True
    )
    gpu_memory_budget_gb: float = _setting(
        0.0,
        _COMPUTING,
        "GPU memory",
        "Gigabytes for models on each GPU; 0 is automatic.",
        *_GPU_BUDGET_GB,
        restart=True,
    )
    gpu_memory_budgets: dict[str, float] = _setting(
        {},
        _COMPUTING,
        "Memory of single GPUs",
        "A row for each GPU that differs, such as cuda:1 and 20; gigabytes.",
        restart=True,
    )
    cpu_memory_budget_gb: float = _setting(
        0.0,
        _COMPUTING,
        "Main memory",
        "Gigabytes for models; 0 is automatic.",
        0,
        4096,
        restart=True,
    )
    idle_unload_minutes: float = _setting(
        15.0,
        _COMPUTING,
        "Unload idle models after",
        "Minutes; 0 keeps models in memory.",
        0,
        24 * 60,
        restart=True,
    )
    prepared_voices_mb: int = _setting(
        512,
        _COMPUTING,
        "Voice prompts on disk",
        "Megabytes; the least recently used are removed first.",
        1,
        1_000_000,
    )
    prepared_voices_memory_mb: int = _setting(
        64, _COMPUTING, "Voice prompts in memory", "Megabytes.", 1, 100_000
    )

    heavy_work: HeavyWork = _setting(
        HEAVY_HERE,
        _HEAVY,
        "Where heavy work runs",
        "Adding recordings to a dataset, and transcribing and speaking many files in the "
        "terminal. All but this machine need Ray, which the installer adds with the option "
        "--cluster.",
    )
    heavy_work_workers: int = _setting(
        0,
        _HEAVY,
        "Workers",
        "Each has its own models in memory. 0 takes one for each GPU, else one for every four "
        "cores.",
        0,
        1024,
    )
    cluster_address: str = _setting(
        "",
        _HEAVY,
        "Address of the cluster",
        "Host and port of its head, such as 10.0.0.5:6379; this machine must be a part of it.",
    )

    samples_folder: Path = _setting(
        "samples", _FOLDERS, "Samples", "Recordings of voices.", restart=True
    )
    output_folder: Path = _setting(
        "output", _FOLDERS, "Output", "Takes and transcripts.", restart=True
    )
    voices_folder: Path = _setting(
        "voices", _FOLDERS, "Voices", "Voices that you saved or imported.", restart=True
    )
    datasets_folder: Path = _setting(
        "datasets", _FOLDERS, "Datasets", "Clips with their texts, to train on.", restart=True
    )
    training_folder: Path = _setting(
        "training",
        _FOLDERS,
        "Training runs",
        "Checkpoints, curves and logs; they take gigabytes.",
        restart=True,
    )
    finetune_folder: Path = _setting(
        "finetune_models",
        _FOLDERS,
        "Fine-tuned models",
        "Models that you trained and published, or imported.",
        restart=True,
    )
    models_folder: Path = _setting(
        "base_models", _FOLDERS, "Models", "Weights; several gigabytes.", restart=True
    )
    cache_folder: Path = _setting(
        "cache",
        _FOLDERS,
        "Cache",
        "Can be deleted; voice prompts are then made again.",
        restart=True,
    )

    model_settings: Mapping[str, ModelSettings] = Field(
        default={}, title=mark("Settings of models")
    )
    # Servers on other machines that speak and transcribe, by name; see `remotes`.
    remotes: Mapping[str, Remote] = Field(default={}, title=mark("Remotes"))

    @field_validator("*", mode="before")
    @classmethod
    def _make_absolute(cls, value: Any, info: ValidationInfo) -> Any:
        """Folders are given relative to the root."""
        if not (info.field_name or "").endswith("_folder") or not isinstance(value, (str, Path)):
            return value
        if not str(value).strip():
            raise refused(_("No folder is given."), _("Name a folder."))
        return (info.data["root"] / value).resolve()

    @field_validator("cluster_address")
    @classmethod
    def _read_address(cls, value: str) -> str:
        value = value.strip()
        if value and not _ADDRESS.fullmatch(value):
            raise refused(
                _("{address!r} is not the address of a cluster.", address=value),
                _("Give host and port of its head, such as 10.0.0.5:6379."),
            )
        return value

    @field_validator("allowed_hosts", mode="before")
    @classmethod
    def _read_hosts(cls, value: Any) -> Any:
        """Names in small letters with commas between them; config.json may have a list."""
        if isinstance(value, list) and all(isinstance(name, str) for name in value):
            value = ",".join(value)
        if not isinstance(value, str):
            return value
        names = [name.lower() for name in value.replace(",", " ").split()]
        for name in names:
            if not _HOST_NAME.fullmatch(name):
                raise refused(
                    _("{name!r} is not a host name.", name=name),
                    _(
                        "Give names without port or path, such as host.docker.internal or "
                        "*.example.org."
                    ),
                )
        return ", ".join(names)

    @field_validator("gpu_memory_budgets", mode="before")
    @classmethod
    def _read_gpu_budgets(cls, value: Any) -> Any:
        """Gigabytes by GPU; config.json of earlier versions has "cuda:0=8, cuda:1=20"."""
        if isinstance(value, str):
            rows = (part.partition("=") for part in value.split(",") if part.strip())
            value = {device.strip(): gigabytes.strip() for device, _unused, gigabytes in rows}
        if not isinstance(value, Mapping):
            return value
        return dict(_gpu_budget(str(device), given) for device, given in value.items())

    @field_validator("model_settings", mode="before")
    @classmethod
    def _read_model_settings(cls, value: Any) -> Any:
        try:
            return parse_model_settings(value) if isinstance(value, Mapping) else value
        except BadInputError as error:
            raise refused(error.message, error.hint) from error

    @field_validator("remotes", mode="before")
    @classmethod
    def _read_remotes(cls, value: Any) -> Any:
        try:
            return parse_remotes(value) if isinstance(value, Mapping) else value
        except BadInputError as error:
            raise refused(error.message, error.hint) from error

    def of_model(self, model_id: str) -> ModelSettings:
        """What was chosen for one model alone."""
        return self.model_settings.get(model_id, ModelSettings())


def _gpu_budget(device: str, given: Any) -> tuple[str, float]:
    try:
        gigabytes = float(given)
    except (TypeError, ValueError):
        gigabytes = -1.0
    low, high = _GPU_BUDGET_GB
    if not device.startswith(("cuda:", "mps")) or not low <= gigabytes <= high:
        raise refused(
            _("{device!r} with {given!r} is not the memory of a GPU.", device=device, given=given),
            _("Name a GPU and its gigabytes, such as cuda:0 and 8."),
        )
    return device, gigabytes


@dataclass(frozen=True)
class SettingInfo:
    """What is known about a setting, in the language of the page; the group is in English.

    `default` is as in configs/default.json.
    """

    name: str
    label: str
    meaning: str
    group: str
    default: Any
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]
    needs_restart: bool


def describe_settings() -> tuple[SettingInfo, ...]:
    """The settings of the whole studio, in the order in which they are shown."""
    return tuple(
        SettingInfo(
            name,
            _(field.title or name),
            _(field.description) if field.description else "",
            field.json_schema_extra["group"],  # type: ignore[arg-type]
            field.default,
            *bounds_of(Settings, name),
            get_args(field.annotation) if field.annotation not in (dict[str, float],) else (),
            bool(field.json_schema_extra["restart"]),
        )
        for name, field in Settings.model_fields.items()
        if isinstance(field.json_schema_extra, dict)
    )


def app_folder() -> Path:
    """Where the program lies: `app.py` and `configs/`."""
    return Path(__file__).resolve().parents[2]


def load_settings(root: Path, overrides: Mapping[str, Any] | None = None) -> Settings:
    """The defaults, then config.json, then `overrides`.

    A config.json that cannot be read is set aside (never deleted), and a value in it that cannot be
    used is logged and its default taken, so that a damaged file does not keep the studio from
    starting. Raises BadInputError for a bad override.
    """
    root = root.resolve()
    shared = os.environ.get(MODELS_FOLDER_VARIABLE)
    return _validate(
        {
            "root": root,
            **_usable_user_values(root),
            **({"models_folder": shared} if shared else {}),
            **(overrides or {}),
        }
    )


def save_settings(root: Path, changes: Mapping[str, Any]) -> Settings:
    """Adds `changes` to config.json (written whole, then renamed) and returns the new settings.

    Raises BadInputError for an unknown name or a value of the wrong kind, DiskFullError when there
    is no room; then nothing is written.
    """
    root = root.resolve()
    chosen = {**_usable_user_values(root), **changes}
    settings = _validate({"root": root, **chosen})
    usual = Settings(root=root)
    kept = {
        name: _plain(settings, name, chosen[name])
        for name in chosen
        if getattr(settings, name) != getattr(usual, name)
    }
    atomic.write_json(root / USER_FILE, kept)
    return load_settings(root)


def known_settings(given: Mapping[str, Any], source: str) -> dict[str, Any]:
    """What in `given` has a setting's name; the rest is logged, as what `source` has of others."""
    unknown = sorted(str(name) for name in given if name not in Settings.model_fields)
    if unknown:
        logger.warning("%s: this studio has no setting %s; ignored.", source, ", ".join(unknown))
    return {name: value for name, value in given.items() if name in Settings.model_fields}


def change(settings: Settings, **values: Any) -> Settings:
    """Settings with other values, validated. Folders may be relative. Raises BadInputError."""
    return _validate({**dict(settings), **values})


def _validate(values: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise bad_input(error, Settings, mark("setting"), internal=("root",)) from error


def _plain(settings: Settings, name: str, given: Any) -> Any:
    """A value as JSON: folders as the user gave them, the rest as validated."""
    if name.endswith("_folder"):
        return str(given)
    if name == "model_settings":
        return {key: own.chosen() for key, own in settings.model_settings.items()}
    if name == "remotes":
        return {key: remote.chosen() for key, remote in settings.remotes.items()}
    return getattr(settings, name)


def without_comments(text: str) -> str:
    """JSON without its comments (`//` to the end of the line, `/* */`), which JSON does not have.

    Each becomes blanks, so that an error of the parser still names the right line.
    """

    def blanked(found: re.Match[str]) -> str:
        part = found.group()
        return part if part.startswith('"') else re.sub(r"[^\n]", " ", part)

    return _STRING_OR_COMMENT.sub(blanked, text)


def _usable_user_values(root: Path) -> dict[str, Any]:
    path = root / USER_FILE
    if not path.exists():
        return {}
    try:
        given = json.loads(without_comments(path.read_text(encoding="utf-8-sig")))
        if not isinstance(given, dict):
            raise ValueError("it is not a JSON object")  # noqa: TRY004 - about a file's content
    except (ValueError, OSError) as error:
        aside = path.with_suffix(".json.damaged")
        try:
            path.replace(aside)
        except OSError:  # a read-only folder
            aside = path
        logger.warning("config.json could not be read (%s); kept as %s", error, aside.name)
        return {}
    given.pop("root", None)
    given = known_settings(given, USER_FILE)
    try:
        Settings.model_validate({"root": root, **given})
    except ValidationError as error:
        for name in {str(fault["loc"][0]) for fault in error.errors()}:
            logger.warning("config.json: %r of %s cannot be used; ignored.", given.pop(name), name)
    return given
