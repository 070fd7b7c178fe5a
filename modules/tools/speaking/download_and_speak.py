"""Speaking with a model that is downloaded first: one request for both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.texts import _
from modules.tools.models import library
from modules.tools.services import Services
from modules.tools.speaking.request import SpeechRequest, complete_speech, read_completed
from modules.tools.speaking.speech import submit_completed

DOWNLOAD_AND_SPEAK = "download_and_speak"


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        library.download(services, payload["model"], job.progress, job.cancel)
        speech = payload["speech"]
        if speech is None:
            return {"model": payload["model"]}
        completed = read_completed(services, speech)
        # Speaking waits its turn in the lane of all computing, as a job of its own.
        follower = submit_completed(services, completed, payload["live"])
        return {"model": payload["model"], "job": follower.id, "live": payload["live"]}

    services.jobs.register(DOWNLOAD_AND_SPEAK, run, lane="network")


def permit_download(
    services: Services, model_id: str, accepted: bool = False, token: str = ""
) -> None:
    """Remembers what a download needs: that the user accepts the licence, and the access token.

    Raises BadInputError for what is still missing; then nothing is remembered.
    """
    entry = services.tts.entry(model_id)
    if library.needs_consent(services, model_id) and not accepted:
        raise BadInputError(
            _("The licence is not accepted yet."), _("Read it, then tick the box."), "licence"
        )
    if token.strip():
        library.access_token(services).save(token)
    elif services.downloader.needs_token(model_id):
        raise BadInputError(
            _(
                "{label} is given out for an access token only, and none is saved.",
                label=entry.label,
            ),
            _(
                "Accept the terms at {url} with an account of the hub and paste a token "
                "of that account.",
                url=entry.licence.url,
            ),
            "token",
        )
    if accepted:
        library.accept_licence(services, model_id)


def download_and_speak(
    services: Services, model_id: str, request: SpeechRequest | None, live: bool = False
) -> Job:
    """Queues the download of a model and then the request, which that model speaks and no other;
    without a request only the download. The same asked for again is the job that does it already.

    The request is completed at once: what is wrong with it is refused before anything is
    fetched. Raises as `complete_speech`.
    """
    speech = None
    if request is not None:
        asked = replace(request, engine=model_id, may_fall_back=False)
        speech = asdict(complete_speech(services, asked))
    payload = {"model": model_id, "speech": speech, "live": live}
    for job in services.jobs.list(states=("queued", "running"), kind=DOWNLOAD_AND_SPEAK):
        if _asks_for(job.payload) == _asks_for(payload) and not job.cancel_requested:
            return job
    title = _("Download {label}", label=services.tts.entry(model_id).label)
    return services.jobs.submit(DOWNLOAD_AND_SPEAK, title, payload)


def _asks_for(payload: Mapping[str, Any]) -> tuple[str, ...]:
    """What a job is for; the seed, which is drawn anew for every request, is no part of it."""
    speech = payload["speech"] or {}
    return payload["model"], speech.get("voice", ""), speech.get("text", "")
