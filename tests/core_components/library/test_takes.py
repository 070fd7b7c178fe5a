"""Takes: with everything to make them again, never two under one id, newest first."""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.audio.files import (
    audio_sha256,
    encode_speech,
    pcm_sha256,
    read_speech,
)
from modules.core_components.errors import DiskFullError, NotFoundError
from modules.core_components.library import TakeLibrary, audio_folder
from modules.core_components.library.takes import TakeChoices, TakeFilter
from modules.core_components.values import Scores, Speech

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)


def speech(seed: int = 0) -> Speech:
    samples = np.random.default_rng(seed).normal(scale=0.1, size=6000).astype(np.float32)
    return Speech(samples, 24_000)


def fields(**changes: Any) -> dict[str, Any]:
    known = {
        "text": "Good morning, everybody.",
        "kind": "sample",
        "voice": "Anna / warm",
        "engine": "Kokoro",
        "model_id": "kokoro-v1.0",
        "model_revision": "abc",
        "language": "en-us",
        "seed": 7,
        "options": {"speed": 1.0, "steps": 60},
        "app_version": "0.1.0",
        "sample_sha256": "f" * 64,
        "scores": Scores(similarity=0.87, heard="good morning everybody", word_error_rate=0.0),
        "timings_s": {"speak": 1.5},
        "environment": {"torch": "2.13.0"},
    }
    return {**known, **changes}


class Clock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def takes(tmp_path: Path, clock: Callable[[], datetime]) -> TakeLibrary:
    return TakeLibrary(tmp_path / "output", clock)


def test_a_take_comes_back_as_it_was_saved(takes: TakeLibrary, tmp_path: Path) -> None:
    saved = takes.save(fields(), speech())
    assert saved.id == "20260301-120000-123456_Anna_warm"
    assert TakeLibrary(tmp_path / "output").get(saved.id) == saved
    assert takes.list() == (saved,)
    assert saved.created == NOON.isoformat()
    assert saved.duration_s == 0.25
    assert saved.path.with_suffix(".json").exists()


@pytest.mark.parametrize("fmt", ["wav", "flac", "mp3"])
def test_the_hashes_say_whether_it_was_made_again(takes: TakeLibrary, fmt: str) -> None:
    take = takes.save(fields(), speech(), fmt)
    assert take.path.suffix == f".{fmt}"
    assert take.audio_sha256 == audio_sha256(speech())
    assert take.audio_sha256 != audio_sha256(speech(1))
    if fmt != "mp3":
        assert take.pcm_sha256 == pcm_sha256(read_speech(take.path))


def test_two_takes_in_the_same_microsecond_both_live(takes: TakeLibrary) -> None:
    first, second = takes.save(fields(), speech(1)), takes.save(fields(), speech(2))
    assert first.id != second.id
    assert {take.audio_sha256 for take in takes.list()} == {
        audio_sha256(speech(1)),
        audio_sha256(speech(2)),
    }


def test_two_studios_on_one_folder_never_share_an_id(tmp_path: Path, clock: Clock) -> None:
    libraries = [TakeLibrary(tmp_path, clock) for _ in range(4)]
    threads = [
        threading.Thread(target=library.save, args=(fields(), speech(seed), fmt))
        for seed, library in enumerate(libraries)
        for fmt in ("wav", "flac")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = libraries[0].list()
    assert len({take.id for take in found}) == 8
    assert {take.audio_sha256 for take in found} == {audio_sha256(speech(n)) for n in range(4)}


def test_a_name_that_another_process_takes_in_between_is_left_to_it(
    takes: TakeLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_stem = audio_folder.free_stem

    def lost_race(folder: Path, wanted: str) -> str:
        stem = free_stem(folder, wanted)
        if stem == wanted:
            (folder / f"{stem}.json").write_text("theirs")
        return stem

    monkeypatch.setattr(audio_folder, "free_stem", lost_race)
    take = takes.save(fields(), speech())
    assert take.id.endswith("_Anna_warm_2")
    theirs = tmp_path / "output" / f"{take.id.removesuffix('_2')}.json"
    assert theirs.read_text() == "theirs"


def save_series(takes: TakeLibrary, clock: Clock, count: int) -> list[str]:
    """Ids of takes a day apart, the oldest first."""
    ids = []
    for number in range(count):
        clock.now = NOON + timedelta(days=number)
        ids.append(takes.save(fields(text=f"Sentence number {number}"), speech(number)).id)
    return ids


def test_newest_first_in_pages(takes: TakeLibrary, clock: Clock) -> None:
    ids = save_series(takes, clock, 7)[::-1]
    pages = [[take.id for take in takes.list(limit=3, offset=start)] for start in (0, 3, 6, 9)]
    assert pages == [ids[:3], ids[3:6], ids[6:], []]
    assert takes.count() == 7


def test_search_finds_words_in_text_and_voice(takes: TakeLibrary, clock: Clock) -> None:
    save_series(takes, clock, 3)
    clock.now += timedelta(hours=1)
    takes.save(fields(text="Straße im Regen", voice="Bea"), speech(9))
    assert [take.text for take in takes.list(wanted=TakeFilter("NUMBER 1"))] == [
        "Sentence number 1"
    ]
    assert [take.voice for take in takes.list(wanted=TakeFilter("bea regen"))] == ["Bea"]
    assert [take.voice for take in takes.list(wanted=TakeFilter("STRASSE"))] == ["Bea"]
    assert takes.count(TakeFilter("sentence")) == 3
    assert len(takes.list(2, 1, TakeFilter("sentence"))) == 2
    assert takes.list(wanted=TakeFilter("nothing of that")) == ()


def test_a_sound_file_without_json_is_listed_where_its_time_puts_it(
    takes: TakeLibrary, clock: Clock, tmp_path: Path
) -> None:
    older, newer = save_series(takes, clock, 2)
    dropped = tmp_path / "output" / "from elsewhere.wav"
    dropped.write_bytes(encode_speech(speech(), "wav"))
    between = (NOON + timedelta(hours=5)).timestamp()
    os.utime(dropped, (between, between))
    assert [take.id for take in takes.list()] == [newer, "from elsewhere", older]
    take = takes.get("from elsewhere")
    assert (take.duration_s, take.sample_rate_hz, take.text) == (0.25, 24_000, "")


def test_a_broken_sound_file_is_listed_too(takes: TakeLibrary, tmp_path: Path) -> None:
    (tmp_path / "output" / "broken.wav").write_bytes(b"RIFF")
    assert takes.get("broken").duration_s == 0.0


def test_files_that_differ_in_the_suffix_are_two_takes(takes: TakeLibrary, tmp_path: Path) -> None:
    for fmt in ("wav", "mp3"):
        (tmp_path / "output" / f"clip.{fmt}").write_bytes(encode_speech(speech(), fmt))
    ids = {take.id for take in takes.list()}
    assert len(ids) == 2
    assert {takes.get(take_id).path.suffix for take_id in ids} == {".wav", ".mp3"}


def test_json_without_sound_and_folders_are_nothing(takes: TakeLibrary, tmp_path: Path) -> None:
    (tmp_path / "output" / "lost.json").write_text("{}")
    (tmp_path / "output" / "transcripts.wav").mkdir()
    assert takes.list() == ()
    assert takes.count() == 0


@pytest.mark.parametrize("take_id", ["../secret", "..", "", ".", "secret.wav", "/etc/passwd"])
def test_an_id_is_never_a_path(takes: TakeLibrary, tmp_path: Path, take_id: str) -> None:
    (tmp_path / "secret.wav").write_bytes(b"x")
    for use in (takes.get, takes.delete, takes.restore):
        with pytest.raises(NotFoundError):
            use(take_id)


def test_an_older_or_newer_json_is_read_as_far_as_it_goes(
    takes: TakeLibrary, tmp_path: Path
) -> None:
    take = takes.save(fields(), speech())
    path = take.path.with_suffix(".json")
    record = json.loads(path.read_text())
    del record["pcm_sha256"], record["environment"]
    record["scores"] = {
        "similarity": 1, "charm": 0.9, "word_error_rate": "low", "speaker_encoder": 7,
    }  # fmt: skip
    record["seed"] = "seven"
    path.write_text(json.dumps({**record, "mood": "cheerful"}))
    read = takes.get(take.id)
    assert (read.pcm_sha256, read.environment, read.seed) == ("", {}, 0)
    assert read.scores == Scores(similarity=1.0)
    assert read.text == take.text


def test_a_full_disk_leaves_nothing(
    takes: TakeLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError, match="Free some space"):
        takes.save(fields(), speech())
    assert list((tmp_path / "output").iterdir()) == []


def test_a_text_with_half_an_emoji_survives(takes: TakeLibrary) -> None:
    take = takes.save(fields(text="broken \ud83c paste"), speech())
    assert takes.get(take.id).text == "broken \ud83c paste"


def test_takes_are_filtered_by_all_that_is_asked(takes: TakeLibrary, clock: Clock) -> None:
    old = takes.save(fields(voice="Bea", engine="XTTS"), speech())
    clock.now += timedelta(days=2)
    new = takes.save(fields(kind="preset", voice="Carl"), speech(1))

    def found(**wanted: Any) -> list[str]:
        return [take.voice for take in takes.list(wanted=TakeFilter(**wanted))]

    assert found() == ["Carl", "Bea"]
    assert found(kind="preset") == found(engine="Kokoro") == found(voice="Carl") == ["Carl"]
    assert found(since=NOON + timedelta(days=1)) == ["Carl"]
    assert found(since=NOON) == ["Carl", "Bea"]
    assert found(engine="XTTS", kind="preset") == found(favourites=True) == []
    takes.mark_favourite(old.id, True)
    assert found(favourites=True) == ["Bea"]
    assert found(favourites=True, search="carl") == []
    assert takes.count(TakeFilter(favourites=True)) == 1
    assert takes.choices() == TakeChoices(("preset", "sample"), ("Bea", "Carl"), ("Kokoro", "XTTS"))
    takes.delete(new.id)
    assert takes.choices().voices == ("Bea",)


def test_a_favourite_stays_one_and_nothing_else_changes(takes: TakeLibrary, tmp_path: Path) -> None:
    saved = takes.save(fields(), speech())
    marked = takes.mark_favourite(saved.id, True)
    assert marked.favourite
    assert replace(marked, favourite=False) == saved
    assert TakeLibrary(tmp_path / "output").get(saved.id) == marked
    assert takes.restore(takes.delete(saved.id)) == marked
    assert takes.mark_favourite(saved.id, False) == saved
    (tmp_path / "output" / "clip.wav").write_bytes(encode_speech(speech(), "wav"))
    bare = takes.mark_favourite("clip", True)
    assert (bare.favourite, bare.voice, bare.duration_s) == (True, "clip", 0.25)
    with pytest.raises(NotFoundError):
        takes.mark_favourite("../secret", True)


def test_a_record_that_changes_is_read_again(takes: TakeLibrary) -> None:
    take = takes.save(fields(), speech())
    path = take.path.with_suffix(".json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "text": "Something longer than before."}))
    assert takes.get(take.id).text == "Something longer than before."


def test_deleting_can_be_undone(takes: TakeLibrary) -> None:
    take = takes.save(fields(), speech())
    trash_id = takes.delete(take.id)
    assert takes.list() == ()
    assert takes.restore(trash_id) == take
    assert takes.list() == (take,)
    takes.delete(take.id)
    assert takes.trash.empty() == 1
    assert takes.trash.entries() == ()
