"""Samples: kept whole, found by name, never lost, never outside their folder."""

from __future__ import annotations

import errno
import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modules.core_components import atomic
from modules.core_components.audio.files import (
    audio_sha256,
    encode_speech,
    read_speech,
    write_speech,
)
from modules.core_components.audio.sample_quality import SampleFinding
from modules.core_components.errors import BadInputError, DiskFullError, NotFoundError
from modules.core_components.library import SampleLibrary
from modules.core_components.values import Consent, Speech
from tests.helpers.espeak import espeak

CONSENT = Consent(speaker="Anna", agreed=True, note="by mail")


def recording(seed: int = 0, seconds: float = 0.5, rate_hz: int = 24_000) -> Speech:
    noise = np.random.default_rng(seed).normal(scale=0.1, size=round(seconds * rate_hz))
    return Speech(noise.astype(np.float32), rate_hz)


def wav(seed: int = 0, seconds: float = 0.5, rate_hz: int = 24_000) -> bytes:
    return encode_speech(recording(seed, seconds, rate_hz), "wav")


def open_library(folder: Path) -> SampleLibrary:
    return SampleLibrary(folder, max_duration_s=60.0, check=lambda _: ())


@pytest.fixture
def library(tmp_path: Path) -> SampleLibrary:
    return open_library(tmp_path / "samples")


def files(library: SampleLibrary, tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "samples").iterdir()}


def test_a_sample_comes_back_as_it_was_given(library: SampleLibrary, tmp_path: Path) -> None:
    source = tmp_path / "my recording.wav"
    source.write_bytes(wav())
    added = library.add(source, "Anna / warm 🎙️", " Good morning. ", "en", CONSENT, {"demo": True})
    (listed,) = open_library(tmp_path / "samples").list()
    assert listed == added
    assert listed.name == "Anna / warm 🎙️"
    assert listed.path == (tmp_path / "samples" / "Anna_warm.wav").resolve()
    assert listed.ref_text == "Good morning."
    assert listed.language == "en"
    assert listed.consent == CONSENT
    assert listed.duration_s == 0.5
    assert listed.created
    assert listed.info["demo"] is True
    assert listed.info["original_name"] == "my recording.wav"
    assert len(listed.info["original_sha256"]) == 64
    assert listed.audio_sha256 == audio_sha256(read_speech(listed.path))


def test_48_khz_24_bit_stereo_becomes_16_bit_mono_at_its_rate(library: SampleLibrary) -> None:
    buffer = io.BytesIO()
    stereo = np.random.default_rng(0).normal(scale=0.1, size=(48_000, 2))
    soundfile.write(buffer, stereo, 48_000, format="WAV", subtype="PCM_24")
    about = soundfile.info(library.add(buffer.getvalue(), "studio").path)
    assert (about.samplerate, about.channels, about.subtype) == (48_000, 1, "PCM_16")


def test_a_higher_rate_comes_down_to_48_khz(library: SampleLibrary) -> None:
    sample = library.add(wav(rate_hz=96_000), "high")
    assert read_speech(sample.path).sample_rate_hz == 48_000
    assert sample.duration_s == pytest.approx(0.5)


def test_beyond_full_scale_is_turned_down_and_not_clipped(library: SampleLibrary) -> None:
    loud = recording().samples * 20
    buffer = io.BytesIO()
    soundfile.write(buffer, loud, 24_000, format="WAV", subtype="FLOAT")
    kept = read_speech(library.add(buffer.getvalue(), "loud").path).samples
    np.testing.assert_allclose(kept, loud * (0.99 / np.abs(loud).max()), atol=1e-4)


def test_warnings_of_the_check_are_kept_with_the_sample(tmp_path: Path) -> None:
    finding = SampleFinding("level", "It is very quiet.")
    library = SampleLibrary(tmp_path, 60.0, check=lambda _: (finding,))
    library.add(wav(), "quiet")
    assert library.get("quiet").info["warnings"] == ["It is very quiet."]


def test_a_recording_without_speech_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    library = SampleLibrary(tmp_path, 60.0)
    with pytest.raises(BadInputError, match="no speech in this recording"):
        library.add(wav(seconds=4.0), "noise")
    assert list(tmp_path.iterdir()) == []


def test_speech_passes_the_real_check(tmp_path: Path) -> None:
    spoken = espeak("The studio clones a voice from a sample, and then it reads this aloud.")
    sample = SampleLibrary(tmp_path, 60.0).add(encode_speech(spoken, "mp3"), "robot")
    assert sample.duration_s == pytest.approx(spoken.duration_s, abs=0.01)


def test_too_long_is_refused_before_it_is_all_decoded(tmp_path: Path) -> None:
    library = SampleLibrary(tmp_path, max_duration_s=1.0)
    with pytest.raises(BadInputError, match="longer than 1 seconds"):
        library.add(wav(seconds=2.0), "long")


# Names


def test_a_taken_name_gets_a_number(library: SampleLibrary) -> None:
    names = [library.add(wav(seed), "Anna").name for seed in range(3)]
    assert names == ["Anna", "Anna 2", "Anna 3"]
    assert [sample.name for sample in library.list()] == names


def test_names_that_make_the_same_file_stay_two_samples(library: SampleLibrary) -> None:
    first, second = library.add(wav(1), "a/b"), library.add(wav(2), "a.b")
    assert first.path != second.path
    assert library.get("a/b").audio_sha256 == first.audio_sha256
    assert library.get("a.b").audio_sha256 == second.audio_sha256


def test_a_name_wins_over_the_file_name_of_another(library: SampleLibrary) -> None:
    library.add(wav(1), "a/b")  # lies in a_b.wav
    library.add(wav(2), "a_b")  # lies in a_b_2.wav
    assert library.get("a_b").path.name == "a_b_2.wav"
    assert library.get("a_b_2").name == "a_b"


def test_an_unknown_name_suggests_near_ones(library: SampleLibrary) -> None:
    library.add(wav(), "Annabel")
    with pytest.raises(NotFoundError, match="Did you mean Annabel"):
        library.get("Anabel")


@pytest.mark.parametrize("name", ["../secret", "..", ".", "", "secret.wav", "/etc/passwd", "a\0b"])
def test_a_name_is_never_a_path(library: SampleLibrary, tmp_path: Path, name: str) -> None:
    write_speech(tmp_path / "secret.wav", recording())
    for use in (library.get, library.delete, lambda typed: library.update(typed, ref_text="x")):
        with pytest.raises(NotFoundError):
            use(name)
    assert (tmp_path / "secret.wav").exists()


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
@given(names=st.lists(st.text(max_size=20), min_size=1, max_size=3))
def test_any_name_can_be_added_found_and_deleted(
    tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    library = open_library(folder / "samples")
    for seed, name in enumerate(names):
        sample = library.add(wav(seed, seconds=0.02), name)
        assert library.get(sample.name) == sample
        assert sample.path.parent == (folder / "samples").resolve()
    assert len(library.list()) == len(names)
    for sample in library.list():
        library.delete(sample.name)
    assert library.list() == ()
    assert [path.name for path in folder.iterdir()] == ["samples"]


def test_a_link_that_leads_out_is_no_sample(library: SampleLibrary, tmp_path: Path) -> None:
    write_speech(tmp_path / "secret.wav", recording())
    (tmp_path / "samples" / "link.wav").symlink_to(tmp_path / "secret.wav")
    assert library.list() == ()
    with pytest.raises(NotFoundError):
        library.get("link")


def test_a_linked_json_is_not_followed(library: SampleLibrary, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"ref_text": "secret"}')
    write_speech(tmp_path / "samples" / "voice.wav", recording())
    (tmp_path / "samples" / "voice.json").symlink_to(secret)
    assert library.get("voice").ref_text == ""
    library.update("voice", ref_text="mine")
    assert secret.read_text() == '{"ref_text": "secret"}'


# The same recording twice


def test_the_same_audio_is_kept_once_and_says_where(library: SampleLibrary, tmp_path: Path) -> None:
    library.add(wav(), "Anna", "old text", "en", CONSENT)
    again = library.add(encode_speech(recording(), "flac"), "Bea", ref_text="new text")
    assert again.name == "Anna"
    assert "already lies here as 'Anna'" in again.info["warnings"][0]
    assert again.ref_text == "new text"
    assert again.language == "en"
    assert again.consent == CONSENT
    assert files(library, tmp_path) == {"Anna.wav", "Anna.json"}
    assert library.get("Anna").info["warnings"] == []  # said once, not for ever


def test_a_consent_that_names_nobody_names_the_sample(library: SampleLibrary) -> None:
    assert library.add(wav(), "Anna", consent=Consent(" ", True)).consent == Consent("Anna", True)
    library.update("Anna", consent=CONSENT)
    again = library.add(wav(), "copy", consent=Consent("", True))
    assert again.consent == Consent("Anna", True)


def test_a_withdrawn_consent_is_kept(library: SampleLibrary) -> None:
    library.add(wav(), "Anna", consent=CONSENT)
    library.add(wav(), "Anna", consent=Consent("Anna", agreed=False))
    kept = library.get("Anna").consent
    assert kept is not None
    assert kept.agreed is False


def test_many_threads_adding_lose_nothing(library: SampleLibrary) -> None:
    contents = [wav(seed) for seed in range(8)]
    threads = [
        threading.Thread(target=library.add, args=(content, "same")) for content in contents * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    samples = library.list()
    assert len({sample.audio_sha256 for sample in samples}) == len(samples) == 8
    assert len({sample.name for sample in samples}) == 8


# Files that came by hand, or came to harm


def test_a_wav_dropped_into_the_folder_is_a_sample(library: SampleLibrary, tmp_path: Path) -> None:
    write_speech(tmp_path / "samples" / "by hand.v2.wav", recording())
    sample = library.get("by hand.v2")
    assert sample.ref_text == ""
    assert sample.consent is None
    assert sample.duration_s == 0.5
    assert sample.audio_sha256 == audio_sha256(read_speech(sample.path))
    library.update("by hand.v2", ref_text="Now it has words.")
    assert open_library(tmp_path / "samples").get("by hand.v2").ref_text == "Now it has words."


def test_a_replaced_recording_gets_a_new_hash_and_keeps_its_text(library: SampleLibrary) -> None:
    first = library.add(wav(1), "Anna", "text")
    write_speech(first.path, recording(2, seconds=0.7))
    os.utime(first.path, (1, 1))
    replaced = library.get("Anna")
    assert replaced.audio_sha256 == audio_sha256(read_speech(first.path)) != first.audio_sha256
    assert replaced.duration_s == 0.7
    assert replaced.ref_text == "text"


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_json_is_set_aside(
    library: SampleLibrary, tmp_path: Path, content: bytes
) -> None:
    library.add(wav(), "Anna", "text")
    path = tmp_path / "samples" / "Anna.json"
    path.write_bytes(content)
    assert library.get("Anna").ref_text == ""
    assert path.with_suffix(".json.damaged").read_bytes() == content
    assert library.get("Anna").duration_s == 0.5


def test_values_of_the_wrong_type_do_not_hide_a_sample(
    library: SampleLibrary, tmp_path: Path
) -> None:
    library.add(wav(), "Anna")
    odd = {"name": 5, "ref_text": None, "consent": "yes", "duration_s": "long", "info": []}
    (tmp_path / "samples" / "Anna.json").write_text(json.dumps(odd))
    sample = library.get("Anna")
    assert (sample.name, sample.ref_text, sample.consent) == ("Anna", "", None)
    assert sample.duration_s == 0.5


def test_what_a_newer_version_wrote_is_kept(library: SampleLibrary, tmp_path: Path) -> None:
    library.add(wav(), "Anna")
    path = tmp_path / "samples" / "Anna.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "mood": "cheerful"}))
    library.update("Anna", language="de")
    written = json.loads(path.read_text())
    assert written["mood"] == "cheerful"
    assert written["language"] == "de"


def test_a_file_that_is_no_recording_is_named_and_hides_nothing(
    library: SampleLibrary, tmp_path: Path
) -> None:
    library.add(wav(), "Anna")
    (tmp_path / "samples" / "text.wav").write_text("not audio")
    (tmp_path / "samples" / "README.md").write_text("hello")
    assert [sample.name for sample in library.list()] == ["Anna"]
    assert set(library.unusable()) == {"text.wav"}


def test_a_json_without_recording_is_nothing(library: SampleLibrary, tmp_path: Path) -> None:
    (tmp_path / "samples" / "Anna.json").write_text('{"name": "Anna"}')
    assert library.list() == ()
    assert library.add(wav(), "Anna").path.name == "Anna_2.wav"


@pytest.mark.parametrize("nth", [1, 2])
def test_a_full_disk_leaves_the_library_as_it_was(
    library: SampleLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    library.add(wav(1), "Anna")
    before = files(library, tmp_path)
    write, calls = Path.write_bytes, []

    def full(path: Path, content: bytes) -> int:
        calls.append(path)
        if len(calls) < nth:
            return write(path, content)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFullError):
        library.add(wav(2), "Bea")
    assert files(library, tmp_path) == before


def test_a_crash_between_the_two_files_leaves_no_half_sample(
    library: SampleLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As kill -9 would: the JSON is there, the recording's rename never happened."""
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
    monkeypatch.setattr(atomic, "_flush_folder", lambda _: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        library.add(wav(), "Anna")
    monkeypatch.undo()
    reopened = open_library(tmp_path / "samples")
    assert reopened.list() == ()
    assert reopened.add(wav(), "Anna").duration_s == 0.5


# Changing and deleting


def test_update_changes_only_what_is_given(library: SampleLibrary) -> None:
    library.add(wav(), "Anna", "text", "en", CONSENT)
    library.update("Anna", new_name="Anna the second")
    sample = library.get("Anna the second")
    assert (sample.ref_text, sample.language, sample.consent) == ("text", "en", CONSENT)
    assert sample.path.name == "Anna.wav"


def test_a_new_name_must_be_free(library: SampleLibrary) -> None:
    library.add(wav(1), "Anna")
    library.add(wav(2), "Bea")
    with pytest.raises(BadInputError, match="already is a sample"):
        library.update("Bea", new_name="anna")
    assert library.update("Bea", new_name="BEA").name == "BEA"


def test_deleting_can_be_undone(library: SampleLibrary, tmp_path: Path) -> None:
    added = library.add(wav(), "Anna", "text", consent=CONSENT)
    trash_id = library.delete("Anna")
    assert library.list() == ()
    assert [entry.name for entry in library.trash.entries()] == ["Anna"]
    assert library.restore(trash_id) == added
    assert library.list() == (added,)
    assert library.trash.entries() == ()


def test_a_restored_sample_gives_way_to_its_successor(library: SampleLibrary) -> None:
    trash_id = library.add(wav(1), "Anna") and library.delete("Anna")
    library.add(wav(2), "Anna")
    restored = library.restore(trash_id)
    assert restored.name == "Anna 2"
    assert {sample.name for sample in library.list()} == {"Anna", "Anna 2"}


def test_emptied_trash_is_gone(library: SampleLibrary, tmp_path: Path) -> None:
    library.add(wav(), "Anna")
    trash_id = library.delete("Anna")
    assert library.trash.empty() == 1
    assert not list((tmp_path / "samples").rglob("*.wav"))
    with pytest.raises(NotFoundError):
        library.restore(trash_id)


@pytest.mark.parametrize("trash_id", ["..", "../..", "/etc", "", "."])
def test_a_trash_id_is_never_a_path(library: SampleLibrary, trash_id: str) -> None:
    library.add(wav(), "Anna")
    library.delete("Anna")
    with pytest.raises(NotFoundError):
        library.restore(trash_id)


def test_a_voice_of_several_samples(library: SampleLibrary) -> None:
    one, two = (library.add(wav(seed), f"Anna {seed}", f"Text {seed}.") for seed in (1, 2))
    both = library.voice("Anna 1 + Anna 2")
    assert [part.name for part in both.recordings] == ["Anna 1", "Anna 2"]
    assert both.audio_sha256 not in (one.audio_sha256, two.audio_sha256)
    assert both.audio_sha256 != library.voice("Anna 2+Anna 1").audio_sha256
    assert both.ref_text == "Text 1. Text 2."
    assert library.voice("Anna 1") == one
    assert one.recordings == (one,)
    plus = library.add(wav(3), "Anna 1 + Anna 2")
    assert library.voice("Anna 1 + Anna 2") == plus
    with pytest.raises(NotFoundError, match="Berta"):
        library.voice("Anna 1 + Berta")
