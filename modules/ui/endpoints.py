"""What programs may call on the page through `gradio_client`; docs/api.md shows how.

Each endpoint calls what the page's own tabs call. Long work is a job: the endpoint returns it at
once, `job_status` tells how it goes and `cancel_job` stops it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import FileData

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.text import subtitles
from modules.core_components.texts import _
from modules.core_components.values import Consent, Sample
from modules.tools.dataset.build import DatasetRequest, create_dataset, submit_build
from modules.tools.listening import transcripts
from modules.tools.listening.transcribe import submit_transcription
from modules.tools.models import library
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest
from modules.tools.speaking.speech import submit_speech
from modules.tools.voices import samples
from modules.tools.voices.preparation import prepare_later
from modules.tools.voices.preset_voices import preset_voices
from modules.ui.events import show_errors
from modules.ui.safety import upload_folder

# Everything else on the page is private.
PUBLIC = (
    "list_models",
    "list_voices",
    "list_samples",
    "add_sample",
    "clone_voice",
    "get_take",
    "transcribe_recording",
    "get_transcript",
    "make_dataset",
    "job_status",
    "cancel_job",
)


def add_endpoints(services: Services) -> None:
    """Registers the endpoints in the current Blocks."""
    endpoints = Endpoints(services)
    for name in PUBLIC:
        gr.api(show_errors(getattr(endpoints, name), _plain), api_name=name)


class Endpoints:
    """The endpoints, by name; all take and return plain JSON, and files as Gradio's FileData."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def list_models(self) -> list[dict[str, Any]]:
        """Every model: id, label, task, state (installed, partial, missing), and its languages."""
        return [
            {
                "id": item.entry.id,
                "label": item.entry.label,
                "task": item.entry.task,
                "state": item.state,
                "languages": list(item.entry.languages),
            }
            for item in library.list_models(self._services)
        ]

    def list_voices(self, engine: str = "") -> list[dict[str, Any]]:
        """The stock voices of a speaking model ("": the usual one), and the user's own."""
        tts, usual = self._services.tts, self._services.settings.tts_model
        handle = tts.get(library.find_model_id(self._services, engine) if engine else usual)
        return [
            {"name": voice.name, "label": voice.label, "language": voice.language}
            for voice in preset_voices(self._services, handle)
        ]

    def list_samples(self) -> list[dict[str, Any]]:
        """The samples: recordings whose voices can be cloned."""
        return [_sample_facts(sample) for sample in self._services.samples.list()]

    def add_sample(
        self,
        recording: FileData,
        name: str = "",
        speaker: str = "",
        agreed: bool = False,
        ref_text: str = "",
        language: str = "",
    ) -> dict[str, Any]:
        """Adds a recording as a sample; `agreed`: it is your voice, or its owner agreed."""
        consent = Consent(speaker=speaker.strip(), agreed=agreed)
        sample, warnings = samples.add_sample(
            self._services, self._uploaded(recording), name, consent, ref_text, language
        )
        prepare_later(self._services, sample.name)
        return {**_sample_facts(sample), "warnings": list(warnings)}

    def clone_voice(
        self,
        text: str,
        voice: str,
        kind: str = "sample",
        engine: str = "",
        language: str = "",
        seed: int = -1,
    ) -> dict[str, Any]:
        """Queues a take in the voice of a sample, or (kind "preset") of a stock voice."""
        request = SpeechRequest(
            text=text, voice=voice, kind=kind, engine=engine, language=language, seed=seed
        )
        return _job_facts(submit_speech(self._services, request))

    def get_take(self, take: str) -> dict[str, Any]:
        """A take by the id in its job's result, with its recording."""
        found = self._services.takes.get(take)
        return {
            "id": found.id,
            "text": found.text,
            "voice": found.voice,
            "engine": found.engine,
            "language": found.language,
            "seed": found.seed,
            "duration_s": found.duration_s,
            "recording": FileData(path=str(found.path)).model_dump(),
        }

    def transcribe_recording(
        self, recording: FileData, model: str = "", language: str = "", speakers: str = ""
    ) -> dict[str, Any]:
        """Queues the transcription of a recording; model and language "": the usual, detected.

        Speakers are told apart with "auto", a number, or bounds such as "2-4".
        """
        path = self._uploaded(recording)
        model_id = library.find_model_id(self._services, model) if model else ""
        return _job_facts(
            submit_transcription(
                self._services, path, path.stem, model_id, language, speakers=speakers
            )
        )

    def get_transcript(self, transcript: str, fmt: str = "txt") -> str:
        """A transcript by the name in its job's result, as txt, srt, vtt or json."""
        kept = transcripts.get_transcript(self._services, transcript.removesuffix(".json"))
        return subtitles.render(kept.transcript, fmt)

    def make_dataset(
        self,
        name: str,
        recordings: list[FileData],
        speaker: str = "",
        agreed: bool = False,
        language: str = "en",
        model: str = "",
        speakers: str = "",
        take: str = "",
    ) -> dict[str, Any]:
        """Makes a dataset and queues its recordings; `agreed`: your voice, or its owner agreed.

        With `speakers` they are told apart; `take` is "main", "each", or a speaker's name.
        """
        inputs = tuple(str(self._uploaded(recording)) for recording in recordings)
        if not inputs:
            raise BadInputError(
                _("There are no recordings."), _("Pass at least one."), "recordings"
            )
        model_id = library.find_model_id(self._services, model) if model else ""
        dataset = create_dataset(self._services, name, language, speaker, agreed)
        request = DatasetRequest(
            dataset.name, inputs, model_id=model_id, speakers=speakers, take=take
        )
        return _job_facts(submit_build(self._services, request, uploaded=True))

    def job_status(self, job_id: str) -> dict[str, Any]:
        """Where a job is, and its result once it is done."""
        return _job_facts(self._services.jobs.get(job_id))

    def cancel_job(self, job_id: str) -> dict[str, Any]:
        """Stops a job."""
        self._services.jobs.cancel(job_id)
        return _job_facts(self._services.jobs.get(job_id))

    def _uploaded(self, file: Any) -> Path:
        """The path of an upload. Raises BadInputError for whatever is none.

        Gradio has checked what is marked as a file, and only that.
        """
        path = file.get("path") if isinstance(file, Mapping) else None
        uploads = upload_folder(self._services)
        if not isinstance(path, str) or not Path(path).resolve().is_relative_to(uploads.resolve()):
            raise BadInputError(
                _("The recording is not an uploaded file."),
                _("Pass handle_file(path) of gradio_client."),
            )
        return Path(path)


def _plain(message: str, hint: str) -> str:
    """An error as one line of text, where those of the page are HTML."""
    return f"{message} {hint}".strip()


def _sample_facts(sample: Sample) -> dict[str, Any]:
    return {
        "name": sample.name,
        "duration_s": sample.duration_s,
        "language": sample.language,
        "ref_text": sample.ref_text,
        "speaker": sample.consent.speaker if sample.consent else "",
        "agreed": bool(sample.consent and sample.consent.agreed),
    }


def _job_facts(job: Job) -> dict[str, Any]:
    """A job as plain JSON."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": job.state,
        "fraction": job.fraction,
        "message": job.message,
        "eta_s": job.eta_s,
        "result": dict(job.result) if job.result else None,
        "error": job.error,
        "hint": job.hint,
    }
