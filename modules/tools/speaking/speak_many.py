"""Speaking many texts: each is an item of work, on this machine or on several.

Unlike takes they are not kept in the history. In the folder of the recordings lies `.results`, with
what each was made with; what is in it is not spoken again, unless text or request have changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modules.core_components.atomic import check_writable, write_json
from modules.core_components.audio.encode import pcm_sha256
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.texts import _
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, complete_speech
from modules.tools.speaking.speech import expected_bytes, forget_passages, generate_speech
from modules.tools.work.executor import Executor, Failure, Inputs, Work, Worker, WorkItem, item_id

RESULTS_FOLDER = ".results"
_OPENER = f"{__name__}:open_speaker"


@dataclass(frozen=True)
class NamedText:
    """A text, and the name of its recording without suffix."""

    name: str
    text: str


@dataclass(frozen=True)
class Spoken:
    """A recording, what it was made with, and whether it was there before."""

    name: str
    written: Path
    result: Path
    was_there: bool

    def about(self) -> dict[str, Any]:
        """Text, voice, model, language, seed, length in seconds, hash and notes."""
        found: dict[str, Any] = json.loads(self.result.read_text(encoding="utf-8"))
        return found


@dataclass(frozen=True)
class SpokenBatch:
    """What became of the texts, in their order."""

    spoken: tuple[Spoken, ...]
    failures: tuple[Failure, ...]


def read_texts(place: Path) -> tuple[NamedText, ...]:
    """The lines of a UTF-8 file, named by their numbers; or the .txt files of a folder, by theirs.

    Empty lines and files are left out. Raises BadInputError where nothing is left.
    """
    try:
        if place.is_dir():
            files = sorted(path for path in place.glob("*.txt") if path.is_file())
            texts = [NamedText(path.stem, _read(path)) for path in files]
        else:
            lines = _read(place).splitlines()
            texts = [NamedText(f"{number:05}", line) for number, line in enumerate(lines, 1)]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInputError(
            _("{place} cannot be read ({error}).", place=place, error=error),
            _("Give a UTF-8 text file, or a folder of them."),
        ) from error
    found = tuple(text for text in texts if text.text.strip())
    if not found:
        raise BadInputError(
            _("There is no text in {place}.", place=place), _("Write one text a line.")
        )
    return found


def speak_many(
    services: Services,
    executor: Executor,
    texts: Sequence[NamedText],
    request: SpeechRequest,
    out: Path,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> SpokenBatch:
    """Writes a recording of each text into `out`.

    `request` says how; its own text is not looked at. Without a seed each text has one of its own,
    which follows from the text and the request. Raises BadInputError and NotFoundError for a voice
    or a model that is not there, NotWritableError, JobCancelled (what is done is kept), and what
    `Executor.run` raises.
    """
    folder = out.absolute()
    characters = sum(len(text.text) for text in texts)
    check_writable(
        folder / RESULTS_FOLDER,
        _("Choose another folder, or make this one writable."),
        expected_bytes(" ") * characters,
    )
    # What is wrong with the voice or the model is wrong with all of them.
    first = complete_speech(services, replace(request, text=texts[0].text))
    setup = asdict(
        replace(
            request,
            text="",
            engine=first.model_id,
            language=first.language,
            voice=first.voice,
            kind=first.kind,
            output_format=first.output_format,
        )
    )
    wanted = json.dumps(setup, sort_keys=True, default=str)
    items = tuple(_item(text, wanted, request.seed, folder, first.output_format) for text in texts)
    work = Work(
        _OPENER, setup, items, (first.model_id,), _("Speak {count} texts", count=len(items))
    )
    outcome = executor.run(work, progress, cancel)
    before = {item.result for item in outcome.skipped}
    failed = {failure.item.result for failure in outcome.failures}
    spoken = tuple(
        Spoken(item.name, Path(item.inputs["audio"]), item.result, item.result in before)
        for item in items
        if item.result not in failed
    )
    return SpokenBatch(spoken, outcome.failures)


def open_speaker(services: Services, setup: Mapping[str, Any]) -> Worker:
    """The worker that speaks a text, and writes its recording and what it was made with."""
    request = SpeechRequest(**setup)

    def speak_one(inputs: Inputs, result: Path, progress: Progress, cancel: CancelToken) -> None:
        one = replace(request, text=inputs["text"], seed=inputs["seed"])
        unsaved = generate_speech(services, complete_speech(services, one), progress, cancel)
        audio, done = Path(inputs["audio"]), unsaved.request
        audio.parent.mkdir(parents=True, exist_ok=True)
        write_speech(audio, unsaved.speech)
        result.parent.mkdir(parents=True, exist_ok=True)
        # Last: it says that all is done.
        write_json(
            result,
            {
                "text": done.text,
                "voice": done.voice,
                "kind": done.kind,
                "model_id": done.model_id,
                "language": done.language,
                "seed": done.seed,
                "options": asdict(done.options),
                "duration_s": unsaved.speech.duration_s,
                "pcm_sha256": pcm_sha256(unsaved.speech),
                "notes": [*filter(None, [done.note]), *unsaved.speech.notes],
            },
        )
        forget_passages(services, unsaved)

    return speak_one


def _item(
    text: NamedText, wanted: str, seed: int | None, folder: Path, output_format: str
) -> WorkItem:
    audio = folder / f"{text.name}.{output_format}"
    if seed is None or seed < 0:  # the same in every folder
        seed = int(item_id(f"{wanted}\n{text.text}")[:8], 16) % 2**31
    name = item_id(f"{audio}\n{wanted}\n{text.text}")
    result = folder / RESULTS_FOLDER / f"{name}.json"
    if not audio.is_file():  # deleted since: it is to be spoken again
        result.unlink(missing_ok=True)
    return WorkItem(text.name, {"text": text.text, "seed": seed, "audio": str(audio)}, result)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")
