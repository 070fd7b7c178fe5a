"""Whatever somebody types, the file name is safe, and the name is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from modules.core_components.library.names import (
    display_name,
    free_stem,
    numbered,
    safe_stem,
    unique_path,
)

NASTY = [
    "",
    " ",
    ".",
    "..",
    "../../etc/passwd",
    "..\\..\\windows",
    "/absolute",
    "C:\\voice",
    "a/b",
    ".hidden",
    "name.wav",
    "con",
    "COM1",
    "LPT¹",
    "nul.txt",
    "🎙️👍🏽",
    "x" * 300,
    "你" * 300,
    "é" * 300,
    "-rf",
    "a\x00b",
    "a\nb",
    "\ud83c",
    "\u202egnp.exe",
    "trailing. ",
]


@pytest.mark.parametrize(
    ("typed", "stem"),
    [
        ("Anna", "Anna"),
        ("Dr. Müller (warm)", "Dr_Müller_warm"),
        ("../../etc/passwd", "etc_passwd"),
        ("日本語の声", "日本語の声"),
        ("हिन्दी", "हिन्दी"),
        ("🎙️", "voice"),
        ("", "voice"),
        ("con", "voice_con"),
        ("COM¹", "voice_COM1"),
        ("-rf", "rf"),
        ("Ｆｕｌｌ", "Full"),
    ],
)
def test_examples(typed: str, stem: str) -> None:
    assert safe_stem(typed) == stem


def check_is_safe(stem: str) -> None:
    assert stem
    assert len(stem.encode("utf-8")) <= 90
    assert not set(stem) & set('/\\:*?"<>|.\0 ')
    assert not stem.startswith((".", "-"))
    assert all(character.isprintable() for character in stem)
    assert not PureWindowsPath(stem).is_reserved()
    assert Path("/library", f"{stem}.wav").resolve().parent == Path("/library")


@pytest.mark.parametrize("typed", NASTY)
def test_nasty_names_are_safe(typed: str) -> None:
    check_is_safe(safe_stem(typed))
    assert display_name(typed)


@settings(deadline=None)
@given(st.text())
@example("ﷺ" * 40)  # one character that NFKC turns into eighteen
def test_any_text_is_safe_and_stays_so(typed: str) -> None:
    stem = safe_stem(typed)
    check_is_safe(stem)
    assert safe_stem(stem) == stem


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.text(max_size=12), st.sampled_from(NASTY)), max_size=8))
def test_every_name_gets_a_file_of_its_own_inside_the_folder(typed: list[str]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for text in typed:
            path = unique_path(folder, text, ".wav")
            assert path.resolve().parent == folder
            path.touch(exist_ok=False)
        assert len(list(folder.iterdir())) == len(typed)


def test_names_are_numbered_whatever_the_suffix_or_the_case(tmp_path: Path) -> None:
    (tmp_path / "Anna.wav").touch()
    (tmp_path / "anna_2.json").touch()
    assert free_stem(tmp_path, "anna") == "anna_3"
    assert free_stem(tmp_path, "anne") == "anne"


def test_accents_are_the_same_name_however_they_are_written() -> None:
    composed, decomposed = "Zo\u00e9", "Zoe\u0301"
    assert numbered(composed, [decomposed], "{name} {number}") == f"{composed} 2"


@settings(deadline=None)
@given(st.text())
def test_a_display_name_is_one_visible_line(typed: str) -> None:
    shown = display_name(typed)
    assert shown
    assert len(shown) <= 300
    assert len(shown.splitlines()) == 1
    assert shown.encode("utf-8")


def test_a_display_name_keeps_what_was_typed() -> None:
    assert display_name("  Anna / warm 🎙️ (v1.2)\n") == "Anna / warm 🎙️ (v1.2)"
    assert display_name("\u202egnp.exe") == "gnp.exe"
