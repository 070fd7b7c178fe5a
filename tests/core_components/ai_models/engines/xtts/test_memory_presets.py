"""The memory preset "auto": a training that fits the GPU that is here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.xtts.preflight import machine
from modules.core_components.ai_models.engines.xtts.preflight.memory_presets import (
    Gpu,
    chosen_in_words,
    memory_presets,
    preset_for,
    presets_in_markdown,
    with_memory_preset,
)
from modules.core_components.ai_models.engines.xtts.training.plan import (
    AS_SET,
    BF16,
    FP32,
    TrainingPlan,
)
from modules.core_components.ai_models.engines.xtts.training.stepping import out_of_memory_remedy

GIB = 2**30
README = Path(__file__).resolve().parents[5] / "README.md"


@pytest.mark.parametrize(
    ("gib", "row"),
    [(4, 6), (5.8, 6), (7.6, 8), (10, 8), (11.6, 12), (15.7, 16), (22, 16), (23.6, 24), (139, 24)],
)
def test_a_card_gets_the_row_of_the_size_it_is_sold_with(gib: float, row: int) -> None:
    assert preset_for(Gpu(int(gib * GIB))).gpu_gb == row


def test_every_row_fits_its_card_by_our_own_check() -> None:
    for row in memory_presets():
        check = machine.check_gpu(
            row.precision,
            row.batch_size,
            row.max_clip_s,
            machine.FULL_MODEL_BYTES,
            row.gpu_gb * GIB,
            checkpointing=row.gpt_checkpointing,
            eight_bit=row.optimizer == "adamw8bit",
        )
        assert check.level == "ok", (row, check.message)
        assert row.gpu_gb > 12 or row.batch_size == 2


def test_without_a_gpu_nothing_changes() -> None:
    assert with_memory_preset(TrainingPlan(), None, 25) == TrainingPlan()


def test_what_the_user_set_stays_and_the_rest_is_chosen() -> None:
    asked = TrainingPlan(batch_size=6, max_clip_s=9.0)
    found = with_memory_preset(asked, Gpu(8 * GIB))
    assert (found.batch_size, found.max_clip_s) == (6, 9.0)
    assert (found.precision, found.gpt_checkpointing, found.optimizer) == (BF16, True, "adamw8bit")
    assert "optimizer adamw8bit" in chosen_in_words(asked, found)
    assert "batch size" not in chosen_in_words(asked, found)
    own = replace(asked, vram=AS_SET)
    assert with_memory_preset(own, Gpu(8 * GIB)) == own


def test_an_older_card_gets_fp32_with_checkpointing_and_no_8bit_where_it_is_not_installed() -> None:
    found = preset_for(Gpu(8 * GIB, has_bf16=False, has_8bit=False))
    assert (found.precision, found.gpt_checkpointing, found.optimizer) == (FP32, True, "adamw")


@pytest.mark.parametrize(("rows", "size"), [(24, 8), (25, 7), (9, 7), (2, 2), (3, 3), (33, 7)])
def test_the_batch_leaves_no_single_clip_over(rows: int, size: int) -> None:
    found = with_memory_preset(TrainingPlan(), Gpu(24 * GIB), rows)
    assert found.batch_size == size
    assert rows % size != 1


def test_the_readme_has_the_table_of_the_file() -> None:
    assert presets_in_markdown() in README.read_text(encoding="utf-8")


def test_a_measurement_goes_into_its_own_row() -> None:
    from bench.xtts_training import TABLE, with_measured

    before = TABLE.read_text(encoding="utf-8")
    after = with_measured(before, {12: 9.87, 6: 5.4})
    rows = [line for line in after.splitlines() if line.startswith("measured_gb")]
    assert rows == [f"measured_gb = {gb}" for gb in ("5.40", "0.0", "9.87", "0.0", "0.0")]
    assert after.replace("5.40", "0.0").replace("9.87", "0.0") == before


def test_each_remedy_for_too_little_memory_says_what_to_resume_with() -> None:
    plan, said = TrainingPlan(batch_size=5, accumulation=2), []
    for change in ({}, {"batch_size": 2}, {"gpt_checkpointing": True}, {"precision": BF16}):
        plan = replace(plan, **change)
        said.append(out_of_memory_remedy(plan))
    assert "batch size of 2 and an accumulation of 5" in said[0]
    assert "gradient checkpointing" in said[1]
    assert "bf16" in said[2]
    assert "longest clip of 8.1 s" in said[3]
    assert "adamw8bit" in said[3]
