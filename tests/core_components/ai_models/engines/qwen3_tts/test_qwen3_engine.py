"""Qwen3-TTS on tiny random checkpoints: the real loading, cloning and speaking code.

It shows that everything is wired right, and no more: what these voices say is noise. One file,
since the package takes long to import.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.qwen3_tts.engine import Qwen3TTSEngine
from modules.core_components.ai_models.engines.qwen3_tts.package import import_qwen_tts
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.errors import BadInputError, CorruptFileError, JobCancelled
from modules.core_components.progress import CancelToken
from modules.core_components.settings import change
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt
from tests.helpers.engine_studio import EngineStudio, engine_studio, noise_sample
from tests.helpers.errors import detailed
from tests.helpers.tiny_qwen import MODEL_IDS, build_tiny_qwen, install_tiny_qwen

RATE_HZ = 24_000
FRAME = 1920
TEXT = "Hello there, you."
SEED = 3  # draws sentences of some 20 frames
EVERYBODYS_SEED = 8  # does so with every checkpoint
BASE, SMALL_BASE = "qwen3-tts-1.7b-base", "qwen3-tts-0.6b-base"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """All five checkpoints by model id; not to be changed."""
    folder = tmp_path_factory.mktemp("tiny")
    return {
        model_id: build_tiny_qwen(folder / model_id, kind, size)
        for (kind, size), model_id in MODEL_IDS.items()
    }


@pytest.fixture(scope="module")
def studio(
    tiny: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineStudio]:
    install = partial(install_tiny_qwen, tiny)
    with engine_studio(tmp_path_factory.mktemp("studio"), install) as opened:
        yield opened


@pytest.fixture(scope="module")
def manager(studio: EngineStudio) -> TTSManager:
    return studio.manager()


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    return noise_sample(tmp_path, "Anna", ref_text="What is said here.")


def chunks(
    engine: Qwen3TTSEngine, voice: VoicePrompt | str, text: str = TEXT, **options: Any
) -> list[Speech]:
    how = engine.options_type(**{"language": "en", "seed": SEED, **options})
    return list(engine.stream(text, voice, how, CancelToken()))


def spoken(*arguments: Any, **options: Any) -> FloatArray:
    return np.concatenate([chunk.samples for chunk in chunks(*arguments, **options)])


def test_other_models_live_beside_it_in_one_process() -> None:
    import torch
    from transformers import AutoModel, Qwen2Config, VibeVoiceConfig

    import_qwen_tts()
    sizes = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 64,
    }  # fmt: skip
    codec = {"num_filters": 2, "ffn_expansion": 2, "depths": [1] * 7}
    vibevoice = AutoModel.from_config(
        VibeVoiceConfig(
            audio_config={**codec, "hidden_size": 8},
            semantic_model_config={**codec, "hidden_size": 16},
            text_config={"model_type": "qwen2", **sizes},
            diffusion_head_config={"num_hidden_layers": 1, "intermediate_size": 32},
        )
    )
    tokens = torch.tensor([[1, 2, 3]])
    assert vibevoice.get_input_embeddings()(tokens).shape == (1, 3, 32)
    theta = AutoModel.from_config(Qwen2Config(**sizes, rope_parameters={
        "rope_type": "default", "rope_theta": 100.0,
    }))  # fmt: skip
    assert torch.allclose(theta.rotary_emb.inv_freq, 100.0 ** -(torch.arange(0, 16, 2) / 16))
    assert theta(tokens).last_hidden_state.isfinite().all()


def test_a_stream_says_what_the_package_says_as_a_whole(
    manager: TTSManager, sample: Sample
) -> None:
    base, custom = manager.get_qwen3_base("1.7B"), manager.get_qwen3_custom_voice("1.7B")
    design = manager.get_qwen3_voice_design()
    prompt, _ = manager.prepare_voice(base.model_id, sample)
    cloning = {"ref_audio": str(sample.path), "language": "English"}
    usual = {"seed": SEED, "max_new_tokens": 2048}
    for pieces, (whole, rate_hz) in (
        (
            chunks(base, prompt),
            base.generate_voice_clone(TEXT, ref_text=sample.ref_text, **cloning, **usual),
        ),
        (
            chunks(base, prompt, likeness="voice-only"),
            base.generate_voice_clone(TEXT, x_vector_only_mode=True, **cloning, **usual),
        ),
        (
            chunks(custom, "vivian", instruct="Very happy.", language="auto"),
            custom.generate_custom_voice(TEXT, "Vivian", instruct="Very happy.", **usual),
        ),
        (
            chunks(design, "An old man.", language="zh", top_p=0.9, repetition_penalty=1.2),
            design.generate_voice_design(
                TEXT, "An old man.", "Chinese", top_p=0.9, repetition_penalty=1.2, **usual
            ),
        ),
        (
            chunks(design, "An old man.", do_sample=False, max_new_tokens=30),
            design.generate_voice_design(
                TEXT, "An old man.", "English", do_sample=False, seed=SEED, max_new_tokens=30
            ),
        ),
    ):
        assert rate_hz == RATE_HZ
        assert len(pieces[0].samples) <= 4 * FRAME  # a third of a second is heard first
        ours = np.concatenate([piece.samples for piece in pieces])
        np.testing.assert_allclose(ours, whole[0], atol=1e-4)


def test_the_sound_of_many_frames_is_that_of_the_package(manager: TTSManager) -> None:
    import torch

    from modules.core_components.ai_models.engines.qwen3_tts.network import CodeDecoder

    codes = torch.randint(2048, (640, 4), generator=torch.Generator().manual_seed(1))
    before = torch.randint(2048, (20, 4), generator=torch.Generator().manual_seed(2))
    with manager.get_qwen3_base().borrowed() as network, torch.inference_mode():
        codec = network.model.model.speech_tokenizer
        (whole,), _ = codec.decode([{"audio_codes": torch.cat([before, codes])}])
        decoder = CodeDecoder(codec, before)
        parts = [decoder.feed(list(part)) for part in codes.split([1, 9, 90, 300, 240])]
    np.testing.assert_allclose(np.concatenate(parts), whole[20 * FRAME :], atol=1e-4)


def test_a_seed_repeats_exactly_whoever_else_speaks(manager: TTSManager) -> None:
    custom = manager.get_qwen3_custom_voice()
    options = custom.options_type(language="en", seed=SEED)
    alone = spoken(custom, "Ryan")
    both = [custom.stream(TEXT, name, options, CancelToken()) for name in ("Ryan", "Vivian")]
    taking_turns = list(zip(*both, strict=False))
    samples = np.concatenate([mine.samples for mine, _ in taking_turns])
    assert len(samples) > 8 * FRAME
    np.testing.assert_array_equal(samples, alone[: len(samples)])
    assert not np.array_equal(spoken(custom, "Ryan", seed=SEED + 1), alone)
    assert not np.array_equal(spoken(custom, "Ryan", instruct="Whisper."), alone)
    assert not np.array_equal(spoken(custom, "Vivian"), alone)


def test_formatting_alone_is_taken_out_of_its_text(manager: TTSManager) -> None:
    custom = manager.get_qwen3_custom_voice()
    plain = spoken(custom, "Ryan", "Walk 5 km now.")
    assert np.array_equal(spoken(custom, "Ryan", "Walk **5 km** <b>now</b>."), plain)


@pytest.mark.parametrize("model_id", MODEL_IDS.values())
def test_each_kind_streams_repeats_from_its_seed_and_stops_within_a_frame(
    manager: TTSManager, sample: Sample, model_id: str
) -> None:
    engine = manager.get(model_id)
    assert isinstance(engine, Qwen3TTSEngine)
    voice: VoicePrompt | str = "An old man." if engine.designs_voices else "Ryan"
    if engine.can_clone:
        voice, _ = manager.prepare_voice(model_id, sample)
    before = chunks(engine, voice, seed=EVERYBODYS_SEED)
    assert len(before) > 1
    cancel = CancelToken()
    steps: list[bool] = []

    def count(*_arguments: Any) -> None:
        steps.append(cancel.cancelled)
        if len(steps) == 8:
            cancel.cancel()

    with engine.borrowed() as network:
        hook = network.model.model.talker.register_forward_hook(count)
    options = engine.options_type(language="en", seed=EVERYBODYS_SEED)
    running = engine.stream(TEXT, voice, options, cancel)
    with pytest.raises(JobCancelled):
        list(running)
    hook.remove()
    assert steps.count(True) <= 2  # of 80 ms each
    again = chunks(engine, voice, seed=EVERYBODYS_SEED)
    for first, second in zip(before, again, strict=True):
        np.testing.assert_array_equal(first.samples, second.samples)


def test_prompts_survive_a_restart_and_know_what_they_were_made_from(
    studio: EngineStudio, sample: Sample, tmp_path: Path
) -> None:
    first = studio.manager()
    sample = dataclasses.replace(sample, ref_text="Nobody prepared this one yet.")
    prompt, was_there = first.prepare_voice(BASE, sample)
    assert not was_there
    assert prompt.tensors["reference_codes"].shape == (25, 4)
    studio.pool.unload_all()
    again = studio.manager()
    kept, was_there = again.prepare_voice(BASE, sample)
    assert was_there
    assert not studio.pool.snapshot()  # nothing had to be loaded for it
    np.testing.assert_array_equal(
        spoken(again.get_qwen3_base(), kept), spoken(first.get_qwen3_base(), prompt)
    )
    assert again.prepared_voice(SMALL_BASE, sample) is None
    assert again.prepared_voice(BASE, dataclasses.replace(sample, ref_text="Other.")) is None
    assert (
        again.prepared_voice(BASE, noise_sample(tmp_path, "Bertha", ref_text=sample.ref_text))
        is None
    )
    text = studio.catalog_file.read_text(encoding="utf-8")
    revision = again.catalog.entry(BASE).revision
    newer = tmp_path / "newer.toml"
    newer.write_text(text.replace(revision, "f" * 40), encoding="utf-8")
    (again.catalog.folder(again.catalog.entry(BASE)) / ".studio.json").unlink(missing_ok=True)
    updated = TTSManager(studio.settings, studio.pool, newer)
    assert updated.catalog.revision(updated.catalog.entry(BASE)) == "f" * 40
    assert updated.prepared_voice(BASE, sample) is None


def test_the_names_that_programs_for_earlier_studios_use(
    studio: EngineStudio, sample: Sample
) -> None:
    manager = studio.manager()
    model = manager.get_qwen3_base("1.7B")
    made = model.create_voice_clone_prompt(str(sample.path), ref_text=sample.ref_text)
    mark = manager.compute_sample_hash(sample.path, sample.ref_text)
    assert manager.load_voice_prompt("Anna", mark, "1.7B") is None
    assert manager.save_voice_prompt("Anna", made, mark, "1.7B")
    restarted = studio.manager()
    loaded = restarted.load_voice_prompt("Anna", mark, "1.7B")
    assert loaded is not None
    with_both = [
        model.generate_voice_clone(TEXT, "English", voice_clone_prompt=prompt, seed=3)[0][0]
        for prompt in (made, loaded)
    ]
    np.testing.assert_array_equal(*with_both)
    assert restarted.load_voice_prompt("Anna", mark, "0.6B") is None
    other = manager.compute_sample_hash(sample.path, "Other words.")
    assert restarted.load_voice_prompt("Anna", other, "1.7B") is None
    assert manager.get_qwen3_custom_voice().get_supported_speakers() == [
        "ryan", "uncle_fu", "vivian",
    ]  # fmt: skip
    assert "italian" in model.get_supported_languages()
    with pytest.raises(ValueError, match="does not support generate_voice_design"):
        model.generate_voice_design(TEXT, "An old man.")


def test_what_each_kind_takes(manager: TTSManager, sample: Sample) -> None:
    wordless = dataclasses.replace(sample, ref_text="")
    base, design = manager.get_qwen3_base(), manager.get_qwen3_voice_design()
    prompt, _ = manager.prepare_voice(BASE, wordless)
    assert prompt.info["mode"] == "voice-only"
    assert len(spoken(base, prompt)) >= 2 * FRAME
    with pytest.raises(BadInputError, match="words of the sample are not known"):
        chunks(base, prompt, likeness="in-context")
    small, large = (manager.get_qwen3_custom_voice(size) for size in ("0.6B", "1.7B"))
    assert small.voices() == large.voices() == ("Vivian", "Ryan", "Uncle_Fu")
    assert not hasattr(small.options_type(), "instruct")
    assert hasattr(large.options_type(), "instruct")
    for engine, voice, words in (
        (base, "Vivian", "no voices of its own"),
        (large, "Nobody", "no voice 'Nobody'"),
        (large, prompt, "cannot take the voice of a sample"),
        (design, " ", "not described yet"),
    ):
        with pytest.raises(BadInputError, match=words):
            chunks(engine, voice)
    with pytest.raises(BadInputError, match="does not speak 'nl'"):
        chunks(large, "Ryan", language="nl")
    with pytest.raises(BadInputError, match="needs an NVIDIA GPU"):
        chunks(large, "Ryan", backend="accelerated")
    with pytest.raises(BadInputError, match="nothing in the text"):
        chunks(large, "Ryan", "… —")
    with pytest.raises(BadInputError, match="cannot take the voice"):
        manager.prepare_voice(large.model_id, sample)


def test_samples_too_short_or_too_long(manager: TTSManager, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"only 0\.3 seconds"):
        manager.prepare_voice(BASE, noise_sample(tmp_path, "short", seconds=0.3))
    endless = noise_sample(tmp_path, "endless", 61, ref_text="Many words.")
    with pytest.raises(BadInputError, match="at most 60 seconds"):
        manager.prepare_voice(BASE, endless)


def test_a_limit_that_cuts_off_is_told(manager: TTSManager) -> None:
    custom = manager.get_qwen3_custom_voice()
    pieces = chunks(custom, "Ryan", max_new_tokens=13)
    assert sum(len(piece.samples) for piece in pieces) == 12 * FRAME
    assert [note[:23] for piece in pieces for note in piece.notes] == ["Cut off after 1 seconds"]
    assert not any(piece.notes for piece in chunks(custom, "Ryan"))


def test_long_texts_are_joined_without_gap_or_jump(manager: TTSManager) -> None:
    custom = manager.get_qwen3_custom_voice()
    text = " ".join(f"This is sentence number {number} of a longer text." for number in range(24))
    samples = spoken(custom, "Ryan", text, max_new_tokens=30)
    quiet = np.convolve(np.abs(samples), np.ones(240) / 240, "same") < 1e-3
    edges = np.flatnonzero(np.diff(np.pad(quiet.astype(int), 1)))
    pauses = [
        (start, end)
        for start, end in zip(edges[::2], edges[1::2], strict=True)
        if end - start > 0.05 * RATE_HZ
    ]
    pauses_s = [(end - start) / RATE_HZ for start, end in pauses]
    assert len(pauses_s) == 2  # between three pieces
    assert all(0.2 < pause < 0.4 for pause in pauses_s)
    middles = np.split(samples, [(start + end) // 2 for start, end in pauses])
    levels = [float(np.sqrt(np.mean(part[np.abs(part) > 0] ** 2))) for part in middles]
    assert max(levels) / min(levels) < 10 ** (1.5 / 20)
    assert not np.array_equal(middles[0][:FRAME], middles[1][-FRAME:])


@pytest.mark.parametrize("name", ["merges.txt", "speech_tokenizer/preprocessor_config.json"])
def test_a_missing_file_is_named(tiny: Mapping[str, Path], tmp_path: Path, name: str) -> None:
    folder = a_copy(tiny[BASE], tmp_path)
    (folder / name).unlink()
    with pytest.raises(CorruptFileError, check=detailed(f"{name} is missing")):
        load(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "speech_tokenizer/model.safetensors"])
def test_truncated_weights_are_named(tiny: Mapping[str, Path], tmp_path: Path, name: str) -> None:
    folder = a_copy(tiny[BASE], tmp_path)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CorruptFileError, check=detailed(f"{name} is not whole")):
        load(folder)


def test_the_wrong_checkpoint_is_told(tiny: Mapping[str, Path], tmp_path: Path) -> None:
    with pytest.raises(
        CorruptFileError, check=detailed(r"a custom_voice checkpoint of size 1\.7B; a base")
    ):
        load(tiny["qwen3-tts-1.7b-custom-voice"])
    with pytest.raises(CorruptFileError, check=detailed(r"of size 0\.6B; a base one of 1\.7B")):
        load(tiny[SMALL_BASE])
    folder = a_copy(tiny[BASE], tmp_path)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "qwen2"}))
    with pytest.raises(CorruptFileError, check=detailed("another model.*qwen2")):
        load(folder)


def test_the_settings_choose_the_attention(studio: EngineStudio) -> None:
    eager = change(studio.settings, attention_mechanism="eager")
    for settings, expected in ((studio.settings, "sdpa"), (eager, "eager")):
        pool = ModelPool({"cpu": 2**34}, meter=lambda device: 0)
        design = TTSManager(settings, pool, studio.catalog_file).get_qwen3_voice_design()
        design.load()
        assert design.attention == expected
        with design.borrowed() as network:
            assert network.model.model.talker.config._attn_implementation == expected
        pool.close()


def test_the_accelerated_backend_draws_the_same_codes(
    manager: TTSManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own steps and memory, replayed by computing them: graphs themselves need a GPU."""
    import torch

    from modules.core_components.ai_models.engines.qwen3_tts.network import VoiceSettings
    from modules.core_components.ai_models.engines.qwen3_tts.options import QwenOptions

    compute_instead_of_replaying(monkeypatch)
    cancel = CancelToken()
    options = QwenOptions(language="en", do_sample=False, subtalker_dosample=False)
    options = dataclasses.replace(options, max_new_tokens=40)
    with manager.get_qwen3_voice_design().borrowed() as network:
        device, said = torch.device("cpu"), {}
        head = network.model.model.talker.codec_head.weight
        monkeypatch.setattr(head, "data", head.data.clone())
        head.data[2150] = 0  # the likeliest is never the end
        for replay in (False, True):
            both = [
                network.generate(TEXT, VoiceSettings(instruct=voice), options, 1, replay)
                for voice in ("An old man.", "A young woman, whispering.")
            ]
            chunks: list[list[FloatArray]] = [[], []]
            while not all(generation.finished for generation in both):
                for generation, samples in zip(both, chunks, strict=True):
                    if not generation.finished:
                        samples.append(generation.next_chunk(cancel))
            said[replay] = [np.concatenate(samples) for samples in chunks]
            assert both[0].truncated
        assert network.model.model.device == device
        network.move_to("cpu")
    for plain, replayed in zip(said[False], said[True], strict=True):
        assert len(plain) == 39 * FRAME
        np.testing.assert_allclose(replayed, plain, atol=1e-4)


def compute_instead_of_replaying(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from faster_qwen3_tts.predictor_graph import PredictorGraph
    from faster_qwen3_tts.talker_graph import TalkerGraph

    class Replay:
        def __init__(self, compute: Any) -> None:
            self.replay = compute

    def capture_predictor(self: Any) -> None:
        self._init_cache_layers()
        self._build_attention_masks()
        self.graph = Replay(self._full_loop)

    def capture_talker(self: Any) -> None:
        self._init_cache_layers()
        self._build_attention_masks()
        self.graph = Replay(self._decode_step)

    monkeypatch.setattr(PredictorGraph, "capture", capture_predictor)
    monkeypatch.setattr(TalkerGraph, "capture", capture_talker)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: contextlib.nullcontext())


def a_copy(tiny: Path, folder: Path) -> Path:
    return Path(shutil.copytree(tiny, folder / "copy"))


def load(folder: Path) -> None:
    import torch

    from modules.core_components.ai_models.engines.qwen3_tts.checkpoint import load_checkpoint

    load_checkpoint(folder, "base", "1.7B", "cpu", torch.float32, ["sdpa"])
