"""How fast XTTS trains here and what it takes, against coqui's own recipe in the same process.

    python bench/xtts_training.py --packages PACKAGES --work /tmp/bench
    python bench/xtts_training.py --work /tmp/bench --presets [--write]
    python bench/xtts_training.py --write-readme

`--presets` measures, on a GPU, the memory of every row of the memory preset "auto", with clips of
its greatest length; `--write` puts it into gpu_memory.toml, and `--write-readme` the table into
README.md. Else: on a GPU the model has XTTS v2's size (30 layers, 1,024 wide, random numbers); on
a CPU it is the tiny one of the tests, and the tables say so. Prints Markdown: steps per second and
memory by batch size and precision (the table feeds engines/xtts/preflight/gpu_memory.toml), the
time to write a checkpoint, the ratio to coqui's `Trainer.fit`, and what speaking costs (first
piece, real time).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import soundfile
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.asterisk_clips import asterisk_rows
from modules.core_components.ai_models.engines.xtts.preflight.memory_presets import (
    MemoryPreset,
    memory_presets,
    presets_in_markdown,
)
from modules.core_components.ai_models.engines.xtts.training.checkpoints import (
    CheckpointStore,
    TrainingPosition,
    state_of,
)
from modules.core_components.ai_models.engines.xtts.training.plan import (
    BF16,
    FP32,
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.stepping import (
    OutOfMemoryError,
    Stepper,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import (
    StopRequests,
    batches,
    epoch_order,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    TrainingRow,
    XttsTrainee,
    trainer_config,
)
from modules.core_components.ai_models.model_utils import (
    configure_threads,
    empty_cuda_cache,
    get_device,
)
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, TRAIN
from modules.core_components.library.training_events import EventWriter
from tests.helpers.tiny_xtts import build_tiny_xtts, install_tiny_xtts

WARM_UP_STEPS = 2
FULL_SIZE = {
    "gpt_layers": 30,
    "gpt_n_model_channels": 1024,
    "gpt_n_heads": 16,
    "decoder_input_dim": 1024,
    "output_hop_length": 256,
}
TEXT = "The weather is fine today, and they have not been here for a week."


def full_size_base(tiny: Path, folder: Path) -> Path:
    """A random base of XTTS v2's size with the tokenizer, DVAE and speakers of the tiny one."""
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.models.xtts import Xtts

    shutil.copytree(tiny, folder, dirs_exist_ok=True)
    record = json.loads((tiny / "config.json").read_text(encoding="utf-8"))
    record["model_args"].update(FULL_SIZE)
    (folder / "config.json").write_text(json.dumps(record), encoding="utf-8")
    config = XttsConfig()
    config.load_json(folder / "config.json")
    model = Xtts(config)
    model.tokenizer = VoiceBpeTokenizer(folder / "vocab.json")
    model.init_models()
    torch.save({"model": model.state_dict()}, folder / "model.pth")
    width = FULL_SIZE["gpt_n_model_channels"]
    speakers = torch.load(tiny / "speakers_xtts.pth", weights_only=True)
    for speaker in speakers.values():
        speaker["gpt_cond_latent"] = torch.randn(1, 32, width)
    torch.save(speakers, folder / "speakers_xtts.pth")
    return folder


class Memory:
    """The most that was taken since the start, in GB: on the GPU, or by this process."""

    def __init__(self, device: str) -> None:
        self._cuda = device.startswith("cuda")
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()

    def gigabytes(self) -> float:
        if self._cuda:
            return torch.cuda.max_memory_reserved() / 1e9
        return float(psutil.Process().memory_info().rss) / 1e9


def our_steps(trainee: XttsTrainee, plan: TrainingPlan, steps: int, work: Path) -> Iterator[float]:
    """The seconds of each of our steps, loading included."""
    stepper = Stepper(trainee, plan, StopRequests(work / "stop", work / "stop_after_epoch"))
    step = 0
    while step < steps:
        order = epoch_order(trainee.clips, plan.seed, step)
        loader = trainee.batches(batches(order, plan.batch_size)[: steps - step], 0)
        began_s = time.perf_counter()
        for batch in loader:
            stepper.take([batch], step)
            yield time.perf_counter() - began_s
            began_s, step = time.perf_counter(), step + 1


def coqui_steps(
    setup: TrainingSetup, rows: Sequence[TrainingRow], steps: int, work: Path
) -> list[float]:
    """The seconds of each step of coqui's recipe for fine-tuning, loading included."""
    from trainer import Trainer, TrainerArgs
    from TTS.tts.layers.xtts.trainer.gpt_trainer import GPTTrainer

    samples = [
        {
            "text": row.text,
            "audio_file": str(setup.dataset_folder / row.audio_file),
            "speaker_name": row.speaker,
            "language": setup.language,
        }
        for row in rows
        if row.for_training
    ]
    config = trainer_config(setup)
    config.model_args.xtts_checkpoint = str(setup.weights)
    config.batch_size = config.eval_batch_size = setup.plan.batch_size
    config.num_loader_workers = max(0, setup.plan.workers)
    config.epochs = max(1, -(-steps // (len(samples) // setup.plan.batch_size)))
    config.save_checkpoints, config.run_eval, config.print_step = False, False, 10_000
    ends_s: list[float] = []
    trainer = Trainer(
        TrainerArgs(),
        config,
        output_path=str(work / "coqui"),
        model=GPTTrainer(config),
        train_samples=samples,
        eval_samples=samples[: setup.plan.batch_size],
        parse_command_line_args=False,
        callbacks={"on_train_step_end": lambda trainer: ends_s.append(time.perf_counter())},
    )
    trainer.fit()
    return [later - earlier for earlier, later in pairwise(ends_s)][:steps]


def rate(seconds: Sequence[float]) -> float:
    """Steps per second, by the median after warming up."""
    return 1 / median(seconds[WARM_UP_STEPS:])


def speaking(base: Path, work: Path) -> tuple[float, float]:
    """Seconds to the first piece of speech, and seconds of work for a second of it."""
    from modules.core_components.progress import CancelToken
    from modules.tools.services import open_services

    catalog = install_tiny_xtts(base, work / "models")
    os.environ["VOICE_STUDIO_CATALOG"] = str(catalog)
    services = open_services(work / "studio", {"models_folder": str(work / "models")})
    engine = services.tts.get_xtts("v2.0.3")
    spoken_s, first_s = 0.0, 0.0
    for attempt in range(2):  # the first one warms up
        began_s, spoken_s, first_s = time.perf_counter(), 0.0, 0.0
        options = engine.options_type(seed=attempt)
        for piece in engine.stream(TEXT, engine.voices()[0], options, CancelToken()):
            first_s = first_s or time.perf_counter() - began_s
            spoken_s += piece.duration_s
    took_s = time.perf_counter() - began_s
    services.close()
    return first_s, took_s / spoken_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packages", type=Path)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--presets", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--write-readme", action="store_true")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--precisions", nargs="+", default=[FP32, BF16])
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    device, work = get_device(), given.work
    if given.write_readme:
        readme = ROOT / "README.md"
        readme.write_text(with_table(readme.read_text(encoding="utf-8")), encoding="utf-8")
        return
    if given.presets:
        measure_presets(device, work, given.steps, given.write)
        return
    rows = asterisk_rows(given.packages, work / "clips", given.clips)
    base = build_tiny_xtts(work / "tiny")
    size = "tiny (2 layers, 64 wide)"
    if device.startswith("cuda"):
        base, size = full_size_base(base, work / "full"), "full size (30 layers, 1,024 wide)"
    plan = TrainingPlan(workers=given.workers)
    setup = TrainingSetup(
        plan, "en", device, 0, work / "clips", base / "model.pth", base / "config.json",
        base / "vocab.json", base / "dvae.pth", base / "mel_stats.pth",
    )  # fmt: skip
    print(f"{size} on {device}, clips of 2 to 11 s, {given.steps} steps each\n")
    print("| precision | batch | steps/s | clips/s | memory (GB) |\n|---|---|---|---|---|")
    for precision in given.precisions:
        for batch_size in given.batch_sizes:
            tried = replace(plan, precision=precision, batch_size=batch_size)
            memory = Memory(device)
            trainee = XttsTrainee(replace(setup, plan=tried), rows)
            configure_threads(setup.threads)
            try:
                steps = rate(list(our_steps(trainee, tried, given.steps, work)))
                said = f"{steps:.3f} | {steps * batch_size:.2f} | {memory.gigabytes():.2f}"
            except OutOfMemoryError:
                said = "out of memory | |"
            print(f"| {precision} | {batch_size} | {said} |", flush=True)
            del trainee
            empty_cuda_cache()
    print_against_coqui(setup, rows, given.steps, work)
    first_s, real_time = speaking(base, work)
    print(f"\nSpeaking: first piece after {first_s:.2f} s, {real_time:.2f} s a second of speech")


# -- The memory preset "auto" ----------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "modules/core_components/ai_models/engines/xtts/preflight/gpu_memory.toml"
README_TABLE = re.compile(r"\| GPU \| batch size .*?(?=\n\n)", re.DOTALL)


def with_table(readme: str) -> str:
    """README.md with the table of the memory presets as it is now."""
    return README_TABLE.sub(lambda found: presets_in_markdown(), readme, count=1)


def with_measured(text: str, measured: dict[int, float]) -> str:
    """gpu_memory.toml with the gigabytes that were measured, by the size of the GPU in a row."""
    for gpu_gb, gigabytes in measured.items():
        row = re.compile(rf"(gpu_gb = {gpu_gb}\n(?:[^\[\n]+\n)*?measured_gb = )[\d.]+")
        text = row.sub(rf"\g<1>{gigabytes:.2f}", text)
    return text


def measure_presets(device: str, work: Path, steps: int, write: bool) -> None:
    """Prints the most memory of each row's training; needs a GPU and a base of full size."""
    if not device.startswith("cuda"):
        print("There is no GPU here: the table keeps its estimates.")
        return
    base = full_size_base(build_tiny_xtts(work / "tiny"), work / "full")
    measured: dict[int, float] = {}
    print("| GPU | estimated (GB) | measured (GB) | steps/s |\n|---|---|---|---|")
    for preset in memory_presets():
        try:
            seconds, gigabytes = run_preset(preset, base, device, work, steps)
            measured[preset.gpu_gb] = gigabytes
            said = f"{gigabytes:.2f} | {rate(seconds):.3f}"
        except OutOfMemoryError:
            said = "out of memory | "
        print(f"| {preset.gpu_gb} GB | {preset.estimated_gb:.1f} | {said} |", flush=True)
        empty_cuda_cache()
    if write:
        text = TABLE.read_text(encoding="utf-8")
        TABLE.write_text(with_measured(text, measured), encoding="utf-8")


def run_preset(
    preset: MemoryPreset, base: Path, device: str, work: Path, steps: int
) -> tuple[list[float], float]:
    """The seconds of each step and the most memory (GB) of a training by a row of the table."""
    plan = TrainingPlan(workers=0, **preset.options)
    rows = longest_clips(work / "longest", preset.max_clip_s, 4 * preset.batch_size)
    setup = TrainingSetup(
        plan, "en", device, 0, work / "longest", base / "model.pth", base / "config.json",
        base / "vocab.json", base / "dvae.pth", base / "mel_stats.pth",
    )  # fmt: skip
    memory = Memory(device)
    trainee = XttsTrainee(setup, rows)
    configure_threads(setup.threads)
    return list(our_steps(trainee, plan, max(steps, WARM_UP_STEPS + 1), work)), memory.gigabytes()


def longest_clips(folder: Path, seconds: float, count: int) -> list[TrainingRow]:
    """Clips of noise, just within the limit: what a batch takes depends on its longest."""
    (folder / "wavs").mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(1).normal(0, 0.05, int((seconds - 0.05) * SAMPLE_RATE_HZ))
    rows = []
    for number in range(count):
        name = f"wavs/{seconds:g}_{number}.wav"
        soundfile.write(folder / name, noise, SAMPLE_RATE_HZ)
        rows.append(TrainingRow(f"{number}", name, TEXT, "noise", TRAIN))
    return rows


def print_against_coqui(
    setup: TrainingSetup, rows: Sequence[TrainingRow], steps: int, work: Path
) -> None:
    """The same batches of four in fp32, ours and theirs, and what a checkpoint costs."""
    trainee = XttsTrainee(setup, rows)
    configure_threads(setup.threads)
    ours = rate(list(our_steps(trainee, setup.plan, steps, work)))
    state = state_of(trainee.learning, trainee.optimizer, TrainingPosition(1, 0, (1, 2)))
    store = CheckpointStore(work, 1, EventWriter(work / "progress.jsonl"))
    began_s = time.perf_counter()
    store.save_state(state, 1, 1)
    state_s = time.perf_counter() - began_s
    store.keep_weights(trainee.weights(), 1, 1, 0.0)
    weights_s = time.perf_counter() - began_s - state_s
    del trainee, state
    empty_cuda_cache()
    torch.set_num_threads(1)  # as importing coqui's data set leaves it
    theirs = rate(coqui_steps(setup, rows, steps, work))
    print("\n| | ours | coqui's Trainer.fit | ratio |\n|---|---|---|---|")
    print(f"| steps/s | {ours:.3f} | {theirs:.3f} | {ours / theirs:.2f} |")
    sizes = [(work / name).stat().st_size / 1e6 for name in ("state.pt", "checkpoints/1.pth")]
    print(f"\nState: {sizes[0]:.0f} MB in {state_s:.2f} s; weights: {sizes[1]:.0f} MB in "
          f"{weights_s:.2f} s")  # fmt: skip


if __name__ == "__main__":
    main()
