"""The arithmetic of batches: none may hold a single clip.

With one clip in a batch every target of the loss can be masked, the loss becomes NaN, and one such
step spoils all weights (measured on coqui-tts 0.28: 2.5 % of the steps with clips of 4 to 6 s). The
last batch of an epoch holds the remainder, so that must not be 1 either.
"""

from __future__ import annotations

from modules.core_components.ai_models.engines.xtts.preflight.checks import OK, STOP, WARN, Check

NAME = "Batches"
EVALUATION = "Evaluation rows"
_SMALLEST, _FEW_EVALUATED, _SIZES_TOLD = 2, 4, 4


def good_batch_sizes(rows: int, near: int, most: int = _SIZES_TOLD) -> tuple[int, ...]:
    """Batch sizes whose every batch has two clips or more, those nearest to `near` first."""
    good = (size for size in range(_SMALLEST, rows + 1) if rows % size != 1)
    return tuple(sorted(good, key=lambda size: (abs(size - near), size))[:most])


def check_batches(rows: int, batch_size: int) -> Check:
    """`rows` are those that will be trained on."""
    if rows < _SMALLEST:
        return Check(
            NAME,
            STOP,
            f"There {'is 1 row' if rows == 1 else f'are {rows} rows'} to train on.",
            "Add recordings on the Dataset tab.",
        )
    good = sorted(good_batch_sizes(rows, batch_size))
    remedy = f"These batch sizes do: {', '.join(map(str, good))}."
    if batch_size < _SMALLEST:
        return Check(NAME, STOP, "A batch of a single clip makes the loss NaN.", remedy)
    if batch_size > rows:
        return Check(NAME, STOP, f"A batch of {batch_size} is more than all {rows} rows.", remedy)
    if rows % batch_size == 1:
        return Check(
            NAME,
            STOP,
            f"{rows} rows in batches of {batch_size} leave a last batch of a single clip, "
            "which makes the loss NaN.",
            remedy,
        )
    return Check(NAME, OK, f"{rows} rows make {-(-rows // batch_size)} steps an epoch.")


def check_evaluation(rows: int, batch_size: int) -> Check:
    """Evaluation batches shrink to the rows there are, so only none at all stops."""
    if rows == 0:
        return Check(
            EVALUATION,
            STOP,
            "No row is left to evaluate on: nobody could tell when the training has gone too far.",
            "Add recordings on the Dataset tab, or mend the rejected rows.",
        )
    if rows < _FEW_EVALUATED:
        return Check(
            EVALUATION,
            WARN,
            f"Only {rows} rows to evaluate on: the evaluation loss will jump about.",
            "More recordings give more of them.",
        )
    return Check(EVALUATION, OK, f"{rows} rows, in batches of {min(rows, batch_size)}.")
