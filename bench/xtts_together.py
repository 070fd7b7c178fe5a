"""Several processes that train XTTS together, against one with batches as large as all of theirs.

    python bench/xtts_together.py --work /tmp/bench [--processes 2] [--batch-size 4] [--epochs 3]

On a machine with several GPUs each process has one and the model is of full size; elsewhere it is
the tiny one of the tests, and the processes share the processor. Prints Markdown: both loss curves,
how far they are apart, and the seconds of a step.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.xtts_training import full_size_base
from modules.core_components.ai_models.engines.xtts.training.plan import (
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    TrainingRow,
    row_to_json,
)
from modules.core_components.dataset.values import EVAL, SAMPLE_RATE_HZ, TRAIN
from modules.core_components.library.training_events import EVAL as EVALUATED
from modules.core_components.library.training_events import STEP, Event, read_events
from modules.core_components.library.training_runs import RunFiles
from tests.helpers.tiny_xtts import build_tiny_xtts
from tests.helpers.xtts_studio import SENTENCES

HELD_OUT = 4


def humming(folder: Path, clips: int) -> list[TrainingRow]:
    """Clips of 1 to 1.6 s; the last ones are held out."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(clips + HELD_OUT):
        times_s = np.arange(round((1 + 0.15 * (number % 5)) * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
        name, subset = f"{number}.wav", TRAIN if number < clips else EVAL
        tone = 0.2 * np.sin(2 * np.pi * (150 + 5 * number) * times_s)
        soundfile.write(folder / name, tone, SAMPLE_RATE_HZ)
        text = SENTENCES[number % len(SENTENCES)]
        rows.append(TrainingRow(str(number), name, text, "hum", subset))
    return rows


def trained(folder: Path, setup: TrainingSetup, rows: Sequence[TrainingRow]) -> tuple[Event, ...]:
    """The events of a training from its beginning to its end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = RunFiles(folder)
    files.rows.write_text(json.dumps({"rows": [row_to_json(row) for row in rows]}), "utf-8")
    setup.write(files.setup)
    process = TrainingProcess(files)
    code = process.wait()
    process.close()
    if code != 0:
        raise SystemExit(f"It failed; {files.log} says why.")
    return read_events(files.progress)


def print_curves(one: Sequence[Event], several: Sequence[Event]) -> None:
    for kind in (STEP, EVALUATED):
        print(f"\n| {kind} | clips | one | together | apart |\n|---|---|---|---|---|")
        pairs = [[e for e in events if e["kind"] == kind] for events in (one, several)]
        most = 0.0
        for alone, shared in zip(*pairs, strict=True):
            apart = abs(shared["loss"] / alone["loss"] - 1)
            most = max(most, apart)
            print(f"| {alone['step']} | {shared.get('clips', '')} | {alone['loss']:.4f} | "
                  f"{shared['loss']:.4f} | {apart:.2%} |")  # fmt: skip
        print(f"\nAt most {most:.2%} apart.")
    alone_s, shared_s = (
        median([e["step_s"] for e in events if e["kind"] == STEP][1:]) for events in (one, several)
    )
    print(f"\nA step: {alone_s:.2f} s with one process, {shared_s:.2f} s with several: "
          f"{alone_s / shared_s:.2f} times as fast.")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--clips", type=int, default=18)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    work, count = given.work, given.processes
    on_gpus = torch.cuda.device_count() >= count
    devices = tuple(f"cuda:{n}" if on_gpus else "cpu" for n in range(count))
    base = build_tiny_xtts(work / "tiny")
    if on_gpus:
        base = full_size_base(base, work / "full")
    plan = TrainingPlan(
        epochs=given.epochs, batch_size=given.batch_size, workers=0, early_stopping=0,
        learning_rate=5e-6 if on_gpus else 1e-3,
    )  # fmt: skip
    several = TrainingSetup(
        plan, "en", devices[0], given.threads, work / "clips", base / "model.pth",
        base / "config.json", base / "vocab.json", base / "dvae.pth", base / "mel_stats.pth",
        devices=devices,
    )  # fmt: skip
    larger = replace(plan, batch_size=count * plan.batch_size)
    one = replace(several, plan=larger, devices=())
    rows = humming(work / "clips", given.clips)
    size = "full size" if on_gpus else "tiny"
    print(f"{size}, {count} processes on {', '.join(devices)}, batches of {given.batch_size} each")
    print_curves(trained(work / "one", one, rows), trained(work / "several", several, rows))


if __name__ == "__main__":
    main()
