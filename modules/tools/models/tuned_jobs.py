"""Taking fine-tuned models in and along, as jobs: gigabytes take their time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components.jobs import Job, JobContext
from modules.tools.listening.inbox import keep_upload
from modules.tools.models import library, tuned_models
from modules.tools.services import Services

IMPORT_TUNED = "import_tuned"
EXPORT_TUNED = "export_tuned"


def register(services: Services) -> None:
    """Tells the runner how to do both kinds of work."""

    def do_import(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        archive = Path(payload["archive"])
        model = tuned_models.import_tuned(
            services, archive, payload["name"], job.progress, job.cancel, payload["file_name"]
        )
        archive.unlink(missing_ok=True)
        return {"model": tuned_models.model_id_of(model)}

    def do_export(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        name = payload["name"]
        target = services.exports_folder / f"{name}{tuned_models.SUFFIX}"
        file = tuned_models.export_tuned(services, name, target, job.progress, job.cancel)
        return {"model": payload["model"], "file": str(file)}

    services.jobs.register(IMPORT_TUNED, do_import)
    services.jobs.register(EXPORT_TUNED, do_export)


def submit_import(services: Services, archive: Path, name: str, accepted: bool) -> Job:
    """Queues taking in a zip; `accepted`: the user accepts the licence of XTTS.

    Raises LicenceNotAcceptedError, and BadInputError without a file.
    """
    if accepted:
        library.accept_licence(services, tuned_models.BASE)
    tuned_models.require_consent(services)
    kept = keep_upload(services, archive)
    payload = {"archive": str(kept), "name": name.strip(), "file_name": archive.name}
    return services.jobs.submit(IMPORT_TUNED, f"Import {archive.name}", payload)


def submit_export(services: Services, model_id: str) -> Job:
    """Queues packing a fine-tuned model. Raises NotFoundError."""
    model = services.tts.tuned_model(model_id)
    name = services.tuned_models.get(model.name if model else model_id).name
    return services.jobs.submit(EXPORT_TUNED, f"Pack {name}", {"model": model_id, "name": name})
