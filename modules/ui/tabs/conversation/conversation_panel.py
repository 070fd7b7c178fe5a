"""One conversation: the whole recording with its downloads, and its lines one by one."""

from __future__ import annotations

from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import NotFoundError
from modules.core_components.library.conversations import Conversation, Line, Pauses
from modules.core_components.text.script import with_style
from modules.core_components.texts import _, mark
from modules.tools.conversation.conversation import (
    submit_joining,
    submit_line,
    submit_rest,
    work_on,
)
from modules.tools.conversation.joining import EXPORT_FORMATS, export_conversation
from modules.tools.models.ready_models import model_label
from modules.tools.recordings import CONVERSATION, LINE, line_key
from modules.tools.services import Services
from modules.ui.events import listen
from modules.ui.render import duration_text, empty_html, facts_html, local_time, player_html, render
from modules.ui.tabs.conversation.cast_panel import CAST
from modules.ui.widgets import parts
from modules.ui.widgets.jobs_view import JobsView

NOTHING = mark("Your conversation appears here, line by line.")
ABOUT_LINE = mark("May begin with a style in parentheses, for engines that have styles.")
ABOUT_PART = mark("Generated in one go: single lines of it cannot be generated again.")


class ConversationPanel:
    """Shows one conversation, `shown_id`, and one of its lines, `line_id`. Work goes to `jobs`."""

    def __init__(self, services: Services, jobs: JobsView) -> None:
        self._services = services
        self.shown_id = gr.State("")
        self.line_id = gr.State("")
        self._empty = parts.panel(empty_html(_(NOTHING)))
        with gr.Column(visible=False) as self._group:
            self._facts = parts.panel()
            self._player = parts.panel(visible=False)
            with gr.Row(visible=False) as self._downloads:
                downloads = parts.DownloadButtons(EXPORT_FORMATS, "conversation-link")
            self._rest = gr.Button(_("Generate missing lines"), size="sm", visible=False)
            parts.title(_("Lines"))
            with gr.Column(elem_classes="studio-short"):
                self._lines = parts.choice_list()
            with gr.Column(visible=False) as self._editor:
                self._build_editor()
            self._join = gr.Button(_("Apply new pauses"), size="sm")
            self.delete = parts.ConfirmedButton(
                _("Delete conversation"), _("It moves to the trash.")
            )
        # What `show_progress` gives values for.
        self.progress_outputs = [self._facts, self._lines]
        self._line_outputs = [
            *[self.line_id, self._editor, self._about, self._line_player],
            *[self._text, self._seed, self._again],
        ]
        self.outputs = [
            *[self.shown_id, self._empty, self._group, self._facts, self._player],
            *[self._downloads, self._rest, self._join, self._lines],
            *self._line_outputs,
        ]
        downloads.on_download(
            lambda fmt, shown: export_conversation(services, shown, fmt), self.shown_id
        )
        self._listen(jobs)

    def on_join(self, jobs: JobsView, pauses: Any) -> None:
        """`pauses` are the components that hold the seconds."""

        def join(shown: str, lines_s: float, speakers_s: float) -> str:
            return submit_joining(self._services, shown, Pauses(lines_s, speakers_s)).id

        listen(self._join.click, join, [self.shown_id, *pauses], [jobs.job_id])

    def show(self, conversation: Conversation | None, line_id: str = "") -> list[Any]:
        """The conversation, with one of its lines opened; nothing for None."""
        if conversation is None:
            hidden = gr.update(visible=False)
            return ["", gr.update(visible=True), hidden, *[gr.skip()] * 6, *self._show_line(None)]
        whole = conversation.file("wav")
        is_whole = conversation.is_complete and whole.is_file()
        return [
            conversation.id,
            gr.update(visible=False),
            gr.update(visible=True),
            _facts_html(conversation),
            gr.update(value=_player_html(conversation) if is_whole else "", visible=is_whole),
            gr.update(visible=is_whole),
            gr.update(visible=self._is_waiting(conversation)),
            gr.update(visible=conversation.made == len(conversation.lines)),
            _lines_html(conversation, line_id),
            *self._show_line(conversation, line_id),
        ]

    def show_progress(self, conversation: Conversation, line_id: str) -> list[Any]:
        """What changes while lines are being generated."""
        return [_facts_html(conversation), _lines_html(conversation, line_id)]

    def _is_waiting(self, conversation: Conversation) -> bool:
        """Whether lines are missing and no job is active that would generate them."""
        missing = conversation.made < len(conversation.lines)
        return missing and work_on(self._services, conversation.id) is None

    def _build_editor(self) -> None:
        self._about = parts.panel()
        self._line_player = parts.panel(visible=False)
        self._text = gr.Textbox(
            value="", label=_("Text of the line"), info=_(ABOUT_LINE), lines=2, max_lines=8
        )
        with gr.Row(equal_height=True):
            self._seed = gr.Number(
                label=_("Seed of the line"),
                value=-1,
                precision=0,
                info=_("-1: random"),
                min_width=120,
            )
            self._again = gr.Button(_("Generate line again"), variant="primary", min_width=160)

    def _listen(self, jobs: JobsView) -> None:
        line = self._line_outputs
        listen(self._lines.select, self._choose, [self.shown_id], line, sequence=CAST)
        asked = [self.shown_id, self.line_id, self._text, self._seed]
        listen(self._again.click, self._submit_line, asked, [jobs.job_id])
        listen(self._rest.click, self._submit_rest, [self.shown_id], [jobs.job_id])

    def _choose(self, shown: str, row: gr.EventData) -> list[Any]:
        return self._show_line(self._services.conversations.get(shown), row.id)

    def _show_line(self, conversation: Conversation | None, line_id: str = "") -> list[Any]:
        if conversation is None or not line_id:
            return ["", gr.update(visible=False), *[gr.skip()] * 5]
        line = conversation.line(line_id)
        sound = self._line_player_html(conversation, line)
        is_part = conversation.in_one_go
        return [
            line.id,
            gr.update(visible=True),
            self._line_html(conversation, line),
            gr.update(value=sound, visible=bool(sound)),
            gr.update(
                value=with_style(line.text, line.style),
                label=_("Text of the part") if is_part else _("Text of the line"),
                info=_(ABOUT_PART) if is_part else _(ABOUT_LINE),
            ),
            gr.update(value=-1, label=_("Seed of the part") if is_part else _("Seed of the line")),
            gr.update(value=_("Generate part again") if is_part else _("Generate line again")),
        ]

    def _line_html(self, conversation: Conversation, line: Line) -> Markup:
        engine = conversation.member(line.speakers[0]).engine
        label = model_label(self._services.tts, engine)
        seed = _(" · seed {seed}", seed=line.seed) if line.take else ""
        about = f"{_voices(conversation, line)} · {label}{seed}"
        return render("conversation_line", unit=_unit(conversation), line=line, about=about)

    def _line_player_html(self, conversation: Conversation, line: Line) -> Markup:
        """Nothing for a line that is not generated, or whose take is gone."""
        try:
            take = self._services.conversations.takes(conversation).get(line.take)
        except NotFoundError:
            return Markup()
        label = f"{_unit(conversation)} {int(line.id)}"
        return player_html(LINE, line_key(conversation.id, line.id), label, version=take.id)

    def _submit_line(self, shown: str, line_id: str, text: str, seed: float | None) -> str:
        number = None if seed is None else int(seed)
        return submit_line(self._services, shown, line_id, text, number).id

    def _submit_rest(self, shown: str) -> str:
        return submit_rest(self._services, shown).id


def _unit(conversation: Conversation) -> str:
    """What is generated at once."""
    return _("Part") if conversation.in_one_go else _("Line")


def _player_html(conversation: Conversation) -> Markup:
    """The whole recording; joined anew, it is drawn anew."""
    version = str(conversation.file("wav").stat().st_mtime_ns)
    return player_html(CONVERSATION, conversation.id, conversation.title, version=version)


def _facts_html(conversation: Conversation) -> Markup:
    whole = conversation.whole
    lines, made = len(conversation.lines), conversation.made
    generated = (
        _("{made} of {count} generated", made=made, count=lines) if made < lines else str(lines)
    )
    return facts_html(
        {
            _("Conversation"): conversation.title,
            _("Parts") if conversation.in_one_go else _("Lines"): generated,
            _("Length"): duration_text(whole.duration_s) if whole else "",
            _("Seed"): str(conversation.seed),
            _("Created"): local_time(conversation.created),
        }
    )


def _lines_html(conversation: Conversation, chosen: str) -> Markup:
    rows = [(line.id, line) for line in conversation.lines]
    voices = {line.id: _voices(conversation, line) for line in conversation.lines}
    return render(
        "conversation_lines", conversation=conversation, rows=rows, voices=voices, chosen=chosen
    )


def _voices(conversation: Conversation, line: Line) -> str:
    return ", ".join(conversation.member(name).voice for name in line.speakers)
