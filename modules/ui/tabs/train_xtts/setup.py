"""Before a training: dataset, base model and name, settings, and the preflight checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.ai_models.engines.xtts.preflight.memory_presets import (
    HEADINGS,
    preset_rows,
)
from modules.core_components.ai_models.engines.xtts.training.plan import (
    ABOUT,
    AUTO,
    CAREFUL,
    PRESETS,
    QUICK,
    STANDARD,
    TrainingPlan,
    departures,
    switched,
    with_preset,
)
from modules.core_components.ai_models.engines.xtts.tuned import FAMILY
from modules.core_components.ai_models.model_utils import devices_here
from modules.core_components.errors import BadInputError
from modules.core_components.text.amharic.backends import preferred_label
from modules.core_components.text.amharic.front_end import LANGUAGE, NOT_WRITTEN
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.tools.models import library
from modules.tools.models.library import DOWNLOAD, submit_download
from modules.tools.services import Services
from modules.tools.training.base import is_installed
from modules.tools.training.preflight import (
    BASE,
    DATASET,
    OK,
    ROWS,
    STOP,
    TRAINING_FILES,
    WARN,
    Check,
    Preflight,
    TrainingRequest,
    check_name,
    preflight,
)
from modules.tools.training.training import start_training
from modules.ui.events import listen, script
from modules.ui.render import duration_text, empty_html, facts_html, note_html, render, size_text
from modules.ui.tabs.train_xtts.steps import CHECK_STEP, DATASET_STEP, SETTINGS_STEP, Steps
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.option_form import Form, OptionForm
from modules.ui.widgets.parts import hidden_text, menu, menu_update, note, panel

# Words and colours of the levels of a check, worst first.
_LEVELS = {STOP: (mark("stop"), "bad"), WARN: (mark("check"), "warn"), OK: (mark("ok"), "good")}
_PRESETS = {QUICK: mark("Quick"), STANDARD: mark("Standard"), CAREFUL: mark("Careful")}
_MOST_ROWS = 200
# Of the listeners that show which datasets and base models there are.
SETUP = "training-setup"
NO_DATASET = mark("No dataset yet")
DEVICE = "device"
DOWNLOAD_BASE = mark("Download base model")
NOT_CHECKED = mark(
    "Preflight checks every row, the base model, disk space and memory before training. The base "
    "model need not be downloaded yet."
)
OPENS = mark("Train can be pressed once the preflight finds nothing to fix.")


class TrainingSetup:
    """The first three steps. `inputs` and `request` belong together; `started` changes to the name
    of each new run."""

    def __init__(self, services: Services, steps: Steps) -> None:
        self._services = services
        self._steps = steps
        self.started = gr.State("")
        with steps.draw(DATASET_STEP):
            self._build_choices()
        with steps.draw(SETTINGS_STEP):
            self._build_options()
        with steps.draw(CHECK_STEP):
            self._build_check()
        self.inputs = [self._name, self._dataset, self._base, self._device, self._form]
        chosen = {"name": self._name, "dataset": self._dataset, "base": self._base}
        presets = {"preset": self._preset, "preset_in_use": self._preset_in_use}
        # By name, for `Studio.keep`.
        self.fields = {**chosen, **presets, DEVICE: self._device, "options": self._form}
        # What `refresh` gives values for.
        about_base = [self._base_note, self._accept, self._download]
        shown = [self._dataset, self._dataset_facts, self._base]
        self.outputs = [*shown, *about_base, self._device, self._to_settings]

    def _build_choices(self) -> None:
        with gr.Row():
            with gr.Column(min_width=300):
                self._dataset = menu(_("Dataset"))
                self._dataset_facts = panel()
            with gr.Column(min_width=300):
                self._base = menu(_("Base model"))
                self._base_note = panel()
                self._name = gr.Textbox(
                    value="", label=_("Name of the training"), placeholder=_("anna-first")
                )
        with gr.Row():
            self._to_settings = gr.Button(_("Next"), variant="primary", interactive=False)

    def _build_options(self) -> None:
        self._preset = gr.Radio(
            [(_(label), name) for name, label in _PRESETS.items()],
            value=STANDARD,
            label=_("Preset"),
        )
        self._preset_in_use = hidden_text(STANDARD)
        self._preset_note = panel(_preset_html(STANDARD, {}))
        start = with_preset(STANDARD)
        with gr.Accordion(_("All options"), open=False):
            fields = {item.name: item for item in describe_options(TrainingPlan)}
            self._device = _device_menu(fields[DEVICE].help)
            self._options = OptionForm([TrainingPlan], TrainingPlan, start, leave_out=[DEVICE])
            self._form = self._options.component
        with gr.Row():
            self._steps.back(DATASET_STEP)
            self._to_check = gr.Button(_("Next"), variant="primary", min_width=90)

    def _build_check(self) -> None:
        self.check = gr.Button(_("Run preflight"))
        self._report = panel(empty_html(_(NOT_CHECKED)))
        # What is missing can be had here, once all else was checked.
        self._accept = gr.Checkbox(label=_("I accept this licence"), value=False, visible=False)
        self._download = gr.Button(_(DOWNLOAD_BASE), size="sm", visible=False)
        self.downloads = JobsView(self._services, (DOWNLOAD,), shared=(DOWNLOAD,))
        self._rejected = panel()
        with gr.Row():
            self._steps.back(SETTINGS_STEP)
            self._train = gr.Button(_("Train"), variant="primary", interactive=False, min_width=90)
        note(_(OPENS))

    def listen(self) -> None:
        chosen = [self._dataset, self._base]
        for component in chosen:
            listen(
                component.input, self.refresh, chosen, self.outputs, unchecked=True, sequence=SETUP
            )
        presets = [self._preset, self._preset_in_use]
        used = [self._preset_in_use, self._preset_note, self._form]
        listen(self._preset.input, self._use_preset, [*presets, self._form], used)
        listen(
            self._form.change,
            self._show_preset,
            [self._preset, self._form],
            [self._preset_note],
            sequence="training-preset",
        )
        consent, jobs = [self._base, self._accept], [self.downloads.job_id]
        listen(self._download.click, self._submit_download, consent, jobs)
        self.downloads.on_finished(
            lambda job, *now: self.refresh(*now), chosen, self.outputs, SETUP
        )
        report = [self._report, self._rejected, self._accept, self._download, self._train]
        listen(self.check.click, self._preflight, self.inputs, report, show_progress="minimal")
        # What was checked is what is trained.
        lock = script("disable", COUNT=1)
        for component in [*self.inputs, self._preset]:
            listen(component.change, None, [], [self._train], js=lock, queue=False)
        named = listen(self._to_settings.click, self._require_name, [self._name], [])
        self._steps.open_on(named.success, SETTINGS_STEP)
        self._steps.open_on(self._to_check.click, CHECK_STEP)
        listen(self._train.click, self._start, self.inputs, [self.started], show_progress="minimal")

    def refresh(self, dataset: str | None = None, base: str | None = None) -> list[Any]:
        """Datasets and base models as they are now; what is chosen stays chosen."""
        datasets = [item.name for item in self._services.datasets.list()]
        chosen = dataset if dataset in datasets else next(iter(datasets), "")
        bases = [
            item
            for item in library.list_models(self._services)
            if item.entry.family == FAMILY and item.entry.id != TRAINING_FILES
        ]
        ids = [item.entry.id for item in bases]
        ready = next((item.entry.id for item in bases if item.state == "installed"), ids[-1])
        base = base if base in ids else ready
        return [
            menu_update([(name, name) for name in datasets], chosen, _(NO_DATASET)),
            self._dataset_html(chosen),
            menu_update([(item.entry.label, item.entry.id) for item in bases], base, _("None")),
            *self._about_base(base),
            gr.update(choices=[(_device_label(one), one) for one in (AUTO, *devices_here())]),
            gr.update(interactive=bool(chosen)),
        ]

    def _require_name(self, name: str) -> None:
        check = check_name(self._services, name)
        if check.level == STOP:
            raise BadInputError(check.message, check.hint, "run")

    def _dataset_html(self, name: str) -> Markup:
        if not name:
            return note_html(_("Create one from recordings on the Dataset tab."))
        dataset = self._services.datasets.get(name)
        rows = dataset.rows
        facts = {
            _("Speech"): duration_text(sum(clip.duration_s for clip in rows)),
            _("Clips"): str(len(rows)),
            _("For evaluation"): str(sum(clip.subset != "train" for clip in rows)),
            _("Language"): language_name(dataset.language),
            _("Speaker"): dataset.speaker,
        }
        return facts_html(facts) + _language_html(dataset.language)

    def _about_base(self, base: str) -> list[Any]:
        missing = self._missing(base)
        if not missing:
            return ["", gr.update(visible=False), gr.update(visible=False)]
        entries = [self._services.catalog.entry(model_id) for model_id in missing]
        nbytes = _download_bytes(entries)
        about = render("base_model", entries=entries, nbytes=nbytes, licence=entries[0].licence)
        return [about, gr.skip(), gr.skip()]

    def _offer(self, base: str) -> list[Any]:
        """The box for the licence and the button for what is missing of the base."""
        missing = self._missing(base)
        entries = [self._services.catalog.entry(model_id) for model_id in missing]
        consent = any(library.needs_consent(self._services, item) for item in missing)
        size = size_text(_download_bytes(entries))
        label = _("Download base model ({size})", size=size)
        return [
            gr.update(visible=consent, value=False),
            gr.update(visible=bool(missing), value=label),
        ]

    def _missing(self, base: str) -> list[str]:
        wanted = (base, TRAINING_FILES)
        return [one for one in wanted if not is_installed(self._services, one)]

    def _submit_download(self, base: str, accepted: bool) -> str:
        job_id = ""
        for model_id in self._missing(base):
            if library.needs_consent(self._services, model_id):
                if not accepted:
                    raise BadInputError(
                        _("Its licence is not accepted."),
                        _("Read it, then tick the box."),
                        "licence",
                    )
                library.accept_licence(self._services, model_id)
            job_id = submit_download(self._services, model_id).id
        return job_id

    def _use_preset(self, preset: str, before: str, form: Form) -> list[Any]:
        options = switched(before, preset, self._read(form))
        shown = self._options.fill(form, TrainingPlan, options)
        return [preset, _preset_html(preset, options), shown]

    def _show_preset(self, preset: str, form: Form) -> str:
        return _preset_html(preset, self._read(form))

    def _read(self, form: Form) -> dict[str, Any]:
        return self._options.read(TrainingPlan, form)

    def _request(
        self, name: str, dataset: str, base: str, device: str, form: Form
    ) -> TrainingRequest:
        return TrainingRequest(name, dataset, base, {DEVICE: device, **self._read(form)})

    def _preflight(self, *values: Any) -> list[Any]:
        found = preflight(self._services, self._request(*values))
        return [
            preflight_html(found),
            rejected_html(found),
            *self._offer(found.request.base_model),
            gr.update(interactive=not found.stops),
        ]

    def _start(self, name: str, *values: Any) -> str:
        job = start_training(self._services, self._request(name, *values))
        return str(job.payload["run"])


def _device_menu(about: str) -> Any:
    """Those of the machine come when the view is shown: torch has to be asked."""
    return gr.Dropdown(
        label=_("Device"), info=about, choices=[(_device_label(AUTO), AUTO)], value=AUTO
    )


def _device_label(device: str) -> str:
    return _("As in Settings") if device == AUTO else device


def _download_bytes(entries: Sequence[ModelEntry]) -> int:
    return sum(entry.download_bytes or 0 for entry in entries)


def _preset_html(preset: str, options: dict[str, Any]) -> Markup:
    """What the preset sets, and what the user has set otherwise: that is what is trained with."""
    labels = {item.name: item.label for item in describe_options(TrainingPlan)}
    return render(
        "preset",
        about=ABOUT[preset],
        sets=[(labels[name], value) for name, value in PRESETS[preset].items()],
        departures=departures(preset, options),
        headings=HEADINGS,
        memory=preset_rows(),
    )


def _language_html(language: str) -> Markup:
    """What is special about training in a language that XTTS does not have."""
    if language != LANGUAGE:
        return Markup()
    return note_html(
        _(
            "XTTS has no Amharic. “Way to a new language” under All options chooses "
            "how it learns it: transliteration works with minutes of speech, with an "
            "accent; vocabulary needs ten hours or more. For transliteration words "
            "are read by {program}. {not_written}",
            program=preferred_label(),
            not_written=_(NOT_WRITTEN),
        )
    )


def preflight_html(found: Preflight) -> Markup:
    """A verdict, then every check and what to do about it; what a button stands under is last."""
    levels = list(_LEVELS)
    checks = sorted(found.checks, key=lambda check: (_has_button(check), levels.index(check.level)))
    return render("preflight", found=found, checks=checks, levels=_LEVELS, to_dataset=_OF_DATASET)


def _has_button(check: Check) -> bool:
    """Whether it is about the base model that can be downloaded right below the checks."""
    return check.name == BASE and check.level == STOP


# Checks that are put right on the Dataset tab.
_OF_DATASET = frozenset({DATASET, ROWS, "Amount of speech", "Evaluation rows", "Language"})


def rejected_html(found: Preflight) -> Markup:
    """The rows that will not be trained on; "" when there are none."""
    if not found.rows:
        return Markup()
    rows = [(row.clip_id, row) for row in found.rows[:_MOST_ROWS]]
    return render("rejected_rows", rows=rows, count=len(found.rows))
