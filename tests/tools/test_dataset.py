"""Building datasets: what comes in, what comes out, what is refused, what stays."""

from __future__ import annotations

import itertools
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from modules.core_components.ai_models.engines.base import Transcription
from modules.core_components.audio.files import read_speech, write_speech
from modules.core_components.audio.measure import loudness_lufs, signal_to_noise_db
from modules.core_components.dataset.values import SAMPLE_RATE_HZ, Dataset
from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    JobCancelled,
    ModelBusyError,
    NotFoundError,
)
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import Speech
from modules.tools.dataset import sources, transcription
from modules.tools.dataset.build import DatasetRequest, DatasetSummary, build_dataset, submit_build
from modules.tools.dataset.report import report_of
from modules.tools.services import Services
from tests.conftest import ROOT
from tests.helpers.noise import pink, with_noise
from tests.tools.dataset_fakes import COUNTER, CounterListener, add_counter, hum

NAME = "Aunt Anna"


@pytest.fixture
def listener(services: Services, monkeypatch: pytest.MonkeyPatch) -> CounterListener:
    services.datasets.create(NAME, "en", "Anna")
    # Noise is no speech to the real one; here somebody speaks all the time.
    monkeypatch.setattr(
        transcription, "speech_regions", lambda speech, cancel: [(0.0, speech.duration_s)]
    )
    return add_counter(services)


def add(services: Services, *inputs: Path, **more: object) -> DatasetSummary:
    request = DatasetRequest(NAME, tuple(map(str, inputs)), model_id=COUNTER)
    return build_dataset(services, replace(request, **more))  # type: ignore[arg-type]


def content(dataset: Dataset) -> dict[str, bytes]:
    files = sorted(path for path in dataset.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(dataset.folder)): path.read_bytes() for path in files}


def test_a_recording_becomes_clips_of_the_trainers_kind(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    summary = add(services, hum(tmp_path / "talk.flac", 40.0, 48_000))
    dataset = services.datasets.get(NAME)
    assert summary.added == ("talk.flac",)
    assert summary.contents.kept_s + sum(summary.contents.dropped_s.values()) == pytest.approx(
        40.0, abs=1e-6
    )
    assert len(dataset.clips) > 5
    for clip in dataset.clips:
        samples, rate_hz = soundfile.read(dataset.wav_of(clip), dtype="float32")
        assert (rate_hz, samples.ndim) == (SAMPLE_RATE_HZ, 1)
        assert len(samples) == round(clip.duration_s * SAMPLE_RATE_HZ)
        assert loudness_lufs(Speech(samples, rate_hz)) == pytest.approx(-23.0, abs=0.1)
        assert clip.text == clip.heard == " ".join(word.text for word in clip.words)
        assert all(0 <= word.start_s <= word.end_s <= clip.duration_s for word in clip.words)
    assert dataset.sources[0].made_with["listener"] == COUNTER
    assert len((dataset.folder / "metadata_train.csv").read_text().splitlines()) - 1 == (
        summary.contents.train_rows
    )


def test_adding_later_keeps_what_is_there(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    first = hum(tmp_path / "first.wav", 60.0)
    add(services, first)
    before = services.datasets.get(NAME)
    copy = tmp_path / "the same under another name.wav"
    copy.write_bytes(first.read_bytes())
    summary = add(services, copy, hum(tmp_path / "second.wav", 60.0), first)
    assert summary.added == ("second.wav",)
    assert summary.already_there == (copy.name, "first.wav")
    after = services.datasets.get(NAME)
    assert after.sources[0] == before.sources[0]
    held_back = {clip.id for clip in after.clips if clip.subset == "eval"}
    assert held_back > {clip.id for clip in before.clips if clip.subset == "eval"}


def test_the_order_of_the_recordings_does_not_matter(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    files = [hum(tmp_path / f"{name}.wav", 30.0) for name in "abc"]
    add(services, *files)
    at_once = content(services.datasets.get(NAME))
    services.datasets.delete(NAME)
    services.datasets.create(NAME, "en", "Anna")
    add(services, *reversed(files))
    reversed_order = content(services.datasets.get(NAME))
    for dated in ("project.json", "dataset.json"):
        at_once.pop(dated), reversed_order.pop(dated)
    assert reversed_order == at_once


def test_folders_and_archives_of_every_kind(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    folder = tmp_path / "reading"
    hum(folder / "chapter 1" / "a.wav")
    hum(folder / "b.flac")
    (folder / "notes.txt").write_text("not a recording")
    zipped, taped = tmp_path / "more.zip", tmp_path / "last.tar.gz"
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.write(hum(tmp_path / "c.wav"), "deep/c.wav")
        archive.writestr("../../../escaped.wav", "x")
    with tarfile.open(taped, "w:gz") as tape:
        tape.add(hum(tmp_path / "d.wav"), "d.wav")
        link = tarfile.TarInfo("link.wav")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tape.addfile(link)
    summary = add(services, folder, zipped, taped)
    assert summary.added == (
        "reading/b.flac",
        "reading/chapter 1/a.wav",
        "more.zip/deep/c.wav",
        "last.tar.gz/d.wav",
    )
    assert summary.refused == ()
    assert not list(services.settings.cache_folder.glob("unpacked-*"))


def test_bad_inputs_are_told_and_the_others_go_on(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("this is no sound")
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 broken")
    (tmp_path / "lonely.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nHello\n")
    (tmp_path / "empty.csv").touch()
    not_numbers = tmp_path / "nan.wav"
    soundfile.write(not_numbers, np.full(22_050, np.nan, np.float32), 22_050, subtype="FLOAT")
    bad = [
        *("empty.wav", "text.wav", "broken.zip", "lonely.srt"),
        *("nan.wav", "missing.wav", "empty.csv"),
    ]
    summary = add(services, *(tmp_path / name for name in bad), hum(tmp_path / "good.wav"))
    assert summary.added == ("good.wav",)
    assert sorted(refused.name for refused in summary.refused) == sorted(bad)
    assert all(refused.message for refused in summary.refused)


def test_a_recording_without_speech_is_accounted_for(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    quiet = hum(tmp_path / "click.wav", 0.4)
    summary = add(services, quiet)
    assert (summary.added, summary.refused[0].name) == ((), "click.wav")
    assert (
        summary.contents.recorded_s
        == pytest.approx(0.4)
        == pytest.approx(sum(summary.contents.dropped_s.values()))
    )
    assert add(services, quiet).already_there == ("click.wav",)


def test_an_empty_folder_is_an_error(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(BadInputError, match="no recordings"):
        add(services, tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        add(services, tmp_path, dataset="unknown")
    with pytest.raises(BadInputError, match="language"):
        add(services, tmp_path, language="de")


def test_subtitles_give_the_words_and_the_listener_their_times(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    media = hum(tmp_path / "film.wav", 12.0)
    cues = "1\n00:00:00,000 --> 00:00:05,000\n<i>{}</i>\n\n2\n00:00:06,000 --> 00:00:11,000\n{}\n"
    text = "He counts one two three four five six seven eight nine.", "And three more."
    media.with_suffix(".en.srt").write_text("another file")
    media.with_suffix(".srt").write_text(cues.format(*text), encoding="utf-8")
    summary = add(services, media)
    assert summary.added == ("film.wav",)
    dataset = services.datasets.get(NAME)
    assert " ".join(clip.text for clip in dataset.clips) == " ".join(text)
    assert dataset.sources[0].made_with["text"] == "subtitles"
    matched = [word for word in dataset.clips[0].words if word.probability > 0]
    assert len(matched) >= 4  # the listener counts as well, from another number
    for before, after in itertools.pairwise(matched):
        assert after.start_s - before.start_s == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("kind", ["folder", "zip", "csv"])
def test_ljspeech_and_coqui_metadata_bring_their_texts(
    services: Services, listener: CounterListener, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "speech"
    for name in ("a", "b", "c"):
        hum(place / "wavs" / f"{name}.wav", 3.0)
    hum(place / "wavs" / "long.wav", 20.0)
    rows = "a|It's 4.|It's four.\nb|Second.\nlong|{}\nmissing|x\nc|\n"
    (place / "metadata.csv").write_text(rows.format("word " * 30))
    given = place
    if kind == "zip":
        given = tmp_path / "speech.zip"
        with zipfile.ZipFile(given, "w") as archive:
            for path in place.rglob("*.*"):
                archive.write(path, str(path.relative_to(place)))
    summary = add(services, place / "metadata.csv" if kind == "csv" else given)
    dataset = services.datasets.get(NAME)
    by_name = {build.name.rpartition("/")[2]: build for build in dataset.sources}
    assert [clip.text for clip in by_name["a.wav"].clips] == ["It's four."]
    assert by_name["a.wav"].clips[0].duration_s == pytest.approx(3.0)
    long = by_name["long.wav"].clips
    assert len(long) > 1
    assert " ".join(clip.text for clip in long).split() == ["word"] * 30
    assert [refused.name.rpartition(", ")[2] for refused in summary.refused] == ["line 4", "line 5"]
    assert listener.asked == 1  # only what is too long for one clip


def test_an_imported_evaluation_set_stays_one(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    header = "audio_file|text|speaker_name\n"
    for number, subset in enumerate(["train", "train", "eval", "eval", "train", "eval", "eval"]):
        hum(tmp_path / "in" / "wavs" / f"{number}.wav", 2.0)
        with (tmp_path / "in" / f"metadata_{subset}.csv").open("a") as file:
            file.write("" if file.tell() else header)
            file.write(f"wavs/{number}.wav|Text {number}.|Zoë\n")
    (tmp_path / "in" / "metadata_train.csv").open("a").write("wavs/9.wav|one | too many|Zoë\n")
    summary = add(services, tmp_path / "in")
    assert (summary.contents.train_rows, summary.contents.eval_rows) == (3, 4)
    assert "| too many" in summary.refused[0].message
    clips = services.datasets.get(NAME).clips
    assert {clip.text for clip in clips if clip.subset == "eval"} == {
        f"Text {number}." for number in (2, 3, 5, 6)
    }
    assert {clip.speaker for clip in clips} == {"Zoë"}


def test_a_long_recording_is_kept_window_by_window(
    services: Services,
    listener: CounterListener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        transcription,
        "listening_windows",
        lambda speech, duration_s: [(0.0, 20.0), (20.0, 40.0), (40.0, 60.0)],
    )
    cancel = CancelToken()

    def stop_after_two(fraction: float, message: str) -> None:
        if listener.asked == 2:
            cancel.cancel()

    request = DatasetRequest(NAME, (str(hum(tmp_path / "long.wav", 60.0)),), model_id=COUNTER)
    with pytest.raises(JobCancelled):
        build_dataset(services, request, stop_after_two, cancel)
    assert services.datasets.get(NAME).sources == ()
    build_dataset(services, request)
    assert listener.asked == 3
    build_dataset(services, replace(request, replace=True))
    assert listener.asked == 3  # cut anew from what was heard


def test_speech_without_words_is_listened_to_again(
    services: Services,
    listener: CounterListener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear = CounterListener.transcribe

    def deaf_at_first(self: CounterListener, speech: Speech, *rest: Any) -> Transcription:
        running = hear(self, speech, *rest)
        (segment,) = running.segments
        words = segment.words[:10] if self.asked == 1 else segment.words
        return replace(running, segments=iter([replace(segment, words=words)]))

    monkeypatch.setattr(CounterListener, "transcribe", deaf_at_first)
    summary = add(services, hum(tmp_path / "talk.wav", 20.0))
    assert listener.asked == 2
    assert summary.contents.kept_s > 19
    assert sum(len(clip.words) for clip in services.datasets.get(NAME).clips) >= 39


def test_a_full_disk_stops_and_leaves_what_is_whole(
    services: Services,
    listener: CounterListener,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = [hum(tmp_path / f"{name}.wav", 20.0) for name in "ab"]
    add(services, files[0])
    before = content(services.datasets.get(NAME))

    def full(*args: object) -> bytes:
        raise DiskFullError("There was no room.", "Make some.")

    monkeypatch.setattr(sources, "clip_wav", full)
    with pytest.raises(DiskFullError):
        add(services, *files)
    assert content(services.datasets.get(NAME)) == before


def test_two_cannot_build_the_same_dataset(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    with services.datasets.building(NAME), pytest.raises(ModelBusyError, match="being added"):
        add(services, hum(tmp_path / "a.wav"))


def test_a_job_builds_from_uploads_that_vanish(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    media = hum(tmp_path / "upload" / "talk.wav", 10.0)
    script = media.with_suffix(".srt")
    script.write_text("1\n00:00:00,000 --> 00:00:09,000\nWhat is said.\n")
    request = DatasetRequest(NAME, (str(media), str(script)), model_id=COUNTER)
    held = services.datasets.building(NAME)
    with held:
        pass
    job = submit_build(services, request, uploaded=True)
    media.unlink(), script.unlink()
    done = services.jobs.wait(job.id, 60)
    assert done.state == "done", done.error
    assert done.result is not None
    assert done.result["added"] == ["talk.wav"]
    assert services.datasets.get(NAME).clips[0].text == "What is said."


def test_a_refused_upload_is_named_as_its_owner_named_it(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    """The job reads a copy, which is called after its hash."""
    for name, content in (("fake.wav", b"no sound"), ("empty.wav", b"")):
        (tmp_path / name).write_bytes(content)
    given = tuple(str(tmp_path / name) for name in ("fake.wav", "empty.wav"))
    job = submit_build(services, DatasetRequest(NAME, given, model_id=COUNTER), uploaded=True)
    done = services.jobs.wait(job.id, 60)
    refused = (done.result or {})["refused"]
    assert [item["name"] for item in refused] == ["fake.wav", "empty.wav"]
    assert [item["message"].split()[0] for item in refused] == ["It", "It"]
    assert not any(
        path.stem in f"{done.result}{done.log}" for path in (tmp_path / "cache" / "inbox").iterdir()
    )


def test_a_silent_recording_is_refused_as_such(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    write_speech(tmp_path / "quiet.wav", Speech(np.zeros(48_000, np.float32), 16_000))
    request = DatasetRequest(NAME, (str(tmp_path / "quiet.wav"),), model_id=COUNTER)
    (refused,) = build_dataset(services, request, no_progress).refused
    assert (refused.name, refused.message) == ("quiet.wav", "It is silent.")


def test_the_token_counter_decides_where_texts_are_cut(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    counted: list[str] = []

    def many(text: str) -> int:
        counted.append(text)
        return 60 * len(text.split())

    request = DatasetRequest(NAME, (str(hum(tmp_path / "a.wav", 20.0)),), model_id=COUNTER)
    build_dataset(services, request, no_progress, count_tokens=many)
    assert counted
    assert all(len(clip.text.split()) <= 3 for clip in services.datasets.get(NAME).clips)


def test_clips_are_cleaned_and_the_recording_is_not(
    services: Services, listener: CounterListener, tmp_path: Path
) -> None:
    voice = read_speech(ROOT / "docs" / "voice_match" / "june-1.mp3", SAMPLE_RATE_HZ)
    noisy = with_noise(voice, pink(len(voice.samples)), 8.0)
    recording = tmp_path / "street.wav"
    write_speech(recording, noisy)
    bytes_before = recording.read_bytes()
    steps: list[str] = []

    def build(denoise: bool) -> Dataset:
        request = DatasetRequest(
            NAME, (str(recording),), model_id=COUNTER, replace=True, denoise=denoise
        )
        build_dataset(services, request, lambda fraction, message: steps.append(message))
        return services.datasets.get(NAME)

    def above_noise_db(dataset: Dataset) -> list[float]:
        found = [
            signal_to_noise_db(read_speech(dataset.wav_of(clip))) or 0.0 for clip in dataset.clips
        ]
        assert found
        return found

    plain = build(denoise=False)
    as_it_was = above_noise_db(plain)
    assert report_of(services, NAME).noise_removed == ""
    cleaned = build(denoise=True)
    assert recording.read_bytes() == bytes_before
    # The listener hears the recording as it is: the same words at the same times.
    assert [clip.text for clip in cleaned.clips] == [clip.text for clip in plain.clips]
    assert [clip.start_s for clip in cleaned.clips] == [clip.start_s for clip in plain.clips]
    assert min(above_noise_db(cleaned)) > max(as_it_was) + 10
    for clip in cleaned.clips:
        sound = read_speech(cleaned.wav_of(clip))
        assert loudness_lufs(sound) == pytest.approx(-23.0, abs=0.2)
    assert f"Removing noise: clip 1 of {len(cleaned.clips)}" in steps
    said = report_of(services, NAME).noise_removed
    assert said.startswith(f"Noise was removed from {len(cleaned.clips)} clip")
    assert "(DeepFilterNet 3)" in said
