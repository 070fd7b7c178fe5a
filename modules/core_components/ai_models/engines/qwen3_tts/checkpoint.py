"""The files of a Qwen3-TTS: checked before they are loaded, so that errors name the file."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.qwen3_tts.package import import_qwen_tts
from modules.core_components.ai_models.model_pool import is_out_of_memory
from modules.core_components.ai_models.model_utils import load_with_attention
from modules.core_components.errors import CorruptFileError
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

CONFIG = "config.json"
BASE, CUSTOM_VOICE, VOICE_DESIGN = "base", "custom_voice", "voice_design"

_WEIGHTS = ("model.safetensors", "speech_tokenizer/model.safetensors")
_OTHERS = (
    CONFIG, "generation_config.json", "vocab.json", "merges.txt", "tokenizer_config.json",
    "speech_tokenizer/config.json", "speech_tokenizer/preprocessor_config.json",
)  # fmt: skip
_SIZES = {"0b6": "0.6B", "1b7": "1.7B"}
_AGAIN = mark("Delete the model on the Models tab and download it again.")
_DAMAGED = mark("The files of the Qwen3-TTS model are damaged or incomplete.")
_OTHER = mark("The files in the folder of the Qwen3-TTS model are those of another model.")


def load_checkpoint(
    folder: Path,
    kind: str,
    size: str,
    device: str,
    dtype: torch.dtype,
    attempts: Sequence[str],
    low_cpu_mem_usage: bool = False,
) -> tuple[Any, str]:
    """The package's `Qwen3TTSModel` of a folder, on `device`, and the attention it got.

    Raises CorruptFileError for a file that is missing or broken, and for a checkpoint of another
    kind or size than `kind` ("base", ...) and `size` ("0.6B", ...).
    """
    check_checkpoint(folder, kind, size)
    package = import_qwen_tts()

    def load(attention: str) -> Any:
        place = {"device_map": device} if device.startswith("cuda") else {}
        return package.Qwen3TTSModel.from_pretrained(
            str(folder),
            dtype=dtype,
            attn_implementation=attention,
            low_cpu_mem_usage=low_cpu_mem_usage,
            local_files_only=True,
            **place,
        )

    try:
        model, attention = load_with_attention(load, attempts)
    except (OSError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        raise CorruptFileError(
            _(_DAMAGED), _(_AGAIN), details=f"Those in {folder} do not belong together: {error}"
        ) from error
    logger.info("Qwen3-TTS from %s: %s on %s, attention %s", folder.name, dtype, device, attention)
    return model, attention


def check_checkpoint(folder: Path, kind: str, size: str) -> None:
    """Raises CorruptFileError as `load_checkpoint`; reads next to nothing."""
    for name in (*_OTHERS, *_WEIGHTS):
        if not (folder / name).is_file():
            raise CorruptFileError(
                _(_DAMAGED), _(_AGAIN), details=f"{name} is missing in {folder}."
            )
    config = read_config(folder)
    if config.get("model_type") != "qwen3_tts":
        raise CorruptFileError(
            _(_OTHER),
            _(_AGAIN),
            details=f"{folder / CONFIG} is that of a {config.get('model_type')!r}.",
        )
    found = (config.get("tts_model_type"), _SIZES.get(str(config.get("tts_model_size"))))
    if found != (kind, size):
        raise CorruptFileError(
            _(_OTHER),
            _(_AGAIN),
            details=f"{folder} holds a {found[0]} checkpoint of size {found[1]}; "
            f"a {kind} one of {size} belongs there.",
        )
    for name in _WEIGHTS:
        _check_weights(folder / name)


def read_config(folder: Path) -> Mapping[str, Any]:
    """config.json, {} where there is none. Raises CorruptFileError for what is no JSON object."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptFileError(_(_DAMAGED), _(_AGAIN), details=f"{path}: {error}") from error
    if not isinstance(config, dict):
        raise CorruptFileError(_(_DAMAGED), _(_AGAIN), details=f"{path} is no JSON object.")
    return config


def built_in_speakers(folder: Path) -> tuple[str, ...]:
    """The names of the voices that came with the model, as people write them: "Uncle_Fu"."""
    talker = read_config(folder).get("talker_config") or {}
    return tuple(name.title() for name in talker.get("spk_id") or ())


def _check_weights(path: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return
    except (OSError, SafetensorError) as error:
        raise CorruptFileError(
            _(_DAMAGED),
            _(_AGAIN),
            details=f"{path} is not whole ({path.stat().st_size:,} bytes): {error}",
        ) from error
