"""The study of the instant match: two stock voices, the best mix, the match, the speaker.

    python bench/instant_match.py --models base_models --data instant_data \
        --speakers reader=clips/a italian=clips/b

A speaker is a folder of recordings: the first clips up to 16 s are matched, the next up to 16 s
are only judged by. `--data` holds the stock voices' renderings (bench/instant_data.py), on which
the judges are learned. CAM++ guides the match; GE2E, whisper-base and mfcc do not. Prints a row of
a Markdown table for each voice as soon as it is judged, and at the end how much of the way from
the nearest stock voice to the speaker each kind of voice goes.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import FloatArray, closeness, make_judges, naturalness
from bench.voice_study import (
    encoded_closeness,
    load_speaker,
    make_listener,
    make_phonemizer,
    speak,
    trimmed,
)
from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.kokoro.fit import stock_voices
from modules.core_components.ai_models.engines.kokoro.fit.inputs import FitOptions
from modules.core_components.ai_models.engines.kokoro.fit.instant_match import (
    load_instant_model,
    match_instantly,
)
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import StockVoices
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import (
    TimbreEncoder,
    load_projection,
    whisper_statistics,
)
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import (
    measure_sample,
    nearest_voice,
)
from modules.core_components.ai_models.engines.kokoro.precision import choose_precision
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.speaker_encoder import load_speaker_encoder
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features

JUDGES = ("CAM++", "GE2E", "whisper-base", "mfcc")
COLUMNS = ("speaker", "voice", "made of", *JUDGES, "DNSMOS", "WER", "s")
# The stock voice that a fit starts from (`nearest_voice`), that with which the instant match
# would if it were one voice, the mix, and the match.
START, NEAREST, MIX, MATCH = "start", "nearest", "mix", "match"
KINDS = (START, NEAREST, MIX, MATCH)


def main() -> None:
    arguments = _arguments()
    models: Path = arguments.models
    folder = models / "kokoro/v1_0"
    kokoro = KokoroV1Wrapper(
        folder / CONFIG_FILE,
        folder / WEIGHTS_FILE,
        precision=choose_precision(arguments.precision, "cpu"),
    )
    voices = {p.stem: torch.load(p, weights_only=True) for p in sorted(folder.glob("voices/*.pt"))}
    features = load_whisper_features(models / "whisper/tiny.en")
    timbre = TimbreEncoder(partial(whisper_statistics, features), load_projection())
    campplus = load_campplus(models / "campplus/campplus_cn_en_common.pt")
    ge2e = load_speaker_encoder(models / "ge2e/pretrained.pt")
    judges = make_judges(models / "whisper/base", _stock_clips(arguments.data))
    phonemize = make_phonemizer()
    hear = make_listener(models / "whisper/base")
    model = load_instant_model()

    def compare(spoken: list[FloatArray], held: list[FloatArray]) -> list[float]:
        return [
            encoded_closeness(campplus, spoken, held),
            encoded_closeness(ge2e, spoken, held),
            *(closeness(judges[name], spoken, held) for name in JUDGES[2:]),
        ]

    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    stock = _measured_voices(tuple(sorted(voices)), timbre)
    found: dict[str, list[list[float]]] = {kind: [] for kind in (*arguments.kinds, "self")}
    for speaker, clips in arguments.speakers:
        heard, held = load_speaker(clips)
        own = compare([heard], held)
        found["self"].append(own)
        _print_row(speaker, "self", "", [*own, naturalness(held)], "")
        start = nearest_voice(measure_sample(heard, ge2e, campplus, stock), stock, FitOptions())
        for kind in arguments.kinds:
            began = time.monotonic()
            match = match_instantly(
                timbre, campplus, voices, heard, 16_000, model=model, strength=float(kind == MATCH)
            )
            seconds = f"{time.monotonic() - began:.1f}"
            pack, made_of = torch.from_numpy(match.pack), _named(match.shares)
            if kind in (START, NEAREST):
                made_of = start if kind == START else match.start_voice
                pack = voices[made_of]
            spoken = speak(kokoro, phonemize, pack, None)
            likeness = compare(trimmed(spoken), held)
            found[kind].append([*likeness, naturalness(spoken), hear(spoken)])
            _print_row(speaker, kind, made_of, found[kind][-1], seconds)
    _print_means({kind: np.array(rows) for kind, rows in found.items()})


def _print_row(speaker: str, kind: str, made_of: str, figures: list[float], seconds: str) -> None:
    cells = [f"{figure:.2f}" for figure in figures] + [""] * (len(JUDGES) + 2 - len(figures))
    print("|" + "|".join([speaker, kind, made_of, *cells, seconds]) + "|", flush=True)


def _print_means(found: dict[str, FloatArray]) -> None:
    """Means over the speakers, and how far of the way from a stock voice to the speaker."""
    likeness = slice(0, len(JUDGES))
    for kind, rows in found.items():
        _print_row("mean", kind, "", list(rows.mean(axis=0)), "")
    own = found["self"].mean(axis=0)
    for stock, made in itertools.product((START, NEAREST), (MIX, MATCH)):
        if stock in found and made in found:
            first, reached = (found[kind].mean(axis=0)[likeness] for kind in (stock, made))
            shares = [f"{share:.0%}" for share in (reached - first) / (own - first)]
            print("|" + "|".join([f"from {stock}", made, "", *shares, "", "", ""]) + "|")


def _named(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in list(shares.items())[:3])


def _measured_voices(names: tuple[str, ...], timbre: TimbreEncoder) -> StockVoices:
    """The shipped embeddings of Kokoro v1.0's voices, by which a fit finds its start."""
    kept = load_file(Path(stock_voices.__file__).with_suffix(".safetensors"))
    return StockVoices(names, kept["ge2e"], kept["campplus"], timbre, kept["ear"])


def _stock_clips(folder: Path) -> dict[str, list[Tensor]]:
    """The stock voices' clips by voice, as bench/instant_data.py wrote them."""
    clips = {}
    for path in sorted(folder.glob("stock_*.safetensors")):
        tensors = load_file(path)
        clips[path.stem] = [tensors[key].float() for key in sorted(tensors) if "clip" in key]
    return clips


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--precision", choices=("auto", "bfloat16", "float32"), default="auto")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    arguments = parser.parse_args()
    pairs = (text.split("=", 1) for text in arguments.speakers)
    arguments.speakers = [(name, Path(folder)) for name, folder in pairs]
    return arguments


if __name__ == "__main__":
    main()
