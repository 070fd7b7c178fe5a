"""The report on datasets whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest

from modules.core_components.dataset.report import BAD, NOTE, DatasetReport
from modules.core_components.dataset.values import SAMPLE_RATE_HZ
from modules.core_components.errors import JobCancelled
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import FloatArray, Speech
from modules.tools.dataset import report as report_tool
from modules.tools.dataset import report_measures
from modules.tools.dataset.editor import drop_clips, fix_text
from modules.tools.dataset.report import report_of
from modules.tools.services import Services
from tests.helpers.fakes import ECHO
from tests.helpers.small_datasets import babble, make_dataset

TEXT = "number {} is said here in words"


class FakeEncoder:
    """Tells two voices by their pitch: the second lies above 1 kHz."""

    model_id = "ge2e"

    def __init__(self) -> None:
        self.calls = 0

    def embed(self, speech: Speech) -> FloatArray:
        self.calls += 1
        spectrum = np.abs(np.fft.rfft(speech.samples))
        hertz = np.fft.rfftfreq(len(speech.samples), 1 / speech.sample_rate_hz)
        is_high = (spectrum * hertz).sum() / spectrum.sum() > 6_200
        aside = np.random.default_rng(len(speech.samples)).normal(scale=0.03, size=256)
        vector = aside + np.eye(256)[int(is_high)]
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


@pytest.fixture
def encoder(services: Services, monkeypatch: pytest.MonkeyPatch) -> FakeEncoder:
    fake = FakeEncoder()
    monkeypatch.setattr(services.asr, "get_speaker_encoder", lambda: fake)
    return fake


def high(samples: FloatArray) -> FloatArray:
    return np.diff(samples, prepend=np.float32(0)).astype(np.float32)


def many(count: int, seconds: float = 2.0) -> list[tuple[str, FloatArray]]:
    numbers = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    return [
        (TEXT.format(f"{numbers[i // 10]} {numbers[i % 10]}"), babble(seconds + i / 1000, i))
        for i in range(count)
    ]


def kinds(report: DatasetReport, clip_id: str) -> set[str]:
    return {finding.kind for finding in report.findings_of(clip_id)}


def test_a_clean_dataset_has_only_its_length_to_be_told(
    services: Services, encoder: FakeEncoder
) -> None:
    make_dataset(services, many(12), language="en")
    report = report_of(services, "Anna")
    assert {finding.kind for finding in report.findings} == {"short"}
    assert (report.clips, report.eval_clips, report.speakers) == (12, 1, 1)
    assert report.minutes == pytest.approx(0.4, abs=0.01)
    assert report.not_checked == ("What the tokenizer knows: no base model of XTTS is installed.",)


def test_each_planted_fault_is_found_in_its_clip(services: Services, encoder: FakeEncoder) -> None:
    clips = many(14)
    noise = np.random.default_rng(5).normal(scale=0.03, size=len(clips[1][1]))
    clips[1] = (clips[1][0], (clips[1][1] + noise).astype(np.float32))
    clips[2] = (clips[2][0], np.clip(60 * clips[2][1], -1, 1).astype(np.float32))
    clips[3] = ("Мир – number", clips[3][1])
    clips[4] = (clips[5][0], clips[4][1])
    clips[6] = ("a " * 3, clips[6][1])
    clips[7] = (clips[7][0], np.zeros(SAMPLE_RATE_HZ, np.float32))
    clips[8] = (clips[8][0], clips[9][1])
    clips[10] = (clips[10][0], babble(13.0))
    dataset = make_dataset(services, clips)
    (dataset.folder / "wavs" / "aa_0011.wav").unlink()
    (dataset.folder / "wavs" / "aa_0012.wav").write_bytes(b"no sound at all")
    report = report_of(services, "Anna")
    expected = {1: "noise", 2: "clipping", 3: "characters", 4: "duplicate", 5: "duplicate"}
    expected |= {6: "rate", 7: "silence", 8: "duplicate", 9: "duplicate", 10: "length"}
    expected |= {11: "missing", 12: "missing"}
    for number, kind in expected.items():
        assert kind in kinds(report, f"aa_{number:04d}"), (number, kind)
    assert kinds(report, "aa_0000") == kinds(report, "aa_0013") == set()
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=("bad", "warn", "note").index)
    assert all(finding.hint for finding in report.findings if finding.severity != NOTE)


def test_a_second_speaker_is_found_and_gone_once_dropped(
    services: Services, encoder: FakeEncoder
) -> None:
    clips = many(20)
    clips = [
        (text, high(sound) if i in range(5, 11) else sound) for i, (text, sound) in enumerate(clips)
    ]
    make_dataset(services, clips)
    report = report_of(services, "Anna")
    others = {f"aa_{number:04d}" for number in range(5, 11)}
    assert report.speakers == 2
    assert {f.clip_id for f in report.findings if f.kind == "voice"} == {"", *others}
    drop_clips(services, "Anna", sorted(others))
    cleaned = report_of(services, "Anna")
    assert (cleaned.speakers, cleaned.dropped_clips) == (1, 6)
    assert not [f for f in cleaned.findings if f.kind == "voice"]


def test_a_second_report_measures_only_what_is_new(
    services: Services, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dataset(services, many(6))
    measured = []
    honest = report_measures.measure_sound
    monkeypatch.setattr(
        report_measures, "measure_sound", lambda *a: measured.append(1) or honest(*a)
    )
    first = report_of(services, "Anna")
    assert (len(measured), encoder.calls) == (6, 6)
    assert report_of(services, "Anna") == first
    assert (len(measured), encoder.calls) == (6, 6)
    fix_text(services, "Anna", "aa_0001", "a a a")
    assert "rate" in kinds(report_of(services, "Anna"), "aa_0001")
    assert (len(measured), encoder.calls) == (6, 6)
    (services.settings.cache_folder / "reports" / "Anna.json").write_text("{broken")
    report_of(services, "Anna")
    assert len(measured) == 12


def test_a_cancelled_report_keeps_what_it_measured(
    services: Services, encoder: FakeEncoder
) -> None:
    make_dataset(services, many(6))
    cancel = CancelToken()

    def stop_at_voices(fraction: float, message: str) -> None:
        if message.startswith("Comparing voices: 4"):
            cancel.cancel()

    with pytest.raises(JobCancelled):
        report_of(services, "Anna", stop_at_voices, cancel)
    done = encoder.calls
    assert 3 <= done < 6
    report_of(services, "Anna", no_progress)
    assert encoder.calls == 6


def test_a_second_listener_and_the_tokenizer_are_heard(
    services: Services, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = many(3)
    clips[0] = ("Good morning. How are you?", clips[0][1])
    make_dataset(services, clips)

    def fault(text: str, language: str) -> str:
        return "the tokenizer does not know w" if "words" in text else ""

    vocabulary = services.settings.models_folder / "xtts" / "v2.0.3" / "vocab.json"
    vocabulary.parent.mkdir(parents=True)
    vocabulary.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(report_tool, "load_text_fault", lambda *_: fault)
    report = report_of(services, "Anna", second_listener=ECHO)
    rates = {item.clip_id: item.heard_otherwise for item in report.measures}
    assert rates["aa_0001"] == 1.0
    assert "heard" in kinds(report, "aa_0001")
    (told,) = (f for f in report.findings_of("aa_0001") if f.kind == "tokenizer")
    assert told.severity == BAD
    assert "Words: words." in told.message
    assert "tokenizer" not in kinds(report, "aa_0000")
    assert report.not_checked == ()
    monkeypatch.setattr(report_tool, "load_text_fault", None)
    assert report_of(services, "Anna", quick=True) == report


def test_another_language_is_told(services: Services, encoder: FakeEncoder) -> None:
    make_dataset(services, many(3), language="it")
    report = report_of(services, "Anna")
    languages = [finding for finding in report.findings if finding.kind == "language"]
    assert {finding.clip_id for finding in languages} >= {""}
    assert "English" in languages[0].message


def test_a_quick_look_leaves_most_for_later(
    services: Services, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_tool, "QUICK_CLIPS", 2)
    make_dataset(services, many(5))
    quick = report_of(services, "Anna", quick=True)
    assert (quick.clips, len(quick.measures), quick.waiting) == (5, 2, 3)
    assert encoder.calls == 0
    assert quick.speakers is None
    full = report_of(services, "Anna")
    assert (len(full.measures), full.waiting) == (5, 0)
    assert report_of(services, "Anna", quick=True) == full


def test_an_empty_dataset_and_missing_models_are_told(services: Services) -> None:
    services.datasets.create("Empty", "en", "Nobody")
    report = report_of(services, "Empty")
    assert (report.clips, report.speakers) == (0, None)
    assert report.findings[0].kind == "short"
    make_dataset(services, many(2))
    told = report_of(services, "Anna").not_checked
    assert told[0].startswith("Whether one person speaks:")
