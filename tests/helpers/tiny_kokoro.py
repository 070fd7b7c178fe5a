"""A random Kokoro v1.0, small and quick, for tests of the real loading and speaking code."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np

# The 114 symbols of Kokoro's vocabulary.
SYMBOLS = (
    ';:,.!?—…"()“” ̃ʣʥʦʨᵝꭧAIOQSTWYᵊabcdefhijklmnopqrstuvwxyzɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧ'
    "ʊʋʌɣɤχʎʒʔˈˌːʰʲ↓→↗↘ᵻ"
)
# The decoder's 1024 and 512 channels are fixed in the package `kokoro`; all else is tiny.
# Larger steps of the inverse Fourier transform (50 samples, not 5) make the vocoder ten times as
# fast.
CONFIG: dict[str, Any] = {
    "istftnet": {
        "upsample_kernel_sizes": [4, 7],
        "upsample_rates": [2, 3],
        "gen_istft_hop_size": 50,
        "gen_istft_n_fft": 200,
        "resblock_dilation_sizes": [[1, 3, 5]],
        "resblock_kernel_sizes": [3],
        "upsample_initial_channel": 512,
    },
    "dim_in": 64,
    "dropout": 0.2,
    "hidden_dim": 512,
    "max_conv_dim": 512,
    "max_dur": 4,
    "multispeaker": True,
    "n_layer": 1,
    "n_mels": 80,
    "n_token": 178,
    "style_dim": 128,
    "text_encoder_kernel_size": 5,
    "plbert": {
        "hidden_size": 16,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "max_position_embeddings": 512,
        "num_hidden_layers": 1,
        "dropout": 0.1,
    },
    "vocab": {symbol: index for index, symbol in enumerate(SYMBOLS, start=1)},
}
MODULES = ("bert", "bert_encoder", "predictor", "text_encoder", "decoder")


def build_tiny_kokoro(folder: Path, voices: tuple[str, ...] = ("af_one", "am_two")) -> Path:
    """Writes {config.json, kokoro-v1_0.pth, voices/*.pt} to `folder`; always the same numbers."""
    import torch

    from modules.core_components.ai_models.engines.kokoro.network import import_kmodel

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = import_kmodel()(repo_id="tiny", config=CONFIG, model=empty)
        # Random magnitudes are far too loud; these are logarithms.
        model.decoder.generator.conv_post.bias.data[:101] -= 3
    state = {
        module: {
            name: _compact(name, tensor)
            for name, tensor in getattr(model, module).state_dict().items()
        }
        for module in MODULES
    }
    torch.save(state, folder / "kokoro-v1_0.pth")
    (folder / "voices").mkdir(exist_ok=True)
    for index, voice in enumerate(voices):
        pack = np.random.default_rng(index).normal(0, 0.1, (510, 1, 256)).astype(np.float32)
        torch.save(torch.from_numpy(pack), folder / "voices" / f"{voice}.pt")
    return folder


def build_tiny_old_kokoro(folder: Path, voices: tuple[str, ...] = ("af", "bm_lewis")) -> Path:
    """Writes a random v0.19 in its own layout: {config.json, kokoro-v0_19.pth, voices/*.pt}.

    The parts lie under "net" with the prefix of a parallel module, the norms have no weights, the
    configuration names neither vocabulary nor ALBERT, and the packs have a row for no phonemes.
    """
    import torch

    from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
    from modules.core_components.ai_models.engines.kokoro.wrapper import _ALBERT

    folder.mkdir(parents=True, exist_ok=True)
    old = {
        name: value for name, value in CONFIG.items() if name not in ("istftnet", "plbert", "vocab")
    }
    old["decoder"] = {"type": "istftnet", **CONFIG["istftnet"]}
    (folder / "config.json").write_text(json.dumps(old), encoding="utf-8")
    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        model = import_kmodel()(repo_id="tiny", config={**CONFIG, "plbert": _ALBERT}, model=empty)
        model.decoder.generator.conv_post.bias.data[:101] -= 3
    net = {
        module: {
            f"module.{name}": _compact(name, tensor)
            for name, tensor in getattr(model, module).state_dict().items()
            if ".norm." not in name
        }
        for module in MODULES
    }
    torch.save({"net": net}, folder / "kokoro-v0_19.pth")
    (folder / "voices").mkdir(exist_ok=True)
    for index, voice in enumerate(voices):
        pack = np.random.default_rng(index).normal(0, 0.1, (511, 1, 256)).astype(np.float32)
        torch.save(torch.from_numpy(pack), folder / "voices" / f"{voice}.pt")
    return folder


def _compact(name: str, tensor: Any) -> Any:
    """A tensor of the same shape and scale whose rows overlap in memory: 30 million numbers of
    the decoder then take less than a megabyte on disk."""
    import torch

    if tensor.numel() < 20_000 or not tensor.is_floating_point():
        return tensor
    shape = tensor.shape
    strides = [7 if axis == 0 else 0 for axis in range(len(shape))]
    step = 1
    for axis in reversed(range(1, len(shape))):
        strides[axis] = step
        step *= shape[axis]
    size = 1 + sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True))
    generator = torch.Generator().manual_seed(sum(name.encode()))
    base = torch.randn(size, generator=generator) * float(tensor.std())
    return base.as_strided(shape, strides)
