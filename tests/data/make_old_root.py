"""Makes tests/data/root_2026_11: a data root as the studio of November 2026 (9adf5f6) wrote it.

It runs on that commit only, and its imports are left as they were there: the point of the files is
that an older version wrote them. It was run as `python tests/data/make_old_root.py`, then with
`--expected`, over a folder /tmp/old-root, which some records name.

The studio's own code wrote every file, with these stand-ins: Kokoro and XTTS are the tiny random
ones of the tests, samples and dataset are spoken by espeak-ng, `sine-1`, `echo-1` and `counter-1`
are the fakes of the tests, and the scores and the judgement are made up (their models are large)
but written by the functions that write them otherwise. Left out are the weights of the training
(its checkpoints are files with one line of text), logs, locks and uploads.

`root_2026_11.json` is what `tests/old_root.py` read of it on that commit.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))

import numpy as np  # noqa: E402
from modules.core_components.ai_models.engines.xtts.training.rows import (  # noqa: E402
    row_of,
    row_to_json,
)
from modules.core_components.judgement import (  # noqa: E402
    JudgedTake,
    Judgement,
    judged,
    propose,
)
from modules.tools.cast import CastVoice  # noqa: E402
from modules.tools.conversation_jobs import submit_conversation  # noqa: E402
from modules.tools.dataset_report import report_of  # noqa: E402
from modules.tools.own_voices import save_mix  # noqa: E402
from modules.tools.pronunciations import add_pronunciation  # noqa: E402
from modules.tools.speech import SpeechRequest, speak  # noqa: E402
from modules.tools.voice_clone import add_sample  # noqa: E402
from tests.espeak import espeak  # noqa: E402
from tests.fakes import ECHO, SINE, EchoListener, SineEngine, fake_entry  # noqa: E402
from tests.old_root import everything  # noqa: E402
from tests.open_catalog import open_catalog  # noqa: E402
from tests.tiny_kokoro import build_tiny_kokoro  # noqa: E402
from tests.tiny_xtts import build_tiny_xtts, install_tiny_xtts  # noqa: E402

from modules.core_components import atomic  # noqa: E402
from modules.core_components.ai_models import reset_managers  # noqa: E402
from modules.core_components.ai_models.engines.xtts.training.plan import TrainingPlan  # noqa: E402
from modules.core_components.audio.files import write_speech  # noqa: E402
from modules.core_components.audio.resample import resample  # noqa: E402
from modules.core_components.values import Consent, Scores, Speech  # noqa: E402
from modules.tools import (  # noqa: E402
    dataset_editor,
    job_kinds,
    judging,
    model_library,
    train_xtts,
    tuned_models,
)
from modules.tools.conversation import ConversationRequest, speak_line_again  # noqa: E402
from modules.tools.dataset import DatasetRequest, build_dataset  # noqa: E402
from modules.tools.services import Services, open_services  # noqa: E402
from tests.tools.dataset_fakes import COUNTER, add_counter  # noqa: E402

WORK = Path("/tmp/old-root")  # noqa: S108 - a fixed place, since the records may name it
TARGET = HERE / "root_2026_11"
SETTINGS = {
    "language": "it",
    "output_format": "flac",
    "idle_unload_minutes": 45.0,
    "max_sample_minutes": 12.5,
    "max_upload_mb": 321,
    "port": 7999,
    "fallback_tts_model": "kokoro-v1.0",
    "gpu_memory_budget_gb": 12.5,
    "model_settings": {
        "xtts-v2.0.3": {"precision": "bfloat16", "keep_loaded": True},
        "kokoro-v1.0": {"preload": True},
    },
}
SCRIPT = "Anna: Good morning.\nBen: Hello there, Anna!\nAnna: Shall we begin?\n"


def open_studio(root: Path, models: Path, **overrides: object) -> tuple[Services, SineEngine]:
    services = open_services(
        root, {"models_folder": str(models), "device": "cpu", "score_takes": False, **overrides}
    )
    engine = SineEngine()
    speaks = fake_entry(SINE, "text-to-speech", ("clone", "stock-voices"))
    listens = fake_entry(ECHO, "speech-to-text", ())
    services.tts.register_engine(SINE, lambda entry, context: engine, speaks)
    services.asr.register_engine(ECHO, lambda entry, context: EchoListener(), listens)
    add_counter(services)
    job_kinds.register_job_kinds(services)
    return services, engine


def install_models(models: Path) -> None:
    build_tiny_kokoro(models / "kokoro" / "v1_0", ("af_heart", "af_sky"))
    install_tiny_xtts(build_tiny_xtts(WORK / "xtts"), models)
    catalog = open_catalog(models, ("kokoro-v1.0", "xtts-v2.0.3", "xtts-v2-training"))
    os.environ["VOICE_STUDIO_CATALOG"] = str(catalog)


def speech_file(path: Path, text: str, rate_hz: int, longest_s: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    speech = espeak(text)
    samples = resample(speech.samples, speech.sample_rate_hz, rate_hz)
    write_speech(path, Speech(samples[: round(longest_s * rate_hz)], rate_hz))
    return path


def add_samples(services: Services) -> None:
    folder = WORK / "recordings"
    said = "A single lamp burned above the customs house, and the nets were dry."
    for name, rate_hz, consent in (
        ("Anna Bianchi", 16_000, Consent("Anna Bianchi", True, "By mail, 2 March")),
        ("Jürgen Weiß", 16_000, Consent("Jürgen Weiß", True)),
        ("Old recording", 16_000, Consent("nobody known", True)),
    ):
        text = {"Anna Bianchi": said, "Jürgen Weiß": f"We said: {said}"}.get(name, f"Now, {said}")
        file = speech_file(folder / f"{name}.wav", text, rate_hz, 2.9)
        add_sample(services, file, name, consent)
    services.samples.update("Anna Bianchi", ref_text=said, language="en")
    services.samples.update("Jürgen Weiß", new_name="Jürgen", ref_text="Schön, daß es geht.")
    services.samples.delete("Old recording")


def add_takes(services: Services) -> None:
    add_pronunciation(services, "en-us", "Bianchi", "/biˈæŋki/")
    add_pronunciation(services, "en-us", "GIF", "jiff")
    voice = save_mix(services, "af_heart(2)+af_sky(1)", "Evening voice")
    mixed = SpeechRequest(
        "Hello, Bianchi.", voice.name, "preset", "kokoro-v1.0", "en-us", 42, {"speed": 1.1}
    )
    speak(services, dataclasses.replace(mixed, output_format="wav", score=False))
    cloned = SpeechRequest("one two", "Anna Bianchi", "sample", SINE, "en-us", 7, {"steady": True})
    take = speak(services, dataclasses.replace(cloned, output_format="wav", score=False))
    heard = Scores(0.81, 0.92, 0.5, "one tree", -20.5, 0.31, 0.125)
    services.takes.set_scores(take.id, heard)
    again = dataclasses.replace(cloned, seed=8, output_format="flac", made_from=take.id)
    flac = speak(services, dataclasses.replace(again, text="uno due", language="it", score=False))
    services.takes.set_scores(flac.id, dataclasses.replace(heard, heard="uno due"))
    gone = speak(services, dataclasses.replace(cloned, text="gone", score=False))
    services.takes.delete(gone.id)


def add_conversation(services: Services) -> None:
    cast = {
        "Anna": CastVoice("Anna Bianchi", SINE, language="en-us", options={"speed": 1.5}),
        "Ben": CastVoice("low", SINE, "preset", language="en-us"),
    }
    request = ConversationRequest(SCRIPT, cast, "At the door", seed=5)
    done = services.jobs.wait(submit_conversation(services, request).id, 60.0)
    assert done.state == "done", done
    (one,) = services.conversations.list()
    speak_line_again(services, one.id, "0002", "Hello!", 99)


def add_dataset(services: Services) -> None:
    services.datasets.create("Anna reads", "en", "Anna Bianchi", agreed=True)
    texts = ("The rain came down all day long.", "The old road was under water.", "It was late.")
    files = [
        speech_file(WORK / "tape" / f"tape {number}.wav", f"{text} {text}", 22_050, 2.2)
        for number, text in enumerate(texts, start=1)
    ]
    build_dataset(services, DatasetRequest("Anna reads", tuple(map(str, files)), model_id=COUNTER))


def edit_dataset(services: Services) -> None:
    first, second, third = (clip.id for clip in services.datasets.get("Anna reads").clips[:3])
    dataset_editor.fix_text(services, "Anna reads", first, "The rain came down all day, Anna.")
    clip = dataset_editor.get_clip(services, "Anna reads", second)
    dataset_editor.trim(services, "Anna reads", second, 0.0, clip.duration_s - 0.5)
    dataset_editor.drop_clips(services, "Anna reads", [third])
    report_of(services, "Anna reads")
    services.datasets.create("Empty and deleted", "it", "Somebody")
    services.datasets.delete("Empty and deleted")


def add_run(services: Services) -> None:
    plan = {"epochs": 2, "batch_size": 2, "early_stopping": 0, "workers": 0, "threads": 1}
    known = {item.name for item in dataclasses.fields(TrainingPlan)}
    plan = {name: value for name, value in plan.items() if name in known}
    rows = [row_to_json(row_of(clip)) for clip in services.datasets.get("Anna reads").rows]
    chosen = dataclasses.asdict(dataclasses.replace(TrainingPlan(), **plan))
    run = services.training_runs.create("Anna v1", "Anna reads", "xtts-v2.0.3", "en", chosen, rows)
    job = services.jobs.submit(train_xtts.TRAIN, f"Train {run.name}", {"run": run.name})
    job = services.jobs.wait(job.id, 300.0)
    assert job.state == "done", job
    for path in (run.files.log, run.files.state, run.files.setup, run.files.lock):
        path.unlink(missing_ok=True)
    shutil.rmtree(run.files.tensorboard, ignore_errors=True)
    steps = sorted(int(path.stem) for path in run.files.checkpoints.glob("*.pth"))
    for step in steps:
        (run.files.checkpoints / f"{step}.pth").write_text("The weights are left out.\n")
    takes = (JudgedTake("s0", "sentence", "One.", "judgement/s0.wav", "one", 0.0, 0.7, None),)
    table = tuple(judged(str(step), takes, 0.9, 4.0 - step / 10) for step in ("base", *steps)[1:])
    proposed, reason = propose(table)
    found = Judgement(run.name, table, proposed, reason, 0.01, ECHO, 1234, {"s0": "wavs/a.wav"})
    (run.folder / judging.FOLDER).mkdir()
    atomic.write_json(run.folder / judging.FOLDER / judging.RESULT, dataclasses.asdict(found))
    given_up = services.training_runs.create(
        "Given up", "Anna reads", "xtts-v2.0.3", "en", chosen, rows
    )
    services.training_runs.delete(given_up.name)


def add_tuned_model(services: Services) -> None:
    import torch

    tokens = ("[STOP]", "[UNK]", "[SPACE]", "[en]", "[it]", "[START]", "a")
    folder = WORK / "ready"
    folder.mkdir()
    vocabulary = {"model": {"vocab": {t: i for i, t in enumerate(tokens)}}, "added_tokens": []}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "config.json").write_text('{"model_args": {"gpt_layers": 2}}', encoding="utf-8")
    weights = {"xtts.gpt.text_embedding.weight": torch.zeros(len(tokens), 4)}
    torch.save({"model": weights, "step": 7}, folder / "model.pth")
    latents = {
        "gpt_cond_latent": torch.zeros(1, 32, 4),
        "speaker_embedding": torch.zeros(1, 512, 1),
    }
    torch.save({"Ana Florence": latents}, folder / "speakers_xtts.pth")
    tone = 0.1 * np.sin(np.arange(4_800) / 8)
    write_speech(folder / "reference.wav", Speech(tone.astype(np.float32), 24_000))
    card = {"name": "Anna", "base_model": "xtts-v2.0.3", "language": "it", "minutes": 12.5}
    (folder / "model_card.json").write_text(json.dumps(card), encoding="utf-8")
    archive = Path(shutil.make_archive(str(WORK / "anna"), "zip", folder))
    model_library.accept_licence(services, tuned_models.BASE)
    tuned_models.import_tuned(services, archive, "Anna in Italian")


def add_jobs(services: Services) -> None:
    """A transcription that is done and one that failed; the others come when the studio ends."""
    recording = WORK / "recordings" / "Anna Bianchi.wav"
    done = job_kinds.submit_transcription(services, recording, "Harbour & more", ECHO, "en")
    assert services.jobs.wait(done.id, 60.0).state == "done"
    broken = WORK / "recordings" / "broken.wav"
    broken.write_bytes(b"no sound at all")
    failed = job_kinds.submit_transcription(services, broken, "Broken", ECHO, "en")
    assert services.jobs.wait(failed.id, 60.0).state == "failed"


def submit_held(services: Services, engine: SineEngine, *texts: str) -> list[str]:
    """Jobs of which the first runs until the engine may speak, and the others wait."""
    engine.may_speak.clear()
    engine.speaking.clear()
    ids = [
        job_kinds.submit_speech(
            services, SpeechRequest(text, "high", "preset", SINE, "en-us", 3, score=False)
        ).id
        for text in texts
    ]
    assert engine.speaking.wait(60.0)
    return ids


def main() -> None:
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(TARGET, ignore_errors=True)
    root, models = WORK / "studio", WORK / "models"
    models.mkdir(parents=True)
    os.environ.pop("VOICE_STUDIO_MODELS", None)
    install_models(models)
    services, engine = open_studio(root, models)
    voices = models / "kokoro" / "v1_0" / "voices"
    for name in services.catalog.missing_files(services.catalog.entry("kokoro-v1.0")):
        shutil.copy(voices / "af_heart.pt", voices.parent / name)
    add_samples(services)
    add_takes(services)
    add_conversation(services)
    add_dataset(services)
    add_run(services)
    edit_dataset(services)
    add_tuned_model(services)
    add_jobs(services)
    _, cancelled = submit_held(services, engine, "cut off by closing", "cancelled while it waits")
    services.jobs.cancel(cancelled)
    services.change_settings(SETTINGS)
    services.close()
    reset_managers()
    # The second life of the studio ends by a crash, with one job running and one waiting.
    services, engine = open_studio(root, models)
    submit_held(services, engine, "running when it crashed", "waiting when it crashed")
    time.sleep(1.0)  # for the progress of the running job to be written
    jobs = Path("cache") / "jobs.sqlite"
    shutil.copytree(
        root, TARGET, ignore=shutil.ignore_patterns("*.sqlite*", "*.lock", ".locks", "inbox")
    )
    with sqlite3.connect(root / jobs) as source, sqlite3.connect(TARGET / jobs) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    engine.may_speak.set()
    services.close()
    reset_managers()


def write_expected() -> None:
    """Reads a copy of the files, in a process that made none of them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "studio"
        shutil.copytree(TARGET, root)
        services = open_services(root)
        content = json.dumps(everything(services), indent=1, ensure_ascii=False, sort_keys=True)
        services.close()
    TARGET.with_suffix(".json").write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--expected"]:
        write_expected()
    else:
        main()
