"""Voice Clone: a voice, a text, a take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.text.language_names import language_name
from modules.tools.job_kinds import AGAIN, DEMO, EXPORT, REFERENCE, SPEAK, submit_speech
from modules.tools.ready_models import (
    can_clone,
    engine_options,
    has_stock_voices,
    is_voice_match,
    speaking_models,
)
from modules.tools.services import Services
from modules.tools.speech import SpeechRequest
from modules.tools.voices import PresetVoice, preset_voices
from modules.ui.context import Studio
from modules.ui.fitted_voice import FittedVoice
from modules.ui.handlers import listen
from modules.ui.jobs_view import JobsView
from modules.ui.option_controls import OptionControls
from modules.ui.parts import menu, menu_update, panel, title
from modules.ui.sample_panel import SamplePanel
from modules.ui.snippets import empty_html
from modules.ui.take_panel import TakePanel, again_note

SAMPLE, PRESET = "sample", "preset"
NONE = "None installed"
KINDS = (SPEAK, AGAIN, REFERENCE, EXPORT, DEMO)
NO_MODEL = "No speaking model is installed yet. Get one on the Models tab; Kokoro is small."
VOICE_MATCH = (
    "<b>Voice match.</b> {label} cannot copy a voice; the studio bends its nearest stock voice "
    "towards your sample. It comes near, and the likeness below says how near. The first time "
    "takes a minute or two; after that the voice is kept."
)
TRUE_CLONE = "{label} clones the voice directly from the sample."


def build(studio: Studio) -> None:
    """The tab inside the current `gr.Tabs`."""
    with gr.Tab("Voice Clone", id="voice-clone") as tab:
        _VoiceCloneTab(studio, tab)


class _VoiceCloneTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services: Services = studio.services
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_voice()
            with gr.Column(scale=7, min_width=340):
                self._build_words()
                self._jobs = JobsView(self._services, KINDS)
                self._build_result()
        self._samples.follow_in(self._jobs)
        self._fitted.follow_in(self._jobs, self._samples.chosen, self._ready)
        self._listen(studio, tab)

    def _build_voice(self) -> None:
        title("Voice")
        self._kind = gr.Radio(
            [("My sample", SAMPLE), ("Stock voice", PRESET)], value=SAMPLE, show_label=False
        )
        with gr.Column() as self._sample_group:
            self._samples = SamplePanel(self._services)
            self._fitted = FittedVoice(self._services)
        with gr.Column(visible=False) as self._preset_group:
            self._preset = menu("Stock voice", NONE)
            panel("<div class='studio-note'>Voices that come with the model, and your own.</div>")

    def _build_words(self) -> None:
        title("Words")
        self._text = gr.Textbox(
            value="",
            label="Text to speak",
            lines=5,
            max_lines=16,
            placeholder="Type what the voice should say.",
        )
        self._ready = gr.State("")  # the engine whose choices are on show
        with gr.Row():
            self._engine = menu("Engine", NONE)
            self._language = menu("Language", NONE)
        self._about = panel()
        with gr.Accordion("Options", open=False):
            self._seed = gr.Number(
                label="Seed",
                info="The same seed makes the same take. Empty or -1: a new one each time.",
                value=-1,
                precision=0,
            )
            self._options = OptionControls(
                engine_options(self._services), self._services.settings.tts_model
            )
        self._generate = gr.Button("Generate", variant="primary", size="lg")

    def _build_result(self) -> None:
        self._empty = panel(empty_html("The take appears here, with its scores."))
        self._take = TakePanel(self._services, self._jobs, "clone-take")

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        engine_parts = [self._language, self._about, self._preset, *self._options.groups]
        choices = [self._ready, self._engine, *engine_parts]
        chosen = [self._kind, self._engine, self._language, self._preset]
        studio.on_show(tab, self._choices, chosen, choices, unchecked=True)
        studio.on_show(tab, self._samples.refresh, [self._samples.chosen], self._samples.outputs)
        studio.on_open(self._jobs.find, [], [self._jobs.job_id])
        groups = [self._sample_group, self._preset_group]
        listen(self._kind.input, _show_kind, [self._kind], groups, queue=False)
        for component in (self._kind, self._engine):
            listen(component.input, self._choices, chosen, choices, unchecked=True)
        spoken = [self._engine, self._preset]
        listen(self._preset.input, self._language_of_voice, spoken, [self._language])
        asked = [self._kind, self._samples.chosen, self._preset, self._text, self._engine]
        asked += [self._language, self._seed, *self._options.components]
        listen(self._generate.click, self._speak, asked, [self._jobs.job_id])
        self._jobs.on_finished(
            self._show_result,
            [self._samples.chosen],
            [self._empty, *self._take.outputs, *self._samples.outputs],
        )

    def _choices(
        self, kind: str, engine: str | None, language: str | None, voice: str | None
    ) -> Sequence[Any]:
        """Engines that can speak with this kind of voice, and what the chosen one offers."""
        models = {item.id: item for item in speaking_models(self._services) if _fits(item, kind)}
        default = self._services.settings.tts_model
        model_id = next((name for name in (engine, default, *models) if name in models), "")
        engines = [(_label(entry), entry.id) for entry in models.values()]
        if not model_id:
            nothing = menu_update([], "", NONE)
            return ["", nothing, nothing, empty_html(NO_MODEL), nothing, *self._options.show("")]
        handle = self._services.tts.get(model_id)
        wanted = language if language in handle.languages else self._services.settings.language
        return [
            model_id,
            menu_update(engines, model_id, NONE),
            menu_update([(language_name(code), code) for code in handle.languages], wanted, NONE),
            _about_html(models[model_id]) if kind == SAMPLE else "",
            menu_update([(item.label, item.name) for item in self._presets(model_id)], voice, NONE),
            *self._options.show(model_id),
        ]

    def _language_of_voice(self, engine: str, voice: str) -> Any:
        voices = {item.name: item for item in self._presets(engine)}
        language = voices[voice].language if voice in voices else ""
        return gr.update(value=language) if language else gr.skip()

    def _presets(self, engine: str) -> tuple[PresetVoice, ...]:
        return preset_voices(self._services, self._services.tts.get(engine))

    def _speak(
        self,
        kind: str,
        sample: str | None,
        preset: str | None,
        text: str,
        engine: str | None,
        language: str | None,
        seed: float | None,
        *options: Any,
    ) -> str:
        voice = sample if kind == SAMPLE else preset
        if not engine:
            raise BadInputError("No speaking model is installed.", "Get one on the Models tab.")
        if not voice:
            raise BadInputError("No voice is chosen.", "Choose or add a sample, or a stock voice.")
        request = SpeechRequest(
            text=text,
            voice=voice,
            kind=kind,
            engine=engine,
            language=language or "",
            seed=None if seed is None else int(seed),
            options=self._options.read(engine, options),
            score=self._services.settings.score_takes,
        )
        return submit_speech(self._services, request).id

    def _show_result(self, job: Job, sample: str) -> list[Any]:
        result = job.result or {}
        if "take" not in result:
            unchanged = [gr.skip()] * (1 + len(self._take.outputs))
            return [*unchanged, *self._samples.refresh(sample)]
        take = self._services.takes.get(result["take"])
        note = again_note(result["identical"], result["reason"]) if job.kind == AGAIN else ""
        # The sample stays as it is: its text may be half typed.
        unchanged = [gr.skip()] * len(self._samples.outputs)
        return [gr.update(visible=False), *self._take.show(take, note), *unchanged]


def _fits(entry: ModelEntry, kind: str) -> bool:
    return can_clone(entry) if kind == SAMPLE else has_stock_voices(entry)


def _label(entry: ModelEntry) -> str:
    return f"{entry.label} (voice match)" if is_voice_match(entry) else entry.label


def _about_html(entry: ModelEntry) -> str:
    words = VOICE_MATCH if is_voice_match(entry) else TRUE_CLONE
    return f"<div class='studio-note'>{words.format(label=entry.label)}</div>"


def _show_kind(kind: str) -> tuple[Any, Any]:
    return gr.update(visible=kind == SAMPLE), gr.update(visible=kind == PRESET)
