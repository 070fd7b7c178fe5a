"""Transcribe: a recording in, a transcript with times out."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.errors import StudioError
from modules.core_components.jobs import Job
from modules.core_components.text import subtitles
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark, ngettext
from modules.core_components.units import clock_text
from modules.tools.listening.speakers import AUTO, OFF
from modules.tools.listening.transcribe import (
    HOTWORDS,
    TRANSCRIBE,
    submit_transcription,
    takes_hotwords,
)
from modules.tools.listening.transcripts import (
    KeptTranscript,
    correct_word,
    delete_transcript,
    export_transcript,
    get_transcript,
    list_transcripts,
    name_speaker,
)
from modules.tools.models.fallback import choose_listening_model
from modules.tools.models.ready_models import listening_models, model_label
from modules.tools.models.remotes import privacy_words
from modules.ui.events import listen, script, warn
from modules.ui.render import card_html, duration_text, empty_html, facts_html, render
from modules.ui.views import Studio
from modules.ui.widgets import parts, recording_input
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.recording_input import RecordingInput

SEQUENCE = "transcripts"
WORDS = "words"
VIEWS = [
    (mark("Words"), WORDS),
    (mark("Text"), "txt"),
    ("SRT", "srt"),
    ("VTT", "vtt"),
    ("JSON", "json"),
]
FORMATS = ("txt", "srt", "vtt", "json")
NO_TRANSCRIPT = mark("The transcript appears here: words to play, to search and to correct.")
NONE, DETECT = mark("None installed"), mark("Detect")


class TranscribeTab:
    def __init__(self, studio: Studio, tab: gr.Tab) -> None:
        self._services = studio.services
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._build_request()
            with gr.Column(scale=7, min_width=340):
                self._jobs = JobsView(self._services, (TRANSCRIBE,))
                self._build_result()
        parts.title(_("Earlier transcripts"))
        self._earlier = parts.choice_list()
        self._listen(studio, tab)
        studio.keep(
            tab,
            model=self._model,
            language=self._language,
            expected=self._hotwords,
            speakers=self._speakers,
        )

    def _build_request(self) -> None:
        parts.title(_("Recording"))
        self._recording = RecordingInput()
        self._no_model = parts.panel(visible=False)
        with gr.Row():
            self._model = parts.menu(_("Model"))
            self._language = parts.menu(_("Language"), _(DETECT))
        self._speakers = gr.Dropdown(
            _speaker_choices(),
            value=OFF,
            label=_("Speakers"),
            info=_("Who says what; name them once, and they are recognized in later recordings."),
        )
        self._hotwords = gr.Textbox(
            value="",
            label=_("Expected words"),
            info=_("Names and terms that are hard to recognize, separated by commas."),
            visible=False,
        )
        self._start = gr.Button(_("Transcribe"), variant="primary", size="lg")

    def _build_result(self) -> None:
        self._shown_id = gr.State("")
        self._empty = parts.panel(empty_html(_(NO_TRANSCRIPT)))
        with gr.Column(visible=False) as self._result:
            self._facts = parts.panel()
            self._view = gr.Radio(
                [(_(label), view) for label, view in VIEWS],
                value=WORDS,
                label=_("Format"),
                show_label=False,
                container=False,
            )
            self._words = parts.panel(script=script("transcript_edits"))
            self._text = gr.Textbox(
                value="",
                label=_("Transcript"),
                lines=12,
                max_lines=24,
                buttons=["copy"],
                visible=False,
            )
            with gr.Row():
                downloads = parts.DownloadButtons(FORMATS, "transcript-link")
            self._delete = parts.ConfirmedButton(
                _("Delete transcript"), _("It moves to the trash.")
            )
        downloads.on_download(
            lambda fmt, kept: export_transcript(self._services, kept, fmt), self._shown_id
        )

    def _listen(self, studio: Studio, tab: gr.Tab) -> None:
        choices = [self._no_model, self._model, self._language, self._hotwords]
        chosen = [self._model, self._language]
        studio.on_show(tab, self._choices, chosen, choices, unchecked=True, unlocks=[self._start])
        earlier = [self._earlier]
        studio.on_show(tab, self._earlier_html, [self._shown_id], earlier, sequence=SEQUENCE)
        self._jobs.find_on_open(studio)
        listen(self._model.input, self._choices, chosen, choices, unchecked=True)
        asked = [*self._recording.inputs, *chosen, self._hotwords, self._speakers]
        listen(self._start.click, self._submit, asked, [self._jobs.job_id])
        result = [self._shown_id, self._empty, self._result, self._facts, self._words, self._text]
        result += [self._view, self._earlier]
        self._jobs.on_finished(self._show_job, [], result, SEQUENCE)
        listen(self._earlier.select, self._show_chosen, [], result, sequence=SEQUENCE)
        listen(
            self._view.input,
            self._show_view,
            [self._shown_id, self._view],
            [self._words, self._text],
            queue=False,
        )
        edited = [self._words, self._facts, self._earlier]
        listen(self._words.select, self._edit, [], edited, sequence=SEQUENCE)
        self._delete.on_confirm(self._delete_transcript, [self._shown_id], result, SEQUENCE)

    def _choices(self, model: str | None, language: str | None) -> Sequence[Any]:
        models = {entry.id: entry for entry in listening_models(self._services)}
        usual = choose_listening_model(self._services)
        model_id = next((name for name in (model, usual.model_id, *models) if name in models), "")
        note = usual.note if model_id == usual.model_id else ""
        if model_id:
            note = f"{note} {privacy_words(models[model_id])}".strip()
        known = self._services.asr.get(model_id).languages if model_id else ()
        languages = [(language_name(code), code) for code in sorted(known, key=language_name)]
        if len(languages) != 1:
            languages = [(_(DETECT), ""), *languages]
        labels = [(entry.label, entry.id) for entry in models.values()]
        return [
            gr.update(
                value=card_html(note, kind="warn") if models else empty_html(_(parts.NO_ASR_MODEL)),
                visible=bool(note) or not models,
            ),
            parts.menu_update(labels, model_id, _(NONE)),
            parts.menu_update(languages, language, _(DETECT)),
            gr.update(visible=bool(model_id) and takes_hotwords(self._services, model_id)),
        ]

    def _submit(
        self,
        file: str | None,
        spoken: str | None,
        track: str | None,
        model: str | None,
        language: str | None,
        hotwords: str,
        speakers: str | None = OFF,
    ) -> str:
        model = parts.require_model(model)
        path, number = recording_input.chosen(file, spoken, track)
        title = path.stem if file else _("Recording")
        asked = hotwords.strip() and takes_hotwords(self._services, model)
        options = {HOTWORDS: hotwords.strip()} if asked else {}
        called = path.name if file else _("The recording")
        with recording_input.blamed():
            return submit_transcription(
                self._services,
                path,
                title,
                model,
                language or "",
                options,
                number,
                speakers or OFF,
                called,
            ).id

    def _show_job(self, job: Job) -> list[Any]:
        name = Path((job.result or {})["transcript"]).stem
        return self._show(get_transcript(self._services, name))

    def _show_chosen(self, row: gr.EventData) -> list[Any]:
        return self._show(get_transcript(self._services, row.id))

    def _show(self, kept: KeptTranscript) -> list[Any]:
        return [
            kept.id,
            gr.update(visible=False),
            gr.update(visible=True),
            self._facts_html(kept),
            gr.update(value=_words_html(kept), visible=True),
            gr.update(value=kept.transcript.text, visible=False),
            WORDS,
            self._earlier_html(kept.id),
        ]

    def _show_view(self, transcript_id: str, view: str) -> list[Any]:
        if view == WORDS:
            return [gr.update(visible=True), gr.update(visible=False)]
        kept = get_transcript(self._services, transcript_id)
        text = subtitles.render(kept.transcript, view)
        return [gr.update(visible=False), gr.update(value=text, visible=True)]

    def _edit(self, made: gr.EventData) -> list[Any]:
        """Keeps a correction, which the browser shows already: it is drawn anew only on failure."""
        words: Any = gr.skip()
        try:
            if made.kind == "word":
                kept = correct_word(
                    self._services, made.key, int(made.segment), int(made.word), str(made.text)
                )
            else:
                kept = name_speaker(
                    self._services,
                    made.key,
                    int(made.segment),
                    str(made.name),
                    bool(made.everywhere),
                )
        except StudioError as error:
            warn([f"{error.message} {error.hint}"])
            kept = get_transcript(self._services, made.key)
            words = _words_html(kept, uuid.uuid4().hex)
        return [words, self._facts_html(kept), self._earlier_html(kept.id)]

    def _delete_transcript(self, transcript_id: str) -> list[Any]:
        delete_transcript(self._services, transcript_id)
        hidden = [gr.update(visible=True), gr.update(visible=False), "", "", "", WORDS]
        return ["", *hidden, self._earlier_html("")]

    def _facts_html(self, kept: KeptTranscript) -> Markup:
        label = model_label(self._services.asr, kept.transcript.model_id)
        return facts_html(_facts(kept, label))

    def _earlier_html(self, shown: str) -> Markup:
        rows = [(kept.id, kept) for kept in list_transcripts(self._services)]
        return render("transcripts", rows=rows, chosen=shown)


def _speaker_choices() -> list[tuple[str, str]]:
    numbers = range(2, 7)
    return [
        (_("No speaker labels"), OFF),
        (_("Find how many"), AUTO),
        *((ngettext("{count} speaker", "{count} speakers", n), str(n)) for n in numbers),
        (_("2 to 4"), "2-4"),
        (_("5 to 12"), "5-12"),
    ]


def _facts(kept: KeptTranscript, model_label: str) -> dict[str, str]:
    transcript = kept.transcript
    language = language_name(transcript.language) if transcript.language else _("unknown")
    if transcript.language and transcript.language_probability < 1:
        language = _(
            "{language} ({probability:.0%} sure)",
            language=language,
            probability=transcript.language_probability,
        )
    speakers = {segment.speaker for segment in transcript.segments if segment.speaker}
    return {
        _("Language"): language,
        _("Length"): duration_text(transcript.duration_s),
        _("Speakers"): ", ".join(sorted(speakers)) if len(speakers) < 7 else str(len(speakers)),
        _("Several at once"): _overlap_text(transcript.overlaps),
        _("Corrected words"): str(len(kept.corrections.words) or ""),
        _("Words"): _("{count:,}", count=len(transcript.text.split())),
        _("Note"): " ".join(transcript.notes),
        _("Model"): model_label,
    }


def _overlap_text(overlaps: Sequence[tuple[float, float]]) -> str:
    if not overlaps:
        return ""
    seconds = sum(end_s - start_s for start_s, end_s in overlaps)
    first = ", ".join(clock_text(start_s) for start_s, _unused in overlaps[:3])
    more = ", …" if len(overlaps) > 3 else ""
    return _("{seconds:.0f} s, at {first}{more}", seconds=seconds, first=first, more=more)


def _words_html(kept: KeptTranscript, version: str = "") -> Markup:
    """The transcript to play and to correct; a new `version` has the browser read it again."""
    return render("transcript_words", key=kept.id, version=version)
