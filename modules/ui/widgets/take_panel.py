"""One take: player, scores, downloads and parameters; and the form that generates one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.jobs import Job
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, ngettext
from modules.core_components.values import Take
from modules.tools.recordings import TAKE
from modules.tools.services import Services
from modules.tools.speaking.history import AGAIN, export_take, submit_again, submit_another
from modules.tools.speaking.request import FORMATS, complete_speech
from modules.tools.speaking.scores import (
    explain_similarity,
    explain_words,
    heard_words,
    likeness_share,
)
from modules.tools.speaking.speech import CHARACTERS_PER_SECOND, SPEAK, submit_completed
from modules.tools.speaking.take_comparison import option_texts
from modules.tools.voices.preset_voices import voice_in_words
from modules.tools.voices.previews import example_sentence
from modules.tools.voices.refinement import is_being_refined
from modules.ui.events import listen, script
from modules.ui.render import (
    duration_text,
    empty_html,
    excerpt,
    facts_html,
    local_time,
    note_html,
    player_html,
    render,
)
from modules.ui.views import OPENING, Studio
from modules.ui.widgets import parts
from modules.ui.widgets.engine_panel import EnginePanel
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.latest_takes import LATEST, LatestTakes
from modules.ui.widgets.reading_view import ReadingView

TAKES_AT_ONCE = (1, 2, 3, 4, 6)
MOST_HEARD = 300
_QUIET_LUFS, _LOUD_LUFS = -30.0, -14.0


class TakePanel:
    """Shows one take; `outputs` and `show` belong together.

    Generating it again is a job like all others: its id goes to `jobs`.
    """

    def __init__(self, services: Services, jobs: JobsView, element_id: str) -> None:
        self._services = services
        self.take_id = gr.State("")
        with gr.Column(visible=False) as self._group:
            self._note = parts.panel(visible=False)
            self._player = parts.panel()
            self._scores = parts.panel()
            with gr.Row():
                downloads = parts.DownloadButtons(FORMATS, f"{element_id}-link")
                again = gr.Button(_("Generate again"), size="sm", min_width=110)
                another = gr.Button(_("Another take"), size="sm", min_width=110)
            with gr.Accordion(_("Details"), open=False):
                self._facts = parts.panel()
        shown = [self._note, self._player, self._scores, self._facts]
        self.outputs = [self.take_id, self._group, *shown]
        downloads.on_download(lambda fmt, take: export_take(services, take, fmt), self.take_id)
        for button, submit in ((again, submit_again), (another, submit_another)):
            work = partial(self._submit, submit)
            listen(button.click, work, [self.take_id], [jobs.job_id])

    def show(self, take: Take | None, note: str = "") -> list[Any]:
        """Values for `outputs`; without a take the panel is hidden. `note` is HTML."""
        if take is None:
            return ["", gr.update(visible=False), *[gr.skip()] * 4]
        label = f"{excerpt(voice_in_words(take.voice), 60)} · {take.engine}"
        return [
            take.id,
            gr.update(visible=True),
            gr.update(value=note, visible=bool(note)),
            note_html(label) + player_html(TAKE, take.id, label, edits=True),
            self._scores_of(take),
            facts_html({**take_facts(take), **option_texts(self._services, take)}),
        ]

    def show_result(self, job: Job) -> list[Any]:
        """Values for `outputs`: the take a job made and, if it was made again, how it compares."""
        result = job.result or {}
        take = self._services.takes.get(result["take"])
        is_again = job.kind == AGAIN
        return self.show(
            take, again_note(result["identical"], result["reason"]) if is_again else ""
        )

    @property
    def scores(self) -> tuple[Any, Any]:
        """The state with the id of the take, and the panel of its scores (see `show_scores`)."""
        return self.take_id, self._scores

    def show_scores(self, take_id: str) -> Any:
        """The scores of the take on show once more: its voice may be refined by now."""
        return self._scores_of(self._services.takes.get(take_id)) if take_id else gr.skip()

    def _scores_of(self, take: Take) -> Markup:
        is_refining = take.kind == "sample" and is_being_refined(
            self._services, take.model_id, take.voice
        )
        return scores_html(take, is_refining)

    def _submit(self, submit: Callable[[Services, str], Job], take_id: str) -> str:
        return submit(self._services, take_id).id


def again_note(identical: bool, reason: str) -> Markup:
    """Whether generating a take again gave the same audio samples."""
    return render("again_note", identical=identical, reason=reason)


def take_facts(take: Take) -> dict[str, str]:
    """What people ask about a take first."""
    return {
        _("Note"): " ".join(take.notes),
        _("Seed"): str(take.seed),
        _("Language"): language_name(take.language) if take.language else "",
        _("Engine"): take.engine,
        _("Created"): local_time(take.created),
        _("Attention"): take.environment.get("attention", ""),
        _("Generated in"): _generation_time(take),
    }


def scores_html(take: Take, is_refining: bool = False) -> Markup:
    """Similarity, intelligibility and length side by side, each with what it means."""
    scores = take.scores
    likeness = understood = None
    if scores.similarity is not None:
        likeness = likeness_share(scores)
    words, heard = explain_words(take), heard_words(take)
    if heard is not None:
        understood = max(0.0, 1 - heard.different / heard.words)
        if heard.different and scores.heard:
            words = _("{words} Transcript: “{heard}”", words=words, heard=scores.heard[:MOST_HEARD])
    about = [(_("Seed {seed}", seed=take.seed), "")]
    if take.timings_s:
        about.append(
            (_("generated in {generation_time}", generation_time=_generation_time(take)), "")
        )
    if scores.loudness_lufs is not None:
        about.append(loudness_words(scores.loudness_lufs))
    return render(
        "take_scores",
        take=take,
        likeness=likeness,
        is_refining=is_refining,
        similarity_words=explain_similarity(scores),
        understood=understood,
        word_figure=heard.figure if heard else "–",
        word_words=words,
        about=about,
    )


def loudness_words(lufs: float) -> tuple[str, str]:
    """How loud it is, and the figure behind it; speech is usually spread at -23 to -16 LUFS."""
    words = (
        _("quiet")
        if lufs < _QUIET_LUFS
        else _("loud")
        if lufs > _LOUD_LUFS
        else _("usual loudness")
    )
    return words, _("Loudness {lufs:.0f} dB", lufs=lufs).replace("-", "−")


def _generation_time(take: Take) -> str:
    return duration_text(sum(take.timings_s.values())) if take.timings_s else ""


class GeneratePanel:
    """Text, engine and options, the button that generates, progress, live player, and the take.

    A tab listens to `button` with `inputs` among its inputs and `followed` as outputs; its handler
    submits with `submit`.
    """

    def __init__(
        self,
        studio: Studio,
        tab: gr.Tab,
        kinds: Sequence[str],
        element_id: str,
        shared: Sequence[str] = (),
    ) -> None:
        self._services = studio.services
        parts.title(_("Text"))
        self._text = parts.text_to_speak()
        length = parts.panel()
        example = gr.Button(_("Example text"), size="sm", min_width=110)
        self.engine = EnginePanel(self._services)
        listen(example.click, _example, [self._text, self.engine.language], [self._text])
        measure = script("text_length", PER_SECOND=CHARACTERS_PER_SECOND)
        measured = [example, length]
        listen(self._text.change, None, [self._text], measured, js=measure, queue=False)
        ReadingView(self._services, self._text, self.engine)
        self._voice = parts.note("")
        with gr.Row():
            self._play = gr.Checkbox(
                label=_("Play while generating"), value=True, container=False, scale=2
            )
            self._count = gr.Dropdown(
                [(ngettext("One take", "{count} takes", n), n) for n in TAKES_AT_ONCE],
                value=TAKES_AT_ONCE[0],
                label=_("Takes at once"),
                show_label=False,
                min_width=110,
            )
        self.button = gr.Button(_("Generate"), variant="primary", size="lg", elem_classes=parts.GO)
        self._live_player = parts.scripted_panel("live_player")
        self.jobs = JobsView(self._services, kinds, shared=shared)
        self._empty = parts.panel(empty_html(_("Your takes appear here.")))
        self.take = TakePanel(self._services, self.jobs, element_id)
        self._latest = LatestTakes(self._services)
        # What `submit` takes as `values`.
        self.inputs = [self._text, self._play, self._count, *self.engine.inputs]
        self.fields = {"text": self._text, "takes": self._count, **self.engine.fields}
        # What `submit` gives values for.
        self.followed = [self.jobs.job_id, self._live_player]
        shown = [self._empty, *self.take.outputs]
        self.outputs = [*shown, self._latest.panel]
        # The browser keeps the choice: it is about the loudspeaker of that machine.
        restore, keep = script("restore_live_choice"), script("keep_live_choice")
        listen(studio.page.load, None, [], [self._play], js=restore, queue=False)
        listen(self._play.input, None, [self._play], [], js=keep, queue=False)
        self.jobs.find_on_open(studio)
        chosen = self.take.take_id
        studio.on_show(tab, self._latest.html, [chosen], [self._latest.panel], sequence=LATEST)
        self._latest.listen_to(chosen, self._show_take, shown)

    def name_voice(
        self, studio: Studio, components: Sequence[Any], words: Callable[..., str]
    ) -> None:
        """Shows above the button which voice will speak: `words` makes it of the components'
        values. None of them may be a menu: its choices change, and Gradio refuses old values."""

        def show(*values: Any) -> Markup:
            return parts.note_html(words(*values))

        inputs = list(components)
        studio.on_open(show, inputs, [self._voice])
        for component in inputs:
            listen(component.change, show, inputs, [self._voice], sequence=OPENING)

    def submit(
        self, voice: str | None, kind: str, values: Sequence[Any], job_kind: str = SPEAK
    ) -> list[Any]:
        """Queues takes in the voice of a sample or preset. Raises BadInputError.

        Each has a seed of its own: the next ones where one is given. The first is played.
        """
        text, live, count, *how = values
        first = self.engine.request(text, voice, kind, how)
        start = first.seed if first.seed is not None and first.seed >= 0 else None
        seeds = [None if start is None else start + number for number in range(count)]
        # All or none: a seed beyond the last one is refused before anything is queued.
        takes = [
            complete_speech(self._services, dataclasses.replace(first, seed=seed)) for seed in seeds
        ]
        job, *_unused = [
            submit_completed(self._services, take, live and number == 0, job_kind)
            for number, take in enumerate(takes)
        ]
        return [job.id, job.id if live else gr.skip()]

    def show(self, job: Job) -> list[Any]:
        """The take that a finished job made."""
        shown = self.take.show_result(job)
        return [gr.update(visible=False), *shown, self._latest.html(shown[0])]

    def _show_take(self, take: Take | None) -> list[Any]:
        return [gr.update(visible=take is None), *self.take.show(take)]


def _example(text: str, language: str | None) -> Any:
    """A sentence in the chosen language, to hear the voice; what was typed stays."""
    return gr.skip() if text.strip() else example_sentence(language or "")
