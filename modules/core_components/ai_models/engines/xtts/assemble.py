"""XTTS's files become a network, or an error that names them."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.xtts.checkpoint import (
    check_pair,
    read_json,
    read_weights,
)
from modules.core_components.ai_models.engines.xtts.files import (
    CONFIG,
    VOCABULARY,
    WEIGHTS,
    check_here,
    corrupt,
)

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

_LARGEST_SIZE = 100_000  # of any number in the configuration but sample rates and `duration_const`


def assemble(folder: Path, device: str) -> Any:
    """coqui's `Xtts` of a folder, ready to speak, on `device`.

    Raises ModelMissingError and CorruptFileError that name the file. The weights lie in memory of
    their own afterwards, so the files may go.
    """
    import torch

    check_here(folder)
    weights = read_weights(folder / WEIGHTS)
    check_pair(weights, folder / WEIGHTS, folder / VOCABULARY)
    model = _filled(folder, weights, device)
    if torch.device(device).type == "cuda" and importlib.util.find_spec("deepspeed"):
        try:
            model.gpt.init_gpt_for_inference(kv_cache=True, use_deepspeed=True)
        except Exception as error:  # noqa: BLE001 - its kernels fail in ways of their own
            logger.warning("DeepSpeed is installed but does not take XTTS: %s", error)
            model = _filled(folder, weights, device)  # what it touched may be in half precision
    return model


def read_sizes(path: Path) -> dict[str, Any]:
    """The network's sizes (`model_args`) of a config.json, those that coqui knows.

    Paths in it are not taken over. Raises ModelMissingError or CorruptFileError.
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


def _filled(folder: Path, weights: Mapping[str, torch.Tensor], device: str) -> Any:
    """The network with its weights. A wrong size is found here, by name."""
    import torch

    model = _blank(folder)
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


def _blank(folder: Path) -> Any:
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    from modules.core_components.ai_models.engines.xtts.blank_layers import BlankLayers

    sizes = read_sizes(folder / CONFIG)
    try:
        with _quiet_transformers(), BlankLayers():
            model = Xtts(XttsConfig(model_args=XttsArgs(**sizes)))
            model.tokenizer = VoiceBpeTokenizer(folder / VOCABULARY)
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
