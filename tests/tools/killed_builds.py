"""Builds that are killed: started as a process of its own by the tests, forks one for each kill.

Arguments: a folder, and at which writes of a file to die. Prints the files of a dataset built in
one go and of one that was killed and resumed, with their hashes, as JSON.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from modules.core_components import atomic
from modules.tools.dataset import transcription
from modules.tools.dataset.build import DatasetRequest, build_dataset
from modules.tools.services import open_services
from tests.tools.dataset_fakes import COUNTER, add_counter, hum

NAME = "d"


def main(folder: Path, deaths: list[int]) -> None:
    """Everything happens in the forks: this process has no threads that a fork would lose. It only
    imports what they need, once for all."""
    for package in ("filelock", "pyloudnorm", "soundfile", "soxr"):
        importlib.import_module(package)
    whole, killed = folder / "whole", folder / "killed"
    assert in_a_fork(prepare, folder) == 0
    assert in_a_fork(build, whole) == 0
    ended = [in_a_fork(build, killed, dies_at=number) for number in deaths]
    assert ended == [-signal.SIGKILL] * len(deaths), ended
    assert in_a_fork(build, killed) == 0
    found = {root.name: hashes(root / "datasets" / NAME) for root in (whole, killed)}
    sys.stdout.write(json.dumps(found))


def prepare(folder: Path) -> None:
    """Four recordings, and two studios with the same empty dataset."""
    for number in range(4):
        hum(folder / "in" / f"{number}.wav", 15.0)
    open_services(folder / "whole").datasets.create(NAME, "en", "Anna")
    shutil.copytree(folder / "whole" / "datasets", folder / "killed" / "datasets")


def in_a_fork(work: Callable[[Path], None], folder: Path, dies_at: int = 0) -> int:
    """Does the work in a fork, which dies while it writes its `dies_at`th file: odd numbers before,
    even ones after the file gets its name. Returns the exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        if dies_at:
            die_at(dies_at)
        try:
            work(folder)
        except BaseException:  # noqa: BLE001 - the end of a process
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def die_at(number: int) -> None:
    step = "_flush_to_disk" if number % 2 else "_flush_folder"
    write, written = getattr(atomic, step), 0

    def counted(path: Path) -> None:
        nonlocal written
        written += 1
        if written == number:
            os.kill(os.getpid(), signal.SIGKILL)
        write(path)

    setattr(atomic, step, counted)


def build(root: Path) -> None:
    """Adds the recordings beside `root` to its dataset."""
    # Noise is no speech to the real one; here somebody speaks all the time.
    transcription.speech_regions = lambda speech, cancel=None: [(0.0, speech.duration_s)]
    services = open_services(root)
    add_counter(services)
    inputs = tuple(map(str, sorted((root.parent / "in").glob("*.wav"))))
    build_dataset(services, DatasetRequest(NAME, inputs, model_id=COUNTER))


def hashes(folder: Path) -> dict[str, str]:
    """Half-written files are removed when they are an hour old; they are none of the dataset."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".partial-")
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), [int(number) for number in sys.argv[2:]])
