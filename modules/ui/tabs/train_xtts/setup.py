"""Before a training: which dataset, which base, how, and what preflight says of it."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.base import describe_options
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ABOUT,
    PRESETS,
    STANDARD,
    TrainingPlan,
    departures,
    switched,
    with_preset,
)
from modules.core_components.errors import BadInputError
from modules.core_components.text.languages import language_name
from modules.tools.models import library
from modules.tools.models.library import submit_download
from modules.tools.services import Services
from modules.tools.training.preflight import (
    OK,
    STOP,
    TRAINING_FILES,
    WARN,
    Check,
    Preflight,
    preflight,
)
from modules.tools.training.training import TrainingRequest, start_training
from modules.ui.handlers import listen
from modules.ui.widgets.engine_panel import option_control
from modules.ui.widgets.parts import menu, menu_update, panel, title
from modules.ui.widgets.snippets import (
    badge,
    duration_text,
    empty_html,
    excerpt,
    facts_html,
    size_text,
    table_html,
)

# What preflight found, as HTML.


_WORDS = {OK: ("fine", "good"), WARN: ("look", "warn"), STOP: ("stop", "bad")}
_MOST_ROWS = 200


def preflight_html(found: Preflight) -> str:
    """A verdict, then every check with what to do; what stops comes first."""
    order = {STOP: 0, WARN: 1, OK: 2}
    checks = sorted(found.checks, key=lambda check: order[check.level])
    if found.stops:
        verdict, kind = f"{len(found.stops)} to mend before this can be trained.", "bad"
    else:
        rows = f"{found.kept_rows} rows to train on, {found.eval_rows} to evaluate with"
        verdict, kind = f"Ready: {rows}.", "good"
    lines = "".join(_check_html(check) for check in checks)
    return (
        f"<div class='studio-job {kind}'><strong>{verdict}</strong></div>"
        f"<ul class='studio-checks'>{lines}</ul>"
    )


def rejected_html(found: Preflight) -> str:
    """The rows that will not be trained on; "" when there are none."""
    if not found.rows:
        return ""
    rows = [
        (row.clip_id, [html.escape(row.clip_id), excerpt(row.text, 60), html.escape(row.reason)])
        for row in found.rows[:_MOST_ROWS]
    ]
    more = len(found.rows) - len(rows)
    told = f"<div class='studio-note'>and {more} more</div>" if more else ""
    head = f"<div class='studio-title'>Rows that are left out ({len(found.rows)})</div>"
    return head + table_html(("Clip", "Text", "Why"), rows) + told


def _check_html(check: Check) -> str:
    word, kind = _WORDS[check.level]
    hint = f"<small>{html.escape(check.hint)}</small>" if check.hint else ""
    return (
        f"<li>{badge(word, kind)}<div><strong>{html.escape(check.name)}</strong> "
        f"{html.escape(check.message)}{hint}</div></li>"
    )


NO_DATASET = "No dataset yet"
BASES = "xtts-v"
NOT_LOOKED = "Preflight looks at every row, the base, disk and memory before anything is trained."


class TrainingSetup:
    """`inputs` and `request` belong together; `started` changes to the name of each new run."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._fields = describe_options(TrainingPlan)
        self.started = gr.State("")
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_choices()
            with gr.Column(scale=7, min_width=340):
                title("Preflight")
                self._report = panel(empty_html(NOT_LOOKED))
                self._rejected = panel()

    def _build_choices(self) -> None:
        title("What to train")
        self._dataset = menu("Dataset", NO_DATASET)
        self._dataset_facts = panel()
        self._base = menu("Base model", "None")
        self._base_note = panel()
        self._accept = gr.Checkbox(label="I accept this licence", value=False, visible=False)
        self._download = gr.Button("Download the base", size="sm", visible=False)
        self._name = gr.Textbox(value="", label="Name of the training", placeholder="anna-first")
        title("How")
        self._preset = gr.Radio(
            [(name.capitalize(), name) for name in PRESETS], value=STANDARD, label="Preset"
        )
        self._preset_in_use = gr.State(STANDARD)
        self._preset_note = panel(_preset_html(STANDARD, {}))
        start = with_preset(STANDARD)
        with gr.Accordion("Every parameter", open=False):
            self._options = [option_control(item, start[item.name]) for item in self._fields]
        with gr.Row():
            self._look = gr.Button("Preflight")
            self.train = gr.Button("Train", variant="primary")

    @property
    def inputs(self) -> list[Any]:
        return [self._name, self._dataset, self._base, *self._options]

    @property
    def outputs(self) -> list[Any]:
        """What `refresh` gives values for."""
        about_base = [self._base_note, self._accept, self._download]
        return [self._dataset, self._dataset_facts, self._base, *about_base]

    def listen(self, jobs: gr.State) -> None:
        """Downloads run as the job whose id goes to `jobs`."""
        chosen = [self._dataset, self._base]
        for component in chosen:
            listen(component.input, self.refresh, chosen, self.outputs, unchecked=True)
        presets = [self._preset, self._preset_in_use]
        used = [self._preset_in_use, self._preset_note, *self._options]
        listen(self._preset.input, self._use_preset, [*presets, *self._options], used)
        for control in self._options:
            listen(
                control.change,
                self._show_departures,
                [self._preset, *self._options],
                [self._preset_note],
                line="training-preset",
            )
        listen(self._download.click, self._fetch, [self._base, self._accept], [jobs])
        report = [self._report, self._rejected]
        listen(self._look.click, self._preflight, self.inputs, report, show_progress="minimal")
        listen(self.train.click, self._start, self.inputs, [self.started], show_progress="minimal")

    def refresh(self, dataset: str | None = None, base: str | None = None) -> list[Any]:
        """Datasets and bases as they are now; what is chosen stays chosen."""
        datasets = [item.name for item in self._services.datasets.list()]
        chosen = dataset if dataset in datasets else next(iter(datasets), "")
        bases = [
            item
            for item in library.list_models(self._services)
            if item.entry.id.startswith(BASES) and item.entry.id != TRAINING_FILES
        ]
        ids = [item.entry.id for item in bases]
        ready = next((item.entry.id for item in bases if item.state == "installed"), ids[-1])
        base = base if base in ids else ready
        return [
            menu_update([(name, name) for name in datasets], chosen, NO_DATASET),
            self._dataset_html(chosen),
            menu_update([(item.entry.label, item.entry.id) for item in bases], base, "None"),
            *self._about_base(base),
        ]

    def _dataset_html(self, name: str) -> str:
        if not name:
            return "<div class='studio-note'>Make one from recordings on the Dataset tab.</div>"
        dataset = self._services.datasets.get(name)
        rows = dataset.rows
        facts = {
            "Speech": duration_text(sum(clip.duration_s for clip in rows)),
            "Clips": str(len(rows)),
            "Held out": str(sum(clip.subset != "train" for clip in rows)),
            "Language": language_name(dataset.language),
            "Speaker": dataset.speaker,
        }
        return facts_html(facts)

    def _about_base(self, base: str) -> list[Any]:
        missing = self._missing(base)
        if not missing:
            return ["", gr.update(visible=False), gr.update(visible=False)]
        entries = [self._services.catalog.entry(model_id) for model_id in missing]
        size = size_text(sum(entry.download_bytes or 0 for entry in entries))
        licence = entries[0].licence
        consent = any(library.needs_consent(self._services, item) for item in missing)
        note = (
            f"Not here yet: {html.escape(', '.join(entry.label for entry in entries))} ({size}). "
            f"Licence: {html.escape(licence.name)} "
            f"(<a href='{html.escape(licence.url)}' target='_blank' rel='noreferrer'>its text</a>)."
            f" {html.escape(licence.note)}"
        )
        return [
            f"<div class='studio-note'>{note}</div>",
            gr.update(visible=consent, value=False),
            gr.update(visible=True),
        ]

    def _missing(self, base: str) -> list[str]:
        catalog = self._services.catalog
        wanted = [catalog.entry(model_id) for model_id in (base, TRAINING_FILES)]
        return [entry.id for entry in wanted if catalog.state(entry) != "installed"]

    def _fetch(self, base: str, accepted: bool) -> str:
        job_id = ""
        for model_id in self._missing(base):
            if library.needs_consent(self._services, model_id):
                if not accepted:
                    raise BadInputError(
                        "The licence is not accepted yet.", "Read it, then tick it."
                    )
                library.accept_licence(self._services, model_id)
            job_id = submit_download(self._services, model_id).id
        return job_id

    def _use_preset(self, preset: str, before: str, *values: Any) -> list[Any]:
        options = switched(before, preset, self._read(values))
        shown = [options[item.name] for item in self._fields]
        return [preset, _preset_html(preset, options), *shown]

    def _show_departures(self, preset: str, *values: Any) -> str:
        return _preset_html(preset, self._read(values))

    def _read(self, values: Sequence[Any]) -> dict[str, Any]:
        return {item.name: value for item, value in zip(self._fields, values, strict=True)}

    def _request(self, name: str, dataset: str, base: str, *values: Any) -> TrainingRequest:
        if not dataset:
            raise BadInputError("There is no dataset yet.", "Make one on the Dataset tab.")
        return TrainingRequest(name, dataset, base, self._read(values))

    def _preflight(self, *values: Any) -> list[str]:
        found = preflight(self._services, self._request(*values))
        return [preflight_html(found), rejected_html(found)]

    def _start(self, name: str, *values: Any) -> str:
        job = start_training(self._services, self._request(name, *values))
        return str(job.payload["run"])


def _preset_html(preset: str, options: dict[str, Any]) -> str:
    """What the preset sets, and what the user has set otherwise: that is what is trained with."""
    labels = {item.name: item.label for item in describe_options(TrainingPlan)}
    sets = ", ".join(f"{labels[name]} {value}" for name, value in PRESETS[preset].items())
    changed = "".join(
        f"<li>{html.escape(label)}: {mine} instead of {its}</li>"
        for label, (its, mine) in departures(preset, options).items()
    )
    yours = (
        f"<div>Changed by you, and kept:</div><ul class='studio-notes'>{changed}</ul>"
        if changed
        else ""
    )
    return (
        f"<div class='studio-note'>{html.escape(ABOUT[preset])} It sets: {html.escape(sets)}. "
        f"Everything else has its default.{yours}</div>"
    )
