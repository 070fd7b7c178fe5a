"""The engines that the studio recommends for a sample, and the button that uses one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError
from modules.core_components.jobs import Job
from modules.core_components.texts import _, mark
from modules.tools.models.recommendation import CLONE, Recommendation, recommend
from modules.tools.services import Services
from modules.tools.speaking.download_and_speak import (
    DOWNLOAD_AND_SPEAK,
    download_and_speak,
    permit_download,
)
from modules.tools.speaking.speech import SPEAK, submit_speech
from modules.ui.events import listen, notify
from modules.ui.render import empty_html, render
from modules.ui.views import OPENING
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import choice_list, panel
from modules.ui.widgets.take_panel import GeneratePanel

TITLE = mark("Recommended engines")
LOOKING = mark("Looking at this machine and asking the model hub…")
SPEAK_NOW, DOWNLOAD = mark("Speak with it"), mark("Download and speak")
NOT_NOW = mark("Not possible now")
TOKEN, OTHER_TOKEN = mark("Access token"), mark("Another access token (one is saved)")
NO_TEXT = mark("Type a text and press Generate.")
SEQUENCE = "recommended-engines"


class RecommendationPanel:
    """The list, filled when it is opened: only then the hub is asked whether it is there."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open = gr.State(False)
        self._chosen = gr.State("")
        with gr.Accordion(_(TITLE), open=False, elem_id="recommended-engines") as self._panel:
            self._list = choice_list()
            self._about = panel()
            self._accept = gr.Checkbox(label=_("I accept this licence"), value=False, visible=False)
            self._token = gr.Textbox(
                value="", label=_(TOKEN), type="password", visible=False, max_lines=1
            )
            self.button = gr.Button(_(SPEAK_NOW), variant="primary", visible=False)
        details = [self._about, self._accept, self._token, self.button]
        self._shown = [self._chosen, self._list, *details]

    def follow(self, sample: gr.State, jobs: JobsView) -> None:
        """Shows what fits the chosen sample, again whenever an engine was downloaded."""
        asked = [self._open, sample, self._chosen]
        opened = listen(self._panel.expand, self._show_looking, [], [self._open, self._list])
        closed = [self._open]
        listen(self._panel.collapse, lambda: False, [], closed, queue=False)
        for event in (opened.success, sample.change):
            listen(event, self._show, asked, self._shown, sequence=SEQUENCE)
        listen(self._list.select, self._show_chosen, [sample], self._shown, sequence=SEQUENCE)
        jobs.on_finished(self._after_job, asked, self._shown, SEQUENCE)

    def on_use(
        self,
        generate: GeneratePanel,
        sample: gr.State,
        show: Callable[[str, str], list[Any]],
    ) -> None:
        """Has the button use the chosen engine; `show(model_id, sample)` are the values of the
        engine panel's `outputs` for it."""
        unchanged = [gr.skip()] * len(generate.engine.outputs)

        def use(model_id: str, accepted: bool, token: str, sample: str, *values: Any) -> list[Any]:
            is_here = self._services.tts.available(model_id) if model_id else False
            job = self._use(generate, model_id, accepted, token, sample, values)
            is_live = job is not None and is_here and values[1]
            return [
                job.id if job else gr.skip(),
                job.id if job and is_live else gr.skip(),
                *(show(model_id, sample) if is_here else unchanged),
                # What was given is remembered; a token that is refused may be replaced.
                gr.update(visible=False),
                gr.update(value="", label=_(OTHER_TOKEN)),
            ]

        def after(job: Job, sample: str) -> list[Any]:
            if job.kind != DOWNLOAD_AND_SPEAK:
                return [gr.skip(), *unchanged]
            result = job.result or {}
            if "job" not in result:
                notify(_("The model is downloaded."), _(NO_TEXT))
            live = result["job"] if result.get("live") else gr.skip()
            return [live, *show(result["model"], sample)]

        player, engine = generate.followed[1], generate.engine.outputs
        inputs = [self._chosen, self._accept, self._token, sample, *generate.inputs]
        outputs = [*generate.followed, *engine, self._accept, self._token]
        listen(self.button.click, use, inputs, outputs)
        generate.jobs.on_finished(after, [sample], [player, *engine], OPENING)

    def _use(
        self,
        generate: GeneratePanel,
        model_id: str,
        accepted: bool,
        token: str,
        sample: str,
        values: Sequence[Any],
    ) -> Job | None:
        """The job that was queued; None where there is no text and nothing to download."""
        if not model_id:
            raise BadInputError(_("No engine is selected."), _("Select one in the list."))
        text, live, _takes, _engine, _language, *how = values
        request = None
        if text.strip():
            # In the language of the sample: the menu's is that of the engine chosen before.
            request = generate.engine.request(text, sample, "sample", [model_id, "", *how])
        if self._services.tts.available(model_id):
            if request is None:
                notify(
                    _("{label} is chosen.", label=self._services.tts.entry(model_id).label),
                    _(NO_TEXT),
                )
                return None
            return submit_speech(self._services, request, live)
        permit_download(self._services, model_id, accepted, token)
        return download_and_speak(self._services, model_id, request, live)

    def _show_looking(self) -> list[Any]:
        return [True, empty_html(_(LOOKING))]

    def _show(self, is_open: bool, sample: str, chosen: str) -> list[Any]:
        if not is_open:
            return [gr.skip()] * len(self._shown)
        return self._values(sample, "")

    def _show_chosen(self, sample: str, row: gr.EventData) -> list[Any]:
        return self._values(sample, row.id)

    def _after_job(self, job: Job, is_open: bool, sample: str, chosen: str) -> list[Any]:
        if not is_open or job.kind not in (DOWNLOAD_AND_SPEAK, SPEAK):
            return [gr.skip()] * len(self._shown)
        values = self._values(sample, chosen)
        if job.kind == DOWNLOAD_AND_SPEAK:
            return values
        # A take measured its engine; what is half filled in below the list stays.
        return [gr.skip() if place != 1 else value for place, value in enumerate(values)]

    def _values(self, sample: str, chosen: str) -> list[Any]:
        """The list and the details of the engine chosen in it, of the first one if it is gone."""
        engines = recommend(self._services, sample)
        by_id = {one.model_id: one for one in engines}
        if not by_id:
            hidden = gr.update(visible=False)
            return ["", empty_html(_("No engine that clones is known.")), "", *[hidden] * 3]
        clones = [one for one in engines if one.way == CLONE]
        usable = [one for one in (*clones, *engines) if not one.problem]
        one = by_id.get(chosen, (usable or engines)[0])
        listed = render(
            "engines",
            groups=[
                (_("Clone the voice"), clones),
                (_("Imitate it (voice match)"), [one for one in engines if one.way != CLONE]),
            ],
            recommended=next((one.model_id for one in clones if not one.problem), ""),
            chosen=one.model_id,
            language=self._services.samples.voice(sample).language if sample else "",
        )
        return [one.model_id, listed, *_details(one)]


def _details(one: Recommendation) -> list[Any]:
    waiting = not one.is_installed
    label = DOWNLOAD if waiting else SPEAK_NOW
    # A token that the hub refuses can be replaced right here.
    may_replace = waiting and one.licence.token_required and not one.needs_token
    is_possible = not one.problem or may_replace
    if not is_possible:
        label = NOT_NOW
    return [
        render("engine_needs", one=one),
        gr.update(visible=waiting and one.needs_acceptance, value=False),
        gr.update(
            visible=waiting and one.licence.token_required,
            value="",
            label=_(TOKEN) if one.needs_token else _(OTHER_TOKEN),
        ),
        gr.update(visible=True, value=_(label), interactive=is_possible),
    ]
