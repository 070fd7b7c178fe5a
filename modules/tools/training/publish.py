"""Publishing a checkpoint of a training as a model, and its model card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.downloads.files import ensure_free, sha256_of
from modules.core_components.ai_models.engines.xtts.packing import (
    FULL,
    HALF,
    PackedSize,
    pack,
)
from modules.core_components.ai_models.engines.xtts.text_form import FRONT_END
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import read_rows
from modules.core_components.ai_models.engines.xtts.tuned import HASHES, PRECISION, file_hashes
from modules.core_components.dataset.values import Dataset
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.library.evaluation import BASE, JudgedCheckpoint, Judgement
from modules.core_components.library.names import display_name, safe_stem, same_name_key
from modules.core_components.library.training_runs import KeptCheckpoint, TrainingRun
from modules.core_components.library.tuned_models import CARD, REFERENCE, TunedModel
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.speaker_scale import FIRST_ENCODER, speaker_scale
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _
from modules.core_components.units import size_text
from modules.core_components.version import APP_VERSION
from modules.tools.services import Services
from modules.tools.training.base import base_entry
from modules.tools.training.evaluation import Halving, judge_halving, judge_run, read_judgement
from modules.tools.training.judging_inputs import RunReference, run_reference
from modules.tools.training.run_texts import run_front_end, run_vocabulary

VERSION = 1


@dataclass(frozen=True)
class CardFacts:
    """What a model was made of; `halving` where it is published in half precision."""

    run: TrainingRun
    checkpoint: KeptCheckpoint
    dataset: Dataset
    reference: RunReference
    sizes: PackedSize
    halving: Halving | None = None


def model_card(
    name: str,
    facts: CardFacts,
    base: ModelEntry,
    base_folder: Path,
    judgement: Judgement | None,
    cancel: CancelToken,
) -> dict[str, Any]:
    """The card as plain JSON. Sizes are bytes, `minutes` those of the rows that were trained on."""
    run, kept, dataset = facts.run, facts.checkpoint, facts.dataset
    rows = read_rows(run.files.rows)
    trained = {row.clip_id for row in rows if row.for_training}
    seconds = sum(clip.duration_s for clip in dataset.clips if clip.id in trained)
    base_files = [path for path in sorted(base_folder.iterdir()) if path.suffix in _FILES]
    state_bytes = run.files.state.stat().st_size if run.files.state.is_file() else None
    halving = facts.halving
    return {
        "version": VERSION,
        "name": name,
        "base_model": base.id,
        "language": run.language,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "studio": APP_VERSION,
        "base": {
            "label": base.label,
            "sha256": {path.name: sha256_of(path, cancel) for path in base_files},
        },
        "data": {
            "dataset": dataset.name,
            "speaker": dataset.speaker,
            "speaker_agreed": dataset.agreed,
            "minutes": round(seconds / 60, 1),
            "clips": len(trained),
            "held_out": len(rows) - len(trained),
        },
        "training": {
            "run": run.name,
            "step": kept.step,
            "epoch": kept.epoch,
            "evaluation_loss": kept.eval_loss,
            "parameters": dict(run.plan),
        },
        PRECISION: HALF if halving else FULL,
        **_all_scores(judgement, str(kept.step), halving),
        "reference": {
            "clips": list(facts.reference.clips),
            "seconds": round(facts.reference.sample.duration_s, 2),
        },
        FRONT_END: run_front_end(run)
        or {
            "name": "coqui-tts VoiceBpeTokenizer",
            "version": metadata.version("coqui-tts"),
        },
        "bytes": {
            "training_state": state_bytes,
            "checkpoint": facts.sizes.before,
            "published": facts.sizes.after,
        },
        "licence": {
            "name": base.licence.name,
            "url": base.licence.url,
            "commercial": base.licence.commercial,
            "note": base.licence.note,
        },
    }


_FILES = frozenset({".pth", ".json"})


def _all_scores(
    judgement: Judgement | None, checkpoint: str, halving: Halving | None
) -> dict[str, Any]:
    """Of the model as it is published, before it was halved, and of the base, where they were
    measured; all by one speaker encoder."""
    encoder = judgement.speaker_encoder if judgement else FIRST_ENCODER
    if halving is None:
        found = {"scores": _scores(judgement.row(checkpoint) if judgement else None)}
    else:
        found = {"scores": _scores(halving.half), _BEFORE: _scores(halving.full)}
        if encoder != halving.speaker_encoder:
            encoder, judgement = halving.speaker_encoder, None
    base = judgement.row(BASE) if judgement else None
    return {**found, "scores_of_the_base": _scores(base), "speaker_encoder": encoder}


_BEFORE = "scores_before_halving"


def _scores(row: JudgedCheckpoint | None) -> Mapping[str, Any] | None:
    if row is None:
        return None
    return {key: value for key, value in asdict(row).items() if key not in ("checkpoint", "takes")}


def readme(card: Mapping[str, Any]) -> str:
    """The card for people, in Markdown."""
    data, training, licence = card["data"], card["training"], card["licence"]
    parameters = "\n".join(f"| {key} | {value} |" for key, value in training["parameters"].items())
    hashes = "\n".join(f"| {name} | `{value}` |" for name, value in card["base"]["sha256"].items())
    encoder = speaker_scale(card.get("speaker_encoder", FIRST_ENCODER)).label
    return f"""# {card["name"]}

{card["base"]["label"]}, fine-tuned on {data["minutes"]} minutes of {data["speaker"]}
({data["clips"]} clips, {language_name(card["language"])}; {data["held_out"]} held out).

The numbers in model.pth are {card[PRECISION]}.

Trained to step {training["step"]} (epoch {training["epoch"]}, evaluation loss \
{training["evaluation_loss"]:.4f}) with Voice Clone Studio {card["studio"]}, {card["created"]}.

## Evaluation

{_scores_table(card)}

Word errors: of a Whisper transcript against the text. Similarity: cosine of {encoder} speaker
embeddings with the reference; "speaker" is what the speaker's own clips reach. Length: against
their own.

## Parameters

| parameter | value |
|---|---|
{parameters}

## Base files (SHA-256)

| file | hash |
|---|---|
{hashes}

Texts are read by {_front_end(card["text_frontend"])}.

## Licence

{licence["name"]} ({licence["url"]}), that of the base. {licence["note"]}
"""


def _front_end(record: Mapping[str, Any]) -> str:
    """The name, the version, and what else has to be the same in speaking."""
    others = [f"{key} {value}" for key, value in record.items() if key not in ("name", "version")]
    return " ".join([f"{record['name']} {record['version']}", *(f"({one})" for one in others)])


def _scores_table(card: Mapping[str, Any]) -> str:
    rows = [
        ("this model", card["scores"]),
        ("before it was halved", card.get(_BEFORE)),
        ("the base", card["scores_of_the_base"]),
    ]
    lines = [
        f"| {name} | {_figure(found, 'word_error_rate')} | {_figure(found, 'similarity')} "
        f"| {_figure(found, 'similarity_self')} | {_figure(found, 'duration_ratio')} |"
        for name, found in rows
        if found
    ]
    if not lines:
        return "It was published without an evaluation."
    head = "| | word errors | similarity | speaker | length |\n|---|---|---|---|---|"
    return "\n".join([head, *lines])


def _figure(scores: Mapping[str, Any], name: str) -> str:
    value = scores.get(name)
    return "–" if value is None else f"{value:.3f}"


README = "README.md"


def publish(
    services: Services,
    run_name: str,
    checkpoint: str,
    name: str,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    half: bool = False,
) -> TunedModel:
    """Strips a checkpoint (its step), packs it with all it needs to speak, and keeps it as `name`.

    `half`: in half precision, about 0.95 GB instead of 1.9; it is judged before and after, and its
    card has both scores. It appears whole or not at all. Raises NotFoundError for a run or
    checkpoint that is not there, BadInputError for a name that is empty or taken, DiskFullError,
    JobCancelled.
    """
    cancel = cancel or CancelToken()
    run = services.training_runs.get(run_name)
    kept = _checkpoint(services, run, checkpoint)
    label = _free_name(services, name)
    base = base_entry(services, run.base_model)
    base_folder = services.catalog.folder(base)
    ensure_free(services.settings.finetune_folder, kept.path.stat().st_size)
    with services.tuned_models.adding(label) as incoming:
        folder = incoming.folder
        progress(0.0, _("Choosing the reference"))
        reference = run_reference(services, run, cancel)
        progress(0.1, _("Removing what only training needs"))
        vocabulary = run_vocabulary(run, base_folder)
        sizes = pack(kept.path, base_folder, vocabulary, folder, HALF if half else FULL)
        shutil.copyfile(reference.sample.path, folder / REFERENCE)
        cancel.raise_if_cancelled()
        halving = None
        if half:
            judging = scaled(progress, 0.3, 0.9)
            halving = judge_halving(services, run, kept, judging, cancel)
        progress(0.9, _("Writing the model card"))
        about = CardFacts(run, kept, services.datasets.get(run.dataset), reference, sizes, halving)
        card = model_card(label, about, base, base_folder, read_judgement(run), cancel)
        card[HASHES] = file_hashes(folder, cancel)
        atomic.write_json(folder / CARD, card)
        atomic.write_bytes(folder / README, readme(card).encode("utf-8"))
    progress(1.0, _("Published"))
    return services.tuned_models.get(incoming.folder.name)


def _checkpoint(services: Services, run: TrainingRun, checkpoint: str) -> KeptCheckpoint:
    kept = {str(item.step): item for item in services.training_runs.checkpoints(run.name)}
    if str(checkpoint) not in kept:
        raise NotFoundError(
            _(
                "The training {name!r} has no checkpoint of step {checkpoint}.",
                name=run.name,
                checkpoint=checkpoint,
            ),
            _("It has: {kept}.", kept=", ".join(sorted(kept, key=int)) or _("none yet")),
        )
    return kept[str(checkpoint)]


def _free_name(services: Services, name: str) -> str:
    label = display_name(name, "")
    if not safe_stem(label, ""):
        raise BadInputError(
            _("The model has no name."), _("Give it one with a letter in it."), "name"
        )
    taken = {same_name_key(model.name) for model in services.tuned_models.list()}
    if same_name_key(safe_stem(label)) in taken:
        raise BadInputError(
            _("There already is a model named {label!r}.", label=label),
            _("Choose another name."),
            "name",
        )
    return label


def proposed_checkpoint(services: Services, run_name: str) -> str:
    """The step that the run's judgement proposes. Raises BadInputError without a proposal."""
    judgement = read_judgement(services.training_runs.get(run_name))
    if judgement is None or not judgement.proposed:
        why = judgement.reason if judgement else _("Evaluate the run first.")
        raise BadInputError(
            _("No checkpoint of {run_name!r} is proposed.", run_name=run_name),
            _("{why} To publish one all the same, name its step.", why=why),
            "checkpoint",
        )
    return judgement.proposed


def result_in_words(model: TunedModel) -> str:
    """What publishing saved and what halving changed, from the model's card."""
    found = model.card["bytes"]
    before = (found["training_state"] or 0) + found["checkpoint"]
    sizes = _(
        "{before} of training became {after}.",
        before=size_text(before),
        after=size_text(found["published"]),
    )
    full, half = model.card.get(_BEFORE), model.card["scores"]
    if not full or not half:
        return sizes
    return _(
        "{sizes} Before and after halving: similarity {similarity} and {similarity_half}, word "
        "errors {errors} and {errors_half}.",
        sizes=sizes,
        similarity=_figure(full, "similarity"),
        similarity_half=_figure(half, "similarity"),
        errors=_figure(full, "word_error_rate"),
        errors_half=_figure(half, "word_error_rate"),
    )


# Evaluating and publishing as jobs.

JUDGE, PUBLISH = "judge_run", "publish_model"


def register(services: Services) -> None:
    """Registers the jobs of this file."""

    def run_judge(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        found = judge_run(services, payload["run"], job.progress, job.cancel)
        return {"run": found.run, "proposed": found.proposed}

    def run_publish(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        model = publish(
            services,
            payload["run"],
            payload["checkpoint"],
            payload["name"],
            job.progress,
            job.cancel,
            bool(payload.get("half")),
        )
        return {"run": payload["run"], "model": model.name}

    services.jobs.register(JUDGE, run_judge)
    services.jobs.register(PUBLISH, run_publish)


def submit_judging(services: Services, run: str) -> Job:
    """Queues the evaluation of a run. Raises NotFoundError."""
    name = services.training_runs.get(run).name
    return services.jobs.submit(JUDGE, _("Evaluate {name}", name=name), {"run": name})


def submit_publishing(
    services: Services, run: str, checkpoint: str, name: str, half: bool = False
) -> Job:
    """Queues the publishing of a checkpoint as a model; see `publish`. Raises NotFoundError."""
    found = services.training_runs.get(run).name
    payload = {"run": found, "checkpoint": checkpoint, "name": name, "half": half}
    return services.jobs.submit(PUBLISH, _("Publish {name}", name=name), payload)
