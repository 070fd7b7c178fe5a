"""In which order the clips of an epoch are heard, and in which batches.

coqui's own data loader draws each clip at random *with* replacement, so that an epoch of N draws
hears about 63 % of N clips, some of them thrice. Here an epoch is a real pass: a permutation that
follows from the seed, cut into batches. What is left of it is a plain list of numbers, which lies
in the saved state, so that a training goes on in the middle of an epoch, with another batch size
if that has to be.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Order = tuple[int, ...]
LEAST_BATCH = 2


def epoch_order(clips: int, seed: int, epoch: int) -> Order:
    """The numbers 0..clips-1 in the order of an epoch (counted from 0)."""
    return shuffled(range(clips), seed, epoch)


def shuffled(remaining: Sequence[int], *key: int) -> Order:
    """`remaining` in another order, which follows from the key."""
    return tuple(int(clip) for clip in np.random.default_rng(key).permutation(list(remaining)))


def batches(remaining: Order, size: int) -> tuple[Order, ...]:
    """`remaining` in batches of `size` and one of what is left over, never of a single clip.

    A batch of one can make XTTS's loss NaN (see `TrainingPlan`). A clip that would be alone gets
    company from the batch before it; with batches of two there is none to spare, and it is left
    out until the next epoch.
    """
    cut = [remaining[start : start + size] for start in range(0, len(remaining), size)]
    if cut and len(cut[-1]) < LEAST_BATCH:
        alone = cut.pop()
        if cut and size > LEAST_BATCH:
            full = cut.pop()
            cut += [full[:-1], full[-1:] + alone]
    return tuple(cut)


def step_batches(remaining: Order, size: int, accumulation: int) -> tuple[tuple[Order, ...], ...]:
    """The batches of each step: `accumulation` of them, fewer in an epoch's last step."""
    all_batches = batches(remaining, size)
    return tuple(
        all_batches[start : start + accumulation]
        for start in range(0, len(all_batches), accumulation)
    )


def steps_in_epoch(clips: int, size: int, accumulation: int) -> int:
    """How many steps hear `clips` clips once."""
    return len(step_batches(tuple(range(clips)), size, accumulation))
