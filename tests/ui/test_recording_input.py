"""Any file is taken as a recording by its content; of several audio tracks one is chosen."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from modules.core_components.audio.decode import MEDIA_SUFFIXES, RAW_FORMATS
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import BadInputError
from modules.ui.tabs.dataset import recordings as dataset_recordings
from modules.ui.widgets import recording_input
from modules.ui.widgets.recording_input import chosen, emptied, show_tracks
from tests.helpers.recordings import SoundTrack, make_video

RATE_HZ = 16_000
NOISE = np.random.default_rng(0).normal(scale=0.1, size=RATE_HZ).astype(np.float32)
WIDGETS = Path(recording_input.__file__).parents[1]


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(recording_input, "warn", said.extend)
    return said


def recording(folder: Path, name: str, container: str, codec: str, count: int = 1) -> str:
    tracks = [
        SoundTrack(NOISE, RATE_HZ, language=language, is_default=number == 1)
        for number, language in enumerate(["eng", "spa", ""][:count])
    ]
    path = folder / name
    path.write_bytes(make_video(container, ("", codec), tracks, 1, pictures=False))
    return str(path)


@pytest.mark.parametrize(
    ("name", "container", "codec"),
    [
        ("base.caf", "caf", "pcm_s16be"),
        ("clip.ts", "mpegts", "mp2"),
        ("clip.MTS", "mpegts", "mp2"),
        ("film.mkv", "matroska", "flac"),
        ("sound.mka", "matroska", "flac"),
        ("memo.aiff", "aiff", "pcm_s16be"),
        ("memo.AIFC", "aiff", "pcm_s16be"),
        ("old.au", "au", "pcm_s16be"),
        ("old.w64", "w64", "pcm_s16le"),
        ("clip.wv", "wv", "wavpack"),
        ("clip.tta", "tta", "tta"),
        ("clip.nut", "nut", "pcm_s16le"),
        ("clip.ac3", "ac3", "ac3"),
        ("clip.voc", "voc", "pcm_s16le"),
        ("clip.aac", "adts", "aac"),
        ("clip.m4b", "ipod", "aac"),
        ("note.3gp", "3gp", "aac"),
        ("call.wma", "asf", "wmav2"),
        ("recording", "wav", "pcm_s16le"),
        ("recording.bin", "ogg", "libopus"),
        ("recording.txt", "flac", "flac"),
    ],
)
def test_every_kind_is_taken(
    tmp_path: Path, warnings: list[str], name: str, container: str, codec: str
) -> None:
    rate_hz = 48_000 if codec in ("ac3", "wmav2", "mp2") else RATE_HZ
    path = tmp_path / name
    track = SoundTrack(NOISE, rate_hz)
    path.write_bytes(make_video(container, ("", codec), [track], 1, pictures=False))
    assert show_tracks(str(path))["visible"] is False
    assert not warnings


@pytest.mark.parametrize(
    ("name", "header", "frame"),
    [
        ("memo.amr", b"#!AMR\n", b"\x3c" + bytes(31)),
        ("memo.awb", b"#!AMR-WB\n", b"\x44" + bytes(60)),
        ("prompt.gsm", b"", b"\xd0" + bytes(32)),
        ("prompt.G722", b"", b"\xfa" * 160),
    ],
)
def test_what_phones_record_is_taken(
    tmp_path: Path, warnings: list[str], name: str, header: bytes, frame: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(header + 50 * frame)
    assert show_tracks(str(path))["visible"] is False
    assert not warnings
    assert read_speech(path).duration_s == pytest.approx(1.0, abs=0.5)


@pytest.mark.parametrize("content", [b"", b"Dear diary", b"\x89PNG\r\n\x1a\n" + bytes(500)])
def test_what_is_no_recording_is_reported_at_once(
    tmp_path: Path, warnings: list[str], content: bytes
) -> None:
    path = tmp_path / "notes.wav"
    path.write_bytes(content)
    assert show_tracks(str(path))["visible"] is False
    assert len(warnings) == 1
    assert "notes.wav" in warnings[0]


def test_of_several_tracks_one_is_chosen(tmp_path: Path, warnings: list[str]) -> None:
    film = recording(tmp_path, "film.mkv", "matroska", "flac", count=3)
    shown = show_tracks(film)
    assert shown["visible"] is True
    assert shown["value"] == "2"
    assert shown["choices"] == [("1 (English)", "1"), ("2 (Spanish), default", "2"), ("3", "3")]
    assert chosen(film, None, "3") == (Path(film), 3)
    assert chosen(None, film, "3") == (Path(film), 0)  # a recording of the microphone has one
    assert chosen(film, None, None) == (Path(film), 0)
    with pytest.raises(BadInputError, match="no recording yet"):
        chosen(None, None, "0")
    assert show_tracks(None)["visible"] is False
    assert emptied()[:2] == [None, None]


def test_no_upload_of_recordings_asks_the_system_for_types() -> None:
    """Gradio's kinds "audio" and "video" are what the system's table of endings says."""
    for module in (recording_input, dataset_recordings):
        assert "file_types" not in Path(module.__file__).read_text(encoding="utf-8")
    for file in WIDGETS.rglob("*.py"):
        code = file.read_text(encoding="utf-8")
        assert not re.search(r"file_types=\[[^\]]*[\"'](audio|video)[\"']", code), file
        assert not re.search(r"audio_recorder\([^)]*[\"']upload[\"']", code), file


def test_the_list_of_endings_is_well_formed() -> None:
    assert len(set(MEDIA_SUFFIXES)) == len(MEDIA_SUFFIXES)
    assert all(re.fullmatch(r"\.[a-z0-9]{2,5}", suffix) for suffix in MEDIA_SUFFIXES)
    assert set(RAW_FORMATS) <= set(MEDIA_SUFFIXES)
