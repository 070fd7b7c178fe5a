"""The kinds of long work, and how a job's stored payload becomes a call of a tool.

Payloads and results are plain JSON: they outlive the process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modules.core_components.ai_models.engines.kokoro.voices import SUFFIXES as VOICE_SUFFIXES
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.jobs.store import RESUMABLE
from modules.tools.conversation import conversation
from modules.tools.dataset import build, report
from modules.tools.listening import transcribe
from modules.tools.listening.transcripts import keep_upload
from modules.tools.models import benchmark, library, tuned_models
from modules.tools.models.memory import tell_load
from modules.tools.services import Services
from modules.tools.speaking import history
from modules.tools.speaking.fallback import choose_speaking_model
from modules.tools.speaking.speech import SpeechRequest, complete_request, speak
from modules.tools.training import publish, training
from modules.tools.voices import samples
from modules.tools.voices.previews import make_preview
from modules.tools.voices.samples import demo_sample_wanted, ensure_demo_sample

logger = logging.getLogger(__name__)


SPEAK = "speak"
SPEAK_PRESET = "speak_preset"
DESIGN = "design_voice"
PREVIEW = "preview_voice"
AGAIN = "make_again"
TRANSCRIBE = "transcribe"
DOWNLOAD = "download"
LOAD = "load_model"
REFERENCE = "reference_text"
EXPORT = "export_voice"
DEMO = "demo_sample"
# Whether a page plays the speech of a job while it is made.
LIVE = "live"


def register_job_kinds(services: Services) -> None:
    """Tells the runner how to do each kind of work, also work left over from another run."""

    def do_speak(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        request = SpeechRequest(**{key: payload[key] for key in payload if key != LIVE})
        if not payload.get(LIVE):
            return {"take": speak(services, request, job.progress, job.cancel).id}
        with services.live.feeding(job.job_id) as hear:
            return {"take": speak(services, request, job.progress, job.cancel, hear).id}

    def do_preview(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, "Loading the model")
        file = make_preview(
            services,
            payload["model"],
            payload["voice"],
            payload["language"],
            job.progress,
            job.cancel,
        )
        return {"voice": payload["voice"], "file": str(file)}

    def do_again(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        made = history.make_again(services, payload["take"], job.progress, job.cancel)
        return {"take": made.take.id, "identical": made.identical, "reason": made.reason}

    def do_transcribe(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        request = transcribe.TranscribeRequest(**{**payload, "path": Path(payload["path"])})
        transcript = transcribe.transcribe(services, request, job.progress, job.cancel)
        kept = transcribe.keep_transcript(services, transcript, request.title)
        return {"transcript": kept.name}

    def do_download(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        library.download(services, payload["model"], job.progress, job.cancel)
        return {"model": payload["model"]}

    def do_reference(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = samples.write_reference_text(services, payload["sample"], job.progress, job.cancel)
        return {"sample": sample.name}

    def do_export(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        file = samples.export_voice(
            services,
            payload["sample"],
            Path(payload["target"]),
            payload["engine"],
            job.progress,
            job.cancel,
        )
        return {"sample": payload["sample"], "file": str(file)}

    def do_load(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        job.progress(0.0, "Loading")
        tell_load(services, payload["model"], job.progress)
        library.load(services, payload["model"], job.cancel)
        return {"model": payload["model"]}

    def do_demo(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        sample = ensure_demo_sample(services, job.progress, job.cancel)
        return {"sample": sample.name if sample else ""}

    services.jobs.register(SPEAK, do_speak)
    services.jobs.register(SPEAK_PRESET, do_speak)
    services.jobs.register(DESIGN, do_speak)
    services.jobs.register(PREVIEW, do_preview, lane="preview")
    services.jobs.register(AGAIN, do_again)
    services.jobs.register(TRANSCRIBE, do_transcribe)
    services.jobs.register(DOWNLOAD, do_download, lane="network")
    services.jobs.register(REFERENCE, do_reference)
    services.jobs.register(EXPORT, do_export)
    services.jobs.register(LOAD, do_load, lane="loading")
    services.jobs.register(DEMO, do_demo)
    benchmark.register(services)
    conversation.register(services)
    build.register(services)
    report.register(services)
    tuned_models.register(services)
    publish.register(services)
    training.register(services)


def submit_demo_sample(services: Services) -> None:
    """Queues the studio's own sample if this is its first start, so the page is never empty."""
    pending = services.jobs.list(states=("queued", "running"), kind=DEMO)
    if demo_sample_wanted(services) and not pending:
        services.jobs.submit(DEMO, "Make the demo sample", {})


def submit_speech(
    services: Services, request: SpeechRequest, live: bool = False, kind: str = SPEAK
) -> Job:
    """Checks the request now and queues it; the seed is drawn here, so a resumed job repeats.

    What a `live` job says can be heard while it works, see `live_feed`.
    """
    request = complete_request(services, request)
    title = f"{request.voice[:60]}: {request.text[:60]}"
    return services.jobs.submit(kind, title, {**asdict(request), LIVE: live})


def submit_preview(services: Services, model_id: str, voice: str, language: str) -> Job:
    """Queues a preview of a voice or mix."""
    payload = {"model": model_id, "voice": voice, "language": language}
    return services.jobs.submit(PREVIEW, f"Preview of {voice}", payload)


def submit_again(services: Services, take_id: str) -> Job:
    """Queues making a take again."""
    take = services.takes.get(take_id)
    return services.jobs.submit(AGAIN, f"Again: {take.text[:60]}", {"take": take.id})


def submit_transcription(
    services: Services,
    recording: Path,
    title: str,
    model_id: str,
    language: str,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> Job:
    """Queues a transcription; the recording is kept until then, whatever the browser does."""
    kept = keep_upload(services, recording)
    payload = {
        "path": str(kept),
        "model_id": model_id,
        "language": language,
        "title": title or recording.stem,
        "options": dict(options),
    }
    return services.jobs.submit(TRANSCRIBE, f"Transcribe {payload['title']}", payload)


def submit_download(services: Services, model_id: str) -> Job:
    """Queues a download; a second wish for the same model joins the first."""
    entry = services.catalog.entry(model_id)
    for job in services.jobs.list(states=("queued", "running")):
        if job.kind == DOWNLOAD and job.payload.get("model") == model_id:
            return job
    return services.jobs.submit(DOWNLOAD, f"Download {entry.label}", {"model": model_id})


def submit_reference_text(services: Services, sample_name: str) -> Job:
    """Queues writing down what a sample says."""
    sample = services.samples.get(sample_name)
    return services.jobs.submit(
        REFERENCE, f"Write down what {sample.name} says", {"sample": sample.name}
    )


def submit_export(services: Services, sample_name: str, engine: str, suffix: str) -> Job:
    """Queues writing a sample's fitted voice as a voice pack (see `load_pack`)."""
    sample = services.samples.get(sample_name)
    if suffix not in VOICE_SUFFIXES:
        raise BadInputError(
            f"A voice cannot be a {suffix!r} file.", f"Choose {', '.join(VOICE_SUFFIXES)}."
        )
    target = services.exports_folder / f"{sample.path.stem}{suffix}"
    payload = {"sample": sample.name, "engine": engine, "target": str(target)}
    return services.jobs.submit(EXPORT, f"Export {sample.name}", payload)


def submit_load(services: Services, model_id: str) -> Job:
    """Queues bringing a model into memory; a second wish for the same model joins the first."""
    entry = library.model_state(services, model_id).entry
    for job in services.jobs.list(kind=LOAD):
        if job.payload.get("model") == model_id and job.is_active:
            return job
        if job.payload.get("model") == model_id and job.state in RESUMABLE:
            services.jobs.dismiss(job.id)  # this is the new try
    return services.jobs.submit(LOAD, f"Load {entry.label}", {"model": model_id})


# Models brought into memory while the studio opens.


def preload(services: Services) -> tuple[Job, ...]:
    """Queues loading the speaking model, if the settings ask for it, and those set to come first.

    Nothing waits for them. The Models tab shows how far they are; one that fails stops neither the
    others nor the start: the tab says why, and so does the log.
    """
    settings = services.settings
    wanted = [choose_speaking_model(services).model_id] if settings.preload_model else []
    wanted += [model_id for model_id, own in settings.model_settings.items() if own.preload]
    queued = []
    for model_id in dict.fromkeys(wanted):
        try:
            queued.append(submit_load(services, model_id))
        except StudioError as error:  # a model that was deleted since
            logger.warning("%s is not loaded at the start: %s", model_id, error.message)
    return tuple(queued)
