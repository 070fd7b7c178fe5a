"""Mending clips by hand, through the real library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest

from modules.core_components.ai_models.engines.base import Transcription, TranscriptionInfo
from modules.core_components.ai_models.engines.options import option
from modules.core_components.audio.files import read_speech
from modules.core_components.dataset.recording_languages import language_findings
from modules.core_components.dataset.values import Clip, Dataset
from modules.core_components.errors import BadInputError, ModelBusyError, NotFoundError
from modules.core_components.values import Segment, Speech, Word
from modules.tools.dataset.editor import (
    BY_HAND,
    change_language,
    drop_clips,
    fix_text,
    get_clip,
    restore_clips,
    transcribe_again,
    trim,
    undo,
)
from modules.tools.services import Services
from tests.helpers.fakes import fake_entry
from tests.helpers.small_datasets import babble, make_dataset

TEXTS = ["one two three four", "five six", "seven eight nine"]


@pytest.fixture
def dataset(services: Services) -> Dataset:
    return make_dataset(services, [(text, babble(3.0, i)) for i, text in enumerate(TEXTS)])


def metadata(dataset: Dataset) -> str:
    files = (dataset.folder / f"metadata_{subset}.csv" for subset in ("train", "eval"))
    return "".join(file.read_text(encoding="utf-8") for file in files)


def state(dataset: Dataset) -> Mapping[str, bytes]:
    kept = [*dataset.folder.glob("wavs/*"), *dataset.folder.glob("*.*")]
    return {path.name: path.read_bytes() for path in kept}


def test_several_changes_are_undone_one_by_one_to_the_last_byte(
    services: Services, dataset: Dataset
) -> None:
    states = [state(dataset)]
    for change in (
        lambda: fix_text(services, "Anna", "aa_0000", "  One,  two! "),
        lambda: trim(services, "Anna", "aa_0000", 0.1, 1.6),
        lambda: drop_clips(services, "Anna", ["aa_0001", "aa_0002"]),
        lambda: restore_clips(services, "Anna", ["aa_0001"]),
    ):
        change()
        states.append(state(dataset))
    assert len({str(sorted(s.items())) for s in states}) == 5
    for before in reversed(states[:-1]):
        undo(services, "Anna")
        assert state(dataset) == before
    with pytest.raises(NotFoundError):
        undo(services, "Anna")


def test_a_mended_text_stands_in_the_metadata(services: Services, dataset: Dataset) -> None:
    clip = fix_text(services, "Anna", "aa_0000", "One, two!")
    assert (clip.text, clip.heard, clip.edited) == ("One, two!", TEXTS[0], True)
    assert "wavs/aa_0000.wav|One, two!|Anna\n" in metadata(dataset)
    assert undo(services, "Anna") == "Text of “One, two!”"


@pytest.mark.parametrize("text", ["", "   ", "...", "a|b", "a\nb", "x" * 1001])
def test_a_text_that_no_row_can_hold_is_refused(
    services: Services, dataset: Dataset, text: str
) -> None:
    before = state(dataset)
    with pytest.raises(BadInputError):
        fix_text(services, "Anna", "aa_0000", text)
    assert state(dataset) == before


def test_a_trim_cuts_sound_and_text_together(services: Services, dataset: Dataset) -> None:
    clip = trim(services, "Anna", "aa_0000", 0.0, 1.6)
    speech = read_speech(dataset.wav_of(clip))
    assert clip.text == "one two"
    assert clip.duration_s == pytest.approx(1.6)
    assert speech.duration_s == pytest.approx(1.6, abs=1e-3)
    assert "wavs/aa_0000.wav|one two|Anna\n" in metadata(dataset)
    with pytest.raises(BadInputError):
        trim(services, "Anna", "aa_0000", 0.0, 0.2)


def test_dropped_clips_leave_the_metadata_and_come_back_where_they_were(
    services: Services, dataset: Dataset
) -> None:
    before = metadata(dataset)
    drop_clips(services, "Anna", ["aa_0002"])
    assert get_clip(services, "Anna", "aa_0002").dropped == BY_HAND
    assert "seven" not in metadata(dataset)
    assert dataset.wav_of(get_clip(services, "Anna", "aa_0002")).is_file()
    restore_clips(services, "Anna", ["aa_0002"])
    assert metadata(dataset) == before


@dataclass(frozen=True)
class _ExactOptions:
    language: str = option("auto", "Language", "Of the recording.")
    word_timestamps: bool = option(False, "Word times", "When each word was said.")


class _ExactListener:
    """Hears what it is told to, with word times if they are asked for."""

    model_id, model_revision, label = "exact-1", "r1", "Exact 1"
    languages = ("en", "it")
    options_type = _ExactOptions

    def __init__(self, words: str) -> None:
        self._words = words

    def transcribe(self, speech: Speech, options: _ExactOptions, *_: Any) -> Transcription:
        words = tuple(Word(w, 0.3 * i, 0.3 * i + 0.3) for i, w in enumerate(self._words.split()))
        info = TranscriptionInfo("en", 1.0, speech.duration_s, speech.duration_s)
        return Transcription(info, self._segments(words if options.word_timestamps else ()))

    def _segments(self, words: tuple[Word, ...]) -> Iterator[Segment]:
        if self._words:
            yield Segment(f" {self._words} ", 0.0, 1.0, words)


def listened(services: Services, words: str) -> Clip:
    services.asr.register_engine(
        "exact-1",
        lambda entry, context: _ExactListener(words),
        fake_entry("e", "speech-to-text", ()),
    )
    return transcribe_again(services, "Anna", "aa_0001", "exact-1")


def test_a_clip_is_transcribed_again_with_its_word_times(
    services: Services, dataset: Dataset
) -> None:
    clip = listened(services, "five sticks")
    assert (clip.text, clip.heard) == ("five sticks", "five sticks")
    assert [word.text for word in clip.words] == ["five", "sticks"]
    assert "|five sticks|" in metadata(dataset)


def test_hearing_nothing_changes_nothing(services: Services, dataset: Dataset) -> None:
    before = state(dataset)
    with pytest.raises(BadInputError, match="No words were recognized"):
        listened(services, "")
    assert state(dataset) == before


def test_a_clip_that_is_not_there_is_told(services: Services, dataset: Dataset) -> None:
    for name, clip_id in (("Anna", "aa_9999"), ("Anna", "../aa_0000"), ("Bob", "aa_0000")):
        with pytest.raises(NotFoundError):
            fix_text(services, name, clip_id, "Hello")


def test_the_language_is_changed_and_the_texts_stay(services: Services, dataset: Dataset) -> None:
    (source,) = dataset.sources
    heard = {"text": "heard", "options": {"language": "en"}, "other_language": ["it", 0.99]}
    services.datasets.save_source(dataset, replace(source, made_with=heard))
    rows = metadata(dataset)
    (doubt,) = language_findings(services.datasets.get("Anna"))
    assert "sounds like Italian" in doubt.message
    changed = change_language(services, "anna", "it-IT")
    assert (changed.language, changed.name, changed.speaker) == ("it", "Anna", "Anna")
    assert (dataset.folder / "lang.txt").read_text() == "it\n"
    assert metadata(dataset) == rows
    (finding,) = language_findings(changed)
    assert finding.message == "1 recording was transcribed in English: its text may be wrong."
    for number, text in enumerate(TEXTS):
        fix_text(services, "Anna", f"aa_{number:04d}", f"{text}!")
    assert not list(language_findings(services.datasets.get("Anna")))
    change_language(services, "Anna", "en")
    assert len(list(language_findings(services.datasets.get("Anna")))) == 1


def test_the_language_is_not_changed_while_a_job_works_on_the_dataset(
    services: Services, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInputError, match="not a language code"):
        change_language(services, "Anna", "?")
    with services.datasets.building("Anna"), pytest.raises(ModelBusyError, match="being added"):
        change_language(services, "Anna", "it")
    job = SimpleNamespace(payload={"dataset": "Anna"}, title="Check Anna")
    monkeypatch.setattr(services.jobs, "list", lambda states: (job,))
    with pytest.raises(ModelBusyError, match="Check Anna"):
        change_language(services, "Anna", "it")
    assert services.datasets.get("Anna").language == "en"
