"""Voice Design: voices from a description, one of which is saved as a sample."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs.job import DONE
from modules.core_components.texts import _, mark
from modules.tools.models.library import DOWNLOAD, submit_download
from modules.tools.models.ready_models import designs_voices
from modules.tools.recordings import TAKE
from modules.tools.voices.design import (
    DESIGN,
    KIND,
    MODEL,
    SUGGESTED_TEXT,
    DesignRequest,
    keep_voice,
    submit_design,
)
from modules.tools.voices.preparation import prepare_later
from modules.ui.events import listen, notify, warn
from modules.ui.render import card_html, empty_html, note_html, player_html, render
from modules.ui.views import Studio
from modules.ui.widgets.engine_panel import EnginePanel
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import GO, TEXT, panel, text_to_speak, title

# Of the listeners that show which engines can design a voice.
SEQUENCE = "voice-design"
MOST_TRIES = 4
# So many of the latest takes are searched for tries.
SEARCHED = 200
NO_TRIES = mark("Your tries appear here. Each seed gives another voice for the same description.")
EXAMPLE = mark("A calm old woman with a warm, slightly husky voice, who speaks slowly and smiles.")
MISSING = mark("Designing voices takes {label}, which is not installed yet.")


class VoiceDesignTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_request()
            with gr.Column(scale=7, min_width=340):
                self._jobs = JobsView(self._services, (DESIGN,))
                self._build_tries()
        tries = [*self._slots, *self._players, *self._notes]
        self._shown = [self._ids, self._empty, self._naming, *tries]
        self._listen(studio, tab)
        written = {"description": self._description, "text": self._text, "tries": self._count}
        studio.keep(tab, **written, **self._engine.fields)

    def _build_request(self) -> None:
        title(_("Description"))
        self._description = gr.Textbox(
            value="",
            label=_("Description of the voice"),
            info=_("Age, sex, pitch, pace, mood, accent: in your own words."),
            lines=4,
            max_lines=8,
            placeholder=_(EXAMPLE),
            elem_classes=TEXT,
        )
        self._text = text_to_speak()
        self._text.value = SUGGESTED_TEXT
        with gr.Column(visible=False) as self._missing:
            self._why = panel()
            self._download = gr.Button(_("Download model"), variant="primary")
            self._downloads = JobsView(self._services, (DOWNLOAD,), shared=(DOWNLOAD,))
        with gr.Column(visible=False) as self._ready:
            self._engine = EnginePanel(self._services)
            self._count = gr.Slider(1, MOST_TRIES, value=2, step=1, label=_("Tries"))
            self._design = gr.Button(_("Design"), variant="primary", size="lg", elem_classes=GO)

    def _build_tries(self) -> None:
        title(_("Tries"))
        self._empty = panel(empty_html(_(NO_TRIES)))
        self._ids = gr.State([])
        self._slots: list[Any] = []
        self._players: list[Any] = []
        self._notes: list[Any] = []
        self._keeps: list[Any] = []
        for _unused in range(0, MOST_TRIES, 2):
            with gr.Row():
                for _unused in range(2):
                    with gr.Column(visible=False, min_width=240) as slot:
                        self._players.append(panel())
                        self._notes.append(panel())
                        self._keeps.append(gr.Button(_("Save as sample"), size="sm"))
                    self._slots.append(slot)
        with gr.Column(visible=False) as self._naming:
            self._name = gr.Textbox(
                value="",
                label=_("Name of the voice"),
                info=_("It becomes a sample for every engine that clones."),
                placeholder=_("Type a name, then save one of the tries."),
            )

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        engine, language = self._engine.engine, self._engine.language
        models = [self._missing, self._why, self._ready, *self._engine.outputs]
        asked = [engine, language]
        studio.on_show(
            tab,
            self._models,
            asked,
            models,
            unchecked=True,
            sequence=SEQUENCE,
            unlocks=[self._design],
        )
        studio.on_show(tab, self._show, [], self._shown)
        self._jobs.find_on_open(studio)
        studio.opening.find_job(self._find_download, self._downloads.job_id)
        listen(engine.input, self._models, asked, models, unchecked=True, sequence=SEQUENCE)
        listen(self._download.click, self._fetch, [], [self._downloads.job_id])
        self._downloads.on_finished(lambda job, *now: self._models(*now), asked, models, SEQUENCE)
        wanted = [self._description, self._text, self._count, *self._engine.inputs]
        listen(self._design.click, self._submit, wanted, [self._jobs.job_id])
        self._jobs.on_finished(lambda job: self._show(), [], self._shown)
        for number, button in enumerate(self._keeps):
            listen(button.click, self._keep(number), [self._ids, self._name], [self._name])

    def _models(self, engine: str | None, language: str | None) -> list[Any]:
        """The models that design voices; without one, why, and a button that downloads it."""
        shown = self._engine.show(designs_voices, engine, language, is_cloning=False)
        state, entry = self._services.tts.availability(MODEL), self._services.tts.entry(MODEL)
        why = card_html(state.message, state.hint, "warn")
        if self._services.catalog.state(entry) != "installed":
            why = card_html(_(MISSING, label=entry.label), kind="warn")
        is_ready = bool(shown[0])
        return [gr.update(visible=not is_ready), why, gr.update(visible=is_ready), *shown]

    def _find_download(self) -> str:
        job_id = self._downloads.find()
        if not job_id:
            return ""
        job = self._services.jobs.get(job_id)
        return job_id if job.payload.get("model") == MODEL and job.state != DONE else ""

    def _fetch(self) -> str:
        return submit_download(self._services, MODEL).id

    def _submit(self, description: str, text: str, count: float, *how: Any) -> str:
        """Queues the tries; their seeds follow each other where one is given."""
        if not description.strip():
            raise BadInputError(
                _("There is no description yet."), _("Describe the voice."), "description"
            )
        asked = self._engine.request(text, description, KIND, how)
        jobs = [
            submit_design(
                self._services,
                DesignRequest(
                    description=description,
                    text=text,
                    engine=asked.engine,
                    language=asked.language,
                    seed=None if asked.seed is None or asked.seed < 0 else asked.seed + number,
                    options=asked.options,
                ),
            )
            for number in range(int(count))
        ]
        return jobs[0].id

    def _show(self) -> list[Any]:
        """The last designed takes side by side, the newest first."""
        takes = [take for take in self._services.takes.list(SEARCHED) if take.kind == KIND]
        takes = takes[:MOST_TRIES]
        empty = MOST_TRIES - len(takes)
        slots = [gr.update(visible=number < len(takes)) for number in range(MOST_TRIES)]
        seeds = [(take.id, _("Seed {seed}", seed=take.seed)) for take in takes]
        players = [note_html(seed) + player_html(TAKE, key, seed) for key, seed in seeds]
        return [
            [take.id for take in takes],
            gr.update(visible=not takes),
            gr.update(visible=bool(takes)),
            *slots,
            *players,
            *[gr.skip()] * empty,
            *[render("design_note", take=take) for take in takes],
            *[gr.skip()] * empty,
        ]

    def _keep(self, number: int) -> Any:
        def keep(ids: list[str], name: str) -> str:
            sample = keep_voice(self._services, ids[number], name)
            prepare_later(self._services, sample.name)
            warn(sample.info.get("warnings", ()))
            notify(
                _("{name} is saved.", name=sample.name),
                _("It is among the samples on the Voice Clone tab."),
            )
            return ""

        return keep
