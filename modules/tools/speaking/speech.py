"""Text in, take out: the one way from a request to a clip in the history.

Page, API and command line all come through here. Long texts are spoken in passages, each kept on
disk as soon as it is done, so that an interrupted job does not speak it again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from modules.core_components.ai_models.engines.base import AttentiveEngine, TTSEngine
from modules.core_components.atomic import atomic_path, check_writable
from modules.core_components.audio.files import audio_sha256, read_speech
from modules.core_components.jobs import Job, JobContext
from modules.core_components.library import TakeLibrary
from modules.core_components.progress import CancelToken, Progress, no_progress, phase, scaled
from modules.core_components.text.lines import shorten
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Scores, Speech, Take, VoicePrompt
from modules.core_components.version import APP_VERSION, computing_environment
from modules.tools.models.fallback import UNUSABLE, replace_broken_model
from modules.tools.models.memory import report_load
from modules.tools.services import Services
from modules.tools.speaking.request import (
    CompletedSpeech,
    PauseStep,
    SpeechRequest,
    complete_speech,
    read_completed,
)
from modules.tools.speaking.scores import score_speech
from modules.tools.voices.own_voices import fixed_voice
from modules.tools.voices.preset_voices import voice_in_words
from modules.tools.voices.refinement import refine_later

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
# Gets each piece of speech as soon as it is made.
Listener = Callable[[Speech], None]

# About 15 characters a second in English reading; only estimates depend on it.
CHARACTERS_PER_SECOND = 15.0
_WAV_BYTES_PER_SECOND = 2 * 24_000


def expected_bytes(text: str) -> int:
    """About the size of the wav file of a text, to be compared with the room on a disk."""
    return int(len(text) / CHARACTERS_PER_SECOND * _WAV_BYTES_PER_SECOND)


def ignore_piece(piece: Speech) -> None:
    """A listener for speech that is only wanted as a whole."""


@dataclass(frozen=True)
class UnsavedSpeech:
    """Speech that is not kept yet, and what it was made with."""

    request: CompletedSpeech
    engine: TTSEngine
    sample: Sample | None
    voice: VoicePrompt | str
    speech: Speech
    timings_s: dict[str, float]
    speaker_samples: Mapping[str, str] = field(default_factory=dict)


def speak(
    services: Services,
    request: SpeechRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    on_piece: Listener = ignore_piece,
) -> Take:
    """Completes a request and speaks it; raises as `complete_speech` and `speak_completed`."""
    completed = complete_speech(services, request)
    return speak_completed(services, completed, progress, cancel or CancelToken(), on_piece)


def speak_completed(
    services: Services,
    request: CompletedSpeech,
    progress: Progress,
    cancel: CancelToken,
    on_piece: Listener = ignore_piece,
) -> Take:
    """Speaks the text and keeps the take in the history.

    Raises StudioError for what cannot be done and JobCancelled when `cancel` is set; a cancelled
    take leaves nothing in the history.
    """
    hint = _("Choose another output folder in the settings, or make this one writable.")
    check_writable(services.settings.output_folder, hint, expected_bytes(request.text))
    unsaved = generate_speech(services, request, progress, cancel, on_piece)
    scores = Scores()
    if request.score:
        progress(0.9, _("Scoring the take"))
        done = unsaved.request
        scores = timed(
            unsaved.timings_s,
            "score",
            lambda: score_speech(
                services, unsaved.speech, done.text, done.language, unsaved.sample, cancel
            ),
        )
    take = save_take(services, services.takes, unsaved, scores)
    progress(1.0, _("Done"))
    return take


def generate_speech(
    services: Services,
    request: CompletedSpeech,
    progress: Progress,
    cancel: CancelToken,
    on_piece: Listener = ignore_piece,
) -> UnsavedSpeech:
    """Speaks the text; raises as `speak_completed`. Finished passages stay in the cache until
    `keep`. A model that turns out broken before the first piece is replaced by the fallback."""
    was_heard = False

    def note_piece(piece: Speech) -> None:
        nonlocal was_heard
        was_heard = True
        on_piece(piece)

    try:
        return _perform(services, request, progress, cancel, note_piece)
    except UNUSABLE as error:
        choice = replace_broken_model(services, services.tts, request.model_id, error)
        if choice is None or was_heard or not request.may_fall_back:
            raise
        logger.warning(choice.note)
        other = complete_speech(services, request.reopened(), choice)
        return _perform(services, other, progress, cancel, on_piece)


def _perform(
    services: Services,
    request: CompletedSpeech,
    progress: Progress,
    cancel: CancelToken,
    on_piece: Listener,
) -> UnsavedSpeech:
    engine = services.tts.get(request.model_id)
    report_load(services.tts, engine, progress)
    timings: dict[str, float] = {}
    sample, voice = timed(
        timings,
        "prepare_voice",
        lambda: _prepare_voice(services, engine, request, phase(progress, 0.0, 0.5), cancel),
    )
    speaking = phase(progress, 0.5 if sample else 0.0, 0.9)
    folder = _passages_folder(services, request, voice)
    speech = timed(
        timings,
        "speak",
        lambda: _speak_passages(engine, voice, request, folder, speaking, cancel, on_piece),
    )
    return UnsavedSpeech(request, engine, sample, voice, speech, timings)


def save_take(
    services: Services, takes: TakeLibrary, unsaved: UnsavedSpeech, scores: Scores | None = None
) -> Take:
    """Keeps speech as a take, with everything needed to make it again. Raises DiskFullError."""
    request = unsaved.request
    fields = _take_fields(unsaved, scores or Scores())
    take = takes.save(fields, unsaved.speech, request.output_format)
    forget_passages(services, unsaved)
    return take


def forget_passages(services: Services, unsaved: UnsavedSpeech) -> None:
    """Removes the passages in the cache, once the speech they are parts of is kept."""
    folder = _passages_folder(services, unsaved.request, unsaved.voice)
    shutil.rmtree(folder, ignore_errors=True)


def timed(timings: dict[str, float], name: str, work: Callable[[], Result]) -> Result:
    """Runs `work` and notes its seconds under `name`."""
    start = time.monotonic()
    result = work()
    timings[name] = round(time.monotonic() - start, 3)
    return result


def collect_speech(
    pieces: Iterable[Speech],
    rate_hz: int,
    characters: int,
    progress: Progress,
    cancel: CancelToken,
    on_piece: Listener = ignore_piece,
) -> Speech:
    """All the pieces of a text of so many characters as one. Raises JobCancelled."""
    expected_s = characters / CHARACTERS_PER_SECOND
    spoken: list[Speech] = []
    spoken_s = 0.0
    for piece in pieces:
        cancel.raise_if_cancelled()
        on_piece(piece)
        spoken.append(piece)
        spoken_s += piece.duration_s
        progress(spoken_s / (spoken_s + max(expected_s - spoken_s, 0.0)), _("Speaking"))
    samples = [np.zeros(0, np.float32), *(piece.samples for piece in spoken)]
    notes = tuple(note for piece in spoken for note in piece.notes)
    return Speech(np.concatenate(samples), rate_hz, notes=notes)


def _prepare_voice(
    services: Services,
    engine: TTSEngine,
    request: CompletedSpeech,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[Sample | None, VoicePrompt | str]:
    if request.kind != "sample":
        return None, fixed_voice(engine, request.voice)
    sample = services.samples.voice(request.voice)
    model_id, key = request.model_id, request.prompt_key
    if request.refined:
        return sample, services.tts.refine_voice(model_id, sample, progress, cancel)[0]
    if key:
        return sample, services.tts.voice_of_key(model_id, sample, key, progress, cancel)
    return sample, services.tts.prepare_voice(model_id, sample, progress, cancel)[0]


def _speak_passages(
    engine: TTSEngine,
    voice: VoicePrompt | str,
    request: CompletedSpeech,
    folder: Path,
    progress: Progress,
    cancel: CancelToken,
    on_piece: Listener,
) -> Speech:
    """The steps of the request as one speech; passages that `folder` holds are not spoken again."""
    folder.mkdir(parents=True, exist_ok=True)
    rate_hz = engine.sample_rate_hz
    total, done = sum(len(passage.text) for passage in request.passages), 0
    spoken: list[FloatArray] = []
    notes: list[str] = []
    for step in request.steps:
        cancel.raise_if_cancelled()
        if isinstance(step, PauseStep):
            pause = step.speech(rate_hz)
            on_piece(pause)
            spoken.append(pause.samples)
            continue
        part = scaled(progress, done / total, (done + len(step.text)) / total)
        path = folder / f"{step.index:05d}.npy"
        audio = _read_passage(path)
        if audio is not None:
            on_piece(Speech(audio, rate_hz))
        else:
            pieces = engine.stream(step.text, voice, step.options, cancel)
            speech = collect_speech(pieces, rate_hz, len(step.text), part, cancel, on_piece)
            audio = speech.samples
            notes += speech.notes
            if not speech.notes:  # they would be lost
                with atomic_path(path) as partial, partial.open("wb") as file:
                    np.save(file, audio, allow_pickle=False)
        spoken.append(audio)
        done += len(step.text)
    return Speech(np.concatenate(spoken), rate_hz, notes=tuple(notes))


def _read_passage(path: Path) -> FloatArray | None:
    try:
        kept: FloatArray = np.load(path, allow_pickle=False)
        return kept
    except (OSError, ValueError, EOFError):
        return None


def _passages_folder(
    services: Services, request: CompletedSpeech, voice: VoicePrompt | str
) -> Path:
    identity = {
        "request": {**asdict(request), "score": None, "output_format": None, "made_from": None},
        "voice": voice if isinstance(voice, str) else voice.key,
        "version": APP_VERSION,
    }
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode()).hexdigest()
    return services.settings.cache_folder / "speaking" / digest[:24]


def _take_fields(unsaved: UnsavedSpeech, scores: Scores) -> dict[str, Any]:
    request, engine, voice = unsaved.request, unsaved.engine, unsaved.voice
    sample = unsaved.sample
    return {
        "text": request.text,
        "kind": request.kind,
        "voice": sample.name if sample else request.voice,
        "engine": engine.label,
        "model_id": engine.model_id,
        "model_revision": engine.model_revision,
        "language": request.language,
        "seed": request.seed,
        "options": asdict(request.options),
        "sample_sha256": sample.audio_sha256 if sample else None,
        "prompt_key": voice.key if isinstance(voice, VoicePrompt) else None,
        "ref_text": sample.ref_text if sample else "",
        "scores": scores,
        "timings_s": unsaved.timings_s,
        "app_version": APP_VERSION,
        "environment": computing_environment(
            engine.precision, engine.attention if isinstance(engine, AttentiveEngine) else ""
        ),
        "notes": (*filter(None, [request.note]), *unsaved.speech.notes),
        "made_from": request.made_from,
        "audio_sha256": audio_sha256(unsaved.speech),
        "speaker_samples": unsaved.speaker_samples,
    }


def read_take(take: Take) -> Speech:
    """The take's audio as it lies on disk."""
    return read_speech(take.path)


# Speaking as a job. The kinds tell the tabs of the page apart; all are done in the same way.

SPEAK, SPEAK_PRESET, DESIGN = "speak", "speak_preset", "design_voice"
_TITLE = 200  # characters of the text; where there is less room it is shortened
_LIVE = "live"  # whether a page plays the speech while it is made


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_speak(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        fields = dict(payload)
        live = fields.pop(_LIVE, False)
        request = read_completed(services, fields)
        with services.live.feeding(job.job_id) if live else nullcontext(ignore_piece) as on_piece:
            take = speak_completed(services, request, job.progress, job.cancel, on_piece)
        if take.kind == "sample":
            refine_later(services, take.model_id, take.voice)
        return {"take": take.id}

    for kind in (SPEAK, SPEAK_PRESET, DESIGN):
        services.jobs.register(kind, run_speak)


def submit_speech(
    services: Services, request: SpeechRequest, live: bool = False, kind: str = SPEAK
) -> Job:
    """Completes the request and queues it; a resumed job repeats it with the same seed.

    The speech of a `live` job can be played while it is made, see `live_feed`.
    """
    return submit_completed(services, complete_speech(services, request), live, kind)


def submit_completed(
    services: Services, completed: CompletedSpeech, live: bool = False, kind: str = SPEAK
) -> Job:
    """As `submit_speech`, for a request that is completed already."""
    title = f"{shorten(voice_in_words(completed.voice), 60)}: {shorten(completed.text, _TITLE)}"
    return services.jobs.submit(kind, title, {**asdict(completed), _LIVE: live})
