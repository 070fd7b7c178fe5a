"""How fast Qwen3-TTS speaks on this machine: the plain backend beside the accelerated one.

`python bench/qwen3_tts.py` on a machine with an NVIDIA GPU builds random checkpoints of the real
sizes (0.6B, 1.7B; what they say is noise, what they cost is not), on any other tiny ones, which
only show that the script works. It prints a markdown table: seconds until the first audio, seconds
of computing a second of audio, memory, and the times to load and to come back from CPU memory.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import prepare_environment

prepare_environment()

from modules.core_components.ai_models.engines.qwen3_tts.engine import (  # noqa: E402
    Qwen3TTSEngine,
)
from modules.core_components.ai_models.model_pool import ModelPool  # noqa: E402
from modules.core_components.ai_models.tts_manager import TTSManager  # noqa: E402
from modules.core_components.progress import CancelToken  # noqa: E402
from modules.core_components.settings import Settings, load_settings  # noqa: E402
from tests.tiny_qwen import (  # noqa: E402
    MODEL_IDS,
    SPEAKERS,
    TINY,
    Sizes,
    build_tiny_qwen,
    install_tiny_qwen,
)

TEXT = "The harbour was quiet before dawn, and a single lamp burned above the customs house."
SECONDS = 10.0

_PREDICTOR = {
    "hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 5,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
}  # fmt: skip
_TEXT = {"text_hidden_size": 2048, "text_vocab_size": 151_936, "mrope_section": [24, 20, 20]}
SMALL = Sizes(
    talker={**_PREDICTOR, **_TEXT, "num_hidden_layers": 28},
    predictor=_PREDICTOR,
    speaker_encoder={"enc_dim": 1024},
    codec_encoder={},  # the classes' defaults are the published sizes
    codec_decoder={
        "hidden_size": 512, "intermediate_size": 1024, "head_dim": 64, "latent_dim": 1024,
        "codebook_dim": 512, "decoder_dim": 1536,
    },
    code_groups=16,
    dtype="bfloat16",
)  # fmt: skip
LARGE = dataclasses.replace(
    SMALL,
    talker={**SMALL.talker, "hidden_size": 2048, "intermediate_size": 6144},
    speaker_encoder={"enc_dim": 2048},
)


@dataclasses.dataclass(frozen=True)
class Figures:
    """Of one utterance: seconds until the first audio, and a second of audio's in computing."""

    first_audio_s: float
    real_time_factor: float


def spoken(engine: Qwen3TTSEngine, backend: str, seed: int) -> Figures:
    options = engine.options_type(
        language="en", backend=backend, seed=seed, max_new_tokens=int(SECONDS * 12.5) + 1
    )
    start = time.monotonic()
    first_s, audio_s = 0.0, 0.0
    for piece in engine.stream(TEXT, SPEAKERS[0], options, CancelToken()):
        first_s = first_s or time.monotonic() - start
        audio_s += piece.duration_s
    return Figures(first_s, (time.monotonic() - start) / audio_s)


def timed_load(engine: Qwen3TTSEngine) -> float:
    start = time.monotonic()
    engine.load()
    return time.monotonic() - start


def rows(settings: Settings, catalog_file: Path, gpu: bool) -> Iterator[tuple[object, ...]]:
    backends = ("plain", "accelerated") if gpu else ("plain",)
    for size in ("0.6B", "1.7B"):
        pool = ModelPool({"cpu": 2**37, "cuda:0": 2**37, "host": 2**36})
        engine = TTSManager(settings, pool, catalog_file).get_qwen3_custom_voice(size)
        load_s = timed_load(engine)
        (resident,) = pool.snapshot()
        for backend in backends:
            spoken(engine, backend, seed=0)  # the first time things are compiled and recorded
            figures = [spoken(engine, backend, seed) for seed in (1, 2, 3)]
            first = sorted(item.first_audio_s for item in figures)[1]
            factor = sorted(item.real_time_factor for item in figures)[1]
            yield size, backend, first, factor, resident.nbytes / 2**30, load_s, "-"
        if gpu:
            pool.configure(budgets={"cpu": 2**37, "cuda:0": 1, "host": 2**36})  # out of the GPU
            pool.configure(budgets={"cpu": 2**37, "cuda:0": 2**37, "host": 2**36})
            yield size, "back from CPU memory", "-", "-", "-", "-", timed_load(engine)
        pool.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    import torch

    gpu = torch.cuda.is_available() and arguments.device != "cpu"
    sizes: Mapping[str, Sizes] = {"0.6B": SMALL, "1.7B": LARGE} if gpu else {}
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        built = {}
        for size in ("0.6B", "1.7B"):
            model_id = MODEL_IDS["custom_voice", size]
            built[model_id] = build_tiny_qwen(
                root / "built" / model_id, "custom_voice", size, sizes.get(size, TINY)
            )
        settings = load_settings(
            root, {"models_folder": str(root / "models"), "device": arguments.device}
        )
        catalog_file = install_tiny_qwen(built, settings.models_folder)
        print(f"Random checkpoints of {'the real sizes' if gpu else 'a tiny size'}, {SECONDS:g} s.")
        print("| model | backend | first audio s | real-time factor | GiB | load s | back s |")
        print("|---|---|---|---|---|---|---|")
        for row in rows(settings, catalog_file, gpu):
            cells = (f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row)
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
