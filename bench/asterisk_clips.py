"""Real clips with their published texts: Debian's Asterisk prompts as rows of a training."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import soundfile

from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import TrainingRow
from modules.core_components.dataset.values import EVAL, SAMPLE_RATE_HZ, TRAIN

SHORTEST_S, LONGEST_S = 2.0, 11.0
_EVERY_NTH_FOR_EVALUATION = 6


def asterisk_rows(packages: Path, folder: Path, count: int) -> tuple[TrainingRow, ...]:
    """Writes `count` clips of 2 to 11 s to `folder/wavs` (22,050 Hz, mono) and returns their rows.

    `packages` holds the unpacked Debian packages asterisk-core-sounds-en and
    asterisk-core-sounds-en-g722 (folders whose names end so). Needs ffmpeg.
    """
    texts = _texts(next(packages.glob("*asterisk-core-sounds-en/**/core-sounds-en.txt.gz")))
    recordings = sorted(packages.glob("*asterisk-core-sounds-en-g722/**/en_US_f_Allison/**/*.g722"))
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    rows: list[TrainingRow] = []
    for recording in recordings:
        text = texts.get(recording.stem)
        if text is None or len(rows) == count:
            continue
        wav = folder / "wavs" / f"{recording.stem}.wav"
        form = ("-ar", str(SAMPLE_RATE_HZ), "-ac", "1")
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", "-f", "g722", "-i", recording, *form, wav], check=True
        )
        if not SHORTEST_S <= soundfile.info(wav).duration <= LONGEST_S:
            wav.unlink()
            continue
        subset = TRAIN if len(rows) % _EVERY_NTH_FOR_EVALUATION else EVAL
        rows.append(TrainingRow(wav.stem, f"wavs/{wav.name}", text, "allison", subset))
    return tuple(rows)


def _texts(path: Path) -> dict[str, str]:
    """What is said in each prompt, by its name; without those that hold tones or placeholders."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        pairs = (line.strip().partition(": ") for line in file if not line.startswith(";"))
        return {
            name.rpartition("/")[2]: text
            for name, _, text in pairs
            if text and re.fullmatch(r"[A-Za-z',.?! -]+", text)
        }
