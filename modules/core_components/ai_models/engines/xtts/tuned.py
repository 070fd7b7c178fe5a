"""A fine-tuned XTTS as a model like any other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog import Licence, ModelEntry
from modules.core_components.ai_models.downloads.files import sha256_of
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.registry import Factory
from modules.core_components.ai_models.engines.xtts.checkpoint import (
    CONFIG,
    NEEDED,
    SPEAKERS,
    VOCABULARY,
    WEIGHTS,
    check_files_present,
    check_pair,
    corrupt,
    read_json,
    read_vocabulary,
    read_weights,
    reference_clips,
)
from modules.core_components.ai_models.engines.xtts.engine import (
    REQUIRED_PACKAGES,
    ModelFiles,
    XttsEngine,
)
from modules.core_components.ai_models.engines.xtts.network import SAMPLE_RATE_HZ
from modules.core_components.ai_models.engines.xtts.options import BASE_LANGUAGES, languages_in
from modules.core_components.ai_models.engines.xtts.packing import HALF
from modules.core_components.ai_models.engines.xtts.speakers import studio_speakers
from modules.core_components.ai_models.engines.xtts.text_form import FRONT_END, LANGUAGE
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import CorruptFileError
from modules.core_components.library.tuned_models import TunedModel, read_tuned_model
from modules.core_components.progress import CancelToken
from modules.core_components.text.amharic.front_end import ABOUT
from modules.core_components.text.amharic.front_end import NAME as AMHARIC
from modules.core_components.texts import _

__all__ = [
    "REQUIRED_PACKAGES",
    "check_tuned",
    "entry_of",
    "factory_of",
    "file_hashes",
    "model_id_of",
]

FAMILY = "xtts"
PRECISION = "precision"  # on the card: that of the numbers in model.pth
_WORKING_MB = 700  # what speaking takes besides the weights


def model_id_of(model: TunedModel) -> str:
    """The model id of a fine-tuned model."""
    return f"{FAMILY}-{model.name}"


def entry_of(model: TunedModel, licence: Licence) -> ModelEntry:
    """A fine-tuned model described as the catalog would. `licence` is that of its base."""
    weights_mb = (model.folder / WEIGHTS).stat().st_size // 1_000_000
    if model.card.get(PRECISION) == HALF:
        weights_mb *= 2  # it computes in float32
    return ModelEntry(
        id=model_id_of(model),
        family=FAMILY,
        version=model.base_model,
        task="text-to-speech",
        label=model.label,
        folder=str(model.folder),
        files=(),
        sources=(),
        licence=licence,
        languages=_languages(model),
        sample_rate_hz=SAMPLE_RATE_HZ,
        memory_mb=weights_mb + _WORKING_MB,
        download_mb=0,
        abilities=("clone", "several-clips", "stock-voices", "streaming"),
        starter=False,
        engine="",
        note=_note(model),
    )


def factory_of(folder: Path) -> Factory:
    """The engine factory of the fine-tuned model in `folder`."""

    def verified_folder() -> Path:
        check_files_present(folder)
        return folder

    model_files = ModelFiles(folder, lambda: read_tuned_model(folder).revision, verified_folder)

    def create(entry: ModelEntry, context: EngineContext) -> XttsEngine:
        return XttsEngine(entry, context, model_files)

    return create


def check_tuned(folder: Path) -> None:
    """Reads everything in the folder as speaking would, and runs nothing of it; compares what its
    card has the SHA-256 of.

    Raises ModelMissingError, CorruptFileError or BadInputError that names the file.
    """
    check_files_present(folder)
    _check_hashes(folder)
    read_json(folder / CONFIG)
    check_pair(read_weights(folder / WEIGHTS), folder / WEIGHTS, folder / VOCABULARY)
    studio_speakers(folder / SPEAKERS)
    for clip in reference_clips(folder):
        read_speech(clip)


HASHES = "sha256"  # on the card: the SHA-256 of each file of the model by its name


def file_hashes(folder: Path, cancel: CancelToken | None = None) -> dict[str, str]:
    """What `check_tuned` compares, for the card. Raises JobCancelled."""
    names = (*NEEDED, SPEAKERS, *(clip.name for clip in reference_clips(folder)))
    cancel = cancel or CancelToken()
    here = (folder / name for name in names)
    return {path.name: sha256_of(path, cancel) for path in here if path.is_file()}


def _check_hashes(folder: Path) -> None:
    """Cards of earlier versions and of other programs have no hashes."""
    known = read_tuned_model(folder).card.get(HASHES)
    if not isinstance(known, Mapping):
        return
    for name, found in file_hashes(folder).items():
        if name in known and known[name] != found:
            raise corrupt(
                folder / name, f"its SHA-256 is {found}, that on the model's card {known[name]}"
            )


def _note(model: TunedModel) -> str:
    made = _("Fine-tuned.")
    if model.base_model:
        made = _("Fine-tuned from {base}.", base=model.base_model)
    record = _own_front_end(model)
    if not record:
        return made
    how = _(ABOUT.get(str(record.get("way")), ""))
    if "backend" not in record:
        return _("{made} It takes Amharic in Ethiopic script, {how}.", made=made, how=how)
    program = f"{record['backend']} {record['backend_version']}"
    return _(
        "{made} It takes Amharic in Ethiopic script, {how} by {program}.",
        made=made,
        how=how,
        program=program,
    )


def _own_front_end(model: TunedModel) -> Mapping[str, Any]:
    """The record of a front end of the studio's own; {} where coqui's reads the texts."""
    record = model.card.get(FRONT_END)
    return record if isinstance(record, dict) and record.get("name") == AMHARIC else {}


def _languages(model: TunedModel) -> tuple[str, ...]:
    """Those of its vocabulary, the one it was tuned for first."""
    path = model.folder / VOCABULARY
    try:
        known = _languages_in_file(path, path.stat().st_mtime_ns)
    except CorruptFileError:
        known = BASE_LANGUAGES  # the error appears when it is loaded
    if _own_front_end(model):
        known = (*known, LANGUAGE)
    return tuple(sorted(known, key=lambda code: code != model.language))


@lru_cache(maxsize=64)
def _languages_in_file(path: Path, modified_ns: int) -> tuple[str, ...]:
    return languages_in(read_vocabulary(path))
