"""Reads XTTS's files without running anything that is in them.

coqui's own loader unpickles the configuration that lies in the published checkpoint and writes the
file anew in place, which changes its hash. Here that configuration becomes an empty shell, and no
file is ever touched.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.files import VOCABULARY, corrupt, missing
from modules.core_components.errors import CorruptFileError

if TYPE_CHECKING:
    import torch

State = Mapping[str, "torch.Tensor"]

TEXT_EMBEDDING = "gpt.text_embedding.weight"

# The classes whose objects lie beside the weights, by the names they had when they were saved.
_CONFIGURATION_CLASSES = (
    "TTS.config.shared_configs.BaseAudioConfig",
    "TTS.config.shared_configs.BaseDatasetConfig",
    "TTS.tts.configs.shared_configs.CharactersConfig",
    "TTS.tts.configs.xtts_config.XttsArgs",
    "TTS.tts.configs.xtts_config.XttsAudioConfig",
    "TTS.tts.configs.xtts_config.XttsConfig",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTArgs",
    "TTS.tts.layers.xtts.trainer.gpt_trainer.GPTTrainerConfig",
    "TTS.tts.models.xtts.XttsArgs",
    "TTS.tts.models.xtts.XttsAudioConfig",
)
# A trainer's checkpoint holds the whole trainer: the network under "xtts.", and beside it what
# speaking does not need.
_TRAINER_PREFIX = "xtts."
_ONLY_FOR_TRAINING = (
    "dvae.", "torch_mel_spectrogram_dvae.", "torch_mel_spectrogram_style_encoder.",
)  # fmt: skip
# What torch's reader raises for files that are cut short, damaged, or something else.
_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, AttributeError,
    EOFError, OSError,
)  # fmt: skip


class _Shell:
    """Stands in for a configuration object; what it held is not looked at."""

    def __setstate__(self, state: object) -> None: ...


def read_checkpoint(path: Path) -> dict[str, Any]:
    """All that torch saved in `path`, as tensors and plain values, memory-mapped on the CPU.

    Raises ModelMissingError, and CorruptFileError for what is cut short, damaged, or would have
    to run code.
    """
    import torch

    if not path.is_file():
        raise missing(path)
    shells = [(type("Shell", (_Shell,), {}), name) for name in _CONFIGURATION_CLASSES]
    try:
        with torch.serialization.safe_globals(list(shells)):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except _UNREADABLE as error:
        raise corrupt(path, error) from error
    if not isinstance(content, dict):
        raise corrupt(path, "it does not hold a dictionary")
    return content


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """The network's weights by coqui's names, from a published or a trainer's checkpoint.

    Raises as `read_checkpoint`.
    """
    content = read_checkpoint(path)
    state = content.get("model", content)
    if not isinstance(state, dict):
        raise corrupt(path, "it holds no weights")
    weights = speaking_weights(state)
    if TEXT_EMBEDDING not in weights:
        raise corrupt(path, f"it holds no {TEXT_EMBEDDING}, so it is no XTTS v2")
    return weights


def speaking_weights(state: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """What speaking needs of a trainer's (or the published) weights, by the names of `Xtts`."""
    import torch

    named = ((name.removeprefix(_TRAINER_PREFIX), value) for name, value in state.items())
    return {
        name: value
        for name, value in named
        if isinstance(value, torch.Tensor) and not name.startswith(_ONLY_FOR_TRAINING)
    }


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelMissingError or CorruptFileError that names the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except (OSError, ValueError, RecursionError) as error:
        raise corrupt(path, error) from error
    if not isinstance(content, dict):
        raise corrupt(path, "it holds no JSON object")
    return content


def read_vocabulary(path: Path) -> dict[str, int]:
    """The tokens of a vocab.json with their numbers. Raises as `read_json`."""
    content = read_json(path)
    try:
        numbers = dict(content["model"]["vocab"])
        numbers.update({token["content"]: token["id"] for token in content["added_tokens"]})
        if not numbers or not all(type(number) is int for number in numbers.values()):
            raise ValueError("its tokens have no numbers")
        lacking = [token for token in ("[START]", "[STOP]", "[UNK]") if token not in numbers]
        if lacking:
            raise ValueError(f"it has no token {', '.join(lacking)}")
    except (KeyError, TypeError, ValueError) as error:
        raise corrupt(path, f"it is no vocabulary of XTTS ({error})") from error
    return numbers


def check_pair(weights: State, weights_path: Path, vocabulary_path: Path) -> None:
    """Raises CorruptFileError where the vocabulary belongs to other weights."""
    rows = weights[TEXT_EMBEDDING].shape[0]
    tokens = max(read_vocabulary(vocabulary_path).values()) + 1
    if rows != tokens:
        raise CorruptFileError(
            f"{vocabulary_path} has {tokens} tokens, but {weights_path} was made for {rows}: they "
            "belong to different versions of XTTS.",
            f"Take {VOCABULARY} and the weights from one version (2.0.3 has 6681 tokens, the "
            "versions before it 6153), or delete the model and download it again.",
        )
