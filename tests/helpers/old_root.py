"""Reading everything that a data root holds, through the studio's public functions."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modules.core_components.audio.files import pcm_sha256, read_speech
from modules.core_components.library.training_events import read_events
from modules.tools.listening.transcripts import list_transcripts
from modules.tools.services import Services
from modules.tools.speaking.pronunciations import list_pronunciations
from modules.tools.training.curves import read_curves
from modules.tools.training.evaluation import read_judgement
from modules.tools.voices.prompt_cache import prepared_voices

# Files whose JSON records their size and time, so that a change by hand is noticed.
_STAMP = "file"


def everything(services: Services) -> dict[str, Any]:
    """What the studio knows of its data root, as plain JSON; paths are relative to the root."""
    root = services.settings.root
    conversations = services.conversations
    found = {
        "settings": services.settings.model_dump(),
        "samples": services.samples.list(),
        "trashed_samples": services.samples.trash.ids(),
        "takes": [(take, pcm_sha256(read_speech(take.path))) for take in services.takes.list()],
        "trashed_takes": services.takes.trash.ids(),
        "voices": services.voices.list(),
        "pronunciations": list_pronunciations(services),
        "conversations": [
            {
                "record": one,
                "takes": conversations.takes(one).list(),
                "words": {line.id: conversations.words(one, line.take) for line in one.lines},
            }
            for one in conversations.list()
        ],
        "datasets": services.datasets.list(),
        "edits": {
            one.name: services.datasets.actions(one.name) for one in services.datasets.list()
        },
        "runs": [
            {
                "record": run,
                "events": read_events(run.files.progress),
                "curves": read_curves(services, run.name),
                "checkpoints": services.training_runs.checkpoints(run.name),
                "rows": json.loads(run.files.rows.read_text(encoding="utf-8")),
                "judgement": read_judgement(run),
            }
            for run in services.training_runs.list()
        ],
        "tuned_models": [
            # The revision hangs on the times of files; the card is no part of a comparison.
            {**vars(model), "revision": "", "card": dict(model.card)}
            for model in services.tuned_models.list()
        ],
        "trashed_tuned_models": services.tuned_models.trash.ids(),
        "prompts": prepared_voices(services),
        "transcripts": list_transcripts(services),
        "jobs": [services.jobs.get(job.id) for job in services.jobs.list()],
    }
    return dict(_plain(found, root))


def _plain(value: Any, root: Path) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, Path):
        return value.relative_to(root).as_posix() if value.is_relative_to(root) else "elsewhere"
    if hasattr(value, "items"):
        return {str(key): _plain(item, root) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, root) for item in value]
    return value


def differences(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Where `found` lacks or changes what was expected; fields that are new since are no loss."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for key, value in expected.items():
            if key not in found:
                yield f"{place}/{key} is missing"
            else:
                yield from differences(value, found[key], f"{place}/{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, (old, new) in enumerate(zip(expected, found, strict=True)):
            yield from differences(old, new, f"{place}/{index}")
    elif expected != found:
        yield f"{place} is {found!r}, not {expected!r}"


def restore_what_git_drops(root: Path) -> None:
    """Makes the empty folders of the edits, and gives recordings the times in their JSON."""
    for edit in root.glob("datasets/*/edits/*"):
        for name in ("new", "old"):
            (edit / name).mkdir(exist_ok=True)
    for path in root.rglob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        stamp = content.get(_STAMP) if isinstance(content, dict) else None
        if not isinstance(stamp, dict):
            continue
        for audio in path.parent.glob(f"{path.stem}.*"):
            if audio != path and audio.stat().st_size == stamp["bytes"]:
                os.utime(audio, ns=(stamp["mtime_ns"], stamp["mtime_ns"]))
