"""A take on show: player, scores in words, downloads, every parameter, and making it again."""

from __future__ import annotations

import dataclasses
import html
from typing import Any

import gradio as gr

from modules.core_components.values import Scores, Take
from modules.tools.services import Services
from modules.tools.speaking.history import export_take, submit_again
from modules.tools.speaking.request import FORMATS
from modules.tools.speaking.scores import STRANGER_SIMILARITY, explain_similarity, explain_words
from modules.ui.handlers import listen
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import DownloadButtons, audio_player, panel
from modules.ui.widgets.snippets import bar_html, duration_text, excerpt, facts_html, local_time


class TakePanel:
    """Shows one take; `outputs` and `show` belong together.

    Making it again is a job like all others: its id goes to `jobs`.
    """

    def __init__(self, services: Services, jobs: JobsView, element_id: str) -> None:
        self._services = services
        self.take_id = gr.State("")
        with gr.Column(visible=False) as self._group:
            self._note = panel(visible=False)
            self._player = audio_player("The take")
            self._scores = panel()
            with gr.Row():
                downloads = DownloadButtons(FORMATS, f"{element_id}-link")
                again = gr.Button("Make it again", size="sm", min_width=110)
            with gr.Accordion("Everything about this take", open=False):
                self._facts = panel()
                self._metadata = gr.JSON(show_label=False, max_height=420)
        downloads.on_download(lambda fmt, take: export_take(services, take, fmt), self.take_id)
        listen(again.click, self._again, [self.take_id], [jobs.job_id])

    @property
    def outputs(self) -> list[Any]:
        return [
            self.take_id,
            self._group,
            self._note,
            self._player,
            self._scores,
            self._facts,
            self._metadata,
        ]

    def show(self, take: Take | None, note: str = "") -> list[Any]:
        """Values for `outputs`; without a take the panel is hidden. `note` is HTML."""
        if take is None:
            return ["", gr.update(visible=False), *[gr.skip()] * 5]
        metadata = {**dataclasses.asdict(take), "path": str(take.path)}
        return [
            take.id,
            gr.update(visible=True),
            gr.update(value=f"<div class='studio-job good'>{note}</div>", visible=bool(note)),
            gr.update(value=str(take.path), label=f"{excerpt(take.voice, 60)} · {take.engine}"),
            scores_html(take),
            facts_html(take_facts(take)),
            metadata,
        ]

    def _again(self, take_id: str) -> str:
        return submit_again(self._services, take_id).id


def again_note(identical: bool, reason: str) -> str:
    """Whether the second making gave the same samples, as HTML."""
    if identical:
        return "<strong>Identical.</strong> Every sample is the same as the first time."
    return f"<strong>Not identical.</strong> {html.escape(reason)}"


def take_facts(take: Take) -> dict[str, str]:
    """What people ask about a take first."""
    attention = take.environment.get("attention", "")
    return {
        "Take": take.id,
        **({"Note": " ".join(take.notes)} if take.notes else {}),
        "Seed": str(take.seed),
        "Language": take.language,
        "Model": f"{take.model_id} ({take.model_revision[:12]})",
        "Made": local_time(take.created),
        **({"Attention": attention} if attention else {}),
        "Time to make": _seconds_text(take),
        "File": str(take.path),
    }


def scores_html(take: Take) -> str:
    """What went another way than asked; then similarity, word errors and length side by side, each
    with what it means."""
    notes = "".join(f"<div class='studio-job bad'>{html.escape(note)}</div>" for note in take.notes)
    cards = [
        _similarity_card(take.scores) if take.kind == "sample" else "",
        _words_card(take.scores),
        _length_card(take),
    ]
    return f"{notes}<div class='studio-scores'>{''.join(cards)}</div>"


def _similarity_card(scores: Scores) -> str:
    if scores.similarity is None:
        return _card("Likeness to the sample", "–", explain_similarity(scores))
    own = max(scores.similarity_self or 0.95, STRANGER_SIMILARITY + 0.1)
    way = (scores.similarity - STRANGER_SIMILARITY) / (own - STRANGER_SIMILARITY)
    bar = bar_html(way, "From a stranger to the speaker himself")
    words = explain_similarity(scores)
    return _card("Likeness to the sample", f"{scores.similarity:.2f}", words, bar)


def _words_card(scores: Scores) -> str:
    if scores.word_error_rate is None:
        return _card("Understood by Whisper", "–", explain_words(scores))
    understood = max(0.0, 1.0 - scores.word_error_rate)
    words = explain_words(scores)
    if scores.word_error_rate and scores.heard:
        words = f"{words} Heard: “{scores.heard[:300]}”"
    bar = bar_html(understood, "Words understood")
    return _card("Understood by Whisper", f"{understood:.0%}", words, bar)


def _length_card(take: Take) -> str:
    loudness = take.scores.loudness_lufs
    words = [f"Seed {take.seed}"]
    if take.timings_s:
        words.append(f"made in {_seconds_text(take)}")
    if loudness is not None:
        words.append(f"{loudness:.0f} LUFS")
    return _card("Length", duration_text(take.duration_s), " · ".join(words))


def _card(name: str, value: str, words: str, bar: str = "") -> str:
    return (
        f"<div class='studio-score'><span class='name'>{html.escape(name)}</span>"
        f"<b>{html.escape(value)}</b>{bar}<span class='words'>{html.escape(words)}</span></div>"
    )


def _seconds_text(take: Take) -> str:
    return duration_text(sum(take.timings_s.values())) if take.timings_s else ""
