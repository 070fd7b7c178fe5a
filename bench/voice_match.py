"""How near voice match comes: two stock voices, the match, fits of several lengths, the speaker.

    python bench/voice_match.py --models base_models --data instant_data --steps 2 6 15 \
        --speakers reader=clips/a italian=clips/b --page voice_match

A speaker is a folder of recordings: the first clips up to 16 s are matched and fitted, the next up
to 16 s are only judged by. `--data` holds the stock voices' renderings (bench/instant_data.py), on
which the judges are learned. CAM++ guides match and fit; GE2E and mfcc guide neither; whisper-base
is related to the timbre encoder, by which the match describes a sample. Prints a row of a Markdown
table for each voice as soon as it is judged, its processor seconds last, and at the end the means
and how much of the way from a stock voice to the speaker each kind of voice goes. `--page` writes
what was spoken to a folder, with a page to listen to it; a second run adds its speakers to it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from jinja2 import Environment
from safetensors.torch import load_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import FloatArray, closeness, make_judges, naturalness
from bench.voice_study import (
    NEW_SENTENCES,
    encoded_closeness,
    load_speaker,
    make_listener,
    make_phonemizer,
    make_transcriber,
    speak,
    trimmed,
)
from modules.core_components.ai_models.engines.campplus_network import load_campplus
from modules.core_components.ai_models.engines.ge2e_network import load_speaker_encoder
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
    fit_voice,
    measure_sample,
    nearest_voice,
)
from modules.core_components.ai_models.engines.kokoro.precision import choose_precision
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.whisper_features import load_whisper_features
from modules.core_components.progress import CancelToken, no_progress

JUDGES = ("CAM++", "GE2E", "whisper-base", "mfcc")
COLUMNS = ("speaker", "voice", "made of", *JUDGES, "DNSMOS", "WER", "processor s")
# The stock voice that is nearest by CAM++, that with which the match would start if it were one
# voice, the mix alone, and the match.
START, NEAREST, MIX, MATCH = "stock", "nearest", "mix", "match"
KINDS = (START, NEAREST, MIX, MATCH)
FIT = "fit"
PAGE_SENTENCE = 1  # of the new sentences: the one that the page lets hear
PAGE_SAMPLE_S = 6.0


@dataclass(frozen=True, eq=False)
class Made:
    """A voice to be judged: `pack` [510, 1, 256] and what is added in each layer, if anything."""

    pack: Tensor
    offsets: Tensor | None
    made_of: str


class Study:
    """The loaded models, and how a voice is made of a sample and judged."""

    def __init__(self, models: Path, data: Path, work: Path, precision: str) -> None:
        folder = models / "kokoro/v1_0"
        self.kokoro = KokoroV1Wrapper(
            folder / CONFIG_FILE,
            folder / WEIGHTS_FILE,
            precision=choose_precision(precision, "cpu"),
        )
        packs = sorted(folder.glob("voices/*.pt"))
        self.voices = {path.stem: torch.load(path, weights_only=True) for path in packs}
        self.whisper = models / "whisper/tiny.en"
        features = load_whisper_features(self.whisper)
        self.timbre = TimbreEncoder(partial(whisper_statistics, features), load_projection())
        self.campplus = load_campplus(models / "campplus/campplus_cn_en_common.pt")
        self.ge2e = load_speaker_encoder(models / "ge2e/pretrained.pt")
        self.judges = make_judges(models / "whisper/base", _stock_clips(data))
        self.phonemize = make_phonemizer()
        self.hear = make_listener(models / "whisper/base")
        self.transcribe = make_transcriber(models, work)
        self.model = load_instant_model()
        self.stock = _measured_voices(tuple(sorted(self.voices)), self.timbre)

    def make(self, kind: str, sample: FloatArray) -> Made:
        """A voice of one of `KINDS`, or a fit of so many steps ("fit 6")."""
        if kind == START:
            target = measure_sample(sample, self.ge2e, self.campplus, self.stock)
            start = nearest_voice(target, self.stock, FitOptions())
            return Made(self.voices[start], None, start)
        if kind.startswith(FIT):
            return self._fit(int(kind.split()[1]), sample)
        match = match_instantly(
            self.timbre, self.campplus, self.voices, sample, 16_000,
            model=self.model, strength=float(kind == MATCH),
        )  # fmt: skip
        if kind == NEAREST:
            return Made(self.voices[match.start_voice], None, match.start_voice)
        return Made(torch.from_numpy(match.pack), None, _named(match.shares))

    def _fit(self, steps: int, sample: FloatArray) -> Made:
        options = replace(FitOptions(), steps=steps, threads=1)
        fitted = fit_voice(
            self.kokoro.model, self.phonemize, self.ge2e, self.campplus, self.voices, sample,
            16_000, options, no_progress, CancelToken(), whisper_folder=self.whisper,
            transcribe=self.transcribe,
        )  # fmt: skip
        strength = fitted.report["strength"]
        pack, offsets = torch.from_numpy(fitted.pack), torch.from_numpy(fitted.layer_offsets)
        return Made(pack, offsets, f"{fitted.start_voice}, {strength:g} of the change")

    def compare(self, spoken: list[FloatArray], held: list[FloatArray]) -> list[float]:
        """The likeness by each of `JUDGES`."""
        return [
            encoded_closeness(self.campplus, spoken, held),
            encoded_closeness(self.ge2e, spoken, held),
            *(closeness(self.judges[name], spoken, held) for name in JUDGES[2:]),
        ]


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)  # processor seconds are compared
    study = Study(arguments.models, arguments.data, arguments.work, arguments.precision)
    kinds = [*arguments.kinds, *(f"{FIT} {steps}" for steps in arguments.steps)]
    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    found: dict[str, list[list[float]]] = {kind: [] for kind in ("self", *kinds)}
    for speaker, clips in arguments.speakers:
        sample, held = load_speaker(clips)
        own = study.compare([sample], held)
        found["self"].append(own)
        _print_row(speaker, "self", "", [*own, naturalness(held)], "")
        heard = {"sample": (sample[: int(PAGE_SAMPLE_S * 16_000)], own)}
        for kind in kinds:
            began = time.process_time()
            made = study.make(kind, sample)
            seconds = f"{time.process_time() - began:.1f}"
            spoken = speak(study.kokoro, study.phonemize, made.pack, made.offsets)
            likeness = study.compare(trimmed(spoken), held)
            found[kind].append([*likeness, naturalness(spoken), study.hear(spoken)])
            _print_row(speaker, kind, made.made_of, found[kind][-1], seconds)
            heard[kind] = (spoken[PAGE_SENTENCE], likeness)
        if arguments.page is not None:
            _add_to_page(arguments.page, speaker, heard)
    _print_means({kind: np.array(rows) for kind, rows in found.items()}, kinds)


def _print_row(speaker: str, kind: str, made_of: str, figures: list[float], seconds: str) -> None:
    cells = [f"{figure:.2f}" for figure in figures] + [""] * (len(JUDGES) + 2 - len(figures))
    print("|" + "|".join([speaker, kind, made_of, *cells, seconds]) + "|", flush=True)


def _print_means(found: dict[str, FloatArray], kinds: list[str]) -> None:
    """Means over the speakers, and how far of the way from a stock voice to the speaker."""
    likeness = slice(0, len(JUDGES))
    for kind, rows in found.items():
        _print_row("mean", kind, "", list(rows.mean(axis=0)), "")
    own = found["self"].mean(axis=0)
    stock = [kind for kind in kinds if kind in (START, NEAREST)]
    for first, made in itertools.product(stock, [kind for kind in kinds if kind not in stock]):
        before, reached = (found[kind].mean(axis=0)[likeness] for kind in (first, made))
        shares = [f"{share:.0%}" for share in (reached - before) / (own - before)]
        print("|" + "|".join([f"from {first}", made, "", *shares, "", "", ""]) + "|")


def _named(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.2f}" for name, share in list(shares.items())[:3])


def _measured_voices(names: tuple[str, ...], timbre: TimbreEncoder) -> StockVoices:
    """The shipped embeddings of Kokoro v1.0's voices, by which the nearest one is found."""
    kept = load_file(Path(stock_voices.__file__).with_suffix(".safetensors"))
    return StockVoices(names, kept["ge2e"], kept["campplus"], timbre, kept["ear"])


def _stock_clips(folder: Path) -> dict[str, list[Tensor]]:
    """The stock voices' clips by voice, as bench/instant_data.py wrote them."""
    clips = {}
    for path in sorted(folder.glob("stock_*.safetensors")):
        tensors = load_file(path)
        clips[path.stem] = [tensors[key].float() for key in sorted(tensors) if "clip" in key]
    return clips


# -- The page to listen to it ----------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Voice match</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem;
    padding: 0 1rem; color-scheme: light dark; }
  .speaker { display: grid; gap: 1rem;
    grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); }
  figure { margin: 0; } figcaption { font-size: 0.9rem; } audio { width: 100%; }
</style></head><body>
<h1>Voice match</h1>
<p>Each row is a speaker: a part of the sample, then "{{ sentence }}" by the nearest stock voice, by
the voice that is matched at once (match), and by fits of so many steps (fit 14). The figures are
the cosines of four sentences with other recordings of the speaker: {{ judges | join(", ") }}; those
of the sample say how similar the speaker's own recordings are to each other. Made by
<code>bench/voice_match.py --page</code>.</p>
{% for speaker, voices in speakers.items() %}<h2>{{ speaker }}</h2>
<div class="speaker">{% for voice in voices %}
<figure>{% if voice.file %}<audio controls preload="none" src="{{ voice.file }}"></audio>
{% else %}<p>Not included here, for its licence.</p>{% endif %}
<figcaption>{{ voice.name }}<br>{{ voice.likeness }}</figcaption></figure>
{% endfor %}</div>
{% endfor %}</body></html>
"""
_INDEX = "voices.json"


def _add_to_page(
    folder: Path, speaker: str, heard: Mapping[str, tuple[FloatArray, list[float]]]
) -> None:
    """Writes a speaker's clips [n] at 16 kHz as mp3, and the page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / _INDEX
    speakers: dict[str, Any] = json.loads(index.read_text("utf-8")) if index.exists() else {}
    speakers[speaker] = []
    for number, (name, (clip, likeness)) in enumerate(heard.items()):
        file = f"{speaker}-{number}.mp3"
        soundfile.write(folder / file, np.clip(clip, -1, 1), 16_000, format="MP3")
        figures = ", ".join(f"{figure:.2f}" for figure in likeness)
        speakers[speaker].append({"name": name, "file": file, "likeness": figures})
    index.write_text(json.dumps(speakers, indent=1), "utf-8")
    write_page(folder)


def write_page(folder: Path) -> None:
    """The page of what lies in the folder; a clip that is missing there is left out."""
    speakers = json.loads((folder / _INDEX).read_text("utf-8"))
    for voice in itertools.chain(*speakers.values()):
        voice["file"] = voice["file"] if (folder / voice["file"]).exists() else None
    page = (
        Environment(autoescape=True)
        .from_string(_PAGE)
        .render(speakers=speakers, judges=JUDGES, sentence=NEW_SENTENCES[PAGE_SENTENCE])
    )
    (folder / "index.html").write_text(page, "utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("bench/work"))
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--precision", choices=("auto", "bfloat16", "float32"), default="float32")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=[START, MATCH])
    parser.add_argument("--steps", nargs="*", type=int, default=[], help="of each fit")
    parser.add_argument("--page", type=Path, help="the folder of the page to listen to")
    arguments = parser.parse_args()
    pairs = (text.split("=", 1) for text in arguments.speakers)
    arguments.speakers = [(name, Path(folder)) for name, folder in pairs]
    return arguments


if __name__ == "__main__":
    main()
