"""After a training: what ears say of each checkpoint, two of them side by side, publishing."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.jobs import Job
from modules.core_components.library.evaluation import (
    SENTENCE,
    JudgedCheckpoint,
    JudgedTake,
    Judgement,
)
from modules.tools.services import Services
from modules.tools.training.evaluation import read_judgement
from modules.tools.training.publish import (
    JUDGE,
    PUBLISH,
    sizes_in_words,
    submit_judging,
    submit_publishing,
)
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import audio_player, choice_list, menu, menu_update, panel, title
from modules.ui.widgets.snippets import badge, empty_html, excerpt, table_html

HEADERS = ("Checkpoint", "Words misunderstood", "Likeness", "Length", "Evaluation loss")
NOT_JUDGED = (
    "Not judged yet. Each checkpoint and the base speak the same sentences; Whisper and the "
    "speaker encoder say how well. The loss alone does not tell which one sounds best."
)
NOTHING = "Nothing yet"


class TrainingJudge:
    """Works on the run whose name is in `run`; `outputs` and `show` belong together."""

    def __init__(self, services: Services, run: gr.State) -> None:
        self._services = services
        self._run = run
        self._chosen = gr.State("")
        self._judge = gr.Button("Judge the checkpoints", variant="primary", size="sm")
        self.jobs = JobsView(services, (JUDGE, PUBLISH))
        self._verdict = panel(empty_html(NOT_JUDGED))
        self._table = choice_list()
        with gr.Column(visible=False) as self._results:
            title("Listen to two of them")
            self._text = menu("Sentence", NOTHING)
            with gr.Row():
                self._first, self._first_player = self._side("A")
                self._second, self._second_player = self._side("B")
            self._real = audio_player("The speaker himself", visible=False)
            title("Publish")
            with gr.Row():
                self._checkpoint = menu("Checkpoint to publish", NOTHING)
                self._name = gr.Textbox(
                    value="", label="Name of the voice", placeholder="Anna", min_width=160
                )
            self._publish = gr.Button("Publish", variant="primary")
        self._published = panel(visible=False)

    def _side(self, name: str) -> tuple[Any, Any]:
        with gr.Column(min_width=240):
            return menu(name, NOTHING), audio_player(f"Take {name}")

    @property
    def outputs(self) -> list[Any]:
        menus = [self._text, self._first, self._second, self._checkpoint]
        return [self._verdict, self._table, self._results, *menus, *self._players, self._published]

    @property
    def _players(self) -> list[Any]:
        return [self._first_player, self._second_player, self._real]

    def listen(self) -> None:
        run = [self._run]
        listen(self._judge.click, self._start, run, [self.jobs.job_id])
        compared = [self._run, self._text, self._first, self._second]
        for component in compared[1:]:
            listen(component.input, self._play, compared, self._players, line="training-ab")
        listen(self._table.select, self._choose, run, [self._second, self._checkpoint])
        publishing = [self._run, self._checkpoint, self._name]
        listen(self._publish.click, self._submit, publishing, [self.jobs.job_id])
        self.jobs.on_finished(self._after, run, self.outputs)

    def show(self, name: str) -> list[Any]:
        """The judgement of a run as it was kept; nothing for a run that was not judged."""
        judgement = self._judgement(name)
        hidden = gr.update(visible=False)
        if judgement is None:
            nothing = menu_update([], "", NOTHING)
            silent = [gr.update(value=None)] * 2
            return [empty_html(NOT_JUDGED), "", hidden, *[nothing] * 4, *silent, hidden, hidden]
        texts = [(_text_label(take), take.key) for take in judgement.rows[0].takes]
        rows = [(_row_label(row), row.checkpoint) for row in judgement.rows]
        kept = self._kept(name)
        chosen = judgement.proposed or (kept[-1] if kept else "")
        first, second = judgement.rows[0].checkpoint, chosen or judgement.rows[-1].checkpoint
        text = judgement.rows[0].takes[0].key
        return [
            _verdict_html(judgement),
            _table_html(judgement, chosen),
            gr.update(visible=True),
            menu_update(texts, text, NOTHING),
            menu_update(rows, first, NOTHING),
            menu_update(rows, second, NOTHING),
            menu_update([(f"Step {step}", step) for step in kept], chosen, NOTHING),
            *self._play(name, text, first, second),
            hidden,
        ]

    def _judgement(self, name: str) -> Judgement | None:
        try:
            return read_judgement(self._services.training_runs.get(name))
        except NotFoundError:
            return None

    def _kept(self, name: str) -> list[str]:
        steps = sorted(kept.step for kept in self._services.training_runs.checkpoints(name))
        return [str(step) for step in steps]

    def _play(self, name: str, text: str, first: str, second: str) -> list[Any]:
        """The two takes of one text, and the speaker's own where there is one."""
        judgement = self._judgement(name)
        if judgement is None:
            return [gr.skip()] * 3
        folder = self._services.training_runs.get(name).folder
        real = self._real_clip(name, judgement, text)
        return [
            _heard(folder, judgement.row(first), text, "A"),
            _heard(folder, judgement.row(second), text, "B"),
            gr.update(value=str(real) if real else None, visible=real is not None),
        ]

    def _real_clip(self, name: str, judgement: Judgement, text: str) -> Path | None:
        if text not in judgement.real_clips:
            return None
        run = self._services.training_runs.get(name)
        try:
            clip = self._services.datasets.get(run.dataset).folder / judgement.real_clips[text]
        except StudioError:  # the dataset was deleted since
            return None
        return clip if clip.is_file() else None

    def _choose(self, name: str, row: gr.EventData) -> list[Any]:
        kept = row.id in self._kept(name)
        return [gr.update(value=row.id), gr.update(value=row.id) if kept else gr.skip()]

    def _start(self, name: str) -> str:
        if not name:
            raise BadInputError("There is no training yet.", "Train something first.")
        return submit_judging(self._services, name).id

    def _submit(self, run: str, checkpoint: str, name: str) -> str:
        if not name.strip():
            raise BadInputError("The voice has no name yet.", "Write one beside the button.")
        return submit_publishing(self._services, run, checkpoint, name).id

    def _after(self, job: Job, run: str) -> list[Any]:
        *shown, published = self.show(run)
        if job.kind == PUBLISH and job.result:
            model = self._services.tuned_models.get(job.result["model"])
            told = (
                f"<strong>{html.escape(model.label)} is published.</strong> It stands in Voice "
                f"Clone among the engines. {sizes_in_words(model)}"
            )
            published = gr.update(value=f"<div class='studio-job good'>{told}</div>", visible=True)
        return [*shown, published]


def _heard(folder: Path, row: JudgedCheckpoint | None, key: str, side: str) -> Any:
    take = next((take for take in row.takes if take.key == key), None) if row else None
    if row is None or take is None:
        return gr.update(value=None, label=f"Take {side}")
    heard = f" · heard: {take.heard or 'nothing'}" if take.word_error_rate else ""
    path = folder / take.audio
    label = f"{side}: {_row_label(row)}{heard}"[:120]
    return gr.update(value=str(path) if path.is_file() else None, label=label)


def _verdict_html(judgement: Judgement) -> str:
    best = f"Step {html.escape(judgement.proposed)} is proposed. " if judgement.proposed else ""
    real = judgement.real_word_error_rate
    listener = (
        f" Of the speaker's real clips the listener ({html.escape(judgement.listener)}) "
        f"misunderstands {real:.0%}."
        if real is not None
        else ""
    )
    kind = "good" if judgement.proposed else "warn"
    return (
        f"<div class='studio-job {kind}'><strong>{best}</strong>"
        f"<div>{html.escape(judgement.reason)}{listener}</div></div>"
    )


def _table_html(judgement: Judgement, chosen: str) -> str:
    rows = [(row.checkpoint, _cells(row, judgement.proposed)) for row in judgement.rows]
    return table_html(HEADERS, rows, chosen)


def _cells(row: JudgedCheckpoint, proposed: str) -> list[str]:
    mark = badge("proposed", "good") if row.checkpoint == proposed else ""
    own = f"<small>himself {row.similarity_self:.2f}</small>" if row.similarity_self else ""
    return [
        f"<strong>{html.escape(_row_label(row))}</strong> {mark}",
        _figure(row.word_error_rate, "{:.0%}"),
        f"{_figure(row.similarity, '{:.2f}')}{own}",
        _figure(row.duration_ratio, "× {:.2f}"),
        _figure(row.eval_loss, "{:.4f}"),
    ]


def _figure(value: float | None, form: str) -> str:
    return f"<span class='figure'>{'–' if value is None else form.format(value)}</span>"


def _row_label(row: JudgedCheckpoint) -> str:
    return "Base model" if row.is_base else f"Step {row.checkpoint}"


def _text_label(take: JudgedTake) -> str:
    kind = "" if take.kind == SENTENCE else "held out: "
    return html.unescape(kind + excerpt(take.text, 70))
