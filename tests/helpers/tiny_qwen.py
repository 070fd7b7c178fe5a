"""A random Qwen3-TTS, small and quick, for tests of the real loading and speaking code.

The files are of the real kind and lie as the published ones do, the weights under the names they
have there; only their numbers are few. Recordings become codes, codes become sound, and a sentence
ends by itself, after 2 seconds or so, depending on the seed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.open_catalog import open_catalog

FILES = (
    "config.json", "generation_config.json", "model.safetensors", "vocab.json", "merges.txt",
    "tokenizer_config.json", "preprocessor_config.json", "speech_tokenizer/config.json",
    "speech_tokenizer/preprocessor_config.json", "speech_tokenizer/configuration.json",
    "speech_tokenizer/model.safetensors",
)  # fmt: skip
SPEAKERS = ("vivian", "ryan", "uncle_fu")
MODEL_IDS = {
    ("base", "0.6B"): "qwen3-tts-0.6b-base",
    ("base", "1.7B"): "qwen3-tts-1.7b-base",
    ("custom_voice", "0.6B"): "qwen3-tts-0.6b-custom-voice",
    ("custom_voice", "1.7B"): "qwen3-tts-1.7b-custom-voice",
    ("voice_design", "1.7B"): "qwen3-tts-1.7b-voice-design",
}

_END = 2150
_LANGUAGES = {
    "english": 2050, "german": 2053, "spanish": 2054, "chinese": 2055, "japanese": 2058,
    "french": 2061, "korean": 2064, "russian": 2069, "italian": 2070, "portuguese": 2071,
    "beijing_dialect": 2074,
}  # fmt: skip
_SPECIAL = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>",
)  # fmt: skip
_BYTE_TOKENS = 320
_VOCABULARY = _BYTE_TOKENS + len(_SPECIAL)
_LOUDNESS = 0.1  # root mean square, about -20 dBFS
_EAGER_TO_END = 0.85  # most sentences have 10 to 40 frames of 80 ms


@dataclass(frozen=True)
class Sizes:
    """How large the parts are, by the names of the configurations."""

    talker: Mapping[str, Any]
    predictor: Mapping[str, Any]
    speaker_encoder: Mapping[str, Any]
    codec_encoder: Mapping[str, Any]
    codec_decoder: Mapping[str, Any]
    code_groups: int
    dtype: str = "float32"


_TRANSFORMER = {
    "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16,
}  # fmt: skip
TINY = Sizes(
    talker={
        **_TRANSFORMER, "text_hidden_size": 32, "text_vocab_size": _VOCABULARY,
        "mrope_section": [4, 2, 2],
    },
    predictor=_TRANSFORMER,
    speaker_encoder={
        "enc_dim": 32, "enc_channels": [16, 16, 16, 16, 48], "enc_attention_channels": 8,
        "enc_se_channels": 8,
    },
    codec_encoder={
        **_TRANSFORMER, "num_key_value_heads": 2, "num_filters": 4, "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8, "upsample_groups": 32,
    },
    codec_decoder={
        **_TRANSFORMER, "num_key_value_heads": 2, "latent_dim": 32, "codebook_dim": 16,
        "decoder_dim": 32,
    },
    code_groups=4,  # 16 in the published ones; time per frame goes with it
)  # fmt: skip


def build_tiny_qwen(folder: Path, kind: str, size: str = "1.7B", sizes: Sizes = TINY) -> Path:
    """Writes a checkpoint of `kind` ("base", "custom_voice", "voice_design"); always the same.

    `size` is what it passes for, `sizes` what it has.
    """
    import torch

    from modules.core_components.ai_models.engines.qwen3_tts.package import import_qwen_tts

    import_qwen_tts()
    (folder / "speech_tokenizer").mkdir(parents=True, exist_ok=True)
    _write_tokenizer(folder)
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        _write_codec(folder / "speech_tokenizer", sizes)
        _write_model(folder, _config(kind, size, sizes), sizes.dtype)
    torch.set_num_threads(threads)
    return folder


def install_tiny_qwen(tiny: Mapping[str, Path], models_folder: Path) -> Path:
    """Puts checkpoints, by model id, into a models folder; returns the catalog to use."""
    for model_id, folder in tiny.items():
        place = models_folder / "qwen3-tts" / model_id.removeprefix("qwen3-tts-")
        shutil.copytree(folder, place, dirs_exist_ok=True)
    return open_catalog(models_folder, tiny)


def _config(kind: str, size: str, sizes: Sizes) -> dict[str, Any]:
    speakers = SPEAKERS if kind == "custom_voice" else ()
    measures = dict(sizes.talker)
    rotary = {"interleaved": True, "mrope_section": measures.pop("mrope_section")}
    talker = {
        **measures,
        "num_code_groups": sizes.code_groups, "vocab_size": 3072, "rope_theta": 1_000_000,
        "rope_scaling": {**rotary, "rope_type": "default", "type": "default"},
        "codec_bos_id": 2149, "codec_eos_token_id": _END, "codec_pad_id": 2148,
        "codec_think_id": 2154, "codec_nothink_id": 2155, "codec_think_bos_id": 2156,
        "codec_think_eos_id": 2157, "codec_language_id": _LANGUAGES,
        "spk_id": {name: 2900 + number for number, name in enumerate(speakers)},
        "spk_is_dialect": dict.fromkeys(speakers, False),
        "code_predictor_config": {
            **sizes.predictor, "num_code_groups": sizes.code_groups, "vocab_size": 2048,
            "layer_types": ["full_attention"] * sizes.predictor["num_hidden_layers"],
        },
    }  # fmt: skip
    special = {name: _BYTE_TOKENS + number for number, name in enumerate(_SPECIAL)}
    return {
        "model_type": "qwen3_tts", "architectures": ["Qwen3TTSForConditionalGeneration"],
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "tts_model_size": {"0.6B": "0b6", "1.7B": "1b7"}[size], "tts_model_type": kind,
        "im_start_token_id": special["<|im_start|>"], "im_end_token_id": special["<|im_end|>"],
        "tts_pad_token_id": special["<tts_pad>"], "tts_bos_token_id": special["<tts_text_bos>"],
        "tts_eos_token_id": special["<tts_text_eod>"],
        "talker_config": talker,
        "speaker_encoder_config": {
            **sizes.speaker_encoder, "sample_rate": 24_000, "mel_dim": 128,
            "enc_kernel_sizes": [5, 3, 3, 3, 1], "enc_dilations": [1, 2, 3, 4, 1],
            "enc_res2net_scale": 8,
        },
    }  # fmt: skip


def _write_model(folder: Path, config: dict[str, Any], dtype: str) -> None:
    from qwen_tts.core.models import Qwen3TTSConfig, Qwen3TTSForConditionalGeneration

    _write_json(folder / "config.json", config)
    _write_json(
        folder / "generation_config.json",
        {
            "do_sample": True, "top_k": 50, "top_p": 1.0, "temperature": 0.9,
            "subtalker_dosample": True, "subtalker_top_k": 50, "subtalker_top_p": 1.0,
            "subtalker_temperature": 0.9, "repetition_penalty": 1.05, "max_new_tokens": 200,
        },
    )  # fmt: skip
    _write_json(folder / "preprocessor_config.json", {"processor_class": "Qwen3TTSProcessor"})
    model = Qwen3TTSForConditionalGeneration(Qwen3TTSConfig(**config))
    _let_it_listen(model)
    _let_it_end(model.talker)
    _save(model.state_dict(), folder / "model.safetensors", dtype)


def _let_it_listen(model: Any) -> None:
    """Weights as they are built are so small that neither words nor voice change what is drawn."""
    import torch

    for layer in model.modules():
        if isinstance(layer, torch.nn.Embedding):
            torch.nn.init.normal_(layer.weight)
        elif isinstance(layer, torch.nn.Conv1d | torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)


def _let_it_end(talker: Any) -> None:
    """Has the talker stop by itself; a random one goes on to whatever its limit is.

    One number of what passes through the layers is kept constant, and only the end looks at it.
    """
    talker.model.codec_embedding.weight[:, 0] = 4
    for embedding in talker.code_predictor.model.codec_embedding:
        embedding.weight[:, 0] = 0
    projections = [talker.text_projection.linear_fc2]
    for layer in talker.model.layers:
        projections += [layer.self_attn.o_proj, layer.mlp.down_proj]
    for projection in projections:
        projection.weight[0] = 0
        if projection.bias is not None:
            projection.bias[0] = 0
    head = talker.codec_head.weight
    head *= 0.3
    head[:, 0] = 0
    head[_END] = 0
    head[_END, 0] = _EAGER_TO_END


def _write_codec(folder: Path, sizes: Sizes) -> None:
    import torch
    from qwen_tts.core import Qwen3TTSTokenizerV2Config, Qwen3TTSTokenizerV2Model

    config = {
        "model_type": "qwen3_tts_tokenizer_12hz",
        "architectures": ["Qwen3TTSTokenizerV2Model"],
        "encoder_config": {
            **sizes.codec_encoder,
            "upsampling_ratios": [8, 6, 5, 4], "frame_rate": 12.5, "codebook_size": 2048,
            "num_quantizers": sizes.code_groups,
        },
        "decoder_config": {
            **sizes.codec_decoder,
            "num_quantizers": sizes.code_groups, "upsample_rates": [8, 5, 4, 3],
            "upsampling_ratios": [2, 2],
        },
        "encoder_valid_num_quantizers": sizes.code_groups,
        "input_sample_rate": 24_000, "output_sample_rate": 24_000,
        "decode_upsample_rate": 1920, "encode_downsample_rate": 1920,
    }  # fmt: skip
    _write_json(folder / "config.json", config)
    _write_json(
        folder / "preprocessor_config.json",
        {
            "feature_extractor_type": "EncodecFeatureExtractor",
            "feature_size": 1,
            "sampling_rate": 24_000,
        },
    )
    _write_json(folder / "configuration.json", {"framework": "pytorch"})
    codec = Qwen3TTSTokenizerV2Model(Qwen3TTSTokenizerV2Config(**config))
    for name, table in (*codec.named_parameters(), *codec.named_buffers()):
        if name.endswith(("embedding_sum", "embed_sum")):  # they start at zero
            table.copy_(torch.randn_like(table))
    _make_audible(codec, sizes.code_groups)
    _save(
        {_name_on_disk(name): tensor for name, tensor in codec.state_dict().items()},
        folder / "model.safetensors",
    )


def _make_audible(codec: Any, code_groups: int) -> None:
    """Layers as they are built let nearly nothing through; these keep the level they are given."""
    import torch

    for layer in codec.modules():
        if isinstance(layer, torch.nn.Conv1d | torch.nn.ConvTranspose1d | torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=layer.weight[0].numel() ** -0.5)
    codes = torch.randint(2048, (1, code_groups, 25))
    last = codec.decoder.decoder[-1].conv
    last.weight *= 1e-3
    sound = codec.decoder(codes)
    last.weight *= _LOUDNESS / sound.std()


def _name_on_disk(name: str) -> str:
    """The published files name Mimi's parts as before transformers split it in two."""
    for ours, published in (
        ("encoder.encoder.encoder_seanet.", "encoder.encoder."),
        ("encoder.encoder.encoder_transformer.", "encoder.encoder_transformer."),
        ("encoder.encoder.downsample.", "encoder.downsample."),
    ):
        if name.startswith(ours):
            return published + name.removeprefix(ours)
    return name


def _write_tokenizer(folder: Path) -> None:
    """Byte-level BPE of the real kind. The roles must be one token each: the model counts them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_BYTE_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )  # fmt: skip
    corpus = ["assistant\nuser\nsystem\n"] * 50 + ["the quick brown fox and the lazy dog are here"]
    tokenizer.train_from_iterator(corpus, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    _write_json(folder / "vocab.json", model["vocab"])
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    special = {
        str(_BYTE_TOKENS + number): {
            "content": name, "lstrip": False, "normalized": False, "rstrip": False,
            "single_word": False, "special": True,
        }
        for number, name in enumerate(_SPECIAL)
    }  # fmt: skip
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "Qwen2Tokenizer",
            "added_tokens_decoder": special,
            "pad_token": "<|endoftext|>",
            "eos_token": "<|im_end|>",
        },
    )


def _save(state: Mapping[str, Any], path: Path, dtype: str = "float32") -> None:
    import torch
    from safetensors.torch import save_file

    kept = {
        name: tensor.to(getattr(torch, dtype) if tensor.is_floating_point() else tensor.dtype)
        for name, tensor in state.items()
    }
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in kept.items()},
        path,
        metadata={"format": "pt"},
    )


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
