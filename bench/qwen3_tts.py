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
from collections.abc import Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import prepare_environment

prepare_environment()

from bench.speaking_figures import (  # noqa: E402
    SECONDS,
    TEXT,
    Stream,
    print_table,
    roomy_pool,
    rows_of,
)
from modules.core_components.ai_models.engines.qwen3_tts.engine import (  # noqa: E402
    Qwen3TTSEngine,
)
from modules.core_components.ai_models.tts_manager import TTSManager  # noqa: E402
from modules.core_components.progress import CancelToken  # noqa: E402
from modules.core_components.settings import Settings, load_settings  # noqa: E402
from tests.helpers.tiny_qwen import (  # noqa: E402
    MODEL_IDS,
    SPEAKERS,
    TINY,
    Sizes,
    build_tiny_qwen,
    install_tiny_qwen,
)

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


def rows(settings: Settings, catalog_file: Path, gpu: bool) -> Iterator[tuple[object, ...]]:
    backends = ("plain", "accelerated") if gpu else ("plain",)
    for size in ("0.6B", "1.7B"):
        pool = roomy_pool()
        engine = TTSManager(settings, pool, catalog_file).get_qwen3_custom_voice(size)

        def speaking(backend: str, engine: Qwen3TTSEngine = engine) -> Stream:
            options = engine.options_type(
                language="en", backend=backend, max_new_tokens=int(SECONDS * 12.5) + 1
            )
            return lambda seed: engine.stream(
                TEXT, SPEAKERS[0], dataclasses.replace(options, seed=seed), CancelToken()
            )

        ways = {f"{backend} backend": speaking(backend) for backend in backends}
        yield from rows_of(f"Qwen3-TTS {size}", pool, engine, ways, gpu)
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
        about = (
            f"Random checkpoints of {'the real sizes' if gpu else 'a tiny size'}, {SECONDS:g} s."
        )
        print_table(about, rows(settings, catalog_file, gpu))


if __name__ == "__main__":
    main()
