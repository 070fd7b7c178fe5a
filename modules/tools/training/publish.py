"""From a checkpoint of a training to a model that stands in every tab."""

from __future__ import annotations

import shutil

from modules.core_components import atomic
from modules.core_components.ai_models.downloads.disk import ensure_free
from modules.core_components.ai_models.engines.xtts.files import WEIGHTS
from modules.core_components.ai_models.engines.xtts.pack import pack
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library.names import display_name, safe_stem, same_name_key
from modules.core_components.library.training_runs import KeptCheckpoint, TrainingRun
from modules.core_components.library.tuned_models import CARD, TunedModel
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.tools.services import Services
from modules.tools.training.evaluation import read_judgement
from modules.tools.training.model_card import CardFacts, model_card, readme
from modules.tools.training.run_reference import run_reference

REFERENCE, README = "reference.wav", "README.md"


def publish(
    services: Services,
    run_name: str,
    checkpoint: str,
    name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> TunedModel:
    """Strips a checkpoint (its step), packs it with all it needs to speak, and keeps it as `name`.

    It appears whole or not at all. Raises NotFoundError for a run or checkpoint that is not there,
    BadInputError for a name that is empty or taken, DiskFullError, JobCancelled.
    """
    cancel = cancel or CancelToken()
    run = services.training_runs.get(run_name)
    kept = _checkpoint(services, run, checkpoint)
    label = _free_name(services, name)
    base = services.catalog.entry(run.base_model)
    base_folder = services.catalog.folder(base)
    ensure_free(services.settings.finetune_folder, (base_folder / WEIGHTS).stat().st_size)
    with services.tuned_models.adding(label) as incoming:
        folder = incoming.folder
        progress(0.0, "Choosing the reference")
        reference = run_reference(services, run, cancel)
        progress(0.1, "Leaving out what only training needs")
        sizes = pack(kept.path, base_folder, folder)
        shutil.copyfile(reference.sample.path, folder / REFERENCE)
        cancel.raise_if_cancelled()
        progress(0.6, "Writing the model card")
        about = CardFacts(run, kept, services.datasets.get(run.dataset), reference, sizes)
        card = model_card(label, about, base, base_folder, read_judgement(run), cancel)
        atomic.write_json(folder / CARD, card)
        atomic.write_bytes(folder / README, readme(card).encode("utf-8"))
    progress(1.0, "Published")
    return services.tuned_models.get(incoming.folder.name)


def _checkpoint(services: Services, run: TrainingRun, checkpoint: str) -> KeptCheckpoint:
    kept = {str(item.step): item for item in services.training_runs.checkpoints(run.name)}
    if str(checkpoint) not in kept:
        raise NotFoundError(
            f"The training {run.name!r} has no checkpoint of step {checkpoint}.",
            f"It has: {', '.join(sorted(kept, key=int)) or 'none yet'}.",
        )
    return kept[str(checkpoint)]


def _free_name(services: Services, name: str) -> str:
    label = display_name(name, "")
    if not safe_stem(label, ""):
        raise BadInputError("The model has no name.", "Give it one with a letter in it.", "name")
    taken = {same_name_key(model.name) for model in services.tuned_models.list()}
    if same_name_key(safe_stem(label)) in taken:
        raise BadInputError(
            f"There already is a model named {label!r}.", "Choose another name.", "name"
        )
    return label


def proposed_checkpoint(services: Services, run_name: str) -> str:
    """The step that the run's judgement proposes. Raises BadInputError without a proposal."""
    judgement = read_judgement(services.training_runs.get(run_name))
    if judgement is None or not judgement.proposed:
        why = judgement.reason if judgement else "Judge the run first."
        raise BadInputError(
            f"No checkpoint of {run_name!r} is proposed.",
            f"{why} To publish one all the same, name its step.",
            "checkpoint",
        )
    return judgement.proposed


def sizes_in_words(model: TunedModel) -> str:
    """What publishing saved, from the model's card."""
    found = model.card["bytes"]
    before = (found["training_state"] or 0) + found["checkpoint"]
    return f"{before / 1e6:,.0f} MB of training became {found['published'] / 1e6:,.0f} MB."
