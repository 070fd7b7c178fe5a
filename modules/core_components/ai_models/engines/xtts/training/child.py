"""The process that trains: `python -m modules...training.child RUN_FOLDER`.

It reads `setup.json` and `rows.json`, writes its events to `progress.jsonl` and its output to
`train.log`, and ends with exit code 0 when the training is done or was stopped, 1 when it failed.
Training has a process of its own so that a crash in it does not end the studio, and so that all its
memory is free when it ends.

Where the setup names several devices it starts a process for each (`rank_processes`) and waits.
Such a process is this module again, with a second argument that says where the ranks meet.
`torchrun -m` starts them as well, without one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from modules.core_components.ai_models.engines.xtts.training.checkpoints import CheckpointStore
from modules.core_components.ai_models.engines.xtts.training.loop import TrainingLoop
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingSetup
from modules.core_components.ai_models.engines.xtts.training.rank_processes import (
    BROKE_OFF,
    RankProcesses,
    train_together,
)
from modules.core_components.ai_models.engines.xtts.training.ranks import (
    ALONE,
    NoRecords,
    Rank,
    join,
    launched_rank,
)
from modules.core_components.ai_models.engines.xtts.training.trainee import StopRequests
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import read_rows
from modules.core_components.errors import StudioError
from modules.core_components.library.training_events import (
    DONE,
    END,
    FAILED,
    EventWriter,
    read_events,
)
from modules.core_components.library.training_runs import RunFiles, kept_checkpoints
from modules.core_components.texts import _, mark, use_language_of_studio

# Whatever its name is in this process.
_THIS_MODULE = "modules.core_components.ai_models.engines.xtts.training.child"
logger = logging.getLogger(__name__)

# The process before this one may still be writing its last state.
_WAIT_FOR_LOCK_S = 300.0
# A rank that is still there so long after the studio has gone waits for something that never comes.
_EXIT_AFTER_S = 120.0
EPOCH_ENDED = mark("It was stopped at the end of an epoch.")
_BY_TORCHRUN = "TORCHELASTIC_RUN_ID"


def train(files: RunFiles, setup: TrainingSetup, requests: StopRequests, rank: Rank = ALONE) -> str:
    """Trains the run from its last state; returns "done" or "stopped". Raises StudioError."""
    from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import XttsTrainee
    from modules.core_components.ai_models.model_utils import configure_threads

    trainee = XttsTrainee(setup, read_rows(files.rows))
    configure_threads(setup.threads)  # coqui's data set sets a single one
    with _records(files, setup, rank) as (store, events, scalars):
        loop = TrainingLoop(
            trainee, setup.plan, store, events, requests, scalars, rank, trainee.gpu_bytes
        )
        return loop.run()


@contextlib.contextmanager
def _records(files: RunFiles, setup: TrainingSetup, rank: Rank) -> Iterator[tuple[Any, Any, Any]]:
    """Store, events and curves. Only the first rank keeps anything in the run's folder."""
    from filelock import FileLock

    from modules.core_components.ai_models.engines.xtts.training.trainee import TensorBoardScalars

    if not rank.is_first:
        nothing = NoRecords(files.state)
        yield nothing, nothing, nothing
        return
    # The run's lock is with the process that started the ranks: where that was killed, the first of
    # them may still be writing its last state.
    with FileLock(files.state_lock, timeout=_WAIT_FOR_LOCK_S):
        events = EventWriter(files.progress)
        kept = kept_checkpoints(files.folder, read_events(files.progress))
        scalars = TensorBoardScalars(files.tensorboard)
        try:
            store = CheckpointStore(files.folder, setup.plan.keep_checkpoints, events, kept)
            yield store, events, scalars
        finally:
            scalars.close()


def run_training(files: RunFiles, requests: StopRequests) -> int:
    """Trains with the run's lock held, and records how that ended; returns the exit code."""
    from filelock import FileLock

    with FileLock(files.lock, timeout=_WAIT_FOR_LOCK_S):
        try:
            setup = TrainingSetup.read(files.setup)
        except StudioError as error:
            return _record_failure(files, error)
        if len(setup.devices) > 1:
            return train_together(files, setup, requests, partial(RankProcesses, _THIS_MODULE))
        return run_rank(files, setup, requests)


def run_rank(
    files: RunFiles,
    setup: TrainingSetup,
    requests: StopRequests,
    rank: Rank = ALONE,
    rendezvous: str = "",
) -> int:
    """Trains as one rank, or alone, and records how that ended; returns the exit code: 0, 1 for a
    failure that is recorded, BROKE_OFF for one that `train_together` records once all have ended.
    """
    try:
        if rank.world > 1:
            join(rank, rendezvous, setup.device)
        outcome = train(files, setup, requests, rank)
    except StudioError as error:
        return _record_failure(files, error)
    except Exception as error:
        logger.exception("The training failed in process %d of %d", rank.number + 1, rank.world)
        if rank.world > 1:
            return BROKE_OFF
        text = _("The training broke off: {name}: {error}", name=type(error).__name__, error=error)
        hint = _("The log shows where. Resume it: it continues from its last state.")
        return _record_failure(files, StudioError(text, hint))
    if rank.is_first:
        text = _("All epochs are done.") if outcome == DONE else requests.reason or _(EPOCH_ENDED)
        EventWriter(files.progress).write(END, outcome=outcome, text=text, hint="")
    return 0


def _record_failure(files: RunFiles, error: StudioError) -> int:
    logger.error("The training failed", exc_info=error)
    words = {"text": error.message, "hint": error.hint}
    EventWriter(files.progress).write(END, outcome=FAILED, **words)
    return 1


def main(folder: Path, rendezvous: str = "") -> int:
    """Trains until done, or until a signal or the studio's end stops it; returns the exit code.

    As a rank where it is said where they meet, or where torchrun started it.
    """
    from filelock import FileLock

    use_language_of_studio()
    files = RunFiles(folder)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    requests = StopRequests(files.stop, files.stop_after_epoch)
    requests.handle_signals()
    by_torchrun = not rendezvous and _BY_TORCHRUN in os.environ
    if not rendezvous and not by_torchrun:
        requests.watch_parent(sys.stdin.fileno())
        return run_training(files, requests)
    launched = launched_rank()
    rank = launched.rank
    try:
        setup = TrainingSetup.read(files.setup)
        setup = setup.for_process(launched.number_here, launched.processes_here)
    except StudioError as error:
        return _record_failure(files, error)
    if not by_torchrun:
        requests.watch_parent(sys.stdin.fileno(), _EXIT_AFTER_S)
        return run_rank(files, setup, requests, rank, rendezvous)
    lock = FileLock(files.lock, timeout=_WAIT_FOR_LOCK_S)
    with lock if rank.is_first else contextlib.nullcontext():
        return run_rank(files, setup, requests, rank, "env://")


def end_process(code: int) -> NoReturn:
    """Ends the process at once; everything is on the disk.

    Freeing the model and ending the processes that read clips would take seconds, for which the
    user who pressed Stop would wait.
    """
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    end_process(main(Path(sys.argv[1]), *sys.argv[2:3]))
