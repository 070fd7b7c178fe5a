"""Transcription: recordings in, text with times out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modules.core_components.ai_models.engines.base import ASREngine
from modules.core_components.ai_models.engines.options import describe_options, parse_options
from modules.core_components.audio.decode import Track, default_track, list_tracks
from modules.core_components.audio.files import check_audible, read_speech
from modules.core_components.audio.speech_regions import speech_regions
from modules.core_components.dataset.words import fitted_to_speech, in_order
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.text.language_codes import language_tag, match_language
from modules.core_components.text.languages import language_name
from modules.core_components.text.segments import (
    kept_near,
    split_at_pauses,
    with_words,
    within_speech,
)
from modules.core_components.text.speaker_turns import with_speakers
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Segment, Speech, Transcript
from modules.tools.listening.language_check import language_note
from modules.tools.listening.speaker_voices import Voices
from modules.tools.listening.speakers import (
    OFF,
    Diarization,
    diarize,
    parse_speakers,
    require_models,
)
from modules.tools.listening.transcripts import keep_transcript, keep_upload
from modules.tools.models.fallback import (
    UNUSABLE,
    ModelChoice,
    choose_listening_model,
    fallback_mentioned,
    fit_options,
    replace_broken_model,
)
from modules.tools.models.memory import report_load
from modules.tools.services import Services

logger = logging.getLogger(__name__)

HOTWORDS, WORD_TIMES = "hotwords", "word_timestamps"
# What the catalog says of models that name the speakers themselves.
SPEAKERS = "speakers"
# Of the work, on a processor and with the small models.
_DIARIZING_SHARE = 0.4


@dataclass(frozen=True)
class TranscribeRequest:
    """What to transcribe and how.

    `model_id` "" is the default model, `language` "" lets the model find it; `options` are the
    engine's. `track` is the audio track, counted from 1; 0 is the file's default. With `timed`
    the times matter, so that word times are found where the model has them. Without
    `may_fall_back` it is that model or an error. `speakers` says how many speakers are to be told
    apart, as `parse_speakers` reads it. With `check_language` a note says when the recording
    sounds like another language than that of the transcript.
    """

    path: Path
    model_id: str = ""
    language: str = ""
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    may_fall_back: bool = True
    track: int = 0
    timed: bool = False
    speakers: str = OFF
    check_language: bool = False


@dataclass(frozen=True)
class CompletedTranscription:
    """A request with its model chosen and checked.

    `options` is the engine's options dataclass, `given` what the request set of it, `note` why
    another model than the one asked for transcribes.
    """

    model_id: str
    language: str
    options: Any
    given: Mapping[str, Any]
    may_fall_back: bool
    note: str = ""
    track: int = 0
    timed: bool = False
    speakers: str = OFF
    check_language: bool = False


def complete_transcription(
    services: Services, request: TranscribeRequest, choice: ModelChoice | None = None
) -> CompletedTranscription:
    """Chooses the model and checks what can be checked without recording and weights.

    `choice` is the model where the caller has chosen it already. Raises BadInputError, and
    NotFoundError for an unknown model.
    """
    wanted_speakers = parse_speakers(request.speakers)
    if wanted_speakers is not None:
        require_models(services)
    timed = request.timed or wanted_speakers is not None
    if choice is None and request.may_fall_back:
        choice = choose_listening_model(services, request.model_id)
    choice = choice or ModelChoice(request.model_id or services.settings.asr_model)
    listener, note = services.asr.get(choice.model_id), ""
    given = _rename_prompt(listener, request.options)
    with fallback_mentioned(choice):
        if choice.note:
            given, note = fit_options(listener.options_type, given, choice)
        language = language_to_transcribe(listener, request.language)
        with_times = timed and WORD_TIMES in option_names(listener)
        options = _parse(listener, {**given, WORD_TIMES: True} if with_times else given, language)
    return CompletedTranscription(
        choice.model_id,
        language,
        options,
        given,
        request.may_fall_back,
        note,
        request.track,
        timed,
        request.speakers,
        request.check_language,
    )


def language_to_transcribe(listener: ASREngine, given: str) -> str:
    """The model's own code for a language, written as `match_language` takes it; "" to detect it.

    Raises BadInputError for what is no language, or not one of the model's.
    """
    if given.strip().lower() in ("", "auto"):
        return ""
    known = tuple(listener.languages)
    code = match_language(given, known) if known else language_tag(given).partition("-")[0]
    if not code:
        raise BadInputError(
            _("{label} does not know the language {given!r}.", label=listener.label, given=given),
            _("It knows {known}.", known=", ".join(sorted(known)))
            if known
            else _("Give a code such as en or it."),
            "language",
        )
    return code


def transcribe(
    services: Services,
    request: TranscribeRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Transcript:
    """Completes a request and transcribes its recording; see `transcribe_file`."""
    completed = complete_transcription(services, request)
    return transcribe_file(services, completed, request.path, progress, cancel or CancelToken())


def transcribe_file(
    services: Services,
    request: CompletedTranscription,
    recording: Path,
    progress: Progress,
    cancel: CancelToken,
    called: str = "",
    on_read: Callable[[Speech], Any] = lambda speech: None,
    on_voices: Callable[[Voices], Any] = lambda voices: None,
) -> Transcript:
    """The transcript of a recording (any container that FFmpeg reads, video too).

    Messages call it `called`, or else by its file name. `on_read` is given what was listened to,
    `on_voices` the embeddings of the speakers that were told apart.

    A model that turns out to be broken is replaced by the fallback of the settings; the
    transcript's notes say so. Raises JobCancelled between segments once `cancel` is set.
    """
    progress(0.0, _("Reading the recording"))
    try:
        speech = _read(services, request, recording, cancel, called)
        on_read(speech)
        return _transcribe(services, speech, request, progress, cancel, on_voices)
    except UNUSABLE as error:
        choice = replace_broken_model(services, services.asr, request.model_id, error)
        if choice is None or not request.may_fall_back:
            raise
        logger.warning(choice.note)
        again = TranscribeRequest(
            recording,
            request.model_id,
            request.language,
            options=request.given,
            track=request.track,
            timed=request.timed,
            speakers=request.speakers,
            check_language=request.check_language,
        )
        other = complete_transcription(services, again, choice)
        speech = _read(services, other, recording, cancel, called)
        on_read(speech)
        return _transcribe(services, speech, other, progress, cancel, on_voices)


def transcribe_speech(
    services: Services,
    speech: Speech,
    model_id: str,
    language: str,
    progress: Progress,
    cancel: CancelToken,
    options: Mapping[str, Any] | None = None,
) -> Transcript:
    """Transcribes audio in memory, without a fallback ("" is the default model)."""
    listener = services.asr.get(model_id or services.settings.asr_model)
    given = _rename_prompt(listener, options or {})
    language = language_to_transcribe(listener, language)
    parsed = _parse(listener, given, language)
    request = CompletedTranscription(listener.model_id, language, parsed, given, False)
    return _transcribe(services, speech, request, progress, cancel)


def live_transcription(
    services: Services, request: CompletedTranscription, recording: Path, cancel: CancelToken
) -> Generator[Segment, None, None]:
    """The segments of a recording, each transcribed when it is asked for.

    It holds the model until it is closed or at its end; raises JobCancelled between segments once
    `cancel` is set.
    """
    speech = _read(services, request, recording, cancel)
    listener = services.asr.get(request.model_id)
    yield from listener.transcribe(speech, request.options, no_progress, cancel).segments


def text_parts(segments: Iterable[Segment]) -> Iterator[str]:
    """What each segment adds to the transcript's text."""
    for index, segment in enumerate(segments):
        yield (" " if index else "") + segment.text.strip()


def takes_hotwords(services: Services, model_id: str) -> bool:
    """Whether names and terms to expect can be given to a listening model."""
    return HOTWORDS in option_names(services.asr.get(model_id))


def option_names(listener: ASREngine) -> frozenset[str]:
    """The options that a listening model has."""
    return frozenset(item.name for item in describe_options(listener.options_type))


def _transcribe(
    services: Services,
    speech: Speech,
    request: CompletedTranscription,
    progress: Progress,
    cancel: CancelToken,
    on_voices: Callable[[Voices], Any] = lambda voices: None,
) -> Transcript:
    listener = services.asr.get(request.model_id)
    count = parse_speakers(request.speakers)
    found: Diarization | None = None
    if count is not None and SPEAKERS not in services.asr.entry(request.model_id).abilities:
        # First, since it can go on where it was broken off.
        found = diarize(services, speech, count, phase(progress, 0.0, _DIARIZING_SHARE), cancel)
        progress = phase(progress, _DIARIZING_SHARE, 1.0)
        on_voices(found.voices)
    report_load(services.asr, listener, progress)
    running = listener.transcribe(speech, request.options, progress, cancel)
    segments = fitted_segments(tuple(running.segments), speech, cancel)
    if found is not None:
        segments = with_speakers(segments, found.turns)
    checked = ""
    if request.check_language and segments:
        checked = language_note(services, listener, speech, request.language, cancel)
    return Transcript(
        text="".join(text_parts(segments)),
        language=running.info.language,
        segments=segments,
        duration_s=speech.duration_s,
        model_id=listener.model_id,
        language_probability=running.info.language_probability,
        notes=(*filter(None, [request.note, checked]), *speech.notes, *running.notes),
        overlaps=found.overlaps if found is not None else (),
    )


def fitted_segments(
    segments: Sequence[Segment], speech: Speech, cancel: CancelToken | None = None
) -> tuple[Segment, ...]:
    """The segments with times that stay with the speech: none reaches over a long silence."""
    regions = speech_regions(speech, cancel) if segments else []
    if not regions:
        return tuple(segments)
    words = in_order((w for segment in segments for w in segment.words), speech.duration_s)
    fitted = [kept_near(word, regions) for word in fitted_to_speech(words, regions)]
    timed = with_words(segments, fitted)
    return tuple(
        part
        for segment in timed
        for part in (
            split_at_pauses(segment) if segment.words else [within_speech(segment, regions)]
        )
    )


def _read(
    services: Services,
    request: CompletedTranscription,
    recording: Path,
    cancel: CancelToken,
    called: str = "",
) -> Speech:
    """The recording at the sample rate of its model; of several tracks its notes say which."""
    rate_hz = services.asr.entry(request.model_id).sample_rate_hz
    speech = read_speech(recording, rate_hz, track=request.track, called=called, cancel=cancel)
    tracks = list_tracks(recording)
    if len(tracks) < 2:
        return speech
    return replace(speech, notes=(_track_note(tracks, request.track), *speech.notes))


def _track_note(tracks: Sequence[Track], number: int) -> str:
    labels = ", ".join(map(track_label, tracks))
    return _(
        "Audio track {number} of {count}: {labels}.",
        number=number or default_track(tracks).number,
        count=len(tracks),
        labels=labels,
    )


def track_label(track: Track) -> str:
    """Such as "2 (French, Commentary)", with the English name of its language."""
    language = language_name(language_tag(track.language) or track.language)
    return replace(track, language=language).label


def _parse(listener: ASREngine, given: Mapping[str, Any], language: str) -> Any:
    return parse_options(listener.options_type, {**given, "language": language or "auto"})


def _rename_prompt(listener: ASREngine, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options, a prompt as hotwords if the model takes only those."""
    names = option_names(listener)
    if "initial_prompt" not in names and HOTWORDS in names:
        return {HOTWORDS if name == "initial_prompt" else name: v for name, v in given.items()}
    return given


# Transcribing as a job.

TRANSCRIBE = "transcribe"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_transcribe(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        path = Path(payload["path"])
        request = read_completed(services, payload)
        # Its title names it; the copy is named after its hash.
        read: list[Speech] = []
        voices: dict[str, FloatArray] = {}
        transcript = transcribe_file(
            services,
            request,
            path,
            job.progress,
            job.cancel,
            _("The recording"),
            read.append,
            voices.update,
        )
        kept = keep_transcript(services, transcript, payload["title"], read[-1], voices)
        return {"transcript": kept.name}

    services.jobs.register(TRANSCRIBE, run_transcribe)


def read_completed(services: Services, payload: Mapping[str, Any]) -> CompletedTranscription:
    """The completed request of a job; the request of an earlier version's job is completed here."""
    about = {name: value for name, value in payload.items() if name not in ("path", "title")}
    if "given" not in about:
        request = TranscribeRequest(Path(payload["path"]), **about)
        return complete_transcription(services, request)
    options_type: Any = services.asr.get(about["model_id"]).options_type
    try:
        return CompletedTranscription(**{**about, "options": options_type(**about["options"])})
    except TypeError:  # the engine of that version had other options
        request = TranscribeRequest(Path(), about["model_id"], about["language"])
        return complete_transcription(services, replace(request, options=about["given"]))


def submit_transcription(
    services: Services,
    recording: Path,
    title: str,
    model_id: str,
    language: str,
    options: Mapping[str, Any] = MappingProxyType({}),
    track: int = 0,
    speakers: str = OFF,
    called: str = "",
) -> Job:
    """Copies the recording into the cache, completes the request and queues it.

    `called` is what its owner calls the file. Raises BadInputError for one that cannot be read or
    is silent: then nothing is queued.
    """
    check_audible(recording, track, called)
    kept = keep_upload(services, recording)
    title = title or recording.stem
    given = dict(options)  # a job keeps plain JSON
    request = TranscribeRequest(
        kept,
        model_id,
        language,
        options=given,
        track=track,
        timed=True,
        speakers=speakers,
        check_language=True,
    )
    completed = complete_transcription(services, request)
    payload = {**asdict(completed), "path": str(kept), "title": title}
    return services.jobs.submit(TRANSCRIBE, _("Transcribe {title}", title=title), payload)
