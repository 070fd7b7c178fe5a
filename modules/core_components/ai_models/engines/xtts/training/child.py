"""The process that trains: `python -m modules...training.child RUN_FOLDER`.

It reads `setup.json` and `rows.json`, writes the diary (`progress.jsonl`), and ends with exit code
0 when the training is done or was stopped, 1 when it failed. What it prints goes to `train.log`.
Training has a process of its own so that nothing in it can take the studio along, and so that all
its memory is free when it ends.
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
from modules.core_components.ai_models.engines.xtts.training.process import StopRequests
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
    """Trains the run from its last state; returns how it ended. Raises StudioError."""
    from modules.core_components.ai_models.engines.xtts.training.trainee import TensorBoardScalars
    from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import XttsTrainee
    from modules.core_components.ai_models.model_utils import configure_threads

    setup = TrainingSetup.read(files.setup)
    trainee = XttsTrainee(setup, read_rows(files.rows))
    configure_threads(setup.threads)  # coqui's data set asked for a single one
    diary = EventWriter(files.progress)
    kept = kept_checkpoints(files.folder, read_events(files.progress))
    scalars = TensorBoardScalars(files.tensorboard)
    loop = TrainingLoop(
        trainee,
        setup.plan,
        CheckpointStore(files.folder, setup.plan.keep_checkpoints, diary, kept),
        diary,
        requests,
        scalars,
        gpu_bytes=trainee.gpu_bytes,
    )
    try:
        return loop.run()
    finally:
        scalars.close()


def train_and_tell(files: RunFiles, requests: StopRequests) -> int:
    """Holds the run's lock while it trains and writes how that ended; returns the exit code."""
    from filelock import FileLock

    with FileLock(files.lock, timeout=_WAIT_FOR_LOCK_S):
        diary = EventWriter(files.progress)
        try:
            outcome = train(files, requests)
        except StudioError as error:
            logger.exception("The training failed")
            diary.write(END, outcome=FAILED, text=error.message, hint=error.hint)
            return 1
        except Exception as error:
            logger.exception("The training failed")
            diary.write(
                END,
                outcome=FAILED,
                text=f"The training broke off: {type(error).__name__}: {error}",
                hint="Its log tells where. Resume it: it goes on from its last state.",
            )
            return 1
        text = "All epochs are done." if outcome == DONE else requests.reason or EPOCH_ENDED
        diary.write(END, outcome=outcome, text=text, hint="")
    return 0


def main(folder: Path) -> int:
    """Trains, heeding the system's signals and the studio's end; returns the exit code."""
    files = RunFiles(folder)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    requests = StopRequests(files.stop, files.stop_after_epoch)
    requests.heed_signals()
    requests.watch_parent(sys.stdin.fileno())
    return train_and_tell(files, requests)


def leave(code: int) -> NoReturn:
    """Ends the process now that all is on the disk.

    Taking down the model and the processes that read clips in good order takes seconds, for which
    whoever pressed Stop would wait, and nothing comes of it; readers end with their parent.
    """
    logging.shutdown()
    os._exit(code)


if __name__ == "__main__":
    leave(main(Path(sys.argv[1])))
