"""The clips of a dataset: the list, worst first, and playing and editing one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.dataset.report import (
    DROPPED,
    EDITED,
    EVALUATION,
    EVERY,
    FOUND,
    DatasetReport,
    Finding,
    kinds_found,
    listed_clips,
)
from modules.core_components.dataset.values import Clip, Dataset
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.texts import _, mark
from modules.tools.dataset import editor
from modules.tools.recordings import CLIP, clip_key
from modules.tools.services import Services
from modules.ui.events import listen, listen_after, notify, script
from modules.ui.render import clock_text, duration_text, empty_html, player_html, render
from modules.ui.tabs.dataset.report_html import BADGES, findings_html, kind_labels
from modules.ui.widgets import parts

PAGE = 8
ORDER = mark(
    "First what cannot be learned from, then serious problems (red), doubtful ones (yellow) and "
    "remarks; within these the worst figure first. Excluded clips come last."
)
NO_CLIPS = mark("No clips yet. Add recordings above.")
NO_MATCH = mark("No clip matches.")
_ALWAYS = ((EVERY, mark("All clips")), (FOUND, mark("With problems")))
_MORE = (
    (EVALUATION, mark("For evaluation")),
    (EDITED, mark("Edited")),
    (DROPPED, mark("Excluded")),
)


class ClipList:
    """The list with its filter, its search and its pages."""

    def __init__(self) -> None:
        parts.note(_(ORDER))
        with gr.Row():
            self.filter = gr.Dropdown(
                [(_(label), key) for key, label in _ALWAYS],
                value=EVERY,
                label=_("Show"),
                filterable=False,
                min_width=150,
            )
            self.search = gr.Textbox(
                value="",
                label=_("Search"),
                placeholder=_("Words in the text"),
                max_lines=1,
                min_width=150,
            )
        self.rows = parts.choice_list()
        self.pager = parts.Pager(PAGE)
        self.outputs = [self.filter, self.rows, *self.pager.outputs]

    def show(
        self,
        page: int,
        dataset: Dataset | None,
        report: DatasetReport | None,
        wanted: str,
        search: str,
        chosen: str,
    ) -> list[Any]:
        """A page of the matching clips; the last one if there are fewer pages."""
        choices = _choices(report)
        wanted = wanted if wanted in [key for _unused, key in choices] else EVERY
        clips = listed_clips(dataset, report, wanted, search) if dataset else ()
        listed = clips[slice(*self.pager.span(page, len(clips)))]
        empty = NO_MATCH if dataset and dataset.clips else NO_CLIPS
        return [
            gr.update(choices=choices, value=wanted),
            render(
                "clips",
                rows=[(clip.id, clip) for clip in listed],
                findings={clip.id: _reasons(report, clip, wanted) for clip in listed},
                kinds=kind_labels(),
                badges=BADGES,
                chosen=chosen,
                empty=_(empty),
            ),
            *self.pager.show(page, len(clips)),
        ]


def _reasons(report: DatasetReport | None, clip: Clip, wanted: str) -> list[Finding]:
    """The findings of a clip, first the one that it has its place in the list for."""
    found = report.findings_of(clip.id) if report else ()
    return sorted(found, key=lambda finding: finding.kind != wanted)


def _choices(report: DatasetReport | None) -> list[tuple[str, str]]:
    kinds = kinds_found(report) if report else {}
    labels = kind_labels()
    found = [(f"{labels.get(kind, kind)} ({count})", kind) for kind, count in kinds.items()]
    always = [(_(label), key) for key, label in _ALWAYS]
    return [*always, *found, *((_(label), key) for key, label in _MORE)]


NOTHING = mark("Select a clip to play or edit it.")
TRANSCRIBE, TRANSCRIBING = mark("Transcribe again"), mark("Transcribing…")


class ClipPlayer:
    """A clip with its waveform and words; `start` and `end` (seconds) of what is selected."""

    def __init__(self) -> None:
        self._stage = parts.panel(script=script("selection"))
        with gr.Row():
            self.start = gr.Number(
                value=0.0, label=_("From (s)"), minimum=0, step=0.01, min_width=90
            )
            self.end = gr.Number(value=0.0, label=_("To (s)"), minimum=0, step=0.01, min_width=90)
            self.trim = gr.Button(_("Trim"), size="sm", min_width=110)
        marked = [self.start, self.end]
        self.outputs = [self._stage, self.start, self.end]
        listen(self._stage.select, _read_selection, [], marked, queue=False)
        for number in marked:
            listen(number.input, None, marked, [], js=script("mark_clip"), queue=False)

    def show(self, dataset: str, clip: Clip, wav: Path) -> list[Any]:
        """Values for `outputs`, all of the clip selected. OSError where it is gone."""
        # Another version is drawn anew, also where it is as long as the one before.
        version = str(wav.stat().st_mtime_ns)
        key = clip_key(dataset, clip.id)
        player = player_html(CLIP, key, _("Clip"), edits=True, version=version)
        return [player, 0.0, round(clip.duration_s, 2)]


def _read_selection(marked: gr.EventData) -> tuple[float, float]:
    return round(marked.start, 2), round(marked.end, 2)


class ClipEditor:
    """Shows one clip of the dataset named in the state `dataset`; its id is in `clip_id`.

    `report` is the state with the latest DatasetReport. `changed` counts up with each change.
    """

    def __init__(self, services: Services, dataset: Any, report: Any) -> None:
        self._services = services
        self._dataset = dataset
        self._report = report
        self.clip_id = gr.State("")
        self.changed = gr.State(0)
        parts.title(_("Clip"))
        self._empty = parts.panel(empty_html(_(NOTHING)))
        with gr.Column(visible=False) as self._group:
            self._findings = parts.panel()
            self._player = ClipPlayer()
            self._text = gr.Textbox(value="", label=_("Text"), lines=3, max_lines=6)
            with gr.Row():
                self._save = gr.Button(_("Save text"), variant="primary", size="sm")
                self._use_transcript = gr.Button(_("Use new transcript"), size="sm", visible=False)
            with gr.Row():
                self._drop = gr.Button(_("Exclude"), size="sm", min_width=100)
                self._restore = gr.Button(_("Include"), size="sm", visible=False)
                self._undo = gr.Button(_("Undo"), size="sm", min_width=100)
            with gr.Row():
                self.model = parts.menu(_("Transcription model"))
                self._again = gr.Button(_(TRANSCRIBE), size="sm", min_width=110)
            self._facts = parts.panel()
        self.outputs = [
            *[self.clip_id, self._empty, self._group, *self._player.outputs],
            *[self._text, self._findings, self._use_transcript],
            *[self._drop, self._restore, self._undo, self._facts],
        ]
        self._listen()

    def show(
        self, dataset: str, clip_id: str, report: DatasetReport | None, keep_edits: bool = False
    ) -> list[Any]:
        """The clip as it is now; nothing for "" or a clip that is gone.

        With `keep_edits` the clip is open already: what is typed and marked stays as it is.
        """
        hidden = ["", gr.update(visible=True), gr.update(visible=False), "", 0.0, 0.0]
        try:
            clip = editor.get_clip(self._services, dataset, clip_id) if clip_id else None
        except StudioError:
            clip = None
        if clip is None:
            return [*hidden, *[gr.skip()] * (len(self.outputs) - len(hidden))]
        heard = report.heard.get(clip.id, "") if report else ""
        differs = bool(heard) and heard != clip.text
        actions = self._services.datasets.actions(dataset)
        last = _("Undo")
        if actions:
            last = _("Undo: {change}", change=editor.change_in_words(actions[0]))
        return [
            clip.id,
            gr.update(visible=False),
            gr.update(visible=True),
            *([gr.skip()] * 4 if keep_edits else [*self._played(dataset, clip), clip.text]),
            findings_html(report.findings_of(clip.id) if report else ()),
            gr.update(visible=differs),
            gr.update(visible=not clip.dropped),
            gr.update(visible=bool(clip.dropped)),
            gr.update(value=last, interactive=bool(actions)),
            self._facts_html(dataset, clip),
        ]

    def _played(self, dataset: str, clip: Clip) -> list[Any]:
        wav = self._services.datasets.get(dataset).wav_of(clip)
        try:
            return self._player.show(dataset, clip, wav)
        except OSError:  # its findings tell that the recording is missing
            return ["", 0.0, 0.0]

    def _facts_html(self, name: str, clip: Clip) -> Markup:
        dataset = self._services.datasets.get(name)
        source = next((item.name for item in dataset.sources if item.key == clip.source), "")
        facts = {
            _("Recording"): source,
            _("Position"): _(
                "{clock}, {duration} long",
                clock=clock_text(clip.start_s),
                duration=duration_text(clip.duration_s),
            ),
            _("First transcript"): clip.heard if clip.heard != clip.text else "",
        }
        return render("clip_facts", clip=clip, values=facts)

    def _listen(self) -> None:
        dataset, clip_id, changed = self._dataset, self.clip_id, self.changed
        chosen = [dataset, clip_id]

        def edit(button: Any, work: Callable[..., str], *inputs: Any) -> Any:
            """Calls `work(dataset, clip, *values)`, shows its message, and counts `changed` up."""

            def change(count: int, name: str, clip: str, *values: Any) -> int:
                notify(work(name, clip, *values))
                return count + 1

            return listen(button.click, change, [changed, *chosen, *inputs], [changed])

        edit(self._save, self._save_text, self._text)
        listen(self._use_transcript.click, _new_transcript, [self._report, clip_id], [self._text])
        edit(self._player.trim, self._trim, self._player.start, self._player.end)
        edit(self._drop, self._exclude)
        edit(self._restore, self._include)
        edit(self._undo, self._undo_change)
        listen(self._again.click, lambda: _button_state(True), [], [self._again], queue=False)
        done = edit(self._again, self._transcribe, self.model)
        listen_after(done, lambda: _button_state(False), [], [self._again], queue=False)

    def _save_text(self, dataset: str, clip: str, text: str) -> str:
        editor.fix_text(self._services, dataset, clip, text)
        return _("The text is saved.")

    def _trim(self, dataset: str, clip: str, start: float | None, end: float | None) -> str:
        if start is None or end is None:
            raise BadInputError(
                _("The trim has no times."),
                _("Select what to keep, or type both times."),
                "start",
            )
        cut = editor.trim(self._services, dataset, clip, start, end)
        return _("Trimmed to {duration_s:.2f} s: {text}", duration_s=cut.duration_s, text=cut.text)

    def _exclude(self, dataset: str, clip: str) -> str:
        editor.drop_clips(self._services, dataset, [clip])
        return _("The clip is excluded; its recording stays on the disk.")

    def _include(self, dataset: str, clip: str) -> str:
        editor.restore_clips(self._services, dataset, [clip])
        return _("The clip is in the dataset again.")

    def _undo_change(self, dataset: str, _clip: str) -> str:
        return _("Undone: {change}", change=editor.undo(self._services, dataset))

    def _transcribe(self, dataset: str, clip: str, model: str | None) -> str:
        model = parts.require_model(model)
        clip_now = editor.transcribe_again(self._services, dataset, clip, model)
        return _("Transcribed: {text}", text=clip_now.text)


def _new_transcript(report: DatasetReport | None, clip_id: str) -> Any:
    return report.heard.get(clip_id, gr.skip()) if report else gr.skip()


def _button_state(is_busy: bool) -> Any:
    return gr.update(value=_(TRANSCRIBING if is_busy else TRANSCRIBE), interactive=not is_busy)
