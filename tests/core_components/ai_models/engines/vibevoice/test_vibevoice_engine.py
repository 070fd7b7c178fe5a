"""VibeVoice on a tiny random model: the real loading and speaking code."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from modules.core_components.ai_models.catalog import MANIFEST_NAME
from modules.core_components.ai_models.engines.base import AttentiveEngine, ScriptEngine, ScriptLine
from modules.core_components.ai_models.engines.vibevoice.network import VibeVoiceNetwork
from modules.core_components.ai_models.engines.vibevoice.script import VibeVoiceOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
    StudioError,
)
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.settings import ModelSettings, app_folder, change, load_settings
from modules.core_components.values import FloatArray, Sample, VoicePrompt
from tests.helpers.errors import detailed
from tests.helpers.tiny_vibevoice import FOLDERS, install_tiny

MODEL = "vibevoice-1.5b"
QUICK = {"diffusion_steps": 2}
TEXT = "Hello there, this is a test."


@pytest.fixture(scope="module")
def studio(tiny_vibevoice: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TTSManager]:
    root = tmp_path_factory.mktemp("studio")
    install_tiny(tiny_vibevoice, root / "models", MODEL, "vibevoice-large")
    overrides = {"device": "cpu", "models_folder": str(root / "models"), "torch_threads": 1}
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    yield TTSManager(load_settings(root, overrides), pool)
    pool.close()


@pytest.fixture(scope="module")
def engine(studio: TTSManager) -> ScriptEngine:
    engine = studio.get_vibevoice_tts("1.5B")
    assert isinstance(engine, ScriptEngine)
    return engine


@pytest.fixture(scope="module")
def voices(studio: TTSManager, tmp_path_factory: pytest.TempPathFactory) -> list[VoicePrompt]:
    folder = tmp_path_factory.mktemp("samples")
    samples = [sample(folder, number) for number in range(5)]
    return [studio.prepare_voice(MODEL, one)[0] for one in samples]


def sample(folder: Path, number: int, seconds: float = 1.5) -> Sample:
    """A recording at 16 kHz: VibeVoice must not take it for one of 24 kHz."""
    path = folder / f"voice{number}.wav"
    noise = np.random.default_rng(number).normal(0, 0.1, int(16_000 * seconds))
    soundfile.write(path, noise.astype(np.float32), 16_000)
    return Sample(path.stem, path, f"{number:064x}", seconds)


def spoken(engine: ScriptEngine, voice: VoicePrompt, text: str = TEXT, **given: Any) -> FloatArray:
    options = VibeVoiceOptions(**{**QUICK, **given})
    return joined(engine.stream(text, voice, options, CancelToken()))


def gpu_is_here() -> bool:
    import torch

    return torch.cuda.is_available() and importlib.util.find_spec("bitsandbytes") is not None


def joined(pieces: Any) -> FloatArray:
    return np.concatenate([piece.samples for piece in pieces])


def borrowed(studio: TTSManager) -> Any:
    engine: Any = studio.get(MODEL)
    return studio.pool.lease(engine.model_spec(), None, "a test")


def test_it_says_what_transformers_says(studio: TTSManager, voices: list[VoicePrompt]) -> None:
    import torch

    heard = np.random.default_rng(7).normal(0, 0.1, 30_000).astype(np.float32)
    content = [{"type": "text", "text": "Hello."}, {"type": "audio", "audio": heard}]
    chunks: list[FloatArray] = []
    with borrowed(studio) as network:
        assert isinstance(network, VibeVoiceNetwork)
        inputs = network.processor.apply_chat_template(
            [{"role": "0", "content": content}], tokenize=True, return_dict=True,
            return_tensors="pt",
        )  # fmt: skip
        torch.manual_seed(5)
        theirs = network.model.generate(**inputs, max_new_tokens=40, num_diffusion_steps=2)[0]
        latents = network.encode_voice(heard)
        torch.manual_seed(5)
        network.speak(
            [ScriptLine(0, "Hello.")], [latents], VibeVoiceOptions(diffusion_steps=2), 40,
            lambda chunk: chunks.append(chunk) or True,
        )  # fmt: skip
    assert {len(chunk) for chunk in chunks} <= {0, 3200}
    np.testing.assert_array_equal(np.concatenate(chunks), theirs[0].numpy())


def test_the_language_model_runs_twice_a_token(
    studio: TTSManager, voices: list[VoicePrompt]
) -> None:
    latents = voices[0].tensors["latents"]
    runs: list[int] = []
    tokens: list[FloatArray] = []
    with borrowed(studio) as network:
        language = network.model.model.language_model
        hook = language.register_forward_hook(lambda *_: runs.append(1))
        network.speak(
            [ScriptLine(0, TEXT)], [latents], VibeVoiceOptions(diffusion_steps=1), 12,
            lambda chunk: tokens.append(chunk) or True,
        )  # fmt: skip
        hook.remove()
    assert len(runs) == sum(2 if len(chunk) else 1 for chunk in tokens)


def test_formatting_alone_is_taken_out_of_its_text(
    engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    plain = spoken(engine, voices[0], "Walk 5 km now.", seed=3)
    np.testing.assert_array_equal(spoken(engine, voices[0], "Walk **5 km** now.", seed=3), plain)
    lines = [ScriptLine(0, "Walk *5 km* <b>now</b>.")]
    options = VibeVoiceOptions(**QUICK, seed=3)
    script = joined(engine.stream_script(lines, (voices[0],), options, CancelToken()))
    np.testing.assert_array_equal(script, plain)
    in_words = spoken(engine, voices[0], "Walk five kilometers now.", seed=3)
    assert not np.array_equal(in_words[: len(plain)], plain[: len(in_words)])


def test_a_seed_repeats_exactly_and_another_is_another(
    engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    once = spoken(engine, voices[0], seed=3)
    np.testing.assert_array_equal(spoken(engine, voices[0], seed=3), once)
    for other in (
        spoken(engine, voices[0], seed=4),
        spoken(engine, voices[1], seed=3),
        spoken(engine, voices[0], seed=3, guidance_scale=3.0),
        spoken(engine, voices[0], seed=3, diffusion_steps=3),
    ):
        assert len(other) != len(once) or np.abs(other - once).max() > 1e-4


def test_the_large_one_speaks_too(studio: TTSManager, tmp_path: Path) -> None:
    large = studio.get_vibevoice_tts("Large")
    voice, _ = studio.prepare_voice(large.model_id, sample(tmp_path, 0))
    options = VibeVoiceOptions(**QUICK, seed=3)
    once, again = (joined(large.stream(TEXT, voice, options, CancelToken())) for _ in range(2))
    assert len(once) > 0
    np.testing.assert_array_equal(again, once)


def test_two_at_once_say_what_each_says_alone(
    engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    alone = [spoken(engine, voices[number], seed=number) for number in (1, 4)]
    together: dict[int, list[FloatArray]] = {1: [], 4: []}
    streams = {
        number: engine.stream(
            TEXT, voices[number], VibeVoiceOptions(**QUICK, seed=number), CancelToken()
        )
        for number in together
    }
    while streams:
        for number in list(streams):
            piece = next(streams[number], None)
            if piece is None:
                del streams[number]
            else:
                together[number].append(piece.samples)
    for number, expected in zip((1, 4), alone, strict=True):
        np.testing.assert_array_equal(np.concatenate(together[number]), expected)


def test_sound_comes_before_the_end_and_cancelling_costs_a_token(
    studio: TTSManager, engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    cancel = CancelToken()
    pieces = engine.stream(TEXT, voices[0], VibeVoiceOptions(**QUICK, seed=1), cancel)
    with borrowed(studio) as network:
        tokens: list[int] = []
        hook = network.model.model.diffusion_head.register_forward_hook(lambda *_: tokens.append(1))
        next(pieces)
        before = len(tokens)
        cancel.cancel()
        with pytest.raises(JobCancelled):
            next(pieces)
        hook.remove()
    assert 0 < before <= 2 * QUICK["diffusion_steps"]
    assert len(tokens) == before  # not one of 133 ms more


def test_it_tells_its_attention_and_its_numbers(
    engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    assert isinstance(engine, AttentiveEngine)
    assert (engine.attention, engine.precision) == ("sdpa", "float32")


def test_who_stops_listening_leaves_no_thread(
    engine: ScriptEngine, voices: list[VoicePrompt]
) -> None:
    import threading

    pieces = engine.stream(TEXT, voices[0], VibeVoiceOptions(**QUICK, seed=1), CancelToken())
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name.startswith("speaking with")]


def test_four_speakers_each_with_his_voice(engine: ScriptEngine, voices: list[VoicePrompt]) -> None:
    lines = [ScriptLine(number, f"I am number {number}.") for number in (2, 0, 3, 1, 2)]
    options = VibeVoiceOptions(**QUICK, seed=2)
    once = joined(engine.stream_script(lines, voices[:4], options, CancelToken()))
    assert len(once) > 0
    swapped = [voices[1], voices[0], *voices[2:4]]
    other = joined(engine.stream_script(lines, swapped, options, CancelToken()))
    assert len(other) != len(once) or np.abs(other - once).max() > 1e-4


@pytest.mark.parametrize(
    ("lines", "given", "said"),
    [
        ([ScriptLine(n, "Hello.") for n in range(5)], 5, "5 speakers"),
        ([ScriptLine(0, "Hello."), ScriptLine(1, "Hello.")], 1, "Speaker 2 of the script"),
        ([ScriptLine(0, " ... ")], 1, "nothing in the text"),
        ([ScriptLine(0, "Hello. " * 50_000)], 1, "limit is 200,000"),
    ],
)
def test_bad_scripts_are_refused_before_anything(
    engine: ScriptEngine, voices: list[VoicePrompt], lines: Any, given: int, said: str
) -> None:
    with pytest.raises(BadInputError, match=said):
        engine.stream_script(lines, voices[:given], VibeVoiceOptions(), CancelToken())


def test_a_long_script_is_one_speech(engine: ScriptEngine, voices: list[VoicePrompt]) -> None:
    text = "One sentence is here. Another follows it. And a third one ends it."
    parts = spoken(engine, voices[0], text, sentences_per_part=1, seed=8)
    silent = np.abs(parts) < 1e-6
    edges = np.flatnonzero(np.diff(np.concatenate([[0], silent.astype(int), [0]])))
    pauses = [(b - a) / 24_000 for a, b in edges.reshape(-1, 2) if b - a > 1000]
    assert len(pauses) == 2
    assert max(pauses) < 0.4
    assert np.abs(parts[0]) < 0.05
    assert np.abs(parts[-1]) < 0.05


def test_what_the_voice_is_made_of(studio: TTSManager, voices: list[VoicePrompt]) -> None:
    latents = voices[0].tensors["latents"]
    assert latents.shape == (12, 8)  # 1.5 s at 24 kHz, rounded up to tokens of 3,200 samples
    assert latents.dtype == np.float32


def test_the_prompt_survives_a_restart_and_belongs_to_its_model(
    studio: TTSManager, tmp_path: Path
) -> None:
    one = sample(tmp_path, 11)
    first, was_there = studio.prepare_voice(MODEL, one)
    assert not was_there
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    again = TTSManager(studio.settings, pool)
    prompt, was_there = again.prepare_voice(MODEL, one)
    assert was_there
    np.testing.assert_array_equal(prompt.tensors["latents"], first.tensors["latents"])
    assert not pool.snapshot()  # nothing had to be loaded for it
    for changed in (
        dataclasses.replace(one, audio_sha256="f" * 64),
        dataclasses.replace(one, ref_text="other words"),
    ):
        assert again.prepared_voice(MODEL, changed) is None
    assert again.prepared_voice("vibevoice-large", one) is None
    catalog = (app_folder() / "configs" / "models.toml").read_text(encoding="utf-8")
    revision = again.catalog.entry(MODEL).revision
    (tmp_path / "newer.toml").write_text(catalog.replace(revision, "f" * 40), encoding="utf-8")
    (again.catalog.folder(again.catalog.entry(MODEL)) / MANIFEST_NAME).unlink()
    newer = TTSManager(studio.settings, pool, tmp_path / "newer.toml")
    assert newer.get(MODEL).model_revision == "f" * 40
    assert newer.prepared_voice(MODEL, one) is None
    with pytest.raises(BadInputError, match="another model than VibeVoice Large"):
        again.get("vibevoice-large").stream(TEXT, prompt, VibeVoiceOptions(), CancelToken())


def test_a_sample_that_is_too_short(studio: TTSManager, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"only 0\.1 seconds"):
        studio.prepare_voice(MODEL, sample(tmp_path, 99, seconds=0.1))


def test_four_bits_need_a_gpu(studio: TTSManager, tmp_path: Path) -> None:
    engine = studio.get_vibevoice_tts("Large (4-bit)")
    with pytest.raises(StudioError, match="needs an NVIDIA GPU"):
        engine.prepare_voice(sample(tmp_path, 1), no_progress, CancelToken())
    with pytest.raises(StudioError, match="needs an NVIDIA GPU"):
        engine.load()


@pytest.mark.skipif(not gpu_is_here(), reason="4-bit weights need an NVIDIA GPU and bitsandbytes")
def test_four_bits_load_and_speak_on_a_gpu(tiny_vibevoice: Path, tmp_path: Path) -> None:
    install_tiny(tiny_vibevoice, tmp_path / "models", "vibevoice-large")
    overrides = {"device": "cuda", "models_folder": str(tmp_path / "models")}
    pool = ModelPool({"cpu": 2**36, "cuda:0": 2**36})
    try:
        studio = TTSManager(load_settings(tmp_path, overrides), pool)
        engine: Any = studio.get_vibevoice_tts("Large (4-bit)")
        prompt, _ = studio.prepare_voice(engine.model_id, sample(tmp_path, 1))
        with pool.lease(engine.model_spec(), None, "a test") as network:
            kinds = {type(module).__name__ for module in network.model.modules()}
        assert "Linear4bit" in kinds
        assert np.isfinite(spoken(engine, prompt)).all()
    finally:
        pool.close()


def broken_studio(root: Path, tiny: Path, pool: ModelPool) -> tuple[Path, TTSManager]:
    install_tiny(tiny, root / "models", MODEL)
    overrides = {"device": "cpu", "models_folder": str(root / "models"), "torch_threads": 1}
    return root / "models" / FOLDERS[MODEL], TTSManager(load_settings(root, overrides), pool)


@pytest.fixture
def room() -> Iterator[ModelPool]:
    pool = ModelPool({"cpu": 2**36}, meter=lambda device: 0)
    yield pool
    pool.close()


def test_the_old_layout_is_explained(tmp_path: Path, tiny_vibevoice: Path, room: ModelPool) -> None:
    folder, manager = broken_studio(tmp_path, tiny_vibevoice, room)
    for path in folder.iterdir():
        path.unlink()
    old = {"model_type": "vibevoice", "decoder_config": {}, "acoustic_tokenizer_config": {}}
    (folder / "config.json").write_text(json.dumps(old), encoding="utf-8")
    with pytest.raises(CorruptFileError, match="old layout") as raised:
        manager.get(MODEL).load()
    assert "vibevoice/VibeVoice-1.5B-hf" in raised.value.hint


def test_a_missing_tokenizer_is_named(
    tmp_path: Path, tiny_vibevoice: Path, room: ModelPool
) -> None:
    folder, manager = broken_studio(tmp_path, tiny_vibevoice, room)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelMissingError, check=detailed(r"tokenizer\.json")):
        manager.get(MODEL).load()


@pytest.mark.parametrize("how", ["truncated", "weights missing"])
def test_damaged_weights_are_named(
    tmp_path: Path, tiny_vibevoice: Path, room: ModelPool, how: str
) -> None:
    from safetensors.torch import load_file, save_file

    folder, manager = broken_studio(tmp_path, tiny_vibevoice, room)
    weights = folder / "model-00002-of-00002.safetensors"
    if how == "truncated":
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    else:
        state = load_file(weights)
        lost = sorted(state)[0]
        save_file({name: t for name, t in state.items() if name != lost}, weights, {"format": "pt"})
        index = folder / "model.safetensors.index.json"
        content = json.loads(index.read_text(encoding="utf-8"))
        del content["weight_map"][lost]
        index.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(CorruptFileError, match="could not be loaded"):
        manager.get(MODEL).load()


def test_numbers_and_attention_chosen_for_it_alone(
    studio: TTSManager, voices: list[VoicePrompt]
) -> None:
    own = {MODEL: ModelSettings(precision="bfloat16", attention_mechanism="eager")}
    chosen = TTSManager(change(studio.settings, model_settings=own), studio.pool)
    engine: Any = chosen.get(MODEL)
    assert len(spoken(engine, voices[0]))
    assert (engine.precision, engine.attention) == ("bfloat16", "eager")
    with studio.pool.lease(engine.model_spec()) as network:
        assert str(network.model.dtype) == "torch.bfloat16"
    other: Any = chosen.get("vibevoice-large")
    assert other.precision == "float32"
