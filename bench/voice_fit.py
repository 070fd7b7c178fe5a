"""The study of voice match: fits speakers with variants of the options, judges the held-out part.

    python bench/voice_fit.py --models base_models --speakers reader=clips/a italian=clips/b \
        --variants default ge2e:ge2e=1,campplus=0 plain:layer_rate=0,content=0 --others clips/c

A speaker is a folder of recordings: the first clips up to 16 s are fitted on, the next up to 16 s
are only judged by. They must hold speech: leave the silences, tones and monkeys of Debian's
Asterisk prompts out. `--others` are folders of other people, whom the judges learn from beside the
stock voices. Prints one row of a Markdown table for each fit as soon as it is done.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import WINDOW, FloatArray, closeness, make_judges, naturalness
from bench.voice_study import (
    encoded_closeness,
    load_speaker,
    make_listener,
    make_phonemizer,
    make_transcriber,
    speak,
    trimmed,
)
from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.ge2e_network import (
    load_speaker_encoder,
)
from modules.core_components.ai_models.engines.kokoro.decoder import FastDecoder
from modules.core_components.ai_models.engines.kokoro.fit.layers import FitLayers
from modules.core_components.ai_models.engines.kokoro.fit.stock_voices import render
from modules.core_components.ai_models.engines.kokoro.fit.text import (
    SCAN_SENTENCES,
    Reading,
)
from modules.core_components.ai_models.engines.kokoro.fit.timbre_encoder import cut_windows
from modules.core_components.ai_models.engines.kokoro.fit.voice_fit import (
    FitOptions,
    fit_voice,
)
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.progress import CancelToken, no_progress

COLUMNS = (
    "speaker", "variant", "start", "GE2E stock", "fitted", "self", "CAM++ stock", "fitted", "self",
    "whisper-base stock", "fitted", "self", "mfcc stock", "fitted", "self", "DNSMOS stock",
    "fitted", "pack only", "WER", "s",
)  # fmt: skip


def main() -> None:
    arguments = _arguments()
    models: Path = arguments.models
    folder = models / "kokoro/v1_0"
    kokoro = KokoroV1Wrapper(folder / CONFIG_FILE, folder / WEIGHTS_FILE)
    kmodel = kokoro.model
    voices = {p.stem: torch.load(p, weights_only=True) for p in sorted(folder.glob("voices/*.pt"))}
    ge2e = load_speaker_encoder(models / "ge2e/pretrained.pt")
    campplus = load_campplus(models / "campplus/campplus_cn_en_common.pt")
    phonemize = make_phonemizer()
    clips = _stock_clips(kmodel, phonemize, voices, arguments.work / "stock_clips.safetensors")
    clips |= {folder.name: _pieces(folder) for folder in arguments.others}
    judges = make_judges(models / "whisper/base", clips)
    hear = make_listener(models / "whisper/base")
    transcribe = make_transcriber(models, arguments.work)

    def compare(spoken: list[FloatArray], held: list[FloatArray]) -> list[float]:
        return [
            *(encoded_closeness(encoder, spoken, held) for encoder in (ge2e, campplus)),
            *(closeness(judges[name], spoken, held) for name in ("whisper-base", "mfcc")),
        ]

    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    for speaker, folder in arguments.speakers:
        heard, held = load_speaker(folder)
        own = compare([heard], held)
        for variant, options in arguments.variants:
            began = time.monotonic()
            fitted = fit_voice(
                kmodel, phonemize, ge2e, campplus, voices, heard, 16_000, options, no_progress,
                CancelToken(), scan_cache=arguments.work / "stock_voices.safetensors",
                whisper_folder=models / "whisper/tiny.en", transcribe=transcribe,
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
            print(json.dumps(fitted.report), file=sys.stderr, flush=True)


def _stock_clips(
    kmodel: Any,
    phonemize: Callable[[str], str],
    voices: Mapping[str, torch.Tensor],
    kept: Path,
) -> dict[str, list[torch.Tensor]]:
    """Two sentences by each stock voice, kept in a file, since they take minutes."""
    if not kept.exists():
        decoder = FastDecoder(kmodel.decoder, FitLayers())
        readings = [Reading(kmodel, phonemize(sentence)) for sentence in SCAN_SENTENCES]
        kept.parent.mkdir(parents=True, exist_ok=True)
        rendered = {
            f"{name}/{number}": render(kmodel, decoder, reading, pack[reading.row], seed=0)
            for name, pack in voices.items()
            for number, reading in enumerate(readings)
        }
        save_file(rendered, kept)
    clips: dict[str, list[torch.Tensor]] = {}
    for key, clip in load_file(kept).items():
        clips.setdefault(key.partition("/")[0], []).append(clip)
    return clips


def _pieces(folder: Path) -> list[torch.Tensor]:
    """The first 16 s of a speaker in windows, as the judges compare them."""
    return cut_windows(torch.from_numpy(load_speaker(folder)[0]), WINDOW)


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
    parser.add_argument("--others", nargs="*", default=[], type=Path, metavar="FOLDER")
    parser.add_argument("--variants", nargs="+", default=["default"], metavar="NAME:KEY=VALUE,...")
    arguments = parser.parse_args()
    pairs = (text.split("=", 1) for text in arguments.speakers)
    arguments.speakers = [(name, Path(folder)) for name, folder in pairs]
    arguments.variants = [_variant(text) for text in arguments.variants]
    return arguments


if __name__ == "__main__":
    main()
