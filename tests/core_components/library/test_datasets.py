"""Datasets on the disk: derived files, changes by hand and their undoing, locks, crashes."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.core_components.dataset.values import (
    HEADER,
    Clip,
    Dataset,
    Source,
    Stretch,
    metadata_text,
)
from modules.core_components.errors import BadInputError, ModelBusyError, NotFoundError
from modules.core_components.library import DatasetLibrary
from modules.core_components.library.datasets import EditJournal
from modules.core_components.values import Word
from tests.helpers.errors import detailed


@pytest.fixture
def library(tmp_path: Path) -> DatasetLibrary:
    return DatasetLibrary(tmp_path / "datasets")


def a_clip(source: str, index: int, text: str, subset: str = "train") -> Clip:
    words = (Word(text.split()[0], 0.2, 0.5, 0.9),)
    start = index * 3.0
    return Clip(
        f"{source}_{index:04d}", source, start, start + 3, text, text, words, subset, "Anna"
    )


def filled(library: DatasetLibrary, name: str = "Aunt Anna") -> Dataset:
    dataset = library.create(name, "en-us", "Anna")
    for key, texts in {"bbbb": ["One two."], "aaaa": ["Three.", 'Four | five\n"six".']}.items():
        clips = tuple(
            a_clip(key, i, text, "eval" if i else "train") for i, text in enumerate(texts)
        )
        for clip in clips:
            dataset.wav_of(clip).write_bytes(clip.id.encode())
        source = Source(
            key,
            f"{key}.wav",
            key * 16,
            10.0,
            clips,
            (Stretch(6.0, 10.0, "silence"),),
            {"model": "x"},
        )
        dataset = library.save_source(dataset, source)
    return dataset


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_what_is_saved_is_read_back(library: DatasetLibrary) -> None:
    dataset = filled(library)
    assert DatasetLibrary(library.folder).get("aunt anna") == dataset
    assert library.list() == (dataset,)
    assert [clip.id for clip in dataset.clips] == ["aaaa_0000", "aaaa_0001", "bbbb_0000"]
    assert (dataset.language, dataset.speaker) == ("en", "Anna")


def test_whether_the_speaker_agreed_is_kept(library: DatasetLibrary) -> None:
    library.create("Anna", "en", "Anna", agreed=True)
    library.create("Ben", "en", "Ben")
    assert [dataset.agreed for dataset in DatasetLibrary(library.folder).list()] == [True, False]


def test_the_trainers_files_are_derived(library: DatasetLibrary) -> None:
    folder = filled(library).folder
    rows = {
        subset: (folder / f"metadata_{subset}.csv").read_text(encoding="utf-8").splitlines()
        for subset in ("train", "eval")
    }
    assert rows["train"] == [
        HEADER,
        "wavs/aaaa_0000.wav|Three.|Anna",
        "wavs/bbbb_0000.wav|One two.|Anna",
    ]
    assert rows["eval"] == [HEADER, "wavs/aaaa_0001.wav|Four five six.|Anna"]
    assert (folder / "lang.txt").read_text() == "en\n"
    described = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    (first, second) = described["sources"]
    assert first["dropped"] == [[6.0, 10.0, "silence"]]
    assert second["made_with"] == {"model": "x"}
    assert first["clips"][0]["gain_db"] == 0.0


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_is_one_field_of_one_row(first: str, second: str) -> None:
    lines = [f"a.wav|{metadata_text(text)}|Anna" for text in (first, second)]
    assert not any(len(line.splitlines()) != 1 for line in lines)
    read = list(csv.reader(lines, delimiter="|"))
    assert [row[1] for row in read] == [metadata_text(first), metadata_text(second)]


@pytest.mark.parametrize("name", ["", "  ", "🎤", "aunt anna", "AUNT ANNA "])
def test_names_that_are_empty_or_taken_are_refused(library: DatasetLibrary, name: str) -> None:
    filled(library)
    with pytest.raises(BadInputError):
        library.create(name, "en", "Anna")


def test_a_typed_name_stays_in_the_folder(library: DatasetLibrary) -> None:
    dataset = library.create("../../etc", "it", "")
    assert dataset.folder.parent == library.folder
    assert dataset.speaker == "../../etc"
    with pytest.raises(NotFoundError):
        library.get("../datasets/etc")


def test_changes_by_hand_are_undone_one_by_one(library: DatasetLibrary) -> None:
    dataset = filled(library)
    before = content(dataset.folder)
    first, second, _ = dataset.clips
    library.update_clips(
        dataset.name,
        [replace(first, text="Free.", edited=True), replace(second, dropped="noise")],
        "fix",
        {first.id: b"trimmed"},
    )
    changed = library.update_clips(dataset.name, [replace(first, text="Tree.")], "again")
    assert changed.rows[0].text == "Tree."
    assert library.actions(dataset.name) == ("again", "fix")
    assert dataset.wav_of(first).read_bytes() == b"trimmed"
    assert "Four" not in (dataset.folder / "metadata_eval.csv").read_text()
    assert library.undo(dataset.name).rows[0].text == "Free."
    assert library.undo(dataset.name) == dataset
    assert content(dataset.folder) == before
    with pytest.raises(NotFoundError, match="by hand"):
        library.undo(dataset.name)


def test_a_change_of_an_unknown_clip_changes_nothing(library: DatasetLibrary) -> None:
    dataset = filled(library)
    before = content(dataset.folder)
    with pytest.raises(NotFoundError, check=detailed("zzzz")):
        library.update_clips(
            dataset.name, [replace(dataset.clips[0], text="x"), a_clip("zzzz", 0, "y")], "fix"
        )
    assert content(dataset.folder) == before


class Killed(BaseException):
    """The end of the process, as far as a test can have it."""


def _half_a_change(dataset: Dataset) -> None:
    journal = EditJournal(dataset.folder)
    clip = dataset.clips[0]
    journal.begin("fix", [clip], [replace(clip, text="Tree.")], {clip.id: b"trimmed"})
    with pytest.raises(Killed):
        journal.finish(_die)


def _die(clips: object) -> None:
    raise Killed


def test_a_change_that_was_killed_in_the_middle_is_finished(library: DatasetLibrary) -> None:
    dataset = filled(library)
    before = content(dataset.folder)
    _half_a_change(dataset)
    refreshed = DatasetLibrary(library.folder).refresh(dataset.name)
    assert refreshed.clips[0].text == "Tree."
    assert dataset.wav_of(dataset.clips[0]).read_bytes() == b"trimmed"
    assert "Tree." in (dataset.folder / "metadata_train.csv").read_text()
    library.undo(dataset.name)
    assert content(dataset.folder) == before


def test_an_undo_that_was_killed_in_the_middle_is_finished(library: DatasetLibrary) -> None:
    dataset = filled(library)
    before = content(dataset.folder)
    clip = dataset.clips[0]
    library.update_clips(dataset.name, [replace(clip, text="x")], "fix", {clip.id: b"other"})
    with pytest.raises(Killed):
        EditJournal(dataset.folder).take_back(_die)
    library.refresh(dataset.name)
    assert content(dataset.folder) == before


def test_a_recording_cut_anew_takes_its_old_clips_and_undo_along(library: DatasetLibrary) -> None:
    dataset = filled(library)
    source = dataset.sources[0]
    library.update_clips(dataset.name, [replace(source.clips[0], text="x")], "fix")
    after = library.save_source(dataset, replace(source, clips=source.clips[:1]))
    assert [clip.id for clip in after.clips] == ["aaaa_0000", "bbbb_0000"]
    assert not dataset.wav_of(source.clips[1]).exists()
    assert library.actions(dataset.name) == ()


def test_many_recordings_are_saved_and_derived_once(library: DatasetLibrary) -> None:
    dataset = filled(library)
    source = Source("cccc", "c.wav", "", 3.0, (a_clip("cccc", 0, "Seven."),), ())
    csv_before = (dataset.folder / "metadata_train.csv").read_bytes()
    library.add_source(dataset, source)
    assert library.get(dataset.name).sources[-1] == source
    assert (dataset.folder / "metadata_train.csv").read_bytes() == csv_before
    library.refresh(dataset.name)
    assert "Seven." in (dataset.folder / "metadata_train.csv").read_text()


def test_a_deleted_dataset_can_be_brought_back(library: DatasetLibrary) -> None:
    dataset = filled(library)
    trash_id = library.delete(dataset.name)
    assert library.list() == ()
    filled(library)
    restored = library.restore(trash_id)
    assert restored.name != dataset.name
    assert [clip.text for clip in restored.clips] == [clip.text for clip in dataset.clips]
    with pytest.raises(NotFoundError, match="trash"):
        library.restore("../" + trash_id)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda library, name: library.building(name).__enter__(),
        lambda library, name: library.delete(name),
    ],
)
def test_only_one_builds(
    library: DatasetLibrary, attempt: Callable[[DatasetLibrary, str], object]
) -> None:
    name = filled(library).name
    other = DatasetLibrary(library.folder)
    with library.building(name):
        with pytest.raises(ModelBusyError, match="being added"):
            attempt(other, name)
        other.update_clips(name, [replace(other.get(name).clips[0], text="x")], "fix")
    with other.building(name):
        pass
