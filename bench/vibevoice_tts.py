"""How fast VibeVoice speaks on this machine.

`python bench/vibevoice_tts.py` on a machine with an NVIDIA GPU builds a random checkpoint of the
size of the 1.5B (what it says is noise, what it costs is not; it has a word head of its own, 0.2
billion numbers more), on any other a tiny one, which only shows that the script works. It prints
the table of `bench/qwen3_tts.py`, for as many diffusion steps as are published and for half.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from app import prepare_environment

prepare_environment()

import numpy as np  # noqa: E402

from bench.speaking_figures import (  # noqa: E402
    SECONDS,
    TEXT,
    Stream,
    print_table,
    roomy_pool,
    rows_of,
)
from modules.core_components.ai_models.engines.vibevoice.script import VibeVoiceOptions  # noqa: E402
from modules.core_components.ai_models.tts_manager import TTSManager  # noqa: E402
from modules.core_components.audio.files import audio_sha256, write_speech  # noqa: E402
from modules.core_components.progress import CancelToken  # noqa: E402
from modules.core_components.settings import Settings, load_settings  # noqa: E402
from modules.core_components.values import Sample, Speech  # noqa: E402
from tests.helpers.tiny_vibevoice import (  # noqa: E402
    FOLDERS,
    TINY,
    Sizes,
    build_tiny_vibevoice,
)

MODEL = "vibevoice-1.5b"
RATE_HZ = 24_000
PUBLISHED = Sizes(
    text={
        "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28,
        "num_attention_heads": 12, "num_key_value_heads": 2,
    },
    codec={},  # the classes' defaults are the published sizes
    acoustic_width=64,
    semantic_width=128,
    head={},
    vocabulary=151_936,
    dtype="bfloat16",
)  # fmt: skip


def rows(settings: Settings, gpu: bool) -> Iterator[tuple[object, ...]]:
    pool = roomy_pool()
    manager = TTSManager(settings, pool)
    engine = manager.get_vibevoice_tts("1.5B")
    prompt, _ = manager.prepare_voice(MODEL, a_sample(settings.root))
    pool.unload_all()  # so that loading is measured

    def speaking(steps: int) -> Stream:
        return lambda seed: engine.stream(
            TEXT,
            prompt,
            VibeVoiceOptions(seed=seed, diffusion_steps=steps, longest_part_s=int(SECONDS)),
            CancelToken(),
        )

    ways = {f"{steps} diffusion steps": speaking(steps) for steps in (10, 5)}
    yield from rows_of("VibeVoice 1.5B", pool, engine, ways, gpu)
    pool.close()


def a_sample(folder: Path) -> Sample:
    noise = np.random.default_rng(1).normal(scale=0.1, size=10 * RATE_HZ).astype(np.float32)
    speech = Speech(noise, RATE_HZ)
    write_speech(folder / "noise.wav", speech)
    return Sample("noise", folder / "noise.wav", audio_sha256(speech), speech.duration_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    import torch

    gpu = torch.cuda.is_available() and arguments.device != "cpu"
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        folders = {"models_folder": str(root / "models"), "device": arguments.device}
        build_tiny_vibevoice(root / "models" / FOLDERS[MODEL], PUBLISHED if gpu else TINY)
        settings = load_settings(root, folders)
        size = "the real size" if gpu else "a tiny size"
        about = f"A random checkpoint of {size}, {SECONDS:g} s at most."
        print_table(about, rows(settings, gpu))


if __name__ == "__main__":
    main()
