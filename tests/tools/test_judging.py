"""Checkpoints are heard through the real engine on the tiny base, and published; the ears are
stand-ins, coqui's own `Xtts` is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models import reset_managers
from modules.core_components.audio.files import read_speech
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    NotFoundError,
)
from modules.core_components.progress import CancelToken
from modules.core_components.values import Speech
from modules.tools.services import Services
from modules.tools.training import evaluation, judging_inputs
from modules.tools.training.evaluation import judge_run, read_judgement
from modules.tools.training.publish import publish
from tests.helpers.fakes import ECHO, EchoListener, fake_entry
from tests.helpers.xtts_studio import add_dataset, add_run, open_xtts_studio


class LoudnessEncoder:
    """Takes two recordings for one speaker when they are about as loud."""

    model_id = "campplus"

    def embed(self, speech: Speech) -> np.ndarray:
        angle = min(1.0, float(np.abs(speech.samples).mean()))
        return np.array([np.cos(angle), np.sin(angle)], np.float32)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_xtts: Path) -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as patch:
        services = open_xtts_studio(tmp_path_factory.mktemp("studio"), tiny_xtts, patch)
        listens = fake_entry(ECHO, "speech-to-text", ())
        services.asr.register_engine(ECHO, lambda entry, context: EchoListener(), listens)
        services.change_settings({"asr_model": ECHO})
        patch.setattr(type(services.asr), "get_speaker_encoder", lambda self: LoudnessEncoder())
        # Silero hears no voice in what random numbers say.
        patch.setattr(evaluation, "trim_to_speech", lambda speech: speech)
        patch.setattr(evaluation, "speech_seconds", lambda speech: speech.duration_s)
        patch.setattr(judging_inputs, "judging_sentences", lambda language: ("It is a fine day.",))
        add_dataset(services, clips=6, clip_s=2.0, evaluated=2)
        yield services
        services.close()
        reset_managers()


@pytest.fixture
def run_folder(studio: Services) -> Iterator[Path]:
    run = add_run(studio)
    yield run.folder
    shutil.rmtree(run.folder)


def takes(folder: Path) -> dict[str, int]:
    """Everything that was spoken, with the time it was written."""
    found = (folder / "judgement").glob("*/*.wav")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def stop_at(messages: list[str], words: str, count: int) -> tuple[CancelToken, Any]:
    """A progress that cancels when it said `words` so many times."""
    cancel = CancelToken()

    def progress(fraction: float, message: str) -> None:
        messages.append(message)
        if sum(words in said for said in messages) >= count:
            cancel.cancel()

    return cancel, progress


def test_base_and_checkpoints_are_judged_and_what_is_done_is_kept(
    studio: Services, run_folder: Path
) -> None:
    cancel, progress = stop_at([], "Speaking with step 6", 3)
    with pytest.raises(JobCancelled):
        judge_run(studio, "first", progress, cancel)
    before = takes(run_folder)
    assert len(before) == 3 + 2  # the base's, and two of the first checkpoint's
    assert read_judgement(studio.training_runs.get("first")) is None

    found = judge_run(studio, "first")
    assert [row.checkpoint for row in found.rows] == ["base", "6", "12"]
    after = takes(run_folder)
    assert len(after) == 3 * 3
    assert before.items() <= after.items()  # nothing was spoken twice
    assert not list((run_folder / "judgement").glob(".candidate*"))
    kinds = [take.kind for take in found.rows[1].takes]
    assert kinds == ["sentence"] + ["held out"] * 2
    for row in found.rows:
        assert row.similarity_self == pytest.approx(1.0, abs=0.01)
        assert row.word_error_rate is not None
        assert row.duration_ratio is not None
        for take in row.takes:
            assert read_speech(run_folder / take.audio).duration_s > 0.1
    assert read_judgement(studio.training_runs.get("first")) == found
    assert found.real_clips.keys() == {"aa_0004", "aa_0005"}

    said = [read_speech(run_folder / row.takes[0].audio).samples for row in found.rows]
    assert not np.array_equal(said[0], said[1])
    assert not np.array_equal(said[1], said[2])

    assert judge_run(studio, "first") == found
    assert takes(run_folder) == after


def test_a_run_that_trains_or_has_nothing_is_not_judged(studio: Services, run_folder: Path) -> None:
    from filelock import FileLock

    run = studio.training_runs.get("first")
    with FileLock(run.files.lock), pytest.raises(BadInputError, match="being trained"):
        judge_run(studio, "first")
    shutil.rmtree(run.files.checkpoints)
    with pytest.raises(BadInputError, match="no checkpoint"):
        judge_run(studio, "first")


def test_a_published_checkpoint_speaks_in_plain_coqui(studio: Services, run_folder: Path) -> None:
    import torch
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    model = publish(studio, "first", "12", "Anna's voice")
    assert model.label == "Anna's voice"
    assert model.base_model == "xtts-v2.0.3"
    folder = model.folder
    content = torch.load(folder / "model.pth", weights_only=True)
    assert list(content) == ["model"]
    assert not [key for key in content["model"] if key.startswith(("dvae", "torch_mel", "xtts."))]

    config = XttsConfig()
    config.load_json(folder / "config.json")
    coqui = Xtts(config)
    coqui.load_checkpoint(config, checkpoint_dir=folder)
    moved = coqui.state_dict()["gpt.mel_head.weight"]
    assert torch.equal(moved, content["model"]["gpt.mel_head.weight"])
    latents = coqui.get_conditioning_latents([folder / "reference.wav"])
    said = coqui.inference("Hello.", "en", *latents)["wav"]
    assert len(said) > 1000
    assert np.isfinite(said).all()

    assert "xtts-Anna_s_voice" in studio.tts.engine_ids()
    assert "reference" in studio.tts.get("xtts-Anna_s_voice").voices()
    card = json.loads((folder / "model_card.json").read_text(encoding="utf-8"))
    assert card["data"] == {
        "dataset": "Anna", "speaker": "Anna", "speaker_agreed": False,
        "minutes": 0.1, "clips": 4, "held_out": 2,
    }  # fmt: skip
    assert card["training"]["step"] == 12
    assert card["bytes"]["checkpoint"] > card["bytes"]["published"]
    assert set(card["base"]["sha256"]) >= {"model.pth", "vocab.json", "config.json"}
    assert card["licence"]["commercial"] is False
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "published without an evaluation" in text

    with pytest.raises(BadInputError, match="already"):
        publish(studio, "first", "12", "Anna's  voice")


@pytest.mark.parametrize(
    ("checkpoint", "name", "error", "words"),
    [
        ("7", "Other", NotFoundError, "It has: 6, 12"),
        ("12", " / ", BadInputError, "no name"),
    ],
)
def test_what_cannot_be_published_leaves_nothing(
    studio: Services,
    run_folder: Path,
    checkpoint: str,
    name: str,
    error: type[Exception],
    words: str,
) -> None:
    before = set(studio.settings.finetune_folder.glob("*"))
    with pytest.raises(error, match=words):
        publish(studio, "first", checkpoint, name)
    assert set(studio.settings.finetune_folder.glob("*")) == before


def test_a_broken_checkpoint_is_not_published(studio: Services, run_folder: Path) -> None:
    run = studio.training_runs.get("first")
    (run.files.checkpoints / "12.pth").write_bytes(b"half a file")
    before = set(studio.settings.finetune_folder.glob("*"))
    with pytest.raises(CorruptFileError):
        publish(studio, "first", "12", "Broken")
    assert set(studio.settings.finetune_folder.glob("*")) == before
