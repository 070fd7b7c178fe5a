"""A random XTTS v2, small and quick, for tests of the real loading, speaking and training code.

The files are of the real kind and lie as the published ones do; only their numbers are few. What
coqui's classes fix (the decoder's 512 channels, the speaker encoder, the DVAE of 50 million
numbers) keeps its size in memory, but takes next to nothing on disk.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

from tests.helpers.open_catalog import open_catalog

LANGUAGES = (
    "en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru", "nl", "cs", "ar", "zh-cn", "ja", "hu",
    "ko", "hi",
)  # fmt: skip
SPEAKERS = ("Claribel Dervla", "Damien Black")
SPEAKING_FILES = ("config.json", "model.pth", "vocab.json", "speakers_xtts.pth")
TRAINING_FILES = ("dvae.pth", "mel_stats.pth")

_WIDTH = 64
_AUDIO_CODES = 1024  # then the start and the stop token, as in XTTS v2
_STOP_CODE = _AUDIO_CODES + 1
_USUAL_CODES = 16  # of a sentence, in the middle of what is drawn
_LETTERS = (
    "abcdefghijklmnopqrstuvwxyz0123456789àáâãäåæçèéêëìíîïñòóôõöøùúûüýßœąćęłńśźżčďěňřšťůžğışőű"
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюяابتثجحخدذرزسشصضطظعغفقكلمنهويةىءأإآؤئًٌٍَُِّْ"
    "अआइईउऊएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसहड़ािीुूेैोौंँ़्।"
    ".,;:!?'\"()-–—…¿¡«»“”’،؟"
)
_MERGES = (
    ("t", "h"), ("th", "e"), ("i", "n"), ("a", "n"), ("e", "r"), ("o", "n"), ("r", "e"),
    ("in", "g"), ("an", "d"), ("e", "n"), ("i", "s"), ("c", "h"), ("l", "a"), ("d", "i"),
    ("l", "o"), ("t", "o"), ("s", "t"), ("c", "o"), ("n", "o"), ("e", "l"),
)  # fmt: skip


def build_tiny_xtts(folder: Path, vocabulary_size: int | None = None) -> Path:
    """Writes a base with {config.json, model.pth, vocab.json, speakers_xtts.pth, dvae.pth,
    mel_stats.pth} to `folder`; always the same numbers.

    `vocabulary_size` fills the vocabulary up with merges nobody needs. A sentence is about 16
    codes; a code is 279 samples, a quarter of the real length, for the decoder's sake.
    """
    import torch
    from TTS.tts.layers.xtts.dvae import DiscreteVAE
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    folder.mkdir(parents=True, exist_ok=True)
    _write_vocabulary(folder / "vocab.json", vocabulary_size)
    config = _config()
    config.save_json(folder / "config.json")
    threads = torch.get_num_threads()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(1)
        model = Xtts(config)
        model.tokenizer = VoiceBpeTokenizer(folder / "vocab.json")
        model.init_models()
        _let_it_end(model.gpt)
        _make_audible(model.hifigan_decoder.waveform_decoder)
        model.mel_stats = torch.full((80,), 2.0)
        _save_checkpoint(model, folder / "model.pth")
        torch.save({name: _speaker() for name in SPEAKERS}, folder / "speakers_xtts.pth")
        torch.save(model.mel_stats, folder / "mel_stats.pth")
        dvae = DiscreteVAE(
            channels=80, normalization=None, positional_dims=1, num_tokens=_AUDIO_CODES,
            codebook_dim=512, hidden_dim=512, num_resnet_blocks=3, kernel_size=3, num_layers=2,
            use_transposed_convs=False,
        )  # fmt: skip
        torch.save(_compact_state(dvae), folder / "dvae.pth")
    torch.set_num_threads(threads)
    return folder


def install_tiny_xtts(tiny: Path, models_folder: Path) -> Path:
    """Puts the base into a models folder as "xtts-v2.0.3" and "xtts-v2-training".

    Returns the catalog to use, see `open_catalog`.
    """
    for names, place in ((SPEAKING_FILES, "v2.0.3"), (TRAINING_FILES, "training")):
        target = models_folder / "xtts" / place
        target.mkdir(parents=True, exist_ok=True)
        for name in names:
            shutil.copy2(tiny / name, target / name)
    return open_catalog(models_folder, ("xtts-v2.0.3", "xtts-v2-training"))


def _config() -> Any:
    """What the published config.json says, in a small size."""
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig

    sizes = XttsArgs(
        gpt_layers=2,
        gpt_n_model_channels=_WIDTH,
        gpt_n_heads=2,
        decoder_input_dim=_WIDTH,
        output_hop_length=1024,
        gpt_num_audio_tokens=_AUDIO_CODES + 2,
        gpt_start_audio_token=_AUDIO_CODES,
        gpt_stop_audio_token=_STOP_CODE,
        gpt_use_perceiver_resampler=True,
    )
    return XttsConfig(
        model_args=sizes,
        languages=list(LANGUAGES),
        temperature=0.75,
        length_penalty=1.0,
        repetition_penalty=5.0,
        top_k=50,
        top_p=0.85,
        gpt_cond_len=30,
        gpt_cond_chunk_len=4,
        max_ref_len=30,
        sound_norm_refs=False,
    )


def _write_vocabulary(path: Path, size: int | None) -> None:
    """A BPE vocabulary laid out as XTTS's: [STOP] is 0, [UNK] is 1, [SPACE] is 2."""
    from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

    specials = ["[STOP]", "[UNK]", "[SPACE]"]
    languages = [f"[{language}]" for language in LANGUAGES]
    letters = list(dict.fromkeys(_LETTERS))
    merges = list(_MERGES)
    tokens = [*specials, *letters, *languages, "[START]", *("".join(pair) for pair in merges)]
    fillers = [(a, b) for a in letters for b in letters if a + b not in tokens]
    while size is not None and len(tokens) < size:
        merges.append(fillers.pop())
        tokens.append("".join(merges[-1]))
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True) for token in [*specials, *languages, "[START]"]]
    )
    path.write_text(
        json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, indent=1), encoding="utf-8"
    )


def _let_it_end(gpt: Any) -> None:
    """Has the GPT stop after about `_USUAL_CODES`; a random one would go on to its limit of 605.

    The first number of what passes through the layers is kept free for the position in the audio,
    and only the stop token looks at it: the further on, the likelier the end.
    """
    import torch

    for embedding in (gpt.text_embedding, gpt.mel_embedding, gpt.text_pos_embedding.emb):
        embedding.weight[:, 0] = 0
    places = torch.arange(gpt.mel_pos_embedding.emb.num_embeddings)
    gpt.mel_pos_embedding.emb.weight[:, 0] = ((places - _USUAL_CODES) / 3).clamp(-4, 4)
    for layer in gpt.gpt.h:
        for projection in (layer.attn.c_proj, layer.mlp.c_proj):
            projection.weight[:, 0] = 0
            projection.bias[0] = 0
    gpt.mel_head.weight[_STOP_CODE] = 0
    gpt.mel_head.weight[_STOP_CODE, 0] = 2.0
    gpt.mel_head.bias[_STOP_CODE] = 1.0


def _make_audible(decoder: Any) -> None:
    """Layers as they are built let their biases speak; these carry what they are given, and are
    about as loud as speech in the end."""
    import torch

    for layer in decoder.modules():
        if not hasattr(layer, "parametrizations"):
            continue
        along = layer.kernel_size[0] / layer.stride[0]
        heard = layer.in_channels * along
        summed = layer.out_channels * layer.kernel_size[0] if layer.transposed else heard
        layer.parametrizations.weight.original0.fill_(math.sqrt(summed / heard))
        layer.bias.zero_()
    for layer in (decoder.conv_pre, decoder.cond_layer, *decoder.conds):
        torch.nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.weight[0].numel()))
    loudness = decoder(torch.randn(1, _WIDTH, 20), g=_speaker()["speaker_embedding"]).std()
    decoder.conv_post.weight *= 0.1 / loudness


def _speaker() -> dict[str, Any]:
    import torch

    embedding = torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1)
    return {"gpt_cond_latent": torch.randn(1, 32, _WIDTH), "speaker_embedding": embedding}


def _save_checkpoint(model: Any, path: Path) -> None:
    """As published: the configuration is an object beside the weights, under the module's old
    name, and the weights of the training are among them."""
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsAudioConfig
    from TTS.tts.models import xtts

    state = {**_compact_state(model), "torch_mel_spectrogram_dvae.mel_stft.window": torch.ones(4)}
    canonical = XttsArgs.__module__
    moved = (XttsArgs, XttsAudioConfig)
    try:
        for kind in moved:
            kind.__module__ = xtts.__name__
        torch.save({"config": model.config, "model": state}, path)
    finally:
        for kind in moved:
            kind.__module__ = canonical


def _compact_state(module: Any) -> dict[str, Any]:
    return {name: _compact(name, tensor) for name, tensor in module.state_dict().items()}


def _compact(name: str, tensor: Any) -> Any:
    """A tensor of the same shape and scale whose rows overlap in memory, so that millions of
    numbers take kilobytes on disk. The GPT's own are few enough to be kept."""
    import torch

    if name.startswith("gpt.") or tensor.numel() < 20_000 or not tensor.is_floating_point():
        return tensor.clone()
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
