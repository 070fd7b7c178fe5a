"""Speech in another language than the chosen one: said of each recording and in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from modules.core_components.ai_models.engines.base import Transcription
from modules.core_components.audio.files import write_speech
from modules.core_components.jobs.job import DONE
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.detected_language import DetectedLanguage
from modules.core_components.values import Consent, Speech
from modules.tools.dataset.build import (
    DatasetRequest,
    DatasetSummary,
    build_dataset,
    create_dataset,
    submit_build,
)
from modules.tools.dataset.report import report_of
from modules.tools.listening import language_check
from modules.tools.listening.transcribe import TranscribeRequest, transcribe
from modules.tools.services import Services
from modules.tools.voices.samples import language_warning, submit_reference_text
from tests.helpers.espeak import espeak
from tests.helpers.fakes import fake_entry
from tests.tools.dataset_fakes import COUNTER, CounterListener, CounterOptions

SAID = "Guten Morgen. Der kleine Prinz sah aus dem Fenster und dachte an seine Blume. "


class Detector(CounterListener):
    """Takes all it is not told the language of for German."""

    languages = ("de", "en")

    def __init__(self) -> None:
        super().__init__()
        self.sure = 0.95
        self.detected_s: list[float] = []

    def transcribe(
        self, speech: Speech, options: CounterOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        running = super().transcribe(speech, options, progress, cancel)
        if options.language != "auto":
            return running
        self.detected_s.append(speech.duration_s)
        info = replace(running.info, language="de", language_probability=self.sure)
        return replace(running, info=info)


@pytest.fixture
def detector(services: Services, monkeypatch: pytest.MonkeyPatch) -> Detector:
    detector = Detector()
    entry = fake_entry(COUNTER, "speech-to-text", ())
    services.asr.register_engine(COUNTER, lambda entry, context: detector, entry)
    monkeypatch.setattr(language_check, "listening_models", lambda services: (entry,))
    return detector


def spoken(path: Path, times: int) -> Path:
    write_speech(path, espeak(SAID * times, "de"))
    return path


def built(services: Services, language: str, *recordings: Path) -> DatasetSummary:
    create_dataset(services, "Anna", language, "Anna", True)
    inputs = tuple(map(str, recordings))
    return build_dataset(services, DatasetRequest("Anna", inputs, model_id=COUNTER))


def test_each_recording_in_another_language_is_named_and_nothing_is_refused(
    services: Services, detector: Detector, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long, short = spoken(tmp_path / "long.wav", 3), spoken(tmp_path / "short.wav", 2)
    summary = built(services, "en", long, short)
    assert summary.added == ("long.wav", "short.wav")
    assert not summary.refused
    assert [found.recording for found in summary.other_language] == ["long.wav", "short.wav"]
    message, hint = summary.language_warning
    assert "2 recordings sound like German but were transcribed as English" in message
    assert "dataset of that language" in hint
    at_once = [record.getMessage() for record in caplog.records if "sounds like" in record.message]
    assert [text.partition(" ")[0] for text in at_once] == ["long.wav", "short.wav"]
    found = [item for item in report_of(services, "Anna", quick=True).findings if not item.clip_id]
    (finding,) = (item for item in found if item.kind == "language")
    assert "German" in finding.message
    assert "long.wav" in finding.message
    assert max(detector.detected_s) <= 30.0


def test_the_right_language_an_unsure_guess_and_given_texts_are_not_warned_of(
    services: Services, detector: Detector, tmp_path: Path
) -> None:
    recording = spoken(tmp_path / "long.wav", 3)
    assert not built(services, "de", recording).other_language
    services.datasets.delete("Anna")
    detector.sure = 0.7
    assert not built(services, "en", recording).other_language
    services.datasets.delete("Anna")
    detector.sure = 0.95
    detector.detected_s.clear()
    (tmp_path / "long.srt").write_text("1\n00:00:00,000 --> 00:00:05,000\nGood morning.\n")
    assert not built(services, "en", recording, tmp_path / "long.srt").other_language
    assert not detector.detected_s


def test_a_job_says_so_in_its_result_and_its_log(
    services: Services, detector: Detector, tmp_path: Path
) -> None:
    create_dataset(services, "Anna", "en", "Anna", True)
    recording = spoken(tmp_path / "long.wav", 3)
    request = DatasetRequest("Anna", (str(recording),), model_id=COUNTER)
    job = services.jobs.wait(submit_build(services, request).id, 60.0)
    assert job.state == DONE
    assert "sounds like German" in (job.result or {})["language_warning"]
    assert "sounds like German" in "\n".join(services.jobs.get(job.id).log)


def test_a_transcript_says_so_in_a_note(
    services: Services, detector: Detector, tmp_path: Path
) -> None:
    request = TranscribeRequest(
        spoken(tmp_path / "long.wav", 3), COUNTER, "en", check_language=True
    )
    (note,) = transcribe(services, request).notes
    assert "sounds like German (95% sure)" in note
    assert "Detect" in note
    assert not transcribe(services, replace(request, language="de")).notes
    assert not transcribe(services, replace(request, language="")).notes
    assert not transcribe(services, replace(request, check_language=False)).notes


def test_a_sample_that_was_given_another_language_is_named(
    services: Services, detector: Detector, tmp_path: Path
) -> None:
    consent = Consent("Anna", True)
    recording = spoken(tmp_path / "long.wav", 2)
    wrong = services.samples.add(recording, "Wrong", "", "en", consent)
    assert "Wrong sounds like German" in language_warning(services, wrong, CancelToken())
    job = services.jobs.wait(submit_reference_text(services, "Wrong").id, 60.0)
    assert job.state == DONE, job.error
    assert "add the recording again" in (job.result or {})["language_warning"]
    right = services.samples.add(recording, "Right", "", "de", consent)
    assert not language_warning(services, right, CancelToken())


@pytest.mark.parametrize(
    ("found", "chosen", "surely"),
    [("de", "en", True), ("en", "en-gb", False), ("ur", "hi", False), ("de", "", False)],
)
def test_what_is_nearly_the_same_language_is_no_contradiction(
    found: str, chosen: str, surely: bool
) -> None:
    assert DetectedLanguage(found, 0.99).contradicts(chosen) is surely
    assert not DetectedLanguage(found, 0.7).contradicts(chosen)
