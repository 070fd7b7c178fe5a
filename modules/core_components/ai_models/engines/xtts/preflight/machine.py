"""Checks of the machine before a training: memory, disk, and the files of the base model.

The memory that a training needs comes from a table of measurements and estimates.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.engines.xtts.checkpoint import (
    VOCABULARY,
    WEIGHTS,
    check_pair,
    read_weights,
)
from modules.core_components.ai_models.engines.xtts.preflight.data import OK, STOP, WARN, Check
from modules.core_components.ai_models.engines.xtts.training.plan import ADAMW_8BIT
from modules.core_components.errors import StudioError
from modules.core_components.texts import _, mark

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The table is of the full model; a smaller base needs as much less as its file is smaller.
FULL_MODEL_BYTES = 1_867_929_118
# Of a GPU's memory, for the screen and what torch cannot use.
_KEPT_FREE = 0.08
# The weights while they are read and written, twice, and their gradients on the way to the disk.
_MAIN_TIMES_THE_WEIGHTS = 3
_OTHER_BATCHES = (16, 12, 8, 6, 4, 3, 2)
GIGA = 1e9


@dataclass(frozen=True)
class MemoryNeed:
    """What a training takes on its device, in GB (10^9 bytes); `measured` or else estimated."""

    gigabytes: float
    measured: bool


@cache
def gpu_memory_table() -> Mapping[str, Any]:
    """What gpu_memory.toml says."""
    file = Path(__file__).with_name("gpu_memory.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))


def memory_need(
    precision: str,
    batch_size: int,
    clip_s: float,
    model_bytes: int = FULL_MODEL_BYTES,
    *,
    checkpointing: bool = False,
    eight_bit: bool = False,
) -> MemoryNeed:
    """For batches of `batch_size` clips of up to `clip_s` seconds, with gradient checkpointing and
    the optimizer of 8 bits or without; see gpu_memory.toml."""
    table = gpu_memory_table()
    share = model_bytes / FULL_MODEL_BYTES
    covering = [
        row["gigabytes"]
        for row in table.get("measured", ())
        if row["precision"] == precision
        and row.get("gpt_checkpointing", False) == checkpointing
        and (row.get("optimizer") == ADAMW_8BIT) == eight_bit
        and row["batch_size"] >= batch_size
        and row["clip_s"] >= clip_s
    ]
    if covering:
        return MemoryNeed(min(covering) * share, measured=True)
    per_second_gb = table["per_second_gb"][precision]
    per_second_gb *= table["checkpointing_keeps"] if checkpointing else 1
    fixed_gb = table["fixed_gb"] - (table["eight_bit_saves_gb"] if eight_bit else 0)
    estimate = fixed_gb + per_second_gb * batch_size * clip_s
    return MemoryNeed(estimate * share, measured=False)


def check_gpu(
    precision: str,
    batch_size: int,
    clip_s: float,
    model_bytes: int,
    gpu_bytes: int | None,
    *,
    checkpointing: bool = False,
    eight_bit: bool = False,
) -> Check:
    """Whether the GPU is large enough; `gpu_bytes` is all it has, None where there is none."""
    check = partial(Check, mark("GPU memory"))
    if gpu_bytes is None:
        return check(
            WARN,
            _("There is no GPU: the training runs on the processor, many times slower."),
            _("For a full-size base use a machine with an NVIDIA GPU of 12 GB or more."),
        )
    how_taken = {"checkpointing": checkpointing, "eight_bit": eight_bit}
    need = memory_need(precision, batch_size, clip_s, model_bytes, **how_taken)
    there = gpu_bytes * (1 - _KEPT_FREE) / GIGA
    how = _("measured") if need.measured else _("an estimate")
    words = _(
        "About {gigabytes:.1f} GB ({how}) for batches of {batch_size} with clips "
        "of up to {clip_s:.1f} s in {precision}; the GPU has {there:.1f} GB for "
        "it.",
        gigabytes=need.gigabytes,
        how=how,
        batch_size=batch_size,
        clip_s=clip_s,
        precision=precision,
        there=there,
    )
    if need.gigabytes <= there:
        return check(OK, words)
    fitting = [
        size
        for size in _OTHER_BATCHES
        if size < batch_size
        and memory_need(precision, size, clip_s, model_bytes, **how_taken).gigabytes <= there
    ]
    hint = (
        _(
            "Take batches of {fitting} and more accumulation: the result is the same.",
            fitting=fitting[0],
        )
        if fitting
        else _("Take bf16, gradient checkpointing and shorter clips, or a GPU with more memory.")
    )
    return check(STOP if need.measured else WARN, words, hint)


def check_main_memory(
    precision: str,
    batch_size: int,
    clip_s: float,
    model_bytes: int,
    available_bytes: int,
    on_gpu: bool,
    processes: int = 1,
) -> Check:
    """Whether the computer's own memory is enough for so many processes; on a GPU only the files
    pass through it."""
    check = partial(Check, mark("Main memory"))
    if on_gpu:
        need = model_bytes * _MAIN_TIMES_THE_WEIGHTS / GIGA
    else:
        need = memory_need(precision, batch_size, clip_s, model_bytes).gigabytes
    need *= processes
    there = available_bytes / GIGA
    words = _(
        "About {need:.1f} GB of main memory; {there:.1f} GB are free.", need=need, there=there
    )
    hint = _("Close other programs, or take smaller batches.")
    if processes > 1:
        words = _(
            "About {need:.1f} GB of main memory for {processes} processes; {there:.1f} GB are "
            "free.",
            need=need,
            processes=processes,
            there=there,
        )
        hint = _("Close other programs, or take smaller batches, or fewer processes.")
    if need <= there:
        return check(OK, words)
    return check(WARN, words, hint)


# What a state to resume from holds for each byte of the base: the trained part and AdamW's two
# moments of it. Published runs report 5.3 to 5.6 GB for a base of 1.87 GB.
_STATE_TIMES_THE_BASE = 3
# Each file is written next to the older one and then renamed, so for a moment there are two.
_STATES = 2
# Besides the best ones the last one stays, and a new one is written before another goes.
_CHECKPOINTS_BESIDES = 2
# Kept free for other programs.
RESERVE_BYTES = 3_000_000_000


def run_bytes(base_bytes: int, keep_checkpoints: int) -> int:
    """The most a run holds at one time, with the model that is published from it.

    `base_bytes` is the size of the base's model.pth; a checkpoint is as large.
    """
    checkpoints = (keep_checkpoints + _CHECKPOINTS_BESIDES) * base_bytes
    return checkpoints + _STATES * _STATE_TIMES_THE_BASE * base_bytes + base_bytes


def check_disk(free_bytes: int, needed_bytes: int) -> Check:
    """`free_bytes` where the runs are kept."""
    check = partial(Check, mark("Disk"))
    figures = _(
        "The run writes up to {needed:.1f} GB and {reserve:.0f} GB stay free; there are "
        "{free:.1f} GB.",
        needed=needed_bytes / GIGA,
        reserve=RESERVE_BYTES / GIGA,
        free=free_bytes / GIGA,
    )
    if free_bytes >= needed_bytes + RESERVE_BYTES:
        return check(OK, figures)
    return check(
        STOP,
        figures,
        _(
            "Free some space, keep fewer checkpoints, delete old runs, or choose "
            "another training folder in Settings."
        ),
    )


def check_fit(folder: Path) -> Check:
    """Whether model.pth was made for vocab.json, by the shapes of its tensors.

    With the vocabulary of another version the trainer fails with an unclear error about shapes, or
    reads every text as another one.
    """
    check = partial(Check, mark("Base files"))
    weights = folder / WEIGHTS
    try:
        check_pair(read_weights(weights), weights, folder / VOCABULARY)
    except StudioError as error:
        return check(STOP, error.message, error.hint)
    return check(OK, _("Weights and vocabulary are of one version."))
