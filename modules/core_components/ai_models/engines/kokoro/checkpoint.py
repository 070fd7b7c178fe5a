"""Kokoro's files: configuration and checkpoint become a network, or an error that names them."""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.engines.kokoro.kokoro_package import (
    REPOSITORY,
    import_kmodel,
)
from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.errors import CorruptFileError, ModelMissingError

if TYPE_CHECKING:
    import torch

States = Mapping[str, Mapping[str, "torch.Tensor"]]

_MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")
# Absent from some checkpoints, and right at the neutral values they are built with: the affine
# pairs of the instance norms, and ALBERT's pooler, which nothing reads.
_MAY_BE_ABSENT = re.compile(r"(\.norm\.(weight|bias)|^pooler\.(weight|bias))$")
_DOWNLOAD_AGAIN = "Delete the model on the Models tab and download it again."


def read_config(
    path: Path, complete: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> dict[str, Any]:
    """The network's configuration with its vocabulary; `complete` fills in what an old one lacks.

    Raises ModelMissingError or CorruptFileError that names the file.
    """
    try:
        config = complete(json.loads(path.read_text(encoding="utf-8")))
        vocabulary = config["vocab"]
        if not all(isinstance(i, int) for i in vocabulary.values()):
            raise ValueError("the vocabulary holds something else than numbers")
    except FileNotFoundError:
        raise _missing(path) from None
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise _corrupt(path, error) from error
    return dict(config)


def build_kmodel(
    config: dict[str, Any], config_path: Path, model_path: Path, within: str = ""
) -> Any:
    """The KModel of a configuration with the weights of a checkpoint, on the CPU.

    `within` names the entry of the checkpoint that holds the parts, where it is not the checkpoint
    itself. Raises as `read_config` does.
    """
    import torch

    states = _read_states(model_path, within)
    # KModel reads its weights leniently, so that a wrong file gives noise instead of an error; it
    # is built from an empty checkpoint and filled here.
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    kmodel = import_kmodel()
    try:
        # Layers are built with random numbers. Drawn outside the lock of `seeded`, they would
        # change what another thread is just speaking.
        with seeded(0), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's notes on weight_norm and LSTM dropout
            model = kmodel(repo_id=REPOSITORY, config=config, model=empty)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _corrupt(config_path, error) from error
    for name in _MODULES:
        _fill(getattr(model, name), states[name], name, model_path)
    _fold_weight_norm(model)
    return model


def _fold_weight_norm(model: torch.nn.Module) -> None:
    """Weight norm is for training; kept, it is computed again at every call."""
    from torch.nn.utils import remove_weight_norm

    for module in model.modules():
        if hasattr(module, "weight_v"):
            remove_weight_norm(module)


def _read_states(path: Path, within: str) -> States:
    import torch

    if not path.is_file():
        raise _missing(path)
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
        if within:
            states = states[within]
        absent = [name for name in _MODULES if name not in states]
        if absent:
            raise ValueError(f"it holds nothing for {', '.join(absent)}")
        return {
            name: {key.removeprefix("module."): value for key, value in states[name].items()}
            for name in _MODULES
        }
    except (
        pickle.UnpicklingError,
        RuntimeError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
    ) as error:
        raise _corrupt(path, error) from error


def _fill(module: Any, state: Mapping[str, torch.Tensor], name: str, path: Path) -> None:
    try:
        outcome = module.load_state_dict(state, strict=False)
    except RuntimeError as error:  # a tensor of another shape
        raise _corrupt(path, error) from error
    absent = [key for key in outcome.missing_keys if not _MAY_BE_ABSENT.search(key)]
    if absent:
        raise _corrupt(path, f"{name} lacks {len(absent)} weights, first {absent[0]}")


def _missing(path: Path) -> ModelMissingError:
    return ModelMissingError(
        f"Kokoro's file {path.name} is not in {path.parent}.",
        "Download the model on the Models tab.",
    )


def _corrupt(path: Path, reason: object) -> CorruptFileError:
    first_lines = " ".join(str(reason).split())[:200]
    return CorruptFileError(f"Kokoro's file {path} cannot be used: {first_lines}.", _DOWNLOAD_AGAIN)
