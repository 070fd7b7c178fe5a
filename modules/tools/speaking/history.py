"""Takes: making one again from its metadata, and exporting it in another format."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.atomic import atomic_path
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.lines import shorten
from modules.core_components.texts import _
from modules.core_components.values import Take, VoicePrompt
from modules.tools.services import Services
from modules.tools.speaking.request import FORMATS, request_of_take
from modules.tools.speaking.speech import SPEAK, SPEAK_PRESET, speak, submit_speech
from modules.tools.voices.own_voices import fixed_voice


@dataclass(frozen=True)
class MadeAgain:
    """A take made a second time from its metadata.

    `identical`: every sample equal to the first time. `reason` says why not, as far as known.
    """

    take: Take
    identical: bool
    reason: str = ""


def make_again(
    services: Services,
    take_id: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> MadeAgain:
    """Speaks a take again from what its metadata says, and compares.

    Raises BadInputError when the sample or the voice it came from is gone or was replaced.
    """
    first = services.takes.get(take_id)
    if first.kind == "sample":
        sample = services.samples.voice(first.voice)
        if sample.audio_sha256 != first.sample_sha256:
            raise BadInputError(
                _("The sample {voice!r} is now a different recording.", voice=first.voice),
                _("Add the recording that the take was made from again."),
            )
    elif first.prompt_key is not None:
        voice = fixed_voice(services.tts.get(first.model_id), first.voice)
        if isinstance(voice, VoicePrompt) and voice.key != first.prompt_key:
            raise BadInputError(
                _("The voice {voice!r} is now a different one.", voice=first.voice),
                _("Import or mix the voice that the take was made with again, under that name."),
            )
    second = speak(services, request_of_take(first), progress, cancel)
    identical = second.audio_sha256 == first.audio_sha256
    return MadeAgain(second, identical, "" if identical else _why_different(first, second))


def _why_different(first: Take, second: Take) -> str:
    now = second.environment
    changed = [name for name, value in first.environment.items() if now.get(name, "") != value]
    if first.model_revision != second.model_revision:
        changed.append(_("model revision"))
    if first.prompt_key != second.prompt_key:
        changed.append(_("voice prompt (reference text or fitting parameters)"))
    if changed:
        return _("Changed since the first time: {changed}.", changed=", ".join(changed))
    return _("Nothing known has changed; results on this device are not reproducible.")


def copy_take(take: Take, target: Path) -> Path:
    """Writes a take to `target`: unchanged if the format is the take's own, else converted."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() != take.path.suffix.lower():
        write_speech(target, read_speech(take.path))
        return target
    with atomic_path(target) as partial:
        shutil.copyfile(take.path, partial)
    return target


def export_take(services: Services, take_id: str, fmt: str) -> Path:
    """The take as a file of that format, made once and kept in the cache."""
    if fmt not in FORMATS:
        raise BadInputError(
            _("Unknown audio format {fmt!r}.", fmt=fmt),
            _("Choose {formats}.", formats=", ".join(FORMATS)),
        )
    take = services.takes.get(take_id)
    if take.path.suffix == f".{fmt}":
        return take.path
    target = services.exports_folder / f"{take.path.stem}.{fmt}"
    return target if target.exists() else copy_take(take, target)


# Making a take again as a job.

AGAIN = "make_again"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_again(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = make_again(services, payload["take"], job.progress, job.cancel)
        return {"take": made.take.id, "identical": made.identical, "reason": made.reason}

    services.jobs.register(AGAIN, run_again)


def submit_another(services: Services, take_id: str) -> Job:
    """Queues a take with everything as in this one but the seed, which is a new one."""
    first = services.takes.get(take_id)
    request = dataclasses.replace(request_of_take(first), seed=None, made_from="", prompt_key="")
    return submit_speech(services, request, kind=SPEAK_PRESET if first.kind == "preset" else SPEAK)


def submit_again(services: Services, take_id: str) -> Job:
    """Queues making a take again."""
    take = services.takes.get(take_id)
    return services.jobs.submit(
        AGAIN, _("Again: {text}", text=shorten(take.text, 200)), {"take": take.id}
    )
