"""The network of the package `kokoro`, without what importing the package brings along.

`import kokoro` takes away the log sinks of the host program (loguru), and its network pulls in
transformers for a small ALBERT: seconds at every start, and 150 MB. So the package's files of the
network are executed here in modules of their own, which see our ALBERT (`albert.py`) in place of
transformers. Whoever imports kokoro gets kokoro.
"""

from __future__ import annotations

import builtins
import io
import json
import pickle
import re
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.model_utils import seeded
from modules.core_components.errors import CorruptFileError, ModelMissingError, StudioError

# ALBERT (Lan et al. 2020, arXiv:1909.11942) as Kokoro uses it: one layer, applied many times.
#
# transformers has it too, but importing transformers takes seconds and 150 MB, more than all the
# rest of speaking. Names and numbers are those of `transformers.AlbertModel`, so that checkpoints
# fit; a test compares the two.


_EPSILON = 1e-12  # of all layer norms, as in `transformers.AlbertConfig`


@dataclass(frozen=True)
class AlbertConfig:
    """The sizes that Kokoro's configuration names. `dropout` is for training."""

    vocab_size: int
    hidden_size: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    num_hidden_layers: int
    dropout: float = 0.0
    embedding_size: int = 128
    type_vocab_size: int = 2


@dataclass(frozen=True, eq=False)
class AlbertOutput:
    """`last_hidden_state` is [batch, tokens, hidden_size]."""

    last_hidden_state: Tensor


class _Embeddings(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        width = config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, width)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, width)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, width)
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: ids.shape[1]]
        only_type = self.token_type_embeddings.weight[0]
        out: Tensor = self.LayerNorm(self.word_embeddings(ids) + only_type + positions)
        return out


class _Attention(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        width = config.hidden_size
        self.heads = config.num_attention_heads
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(width, eps=_EPSILON)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        query, key, value = (
            part(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        found = functional.scaled_dot_product_attention(query, key, value, attn_mask=attended)
        out: Tensor = self.LayerNorm(x + self.dense(found.transpose(1, 2).flatten(-2)))
        return out


class _Layer(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.attention = _Attention(config)
        self.ffn = nn.Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = nn.Linear(config.intermediate_size, config.hidden_size)
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, eps=_EPSILON)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        x = self.attention(x, attended)
        inner = functional.gelu(self.ffn(x), approximate="tanh")
        out: Tensor = self.full_layer_layer_norm(self.ffn_output(inner) + x)
        return out


class _Encoder(nn.Module):
    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.rounds = config.num_hidden_layers
        self.embedding_hidden_mapping_in = nn.Linear(config.embedding_size, config.hidden_size)
        shared = nn.Module()
        shared.albert_layers = nn.ModuleList([_Layer(config)])
        self.albert_layer_groups = nn.ModuleList([shared])
        self._layer = (shared.albert_layers[0],)  # in a tuple: the weights belong to the group

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        x = self.embedding_hidden_mapping_in(x)
        for _ in range(self.rounds):
            x = self._layer[0](x, attended)
        return x


class AlbertModel(nn.Module):
    """Token ids [batch, tokens] in, their encodings out."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.embeddings = _Embeddings(config)
        self.encoder = _Encoder(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)  # in checkpoints; unused

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.pooler.weight.device

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> AlbertOutput:
        """`attention_mask` [batch, tokens] is 0 where a token only fills up the batch."""
        attended = None if attention_mask is None else attention_mask.bool()[:, None, None, :]
        return AlbertOutput(self.encoder(self.embeddings(input_ids), attended))


# The repository the architecture comes from. KModel prints a warning when it is not named; nothing
# is fetched from there, since configuration and weights are always handed in.
REPOSITORY = "hexgrad/Kokoro-82M"

_PACKAGE = "kokoro"
_FILES = ("custom_stft", "istftnet", "modules", "model")  # each imports those before it


@lru_cache(maxsize=1)
def import_kmodel() -> Any:
    """The class `kokoro.model.KModel`."""

    hub = ModuleType("huggingface_hub")
    hub.hf_hub_download = _refuse_download  # type: ignore[attr-defined]
    seen: dict[str, ModuleType] = {"transformers": sys.modules[__name__], "huggingface_hub": hub}

    def find(name: str, *arguments: Any) -> Any:
        """`__import__` for the package's files; `arguments` end with the level of relativity."""
        inside = name.removeprefix(f"{_PACKAGE}.")
        return seen[inside] if inside in seen else builtins.__import__(name, *arguments)

    folder = _package_folder()
    for name in _FILES:
        path = folder / f"{name}.py"
        module = ModuleType(f"{__name__}.{name}")
        sys.modules[module.__name__] = module  # dataclasses look their module up there
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": find}
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))  # noqa: S102
        seen[name] = module
    return seen["model"].KModel


def _package_folder() -> Path:
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise StudioError(
            "The package kokoro is not installed.",
            "Run the installer again; it repairs what is missing.",
        )
    return Path(spec.origin).parent


def _refuse_download(*_names: Any, **_options: Any) -> str:
    raise RuntimeError("Kokoro's files are handed in, never fetched by the package")


# Kokoro's files: configuration and checkpoint become a network, or an error that names them.


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
