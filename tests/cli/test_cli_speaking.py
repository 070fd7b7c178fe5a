"""`clone`, `speak`, `design`, `transcribe`, `export-voice` and `doctor`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from modules.core_components.audio.files import audio_sha256, read_speech
from modules.core_components.errors import BadInputError
from modules.tools.doctor import examine
from modules.tools.services import Services
from modules.tools.speaking.history import export_take
from tests.cli.conftest import Command
from tests.helpers.espeak import espeak
from tests.helpers.fakes import ECHO, SINE, add_noise
from tests.helpers.recordings import SoundTrack, make_video

Words = Callable[..., str]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "anna.wav"
    speech = espeak("A single lamp burned above the customs house. " * 2)
    soundfile.write(path, speech.samples, speech.sample_rate_hz)
    return path


def test_clone_adds_the_sample_and_speaks_with_it(
    command: Command, services: Services, recording: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.flac"
    said = command(
        "clone", "--sample", str(recording), "--text", "Good day.", "--out", str(out),
        "--seed", "7", "--speaker", "Anna B.", "--no-scores", "--set", "steady=true",
    )  # fmt: skip
    assert (said["voice"], said["kind"], said["seed"], said["out"]) == (
        "anna",
        "sample",
        7,
        str(out),
    )
    assert said["options"]["steady"] is True
    consent = services.samples.get("anna").consent
    assert consent is not None
    assert (consent.speaker, consent.agreed) == ("Anna B.", True)
    (take,) = services.takes.list()
    assert audio_sha256(read_speech(out)) == audio_sha256(read_speech(take.path))


def test_speak_finds_presets_and_samples_by_name(
    command: Command, services: Services, tmp_path: Path
) -> None:
    add_noise(services, "Berta")
    out = str(tmp_path / "out.wav")
    text = tmp_path / "text.txt"
    text.write_text("One two.", encoding="utf-8")
    for voice, kind in (("high", "preset"), ("Berta", "sample")):
        said = command("speak", "--voice", voice, "--text", f"@{text}", "--out", out, "--seed", "1")
        assert (said["voice"], said["kind"], said["text"]) == (voice, kind, "One two.")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--voice", "hihg", "--out", "a.wav"), "no voice 'hihg'"),
        (("--voice", "high", "--out", "a.ogg"), "a.ogg does not say"),
        (("--voice", "high", "--out", "a.wav", "--set", "speed"), "--set speed has no value"),
        (("--voice", "high", "--out", "a.wav", "--set", "spede=1"), "There is no option 'spede'"),
        (("--voice", "high", "--out", "a.wav", "--engine", "tiny.en"), "no speaking model"),
    ],
)
def test_what_cannot_be_spoken_is_explained(
    command: Command, services: Services, words: tuple[str, ...], error: str
) -> None:
    answer = command("speak", "--text", "Hi.", *words, code=1)
    assert error in answer["error"]
    assert services.takes.list() == ()


def test_people_read_where_the_take_was_written(words: Words, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    said = words("speak", "--voice", "high", "--text", "Hi.", "--out", str(out), "--seed", "3")
    assert f"Written: {out}".replace("\n", "") in said.replace("\n", "")
    assert "seed 3" in said
    assert "What to do" in words("speak", "--voice", "x", "--text", "Hi.", "--out", "a.wav", code=1)


def test_design_needs_a_model_that_designs(command: Command, tmp_path: Path) -> None:
    out = str(tmp_path / "out.wav")
    answer = command("design", "--describe", "An old man.", "--out", out, "--engine", SINE, code=1)
    assert "cannot make a voice from a description" in answer["error"]


def test_transcribe_names_what_failed(command: Command, recording: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.wav")
    found = command("transcribe", str(recording), missing, "--model", ECHO, code=1)
    (done,) = found["transcripts"]
    assert (done["file"], done["model_id"], done["written"]) == (str(recording), ECHO, None)
    assert [failure["file"] for failure in found["failed"]] == [missing]
    folder = tmp_path / "texts"
    found = command("transcribe", str(recording), "--format", "srt", "--out", str(folder))
    assert Path(found["transcripts"][0]["written"]) == folder / "anna.srt"
    assert (folder / "anna.srt").is_file()


@pytest.mark.parametrize("model", ["kokoro", "whisper-tin", "gpt"])
def test_transcribe_answers_an_unknown_model_with_listening_models(
    command: Command, recording: Path, model: str
) -> None:
    answer = command("transcribe", str(recording), "--model", model, code=1)
    assert answer["error"] == f"There is no listening model {model!r}."
    assert "whisper" in answer["hint"]
    assert "kokoro" not in answer["hint"]


def test_a_short_name_reaches_the_model(command: Command, recording: Path) -> None:
    answer = command("transcribe", str(recording), "--model", "tiny.en", code=1)
    assert answer["error"].startswith("Whisper tiny.en is not installed")


def test_export_voice_needs_kokoro(command: Command, services: Services, tmp_path: Path) -> None:
    add_noise(services, "Berta")
    out = str(tmp_path / "voice.pt")
    answer = command("export-voice", "--sample", "Berta", "--out", out, code=1)
    assert answer["hint"]
    assert command("export-voice", "--sample", "nobody", "--out", out, code=1)["error"]


def test_doctor_names_a_remedy_for_each_problem(
    command: Command, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    found = command("doctor", code=1)
    checks = {check["name"]: check for check in found["checks"]}
    assert not found["ok"]
    assert not checks["FFmpeg"]["ok"]
    assert "Install FFmpeg" in checks["FFmpeg"]["remedy"]
    assert checks["Python"]["ok"]
    assert checks["Folders"]["ok"]
    names = [finding.name for finding in examine(services.settings.root)]
    assert names == list(checks)


def test_a_take_is_exported_once_in_each_format(
    command: Command, services: Services, tmp_path: Path
) -> None:
    command("speak", "--voice", "high", "--text", "Hi.", "--out", str(tmp_path / "out.wav"))
    (take,) = services.takes.list()
    assert export_take(services, take.id, "wav") == take.path
    flac = export_take(services, take.id, "flac")
    written = flac.stat().st_mtime_ns
    assert audio_sha256(read_speech(flac)) == audio_sha256(read_speech(take.path))
    assert export_take(services, take.id, "flac").stat().st_mtime_ns == written
    with pytest.raises(BadInputError, match="Unknown audio format 'ogg'"):
        export_take(services, take.id, "ogg")


def test_a_track_of_a_video_is_chosen(command: Command, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    tracks = [SoundTrack(np.full(16_000, 0.1, np.float32), 16_000, language="fra")] * 2
    film.write_bytes(make_video("matroska", ("", "flac"), tracks, 1, pictures=False))
    answer = command("transcribe", str(film), "--model", ECHO, "--track", "3", code=1)
    assert "no audio track 3" in answer["error"]
    (made,) = command("transcribe", str(film), "--model", ECHO, "--track", "2")["transcripts"]
    assert made["notes"] == ["Audio track 2 of 2: 1 (French), 2 (French)."]


def test_many_are_transcribed_and_spoken_where_the_settings_say(
    command: Command, words: Words, recording: Path, tmp_path: Path
) -> None:
    folder, out = tmp_path / "recordings", tmp_path / "out"
    (folder / "b").mkdir(parents=True)
    for name in ("anna.wav", "b/anna.wav"):
        (folder / name).write_bytes(recording.read_bytes())
    (folder / "notes.doc").touch()
    found = command("transcribe", str(folder), "--out", str(out))
    assert [one["was_there"] for one in found["transcripts"]] == [False, False]
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.txt")) == ["anna.txt", "b/anna.txt"]
    # Of another kind, since only then times are wanted.
    assert words("transcribe", str(folder), "--out", str(out)) == ""
    assert "2 of 2 were transcribed before" in words("transcribe", str(folder), "--out", str(out))
    (tmp_path / "lines.txt").write_text("One.\nTwo three.\n", encoding="utf-8")
    many = (
        "speak",
        "--voice",
        "high",
        "--from-file",
        str(tmp_path / "lines.txt"),
        "--out",
        str(out),
    )
    said = command(*many, "--format", "flac")
    assert [Path(one["written"]).name for one in said["spoken"]] == ["00001.flac", "00002.flac"]
    assert [one["text"] for one in said["spoken"]] == ["One.", "Two three."]
    assert "2 recordings in" in words(*many, "--format", "flac")
    for refused in (
        ("transcribe", str(recording), "--cluster", "local"),
        (*many, "--text", "Hi."),
        ("speak", "--voice", "high", "--out", "a.wav"),
        ("speak", "--voice", "high", "--out", "a.wav", "--text", "Hi.", "--cluster", "local"),
        ("transcribe", str(recording), "--out", str(out / "new"), "--cluster", "127.0.0.1:9"),
    ):
        assert command(*refused, code=1)["hint"]
    place = command("cluster", "status")
    assert (place["where"], place["nodes"]) == ("this machine", [])
    assert command("cluster", "test")["items"] == 12
