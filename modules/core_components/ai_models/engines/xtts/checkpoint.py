"""Reads XTTS's files, without running code from them, and builds the network.

coqui's own loader unpickles the configuration inside the published checkpoint and rewrites the
file, which changes its hash. Here empty objects stand for that configuration, and no file changes.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.text_form import read_front_end
from modules.core_components.ai_models.model_utils import import_transformers, seeded
from modules.core_components.errors import CorruptFileError, ModelMissingError
from modules.core_components.texts import _, mark

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


CONFIG = "config.json"
WEIGHTS = "model.pth"
VOCABULARY = "vocab.json"
SPEAKERS = "speakers_xtts.pth"
REFERENCES = "reference*.wav"
NEEDED = (CONFIG, WEIGHTS, VOCABULARY)

_REMEDY = mark("Delete the model on the Models tab, then download or import it again.")


def missing(path: Path) -> ModelMissingError:
    """The error for a file that is not there."""
    return ModelMissingError(
        _("A file of the XTTS model is missing."),
        _(_REMEDY),
        details=f"{path.name} is not in {path.parent}.",
    )


def corrupt(path: Path, reason: object) -> CorruptFileError:
    """The error for a file that does not hold what it must."""
    detail = " ".join(str(reason).split())[:300].rstrip(".")
    return CorruptFileError(
        _("A file of the XTTS model is damaged."), _(_REMEDY), details=f"{path}: {detail}."
    )


def check_files_present(folder: Path) -> None:
    """Raises ModelMissingError that names the first file without which nothing can be spoken."""
    for name in NEEDED:
        if not (folder / name).is_file():
            raise missing(folder / name)


def reference_clips(folder: Path) -> tuple[Path, ...]:
    """The recordings of the model's own speaker, in the order of their names."""
    return tuple(sorted(path for path in folder.glob(REFERENCES) if path.is_file()))


State = Mapping[str, "torch.Tensor"]

TEXT_EMBEDDING = "gpt.text_embedding.weight"

# The classes of the configuration objects in the checkpoints, by their names when saved.
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
# A trainer's checkpoint holds the whole trainer: the network under "xtts.", and parts that speaking
# does not need.
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
    """Stands for a configuration object; its content is ignored."""

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
            _("The vocabulary and the weights of the XTTS model belong to different versions."),
            _("Take both from one version, or delete the model and download it again."),
            details=f"{vocabulary_path} has {tokens} tokens, but {weights_path} was made for "
            f"{rows}; 2.0.3 has 6681, the versions before it 6153.",
        )


# -- The network -----------------------------------------------------------------------------------

_LARGEST_SIZE = 100_000  # of any number in the configuration but sample rates and `duration_const`


def assemble(folder: Path, device: str) -> Any:
    """coqui's `Xtts` of a folder, ready to speak, on `device`.

    Raises ModelMissingError and CorruptFileError that name the file. The weights are copied into
    memory, so the files may be deleted afterwards.
    """
    import torch

    check_files_present(folder)
    weights = read_weights(folder / WEIGHTS)
    check_pair(weights, folder / WEIGHTS, folder / VOCABULARY)
    model = _load_network(folder, weights, device)
    if torch.device(device).type == "cuda" and importlib.util.find_spec("deepspeed"):
        try:
            model.gpt.init_gpt_for_inference(kv_cache=True, use_deepspeed=True)
        except Exception as error:  # noqa: BLE001 - its kernels fail in ways of their own
            logger.warning("DeepSpeed is installed but does not take XTTS: %s", error)
            model = _load_network(
                folder, weights, device
            )  # it may have put parts in half precision
    return model


def read_sizes(path: Path) -> dict[str, Any]:
    """The network's sizes (`model_args`) of a config.json, those that coqui knows.

    Paths in it are ignored. Raises ModelMissingError or CorruptFileError.
    """
    from TTS.tts.configs.xtts_config import XttsArgs

    given = read_json(path).get("model_args")
    if not isinstance(given, Mapping):
        raise corrupt(path, "it has no model_args")
    known = {item.name for item in dataclasses.fields(XttsArgs)}
    sizes = {
        name: value
        for name, value in given.items()
        if name in known and isinstance(value, int | bool)
    }
    for name, value in sizes.items():
        large = value > _LARGEST_SIZE and not name.endswith(("_rate", "_const"))
        if value < 0 or large:
            raise corrupt(path, f"{name} cannot be {value}")
    return sizes


def _load_network(folder: Path, weights: Mapping[str, torch.Tensor], device: str) -> Any:
    """The network with its weights. Raises CorruptFileError for wrong sizes."""
    import torch

    model = _build_untrained(folder)
    state = {
        name: value.to(device, torch.float32 if value.is_floating_point() else None, copy=True)
        for name, value in weights.items()
    }
    try:
        outcome = model.load_state_dict(state, strict=False, assign=True)
    except RuntimeError as error:  # a tensor of another shape
        raise corrupt(folder / WEIGHTS, f"it does not fit {CONFIG} ({error})") from error
    if outcome.missing_keys:
        lacking = f"{len(outcome.missing_keys)} weights, first {outcome.missing_keys[0]}"
        raise corrupt(folder / WEIGHTS, f"it lacks {lacking}")
    _fold_weight_norm(model.hifigan_decoder)
    model.to(device)
    with _quiet_transformers():
        model.gpt.init_gpt_for_inference(kv_cache=True)
    model.gpt.eval()
    model.hifigan_decoder.eval()
    return model.requires_grad_(False)


def _build_untrained(folder: Path) -> Any:
    import_transformers()
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.models.xtts import Xtts

    from modules.core_components.ai_models.engines.xtts.tokenizer import StudioTokenizer

    sizes = read_sizes(folder / CONFIG)
    front_end = read_front_end(folder)
    # Layers are built with random numbers. Drawn outside the lock of `seeded`, they would change
    # what another thread is speaking.
    try:
        with _quiet_transformers(), seeded(0):
            model = Xtts(XttsConfig(model_args=XttsArgs(**sizes)))
            model.tokenizer = StudioTokenizer(folder / VOCABULARY, front_end)
            model.init_models()
    except (TypeError, ValueError, RuntimeError, ZeroDivisionError, AssertionError) as error:
        raise corrupt(folder / CONFIG, error) from error
    except Exception as error:  # tokenizers raises nothing narrower
        if type(error) is not Exception:
            raise
        raise corrupt(folder / VOCABULARY, error) from error
    return model


def _fold_weight_norm(decoder: torch.nn.Module) -> None:
    """Weight norm is for training; kept, it is computed again at every call."""
    from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

    for module in decoder.modules():
        if is_parametrized(module, "weight"):
            remove_parametrizations(module, "weight")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Without its warnings about token numbers of GPT-2 that XTTS never uses."""
    source = logging.getLogger("transformers")
    level = source.level
    source.setLevel(logging.ERROR)
    try:
        yield
    finally:
        source.setLevel(level)
