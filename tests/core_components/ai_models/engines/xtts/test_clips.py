"""The clips of a training are read without FFmpeg's libraries, and as coqui's own reader has it."""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from modules.core_components.ai_models.engines.xtts.training.plan import (
    TrainingPlan,
    TrainingSetup,
)
from modules.core_components.ai_models.engines.xtts.training.xtts_trainee import (
    Clips,
    RejectedClip,
    TrainingRow,
    XttsTrainee,
    read_clip,
    trainer_config,
)
from modules.core_components.dataset.values import EVAL, TRAIN

RATE_HZ = 22_050
SECONDS = (1.0, 2.5, 4.0, 7.0)


@pytest.fixture
def without_ffmpeg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torchcodec does not load, as where FFmpeg's shared libraries are missing."""
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    import torchaudio

    with pytest.raises(ImportError):
        torchaudio.load("any.wav")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "wavs").mkdir()
    for number, seconds in enumerate(SECONDS):
        samples = np.random.default_rng(number).normal(0, 0.1, round(seconds * RATE_HZ))
        soundfile.write(tmp_path / "wavs" / f"{number}.wav", samples, RATE_HZ, "PCM_16")
    return tmp_path


def rows(subset: str, numbers: Sequence[int] = range(len(SECONDS))) -> list[TrainingRow]:
    return [TrainingRow(str(n), f"wavs/{n}.wav", "hello there", "Anna", subset) for n in numbers]


def setup_of(tiny: Path, folder: Path) -> TrainingSetup:
    return TrainingSetup(
        plan=TrainingPlan(batch_size=2, workers=0),
        language="en",
        device="cpu",
        threads=1,
        dataset_folder=folder,
        weights=tiny / "model.pth",
        config=tiny / "config.json",
        vocabulary=tiny / "vocab.json",
        dvae=tiny / "dvae.pth",
        mel_norms=tiny / "mel_stats.pth",
    )


def trainee(tiny: Path, folder: Path, wanted: Sequence[TrainingRow]) -> XttsTrainee:
    return XttsTrainee(setup_of(tiny, folder), wanted)


@pytest.mark.usefixtures("without_ffmpeg")
def test_training_and_evaluation_give_losses_without_ffmpeg(tiny_xtts: Path, folder: Path) -> None:
    learner = trainee(tiny_xtts, folder, [*rows(TRAIN), *rows(EVAL, (1, 2))])
    for batch in learner.batches([(0, 1), (2, 3)], epoch=1):
        assert batch.rejected == ()
        assert torch.isfinite(learner.loss(batch))
    for loss, batch in learner.evaluation():
        assert batch.rejected == ()
        assert np.isfinite(loss)


@pytest.mark.parametrize("is_eval", [False, True])
def test_what_is_read_is_what_coquis_reader_gives(
    tiny_xtts: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, is_eval: bool
) -> None:
    """Bit for bit: coqui's code runs on the samples, in place of its audio library."""
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer
    from TTS.tts.layers.xtts.trainer import dataset

    monkeypatch.setattr(dataset, "load_audio", lambda path, rate: read_clip(Path(path), rate))
    config = trainer_config(setup_of(tiny_xtts, folder))
    tokenizer = VoiceBpeTokenizer(str(tiny_xtts / "vocab.json"))
    source = dataset.XTTSDataset(config, [], tokenizer, RATE_HZ, is_eval)
    clips = Clips(source, rows(TRAIN), folder, "en", seed=5, least=1)
    for number, row in enumerate(rows(TRAIN)):
        ours = clips[1, number]
        assert not isinstance(ours, RejectedClip)
        random.seed(f"5/1/{number}")
        sample = {"text": row.text, "language": "en", "audio_file": str(folder / row.audio_file)}
        tokens, _, wav, conditioning, _, stretch = source.load_item(sample)
        assert torch.equal(ours["text"], tokens)
        assert torch.equal(ours["wav"], wav)
        assert torch.equal(ours["conditioning"], conditioning.unsqueeze(1))
        assert ours["cond_idxs"].tolist() == stretch


def test_samples_are_those_of_the_file(tmp_path: Path) -> None:
    written = np.array([[0, 16384], [-32768, 0], [32767, 32767]], np.int16)
    soundfile.write(tmp_path / "a.wav", written, RATE_HZ, "PCM_16")
    read = read_clip(tmp_path / "a.wav", RATE_HZ)
    assert read.shape == (1, 3)
    np.testing.assert_allclose(read[0], written.mean(axis=1) / 32768)
    assert read_clip(tmp_path / "a.wav", 2 * RATE_HZ).shape == (1, 6)


def test_unusable_clips_are_named_with_the_reason(tiny_xtts: Path, folder: Path) -> None:
    soundfile.write(folder / "wavs" / "0.wav", np.zeros(5000), RATE_HZ, "PCM_16")
    (folder / "wavs" / "1.wav").write_bytes(b"no wav")
    (folder / "wavs" / "2.wav").unlink()
    learner = trainee(tiny_xtts, folder, rows(TRAIN))
    (batch,) = learner.batches([(0, 1, 2, 3)], epoch=1)
    # By the beginning of their text, which is the same in all of them.
    assert [name for name, _ in batch.rejected] == ["“hello there”"] * 3
    reasons = [reason for _, reason in batch.rejected]
    assert "half a second" in reasons[0]
    assert all(reasons)
