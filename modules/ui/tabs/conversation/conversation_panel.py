"""A conversation on show: the whole to hear and to take away, and its lines one by one."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from modules.core_components.errors import NotFoundError
from modules.core_components.library.conversations import Conversation, Line, Pauses
from modules.core_components.text.script import with_style
from modules.tools.conversation.conversation import (
    submit_joining,
    submit_line,
    submit_rest,
    work_on,
)
from modules.tools.conversation.joining import EXPORT_FORMATS, export_conversation
from modules.tools.services import Services
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import (
    ConfirmedButton,
    DownloadButtons,
    audio_player,
    choice_list,
    panel,
    title,
)
from modules.ui.widgets.snippets import (
    badge,
    clock_text,
    duration_text,
    empty_html,
    excerpt,
    facts_html,
    local_time,
    table_html,
)

NOTHING = "The conversation appears here, line by line."
ABOUT_LINE = "It may begin with a style in parentheses, for engines that have styles."
ABOUT_PART = (
    "It was spoken in one go and is made again as one: no line of it can be made again by itself."
)
HEADERS = ("", "Who", "Says", "At")


class ConversationPanel:
    """Shows one conversation, `shown_id`, and one of its lines, `line_id`. Work goes to `jobs`."""

    def __init__(self, services: Services, jobs: JobsView) -> None:
        self._services = services
        self.shown_id = gr.State("")
        self.line_id = gr.State("")
        self._empty = panel(empty_html(NOTHING))
        with gr.Column(visible=False) as self._group:
            self._facts = panel()
            self._player = audio_player("The conversation", visible=False)
            with gr.Row(visible=False) as self._downloads:
                downloads = DownloadButtons(EXPORT_FORMATS, "conversation-link")
            self._rest = gr.Button("Speak what is missing", size="sm", visible=False)
            title("What is said")
            with gr.Column(elem_classes="studio-short"):
                self._lines = choice_list()
            with gr.Column(visible=False) as self._editor:
                self._build_editor()
            self._join = gr.Button("Join again with the pauses set now", size="sm")
            self.delete = ConfirmedButton(
                "Delete this conversation", "It moves to output/conversations/.trash.", "Delete it"
            )
        downloads.on_download(
            lambda fmt, shown: export_conversation(services, shown, fmt), self.shown_id
        )
        self._listen(jobs)

    @property
    def outputs(self) -> list[Any]:
        """What `show` gives values for."""
        return [
            self.shown_id,
            self._empty,
            self._group,
            self._facts,
            self._player,
            self._downloads,
            self._rest,
            self._join,
            self._lines,
            *self._line_outputs,
        ]

    @property
    def growing(self) -> list[Any]:
        """What `grown` gives values for."""
        return [self._facts, self._lines]

    def on_join(self, jobs: JobsView, pauses: Any) -> None:
        """`pauses` are the components that hold the seconds."""

        def join(shown: str, lines_s: float, speakers_s: float) -> str:
            return submit_joining(self._services, shown, Pauses(lines_s, speakers_s)).id

        listen(self._join.click, join, [self.shown_id, *pauses], [jobs.job_id])

    def show(self, conversation: Conversation | None, line_id: str = "") -> list[Any]:
        """The conversation, with one of its lines opened; nothing without one."""
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
            gr.update(
                value=str(whole) if is_whole else None, visible=is_whole, label=conversation.title
            ),
            gr.update(visible=is_whole),
            gr.update(visible=self._is_waiting(conversation)),
            gr.update(visible=conversation.made == len(conversation.lines)),
            _lines_html(conversation, line_id),
            *self._show_line(conversation, line_id),
        ]

    def grown(self, conversation: Conversation, line_id: str) -> list[Any]:
        """What changes while lines are being spoken."""
        return [_facts_html(conversation), _lines_html(conversation, line_id)]

    def _is_waiting(self, conversation: Conversation) -> bool:
        """Whether lines are missing and nothing is under way that would speak them."""
        missing = conversation.made < len(conversation.lines)
        return missing and work_on(self._services, conversation.id) is None

    def _build_editor(self) -> None:
        self._about = panel()
        self._line_player = audio_player("This line", visible=False)
        self._text = gr.Textbox(
            value="",
            label="Text of this line",
            info=ABOUT_LINE,
            lines=2,
            max_lines=8,
        )
        with gr.Row(equal_height=True):
            self._seed = gr.Number(
                label="Seed of this line",
                value=-1,
                precision=0,
                info="-1: a new one.",
                min_width=120,
            )
            self._again = gr.Button("Make this line again", variant="primary", min_width=160)

    @property
    def _line_outputs(self) -> list[Any]:
        return [
            self.line_id,
            self._editor,
            self._about,
            self._line_player,
            self._text,
            self._seed,
            self._again,
        ]

    def _listen(self, jobs: JobsView) -> None:
        listen(self._lines.select, self._choose, [self.shown_id], self._line_outputs)
        asked = [self.shown_id, self.line_id, self._text, self._seed]
        listen(self._again.click, self._submit_line, asked, [jobs.job_id])
        listen(self._rest.click, self._submit_rest, [self.shown_id], [jobs.job_id])

    def _choose(self, shown: str, row: gr.EventData) -> list[Any]:
        return self._show_line(self._services.conversations.get(shown), row.id)

    def _show_line(self, conversation: Conversation | None, line_id: str = "") -> list[Any]:
        if conversation is None or not line_id:
            return ["", gr.update(visible=False), *[gr.skip()] * 5]
        line = conversation.line(line_id)
        sound = self._sound_of(conversation, line)
        unit = _unit(conversation).lower()
        return [
            line.id,
            gr.update(visible=True),
            _line_html(conversation, line),
            _heard(sound, f"{_unit(conversation)} {int(line.id)}"),
            gr.update(
                value=with_style(line.text, line.style),
                label=f"Text of this {unit}",
                info=ABOUT_PART if conversation.in_one_go else ABOUT_LINE,
            ),
            gr.update(value=-1, label=f"Seed of this {unit}"),
            gr.update(value=f"Make this {unit} again"),
        ]

    def _sound_of(self, conversation: Conversation, line: Line) -> str:
        if not line.take:
            return ""
        try:
            return str(self._services.conversations.takes(conversation).get(line.take).path)
        except NotFoundError:
            return ""

    def _submit_line(self, shown: str, line_id: str, text: str, seed: float | None) -> str:
        number = None if seed is None else int(seed)
        return submit_line(self._services, shown, line_id, text, number).id

    def _submit_rest(self, shown: str) -> str:
        return submit_rest(self._services, shown).id


def _unit(conversation: Conversation) -> str:
    """What is made at once, and again."""
    return "Part" if conversation.in_one_go else "Line"


def _heard(file: str, label: str) -> Any:
    return gr.update(value=file or None, visible=bool(file), label=label)


def _facts_html(conversation: Conversation) -> str:
    whole = conversation.whole
    lines = len(conversation.lines)
    spoken = f"{conversation.made} of {lines} spoken" if conversation.made < lines else str(lines)
    return facts_html(
        {
            "Conversation": conversation.title,
            f"{_unit(conversation)}s": spoken,
            "Length": duration_text(whole.duration_s) if whole else "",
            "Seed": str(conversation.seed),
            "Made": local_time(conversation.created),
        }
    )


def _lines_html(conversation: Conversation, chosen: str) -> str:
    rows = [(line.id, _cells(conversation, line)) for line in conversation.lines]
    return table_html(HEADERS, rows, chosen)


def _cells(conversation: Conversation, line: Line) -> list[str]:
    spans = conversation.whole.spans_s if conversation.whole else {}
    at = clock_text(spans[line.id][0]) if line.id in spans else ""
    state = badge("spoken", "good") if line.take else badge("missing")
    style = f"<small>{excerpt(line.style, 60)}</small>" if line.style else ""
    voices = ", ".join(conversation.member(name).voice for name in line.speakers)
    return [
        f"<span class='figure'>{int(line.id)}</span>",
        f"{excerpt(', '.join(line.speakers), 24)}<small>{excerpt(voices, 24)}</small>",
        f"{excerpt(line.text, 140)}{style}",
        f"<span class='figure'>{at}</span>" if at else state,
    ]


def _line_html(conversation: Conversation, line: Line) -> str:
    cast = [conversation.member(name) for name in line.speakers]
    voices = ", ".join(member.voice for member in cast)
    about = f"{voices} · {cast[0].engine}" + (f" · seed {line.seed}" if line.take else "")
    head = f"{_unit(conversation)} {int(line.id)}: {', '.join(line.speakers)}"
    return (
        f"<div class='studio-title'>{html.escape(head)}</div>"
        f"<div class='studio-note'>{html.escape(about)}</div>"
    )
