"""What removing the noise of a sample does to the voice that is cloned from it.

    python -m bench.clean_and_clone --models base_models --data instant_data/mixes \
        --speakers reader=clips/a italian=clips/b [--kinds match "fit 14"]

A speaker is a folder of recordings, as in bench/voice_match.py. The sample is mixed with pink noise
at each level, and its voice is made of it as it is and after DeepFilterNet 3; the first row is the
sample without noise. What is judged is not the sample but four new sentences in the voice: the
cosine with *clean* recordings of the speaker by GE2E, which guides neither the match nor the fit
(CAM++ does), by the two judges of bench/voice_judges.py, DNSMOS and the word error rate of Whisper
base. Prints a row of a Markdown table for each voice, and the means at the end.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.voice_judges import FloatArray, naturalness
from bench.voice_match import JUDGES, MATCH, Study
from bench.voice_study import load_speaker, speak, trimmed
from modules.core_components.audio.denoise import remove_noise
from modules.core_components.values import Speech
from tests.helpers.noise import pink, with_noise

RATE_HZ = 16_000
LEVELS_DB = (15.0, 5.0)
COLUMNS = ("speaker", "voice", "sample", *JUDGES, "DNSMOS", "WER", "seconds")
CLEAN = "without noise"


def samples(clean: FloatArray, levels_db: tuple[float, ...]) -> dict[str, FloatArray]:
    """The sample as it is in each row, 16 kHz, pauses cut out as an engine does."""
    made = {CLEAN: clean}
    for level_db in levels_db:
        noisy = with_noise(Speech(clean, RATE_HZ), pink(len(clean)), level_db)
        noisy = Speech(noisy.samples / max(1.0, float(np.abs(noisy.samples).max())), RATE_HZ)
        made[f"{level_db:g} dB"] = noisy.samples
        made[f"{level_db:g} dB, cleaned"] = remove_noise(noisy).samples
    return {name: trimmed([sample])[0] for name, sample in made.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, default=Path("base_models"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("bench/work"))
    parser.add_argument("--speakers", nargs="+", required=True, metavar="NAME=FOLDER")
    parser.add_argument("--levels", nargs="+", type=float, default=LEVELS_DB)
    parser.add_argument("--kinds", nargs="+", default=[MATCH], help="match, or a fit: 'fit 14'")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    study = Study(asked.models, asked.data, asked.work, "float32")
    found: defaultdict[tuple[str, str], list[list[float]]] = defaultdict(list)
    print("|" + "|".join(COLUMNS) + "|\n|" + "---|" * len(COLUMNS), flush=True)
    for speaker, folder in (text.split("=", 1) for text in asked.speakers):
        clean, held = load_speaker(Path(folder))
        for kind in asked.kinds:
            for name, sample in samples(clean, tuple(asked.levels)).items():
                began = time.process_time()
                made = study.make(kind, sample)
                seconds = time.process_time() - began
                spoken = speak(study.kokoro, study.phonemize, made.pack, made.offsets)
                figures = [*study.compare(trimmed(spoken), held), naturalness(spoken)]
                figures.append(study.hear(spoken))
                found[kind, name].append(figures)
                _print_row(speaker, kind, name, figures, f"{seconds:.1f}")
    for (kind, name), rows in found.items():
        _print_row("mean", kind, name, list(np.mean(rows, axis=0)), "")


def _print_row(speaker: str, kind: str, name: str, figures: list[float], seconds: str) -> None:
    cells = [f"{figure:.2f}" for figure in figures]
    print("|" + "|".join([speaker, kind, name, *cells, seconds]) + "|", flush=True)


if __name__ == "__main__":
    main()
