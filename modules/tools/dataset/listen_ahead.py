"""Listening to the recordings of a dataset by several workers, before it is built.

Building cuts one recording after the other; what takes long is listening. Workers fill the cache
that the build reads, window by window: what they did not do, the build does itself, with the same
words. So nothing else about building, and resuming it, depends on them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from modules.core_components.atomic import write_bytes
from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.values import SAMPLE_RATE_HZ
from modules.core_components.progress import CancelToken, Progress, phase
from modules.core_components.texts import ngettext
from modules.tools.dataset.inputs import Recording
from modules.tools.dataset.transcription import open_listener
from modules.tools.listening.speakers import OFF, diarize, parse_speakers
from modules.tools.services import Services
from modules.tools.work.executor import (
    Executor,
    Inputs,
    Setup,
    Work,
    Worker,
    WorkItem,
    file_facts,
    item_id,
)

_OPENER = f"{__name__}:open_hearer"
_DIARIZING_SHARE = 0.4


def listen_ahead(
    services: Services,
    executor: Executor,
    recordings: Sequence[Recording],
    setup: Setup,
    progress: Progress,
    cancel: CancelToken,
) -> None:
    """Has the recordings heard, as `open_listener` (and `parse_speakers`) take it from `setup`.

    What cannot be read is left to the build, which says so. Raises what `Executor.run` raises.
    """
    kept_in = services.settings.cache_folder / "listening"
    wanted = json.dumps(setup, sort_keys=True)
    found: dict[Path, WorkItem] = {}
    for recording in recordings:
        if not recording.path.is_file():
            continue
        heard = item_id(f"{file_facts(recording.path)}\n{wanted}")
        result = kept_in / f"{heard}.heard"
        found[result] = WorkItem(recording.name, {"path": str(recording.path.absolute())}, result)
    models = (str(setup["model_id"]),)
    title = ngettext("Listen to {count} recordings", "Listen to {count} recordings", len(found))
    work = Work(_OPENER, setup, tuple(found.values()), models, title)
    executor.run(work, progress, cancel)


def open_hearer(services: Services, setup: Setup) -> Worker:
    """The worker that listens to a recording as the build would."""
    about = {name: value for name, value in setup.items() if name != "speakers"}
    listener = open_listener(services, **about)
    count = parse_speakers(setup.get("speakers", OFF))

    def hear(inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken) -> None:
        speech = read_speech(Path(inputs["path"]), SAMPLE_RATE_HZ, cancel=cancel)
        listening = progress
        if count is not None:
            diarize(services, speech, count, phase(progress, 0.0, _DIARIZING_SHARE), cancel)
            listening = phase(progress, _DIARIZING_SHARE, 1.0)
        listener.transcribe(speech, listening, cancel)
        write_bytes(result, b"")

    return hear
