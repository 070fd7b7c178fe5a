"""The samples: selecting one, adding one, its reference text and its facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from modules.core_components.audio.sample_quality import DENOISE
from modules.core_components.errors import StudioError
from modules.core_components.jobs import Job
from modules.core_components.text.languages import language_name
from modules.core_components.texts import _, mark
from modules.core_components.values import Consent, Sample
from modules.tools.recordings import SAMPLE
from modules.tools.services import Services
from modules.tools.voices.preparation import prepare_later
from modules.tools.voices.remedies import (
    CLEANED_FROM,
    REMEDIES,
    original_of,
    submit_remedy,
    what_changed,
)
from modules.tools.voices.sample_check import are_findings_known, sample_findings
from modules.tools.voices.samples import add_samples, is_demo_sample, submit_reference_text
from modules.ui.events import listen, listen_after, notify, script, warn
from modules.ui.render import (
    duration_text,
    empty_html,
    local_day,
    part,
    player_html,
    render,
)
from modules.ui.widgets import recording_input
from modules.ui.widgets.jobs_view import JobsView
from modules.ui.widgets.parts import (
    LOADING,
    ConfirmedButton,
    menu,
    menu_update,
    mirror,
    panel,
)
from modules.ui.widgets.recording_input import RecordingInput

CONSENT = mark("This is my own voice, or the speaker agreed to this use of it.")
SPEAKER = mark("Speaker (optional)")
ADD = mark("Add sample")
NO_SAMPLE = mark("None yet")
# Of the listeners that show a sample.
SAMPLES = "samples"
NO_SAMPLES = mark(
    "No samples yet. Add a recording of a voice below: 10 to 60 seconds of clear speech."
)
SAMPLE_LANGUAGES = ("en", "es", "fr", "de", "it", "pt", "nl", "pl", "ru", "hi", "ja", "ko", "zh")


class SamplePanel:
    """The samples of the library; the name of the selected one is in `chosen`."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.chosen = gr.State("")
        self.kept = mirror(self.chosen)
        with gr.Column(elem_classes="studio-sample"):
            self.name = menu(_("Sample"))
            self._player = panel(visible=False)
            # Apart from the facts, which would move when the player comes in above them.
            self._loading = panel(part("loading", _(LOADING)))
            # Apart too: an answer that draws a panel anew would stop the players in it.
            self._compared = panel(visible=False)
            self._about = panel(visible=False, script=script("sample_about"))
            with gr.Column(visible=False) as self._details:
                self._ref_text = gr.Textbox(
                    value="",
                    label=_("Reference text"),
                    info=_("What is said in the sample. XTTS and voice match do not need it."),
                    lines=3,
                )
                with gr.Row():
                    self._transcribe = gr.Button(_("Transcribe sample"), size="sm", min_width=100)
                    self._clean = gr.Button(_("Remove noise"), size="sm", min_width=100)
                    save = gr.Button(_("Save text"), size="sm", min_width=100)
                delete = ConfirmedButton(_("Delete sample"), _("It moves to the trash."))
        about = [self._loading, self._player, self._compared, self._about]
        self._shown = [self.chosen, self.name, *about, self._details, self._ref_text]
        with gr.Accordion(_("New sample"), open=False, elem_id="new-sample") as self._add:
            # What `refresh` gives values for.
            self.outputs = [*self._shown, self._add]
            self._build_form()
        listen(self.name.input, self._show, [self.name], self._shown, sequence=SAMPLES)
        written = [self.chosen, self._ref_text]
        listen(save.click, self._save_text, written, [], sequence=SAMPLES)
        delete.on_confirm(self._delete, [self.chosen], self._shown, SAMPLES)

    def follow_in(self, jobs: JobsView) -> None:
        """Long work on a sample is shown in `jobs`."""
        chosen, job_id = [self.chosen], [jobs.job_id]
        # What is done to a sample comes after its choice, however soon a button is pressed.
        listen(self._transcribe.click, self._submit_transcription, chosen, job_id, sequence=SAMPLES)
        listen(self._clean.click, self._submit_remedy, chosen, job_id, sequence=SAMPLES)
        # A first look at a sample takes seconds: it does not hold back the choice of another one.
        acted = listen(self._about.select, self._act, chosen, job_id)
        listen(acted.success, self._show_findings, chosen, [self._about], sequence=SAMPLES)

    def show_after(self, job: Job, chosen: str) -> list[Any]:
        """The list after a job on a sample: a copy without noise takes the place of its original,
        if that is still chosen."""
        result = job.result or {}
        warn([text for text in [str(result.get("language_warning", ""))] if text])
        is_copy = result.get(CLEANED_FROM) == chosen
        return self.refresh(result["sample"] if is_copy else chosen)

    def refresh(self, chosen: str) -> list[Any]:
        """The list as it is now; keeps the chosen sample, or else takes the user's latest."""
        shown = self._show(chosen)
        return [*shown, gr.skip() if shown[0] else gr.update(open=True)]

    def _build_form(self) -> None:
        recording = RecordingInput(several=True)
        with gr.Row():
            name = gr.Textbox(
                value="", label=_("Name (optional)"), placeholder=_("As the file"), min_width=140
            )
            speaker = gr.Textbox(
                value="", label=_(SPEAKER), placeholder=_("As the sample"), min_width=140
            )
        agreed = gr.Checkbox(label=_(CONSENT), value=False)
        with gr.Accordion(_("More"), open=False):
            ref_text = gr.Textbox(value="", label=_("Reference text (optional)"), lines=2)
            language = gr.Dropdown(label=_("Language"), choices=sample_language_choices(), value="")
        button = gr.Button(_(ADD), variant="primary")
        form = [*recording.inputs, name, speaker, agreed, ref_text, language]
        started = listen(button.click, lambda: _button_state(True), [], [button])
        added = listen(started.success, self._keep, form, [self.chosen, *form])
        shown = self.outputs
        asked = [self.chosen, recording.file]
        # The form lies below the sample: what was added is brought into view.
        listen(
            added.success,
            self._show_added,
            asked,
            shown,
            sequence=SAMPLES,
            js=script("show_sample"),
        )
        listen_after(added, lambda: _button_state(False), [], [button])

    def _keep(
        self,
        files: list[str] | None,
        spoken: str | None,
        track: str | None,
        name: str,
        speaker: str,
        agreed: bool,
        ref_text: str,
        language: str,
    ) -> Sequence[Any]:
        recordings, number = recording_input.all_chosen(files, spoken, track)
        consent = Consent(speaker=speaker.strip(), agreed=agreed)
        with recording_input.blamed():
            added = add_samples(
                self._services, recordings, name, consent, ref_text, language or "", number
            )
        for sample in added.samples:
            prepare_later(self._services, sample.name)
        warn(added.warnings)
        warn([_refused(path.name, error) for path, error in added.refused])
        if not added.samples:
            return [gr.skip()] * 9
        *others, last = (sample.name for sample in added.samples)
        notify(
            _("{others} and {last} are ready.", others=", ".join(others), last=last)
            if others
            else _("{last} is ready.", last=last)
        )
        if added.refused:  # they stay in the form, with what was said about them
            left = [str(path) for path, _unused in added.refused]
            return [last, left, *[gr.skip()] * 7]
        return [last, *recording_input.emptied(), "", "", False, "", ""]

    def _show_added(self, name: str, files: list[str] | None) -> list[Any]:
        return [*self._show(name), gr.update(open=bool(files))]

    def _show(self, name: str) -> list[Any]:
        samples = {sample.name: sample for sample in self._services.samples.list()}
        # The demo sample may be made after the user's own, on a busy machine.
        latest = max(
            samples.values(),
            key=lambda sample: (not is_demo_sample(sample), sample.created),
            default=None,
        )
        sample = samples.get(name, latest)
        shown = sample.name if sample else ""
        dropdown = menu_update([(known, known) for known in samples], shown, _(NO_SAMPLE))
        if sample is None:
            hidden = gr.update(visible=False)
            none = gr.update(value=empty_html(_(NO_SAMPLES)), visible=True)
            return ["", dropdown, hidden, hidden, hidden, none, hidden, ""]
        known = are_findings_known(self._services, sample)
        compared = compared_html(self._services, sample)
        return [
            sample.name,
            dropdown,
            gr.update(visible=False),
            gr.update(value=player_html(SAMPLE, sample.name, sample.name), visible=not compared),
            gr.update(value=compared, visible=bool(compared)),
            gr.update(value=about_html(self._services, sample, known), visible=True),
            gr.update(visible=True),
            sample.ref_text,
        ]

    def _act(self, name: str, done: gr.EventData) -> Any:
        """Looks at a sample for the first time, or does what a button of a finding says."""
        data = done._data if isinstance(done._data, dict) else {}
        if remedy := str(data.get("remedy", "")):
            return self._submit_remedy(name, remedy)
        if data.get("sample") == name:  # else another one was chosen since
            sample_findings(self._services, self._services.samples.get(name))
        return gr.skip()

    def _show_findings(self, name: str) -> Any:
        """What is said of the sample that is chosen now, once it was looked at."""
        if not name:
            return gr.skip()
        sample = self._services.samples.get(name)
        if not are_findings_known(self._services, sample):
            return gr.skip()
        return about_html(self._services, sample, True)

    def _save_text(self, name: str, ref_text: str) -> None:
        self._services.samples.update(name, ref_text=ref_text)
        notify(_("The reference text is saved."))

    def _submit_transcription(self, name: str) -> str:
        return submit_reference_text(self._services, name).id

    def _submit_remedy(self, name: str, remedy: str = DENOISE) -> str:
        return submit_remedy(self._services, name, remedy).id

    def _delete(self, name: str) -> list[Any]:
        self._services.samples.delete(name)
        return self._show("")


def _refused(name: str, error: StudioError) -> str:
    """Why a file was refused; the file is named, whether or not the error does."""
    about = "" if error.message.startswith(name) else f"{name}: "
    return f"{about}{error.message} {error.hint}"


def _button_state(is_adding: bool) -> Any:
    return gr.update(
        value=_("Checking the recording…") if is_adding else _(ADD), interactive=not is_adding
    )


def compared_html(services: Services, sample: Sample) -> Markup:
    """A copy next to its original, each with a player; "" for a sample that is no copy."""
    original = original_of(services, sample)
    return render("sample_compared", before=original, after=sample) if original else Markup()


def about_html(services: Services, sample: Sample, is_checked: bool) -> Markup:
    """Facts, what was changed, and what could be better; that comes later where it `is_checked`
    not."""
    return render(
        "sample_about",
        name=sample.name,
        about=sample_facts(sample),
        changed=what_changed(sample),
        findings=sample_findings(services, sample) if is_checked else None,
        remedies=REMEDIES,
    )


def sample_facts(sample: Sample) -> dict[str, str]:
    """Length, language, speaker and consent."""
    consent = sample.consent
    agreed = "" if consent is None else _("agreed") if consent.agreed else _("did not agree")
    unknown = _("unknown")
    return {
        _("Length"): duration_text(sample.duration_s),
        _("Language"): language_name(sample.language) if sample.language else unknown,
        _("Speaker"): (_(consent.speaker) or unknown) if consent else unknown,
        _("Consent"): agreed or unknown,
        _("Added"): local_day(sample.created),
        _("Made from"): str(sample.info.get(CLEANED_FROM, "")),
    }


def sample_language_choices() -> list[tuple[str, str]]:
    """Languages of samples; the first lets the speech recognition detect it."""
    return [(_("Detect"), ""), *((language_name(code), code) for code in SAMPLE_LANGUAGES)]
