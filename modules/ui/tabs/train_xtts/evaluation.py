"""After a training: scores of each checkpoint, two of them side by side, publishing one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import BadInputError, NotFoundError, StudioError
from modules.core_components.jobs import Job
from modules.core_components.library.evaluation import (
    SENTENCE,
    JudgedCheckpoint,
    JudgedTake,
    Judgement,
)
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.texts import _, mark
from modules.tools.services import Services
from modules.tools.training.evaluation import read_judgement
from modules.tools.training.publish import (
    JUDGE,
    PUBLISH,
    result_in_words,
    submit_judging,
    submit_publishing,
)
from modules.ui.events import listen
from modules.ui.render import empty_html, excerpt, render
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import (
    LOADING,
    audio_player,
    choice_list,
    menu,
    menu_update,
    panel,
    title,
)

NOT_JUDGED = mark(
    "Not judged yet. Each checkpoint and the base model speak the same sentences, which Whisper "
    "and the speaker encoder score. The loss alone does not tell which one sounds best."
)
NOTHING = mark("Nothing yet")
HALF_PRECISION = mark("Half precision")
ABOUT_HALF = mark(
    "About 0.95 GB instead of 1.9. The voice is judged before and after; its card has both scores."
)


class TrainingJudge:
    """Works on the run whose name is in `run`; `outputs` and `show` belong together."""

    def __init__(self, services: Services, run: gr.State) -> None:
        self._services = services
        self._run = run
        self._chosen = gr.State("")
        self._judge = gr.Button(_("Judge checkpoints"), size="sm")
        self.jobs = JobsView(services, (JUDGE, PUBLISH), shared=(JUDGE, PUBLISH))
        self._verdict = panel(empty_html(_(LOADING)))
        self._table = choice_list()
        with gr.Column(visible=False) as self._results:
            title(_("Compare two checkpoints"))
            self._text = menu(_("Sentence"))
            with gr.Row():
                self._first, self._first_player = self._side("A")
                self._second, self._second_player = self._side("B")
            self._real = audio_player(_("Recording of the speaker"), visible=False)
            title(_("Publish"))
            with gr.Row():
                self._checkpoint = menu(_("Checkpoint to publish"))
                self._name = gr.Textbox(
                    value="", label=_("Name of the voice"), placeholder=_("Anna"), min_width=160
                )
            self._half = gr.Checkbox(label=_(HALF_PRECISION), value=False, info=_(ABOUT_HALF))
            self._publish = gr.Button(_("Publish"), variant="primary")
        self._published = panel(visible=False)
        self._players = [self._first_player, self._second_player, self._real]
        menus = [self._text, self._first, self._second, self._checkpoint]
        self.outputs = [
            self._verdict,
            self._table,
            self._results,
            *menus,
            *self._players,
            self._published,
        ]

    def _side(self, name: str) -> tuple[Any, Any]:
        with gr.Column(min_width=240):
            return menu(name), audio_player(_("Take {side}", side=name))

    def listen(self, sequence: str) -> None:
        run = [self._run]
        listen(self._judge.click, self._start, run, [self.jobs.job_id])
        compared = [self._run, self._text, self._first, self._second]
        for component in compared[1:]:
            listen(component.input, self._play, compared, self._players, sequence=sequence)
        chosen = [self._second, self._checkpoint]
        listen(self._table.select, self._choose, run, chosen, sequence=sequence)
        publishing = [self._run, self._checkpoint, self._name, self._half]
        listen(self._publish.click, self._submit, publishing, [self.jobs.job_id])
        self.jobs.on_finished(self._after, run, self.outputs, sequence)

    def show(self, name: str) -> list[Any]:
        """The judgement of a run; nothing for a run without one."""
        judgement = self._judgement(name)
        hidden = gr.update(visible=False)
        if judgement is None:
            nothing = menu_update([], "", _(NOTHING))
            silent = [gr.update(value=None)] * 2
            return [empty_html(_(NOT_JUDGED)), "", hidden, *[nothing] * 4, *silent, hidden, hidden]
        texts = [(_text_label(take), take.key) for take in judgement.rows[0].takes]
        rows = [(_row_label(row), row.checkpoint) for row in judgement.rows]
        steps = [(_("Step {step}", step=step), step) for step in self._kept(name)]
        kept = self._kept(name)
        chosen = judgement.proposed or (kept[-1] if kept else "")
        first, second = judgement.rows[0].checkpoint, chosen or judgement.rows[-1].checkpoint
        text = judgement.rows[0].takes[0].key
        return [
            _verdict_html(judgement),
            _table_html(judgement, chosen),
            gr.update(visible=True),
            menu_update(texts, text, _(NOTHING)),
            menu_update(rows, first, _(NOTHING)),
            menu_update(rows, second, _(NOTHING)),
            menu_update(steps, chosen, _(NOTHING)),
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
        """The two takes of one text, and the recording of the speaker where there is one."""
        judgement = self._judgement(name)
        if judgement is None:
            return [gr.skip()] * 3
        folder = self._services.training_runs.get(name).folder
        real = self._real_clip(name, judgement, text)
        return [
            _player_update(folder, judgement.row(first), text, "A"),
            _player_update(folder, judgement.row(second), text, "B"),
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
            raise BadInputError(
                _("There is no training yet."), _("The first three steps lead to one.")
            )
        return submit_judging(self._services, name).id

    def _submit(self, run: str, checkpoint: str, name: str, half: bool) -> str:
        if not name.strip():
            raise BadInputError(
                _("The voice has no name yet."), _("Type one next to the checkpoint."), "name"
            )
        return submit_publishing(self._services, run, checkpoint, name, half).id

    def _after(self, job: Job, run: str) -> list[Any]:
        *shown, published = self.show(run)
        if job.kind == PUBLISH and job.result:
            model = self._services.tuned_models.get(job.result["model"])
            about = render("published", label=model.label, about=result_in_words(model))
            published = gr.update(value=about, visible=True)
        return [*shown, published]


def _player_update(folder: Path, row: JudgedCheckpoint | None, key: str, side: str) -> Any:
    take = next((take for take in row.takes if take.key == key), None) if row else None
    if row is None or take is None:
        return gr.update(value=None, label=_("Take {side}", side=side))
    path = folder / take.audio
    label = f"{side}: {_row_label(row)}"
    if take.word_error_rate and take.heard:
        label = _("{label} · transcript: {heard}", label=label, heard=take.heard)[:120]
    elif take.word_error_rate:
        label = _("{label} · transcript: none", label=label)
    return gr.update(value=str(path) if path.is_file() else None, label=label)


def _verdict_html(judgement: Judgement) -> Markup:
    return render(
        "verdict",
        proposed=judgement.proposed,
        reason=judgement.reason,
        listener=judgement.listener,
        encoder=speaker_scale(judgement.speaker_encoder).label,
        real=judgement.real_word_error_rate,
    )


def _table_html(judgement: Judgement, chosen: str) -> Markup:
    return render(
        "checkpoints",
        rows=[(row.checkpoint, row) for row in judgement.rows],
        labels={row.checkpoint: _row_label(row) for row in judgement.rows},
        proposed=judgement.proposed,
        chosen=chosen,
    )


def _row_label(row: JudgedCheckpoint) -> str:
    return _("Base model") if row.is_base else _("Step {step}", step=row.checkpoint)


def _text_label(take: JudgedTake) -> str:
    text = excerpt(take.text, 70)
    return text if take.kind == SENTENCE else _("from the dataset: {text}", text=text)
