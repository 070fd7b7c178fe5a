"""Makes the speaker embeddings of Kokoro's stock voices that come with the studio.

    python bench/scan_stock_voices.py --models base_models

Each voice speaks the two sentences of `SCAN_SENTENCES` (a minute or two on two cores); the
embeddings are written to engines/kokoro/fit/stock_voices.safetensors. To be run again when the
voices, the speaker encoders, the sentences or `stock_voices._FORMAT` change.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_study import make_phonemizer
from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.ge2e_network import load_speaker_encoder
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.layers import FitLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import (
    SHIPPED,
    scan_stock_voices,
)
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    SCAN_SENTENCES,
    read_sentences,
)
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    models: Path = parser.parse_args().models
    folder = models / "kokoro/v1_0"
    kmodel = KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE).model
    voices = {p.stem: torch.load(p, weights_only=True) for p in sorted(folder.glob("voices/*.pt"))}
    SHIPPED.unlink(missing_ok=True)
    with ThreadPoolExecutor(2, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        scan_stock_voices(
            kmodel,
            FastDecoder(kmodel.decoder, FitLayers()),
            load_speaker_encoder(models / "ge2e/pretrained.pt"),
            load_campplus(models / "campplus/campplus_cn_en_common.pt"),
            load_whisper_features(models / "whisper/tiny.en"),
            read_sentences(kmodel, make_phonemizer(), SCAN_SENTENCES),
            voices,
            pool,
            SHIPPED,
            lambda done: print(f"{done} of {len(voices)}", flush=True),
        )


if __name__ == "__main__":
    main()
