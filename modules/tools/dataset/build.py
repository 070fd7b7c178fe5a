"""Recordings in, a dataset out: transcribed, cut, normalized in loudness, split for evaluation.

When it is interrupted, the same request resumes it and ends with the same bytes.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from modules.core_components.dataset.recording_languages import (
    OTHER_LANGUAGE,
    LanguageDoubt,
    language_remedy,
    summarize_doubts,
)
from modules.core_components.dataset.split import TokenCounter, estimated_tokens, topped_up
from modules.core_components.dataset.values import (
    EVAL,
    Dataset,
    Source,
)
from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    DownloadError,
    ModelMissingError,
    ModelTooLargeError,
    StudioError,
)
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress, phase, scaled
from modules.core_components.texts import _, mark
from modules.tools.dataset.inputs import Gathered, Recording, Refused, gather
from modules.tools.dataset.interview import Interviews
from modules.tools.dataset.language_check import RecordingLanguages
from modules.tools.dataset.listen_ahead import listen_ahead
from modules.tools.dataset.sources import SourceMaker
from modules.tools.dataset.transcription import open_listener
from modules.tools.listening.speakers import OFF, parse_speakers
from modules.tools.listening.transcribe import TranscribeRequest, complete_transcription
from modules.tools.listening.transcripts import keep_upload
from modules.tools.services import Services
from modules.tools.work.executor import Executor
from modules.tools.work.places import choose_executor

logger = logging.getLogger(__name__)

# With these the next recording would fail as well.
_FATAL = (DiskFullError, ModelMissingError, ModelTooLargeError, DownloadError)
_REFRESH_EVERY_S = 20.0
# Of the work, when workers listen first.
_LISTENING_SHARE = 0.9
_NO_SPEECH = (
    mark("There is no speech in this recording that a clip could be made of."),
    mark("Play it; if there is speech, try a larger model."),
)


@dataclass(frozen=True)
class DatasetRequest:
    """What is to be added to a dataset; plain JSON by `dataclasses.asdict`.

    `inputs` are files, folders and archives, `names` what people call them where the path does not
    say it. `language` "" is the dataset's. `replace` cuts recordings anew that are there already.
    With `speakers`, as `parse_speakers` reads it, speakers are told apart, and `take` says which of
    them become clips (see `interview`).
    With `denoise` the clips are cleaned once the words are known, since Whisper understands noisy
    speech better than cleaned speech; the recordings themselves are never changed.
    """

    dataset: str
    inputs: tuple[str, ...]
    names: tuple[str, ...] = ()
    model_id: str = ""
    language: str = ""
    precision: str = "auto"
    batch_size: int = 8
    replace: bool = False
    speakers: str = OFF
    take: str = ""
    denoise: bool = False


@dataclass(frozen=True)
class DatasetContents:
    """Rows and seconds of a dataset.

    `kept_s` and the seconds of `dropped_s`, by reason, add up to `recorded_s`.
    """

    train_rows: int
    eval_rows: int
    recorded_s: float
    kept_s: float
    dropped_s: Mapping[str, float]


@dataclass(frozen=True)
class DatasetSummary:
    """What one building did, and what the dataset holds now.

    `refused` could not be used; `unused` are files that are no recordings, subtitles or metadata.
    `other_language` are those of the added recordings that surely are not in the `language` they
    were transcribed in.
    """

    dataset: str
    added: tuple[str, ...]
    already_there: tuple[str, ...]
    refused: tuple[Refused, ...]
    contents: DatasetContents
    unused: tuple[str, ...] = ()
    other_language: tuple[LanguageDoubt, ...] = ()
    language: str = ""

    @property
    def language_warning(self) -> tuple[str, str]:
        """What to say of the recordings in another language, and what to do; ("", "") if none."""
        if not self.other_language:
            return "", ""
        return (
            summarize_doubts(self.other_language, self.language),
            language_remedy(self.other_language, self.language),
        )


def create_dataset(
    services: Services, name: str, language: str, speaker: str, agreed: bool
) -> Dataset:
    """An empty dataset of a speaker who agreed to being learned from.

    Raises BadInputError without consent, for a name that is empty or taken, and for what is no
    language.
    """
    if not agreed:
        raise BadInputError(
            _("A voice may only be trained on if the speaker agreed."),
            _("Ask them, then tick the box."),
            "consent",
        )
    return services.datasets.create(name, language, speaker, agreed)


def build_dataset(
    services: Services,
    request: DatasetRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    count_tokens: TokenCounter = estimated_tokens,
    executor: Executor | None = None,
) -> DatasetSummary:
    """Adds recordings to a dataset; those that it holds already, by their sound, stay as they are.

    An input that cannot be used is named in the summary and the others go on. `count_tokens` says
    how many text tokens a text costs. The workers of an `executor` listen to the recordings first.
    Raises NotFoundError, BadInputError (nothing to add, a
    language or precision the model does not know), ModelBusyError while another job adds to this
    dataset, ModelMissingError, DiskFullError, JobCancelled; what was finished stays.
    """
    token = cancel or CancelToken()
    dataset = services.datasets.get(request.dataset)
    language = request.language or dataset.language
    listener = open_listener(
        services, request.model_id, language, request.precision, request.batch_size
    )
    complete_transcription(
        services,
        TranscribeRequest(Path(), listener.engine.model_id, language, may_fall_back=False),
    )
    interviews = None
    if parse_speakers(request.speakers) is not None or request.take:
        interviews = Interviews(services, dataset.folder, request.speakers, request.take)
    maker = SourceMaker(dataset, language, listener, count_tokens, interviews, request.denoise)
    languages = RecordingLanguages(services, language)
    with services.datasets.building(dataset.name):
        unpacked = Path(tempfile.mkdtemp(prefix="unpacked-", dir=services.settings.cache_folder))
        try:
            progress(0.0, _("Finding the recordings"))
            inputs = [Path(path) for path in request.inputs]
            gathered = gather(inputs, request.names, unpacked, token)
            if not gathered.recordings and not gathered.refused:
                seen = f" ({some_of(gathered.unused)})" if gathered.unused else ""
                raise BadInputError(
                    _("There are no recordings in what was given{seen}.", seen=seen),
                    _("Give recordings, videos, folders or archives of them."),
                )
            building = _Building(services, maker, languages, gathered, request.replace)
            heard = [recording for recording in gathered.recordings if recording.row is None]
            if executor is None or not _is_worth_it(executor, heard):
                return building.run(progress, token)
            setup = {
                "model_id": listener.engine.model_id,
                "language": language,
                "precision": request.precision,
                "batch_size": request.batch_size,
                "speakers": request.speakers,
            }
            listening = phase(progress, 0.0, _LISTENING_SHARE)
            listen_ahead(services, executor, heard, setup, listening, token)
            return building.run(phase(progress, _LISTENING_SHARE, 1.0), token)
        finally:
            shutil.rmtree(unpacked, ignore_errors=True)


def _is_worth_it(executor: Executor, heard: Sequence[Recording]) -> bool:
    """Whether workers listen sooner than this process would, which need not start any."""
    return executor.has_several_workers and (len(heard) > 1 or executor.helps_a_single_item)


class _Building:
    """One run over the recordings of a request."""

    def __init__(
        self,
        services: Services,
        maker: SourceMaker,
        languages: RecordingLanguages,
        gathered: Gathered,
        replace: bool,
    ) -> None:
        self._library = services.datasets
        self._maker = maker
        self._languages = languages
        self._dataset = maker.dataset
        self._gathered = gathered
        self._replace = replace
        self._language = languages.chosen
        self._known = {source.key for source in maker.dataset.sources}
        self._seen: set[str] = set()
        self._added: list[str] = []
        self._already_there: list[str] = []
        self._refused = list(gathered.refused)
        self._other_language: list[LanguageDoubt] = []

    def run(self, progress: Progress, cancel: CancelToken) -> DatasetSummary:
        name = self._dataset.name
        recordings = self._gathered.recordings
        # Their lengths are not known before they are decoded; their sizes are.
        total = sum(recording.size_bytes for recording in recordings) or 1
        done, refreshed = 0, time.monotonic()
        try:
            for recording in recordings:
                cancel.raise_if_cancelled()
                size = recording.size_bytes
                share = scaled(progress, done / total, (done + size) / total)
                self._add(recording, share, cancel)
                done += size
                if time.monotonic() - refreshed > _REFRESH_EVERY_S:
                    self._library.refresh(name)
                    refreshed = time.monotonic()
            for source in topped_up(self._library.get(name)):
                self._library.add_source(self._dataset, source)
            for source in self._languages.mark_short(self._library.get(name), cancel):
                self._library.add_source(self._dataset, source)
                self._warn_of_language(source)
        finally:
            dataset = self._library.refresh(name)
        progress(1.0, _("Done"))
        return self._summary(dataset)

    def _add(self, recording: Recording, progress: Progress, cancel: CancelToken) -> None:
        progress(0.0, _("Reading {name}", name=recording.name))
        try:
            sound = self._maker.read(recording, cancel)
            if sound.key in self._seen or (sound.key in self._known and not self._replace):
                self._already_there.append(recording.name)
                return
            source = self._maker.make(recording, sound, progress, cancel)
            source = self._languages.marked(source, sound.speech, cancel)
            self._library.add_source(self._dataset, source)
        except _FATAL:
            raise
        except StudioError as error:
            logger.info("%s was refused: %s", recording.name, error)
            self._refused.append(Refused(recording.name, error.message, error.hint))
            return
        self._seen.add(sound.key)
        if source.clips:
            self._added.append(recording.name)
            self._warn_of_language(source)
        else:
            self._refused.append(Refused(recording.name, *map(_, _NO_SPEECH)))

    def _warn_of_language(self, source: Source) -> None:
        """Says at once that a recording is in another language: the others may be so too."""
        found = source.made_with.get(OTHER_LANGUAGE)
        if found:
            doubt = LanguageDoubt(source.name, *found)
            logger.warning("%s", doubt.message(self._language))
            self._other_language.append(doubt)

    def _summary(self, dataset: Dataset) -> DatasetSummary:
        return DatasetSummary(
            dataset=dataset.name,
            added=tuple(self._added),
            already_there=tuple(self._already_there),
            refused=tuple(self._refused),
            contents=contents(dataset),
            unused=self._gathered.unused,
            other_language=tuple(self._other_language),
            language=self._language,
        )


def some_of(names: Sequence[str], most: int = 10) -> str:
    """The first names, and how many more there are."""
    rest = len(names) - most
    first = ", ".join(names[:most])
    return _("{names} and {more} more", names=first, more=rest) if rest > 0 else first


def contents(dataset: Dataset) -> DatasetContents:
    """What a dataset holds; clips that the user excluded count as dropped, by their reason."""
    dropped: defaultdict[str, float] = defaultdict(float)
    for source in dataset.sources:
        for gap in source.dropped:
            dropped[gap.reason] += gap.end_s - gap.start_s
        for clip in source.clips:
            if clip.dropped:
                dropped[clip.dropped] += clip.duration_s
    rows = dataset.rows
    return DatasetContents(
        train_rows=sum(clip.subset != EVAL for clip in rows),
        eval_rows=sum(clip.subset == EVAL for clip in rows),
        recorded_s=sum(source.duration_s for source in dataset.sources),
        kept_s=sum(clip.duration_s for clip in rows),
        dropped_s=dict(sorted(dropped.items())),
    )


# Building a dataset as a job.

BUILD_DATASET = "build_dataset"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_build(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        lists = {name: tuple(payload[name]) for name in ("inputs", "names")}
        request = DatasetRequest(**{**payload, **lists})
        executor = choose_executor(services)
        summary = build_dataset(services, request, job.progress, job.cancel, executor=executor)
        for refused in summary.refused:
            job.log(f"{refused.name}: {refused.message} {refused.hint}".strip())
        for doubt in summary.other_language:
            job.log(doubt.message(summary.language))
        if summary.unused:
            job.log(_("Not used: {some}.", some=", ".join(summary.unused)))
        message, hint = summary.language_warning
        warning = {"language_warning": f"{message} {hint}".strip()}
        return {**asdict(summary), **asdict(summary.contents), **warning}

    services.jobs.register(BUILD_DATASET, run_build)


def submit_build(services: Services, request: DatasetRequest, uploaded: bool = False) -> Job:
    """Queues a building; `uploaded` inputs are copied first, since a browser's files vanish.

    Raises NotFoundError for an unknown dataset, BadInputError for an upload that is gone.
    """
    dataset = services.datasets.get(request.dataset)
    if uploaded:
        paths = [Path(path) for path in request.inputs]
        request = replace(
            request,
            inputs=tuple(str(keep_upload(services, path)) for path in paths),
            names=request.names or tuple(path.name for path in paths),
        )
    title = _("Add {count} to {name}", count=len(request.inputs), name=dataset.name)
    return services.jobs.submit(BUILD_DATASET, title, asdict(request))
