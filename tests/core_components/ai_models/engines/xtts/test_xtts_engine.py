"""XTTS on a tiny random model: the real loading and speaking code."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.xtts import checkpoint
from modules.core_components.ai_models.engines.xtts.checkpoint import assemble
from modules.core_components.ai_models.engines.xtts.engine import REFERENCE_VOICE, XttsEngine
from modules.core_components.ai_models.engines.xtts.options import XttsOptions
from modules.core_components.ai_models.engines.xtts.tuned import check_tuned, entry_of, factory_of
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.encode import audio_sha256
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.library.tuned_models import read_tuned_model
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt
from tests.helpers.errors import detailed, told
from tests.helpers.tiny_xtts import SPEAKERS

TEXT = "Hello there, this is a test."


def streamed(engine: XttsEngine, cancel: CancelToken, **options: Any) -> Iterator[Speech]:
    return engine.stream(TEXT, SPEAKERS[0], XttsOptions(**options), cancel)


def spoken(
    engine: XttsEngine, text: str = TEXT, voice: str | VoicePrompt = SPEAKERS[0], **options: Any
) -> FloatArray:
    pieces = engine.stream(text, voice, XttsOptions(**options), CancelToken())
    return np.concatenate([piece.samples for piece in pieces])


@pytest.fixture
def copy(tiny_xtts: Path, tmp_path: Path) -> Path:
    """The files, to be harmed."""
    return shutil.copytree(tiny_xtts, tmp_path / "copy")


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    noise = np.random.default_rng(3).normal(scale=0.1, size=48_000).astype(np.float32)
    speech = Speech(noise, 16_000)
    write_speech(tmp_path / "Anna.wav", speech)
    return Sample("Anna", tmp_path / "Anna.wav", audio_sha256(speech), 3.0)


def coqui_says(model: Any, seed: int, speed: float) -> FloatArray:
    """What coqui's own streaming makes of the text, in one piece."""
    import torch

    speaker = model.speaker_manager.speakers[SPEAKERS[0]]
    torch.manual_seed(seed)
    chunks = model.inference_stream(
        TEXT, "en", speaker["gpt_cond_latent"], speaker["speaker_embedding"],
        stream_chunk_size=0, repetition_penalty=5.0, speed=speed,
    )  # fmt: skip
    return np.concatenate([chunk.numpy() for chunk in chunks])


def test_in_pieces_it_says_what_coqui_says_in_one(engine: XttsEngine, copy: Path) -> None:
    from TTS.tts.configs.xtts_config import XttsConfig
    from TTS.tts.models.xtts import Xtts

    config = XttsConfig()
    config.load_json(str(copy / "config.json"))
    model = Xtts(config)
    model.load_checkpoint(config, checkpoint_dir=str(copy), eval=True)
    for speed, least in ((1.0, 1), (0.8, 2)):
        theirs = coqui_says(model, seed=4, speed=speed)
        pieces = list(streamed(engine, CancelToken(), seed=4, speed=speed, stream_chunk_size=8))
        ours = np.concatenate([piece.samples for piece in pieces])
        assert len(pieces) >= least
        inner = slice(200, len(ours) - 200)  # our ends are faded
        assert len(ours) == len(theirs)
        np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-5)


def test_a_seed_is_an_audio_whatever_the_pieces(engine: XttsEngine) -> None:
    first = spoken(engine, seed=7)
    assert np.array_equal(first, spoken(engine, seed=7))
    np.testing.assert_allclose(first, spoken(engine, seed=7, stream_chunk_size=8), atol=1e-5)
    assert not np.array_equal(first[:2000], spoken(engine, seed=8)[:2000])


def test_it_gets_the_text_as_it_is_said(engine: XttsEngine) -> None:
    said = spoken(engine, "It is five kilometers, doctor Lee.", seed=7)
    assert np.array_equal(said, spoken(engine, "It is **5 km**, Dr. Lee.", seed=7))
    as_written = spoken(engine, "It is **5 km**, Dr. Lee.", seed=7, as_written="units")
    assert not np.array_equal(said[:2000], as_written[:2000])


def test_two_who_speak_at_once_do_not_disturb_each_other(engine: XttsEngine) -> None:
    alone = [spoken(engine, seed=seed) for seed in (1, 2)]
    streams = [streamed(engine, CancelToken(), seed=seed, stream_chunk_size=8) for seed in (1, 2)]
    together: list[list[FloatArray]] = [[], []]
    running = [0, 1]
    while running:
        for number in list(running):
            piece = next(streams[number], None)
            if piece is None:
                running.remove(number)
            else:
                together[number].append(piece.samples)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, np.concatenate(other), atol=1e-5)


def test_cancelling_stops_the_computing(
    engine: XttsEngine, xtts_context: EngineContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel, steps = CancelToken(), []
    engine.load()
    with xtts_context.pool.lease(engine.model_spec()) as network:
        inner = network.model.gpt.gpt_inference

    def counted(*arguments: Any, **named: Any) -> Any:
        steps.append(1)
        if len(steps) == 5:
            cancel.cancel()
        return type(inner).forward(inner, *arguments, **named)

    monkeypatch.setattr(inner, "forward", counted)
    with pytest.raises(JobCancelled):
        list(streamed(engine, cancel))
    assert len(steps) == 5
    assert [resident.holders for resident in xtts_context.pool.snapshot()] == [()]


def test_long_text_has_a_pause_between_pieces(engine: XttsEngine) -> None:
    one, two = "First things first.", "And then the second."
    both = spoken(engine, f"{one}\n\n{two}", seed=5)
    alone = len(spoken(engine, one, seed=5)) + len(spoken(engine, two, seed=6))
    assert len(both) / 24_000 - alone / 24_000 == pytest.approx(0.65, abs=0.1)


def test_a_prepared_voice_survives_a_restart(
    engine: XttsEngine, sample: Sample, tmp_path: Path
) -> None:
    prompt = engine.prepare_voice(sample, no_progress, CancelToken())
    VoicePromptStore(tmp_path / "prompts").put(prompt)
    found = VoicePromptStore(tmp_path / "prompts").get(prompt.key)
    assert found is not None
    before, after = (spoken(engine, voice=voice) for voice in (prompt, found))
    assert np.array_equal(before, after)
    assert not np.array_equal(before[:2000], spoken(engine)[:2000])


def test_a_sample_too_short_is_refused(engine: XttsEngine, tmp_path: Path) -> None:
    write_speech(tmp_path / "short.wav", Speech(np.ones(3_200, np.float32) / 9, 16_000))
    short = Sample("short", tmp_path / "short.wav", "0", 0.2)
    with pytest.raises(BadInputError, match=r"0\.2 seconds"):
        engine.prepare_voice(short, no_progress, CancelToken())


def test_what_cannot_be_spoken_is_said_before_the_first_piece(engine: XttsEngine) -> None:
    token = CancelToken()
    for text, voice, language, about in (
        ("...!", SPEAKERS[0], "en", "text"),
        ("Hi.", "Nobody", "en", "voice"),
        ("Hi.", SPEAKERS[0], "xx", "language"),
        ("Hi.", REFERENCE_VOICE, "en", "voice"),
    ):
        with pytest.raises(BadInputError) as refused:
            engine.stream(text, voice, XttsOptions(language=language), token)
        assert refused.value.about == about


def test_loading_touches_neither_the_files_nor_torchs_threads(copy: Path) -> None:
    import torch

    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copy.iterdir()}
    threads = torch.get_num_threads()
    state = torch.get_rng_state()
    assemble(copy, "cpu")
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
    after = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copy.iterdir()}
    assert before == after


def test_a_wrong_vocabulary_names_both_files(copy: Path) -> None:
    vocabulary = json.loads((copy / checkpoint.VOCABULARY).read_text(encoding="utf-8"))
    vocabulary["model"]["vocab"]["zzz"] = 699
    (copy / checkpoint.VOCABULARY).write_text(json.dumps(vocabulary), encoding="utf-8")
    with pytest.raises(CorruptFileError, check=detailed("different versions")) as refused:
        assemble(copy, "cpu")
    assert "vocab.json has 700 tokens" in told(refused.value)
    assert "model.pth was made for" in told(refused.value)
    assert "download it again" in told(refused.value)


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.VOCABULARY])
def test_a_missing_or_truncated_file_is_named(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(CorruptFileError, check=detailed(name)):
        assemble(copy, "cpu")
    (copy / name).unlink()
    with pytest.raises(ModelMissingError, check=detailed(name)):
        assemble(copy, "cpu")


def test_a_configuration_of_another_size_is_named(copy: Path) -> None:
    config = (copy / checkpoint.CONFIG).read_text(encoding="utf-8")
    for wrong in ('"gpt_layers": 3', '"gpt_layers": 123456789', '"gpt_layers": -2'):
        (copy / checkpoint.CONFIG).write_text(
            config.replace('"gpt_layers": 2', wrong), encoding="utf-8"
        )
        with pytest.raises(CorruptFileError, check=detailed(r"config\.json|model\.pth")):
            assemble(copy, "cpu")


def test_a_trainers_checkpoint_speaks(
    engine: XttsEngine, copy: Path, xtts_context: EngineContext, sample: Sample
) -> None:
    import torch

    from modules.core_components.ai_models.engines.xtts.checkpoint import read_weights

    trained = {
        f"xtts.{name}": value.clone()
        for name, value in read_weights(copy / checkpoint.WEIGHTS).items()
    }
    trained["dvae.codebook.embed"] = torch.ones(3)
    trained["torch_mel_spectrogram_style_encoder.mel_stft.spectrogram.window"] = torch.ones(3)
    optimizer = {"state": {}, "param_groups": [{"lr": 5e-6}]}
    torch.save({"model": trained, "optimizer": optimizer, "step": 7}, copy / checkpoint.WEIGHTS)
    shutil.copy(sample.path, copy / "reference.wav")
    check_tuned(copy)
    model = read_tuned_model(copy)
    licence = xtts_context.catalog.entry("xtts-v2.0.3").licence
    tuned = factory_of(copy)(entry_of(model, licence), xtts_context)
    assert tuned.voices() == (REFERENCE_VOICE, *SPEAKERS)
    assert tuned.languages[-1] == "hi"
    assert np.array_equal(spoken(tuned, seed=3), spoken(engine, seed=3))
    pieces = tuned.stream(TEXT, REFERENCE_VOICE, XttsOptions(), CancelToken())
    assert sum(len(piece.samples) for piece in pieces) > 1000


def test_a_pickle_that_would_run_code_is_refused(copy: Path, tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({"model": {}, "config": Evil()}, copy / checkpoint.WEIGHTS)
    with pytest.raises(CorruptFileError, check=detailed(r"model\.pth")):
        check_tuned(copy)
    assert not (tmp_path / "ran").exists()


def test_nothing_reaches_the_code_of_coqui_that_asks() -> None:
    modules = Path(__file__).parents[5] / "modules"
    for path in modules.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert "TTS.api" not in source, path
        assert "TTS.utils.manage" not in source, path
        assert re.search(r"\binput\(", source) is None, path
