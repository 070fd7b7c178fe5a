"""A random VibeVoice and a VibeVoice-ASR that knows one answer by heart: small and quick, for tests
of the real loading, speaking and listening code.

The files are those of the published repositories in the layout of transformers, so the studio's own
catalog finds and verifies them; only their numbers are few.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

# Where the catalog has them below the models folder.
FOLDERS = {
    "vibevoice-1.5b": "vibevoice/1.5b",
    "vibevoice-large": "vibevoice/large",
    "vibevoice-asr": "vibevoice/asr",
}
# What the listening model answers to every recording, a token each: two speakers, four segments.
ANSWER = (
    "assistant\n[",
    '{"Start":0.0,"End":0.9,"Speaker":0,"Content":"Good morning."}',
    ',{"Start":0.9,"End":1.7,"Speaker":1,',
    '"Content":"Good morning to you."}',
    ',{"Start":1.7,"End":1.9,"Content":"[Silence]"}',
    ',{"Start":1.9,"End":2.8,"Speaker":0,',
    '"Content":"Shall we begin?"}',
    "]\n",
)

_SPECIALS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>",
)  # fmt: skip
_SPEAKING_TEMPLATE = """\
{%- set voiced = namespace(roles=[]) -%}
{%- for message in messages -%}
{%- if message.content | selectattr("type", "equalto", "audio") | list
   and message.role not in voiced.roles -%}
{%- set voiced.roles = voiced.roles + [message.role] -%}
{%- endif -%}
{%- endfor -%}
{{ " Speak the lines below, each in its speaker's voice.\\n" }}
{%- if voiced.roles -%}{{ " Voice input:\\n" }}{%- endif -%}
{%- for role in voiced.roles -%}
{{ " Speaker " ~ role ~ ":<|vision_start|><|vision_pad|><|vision_end|>\\n" }}
{%- endfor -%}
{{ " Text input:\\n" }}
{%- for message in messages -%}
{%- for item in message.content | selectattr("type", "equalto", "text") -%}
{{ " Speaker " ~ message.role ~ ": " ~ item.text ~ "\\n" }}
{%- endfor -%}
{%- endfor -%}
{{ " Speech output:\\n<|vision_start|>" }}"""
_LISTENING_TEMPLATE = """\
{{ "<|im_start|>system\\nYou write down what was said.<|im_end|>\\n" }}
{%- for message in messages -%}
{{ "<|im_start|>user\\n<|object_ref_start|><|box_start|><|object_ref_end|>\\n" }}
{{- "This is a <|AUDIO_DURATION|> seconds audio" }}
{%- for item in message.content | selectattr("type", "equalto", "text") -%}
{{ ", with extra info: " ~ item.text }}
{%- endfor -%}
{{ "<|im_end|>\\n" }}
{%- endfor -%}"""
_ENCODER = {
    "num_filters": 2,
    "depths": [1] * 7,
    "downsampling_ratios": [2, 2, 4, 5, 5, 8],  # a token is 3,200 samples, as published
    "ffn_expansion": 2,
}


@dataclass(frozen=True)
class Sizes:
    """How large the parts are, by the names of the configurations; what is left out is as large as
    in the published 1.5B. `vocabulary` counts tokens that nobody uses, too."""

    text: Mapping[str, Any]
    codec: Mapping[str, Any]
    acoustic_width: int
    semantic_width: int
    head: Mapping[str, Any]
    vocabulary: int = 0
    dtype: str = "float32"


TINY = Sizes(
    text={
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1,
    },
    codec=_ENCODER,
    acoustic_width=8,
    semantic_width=16,
    head={"num_hidden_layers": 1, "intermediate_size": 32, "frequency_embedding_size": 32},
)  # fmt: skip


def build_tiny_vibevoice(folder: Path, sizes: Sizes = TINY) -> Path:
    """Writes a random VibeVoice to `folder`; always the same numbers.

    It speaks for 1 to 60 tokens of 133 ms, by the seed.
    """
    import torch
    from transformers import (
        VibeVoiceAcousticTokenizerFeatureExtractor,
        VibeVoiceConfig,
        VibeVoiceForConditionalGeneration,
        VibeVoiceProcessor,
    )

    tokenizer = _tokenizer(folder)
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in _SPECIALS}
    config = VibeVoiceConfig(
        audio_config={
            "model_type": "vibevoice_acoustic_tokenizer",
            "hidden_size": sizes.acoustic_width, **sizes.codec,
        },
        semantic_model_config={
            "model_type": "vibevoice_acoustic_tokenizer_encoder",
            "hidden_size": sizes.semantic_width, **sizes.codec,
        },
        text_config=_text_config(max(len(tokenizer), sizes.vocabulary), sizes.text),
        diffusion_head_config=dict(sizes.head),
        pad_token_id=ids["<|endoftext|>"],
        eos_token_id=ids["<|endoftext|>"],
        audio_bos_token_id=ids["<|vision_start|>"],
        audio_eos_token_id=ids["<|vision_end|>"],
        audio_token_id=ids["<|vision_pad|>"],
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        model = VibeVoiceForConditionalGeneration(config)
        _let_it_end(model, ids)
        _make_audible(model.model, sizes.acoustic_width)
    settings = {
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "do_sample": False,
        "guidance_scale": 1.3,
        "noise_scheduler_class": "DPMSolverMultistepScheduler",
        "noise_scheduler_config": {
            "beta_schedule": "squaredcos_cap_v2",
            "prediction_type": "v_prediction",
        },
        "num_diffusion_steps": 10,
    }
    VibeVoiceProcessor(
        VibeVoiceAcousticTokenizerFeatureExtractor(), tokenizer, chat_template=_SPEAKING_TEMPLATE
    ).save_pretrained(folder)
    _save(model, settings, folder, shards=2, dtype=sizes.dtype)
    return folder


def build_tiny_vibevoice_asr(folder: Path) -> Path:
    """Writes a VibeVoice-ASR to `folder` that answers every recording with ANSWER.

    Its layers pass on what they are given, so a token decides the next one: no training is needed.
    """
    import torch
    from transformers import (
        VibeVoiceAcousticTokenizerFeatureExtractor,
        VibeVoiceAsrConfig,
        VibeVoiceAsrForConditionalGeneration,
        VibeVoiceAsrProcessor,
    )

    tokenizer = _tokenizer(folder)
    tokenizer.add_tokens(list(ANSWER))
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in _SPECIALS}
    encoder = {"model_type": "vibevoice_acoustic_tokenizer_encoder", **_ENCODER}
    config = VibeVoiceAsrConfig(
        acoustic_tokenizer_encoder_config={**encoder, "hidden_size": 8},
        semantic_tokenizer_encoder_config={**encoder, "hidden_size": 16},
        text_config=_text_config(
            len(tokenizer), {**TINY.text, "hidden_size": 64, "intermediate_size": 64}
        ),
        audio_token_id=ids["<|box_start|>"],
        audio_bos_token_id=ids["<|object_ref_start|>"],
        audio_eos_token_id=ids["<|object_ref_end|>"],
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        model = VibeVoiceAsrForConditionalGeneration(config)
        chain = [*tokenizer.encode("\n"), *tokenizer.convert_tokens_to_ids(list(ANSWER))]
        _recite(model, [*chain, ids["<|endoftext|>"]])
    settings = {
        "eos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|image_pad|>"],
        "do_sample": False,
        "max_new_tokens": 64,
    }
    VibeVoiceAsrProcessor(
        VibeVoiceAcousticTokenizerFeatureExtractor(), tokenizer, chat_template=_LISTENING_TEMPLATE
    ).save_pretrained(folder)
    _save(model, settings, folder, shards=8)
    return folder


def install_tiny(tiny: Path, models_folder: Path, *model_ids: str) -> None:
    """Puts a built model into a models folder as each of `model_ids`."""
    for model_id in model_ids:
        shutil.copytree(tiny, models_folder / FOLDERS[model_id], dirs_exist_ok=True)


def _text_config(vocabulary: int, sizes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "vocab_size": vocabulary,
        **sizes,
        "max_position_embeddings": 32_768,
        "tie_word_embeddings": False,
    }


def _tokenizer(folder: Path) -> Any:
    """A byte-level tokenizer of the real kind, trained on a sentence."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import Qwen2Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(
        ["system user assistant Speaker Text input Speech output Voice input the and of to"] * 20,
        vocab_size=320, show_progress=False,
    )  # fmt: skip
    rules = json.loads(trained._tokenizer.to_str())["model"]
    tokenizer = Qwen2Tokenizer(
        vocab=rules["vocab"],
        merges=[tuple(pair) for pair in rules["merges"]],
        unk_token=None,
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_special_tokens({"additional_special_tokens": list(_SPECIALS[1:])})
    return tokenizer


def _let_it_end(model: Any, ids: Mapping[str, int]) -> None:
    """Has the language model ask for sound again and again, and stop by chance; a random one stops
    at once.

    Two of the numbers that pass through the layers are kept free for that: the first is constant
    and asks for sound, the second is drawn with each sound and asks for the end.
    """
    import torch

    language = model.model.language_model
    for module in (*language.modules(), *model.model.diffusion_head.modules()):
        if isinstance(module, torch.nn.Linear):  # so that voice, text and guidance are heard
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    projector, connector = model.model.multi_modal_projector, model.model.semantic_connector
    torch.nn.init.normal_(projector.linear_2.weight, std=0.1)
    torch.nn.init.normal_(projector.linear_2.weight[1], std=0.35)
    quiet = [block.self_attn.o_proj for block in language.layers]
    quiet += [block.mlp.down_proj for block in language.layers]
    for layer in (*quiet, connector.linear_2):
        layer.weight[:2] = 0
    projector.linear_2.weight[0] = 0
    projector.linear_2.bias[0] = 4
    language.embed_tokens.weight[:, 0] = 4
    language.embed_tokens.weight[:, 1] = 0
    head = model.lm_head.weight
    head.zero_()
    head[ids["<|vision_pad|>"], 0] = 0.5
    head[[ids["<|vision_start|>"], ids["<|vision_end|>"]], 0] = -1
    head[ids["<|endoftext|>"], 1] = 0.7


def _make_audible(model: Any, acoustic_width: int) -> None:
    """Layers as they are built let next to nothing through; these are about as loud as speech."""
    import torch

    for tower in (model.audio_tower, model.semantic_tokenizer_encoder):
        for layer in tower.modules():
            if isinstance(layer, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
                heard = layer.weight[0].numel() if isinstance(layer, torch.nn.Conv1d) else 8
                torch.nn.init.normal_(layer.weight, std=heard**-0.5)
    loudness = model.audio_tower.decode(torch.randn(1, 20, acoustic_width)).audio.std()
    model.audio_tower.decoder.head.conv.weight *= 0.1 / loudness
    model.audio_tower.decoder.head.conv.bias.zero_()


def _recite(model: Any, chain: Sequence[int]) -> None:
    """Has each token of the chain bring the next one, whatever was heard."""
    for block in model.model.language_model.layers:
        block.self_attn.o_proj.weight.zero_()
        block.mlp.down_proj.weight.zero_()
    embedded = model.model.language_model.embed_tokens.weight
    model.lm_head.weight.zero_()
    for token, following in pairwise(chain):
        model.lm_head.weight[following] = embedded[token] / embedded[token].norm()


def _save(
    model: Any,
    settings: Mapping[str, Any],
    folder: Path,
    shards: int,
    dtype: str = "float32",
) -> None:
    """config.json, generation_config.json, and the weights in as many files as published."""
    import torch
    from safetensors.torch import save_file
    from transformers import GenerationConfig

    model.to(getattr(torch, dtype))
    model.config.save_pretrained(folder)
    GenerationConfig(**settings).save_pretrained(folder)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    places: dict[str, str] = {}
    for number in range(shards):
        file = f"model-{number + 1:05d}-of-{shards:05d}.safetensors"
        part = {name: state[name] for name in sorted(state)[number::shards]}
        save_file(part, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(part, file)
    total = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
