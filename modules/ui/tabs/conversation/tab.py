"""Conversation: a script with speakers, a voice of any engine for each, one recording."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import NotFoundError
from modules.core_components.jobs import Job
from modules.core_components.library.conversations import Conversation, Pauses
from modules.core_components.texts import _, mark
from modules.tools.conversation.conversation import (
    KINDS,
    LONGEST_PAUSE_S,
    ConversationRequest,
    delete_conversation,
    submit_conversation,
)
from modules.ui.events import listen, notify
from modules.ui.render import render
from modules.ui.tabs.conversation.cast_panel import CAST, IN_ONE_GO, LINE_BY_LINE, CastPanel
from modules.ui.tabs.conversation.conversation_panel import ConversationPanel
from modules.ui.views import Studio
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import GO, TEXT, choice_list, note, title

EXAMPLE = mark("Anna: Good morning, Ben.\nBen: (sleepy) Morning. [pause:1s] Is there coffee?")
ABOUT = mark(
    "A line begins with the speaker's name and a colon, and goes on until the next; words before "
    "the first name are the narrator's. [pause:1.5s] inserts silence; a line in (parentheses) is "
    "not spoken."
)


class ConversationTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=6, min_width=340):
                self._build_request()
            with gr.Column(scale=6, min_width=340):
                self._jobs = JobsView(self._services, KINDS)
                self._panel = ConversationPanel(self._services, self._jobs)
        title(_("Earlier conversations"))
        with gr.Column(elem_classes="studio-short"):
            self._earlier = choice_list()
        self._panel.on_join(self._jobs, self._pauses)
        self._listen(studio, tab)
        cast = {"cast": self._cast.kept, "way": self._cast.way}
        lines, speakers = self._pauses
        written = {"script": self._script, "title": self._title, "seed": self._seed}
        studio.keep(tab, **written, lines_s=lines, speakers_s=speakers, **cast)

    def _build_request(self) -> None:
        title(_("Script"))
        self._script = gr.Textbox(
            value="",
            label=_("Script"),
            show_label=False,
            lines=10,
            max_lines=24,
            placeholder=_(EXAMPLE),
            elem_classes=TEXT,
        )
        note(_(ABOUT))
        title(_("Voices"))
        self._cast = CastPanel(self._services)
        standard = Pauses()
        with gr.Row():
            self._pauses = [
                _pause_slider(_("Pause between lines"), standard.lines_s),
                _pause_slider(_("Pause between speakers"), standard.speakers_s),
            ]
        with gr.Accordion(_("Seed and title"), open=False), gr.Row():
            self._seed = gr.Number(
                label=_("Seed"),
                info=_("The seed of each line follows from it. -1: a new one."),
                value=-1,
                precision=0,
            )
            self._title = gr.Textbox(
                value="", label=_("Title"), info=_("Empty: the first words of the script.")
            )
        self._generate = gr.Button(
            _("Generate conversation"), variant="primary", size="lg", elem_classes=GO
        )

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        cast, shown = self._cast, self._panel.outputs
        written = [self._script, *self._pauses, self._title, cast.way, *cast.outputs]
        updating = [self._script, *cast.inputs]
        on_select = [self._script, cast.cast, cast.way]
        # On opening, `_find` shows the voices. Selecting the tab comes after it: it would put
        # proposals in the place of the restored choices.
        listen(tab.select, cast.show, on_select, cast.outputs, sequence=CAST)
        listen(self._script.change, cast.update, updating, cast.outputs, sequence=CAST)
        earlier, shown_id = [self._earlier], [self._panel.shown_id]
        studio.on_show(tab, self._earlier_html, shown_id, earlier, sequence=CAST)
        studio.on_open(
            self._find,
            [self._script, cast.kept, cast.way],
            [self._jobs.job_id, *shown, *written],
            sequence=CAST,
        )
        asked = [self._script, *self._pauses, self._seed, self._title, *cast.inputs]
        started = [self._jobs.job_id, *shown, self._earlier]
        listen(self._generate.click, self._submit, asked, started, sequence=CAST)
        on_show = [self._panel.shown_id, self._panel.line_id]
        self._jobs.on_progress(self._show_progress, on_show, self._panel.progress_outputs)
        self._jobs.on_finished(self._show_job, on_show, [*shown, self._earlier], CAST)
        listen(self._earlier.select, self._open, [], [*shown, *written], sequence=CAST)
        left = [*shown, self._earlier]
        self._panel.delete.on_confirm(self._delete, [self._panel.shown_id], left, CAST)

    def _submit(
        self,
        script: str,
        lines_s: float,
        speakers_s: float,
        seed: float | None,
        name: str,
        speakers: list[str],
        cast: dict[str, Any],
        way: str,
    ) -> list[Any]:
        request = ConversationRequest(
            script=script,
            cast=self._cast.read(speakers, cast),
            title=name,
            pauses=Pauses(lines_s, speakers_s),
            seed=None if seed is None else int(seed),
            in_one_go=way == IN_ONE_GO,
        )
        job = submit_conversation(self._services, request)
        return [job.id, *self._shown(self._conversation_of(job))]

    def _find(self, script: str, cast: dict[str, Any], way: str) -> list[Any]:
        """After a reload: the job to follow, and the conversation it works on.

        A script that the browser kept stays, with its voices: it may have been changed since.
        """
        job_id = self._jobs.find()
        kept = [gr.skip()] * 5
        try:
            job = self._services.jobs.get(job_id)
            conversation = self._conversation_of(job)
        except NotFoundError:
            unchanged = [gr.skip()] * len(self._panel.outputs)
            return [job_id, *unchanged, *kept, *self._cast.show(script, cast, way)]
        shown = self._panel.show(conversation, str(job.payload.get("line", "")))
        if script.strip():
            return [job_id, *shown, *kept, *self._cast.show(script, cast, way)]
        return [job_id, *shown, *self._written(conversation)]

    def _open(self, row: gr.EventData) -> list[Any]:
        conversation = self._services.conversations.get(row.id)
        return [*self._panel.show(conversation), *self._written(conversation)]

    def _written(self, conversation: Conversation) -> list[Any]:
        """Script, pauses and voices of a conversation, as they were entered."""
        pauses = conversation.pauses
        cast = self._cast.remembered(conversation.cast)
        way = IN_ONE_GO if conversation.in_one_go else LINE_BY_LINE
        shown = self._cast.show(conversation.script, cast, way)
        # The title stays empty, since the next script would get it.
        return [conversation.script, pauses.lines_s, pauses.speakers_s, "", way, *shown]

    def _show_progress(self, job: Job, shown: str, line_id: str) -> Any:
        if job.payload.get("conversation") != shown:
            return gr.skip()
        return self._panel.show_progress(self._conversation_of(job), line_id)

    def _show_job(self, job: Job, shown: str, line_id: str) -> list[Any]:
        conversation = self._conversation_of(job)
        if conversation.id != shown:  # another one has been opened since
            unchanged = [gr.skip()] * len(self._panel.outputs)
            return [*unchanged, self._earlier_html(shown)] if shown else self._shown(conversation)
        return self._shown(conversation, str(job.payload.get("line", line_id)))

    def _shown(self, conversation: Conversation, line_id: str = "") -> list[Any]:
        return [*self._panel.show(conversation, line_id), self._earlier_html(conversation.id)]

    def _delete(self, shown: str) -> list[Any]:
        delete_conversation(self._services, shown)
        notify(_("The conversation is deleted."))
        return [*self._panel.show(None), self._earlier_html("")]

    def _earlier_html(self, shown: str) -> Markup:
        rows = [(one.id, one) for one in self._services.conversations.list()]
        return render("conversations", rows=rows, chosen=shown)

    def _conversation_of(self, job: Job) -> Conversation:
        return self._services.conversations.get(job.payload["conversation"])


def _pause_slider(label: str, seconds: float) -> Any:
    return gr.Slider(
        0, LONGEST_PAUSE_S, value=seconds, step=0.05, label=label, info=_("Seconds"), min_width=150
    )
