"""What a fine-tuned model says of itself: what it was made of, how, and how well it came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.downloads.part_file import sha256_of
from modules.core_components.ai_models.engines.xtts.pack import PackedSize
from modules.core_components.ai_models.engines.xtts.training.rows import read_rows
from modules.core_components.dataset.values import Dataset
from modules.core_components.library.evaluation import BASE, JudgedCheckpoint, Judgement
from modules.core_components.library.training_runs import KeptCheckpoint, TrainingRun
from modules.core_components.progress import CancelToken
from modules.core_components.text.language_names import language_name
from modules.core_components.version import APP_VERSION
from modules.tools.training.run_reference import RunReference

VERSION = 1


@dataclass(frozen=True)
class CardFacts:
    """What a model was made of."""

    run: TrainingRun
    checkpoint: KeptCheckpoint
    dataset: Dataset
    reference: RunReference
    sizes: PackedSize


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
        "scores": _scores(judgement, str(kept.step)),
        "scores_of_the_base": _scores(judgement, BASE),
        "reference": {
            "clips": list(facts.reference.clips),
            "seconds": round(facts.reference.sample.duration_s, 2),
        },
        "text_frontend": {
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


def _scores(judgement: Judgement | None, checkpoint: str) -> Mapping[str, Any] | None:
    row: JudgedCheckpoint | None = judgement.row(checkpoint) if judgement else None
    if row is None:
        return None
    return {key: value for key, value in asdict(row).items() if key not in ("checkpoint", "takes")}


def readme(card: Mapping[str, Any]) -> str:
    """The card for people, in Markdown."""
    data, training, licence = card["data"], card["training"], card["licence"]
    parameters = "\n".join(f"| {key} | {value} |" for key, value in training["parameters"].items())
    hashes = "\n".join(f"| {name} | `{value}` |" for name, value in card["base"]["sha256"].items())
    return f"""# {card["name"]}

{card["base"]["label"]}, fine-tuned on {data["minutes"]} minutes of {data["speaker"]}
({data["clips"]} clips, {language_name(card["language"])}; {data["held_out"]} held out).

Trained to step {training["step"]} (epoch {training["epoch"]}, evaluation loss \
{training["evaluation_loss"]:.4f}) with Voice Clone Studio {card["studio"]}, {card["created"]}.

## How it was judged

{_scores_table(card)}

Word errors: of a Whisper transcript against the text. Likeness: cosine of GE2E speaker embeddings
with the reference; the speaker himself is what real clips of his reach. Length: against his own.

## Parameters

| parameter | value |
|---|---|
{parameters}

## Base files (SHA-256)

| file | hash |
|---|---|
{hashes}

Texts are read by {card["text_frontend"]["name"]} {card["text_frontend"]["version"]}.

## Licence

{licence["name"]} ({licence["url"]}), that of the base. {licence["note"]}
"""


def _scores_table(card: Mapping[str, Any]) -> str:
    rows = [("this model", card["scores"]), ("the base", card["scores_of_the_base"])]
    lines = [
        f"| {name} | {_figure(found, 'word_error_rate')} | {_figure(found, 'similarity')} "
        f"| {_figure(found, 'similarity_self')} | {_figure(found, 'duration_ratio')} |"
        for name, found in rows
        if found
    ]
    if not lines:
        return "It was published without being judged."
    head = "| | word errors | likeness | the speaker himself | length |\n|---|---|---|---|---|"
    return "\n".join([head, *lines])


def _figure(scores: Mapping[str, Any], name: str) -> str:
    value = scores.get(name)
    return "–" if value is None else f"{value:.3f}"
