"""What folders, archives and files bring: recordings found under the names metadata gives them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from modules.tools.dataset.inputs import FileIndex, Gathered, gather

LAYOUTS = {
    "capital ending": (["wavs/x.WAV", "wavs/y.Wav"], ["x", "y"]),
    "capital ending as written": (["x.WAV", "y.WAV"], ["x.wav", "y.wav"]),
    "capital folder": (["WAVS/x.wav", "WAVS/y.wav"], ["wavs/x.wav", "wavs/y.wav"]),
    "wav folder": (["wav/x.wav", "wav/y.wav"], ["x", "y"]),
    "wav folder, written wavs": (["wav/x.wav", "wav/y.wav"], ["wavs/x.wav", "wavs/y.wav"]),
    "clips folder": (["clips/x.mp3", "clips/y.mp3"], ["x.mp3", "y.mp3"]),
    "deep": (["data/2024/x.wav", "data/2024/y.wav"], ["x", "y"]),
    "absolute": (["wavs/x.wav", "wavs/y.wav"], ["/home/me/d/wavs/x.wav", "/home/me/d/wavs/y.wav"]),
    "windows": (["wavs/x.wav", "wavs/y.wav"], ["C:\\d\\wavs\\x.wav", "wavs\\y.wav"]),
    "windows network": (["x.wav", "y.wav"], ["\\\\nas\\d\\x.wav", "d:/y.wav"]),
    "url": (["wavs/a b.wav", "wavs/y.wav"], ["file:///d/wavs/a%20b.wav", "file://d/y.wav"]),
    "dots": (["wavs/x.wav", "wavs/y.wav"], ["./wavs/x.wav", "../wavs/y.wav"]),
    "quotes": (["wavs/x.wav", "wavs/y.wav"], ['"wavs/x.wav"', "'y'"]),
    "other ending": (["wavs/x.flac", "wavs/y.m4a"], ["x.wav", "wavs/y.wav"]),
    "dots in ids": (["wavs/x.1.wav", "wavs/x.2.wav"], ["x.1", "x.2"]),
    "composed": (["wavs/u\u0308ber.wav", "wavs/y.wav"], ["\u00fcber", "y"]),
}
FILES = ("metadata.csv", "metadata.txt", "Metadata.TXT", "metadata_train.csv", "list.txt",
         "train.list", "transcripts.tsv", "filelist.psv")  # fmt: skip


def place(folder: Path, names: list[str], rows: list[str], metadata: str = "metadata.csv") -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"RIFF")
    (folder / metadata).write_text(
        "".join(f"{row}|Text number {n}.\n" for n, row in enumerate(rows)), encoding="utf-8"
    )
    return folder


def texts(gathered: Gathered) -> dict[str, str]:
    return {
        recording.name.rpartition("/")[2]: recording.row.text if recording.row else ""
        for recording in gathered.recordings
    }


@pytest.mark.parametrize("given", ["folder", "zip", "file", "upload"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_recordings_are_found(tmp_path: Path, layout: str, given: str) -> None:
    names, rows = LAYOUTS[layout]
    folder = place(tmp_path / "speech", names, rows)
    inputs, called = [folder], ()
    if given == "zip":
        inputs = [Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))]
    elif given == "file":
        inputs = [folder / "metadata.csv"]
    elif given == "upload":  # files under other names, without their folders
        inputs = [tmp_path / f"{number}" for number in range(len(names) + 1)]
        sources = [folder / "metadata.csv", *(folder / name for name in names)]
        for source, copy in zip(sources, inputs, strict=True):
            shutil.copyfile(source, copy)
        called = tuple(source.name for source in sources)
    gathered = gather(inputs, called, tmp_path / "unpacked")
    assert gathered.refused == ()
    assert gathered.unused == ()
    assert texts(gathered) == {Path(name).name: f"Text number {n}." for n, name in enumerate(names)}


@pytest.mark.parametrize("by_itself", [False, True])
@pytest.mark.parametrize("metadata", FILES)
def test_metadata_is_known_by_what_it_holds(tmp_path: Path, metadata: str, by_itself: bool) -> None:
    folder = place(tmp_path / "speech", ["wavs/x.wav", "wavs/y.wav"], ["x", "y"], metadata)
    given = folder / metadata if by_itself else folder
    gathered = gather([given], (), tmp_path / "unpacked")
    assert texts(gathered) == {"x.wav": "Text number 0.", "y.wav": "Text number 1."}
    assert (gathered.refused, gathered.unused) == ((), ())


def test_what_is_not_used_is_named(tmp_path: Path) -> None:
    folder = place(tmp_path / "speech", ["wavs/x.wav"], ["x"])
    for name in ("README", "notes.txt", "cover.jpg", "wavs/x.lab", "speakers.csv"):
        (folder / name).write_text("Dear diary, it rains.")
    for known in (".DS_Store", "lang.txt", "Thumbs.db"):
        (folder / known).write_text("en")
    unused = {
        f"speech/{n}" for n in ("README", "notes.txt", "cover.jpg", "wavs/x.lab", "speakers.csv")
    }
    gathered = gather([folder], (), tmp_path / "unpacked")
    assert set(gathered.unused) == unused
    assert texts(gathered) == {"x.wav": "Text number 0."}
    packed = tmp_path / "speech.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder).as_posix())
    gathered = gather([packed], (), tmp_path / "unpacked")
    assert {name.replace("speech.zip", "speech") for name in gathered.unused} == unused


def test_a_recording_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    folder = place(tmp_path / "speech", ["one/x.wav", "two/x.wav"], ["x"])
    (refused,) = gather([folder], (), tmp_path / "unpacked").refused
    assert refused.name == "speech/metadata.csv, line 1"
    assert refused.message == "x may be one/x.wav or two/x.wav."
    (folder / "metadata.csv").write_text("two/x|Here it is.\n")
    assert [r.name for r in gather([folder], (), tmp_path / "unpacked").recordings if r.row] == [
        "speech/two/x.wav"
    ]


def test_rows_without_a_recording_and_files_without_metadata(tmp_path: Path) -> None:
    folder = place(tmp_path / "speech", ["wavs/x.wav"], ["x", "gone"])
    gathered = gather([folder / "metadata.csv"], (), tmp_path / "unpacked")
    assert [r.message for r in gathered.refused] == ["There is no file gone."]
    table = tmp_path / "prices.csv"
    table.write_text("bread,2\nmilk,3\n")
    (refused,) = gather([table], (), tmp_path / "unpacked").refused
    assert refused.name == "prices.csv"
    assert "no metadata" in refused.message


def test_lists_of_one_collection_may_overlap(tmp_path: Path) -> None:
    folder = place(tmp_path / "speech", ["wavs/x.wav", "wavs/y.wav"], ["x", "y"])
    (folder / "metadata_eval.csv").write_text("x|Text number 0.\ny|Another text.\n")
    gathered = gather([folder], (), tmp_path / "unpacked")
    assert len(gathered.recordings) == 2
    assert [r.message for r in gathered.refused] == ["wavs/y.wav is named twice."]


@pytest.mark.parametrize(
    ("file", "subset"),
    [
        ("metadata_train.csv", "train"), ("metadata_eval.csv", "eval"), ("metadata.csv", ""),
        ("metadata-val.csv", "eval"), ("dev.tsv", "eval"), ("validation.txt", "eval"),
    ],
)  # fmt: skip
def test_the_name_of_a_file_says_what_it_is_for(tmp_path: Path, file: str, subset: str) -> None:
    folder = place(tmp_path / "speech", ["wavs/x.wav"], ["x"], file)
    (recording,) = gather([folder], (), tmp_path / "unpacked").recordings
    assert recording.row is not None
    assert recording.row.subset == subset


def test_the_nearest_of_several_is_taken() -> None:
    index = FileIndex(["x.wav", "wavs/x.wav", "old/wavs/x.wav", "wavs/x.mp3"])
    assert index.find("x") == ("wavs/x.wav",)
    assert index.find("x.mp3") == ("wavs/x.mp3",)
    assert index.find("old/wavs/x.wav") == ("old/wavs/x.wav",)
    assert index.find("x", "old") == ("old/wavs/x.wav",)
    assert index.find("y") == index.find("") == ()
