"""A random OmniVoice, small and quick, for tests of the real loading, cloning and speaking code.

The files are of the real kind and lie as the published ones do; only their numbers are few.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers.open_catalog import open_catalog

MODEL_ID = "omnivoice"
# Where the catalog has them below the models folder.
FOLDERS = {
    "omnivoice": "omnivoice/0.6b",
    "omnivoice-voice-design": "omnivoice/0.6b",
    "omnivoice-amharic": "omnivoice/amharic",
}
FILES = (
    "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    "audio_tokenizer/config.json", "audio_tokenizer/model.safetensors",
    "audio_tokenizer/preprocessor_config.json",
)  # fmt: skip

_CONTROL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|denoise|>", "<|lang_start|>",
    "<|lang_end|>", "<|instruct_start|>", "<|instruct_end|>", "<|text_start|>", "<|text_end|>",
)  # fmt: skip
_LOUDNESS = 0.1  # root mean square, about -20 dBFS
# Its codes (0 to 1,024) are looked up among the text tokens as well, and then not used.
_LANGUAGE_MODEL = {
    "model_type": "qwen3", "vocab_size": 1100, "hidden_size": 32,
    "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}  # fmt: skip
_ACOUSTIC = {
    "model_type": "dac", "encoder_hidden_size": 2, "decoder_hidden_size": 64, "hidden_size": 8,
    "downsampling_ratios": [8, 5, 4, 2, 3], "upsampling_ratios": [8, 5, 4, 2, 3],
    "codebook_size": 1024, "codebook_dim": 8, "sampling_rate": 24000,
}  # fmt: skip
_SEMANTIC = {
    "model_type": "hubert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 16, "conv_dim": [4] * 7, "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2, "mask_time_prob": 0.0,
}  # fmt: skip


def build_tiny_omnivoice(folder: Path, language_model: Mapping[str, Any] | None = None) -> Path:
    """Writes FILES; always the same numbers. A sentence becomes noise that depends on the voice.

    `language_model` has other sizes than the tiny ones.
    """
    import torch
    from transformers import DacFeatureExtractor

    from modules.core_components.ai_models.engines.omnivoice.checkpoint import import_omnivoice

    package = import_omnivoice()
    folder.mkdir(parents=True, exist_ok=True)
    threads = torch.get_num_threads()
    _write_tokenizer(folder)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        config = package.OmniVoiceConfig(llm_config={**_LANGUAGE_MODEL, **(language_model or {})})
        model = package.OmniVoice(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
        model.save_pretrained(folder)
        _codec().save_pretrained(folder / "audio_tokenizer")
    DacFeatureExtractor(sampling_rate=24000, hop_length=960).save_pretrained(
        folder / "audio_tokenizer"
    )
    torch.set_num_threads(threads)
    return folder


def install_tiny_omnivoice(tiny: Path, models_folder: Path, *model_ids: str) -> Path:
    """Puts the checkpoint into a models folder. Returns the catalog to use, see `open_catalog`."""
    ids = model_ids or (MODEL_ID, "omnivoice-voice-design")
    for model_id in ids:
        for name in FILES:
            target = models_folder / FOLDERS[model_id] / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tiny / name, target)
    return open_catalog(models_folder, tuple(FOLDERS))


def _write_tokenizer(folder: Path) -> None:
    """Bytes, and the control tokens after them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(letters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in _CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    about = {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>",
             "pad_token": "<|endoftext|>", "unk_token": None}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(about), encoding="utf-8")


def _codec() -> Any:
    """Higgs' audio tokenizer with the published frames (40 ms) and codebooks (8 of 1,024)."""
    import torch
    from transformers import HiggsAudioV2TokenizerConfig, HiggsAudioV2TokenizerModel

    config = HiggsAudioV2TokenizerConfig(
        target_bandwidths=[0.5, 1, 1.5, 2],
        codebook_dim=8,
        acoustic_model_config=dict(_ACOUSTIC),
        semantic_model_config=dict(_SEMANTIC),
    )
    codec = HiggsAudioV2TokenizerModel(config).eval()
    for module in codec.modules():
        if isinstance(module, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            if not torch.nn.utils.parametrize.is_parametrized(module):
                torch.nn.init.normal_(module.weight, std=1.4 / math.sqrt(module.weight[0].numel()))
            if module.bias is not None:
                module.bias.zero_()
    for name, tensor in codec.state_dict().items():
        if name.endswith("codebook.embed"):
            tensor.normal_()
    codes = torch.randint(0, 1024, (1, 8, 50))
    loudness = codec.decode(codes).audio_values.std()
    last = [m for m in codec.acoustic_decoder.modules() if isinstance(m, torch.nn.Conv1d)]
    last[-1].weight *= _LOUDNESS / loudness
    return codec
