"""A model published in half precision: judged before and after, spoken with, packed, trained on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from modules.cli.main import app
from modules.core_components.ai_models import reset_managers
from modules.core_components.ai_models.engines.xtts.checkpoint import read_weights
from modules.core_components.ai_models.engines.xtts.packing import halved
from modules.core_components.ai_models.engines.xtts.training.plan import (
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    XttsTrainee,
    row_of,
)
from modules.core_components.errors import BadInputError
from modules.core_components.library.tuned_models import TunedModel
from modules.core_components.progress import CancelToken
from modules.tools.models import library, tuned_models
from modules.tools.services import Services
from modules.tools.training import evaluation, judging_inputs
from modules.tools.training.preflight import TrainingRequest, preflight
from modules.tools.training.publish import publish, readme, result_in_words
from modules.tools.training.training import new_run
from tests.helpers.fakes import ECHO, EchoListener, fake_entry
from tests.helpers.xtts_studio import BASE, add_dataset, add_run, open_xtts_studio
from tests.tools.test_judging import LoudnessEncoder


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, tiny_xtts: Path) -> Iterator[Services]:
    with pytest.MonkeyPatch.context() as patch:
        services = open_xtts_studio(tmp_path_factory.mktemp("studio"), tiny_xtts, patch)
        listens = fake_entry(ECHO, "speech-to-text", ())
        services.asr.register_engine(ECHO, lambda entry, context: EchoListener(), listens)
        services.change_settings({"asr_model": ECHO, "torch_threads": 1})
        patch.setattr(type(services.asr), "get_speaker_encoder", lambda self: LoudnessEncoder())
        # Silero hears no voice in what random numbers say.
        patch.setattr(evaluation, "trim_to_speech", lambda speech: speech)
        patch.setattr(evaluation, "speech_seconds", lambda speech: speech.duration_s)
        patch.setattr(judging_inputs, "judging_sentences", lambda language: ())
        add_dataset(services, clips=13, clip_s=10.0, evaluated=1)
        add_run(services, steps=(6,))
        yield services
        services.close()
        reset_managers()


@pytest.fixture(scope="module")
def half(studio: Services) -> TunedModel:
    return publish(studio, "first", "6", "Anna half", half=True)


def test_the_matrices_are_halved_and_what_float16_has_not_stays() -> None:
    large = torch.full((2, 2), 70_000.0)
    weights = {"a": torch.randn(64, 8), "b": torch.randn(64), "c": large}
    weights["d"] = torch.ones(3, 3).int()
    small = halved(weights)
    assert {name: value.dtype for name, value in small.items()} == {
        "a": torch.float16, "b": torch.float32, "c": torch.float32, "d": torch.int32,
    }  # fmt: skip
    assert torch.allclose(small["a"].float(), weights["a"], rtol=1e-3, atol=1e-6)


def test_a_published_half_is_half_as_large(studio: Services, half: TunedModel) -> None:
    full = read_weights(studio.training_runs.checkpoints("first")[0].path)
    small = read_weights(half.folder / "model.pth")
    sizes = [sum(v.numel() * v.element_size() for v in one.values()) for one in (full, small)]
    assert sizes[1] < 0.51 * sizes[0]
    assert set(small) == set(full)


def test_its_card_has_the_scores_before_and_after(studio: Services, half: TunedModel) -> None:
    card = half.card
    assert card["precision"] == "float16"
    before, after = card["scores_before_halving"], card["scores"]
    assert None not in (before["similarity"], before["word_error_rate"], after["similarity"])
    assert after["similarity"] == pytest.approx(before["similarity"], abs=0.02)
    run = studio.training_runs.get("first")
    spoken = [list((run.folder / "judgement" / name).glob("*.wav")) for name in ("6", "6-half")]
    assert [len(takes) for takes in spoken] == [1, 1]
    assert spoken[0][0].read_bytes() != spoken[1][0].read_bytes()
    assert "before it was halved" in readme(card)
    assert "Before and after halving" in result_in_words(half)


def test_the_engine_speaks_with_it(studio: Services, half: TunedModel) -> None:
    engine = studio.tts.get("xtts-Anna_half")
    options = engine.options_type(language="en", seed=3)
    pieces = [p.samples for p in engine.stream("Hello.", "reference", options, CancelToken())]
    said = np.concatenate(pieces)
    assert len(said) > 1000
    assert np.isfinite(said).all()
    file_mb = (half.folder / "model.pth").stat().st_size // 1_000_000
    assert studio.tts.entry("xtts-Anna_half").memory_mb > 2 * file_mb


def test_plain_coqui_loads_it(half: TunedModel) -> None:
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    config = XttsConfig()
    config.load_json(half.folder / "config.json")
    coqui = Xtts(config)
    coqui.load_checkpoint(config, checkpoint_dir=half.folder)
    written = read_weights(half.folder / "model.pth")["gpt.mel_head.weight"]
    assert torch.equal(coqui.state_dict()["gpt.mel_head.weight"], written.float())


def test_a_training_begins_with_it(studio: Services, half: TunedModel) -> None:
    request = TrainingRequest("second", "Anna", "xtts-Anna_half", {"batch_size": 2})
    found = preflight(studio, request)
    assert found.stops == (), [check.message for check in found.stops]
    run = new_run(studio, request)
    support = studio.downloader.verify("xtts-v2-training")
    setup = TrainingSetup(
        TrainingPlan(batch_size=2, workers=0), "en", "cpu", 0, studio.datasets.get("Anna").folder,
        half.folder / "model.pth", half.folder / "config.json", half.folder / "vocab.json",
        support / "dvae.pth", support / "mel_stats.pth",
    )  # fmt: skip
    trainee = XttsTrainee(setup, [row_of(clip) for clip in studio.datasets.get("Anna").rows])
    learning = trainee.trainable.state_dict()["mel_head.weight"]
    written = read_weights(half.folder / "model.pth")["gpt.mel_head.weight"]
    assert learning.dtype == torch.float32
    assert torch.equal(learning, written.float())
    loss = trainee.loss(next(trainee.batches([(0, 1)], 0)))
    loss.backward()
    assert torch.isfinite(loss)
    assert studio.training_runs.get(run.name).base_model == "xtts-Anna_half"


def test_its_zip_is_taken_in_as_it_is(studio: Services, half: TunedModel, tmp_path: Path) -> None:
    library.accept_licence(studio, BASE)
    packed = tuned_models.export_tuned(studio, half.name, tmp_path / "half.zip")
    again = tuned_models.import_tuned(studio, packed, "Again")
    assert again.card["precision"] == "float16"
    kinds = [read_weights(one.folder / "model.pth") for one in (half, again)]
    assert {n: v.dtype for n, v in kinds[0].items()} == {n: v.dtype for n, v in kinds[1].items()}


def test_a_changed_file_is_found_by_its_hash(studio: Services, half: TunedModel) -> None:
    config = half.folder / "config.json"
    whole = config.read_bytes()
    try:
        config.write_bytes(whole + b"\n")
        with pytest.raises(BadInputError, match="damaged"):
            new_run(studio, TrainingRequest("third", "Anna", "xtts-Anna_half", {"batch_size": 2}))
    finally:
        config.write_bytes(whole)


def test_the_terminal_publishes_in_half_precision(
    studio: Services, half: TunedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def record(services: Services, *given: object) -> TunedModel:
        asked.append(given[-1])
        return half

    monkeypatch.setattr("modules.tools.training.publish.publish", record)
    line = ["--data-root", str(studio.settings.root), "train", "publish", "first", "--name", "Half"]
    done = CliRunner().invoke(app, [*line, "--checkpoint", "6", "--half", "--json"])
    assert done.exit_code == 0, done.output
    assert asked == [True]
    assert json.loads(done.stdout)["card"]["precision"] == "float16"
