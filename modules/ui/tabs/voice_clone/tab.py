"""Voice Clone: a voice and a text in, a take out."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import ModelMissingError
from modules.core_components.jobs import Job
from modules.core_components.jobs.job import FAILED, INTERRUPTED
from modules.core_components.speaker_scale import FIRST_ENCODER, SPEAKER_SCALES
from modules.core_components.texts import _, mark
from modules.core_components.values import VoicePrompt
from modules.tools.first_steps import first_voice
from modules.tools.models.ready_models import can_clone, has_stock_voices
from modules.tools.services import Services
from modules.tools.speaking.download_and_speak import DOWNLOAD_AND_SPEAK
from modules.tools.speaking.history import AGAIN
from modules.tools.speaking.speech import SPEAK, submit_speech
from modules.tools.voices.preset_voices import (
    PresetVoice,
    nearest_language,
    prepared_voice,
    preset_voices,
    voice_in_words,
)
from modules.tools.voices.refinement import REFINE, find_refinement, submit_refinement
from modules.tools.voices.remedies import IMPROVE
from modules.tools.voices.samples import DEMO, EXPORT, REFERENCE, submit_export
from modules.ui.events import listen, notify
from modules.ui.render import duration_text, facts_html, figure_text, note_html
from modules.ui.tabs.voice_clone.first_steps import CHOOSE, HEAR, OWN, FirstSteps
from modules.ui.tabs.voice_clone.recommendations import RecommendationPanel
from modules.ui.views import OPENING, Studio, VoiceChooser
from modules.ui.widgets.engine_panel import NONE
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import NO_TTS_MODEL, menu, menu_update, note, panel, title
from modules.ui.widgets.sample_panel import SAMPLES, SamplePanel
from modules.ui.widgets.take_panel import LATEST, GeneratePanel, TakePanel

# What ended longer ago is found by an opened page, and not reported again.
NEWS_S = 30.0
EXPORT_FORMATS = (
    (mark("PyTorch (.pt)"), ".pt"),
    (mark("safetensors"), ".safetensors"),
    (mark("raw float32 (.bin)"), ".bin"),
)
# Explains the figures of `match_facts`.
MEASURED = mark(
    "How alike two voices are, measured on a part of the sample that the match did not use: "
    "another speaker reaches about {other:.2f}, a second recording of the same speaker {own:.2f}. "
    "A voice is matched at once and refined in the background, in some minutes of computing."
)
SAMPLE, PRESET = "sample", "preset"
MATCH = "voice-match"
KINDS = (SPEAK, AGAIN, DOWNLOAD_AND_SPEAK, REFERENCE, IMPROVE, EXPORT, DEMO)


class MatchedVoice:
    """The voice that an engine matched to a sample: how close it is, its refinement and export."""

    def __init__(self, services: Services) -> None:
        self._services = services
        with gr.Accordion(_("Voice match"), open=True, visible=False) as self._panel:
            self._facts = panel()
            # That of the chosen sample and engine, which `_show` looks up.
            self._refining = JobsView(self._services, (REFINE,), moves_on=False)
            with gr.Row():
                self._refine = gr.Button(_("Refine"), size="sm", min_width=100)
                self._suffix = gr.Dropdown(
                    [(_(label), suffix) for label, suffix in EXPORT_FORMATS],
                    value=".pt",
                    label=_("Kokoro voice format"),
                    min_width=140,
                )
                self._export = gr.Button(_("Export"), size="sm", min_width=100)
            self._file = gr.File(label=_("Exported voice"), visible=False)

    def follow_in(
        self, jobs: JobsView, sample: gr.State, engine: gr.State, take: TakePanel
    ) -> None:
        """Shows the voice of the chosen sample and engine; exports run in `jobs`. The scores of
        `take` say whether the voice is still being refined."""
        chosen = [sample, engine]
        shown = [self._panel, self._facts, self._refine, self._file]
        shown.append(self._refining.job_id)
        for component in chosen:
            listen(component.change, self._show, chosen, shown, sequence=MATCH)
        listen(self._export.click, self._submit, [*chosen, self._suffix], [jobs.job_id])
        listen(self._refine.click, self._submit_refinement, chosen, [self._refining.job_id])
        jobs.on_finished(self._after_job, chosen, shown, MATCH)
        take_id, scores = take.scores

        self._refining.on_finished(self._after_refinement, chosen, shown, MATCH)
        # In one sequence with the other answers that change the scores.
        self._refining.on_finished(
            lambda job, take_id: take.show_scores(take_id), [take_id], [scores], LATEST
        )

    def _submit(self, sample: str, engine: str, suffix: str) -> str:
        return submit_export(self._services, sample, engine, suffix).id

    def _submit_refinement(self, sample: str, engine: str) -> Any:
        job = submit_refinement(self._services, engine, self._services.samples.voice(sample))
        return job.id if job else self._find_refinement(sample, engine)

    def _show(self, sample: str, engine: str) -> list[Any]:
        prompt = prepared_voice(self._services, sample, engine)
        hidden = gr.update(value=None, visible=False)
        if prompt is None or not is_matched(prompt):
            return [gr.update(visible=False), "", gr.skip(), hidden, ""]
        button = gr.update(visible=not prompt.info.get("refined", True))
        refining = self._find_refinement(sample, engine)
        return [gr.update(visible=True), match_html(prompt), button, hidden, refining]

    def _find_refinement(self, sample: str, engine: str) -> str:
        """The job that refines this voice, or could not; "" where there is nothing to show."""
        job = find_refinement(self._services, engine, sample)
        return job.id if job and (job.is_active or job.state in (FAILED, INTERRUPTED)) else ""

    def _after_job(self, job: Job, sample: str, engine: str) -> list[Any]:
        *shown, file, refining = self._show(sample, engine)
        if job.kind == EXPORT and job.result:
            file = gr.update(value=str(Path(job.result["file"])), visible=True)
        return [*shown, file, refining]

    def _after_refinement(self, job: Job, sample: str, engine: str) -> list[Any]:
        is_news = time.time() - (job.finished or 0.0) < NEWS_S
        if is_news and (job.result or {}).get("sample") == sample:
            notify(
                _("The voice of {sample} is refined.", sample=sample),
                _("Takes sound more like it from now on; those you have stay as they are."),
            )
        *shown, _unused, refining = self._show(sample, engine)
        return [*shown, gr.skip(), refining]


def is_matched(prompt: VoicePrompt) -> bool:
    """Whether the voice is a match, with figures of how close it is."""
    return "start_voice" in prompt.info


def match_html(prompt: VoicePrompt) -> Markup:
    """The figures of a match, and how they are to be read."""
    measured_by = prompt.info.get("encoder", SPEAKER_SCALES[FIRST_ENCODER].label)
    scale = next(
        (one for one in SPEAKER_SCALES.values() if one.label == measured_by),
        SPEAKER_SCALES[FIRST_ENCODER],
    )
    own = prompt.info.get("self_similarity")
    explained = _(
        MEASURED, other=scale.other, own=own if isinstance(own, (int, float)) else scale.own
    )
    return facts_html(match_facts(prompt)) + note_html(explained)


def match_facts(prompt: VoicePrompt) -> dict[str, str]:
    """Start and result of matching or refining, as far as the engine recorded them."""
    info: Mapping[str, Any] = prompt.info
    refined = info.get("refined", True)  # all were, in earlier versions
    return {
        _("Nearest stock voice"): voice_in_words(str(info.get("start_voice", ""))),
        _("Similarity of that voice"): _figure(info.get("start_similarity")),
        _("After the match"): _figure(info.get("matched_similarity")),
        _("After refining"): _figure(info.get("held_out_similarity")) if refined else "",
        _("Expected of the match"): _figure(info.get("expected_similarity")),
        _("Computed in"): duration_text(info["seconds"]) if "seconds" in info else "",
    }


def _figure(value: Any) -> str:
    return figure_text(value) if isinstance(value, (int, float)) else ""


class VoiceCloneTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services: Services = studio.services
        self._first_steps = FirstSteps(self._services)
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_voice()
            with gr.Column(scale=7, min_width=340):
                self._generate = GeneratePanel(studio, tab, KINDS, "clone-take", shared=(DEMO,))
        self._engine, jobs = self._generate.engine, self._generate.jobs
        self._samples.follow_in(jobs)
        chosen = self._samples.chosen
        self._matched.follow_in(jobs, chosen, self._engine.ready, self._generate.take)
        self._recommended.follow(self._samples.chosen, jobs)
        self._recommended.on_use(self._generate, self._samples.chosen, self._show_engine)
        self._listen(studio, tab)
        self._offer_first_steps(studio, tab)
        groups = [self._sample_group, self._preset_group]
        chooser = [self._kind, self._samples.chosen, self._samples.kept, *groups]
        studio.choosers[str(tab.id)] = VoiceChooser(chooser, _choose_sample)
        voice = {"kind": self._kind, "sample": self._samples.kept, "preset": self._preset}
        studio.keep(tab, **voice, **self._generate.fields)

    def _build_voice(self) -> None:
        title(_("Voice"))
        kinds = [(_("My sample"), SAMPLE), (_("Stock voice"), PRESET)]
        self._kind = gr.Radio(kinds, value=SAMPLE, label=_("Kind of voice"), show_label=False)
        with gr.Column() as self._sample_group:
            self._samples = SamplePanel(self._services)
            self._recommended = RecommendationPanel(self._services)
            self._matched = MatchedVoice(self._services)
        with gr.Column(visible=False) as self._preset_group:
            self._preset = menu(_("Stock voice"))
            note(_("Voices that come with the model, and your own."))

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        engine, language = self._engine.engine, self._engine.language
        choices = [*self._engine.outputs, self._preset]
        chosen = [self._kind, engine, language, self._preset]
        button = self._generate.button
        # In one sequence with the choices below: the answer to the last one stays.
        studio.on_show(
            tab,
            self._choices,
            chosen,
            choices,
            unchecked=True,
            sequence=OPENING,
            unlocks=[button],
        )
        samples = self._samples
        studio.on_show(tab, samples.refresh, [samples.kept], samples.outputs, sequence=SAMPLES)
        groups = [self._sample_group, self._preset_group]
        listen(self._kind.change, _show_kind, [self._kind], groups, queue=False)
        for component in (self._kind, engine):
            listen(
                component.input, self._choices, chosen, choices, unchecked=True, sequence=OPENING
            )
        listen(self._preset.input, self._language_of_voice, [engine, self._preset], [language])
        self._generate.name_voice(studio, [self._kind, self._samples.chosen], self._chosen)
        asked = [self._kind, self._samples.chosen, self._preset, *self._generate.inputs]
        # After the choice of the sample, however soon the button is pressed.
        listen(button.click, self._submit, asked, self._generate.followed, sequence=SAMPLES)
        jobs, chosen_sample = self._generate.jobs, [self._samples.chosen]
        jobs.on_finished(self._show_take, [], self._generate.outputs, LATEST)
        jobs.on_finished(self._show_sample, chosen_sample, self._samples.outputs, SAMPLES)

    def _offer_first_steps(self, studio: Studio, tab: gr.Tab) -> None:
        """What the cards lead to: a take in a stock voice, the form for a sample, an engine."""
        how = [self._kind, self._sample_group, self._preset_group]
        menus = [*self._engine.outputs, self._preset]
        text = self._generate.fields["text"]
        outputs = [*how, *menus, text, *self._generate.followed]
        unchanged = [gr.skip()] * len(outputs)
        nothing_said = unchanged[len(how) + len(menus) :]

        def lead(action: str) -> list[Any]:
            if action == HEAR:
                voice = first_voice(self._services)
                if voice is None:
                    raise ModelMissingError(_("No speech model is installed."), _(NO_TTS_MODEL))
                request = voice.request(self._services.settings.score_takes)
                job = submit_speech(self._services, request, live=True)
                shown = self._choices(PRESET, voice.model_id, voice.language, voice.name)
                return [PRESET, *_show_kind(PRESET), *shown, voice.sentence, job.id, job.id]
            if action == OWN:
                engine = self._choices(SAMPLE, None, None, None)
                return [SAMPLE, *_show_kind(SAMPLE), *engine, *nothing_said]
            if action.startswith(CHOOSE):
                shown = self._show_engine(action.removeprefix(CHOOSE), "")
                chosen = [*shown, gr.skip(), *nothing_said]
                return [SAMPLE, *_show_kind(SAMPLE), *chosen]
            return unchanged

        self._first_steps.listen(studio, tab, lead, outputs, self._samples.chosen)

    def _choices(
        self, kind: str, engine: str | None, language: str | None, voice: str | None
    ) -> Sequence[Any]:
        """Engines that can speak with this kind of voice, and what the chosen one offers."""
        is_cloning = kind == SAMPLE
        fits = can_clone if is_cloning else has_stock_voices
        model_id, *shown = self._engine.show(fits, engine, language, is_cloning)
        presets = self._presets(model_id) if model_id else ()
        voices = [(item.label, item.name) for item in presets]
        return [model_id, *shown, menu_update(voices, voice, _(NONE))]

    def _show_engine(self, model_id: str, sample: str) -> list[Any]:
        """An engine that was chosen for a sample, in the language of that."""
        spoken = self._services.samples.voice(sample).language if sample else ""
        language = nearest_language(self._services.tts.get(model_id), spoken)
        return self._engine.show(can_clone, model_id, language, True)

    def _presets(self, engine: str) -> tuple[PresetVoice, ...]:
        return preset_voices(self._services, self._services.tts.get(engine))

    def _language_of_voice(self, engine: str, voice: str) -> Any:
        voices = {item.name: item for item in self._presets(engine)}
        language = voices[voice].language if voice in voices else ""
        return gr.update(value=language) if language else gr.skip()

    def _chosen(self, kind: str, sample: str) -> str:
        """The voice in words; a stock voice stands in its menu."""
        if kind != SAMPLE:
            return ""
        if sample:
            return _("Voice: {voice}", voice=sample)
        # Until the list of samples has arrived none is chosen, which says nothing.
        return "" if self._services.samples.list() else _("No voice is chosen yet.")

    def _submit(self, kind: str, sample: str, preset: str, *values: Any) -> list[Any]:
        return self._generate.submit(sample if kind == SAMPLE else preset, kind, values)

    def _show_take(self, job: Job) -> Any:
        return self._generate.show(job) if _made_a_take(job) else gr.skip()

    def _show_sample(self, job: Job, sample: str) -> Any:
        # After a take the sample stays as it is: its reference text may be half typed.
        return gr.skip() if _made_a_take(job) else self._samples.show_after(job, sample)


def _made_a_take(job: Job) -> bool:
    return "take" in (job.result or {})


def _choose_sample(sample: str, model_id: str, language: str) -> Sequence[Any]:
    """Chooses a sample from outside; the engine stays, and its language follows from it."""
    return [SAMPLE, sample, sample, *_show_kind(SAMPLE)]


def _show_kind(kind: str) -> tuple[Any, Any]:
    return gr.update(visible=kind == SAMPLE), gr.update(visible=kind == PRESET)
