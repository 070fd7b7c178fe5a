"""What a second of speech costs on engines that clone, in steps of `decoder_step`.

`python bench/cloning_speed.py [pocket] [pocket-24l] [pocket-18m] [xtts] [qwen] [omnivoice]
[kokoro]` builds random models of the published sizes (what they say is noise, what they cost is
not; Kokoro is the installed one) and speaks some seconds with each. It prints the seconds of
computing for a second of speech, the seconds of a decoder step (the shortest of several rounds
each, as other work only makes them longer), and their ratio: `steps_a_second` of the catalog.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import prepare_environment

prepare_environment()

from bench.speaking_figures import TEXT, roomy_pool  # noqa: E402
from modules.core_components.ai_models.decoder_step import decoder_step_seconds  # noqa: E402
from modules.core_components.ai_models.model_utils import configure_threads  # noqa: E402
from modules.core_components.ai_models.tts_manager import TTSManager  # noqa: E402
from modules.core_components.progress import CancelToken  # noqa: E402
from modules.core_components.settings import app_folder, load_settings  # noqa: E402

SECONDS = 6.0
# (seconds of computing, seconds of speech), of which the first is a warm-up.
Timed = tuple[float, float]


def pocket(variant: str) -> Iterator[Timed]:
    """The package's model of a configuration with random weights, frame by frame."""
    import torch
    import yaml
    from pocket_tts import TTSModel
    from pocket_tts.utils.config import CONFIGS_DIR

    from tests.helpers.tiny_pocket import _write_tokenizer

    with tempfile.TemporaryDirectory() as place:
        config = yaml.safe_load((Path(CONFIGS_DIR) / f"{variant}.yaml").read_text("utf-8"))
        config["weights_path"] = config["weights_path_without_voice_cloning"] = None
        table = config["flow_lm"]["lookup_table"]
        table["tokenizer_path"] = str(Path(place) / "tokenizer.json")
        table["n_bins"] = _write_tokenizer(Path(table["tokenizer_path"]))
        table["tokenizer"] = "tokenizers"
        (Path(place) / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        model = TTSModel.load_model(config=Path(place) / "config.yaml")
    configure_threads(0)
    model.max_decoder_frames_per_call = 1
    with torch.no_grad():
        model.flow_lm.out_eos.weight.zero_()
        model.flow_lm.out_eos.bias.fill_(-50.0)  # it never ends by itself
    model = model.eval().requires_grad_(False)
    state = model.get_state_for_audio_prompt(torch.randn(1, 10 * 24_000) * 0.1)
    for _ in range(3):
        start, samples = time.perf_counter(), 0
        for chunk in model.generate_audio_stream(state, "Hello there, how are you today?"):
            samples += len(chunk)
            if samples > SECONDS * 24_000:
                break
        yield time.perf_counter() - start, samples / 24_000


def xtts() -> Iterator[Timed]:
    """coqui's model with the published sizes (its defaults) and random weights."""
    import torch
    from TTS.tts.configs.xtts_config import XttsArgs, XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    from tests.helpers.tiny_xtts import LANGUAGES, _write_vocabulary

    with tempfile.TemporaryDirectory() as place, torch.no_grad():
        vocabulary = Path(place) / "vocab.json"
        _write_vocabulary(vocabulary, None)
        model = Xtts(XttsConfig(model_args=XttsArgs(), languages=list(LANGUAGES)))
        model.tokenizer = VoiceBpeTokenizer(vocabulary)
    model.init_models()
    configure_threads(0)
    model.gpt.mel_head.bias.data[model.gpt.stop_audio_token] = -50.0
    model.gpt.init_gpt_for_inference(kv_cache=True)
    model.eval()
    speaker = torch.nn.functional.normalize(torch.randn(1, 512, 1), dim=1)
    latent = torch.randn(1, 32, 1024)
    codes = int(SECONDS * 22_050 / 1024)
    model.gpt.max_gen_mel_tokens = codes
    for _ in range(3):
        start = time.perf_counter()
        made = model.inference("hello there", "en", latent, speaker, length_penalty=1.0)
        yield time.perf_counter() - start, len(made["wav"]) / 24_000


def qwen() -> Iterator[Timed]:
    """The studio's engine over a random 0.6B, with speakers of its own, in float32."""
    from bench.qwen3_tts import SMALL
    from tests.helpers.tiny_qwen import MODEL_IDS, SPEAKERS, build_tiny_qwen, install_tiny_qwen

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        model_id = MODEL_IDS["custom_voice", "0.6B"]
        built = build_tiny_qwen(root / "built" / model_id, "custom_voice", "0.6B", SMALL)
        settings = load_settings(root, {"models_folder": str(root / "models"), "device": "cpu"})
        catalog = install_tiny_qwen({model_id: built}, settings.models_folder)
        engine = TTSManager(settings, roomy_pool(), catalog).get_qwen3_custom_voice("0.6B")
        for seconds in (0.5, 2.0):
            options = engine.options_type(
                language="en", seed=1, max_new_tokens=int(seconds * 12.5) + 1
            )
            start = time.perf_counter()
            made = sum(
                piece.duration_s
                for piece in engine.stream(TEXT, SPEAKERS[0], options, CancelToken())
            )
            yield time.perf_counter() - start, made


def omnivoice() -> Iterator[Timed]:
    """The studio's network over a random language model of the published size, in float32, with a
    sample of 8 seconds. One step is timed and counted as the usual 32, which cost the same."""
    import numpy as np
    import torch

    from modules.core_components.ai_models.engines.omnivoice.network import OmniNetwork
    from modules.core_components.ai_models.engines.omnivoice.options import OmniVoiceOptions
    from tests.helpers.tiny_omnivoice import build_tiny_omnivoice

    published = {
        "vocab_size": 151_676, "hidden_size": 1024, "intermediate_size": 3072,
        "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 8,
        "head_dim": 128,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        folder = build_tiny_omnivoice(Path(place), published)
        network = OmniNetwork(folder, "cpu", torch.float32, ["sdpa"])
    configure_threads(0)
    cancel, usual = CancelToken(), OmniVoiceOptions()
    sample = np.random.default_rng(1).normal(scale=0.1, size=8 * 24_000).astype(np.float32)
    prompt = network.make_prompt(sample, TEXT[:120], cancel)
    options = dataclasses.replace(usual, steps=1)
    frames = int(SECONDS * network.frame_rate)
    for _ in range(3):
        start = time.perf_counter()
        network.speak(TEXT[:90], prompt, "", frames, options, lambda _: True, cancel)
        yield (time.perf_counter() - start) * usual.steps, SECONDS


def kokoro() -> Iterator[Timed]:
    """The installed starter model."""
    settings = load_settings(app_folder(), {"device": "cpu"})
    engine = TTSManager(settings).get("kokoro-v1.0")
    options = dataclasses.replace(engine.options_type(), language="en-us")
    for _ in range(3):
        start = time.perf_counter()
        made = sum(
            piece.duration_s for piece in engine.stream(TEXT, "af_heart", options, CancelToken())
        )
        yield time.perf_counter() - start, made


MODELS: dict[str, Callable[[], Iterator[Timed]]] = {
    "pocket": lambda: pocket("english"),
    "pocket-24l": lambda: pocket("english_2026-09_24l"),
    "pocket-18m": lambda: pocket("english_18m_refl_2026-10"),
    "xtts": xtts,
    "qwen": qwen,
    "omnivoice": omnivoice,
    "kokoro": kokoro,
}


def main() -> None:
    configure_threads(0)
    headers = ("model", "real-time factor", "decoder step (ms)", "steps a second")
    sys.stdout.write(f"| {' | '.join(headers)} |\n{'|---' * len(headers)}|\n")
    for name in sys.argv[1:] or list(MODELS):
        before = decoder_step_seconds("cpu")
        _, *timed = MODELS[name]()
        step = min(before, decoder_step_seconds("cpu"))
        factor = min(computing_s / speech_s for computing_s, speech_s in timed)
        sys.stdout.write(f"| {name} | {factor:.2f} | {1000 * step:.1f} | {factor / step:.0f} |\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
