"""One take: player, scores, downloads, all its parameters, and generating it again."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.jobs import Job
from modules.core_components.values import Take
from modules.tools.services import Services
from modules.tools.speaking.history import AGAIN, export_take, submit_again
from modules.tools.speaking.request import FORMATS
from modules.tools.speaking.scores import STRANGER_SIMILARITY, explain_similarity, explain_words
from modules.ui.handlers import listen
from modules.ui.render import duration_text, excerpt, facts_html, local_time, render
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import DownloadButtons, audio_player, panel

MOST_HEARD = 300


class TakePanel:
    """Shows one take; `outputs` and `show` belong together.

    Generating it again is a job like all others: its id goes to `jobs`.
    """

    def __init__(self, services: Services, jobs: JobsView, element_id: str) -> None:
        self._services = services
        self.take_id = gr.State("")
        with gr.Column(visible=False) as self._group:
            self._note = panel(visible=False)
            self._player = audio_player("Take")
            self._scores = panel()
            with gr.Row():
                downloads = DownloadButtons(FORMATS, f"{element_id}-link")
                again = gr.Button("Generate again", size="sm", min_width=110)
            with gr.Accordion("Details", open=False):
                self._facts = panel()
                self._metadata = gr.JSON(show_label=False, max_height=420)
        downloads.on_download(lambda fmt, take: export_take(services, take, fmt), self.take_id)
        listen(again.click, self._again, [self.take_id], [jobs.job_id])

    @property
    def outputs(self) -> list[Any]:
        shown = [self._note, self._player, self._scores, self._facts, self._metadata]
        return [self.take_id, self._group, *shown]

    def show(self, take: Take | None, note: str = "") -> list[Any]:
        """Values for `outputs`; without a take the panel is hidden. `note` is HTML."""
        if take is None:
            return ["", gr.update(visible=False), *[gr.skip()] * 5]
        return [
            take.id,
            gr.update(visible=True),
            gr.update(value=note, visible=bool(note)),
            gr.update(value=str(take.path), label=f"{excerpt(take.voice, 60)} · {take.engine}"),
            scores_html(take),
            facts_html(take_facts(take)),
            {**dataclasses.asdict(take), "path": str(take.path)},
        ]

    def show_result(self, job: Job) -> list[Any]:
        """Values for `outputs`: the take a job made and, if it was made again, how it compares."""
        result = job.result or {}
        take = self._services.takes.get(result["take"])
        is_again = job.kind == AGAIN
        return self.show(
            take, again_note(result["identical"], result["reason"]) if is_again else ""
        )

    def _again(self, take_id: str) -> str:
        return submit_again(self._services, take_id).id


def again_note(identical: bool, reason: str) -> Markup:
    """Whether generating a take again gave the same audio samples."""
    return render("again_note", identical=identical, reason=reason)


def take_facts(take: Take) -> dict[str, str]:
    """What people ask about a take first."""
    return {
        "Take": take.id,
        "Note": " ".join(take.notes),
        "Seed": str(take.seed),
        "Language": take.language,
        "Engine": take.engine,
        "Created": local_time(take.created),
        "Attention": take.environment.get("attention", ""),
        "Generated in": _generation_time(take),
        "File": str(take.path),
    }


def scores_html(take: Take) -> Markup:
    """Similarity, intelligibility and length side by side, each with what it means."""
    scores = take.scores
    likeness = understood = None
    if scores.similarity is not None:
        own = max(scores.similarity_self or 0.95, STRANGER_SIMILARITY + 0.1)
        likeness = (scores.similarity - STRANGER_SIMILARITY) / (own - STRANGER_SIMILARITY)
    words = explain_words(scores)
    if scores.word_error_rate is not None:
        understood = max(0.0, 1.0 - scores.word_error_rate)
        if scores.word_error_rate and scores.heard:
            words = f"{words} Transcript: “{scores.heard[:MOST_HEARD]}”"
    about = [f"Seed {take.seed}"]
    if take.timings_s:
        about.append(f"generated in {_generation_time(take)}")
    if scores.loudness_lufs is not None:
        about.append(f"{scores.loudness_lufs:.0f} LUFS")
    return render(
        "take_scores",
        take=take,
        likeness=likeness,
        similarity_words=explain_similarity(scores),
        understood=understood,
        word_words=words,
        about=" · ".join(about),
    )


def _generation_time(take: Take) -> str:
    return duration_text(sum(take.timings_s.values())) if take.timings_s else ""
