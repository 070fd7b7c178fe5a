"""Is there room on the disk for all that a run writes?"""

from __future__ import annotations

from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, STOP, Check

NAME = "Disk"
# What a state to resume from holds for each byte of the base: the trained part and AdamW's two
# moments of it. Published runs report 5.3 to 5.6 GB for a base of 1.87 GB.
_STATE_TIMES_THE_BASE = 3
# Each file is written beside the older one and then renamed, so for a moment there are two.
_STATES = 2
# Besides the best ones the last one stays, and a new one is written before another goes.
_CHECKPOINTS_BESIDES = 2
# The rest of the computer goes on working.
RESERVE_BYTES = 3_000_000_000


def run_bytes(base_bytes: int, keep_checkpoints: int) -> int:
    """The most a run holds at one time, with the model that is published from it.

    `base_bytes` is the size of the base's model.pth; a checkpoint is as large.
    """
    checkpoints = (keep_checkpoints + _CHECKPOINTS_BESIDES) * base_bytes
    return checkpoints + _STATES * _STATE_TIMES_THE_BASE * base_bytes + base_bytes


def check_disk(free_bytes: int, needed_bytes: int) -> Check:
    """`free_bytes` where the runs are kept."""
    words = (
        f"The run writes up to {needed_bytes / 1e9:.1f} GB and {RESERVE_BYTES / 1e9:.0f} GB stay "
        f"free; there are {free_bytes / 1e9:.1f} GB."
    )
    if free_bytes >= needed_bytes + RESERVE_BYTES:
        return Check(NAME, OK, words)
    return Check(
        NAME,
        STOP,
        words,
        "Free some space, keep fewer checkpoints, delete old runs, or choose another training "
        "folder in Settings.",
    )
