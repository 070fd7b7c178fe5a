"""The process that trains: `python -m modules...training.child RUN_FOLDER`.

It reads `setup.json` and `rows.json`, writes its events to `progress.jsonl` and its output to
`train.log`, and ends with exit code 0 when the training is done or was stopped, 1 when it failed.
Training has a process of its own so that a crash in it does not end the studio, and so that all its
memory is free when it ends.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import NoReturn

from modules.core_components.ai_models.engines.xtts.training.checkpoints import CheckpointStore
from modules.core_components.ai_models.engines.xtts.training.loop import TrainingLoop
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingSetup
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

logger = logging.getLogger(__name__)

# The process before this one may still be writing its last state.
_WAIT_FOR_LOCK_S = 300.0
EPOCH_ENDED = "It was stopped at the end of an epoch."


def train(files: RunFiles, requests: StopRequests) -> str:
    """Trains the run from its last state; returns "done" or "stopped". Raises StudioError."""
    from modules.core_components.ai_models.engines.xtts.training.trainee import TensorBoardScalars
    from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import XttsTrainee
    from modules.core_components.ai_models.model_utils import configure_threads

    setup = TrainingSetup.read(files.setup)
    trainee = XttsTrainee(setup, read_rows(files.rows))
    configure_threads(setup.threads)  # coqui's data set sets a single one
    events = EventWriter(files.progress)
    kept = kept_checkpoints(files.folder, read_events(files.progress))
    scalars = TensorBoardScalars(files.tensorboard)
    loop = TrainingLoop(
        trainee,
        setup.plan,
        CheckpointStore(files.folder, setup.plan.keep_checkpoints, events, kept),
        events,
        requests,
        scalars,
        gpu_bytes=trainee.gpu_bytes,
    )
    try:
        return loop.run()
    finally:
        scalars.close()


def run_training(files: RunFiles, requests: StopRequests) -> int:
    """Trains with the run's lock held, and records how that ended; returns the exit code."""
    from filelock import FileLock

    with FileLock(files.lock, timeout=_WAIT_FOR_LOCK_S):
        events = EventWriter(files.progress)
        try:
            outcome = train(files, requests)
        except StudioError as error:
            logger.exception("The training failed")
            events.write(END, outcome=FAILED, text=error.message, hint=error.hint)
            return 1
        except Exception as error:
            logger.exception("The training failed")
            events.write(
                END,
                outcome=FAILED,
                text=f"The training broke off: {type(error).__name__}: {error}",
                hint="The log shows where. Resume it: it continues from its last state.",
            )
            return 1
        text = "All epochs are done." if outcome == DONE else requests.reason or EPOCH_ENDED
        events.write(END, outcome=outcome, text=text, hint="")
    return 0


def main(folder: Path) -> int:
    """Trains until done, or until a signal or the studio's end stops it; returns the exit code."""
    files = RunFiles(folder)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    requests = StopRequests(files.stop, files.stop_after_epoch)
    requests.handle_signals()
    requests.watch_parent(sys.stdin.fileno())
    return run_training(files, requests)


def end_process(code: int) -> NoReturn:
    """Ends the process at once; everything is on the disk.

    Freeing the model and ending the processes that read clips would take seconds, for which the
    user who pressed Stop would wait.
    """
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    end_process(main(Path(sys.argv[1])))
