"""Choosing a dataset, adding recordings to it, and exporting it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark, ngettext
from modules.tools.dataset.build import DatasetRequest, create_dataset, some_of, submit_build
from modules.tools.dataset.editor import change_language
from modules.tools.dataset.export import export_ljspeech
from modules.tools.dataset.interview import EACH, MAIN
from modules.tools.listening.speakers import OFF
from modules.tools.models.ready_models import listening_models
from modules.tools.services import Services
from modules.ui.events import listen, notify, warn
from modules.ui.render import duration_text, empty_html
from modules.ui.widgets import parts
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.sample_panel import CONSENT, SPEAKER

NONE = mark("None installed")
AUTO = mark("auto")
ONE = "one"
SPEAKERS = [
    (mark("One"), ONE),
    (mark("Several: take who speaks most"), MAIN),
    (mark("Several: keep each by name"), EACH),
]
WHAT = mark(
    "Recordings, videos, archives (zip, tar), subtitles (srt, vtt) with their recording of the "
    "same name, or recordings with their metadata file (LJSpeech, coqui and others). What was "
    "added before is skipped."
)
_MOST_WARNINGS = 5


class RecordingsPanel:
    """The form: what to add, and the model that transcribes it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        parts.title(_("Recordings"))
        with gr.Tabs():
            with gr.Tab(_("Files")):
                self._files = gr.File(label=_("Recordings"), file_count="multiple", height=150)
            with gr.Tab(_("Folder")):
                self._folder = gr.Textbox(
                    value="",
                    label=_("Folder on this machine"),
                    placeholder="/home/me/recordings",
                    info=_("A folder, an archive, or a metadata file next to its recordings."),
                )
            with gr.Tab(_("Microphone")):
                self._spoken = parts.audio_recorder(_("Record"), ["microphone"])
        parts.note(_(WHAT))
        self._no_model = parts.panel(visible=False)
        with gr.Row():
            self.model = parts.menu(_("Transcription model"))
            self.precision = parts.menu(_("Precision"), _(AUTO))
        self._speakers = gr.Dropdown(
            [(_(words), value) for words, value in SPEAKERS],
            value=ONE,
            label=_("Speakers in a recording"),
            info=_("What two say at once is left out. Everybody whose voice is kept must agree."),
        )
        self._clean = gr.Checkbox(
            value=False,
            label=_("Remove noise from the clips"),
            info=_("After transcribing. The recordings stay as they are."),
        )
        self.build = gr.Button(_("Add to dataset"), variant="primary", size="lg")
        # What `choices` gives values for.
        self.outputs = [self._no_model, self.model, self.precision]
        menus = {"model": self.model, "precision": self.precision}
        self.fields = {"folder": self._folder, **menus, "speakers": self._speakers}
        self.fields["clean"] = self._clean

    def choices(self, model: str | None, precision: str | None) -> list[Any]:
        """The installed models, and the precisions of the chosen one."""
        models = {model_id: label for label, model_id in self.labels()}
        default = self._services.settings.asr_model
        chosen = next((name for name in (model, default, *models) if name in models), "")
        options = describe_options(self._services.asr.get(chosen).options_type) if chosen else ()
        known = next((item.choices for item in options if item.name == "precision"), ())
        return [
            gr.update(value=empty_html(_(parts.NO_ASR_MODEL)), visible=not models),
            parts.menu_update([(label, name) for name, label in models.items()], chosen, _(NONE)),
            parts.menu_update(
                [(_(AUTO) if name == AUTO else name, name) for name in known or (AUTO,)],
                precision,
                _(AUTO),
            ),
        ]

    def labels(self) -> list[tuple[str, str]]:
        """The installed transcription models: label and id."""
        return [(entry.label, entry.id) for entry in listening_models(self._services)]

    def listen(self, dataset: Any, jobs: JobsView) -> None:
        """Adds to the dataset named in the state `dataset`; the work is shown in `jobs`."""
        chosen = [self.model, self.precision]
        listen(self.model.input, self.choices, chosen, self.outputs, unchecked=True)
        given = [self._files, self._folder, self._spoken]
        asked = [dataset, *given, *chosen, self._speakers, self._clean]
        listen(self.build.click, self._submit, asked, [jobs.job_id, *given])

    def _submit(
        self,
        dataset: str,
        files: Sequence[str] | None,
        folder: str,
        spoken: str | None,
        model: str | None,
        precision: str | None,
        speakers: str | None = ONE,
        clean: bool = False,
    ) -> list[Any]:
        if not dataset:
            raise BadInputError(_("There is no dataset yet."), _("Create one above."), "dataset")
        model = parts.require_model(model)
        uploads = [*(files or ()), *([spoken] if spoken else ())]
        place = folder.strip()
        if not uploads and not place:
            raise BadInputError(
                _("There are no recordings yet."),
                _("Upload files, name a folder, or record something."),
                "recording",
            )
        job = None
        for inputs, uploaded in ((tuple(uploads), True), ((place,) if place else (), False)):
            if not inputs:
                continue
            request = DatasetRequest(
                dataset=dataset,
                inputs=inputs if uploaded else (str(_existing(place)),),
                model_id=model,
                precision=precision or AUTO,
                speakers=OFF if (speakers or ONE) == ONE else AUTO,
                take="" if (speakers or ONE) == ONE else str(speakers),
                denoise=clean,
            )
            job = submit_build(self._services, request, uploaded)
        return [job.id if job else gr.skip(), None, "", None]


def show_summary(job: Job) -> None:
    """How many recordings were added, and which could not be used."""
    result = job.result or {}
    added, known = len(result.get("added", ())), len(result.get("already_there", ()))
    refused = result.get("refused", ())
    minutes = duration_text(result.get("kept_s", 0.0))
    done = ngettext("{count} recording added.", "{count} recordings added.", added)
    if known:
        skipped = ngettext(
            "{count} had been added before.", "{count} had been added before.", known
        )
        done = f"{done} {skipped}"
    notify(
        done,
        _("The dataset now holds {minutes} of speech.", minutes=minutes),
    )
    warn([item for item in [str(result.get("language_warning", ""))] if item])
    warn([f"{item['name']}: {item['message']} {item['hint']}" for item in refused[:_MOST_WARNINGS]])
    if unused := result.get("unused", ()):
        warn([_("Not used: {some}.", some=some_of(unused))])
    if len(refused) > _MOST_WARNINGS:
        warn(
            [
                ngettext(
                    "{count} more could not be used; the job's log names them.",
                    "{count} more could not be used; the job's log names them.",
                    len(refused) - _MOST_WARNINGS,
                )
            ]
        )


def _existing(typed: str) -> Path:
    """The path on this machine. Raises BadInputError if there is none."""
    try:
        place = Path(typed).expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise BadInputError(
            _("There is no folder {typed!r} on this machine.", typed=typed),
            _("Type its full path."),
            "folder",
        ) from error
    return place


NO_DATASET_YET = mark("None yet")
TEXTS_STAY = mark(
    "Clips keep their texts. What is transcribed or checked from now on is in this language."
)
# The languages of XTTS, by ISO 639-1.
LANGUAGES = (
    *("en", "es", "fr", "de", "it", "pt", "pl", "tr", "ru"),
    *("nl", "cs", "ar", "zh", "ja", "hu", "ko", "hi", "am"),
)


class DatasetChoice:
    """A menu of the datasets and a form for a new one; the chosen one's name is in `chosen`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.chosen = gr.State("")
        self.kept = parts.mirror(self.chosen)
        self.name = parts.menu(_("Dataset"))
        with gr.Accordion(_("Change language"), open=False, visible=False) as self._spoken:
            with gr.Row():
                self.language = parts.menu(_("Spoken in"))
                self.change = gr.Button(_("Change"), size="sm", min_width=110)
            parts.note(_(TEXTS_STAY))
        with gr.Accordion(_("New dataset"), open=False) as self._new:
            self._build_form()
        self._tools: Any = None

    def build_removal(self) -> parts.ConfirmedButton:
        """Draws the button that deletes the chosen dataset."""
        with gr.Column(visible=False) as self._tools:
            return parts.ConfirmedButton(_("Delete dataset"), _("It moves to the trash."))

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [self.chosen, self.name, self._new, self._tools, self._spoken, self.language]

    def show(self, name: str) -> list[Any]:
        """The datasets as they are now; keeps the chosen one, or takes the latest."""
        datasets = self._services.datasets.list()
        latest = max(datasets, key=lambda dataset: dataset.created, default=None)
        names = [dataset.name for dataset in datasets]
        chosen = name if name in names else latest.name if latest else ""
        labels = [(f"{item.name} · {language_name(item.language)}", item.name) for item in datasets]
        return [
            chosen,
            parts.menu_update(labels, chosen, _(NO_DATASET_YET)),
            gr.skip() if datasets else gr.update(open=True),
            gr.update(visible=bool(chosen)),
            gr.update(visible=bool(chosen)),
            self._languages(next((d.language for d in datasets if d.name == chosen), "")),
        ]

    def set_language(self, name: str, language: str | None) -> None:
        """Says that the dataset is in this language."""
        if not name or not language:
            raise NotFoundError(_("There is no dataset yet."), _("Create one first."))
        dataset = change_language(self._services, name, language)
        notify(
            _(
                "{name} is in {language} now.",
                name=dataset.name,
                language=language_name(dataset.language),
            )
        )

    @staticmethod
    def _languages(chosen: str) -> Any:
        codes = sorted({*LANGUAGES, chosen} - {""}, key=language_name)
        return parts.menu_update([(language_name(code), code) for code in codes], chosen, "")

    def remove(self, name: str) -> None:
        """Moves the dataset to the trash."""
        self._services.datasets.delete(name)
        notify(_("{name} is in the trash.", name=name))

    def _build_form(self) -> None:
        with gr.Row():
            name = gr.Textbox(value="", label=_("Name of the dataset"), min_width=140)
            language = gr.Dropdown(
                sorted((language_name(code), code) for code in LANGUAGES),
                value="en",
                label=_("Language"),
                min_width=140,
            )
        speaker = gr.Textbox(value="", label=_(SPEAKER), placeholder=_("As the dataset"))
        agreed = gr.Checkbox(label=_(CONSENT), value=False)
        button = gr.Button(_("Create dataset"), variant="primary")
        form = [name, language, speaker, agreed]
        # What the browser keeps of a form that was not sent; consent is given anew.
        self.fields = {"dataset": self.kept, "name": name, "language": language}
        self.fields["speaker"] = speaker
        made = listen(button.click, self._create, form, [self.chosen, *form])
        self.created = made.success
        listen(made.success, lambda: gr.update(open=False), [], [self._new], queue=False)

    def _create(self, name: str, language: str, speaker: str, agreed: bool) -> list[Any]:
        dataset = create_dataset(self._services, name, language, speaker, agreed)
        notify(_("{name} is ready for recordings.", name=dataset.name))
        return [dataset.name, "", language, "", False]


LJSPEECH = "LJSpeech zip"


def build_export(services: Services, dataset: Any) -> None:
    """Draws the export button; `dataset` is the state with the chosen one's name."""

    def export(_fmt: str, name: str) -> Path:
        if not name:
            raise BadInputError(_("There is no dataset yet."), _("Create one first."))
        folder = services.exports_folder
        folder.mkdir(parents=True, exist_ok=True)
        stem = services.datasets.get(name).folder.name
        return export_ljspeech(services, name, folder / f"{stem}.zip")

    parts.DownloadButtons([LJSPEECH], "dataset-link").on_download(export, dataset)
