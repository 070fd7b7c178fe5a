"""The memory preset "auto": how a training fits the GPU that is here, by gpu_memory.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.ai_models.engines.xtts.preflight.machine import (
    gpu_memory_table,
    memory_need,
)
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ADAMW,
    ADAMW_8BIT,
    AUTO,
    FP32,
    TrainingPlan,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import LEAST_BATCH
from modules.core_components.texts import ENGLISH, _, mark, page_language

# A GPU sold with 12 GB reports 11.6 to 12 GiB.
_OF_ITS_NAME = 0.94
_GIB = 2**30


@dataclass(frozen=True)
class MemoryPreset:
    """A row of the table. `gpu_gb` is the size a GPU is sold with; `measured_gb` (10^9 bytes) is 0
    before it was measured. The other fields are options of `TrainingPlan`."""

    gpu_gb: int
    batch_size: int
    accumulation: int
    precision: str
    max_clip_s: float
    gpt_checkpointing: bool
    optimizer: str
    measured_gb: float = 0.0

    @property
    def options(self) -> Mapping[str, Any]:
        names = [item.name for item in fields(self)]
        return {name: getattr(self, name) for name in names if not name.endswith("_gb")}

    @property
    def estimated_gb(self) -> float:
        """By the formula; see gpu_memory.toml."""
        return memory_need(
            self.precision,
            self.batch_size,
            self.max_clip_s,
            checkpointing=self.gpt_checkpointing,
            eight_bit=self.optimizer == ADAMW_8BIT,
        ).gigabytes


@dataclass(frozen=True)
class Gpu:
    """What the choice depends on: all its memory, and whether it computes in bf16 and bitsandbytes
    is installed."""

    nbytes: int
    has_bf16: bool = True
    has_8bit: bool = True


def memory_presets() -> tuple[MemoryPreset, ...]:
    """The rows of the table, the smallest GPU first."""
    return tuple(MemoryPreset(**row) for row in gpu_memory_table()["preset"])


def preset_for(gpu: Gpu) -> MemoryPreset:
    """The largest row that the GPU has the memory for; the smallest where it has less."""
    first, *others = memory_presets()
    fitting = [row for row in others if row.gpu_gb * _GIB * _OF_ITS_NAME <= gpu.nbytes]
    row = fitting[-1] if fitting else first
    if not gpu.has_bf16:
        row = replace(row, precision=FP32, gpt_checkpointing=True)
    return row if gpu.has_8bit else replace(row, optimizer=ADAMW)


def with_memory_preset(plan: TrainingPlan, gpu: Gpu | None, rows: int = 0) -> TrainingPlan:
    """The plan as "auto" fills it in: options that differ from their default were set by the user
    and stay. Without a GPU, or with another preset, it is the same plan.

    With `rows` to train on, a batch that would leave a single clip over is taken smaller.
    """
    if plan.vram != AUTO or gpu is None:
        return plan
    default = TrainingPlan()
    chosen = {
        name: value
        for name, value in preset_for(gpu).options.items()
        if getattr(plan, name) == getattr(default, name)
    }
    if rows and "batch_size" in chosen:
        chosen["batch_size"] = _without_remainder(chosen["batch_size"], rows)
    return replace(plan, **chosen)


def _without_remainder(largest: int, rows: int) -> int:
    good = (size for size in range(largest, LEAST_BATCH, -1) if size <= rows and rows % size != 1)
    return next(good, LEAST_BATCH)


def chosen_in_words(before: TrainingPlan, after: TrainingPlan) -> str:
    """What "auto" has set: "batch size 2, accumulation 2"; "" where that is nothing."""
    labels = {item.name: _in_a_sentence(item.label) for item in describe_options(TrainingPlan)}
    return ", ".join(
        f"{labels[name]} {_said(getattr(after, name))}"
        for name in MemoryPreset.__dataclass_fields__
        if name in labels and getattr(before, name) != getattr(after, name)
    )


def _in_a_sentence(label: str) -> str:
    """In small letters, where nouns have no capitals."""
    return label.lower() if page_language() == ENGLISH else label


HEADINGS = (
    "GPU", mark("batch size"), mark("accumulation"), mark("precision"), mark("longest clip"),
    mark("gradient checkpointing"), mark("optimizer"), mark("memory, estimated"),
    mark("memory, measured"),
)  # fmt: skip


def preset_rows() -> tuple[tuple[str, ...], ...]:
    """The table for people, in the order of `HEADINGS`."""
    presets = memory_presets()
    return tuple(
        (
            _("{gpu_gb} GB and more", gpu_gb=row.gpu_gb)
            if row is presets[-1]
            else f"{row.gpu_gb} GB",
            str(row.batch_size),
            str(row.accumulation),
            row.precision,
            f"{row.max_clip_s:g} s",
            _said(row.gpt_checkpointing),
            row.optimizer,
            _("{estimated_gb:.1f} GB", estimated_gb=row.estimated_gb),
            _("{measured_gb:.1f} GB", measured_gb=row.measured_gb)
            if row.measured_gb
            else _("not yet"),
        )
        for row in presets
    )


def presets_in_markdown() -> str:
    """The table as README.md has it."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *preset_rows()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return _("on") if value else _("off")
    return f"{value:g}" if isinstance(value, float) else str(value)
