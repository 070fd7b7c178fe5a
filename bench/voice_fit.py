"""The study of voice match: fits speakers with variants of the options, judges the held-out part.

    python bench/voice_fit.py --models base_models --speakers reader=clips/a italian=clips/b \
        --variants default no-ear:ear=0 plain:layer_rate=0,content=0

A speaker is a folder of recordings: the first clips up to 16 s are fitted on, the next up to 16 s
are only judged by. Prints one row of a Markdown table for each fit as soon as it is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import torch

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
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.layers import FitLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import render
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    GUARD_SENTENCES,
    SCAN_SENTENCES,
    Reading,
)
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import FitOptions, fit_voice
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.speaker_encoder import (
    load_speaker_encoder,
)
from modules.core_components.progress import CancelToken, no_progress

COLUMNS = (
    "speaker", "variant", "start", "GE2E stock", "fitted", "self", "whisper-base stock", "fitted",
    "self", "mfcc stock", "fitted", "self", "DNSMOS stock", "fitted", "pack only", "WER", "s",
)  # fmt: skip


def main() -> None:
    arguments = _arguments()
    models: Path = arguments.models
    folder = models / "kokoro/v1_0"
    kokoro = KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE)
    kmodel = kokoro.model
    voices = {p.stem: torch.load(p, weights_only=True) for p in sorted(folder.glob("voices/*.pt"))}
    encoder = load_speaker_encoder(models / "ge2e/pretrained.pt")
    phonemize = make_phonemizer()
    decoder = FastDecoder(kmodel.decoder, FitLayers())
    readings = [Reading(kmodel, phonemize(s)) for s in (*SCAN_SENTENCES, *GUARD_SENTENCES)]
    clips = {
        name: [render(kmodel, decoder, r, pack[r.row], seed=9) for r in readings]
        for name, pack in voices.items()
    }
    judges = make_judges(models / "whisper/base", clips)
    hear = make_listener(models / "whisper/base")

    def compare(spoken: list[FloatArray], held: list[FloatArray]) -> list[float]:
        return [
            encoded_closeness(encoder, spoken, held),
            *(closeness(judges[name], spoken, held) for name in ("whisper-base", "mfcc")),
        ]

    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    for speaker, folder in arguments.speakers:
        heard, held = load_speaker(folder)
        own = compare([heard], held)
        for variant, options in arguments.variants:
            began = time.monotonic()
            fitted = fit_voice(
                kmodel, phonemize, encoder, voices, heard, 16_000, options, no_progress,
                CancelToken(), scan_cache=arguments.work / "stock_voices.safetensors",
                whisper_folder=models / "whisper/tiny.en",
            )  # fmt: skip
            seconds = time.monotonic() - began
            pack, offsets = torch.from_numpy(fitted.pack), torch.from_numpy(fitted.layer_offsets)
            stock = speak(kokoro, phonemize, voices[fitted.start_voice], None)
            spoken = speak(kokoro, phonemize, pack, offsets)
            plain = speak(kokoro, phonemize, pack, None)
            before, after = compare(trimmed(stock), held), compare(trimmed(spoken), held)
            figures = [f for row in zip(before, after, own, strict=True) for f in row]
            figures += [naturalness(stock), naturalness(spoken), naturalness(plain), hear(spoken)]
            row = [speaker, variant, fitted.start_voice, *(f"{f:.2f}" for f in figures)]
            print("|" + "|".join([*row, f"{seconds:.0f}"]) + "|", flush=True)


def _variant(text: str) -> tuple[str, FitOptions]:
    name, _, rest = text.partition(":")
    kinds = {field.name: field.type for field in dataclasses.fields(FitOptions)}
    pairs = (pair.split("=") for pair in rest.split(",") if pair)
    changes = {k: int(v) if kinds[k] == "int" else float(v) for k, v in pairs}
    return name, dataclasses.replace(FitOptions(), **changes)  # type: ignore[arg-type]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--work", type=Path, default=Path("bench/work"))
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--variants", nargs="+", default=["default"], metavar="NAME:KEY=VALUE,...")
    arguments = parser.parse_args()
    pairs = (text.split("=", 1) for text in arguments.speakers)
    arguments.speakers = [(name, Path(folder)) for name, folder in pairs]
    arguments.variants = [_variant(text) for text in arguments.variants]
    return arguments


if __name__ == "__main__":
    main()
