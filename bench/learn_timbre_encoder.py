"""Learns the timbre encoder's projection and writes it beside its module (80 KB, float16).

    python bench/learn_timbre_encoder.py --models base_models --speakers /usr/share/klettres

Speakers: the stock voices (four short sentences each) and real ones, a folder each (Debian's
`klettres-data`: letters and syllables in 20 languages, a speaker each). Stock voices alone would
do, but an encoder that has never met a microphone confuses more real people (equal error rate 14 %
instead of 11 %).
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.discriminant import learn_projection, save_projection
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.layers import FitLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import render
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    GUARD_SENTENCES,
    SCAN_SENTENCES,
    Reading,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    PROJECTION_FILE,
    cut_windows,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.kokoro.network import import_kmodel
from modules.core_components.ai_models.engines.kokoro.reading.english import EnglishG2P
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features

WINDOW = 40_000  # 2.5 s
WINDOWS_PER_SPEAKER = 6
FEWEST_FILES = 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--speakers", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    clips = stock_clips(arguments.models / "kokoro/v1_0")
    for folder in sorted(arguments.speakers.iterdir()):
        paths = sorted(folder.rglob("*.ogg"))
        if len(paths) >= FEWEST_FILES:
            clips[f"real {folder.name}"] = real_clips(paths)
    features = load_whisper_features(arguments.models / "whisper/tiny.en")
    projection = learn_projection(partial(whisper_statistics, features), clips)
    save_projection(projection, PROJECTION_FILE)
    print(f"{len(clips)} speakers, {PROJECTION_FILE} {PROJECTION_FILE.stat().st_size} bytes")


def stock_clips(folder: Path) -> dict[str, list[Tensor]]:
    kmodel = import_kmodel()(
        repo_id="hexgrad/Kokoro-82M",
        config=str(folder / "config.json"),
        model=str(folder / "kokoro-v1_0.pth"),
    ).eval()
    g2p = EnglishG2P(british=False)
    decoder = FastDecoder(kmodel.decoder, FitLayers())
    readings = [Reading(kmodel, str(g2p(s)[0])) for s in (*SCAN_SENTENCES, *GUARD_SENTENCES)]
    clips = {}
    for path in sorted(folder.glob("voices/*.pt")):
        pack = torch.load(path, weights_only=True)
        clips[path.stem] = [render(kmodel, decoder, r, pack[r.row], seed=0) for r in readings]
    return clips


def real_clips(paths: list[Path]) -> list[Tensor]:
    """Up to six pieces of 2.5 s, the silence around each syllable cut off."""
    from faster_whisper.audio import decode_audio

    order = np.random.default_rng(0).permutation(len(paths))
    parts: list[np.ndarray] = []
    for index in order[:60]:
        clip = np.asarray(decode_audio(str(paths[int(index)])), dtype=np.float32)
        frames = clip[: len(clip) // 160 * 160].reshape(-1, 160)
        level = np.sqrt((frames**2).mean(axis=1))
        loud = np.flatnonzero(level > 0.03 * level.max(initial=0.0))
        if len(loud):
            parts.append(clip[loud[0] * 160 : (loud[-1] + 1) * 160])
    return cut_windows(torch.from_numpy(np.concatenate(parts)), WINDOW)[:WINDOWS_PER_SPEAKER]


if __name__ == "__main__":
    main()
