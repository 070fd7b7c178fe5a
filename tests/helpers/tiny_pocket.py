"""A random Pocket TTS, small and quick, for tests of the real loading and speaking code.

The files are of the real kind and lie as the published ones do; only their numbers are few, which
a config.yaml beside them says.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import yaml

from tests.helpers.open_catalog import open_catalog

MODEL_ID = "pocket-tts-english"
FILES = ("config.yaml", "model.safetensors", "tokenizer.json")

_WIDTH = 32
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?'\"()-–—…"
    "àáâãäåæçèéêëìíîïñòóôõöøùúûüýßœ▁"
)


def build_tiny_pocket(folder: Path) -> Path:
    """Writes {config.yaml, model.safetensors, tokenizer.json}; always the same numbers.

    A sentence becomes one to a few seconds of noise whose timbre depends on the voice.
    """
    import torch
    from safetensors.torch import save_file

    threads = torch.get_num_threads()
    from pocket_tts import TTSModel

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = _write_tokenizer(folder / "tokenizer.json")
    config = _config(vocabulary, folder / "tokenizer.json")
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        model = TTSModel.load_model(config=folder / "config.yaml")
        torch.nn.init.normal_(model.flow_lm.speaker_proj_weight, std=0.5)
        _make_audible(model)
        model.flow_lm.out_eos.weight.normal_(std=0.4)
        model.flow_lm.out_eos.bias.fill_(-7.5)  # it ends by chance, by and by
        state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
        save_file(state, folder / "model.safetensors")
    torch.set_num_threads(threads)
    return folder


def install_tiny_pocket(tiny: Path, models_folder: Path, model_id: str = MODEL_ID) -> Path:
    """Puts the checkpoint into a models folder. Returns the catalog to use, see `open_catalog`."""
    target = models_folder / model_id.replace("pocket-tts-", "pocket-tts/")
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copy2(tiny / name, target / name)
    return open_catalog(models_folder, (model_id,))


def _write_tokenizer(path: Path) -> int:
    """A tokenizer.json of single letters, with words marked by ▁ as in the published ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    letters = list(dict.fromkeys(_LETTERS))
    vocabulary = {token: number for number, token in enumerate(["<unk>", *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.save(str(path))
    return len(vocabulary)


def _config(vocabulary: int, tokenizer: Path) -> dict[str, Any]:
    """What the published english.yaml says, in a small size."""
    return {
        "default_temperature": 0.3,
        "replace_characters": {"’": "'", "‘": "'"},
        "flow_lm": {
            "insert_bos_before_voice": True,
            "dtype": "float32",
            "flow": {"depth": 1, "dim": 16},
            "transformer": {
                "d_model": _WIDTH, "hidden_scale": 2, "max_period": 10000,
                "num_heads": 2, "num_layers": 2,
            },
            "lookup_table": {
                "dim": _WIDTH, "n_bins": vocabulary, "tokenizer": "tokenizers",
                "tokenizer_path": str(tokenizer),
            },
        },
        "mimi": {
            "dtype": "float32", "sample_rate": 24000, "inner_dim": 8, "outer_dim": 16,
            "channels": 1, "frame_rate": 12.5,
            "seanet": {
                "dimension": 16, "channels": 1, "n_filters": 4, "n_residual_layers": 1,
                "ratios": [6, 5, 4], "kernel_size": 7, "residual_kernel_size": 3,
                "last_kernel_size": 3, "dilation_base": 2, "pad_mode": "constant", "compress": 2,
            },
            "transformer": {
                "d_model": 16, "num_heads": 2, "num_layers": 1, "layer_scale": 0.01,
                "context": 250, "dim_feedforward": 32, "input_dimension": 16,
                "output_dimensions": [16],
            },
            "quantizer": {"dimension": 8, "output_dimension": 16},
        },
    }  # fmt: skip


def _make_audible(model: Any) -> None:
    """Layers as they are built let their biases sound; these carry what they are given, and are
    about as loud as speech in the end."""
    import torch
    from pocket_tts.modules.stateful_module import init_states

    for layer in model.mimi.modules():
        if isinstance(layer, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            torch.nn.init.normal_(layer.weight, std=1.4 / math.sqrt(layer.weight[0].numel()))
            if layer.bias is not None:
                layer.bias.zero_()
    latents = torch.randn(1, 20, 8)
    state = init_states(model.mimi, batch_size=1, sequence_length=400)
    loudness = model.mimi.decode_from_latent(latents, state).std()
    last = [layer for layer in model.mimi.decoder.modules() if isinstance(layer, torch.nn.Conv1d)]
    last[-1].weight *= 0.1 / loudness
