"""Importing and exporting fine-tuned models; `library` deletes them."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.downloads.downloader import LicenceNotAcceptedError
from modules.core_components.ai_models.downloads.files import ensure_free, sha256_of
from modules.core_components.ai_models.engines.xtts.checkpoint import WEIGHTS, reference_clips
from modules.core_components.ai_models.engines.xtts.packing import precision_of, write_weights
from modules.core_components.ai_models.engines.xtts.tuned import (
    HASHES,
    PRECISION,
    check_tuned,
    model_id_of,
)
from modules.core_components.jobs import Job, JobContext
from modules.core_components.library.archives import extract
from modules.core_components.library.tuned_models import (
    CARD,
    REFERENCE,
    TunedModel,
    read_tuned_model,
)
from modules.core_components.progress import CancelToken, Progress, no_progress, phase
from modules.core_components.texts import _, mark
from modules.tools.listening.transcripts import keep_upload
from modules.tools.models import library
from modules.tools.services import Services

__all__ = [
    "BASE",
    "SUFFIX",
    "card_facts",
    "export_tuned",
    "import_tuned",
    "model_id_of",
    "needs_consent",
    "require_consent",
]

BASE = "xtts-v2.0.3"
SUFFIX = ".zip"

_MB = 1_000_000
# By name, the most bytes that each may have: about three times what XTTS v2 needs. A trainer's
# checkpoint with its optimizer has 5.6 GB.
_LIMITS = {
    "config.json": 5 * _MB,
    "vocab.json": 50 * _MB,
    "model.pth": 12_000 * _MB,
    "speakers_xtts.pth": 100 * _MB,
    "reference*.wav": 100 * _MB,
    "ref.wav": 100 * _MB,
    CARD: 5 * _MB,
}
# The name that ebook2audiobook wants the reference recording to have in a zip.
_OTHER_REFERENCE = "ref.wav"
_BLOCK = 1 << 20
_SAID_ELSEWHERE = ("name", "label", "base_model", "licence")
# What the facts on a card are called that the studio writes; others by their keys.
_FACTS = {
    "version": mark("Version"),
    "language": mark("Language"),
    "created": mark("Created"),
    "studio": mark("Studio"),
    "precision": mark("Precision"),
    "speaker_encoder": mark("Speaker encoder"),
    "imported_from": mark("Imported from"),
}


def needs_consent(services: Services) -> bool:
    """Whether the licence of XTTS has to be accepted before a model made from it is imported."""
    return library.needs_consent(services, BASE)


def require_consent(services: Services) -> None:
    """Raises LicenceNotAcceptedError where `needs_consent`."""
    if needs_consent(services):
        raise LicenceNotAcceptedError(services.catalog.entry(BASE))


def import_tuned(
    services: Services,
    archive: Path,
    name: str = "",
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    file_name: str = "",
) -> TunedModel:
    """Imports the zip of a fine-tuned XTTS, by default under the name on its card, else under that
    of the file (`file_name`, if the file was renamed since).

    Only the files of a model are taken, and everything is read before it counts as one. Raises
    LicenceNotAcceptedError, BadInputError for another file, ModelMissingError or
    CorruptFileError that names the file at fault, and DiskFullError; then nothing is left.
    """
    require_consent(services)
    unpacking, cancel = phase(progress, 0.0, 0.9), cancel or CancelToken()
    with services.tuned_models.adding(Path(file_name or archive.name).stem) as incoming:
        left_out = extract(archive, incoming.folder, _LIMITS, unpacking, cancel, file_name)
        progress(0.9, _("Reading the model"))
        _name_reference(incoming.folder)
        check_tuned(incoming.folder)
        card = dict(read_tuned_model(incoming.folder).card)
        card["imported_from"] = file_name or archive.name
        card["left_out"] = list(left_out[:100])
        card[PRECISION] = precision_of(incoming.folder / WEIGHTS)
        incoming.name = name.strip() or str(card.get("name") or incoming.name)
        if name.strip():
            card["label"] = name.strip()
        atomic.write_json(incoming.folder / CARD, card)
    progress(1.0, _("Imported"))
    return read_tuned_model(incoming.folder)


def export_tuned(
    services: Services,
    name: str,
    target: Path,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Path:
    """Writes a fine-tuned model as a zip that `import_tuned` takes, and ebook2audiobook as a custom
    XTTS model: config.json, model.pth, vocab.json and ref.wav at its top.

    model.pth is written anew and holds tensors alone: that of an imported model may hold objects,
    which programs that unpickle it would run. Raises NotFoundError, CorruptFileError,
    DiskFullError and JobCancelled.
    """
    model, cancel = services.tuned_models.get(name), cancel or CancelToken()
    target.parent.mkdir(parents=True, exist_ok=True)
    ensure_free(target.parent, 2 * (model.folder / WEIGHTS).stat().st_size)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".packing-") as written:
        progress(0.0, _("Writing the weights"))
        with atomic.full_disk_reported(target):
            write_weights(model.folder / WEIGHTS, Path(written) / WEIGHTS)
        card = dict(model.card)
        if HASHES in card:
            weights_hash = sha256_of(Path(written) / WEIGHTS, cancel)
            card[HASHES] = {**card[HASHES], WEIGHTS: weights_hash}
        atomic.write_json(Path(written) / CARD, card)
        files = _files_to_pack(model.folder, Path(written))
        total, done = sum(path.stat().st_size for path in files.values()) or 1, 0
        with atomic.atomic_path(target) as partial, zipfile.ZipFile(partial, "w") as archive:
            for packed_name, path in files.items():
                # Weights do not get smaller; packing them would only take minutes.
                member = zipfile.ZipInfo.from_file(path, packed_name)
                with path.open("rb") as source, archive.open(member, "w", force_zip64=True) as file:
                    while block := source.read(_BLOCK):
                        cancel.raise_if_cancelled()
                        file.write(block)
                        done += len(block)
                        progress(done / total, _("Packing {name}", name=path.name))
    return target


def _files_to_pack(folder: Path, written: Path) -> dict[str, Path]:
    """The files of a zip by their names in it: those of the model, and what was written anew."""
    files = {path.name: path for pattern in _LIMITS for path in sorted(folder.glob(pattern))}
    files |= {path.name: path for path in written.iterdir()}
    for clip in reference_clips(folder)[:1]:
        files[_OTHER_REFERENCE] = clip
    return files


def _name_reference(folder: Path) -> None:
    """Gives the reference recording of an imported model the name that the studio knows."""
    given = folder / _OTHER_REFERENCE
    if given.is_file() and reference_clips(folder):
        given.unlink()  # the same recording again
    elif given.is_file():
        given.rename(folder / REFERENCE)


def card_facts(model: TunedModel) -> dict[str, str]:
    """The facts on a model's card for people, without long and nested values."""
    facts = {}
    for key, value in model.card.items():
        if key in _SAID_ELSEWHERE or isinstance(value, list | dict) or value in ("", None):
            continue
        called = _FACTS.get(key) or key.replace("_", " ").capitalize()
        facts[_(called)] = _plain(value)
    return facts


def _plain(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


# Importing and exporting as jobs.

IMPORT_TUNED = "import_tuned"
EXPORT_TUNED = "export_tuned"


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_import(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        archive = Path(payload["archive"])
        model = import_tuned(
            services, archive, payload["name"], job.progress, job.cancel, payload["file_name"]
        )
        archive.unlink(missing_ok=True)
        return {"model": model_id_of(model)}

    def run_export(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        name = payload["name"]
        target = services.exports_folder / f"{name}{SUFFIX}"
        file = export_tuned(services, name, target, job.progress, job.cancel)
        return {"model": payload["model"], "file": str(file)}

    services.jobs.register(IMPORT_TUNED, run_import)
    services.jobs.register(EXPORT_TUNED, run_export)


def submit_import(services: Services, archive: Path, name: str, accepted: bool) -> Job:
    """Queues importing a zip; `accepted`: the user accepts the licence of XTTS.

    Raises LicenceNotAcceptedError, and BadInputError without a file.
    """
    if accepted:
        library.accept_licence(services, BASE)
    require_consent(services)
    kept = keep_upload(services, archive)
    payload = {"archive": str(kept), "name": name.strip(), "file_name": archive.name}
    return services.jobs.submit(IMPORT_TUNED, _("Import {name}", name=archive.name), payload)


def submit_export(services: Services, model_id: str) -> Job:
    """Queues packing a fine-tuned model. Raises NotFoundError."""
    model = services.tts.tuned_model(model_id)
    name = services.tuned_models.get(model.name if model else model_id).name
    return services.jobs.submit(
        EXPORT_TUNED, _("Pack {name}", name=name), {"model": model_id, "name": name}
    )
