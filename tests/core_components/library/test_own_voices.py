"""The voices a user keeps: named, refused, deleted, brought back."""

from __future__ import annotations

from pathlib import Path

import pytest

from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.library import VoiceLibrary
from modules.core_components.library.voices import voice_name

PACK = b"the content of a voice file"


@pytest.fixture
def voices(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


def test_a_voice_is_kept_with_what_is_known_of_it(voices: VoiceLibrary) -> None:
    kept = voices.add("Aunt Zoë – calm", PACK, "kokoro-v1.0", "en-gb", "bf_emma+bf_lily")
    assert (kept.name, kept.label) == ("Aunt_Zoë_calm", "Aunt Zoë – calm")
    assert kept.path.read_bytes() == PACK
    assert voices.list() == (kept,)
    assert VoiceLibrary(kept.path.parent).get("aunt_zoë_CALM") == kept
    assert (kept.language, kept.made_from) == ("en-gb", "bf_emma+bf_lily")


@pytest.mark.parametrize("label", ["", "  ", "🎤", "../..", "---"])
def test_a_voice_without_a_name_is_refused(voices: VoiceLibrary, label: str) -> None:
    with pytest.raises(BadInputError, match="no name"):
        voices.add(label, PACK, "kokoro-v1.0")
    assert voices.list() == ()


def test_a_name_that_is_taken_is_refused(voices: VoiceLibrary) -> None:
    voices.add("warm", PACK, "kokoro-v1.0")
    for label in ("Warm", " warm ", "AF_Heart"):
        with pytest.raises(BadInputError, match="already"):
            voices.add(label, PACK, "kokoro-v1.0", taken=("af_heart",))
    assert len(voices.list()) == 1


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("a-b", "a_b"),
        ("a--b", "a_b"),
        ("../etc/passwd", "etc_passwd"),
        ("af_bella(2)+af_sky", "af_bella_2_af_sky"),
        ("a－b", "a_b"),
        ("आवाज़", "आवाज़"),
        ("x" * 500, "x" * 80),
    ],
)
def test_names_fit_into_mixes_and_folders(label: str, name: str) -> None:
    assert voice_name(label) == name
    assert voice_name(name) == name


def test_a_deleted_voice_can_be_brought_back(voices: VoiceLibrary) -> None:
    kept = voices.add("warm", PACK, "kokoro-v1.0")
    trash_id = voices.delete("warm")
    assert voices.list() == ()
    with pytest.raises(NotFoundError, match="warm"):
        voices.get("warm")
    assert voices.restore(trash_id) == kept


def test_a_file_put_there_by_hand_is_a_voice_if_mixes_can_name_it(
    voices: VoiceLibrary, tmp_path: Path
) -> None:
    for name in ("found", "not-found"):
        (tmp_path / "voices" / f"{name}.safetensors").write_bytes(PACK)
    (found,) = voices.list("kokoro-v1.0")
    assert (found.name, found.label, found.model_id) == ("found", "found", "")
