"""A training of the tiny XTTS on real clips: unbroken, killed and resumed, stopped, poisoned.

    python bench/xtts_training_story.py --packages PACKAGES --work /tmp/story

Prints a Markdown table. `--packages` holds Debian's asterisk-core-sounds-en and -en-g722, unpacked.
The fast versions of these checks are tests/tools/test_train_xtts.py and test_training_loop.py.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import psutil
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.asterisk_clips import asterisk_rows
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan, TrainingSetup
from modules.core_components.ai_models.engines.xtts.training.process import TrainingProcess
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    TrainingRow,
    row_to_json,
)
from modules.core_components.dataset.values import SAMPLE_RATE_HZ
from modules.core_components.library.training_events import (
    EVAL,
    NOTE,
    SAVING,
    START,
    STEP,
    Event,
    read_events,
)
from modules.core_components.library.training_runs import TrainingRun, TrainingRunLibrary
from tests.helpers.tiny_xtts import build_tiny_xtts

POLL_S = 0.05


class Bench:
    """Trainings of one base on one set of clips, each in its process."""

    def __init__(self, work: Path, base: Path, clips: Path, plan: TrainingPlan) -> None:
        self._runs = TrainingRunLibrary(work / "runs")
        self._base = base
        self._clips = clips
        self._plan = plan

    def begin(self, name: str, rows: Sequence[TrainingRow]) -> TrainingRun:
        plain = [row_to_json(row) for row in rows]
        run = self._runs.create(name, "asterisk", "tiny", "en", {}, plain)
        base = self._base
        TrainingSetup(
            plan=self._plan,
            language="en",
            device="cpu",
            threads=1,
            dataset_folder=self._clips,
            weights=base / "model.pth",
            config=base / "config.json",
            vocabulary=base / "vocab.json",
            dvae=base / "dvae.pth",
            mel_norms=base / "mel_stats.pth",
        ).write(run.files.setup)
        return run

    def train(
        self, run: TrainingRun, until: Callable[[Sequence[Event]], bool] | None = None
    ) -> TrainingProcess:
        """Starts the run's process; returns it when it has ended, or when `until` holds."""
        process = TrainingProcess(run.files)
        while process.wait(POLL_S) is None:
            if until is not None and until(read_events(run.files.progress)):
                break
        return process


def losses(run: TrainingRun) -> list[float]:
    return [e["loss"] for e in read_events(run.files.progress) if e["kind"] == EVAL]


def of_kind(run: TrainingRun, kind: str) -> list[Event]:
    return [event for event in read_events(run.files.progress) if event["kind"] == kind]


def steps_reached(step: int) -> Callable[[Sequence[Event]], bool]:
    return lambda events: any(e["kind"] == STEP and e["step"] >= step for e in events)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    given = parser.parse_args()
    rows = asterisk_rows(given.packages, given.work / "clips", given.clips)
    base = build_tiny_xtts(given.work / "base")
    plan = TrainingPlan(
        epochs=given.epochs,
        learning_rate=given.learning_rate,
        checkpoint_minutes=0.1,
        early_stopping=0,
    )
    bench = Bench(given.work, base, given.work / "clips", plan)
    print("| what | figure |\n|---|---|")

    whole = bench.begin("whole", rows)
    bench.train(whole)
    first, last = losses(whole)[0], losses(whole)[-1]
    fall = 100 * (1 - last / first)
    print(f"| evaluation loss, {given.epochs} epochs | {first:.4f} to {last:.4f} (-{fall:.1f} %) |")

    killed = bench.begin("killed", rows)
    per_epoch = of_kind(whole, START)[0]["steps_per_epoch"]
    process = bench.train(killed, until=steps_reached(per_epoch + per_epoch // 2))
    psutil.Process(process.pid).kill()
    process.wait()
    reached = of_kind(killed, STEP)[-1]["step"]
    bench.train(killed)
    resumed = of_kind(killed, START)[1]["step"]
    difference = 100 * (losses(killed)[-1] / last - 1)
    print(f"| killed (SIGKILL) after step {reached} of {per_epoch * given.epochs}, resumed at step "
          f"| {resumed} |")  # fmt: skip
    print(f"| final evaluation loss against the unbroken run's | {difference:+.3f} % |")

    stopped = bench.begin("stopped", rows)
    process = bench.train(stopped, until=steps_reached(3))
    asked_s = time.time()
    stopped.files.stop.touch()
    process.wait()
    computed_s = of_kind(stopped, SAVING)[0]["time"] - asked_s
    print(f"| stop: nothing computed any more after | {computed_s:.2f} s |")
    print(f"| stop: state written and process gone after | {time.time() - asked_s:.2f} s |")

    victim = next(row for row in rows if row.for_training)
    silence = np.full(3 * SAMPLE_RATE_HZ, np.nan, dtype=np.float32)
    file = given.work / "clips" / victim.audio_file
    soundfile.write(file, silence, SAMPLE_RATE_HZ, subtype="FLOAT")
    poisoned = bench.begin("poisoned", rows)
    bench.train(poisoned)
    told = [note["text"] for note in of_kind(poisoned, NOTE) if victim.clip_id in note["text"]]
    print(f"| a clip of NaN planted: told so many times | {len(told)} |")
    print(f"| and the evaluation loss in the end | {losses(poisoned)[-1]:.4f} |")


if __name__ == "__main__":
    main()
