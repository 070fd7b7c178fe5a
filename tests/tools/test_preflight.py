"""What stops a training before it begins, on the tiny base with the real tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import write_speech
from modules.core_components.dataset.recording_languages import OTHER_LANGUAGE
from modules.core_components.errors import BadInputError, NotFoundError
from modules.core_components.values import Speech
from modules.tools.services import Services
from modules.tools.training.preflight import (
    OK,
    STOP,
    WARN,
    Check,
    Preflight,
    TrainingRequest,
    preflight,
)
from tests.helpers.xtts_studio import add_dataset, open_xtts_studio


@pytest.fixture
def studio(tmp_path: Path, tiny_xtts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    services = open_xtts_studio(tmp_path, tiny_xtts, monkeypatch)
    yield services
    services.close()
    reset_managers()


def looked_at(services: Services, **options: object) -> Preflight:
    return preflight(services, TrainingRequest("first", "Anna", options=options))


def check(found: Preflight, name: str) -> Check:
    (answer,) = (item for item in found.checks if item.name == name)
    return answer


def say(services: Services, *texts: str) -> None:
    """Gives the first clips of the dataset these texts."""
    clips = services.datasets.get("Anna").clips
    changed = [replace(clip, text=text) for clip, text in zip(clips, texts, strict=False)]
    services.datasets.update_clips("Anna", changed, "said")


def test_a_good_dataset_may_be_trained_on(studio: Services) -> None:
    add_dataset(studio)
    found = looked_at(studio)
    assert not found.stops
    assert (found.kept_rows, found.eval_rows, found.rows) == (26, 4, ())
    assert check(found, "Rows").level == OK
    assert check(found, "Metadata files").level == OK
    assert found.seconds == pytest.approx(150.0)


def test_rows_the_trainer_would_drop_are_told_with_their_reason(studio: Services) -> None:
    dataset = add_dataset(studio, clips=40)
    say(studio, "The weather is 漢 today.", "weather " * 60, "Left | right.", "First\nline.")
    wavs = dataset.folder / "wavs"
    (wavs / "aa_0004.wav").unlink()
    (wavs / "aa_0005.wav").write_bytes(b"no sound at all")
    write_speech(wavs / "aa_0006.wav", Speech(np.zeros(9000, np.float32), 22_050))
    found = looked_at(studio)
    reasons = {row.clip_id: row.reason for row in found.rows}
    assert "does not know 漢" in reasons["aa_0000"]
    assert "tokens, more than 200" in reasons["aa_0001"]
    # The reading says no bar, and the tokenizer takes a line break for a space.
    assert not {"aa_0002", "aa_0003"} & reasons.keys()
    assert "missing" in reasons["aa_0004"]
    assert "cannot be read" in reasons["aa_0005"]
    assert "shorter than 0.5 s" in reasons["aa_0006"]
    assert found.kept_rows == 31
    assert check(found, "Rows").level == WARN


def test_a_metadata_file_changed_by_hand_is_told(studio: Services) -> None:
    dataset = add_dataset(studio)
    file = dataset.folder / "metadata_train.csv"
    good = file.read_text(encoding="utf-8")
    for content, words in (
        (good.replace("The weather is", "The | weather", 1), "line 2: its text has a |"),
        (good.replace("The weather is", "Your weather is", 1), "changed outside the studio"),
        ("", "the file is empty"),
    ):
        file.write_text(content, encoding="utf-8")
        told = check(looked_at(studio), "Metadata files")
        assert told.level == WARN
        assert words in told.message


def test_clips_longer_than_the_limit_are_left_out(studio: Services) -> None:
    add_dataset(studio)
    found = looked_at(studio, max_clip_s=4.0)
    assert found.kept_rows == 0
    assert check(found, "Rows").level == STOP
    assert "longer than 4.0 s (5.0 s)" in found.rows[0].reason


def test_forty_seconds_stop(studio: Services) -> None:
    add_dataset(studio, clips=8, evaluated=2)
    amount = check(looked_at(studio), "Amount of speech")
    assert amount.level == STOP
    assert "40 s" in amount.message


def test_it_says_whether_the_speaker_agreed(studio: Services) -> None:
    studio.datasets.create("Anna", "en", "Anna", agreed=True)
    assert check(looked_at(studio), "Consent").level == OK
    studio.datasets.delete("Anna")
    studio.datasets.create("Anna", "en", "Anna")
    assert check(looked_at(studio), "Consent").level == WARN


def test_a_dataset_without_rows_stops(studio: Services) -> None:
    studio.datasets.create("Anna", "en", "Anna")
    assert "no rows at all" in check(looked_at(studio), "Rows").message


def test_two_languages_stop(studio: Services) -> None:
    add_dataset(studio, texts=("They have not been here.", "Questo è il giorno, ma non sono qui."))
    assert check(looked_at(studio), "Language").level == STOP


def test_recordings_that_sound_like_another_language_are_named(studio: Services) -> None:
    dataset = add_dataset(studio)
    assert check(looked_at(studio), "Language").level == OK
    (source,) = dataset.sources
    marked = {**source.made_with, OTHER_LANGUAGE: ["de", 0.97]}
    studio.datasets.save_source(dataset, replace(source, made_with=marked))
    found = check(looked_at(studio), "Language")
    assert found.level == WARN
    assert "sounds like German" in found.message
    assert "exclude its clips" in found.hint


def test_a_language_that_xtts_does_not_speak_stops(studio: Services) -> None:
    add_dataset(studio, language="sw")
    rows = check(looked_at(studio), "Rows")
    assert "does not know the language of the dataset, Swahili" in rows.message


def test_a_remainder_of_one_stops_with_the_remedy(studio: Services) -> None:
    add_dataset(studio, clips=29)
    batch = check(looked_at(studio, batch_size=4), "Batches")
    assert batch.level == STOP
    assert "These batch sizes do: 5, 7, 9, 10." in batch.hint
    assert check(looked_at(studio, batch_size=5), "Batches").level == OK


def test_three_gigabytes_of_free_disk_stop(
    studio: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_dataset(studio)
    monkeypatch.setattr("psutil.disk_usage", lambda path: SimpleNamespace(free=3_000_000_000))
    assert check(looked_at(studio), "Disk").level == STOP


def test_a_vocabulary_of_another_version_stops(studio: Services) -> None:
    add_dataset(studio)
    vocabulary = studio.settings.models_folder / "xtts" / "v2.0.3" / "vocab.json"
    content = json.loads(vocabulary.read_text(encoding="utf-8"))
    content["model"]["vocab"]["another"] = len(content["model"]["vocab"])
    vocabulary.write_text(json.dumps(content), encoding="utf-8")
    found = looked_at(studio)
    assert "different versions" in check(found, "Base files").message
    assert check(found, "Base files").level == STOP


def test_base_files_that_changed_or_are_missing_stop(studio: Services) -> None:
    add_dataset(studio)
    assert not looked_at(studio).stops
    dvae = studio.settings.models_folder / "xtts" / "training" / "dvae.pth"
    dvae.write_bytes(dvae.read_bytes() + b"x")
    assert check(looked_at(studio), "Base model").level == STOP
    dvae.unlink()
    assert "Not installed" in check(looked_at(studio), "Base model").message


def test_an_empty_dataset_is_one_problem(studio: Services) -> None:
    studio.datasets.create("Empty", "en", "Anna", True)
    found = preflight(studio, TrainingRequest("first", "Empty"))
    assert [item.name for item in found.stops] == ["Rows"]


def test_all_that_is_wrong_is_told_before_a_base_is_downloaded(
    studio: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_dataset(studio, clips=8, evaluated=2)
    say(studio, " ")
    whole = {item.name for item in looked_at(studio).checks} - {"Base files"}
    (studio.settings.models_folder / "xtts" / "v2.0.3" / "model.pth").unlink()
    monkeypatch.setattr("psutil.disk_usage", lambda path: SimpleNamespace(free=3_000_000_000))
    found = preflight(studio, TrainingRequest("", "Anna"))
    assert {item.name for item in found.checks} == whole
    stops = {item.name for item in found.stops}
    assert stops == {"Name", "Base model", "Amount of speech", "Disk"}
    assert check(found, "Base model").message == "Not installed: XTTS v2.0.3."
    assert [row.reason for row in found.rows] == ["it has no text"]
    assert check(found, "Rows").level == WARN


def test_a_language_that_xtts_does_not_speak_is_told_before_a_base_is_downloaded(
    studio: Services,
) -> None:
    add_dataset(studio, language="sw")
    (studio.settings.models_folder / "xtts" / "v2.0.3" / "model.pth").unlink()
    assert "does not know the language" in check(looked_at(studio), "Rows").message


def test_without_a_dataset_the_rest_is_checked(studio: Services) -> None:
    found = preflight(studio, TrainingRequest("first", ""))
    assert [item.name for item in found.stops] == ["Dataset"]
    assert {"Name", "Base model", "Disk", "Main memory"} <= {item.name for item in found.checks}


def test_a_name_that_is_taken_or_empty_stops(studio: Services) -> None:
    add_dataset(studio)
    studio.training_runs.create("first", "Anna", "xtts-v2.0.3", "en", {}, [])
    assert check(looked_at(studio), "Name").level == STOP
    unnamed = preflight(studio, TrainingRequest(" / ", "Anna"))
    assert check(unnamed, "Name").level == STOP


def test_what_cannot_be_looked_at_is_an_error(studio: Services) -> None:
    with pytest.raises(NotFoundError):
        preflight(studio, TrainingRequest("first", "Nobody"))
    add_dataset(studio)
    with pytest.raises(BadInputError, match="Batch size"):
        looked_at(studio, batch_size=1)
