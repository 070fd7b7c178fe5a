"""Kokoro's files become a network (`kokoro.KModel`), or an error that names the file at fault."""

from __future__ import annotations

import io
import json
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.model_utils import import_transformers, seeded
from modules.core_components.errors import CorruptFileError, ModelMissingError, StudioError
from modules.core_components.texts import _

if TYPE_CHECKING:
    import torch

# The parts of a KModel, each with a state of its own in the checkpoint.
MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")

# KModel prints a warning when the repository is not named. Nothing is fetched from it, since
# configuration and weights are always passed in.
_REPOSITORY = "hexgrad/Kokoro-82M"
# Absent from some checkpoints, and right at the neutral values they are built with: the affine
# pairs of the instance norms, and ALBERT's pooler, which nothing reads.
_MAY_BE_ABSENT = re.compile(r"(\.norm\.(weight|bias)|^pooler\.(weight|bias))$")


def import_kmodel() -> Any:
    """The class `kokoro.KModel`. The first call takes seconds: it imports transformers and spaCy.

    Raises StudioError when the package does not load.
    """
    try:
        import_transformers()
        with _loguru_sinks_kept():
            from kokoro.model import KModel
    except ImportError as error:
        raise StudioError(
            _("A part of the studio that Kokoro needs does not load."),
            _("Run the installer again; it repairs what is missing."),
            details=f"The package kokoro: {error}",
        ) from error
    return KModel


@contextmanager
def _loguru_sinks_kept() -> Iterator[None]:
    """Lets `import kokoro` neither remove the program's loguru sinks nor add one of its own.

    Its `__init__.py` does both, and loguru cannot list sinks, so that they could be added again.
    """
    import loguru

    logger: Any = loguru.logger
    remove, add = logger.remove, logger.add
    logger.remove = logger.add = lambda *_arguments, **_options: 0
    try:
        yield
    finally:
        logger.remove, logger.add = remove, add


def build_empty_kmodel(config: dict[str, Any]) -> Any:
    """A KModel of that configuration on the CPU, its weights drawn from a fixed seed.

    Raises KeyError, TypeError, ValueError or RuntimeError for a configuration that is no Kokoro's.
    """
    import torch

    empty = io.BytesIO()  # KModel wants a checkpoint
    torch.save({}, empty)
    empty.seek(0)
    kmodel = import_kmodel()
    # ALBERT's activation ("gelu_new") as one operation of torch; transformers spells it out in six.
    albert = {"hidden_act": "gelu_pytorch_tanh", **config["plbert"]}
    # Drawn outside the lock of `seeded`, the weights would change what another thread is speaking.
    with seeded(0), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's notes on weight_norm and LSTM dropout
        return kmodel(repo_id=_REPOSITORY, config={**config, "plbert": albert}, model=empty)


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
    from torch.nn.utils import remove_weight_norm

    states = _read_states(model_path, within)
    # KModel reads weights leniently: a wrong file would give noise instead of an error.
    try:
        model = build_empty_kmodel(config)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _corrupt(config_path, error) from error
    for name in MODULES:
        _fill(getattr(model, name), states[name], name, model_path)
    for module in model.modules():
        if hasattr(module, "weight_v"):  # weight norm is for training, and slow: multiply it out
            remove_weight_norm(module)
    return model


def _read_states(path: Path, within: str) -> dict[str, dict[str, torch.Tensor]]:
    import torch

    if not path.is_file():
        raise _missing(path)
    try:
        states = torch.load(path, map_location="cpu", weights_only=True)
        if within:
            states = states[within]
        absent = [name for name in MODULES if name not in states]
        if absent:
            raise ValueError(f"it holds nothing for {', '.join(absent)}")
        return {
            name: {key.removeprefix("module."): value for key, value in states[name].items()}
            for name in MODULES
        }
    except (
        pickle.UnpicklingError, RuntimeError, ValueError, KeyError, TypeError, AttributeError,
        EOFError, OSError,
    ) as error:  # fmt: skip
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
        _("A file of Kokoro is missing."),
        _("Delete the model on the Models tab and download it again."),
        details=f"{path.name} is not in {path.parent}.",
    )


def _corrupt(path: Path, reason: object) -> CorruptFileError:
    first_lines = " ".join(str(reason).split())[:200]
    return CorruptFileError(
        _("A file of Kokoro is damaged."),
        _("Delete the model on the Models tab and download it again."),
        details=f"{path}: {first_lines}.",
    )
