"""A data root of an earlier version is read without loss, and goes on being used.

`tests/data/make_old_root.py` says how it was made.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import audio_sha256, read_speech
from modules.core_components.values import Consent, Scores
from modules.tools.dataset import editor
from modules.tools.dataset.report import report_of
from modules.tools.listening.transcripts import export_transcript
from modules.tools.services import Services, open_services
from modules.tools.speaking.history import make_again
from tests.helpers.fakes import fake_studio
from tests.helpers.old_root import differences, everything, restore_what_git_drops

DATA = Path(__file__).parent / "data"
OLD = DATA / "root_2026_11"
DATASET, RUN = "Anna reads", "Anna_v1"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VOICE_STUDIO_MODELS", raising=False)
    monkeypatch.delenv("VOICE_STUDIO_CATALOG", raising=False)
    root = tmp_path / "studio"
    shutil.copytree(OLD, root)
    restore_what_git_drops(root)
    return root


@pytest.fixture
def services(root: Path) -> Iterator[Services]:
    services = open_services(root)
    yield services
    services.close()
    reset_managers()


@pytest.fixture
def speaking(root: Path) -> Iterator[Services]:
    """The same with the fake engines that spoke in it."""
    services, _ = fake_studio(root)
    yield services
    services.close()
    reset_managers()


def test_nothing_is_lost(services: Services) -> None:
    expected = json.loads(OLD.with_suffix(".json").read_text(encoding="utf-8"))
    # Budgets of single GPUs are a table now; the text of earlier versions is read into it.
    assert expected["settings"].pop("gpu_memory_budgets") == ""
    assert services.settings.gpu_memory_budgets == {}
    # It had not been set; the default is another one now.
    assert expected["settings"].pop("preload_model") is False
    assert list(differences(expected, everything(services))) == []


def test_looking_changes_no_file(root: Path, services: Services) -> None:
    before = contents(root)
    everything(services)
    assert contents(root) == before
    old = contents(OLD)
    assert {name: before[name] for name in old} == old


def contents(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file() and "jobs.sqlite" not in path.name)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


def test_settings(services: Services) -> None:
    settings = services.settings
    assert (settings.language, settings.output_format, settings.port) == ("it", "flac", 7999)
    assert (settings.idle_unload_minutes, settings.max_sample_minutes) == (45.0, 12.5)
    assert settings.gpu_memory_budget_gb == 12.5
    assert settings.fallback_tts_model == "kokoro-v1.0"
    xtts = settings.of_model("xtts-v2.0.3")
    assert (xtts.precision, xtts.keep_loaded, xtts.preload) == ("bfloat16", True, False)
    assert settings.of_model("kokoro-v1.0").preload


def test_samples(services: Services) -> None:
    anna, juergen = services.samples.list()
    assert (anna.name, juergen.name) == ("Anna Bianchi", "Jürgen")
    assert anna.ref_text.startswith("A single lamp burned")
    assert anna.language == "en"
    assert anna.consent == Consent("Anna Bianchi", True, "By mail, 2 March")
    assert juergen.ref_text == "Schön, daß es geht."
    assert anna.info["original_name"] == "Anna Bianchi.wav"
    for sample in (anna, juergen):
        assert audio_sha256(read_speech(sample.path)) == sample.audio_sha256
    (trashed,) = services.samples.trash.ids()
    assert services.samples.restore(trashed).name == "Old recording"


def test_takes_with_scores_and_seeds(services: Services) -> None:
    flac, wav, mixed = services.takes.list()
    assert (mixed.voice, mixed.kind, mixed.seed) == ("Evening_voice", "preset", 42)
    assert mixed.options["speed"] == 1.1
    assert "Bianchi" in mixed.options["pronunciations"]
    assert mixed.prompt_key
    assert (wav.text, wav.seed, wav.options["steady"]) == ("one two", 7, True)
    assert wav.sample_sha256 == services.samples.get("Anna Bianchi").audio_sha256
    assert wav.scores == Scores(0.81, 0.92, 0.5, "one tree", -20.5, 0.31, 0.125)
    assert (flac.path.suffix, flac.made_from, flac.scores.heard) == (".flac", wav.id, "uno due")
    assert all(take.environment and take.app_version for take in (flac, wav, mixed))
    (trashed,) = services.takes.trash.ids()
    assert services.takes.restore(trashed).text == "gone"


def test_own_voice_dictionary_and_prompt(services: Services) -> None:
    (voice,) = services.voices.list()
    assert (voice.name, voice.label) == ("Evening_voice", "Evening voice")
    assert voice.made_from == "af_heart(2)+af_sky(1)"
    assert services.pronunciations.entries("en-us") == {"Bianchi": "/biˈæŋki/", "GIF": "jiff"}
    (path,) = (services.settings.cache_folder / "prompts").glob("*.safetensors")
    prompt = services.tts.prompts.get(path.stem)
    assert prompt is not None
    assert prompt.tensors["hz"].shape == (1,)


def test_conversation(services: Services) -> None:
    (one,) = services.conversations.list()
    assert (one.title, one.seed, one.is_complete) == ("At the door", 5, True)
    assert [line.text for line in one.lines] == ["Good morning.", "Hello!", "Shall we begin?"]
    assert one.lines[1].seed == 99
    assert one.member("Anna").options["speed"] == 1.5
    takes = {take.id: take for take in services.conversations.takes(one).list()}
    assert {line.take for line in one.lines} == takes.keys()
    words = services.conversations.words(one, one.lines[0].take)
    assert [word.text for word in words] == ["Good", "morning."]
    assert one.whole is not None
    assert list(one.whole.spans_s) == ["0001", "0002", "0003"]


def test_dataset_with_its_edits_undone(services: Services) -> None:
    first, second, third = (clip.id for clip in services.datasets.get(DATASET).clips)
    dataset = services.datasets.get(DATASET)
    assert dataset.agreed
    assert [clip.id for clip in dataset.rows] == [first, second]
    trimmed_s = editor.get_clip(services, DATASET, second).duration_s
    assert editor.undo(services, DATASET) == f"Drop of {third}"
    assert editor.undo(services, DATASET) == f"Trim of {second}"
    whole = editor.get_clip(services, DATASET, second)
    assert whole.duration_s == pytest.approx(trimmed_s + 0.5)
    assert read_speech(dataset.wav_of(whole)).duration_s == pytest.approx(
        whole.duration_s, abs=0.01
    )
    assert editor.undo(services, DATASET) == f"Text of {first}"
    clips = services.datasets.get(DATASET).clips
    assert all(clip.text == clip.heard and not clip.dropped for clip in clips)
    assert services.datasets.actions(DATASET) == ()


def test_what_was_measured_of_a_dataset_is_not_measured_again(services: Services) -> None:
    cache = services.settings.cache_folder / "reports" / "Anna_reads.json"
    before = json.loads(cache.read_text(encoding="utf-8"))
    report = report_of(services, DATASET, quick=True)
    assert (report.clips, report.dropped_clips, report.waiting) == (2, 1, 0)
    after = json.loads(cache.read_text(encoding="utf-8"))
    assert {sha256: after[sha256] for sha256 in before} == before


def test_training_run(services: Services) -> None:
    (run,) = services.training_runs.list()
    assert (run.name, run.dataset, run.state) == (RUN, DATASET, "done")
    assert run.plan["epochs"] == 2
    kept = services.training_runs.checkpoints(RUN)
    assert {checkpoint.path.name for checkpoint in kept} == {"1.pth", "2.pth"}
    (trashed,) = (path.name for path in (services.training_runs.folder / ".trash").iterdir())
    assert services.training_runs.restore(trashed).state == "new"


def test_tuned_model_and_transcript(services: Services) -> None:
    (model,) = services.tuned_models.list()
    assert (model.label, model.base_model, model.language) == (
        "Anna in Italian",
        "xtts-v2.0.3",
        "it",
    )
    assert model.card["minutes"] == 12.5
    assert "xtts-Anna_in_Italian" in services.tts.engine_ids()
    (path,) = (services.settings.output_folder / "transcripts").glob("*.json")
    text = export_transcript(services, path.stem, "txt").read_text(encoding="utf-8")
    assert "Good <b>morning</b>. How are you?" in " ".join(text.split())


def test_jobs_of_every_state(root: Path, services: Services) -> None:
    with sqlite3.connect(OLD / "cache" / "jobs.sqlite") as database:
        kept = {state for (state,) in database.execute("SELECT state FROM jobs")}
    assert kept == {"done", "failed", "cancelled", "interrupted", "running", "queued"}
    found = {(job.kind, job.payload.get("text", job.title)): job for job in services.jobs.list()}
    states = {text: job.state for (_, text), job in found.items()}
    assert states["cut off by closing"] == "interrupted"
    assert states["running when it crashed"] == "interrupted"
    assert states["waiting when it crashed"] == "interrupted"
    assert states["cancelled while it waits"] == "cancelled"
    assert states["Transcribe Harbour & more"] == "done"
    assert states["Transcribe Broken"] == "failed"
    failed = found["transcribe", "Transcribe Broken"]
    assert failed.error
    assert failed.hint


def test_interrupted_work_goes_on(speaking: Services) -> None:
    interrupted = speaking.jobs.list(states=("interrupted",))
    assert len(interrupted) == 3
    for job in interrupted:
        done = speaking.jobs.wait(speaking.jobs.resume(job.id).id, 20.0)
        assert done.state == "done", done
        assert done.result is not None
        assert speaking.takes.get(done.result["take"]).text == job.payload["text"]


def test_old_takes_are_made_again_bit_for_bit(speaking: Services) -> None:
    old = [take for take in speaking.takes.list() if take.model_id == "sine-1"]
    assert [take.path.suffix for take in old] == [".flac", ".wav"]
    for take in old:
        made = make_again(speaking, take.id)
        assert made.identical, made.reason
        assert made.take.audio_sha256 == take.audio_sha256
