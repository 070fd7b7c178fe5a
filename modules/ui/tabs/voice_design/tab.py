"""Voice Design: a voice from a description, tried several times, kept as a sample."""

from __future__ import annotations

from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs.store import DONE
from modules.core_components.values import Take
from modules.tools.models.library import DOWNLOAD, submit_download
from modules.tools.models.ready_models import designs_voices
from modules.tools.voices.design import (
    DESIGN,
    KIND,
    MODEL,
    SUGGESTED_TEXT,
    DesignRequest,
    keep_voice,
    submit_design,
)
from modules.ui.context import Studio
from modules.ui.handlers import error_html, listen, tell, warn
from modules.ui.widgets.engine_panel import EnginePanel
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import audio_player, panel, text_to_speak, title
from modules.ui.widgets.snippets import duration_text, empty_html, excerpt

MOST_TRIES = 4
# So many takes of the history are looked at for tries.
LOOKED_AT = 200
NO_TRIES = "The tries appear here. The same description makes another voice with every seed."
EXAMPLE = "A calm old woman with a warm, slightly husky voice, who speaks slowly and smiles."
MISSING = "Voices are designed by a model of its own, which is not on this machine yet."


def build(studio: Studio) -> None:
    """The tab inside the current `gr.Tabs`."""
    with gr.Tab("Voice Design", id="voice-design") as tab:
        _VoiceDesignTab(studio, tab)


class _VoiceDesignTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_request()
            with gr.Column(scale=7, min_width=340):
                self._jobs = JobsView(self._services, (DESIGN,))
                self._build_tries()
        self._listen(studio, tab)

    def _build_request(self) -> None:
        title("Description")
        self._description = gr.Textbox(
            value="",
            label="What the voice is like",
            info="Age, sex, pitch, pace, mood, accent: in your own words.",
            lines=4,
            max_lines=8,
            placeholder=EXAMPLE,
        )
        self._text = text_to_speak()
        self._text.value = SUGGESTED_TEXT
        with gr.Column(visible=False) as self._missing:
            self._why = panel()
            self._download = gr.Button("Download the model", variant="primary")
            self._downloads = JobsView(self._services, (DOWNLOAD,))
        with gr.Column(visible=False) as self._ready:
            self._engine = EnginePanel(self._services)
            self._count = gr.Slider(1, MOST_TRIES, value=2, step=1, label="Tries")
            self._design = gr.Button("Design", variant="primary", size="lg")

    def _build_tries(self) -> None:
        title("Tries")
        self._empty = panel(empty_html(NO_TRIES))
        self._ids = gr.State([])
        self._slots: list[Any] = []
        self._players: list[Any] = []
        self._notes: list[Any] = []
        self._keeps: list[Any] = []
        for first in range(0, MOST_TRIES, 2):
            with gr.Row():
                for number in (first, first + 1):
                    with gr.Column(visible=False, min_width=240) as slot:
                        self._players.append(audio_player(f"Try {number + 1}"))
                        self._notes.append(panel())
                        self._keeps.append(gr.Button("Keep this voice", size="sm"))
                    self._slots.append(slot)
        with gr.Column(visible=False) as self._naming:
            self._name = gr.Textbox(
                value="",
                label="Name of the voice",
                info="It becomes a sample, and every engine that clones can speak with it.",
                placeholder="Write a name, then keep one of the tries.",
            )

    @property
    def _shown(self) -> list[Any]:
        tries = [*self._slots, *self._players, *self._notes]
        return [self._ids, self._empty, self._naming, *tries]

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        engine, language = self._engine.engine, self._engine.language
        models = [self._missing, self._why, self._ready, *self._engine.outputs]
        asked = [engine, language]
        studio.on_show(tab, self._models, asked, models, unchecked=True, unlocks=[self._design])
        studio.on_show(tab, self._show, [], self._shown)
        studio.on_open(self._jobs.find, [], [self._jobs.job_id])
        studio.on_open(self._find_download, [], [self._downloads.job_id])
        listen(engine.input, self._models, asked, models, unchecked=True)
        listen(self._download.click, self._fetch, [], [self._downloads.job_id])
        self._downloads.on_finished(lambda job, *now: self._models(*now), asked, models)
        wish = [self._description, self._text, self._count, *self._engine.inputs]
        listen(self._design.click, self._submit, wish, [self._jobs.job_id])
        self._jobs.on_finished(lambda job: self._show(), [], self._shown)
        for number, button in enumerate(self._keeps):
            listen(button.click, self._keep(number), [self._ids, self._name], [self._name])

    def _models(self, engine: str | None, language: str | None) -> list[Any]:
        """The models that design voices; without one, why, and a button that gets it."""
        shown = self._engine.show(designs_voices, engine, language, is_cloning=False)
        state = self._services.tts.availability(MODEL)
        is_ready = bool(shown[0])
        told = error_html(f"{MISSING} {state.message}", state.hint)
        why = f"<div class='studio-job warn'><div>{told}</div></div>"
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
            raise BadInputError("The voice is not described yet.", "Say what it is like.")
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
        takes = [take for take in self._services.takes.list(LOOKED_AT) if take.kind == KIND]
        takes = takes[:MOST_TRIES]
        empty = MOST_TRIES - len(takes)
        slots = [gr.update(visible=number < len(takes)) for number in range(MOST_TRIES)]
        players = [gr.update(value=str(take.path), label=f"Seed {take.seed}") for take in takes]
        return [
            [take.id for take in takes],
            gr.update(visible=not takes),
            gr.update(visible=bool(takes)),
            *slots,
            *players,
            *[gr.skip()] * empty,
            *[_note(take) for take in takes],
            *[gr.skip()] * empty,
        ]

    def _keep(self, number: int) -> Any:
        def keep(ids: list[str], name: str) -> str:
            sample = keep_voice(self._services, ids[number], name)
            warn(sample.info.get("warnings", ()))
            tell(f"{sample.name} is kept.", "Find it among the samples on the Voice Clone tab.")
            return ""

        return keep


def _note(take: Take) -> str:
    cut = f"<div>{excerpt(' '.join(take.notes), 200)}</div>" if take.notes else ""
    return (
        f"<div class='studio-note'>{excerpt(take.voice, 160)} · "
        f"{duration_text(take.duration_s)}{cut}</div>"
    )
