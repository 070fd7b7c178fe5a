"""OmniVoice on a tiny random checkpoint: the real loading, cloning and speaking code.

It shows that everything is wired right, and no more: what these voices say is noise.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components.ai_models.engines.omnivoice.engine import OmniVoiceEngine
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.audio.files import audio_sha256, write_speech
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
)
from modules.core_components.progress import CancelToken
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt
from tests.helpers.engine_studio import EngineStudio, engine_studio, noise_sample
from tests.helpers.errors import detailed
from tests.helpers.tiny_omnivoice import MODEL_ID, install_tiny_omnivoice

RATE_HZ = 24_000
DESIGN = "omnivoice-voice-design"
WORDS = "What was said for a sample."
TEXT = "Hello there, you."
LONG = " ".join(f"This is sentence number {number}, and it says little." for number in range(9))
SEED = 2


@pytest.fixture(scope="module")
def studio(
    tiny_omnivoice: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EngineStudio]:
    with engine_studio(
        tmp_path_factory.mktemp("studio"), partial(install_tiny_omnivoice, tiny_omnivoice)
    ) as opened:
        yield opened


@pytest.fixture
def own_studio(tiny_omnivoice: Path, tmp_path: Path) -> Iterator[EngineStudio]:
    """Its files may be harmed."""
    with engine_studio(tmp_path, partial(install_tiny_omnivoice, tiny_omnivoice)) as opened:
        yield opened


def folder_of(studio: EngineStudio) -> Path:
    """Of the checkpoint."""
    return studio.settings.models_folder / "omnivoice" / "0.6b"


@pytest.fixture(scope="module")
def manager(studio: EngineStudio) -> TTSManager:
    return studio.manager()


@pytest.fixture(scope="module")
def voice(manager: TTSManager, tmp_path_factory: pytest.TempPathFactory) -> VoicePrompt:
    sample = noise_sample(tmp_path_factory.mktemp("samples"), "Anna", ref_text=WORDS)
    return manager.prepare_voice(MODEL_ID, sample)[0]


def engine_of(manager: TTSManager, model_id: str = MODEL_ID) -> OmniVoiceEngine:
    engine = manager.get(model_id)
    assert isinstance(engine, OmniVoiceEngine)
    return engine


def chunks(
    manager: TTSManager, voice: VoicePrompt | str, text: str = TEXT, **options: Any
) -> list[Speech]:
    engine = engine_of(manager, DESIGN if isinstance(voice, str) else MODEL_ID)
    how = engine.options_type(**{"seed": SEED, "steps": 4, **options})
    return list(engine.stream(text, voice, how, CancelToken()))


def spoken(*arguments: Any, **options: Any) -> FloatArray:
    return np.concatenate([chunk.samples for chunk in chunks(*arguments, **options)])


def test_a_seed_is_a_sound(manager: TTSManager, voice: VoicePrompt) -> None:
    import torch

    first = spoken(manager, voice, seed=7)
    assert len(first) > RATE_HZ / 2
    assert np.abs(first).max() > 0.05
    torch.manual_seed(99)
    expected = torch.rand(3)
    torch.manual_seed(99)
    assert np.array_equal(first, spoken(manager, voice, seed=7))
    assert torch.equal(torch.rand(3), expected)  # others' numbers are left alone
    assert not np.array_equal(first, spoken(manager, voice, seed=8))


def test_each_option_is_heard(manager: TTSManager, voice: VoicePrompt, tmp_path: Path) -> None:
    usual = spoken(manager, voice)
    other, _ = manager.prepare_voice(
        MODEL_ID, noise_sample(tmp_path, "Bernadette", 3.0, ref_text=WORDS)
    )
    for changed in (
        spoken(manager, other),
        spoken(manager, voice, steps=8),
        spoken(manager, voice, guidance_scale=0.5),
        spoken(manager, voice, temperature=0.9),
        spoken(manager, voice, position_temperature=0.0),
        spoken(manager, voice, clean=False),
        spoken(manager, voice, traits="whisper"),
        spoken(manager, voice, language="de"),
    ):
        assert len(changed) != len(usual) or not np.array_equal(changed, usual)
    assert len(spoken(manager, voice, speed=2.0)) < 0.7 * len(usual)


@pytest.mark.parametrize("text", [TEXT, LONG])
def test_a_length_is_kept_to_a_frame(manager: TTSManager, voice: VoicePrompt, text: str) -> None:
    usual_s = len(spoken(manager, voice, text)) / RATE_HZ
    length_s = round(1.3 * usual_s, 1)
    samples = spoken(manager, voice, text, length_s=length_s)
    assert abs(len(samples) - length_s * RATE_HZ) <= RATE_HZ / 25


def test_a_length_without_measure_is_refused(manager: TTSManager, voice: VoicePrompt) -> None:
    for length_s in (0.1, 100.0):
        with pytest.raises(BadInputError, match="cannot be spoken in"):
            spoken(manager, voice, length_s=length_s)


def test_the_front_end_reads_the_text(manager: TTSManager, voice: VoicePrompt) -> None:
    read = spoken(manager, voice, "It costs $5.")
    assert np.array_equal(read, spoken(manager, voice, "It costs five dollars."))
    assert not np.array_equal(read, spoken(manager, voice, "It costs $5.", as_written="money"))


def test_amharic_stays_in_its_script_with_its_numbers_in_words(
    manager: TTSManager, studio: EngineStudio, voice: VoicePrompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with studio.pool.lease(engine_of(manager).model_spec()) as network:
        given: list[tuple[str, Any]] = []
        generate = network.model.generate

        def listen(text: str, **how: Any) -> Any:
            given.append((text, how["language"]))
            return generate(text, **how)

        monkeypatch.setattr(network.model, "generate", listen)
        spoken(manager, voice, "ሰላም፣ ዛሬ 25 ብር አለኝ።", language="am")
    assert given == [("ሰላም፣ ዛሬ ሃያ አምስት ብር አለኝ።", "am")]


def test_a_long_text_comes_in_pieces(manager: TTSManager, voice: VoicePrompt) -> None:
    pieces = [chunk for chunk in chunks(manager, voice, LONG) if chunk.duration_s > 1.0]
    assert len(pieces) >= 3
    assert max(piece.duration_s for piece in pieces) < 20.0
    assert all(piece.sample_rate_hz == RATE_HZ for piece in pieces)


def test_a_cancel_in_the_middle_of_a_piece_stops_it(
    manager: TTSManager, studio: EngineStudio, voice: VoicePrompt
) -> None:
    cancel, layers = CancelToken(), []
    engine = engine_of(manager)
    with studio.pool.lease(engine.model_spec()) as network:
        layer = network.model.llm.layers[0]

        def count(*_: Any) -> None:
            layers.append(1)
            if len(layers) == 3:
                cancel.cancel()

        hook = layer.register_forward_hook(count)
        try:
            with pytest.raises(JobCancelled):
                list(engine.stream(TEXT, voice, engine.options_type(steps=32), cancel))
        finally:
            hook.remove()
    assert len(layers) == 3
    assert not any("OmniVoice" in thread.name for thread in threading.enumerate())
    assert [resident.holders for resident in studio.pool.snapshot()] == [()]
    assert len(spoken(manager, voice))  # and the next one speaks


def test_two_at_once_do_not_disturb_each_other(manager: TTSManager, voice: VoicePrompt) -> None:
    alone = [spoken(manager, voice, seed=seed) for seed in (1, 2)]
    together: dict[int, FloatArray] = {}

    def speak(seed: int) -> None:
        together[seed] = spoken(manager, voice, seed=seed)

    threads = [threading.Thread(target=speak, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, expected in zip((1, 2), alone, strict=True):
        assert np.array_equal(together[seed], expected)


def test_a_prompt_comes_back_from_the_disk(studio: EngineStudio, tmp_path: Path) -> None:
    sample = noise_sample(tmp_path, "Camilla", ref_text=WORDS)
    prompt, known = studio.manager().prepare_voice(MODEL_ID, sample)
    assert not known
    fresh = studio.manager()
    again, known = fresh.prepare_voice(MODEL_ID, sample)
    assert known
    assert again.info == prompt.info
    for name, array in prompt.tensors.items():
        assert again.tensors[name].dtype == array.dtype
        assert np.array_equal(again.tensors[name], array)
    assert np.array_equal(spoken(fresh, prompt), spoken(fresh, again))
    kept = {path.suffix for path in (studio.settings.cache_folder / "prompts").iterdir()}
    assert kept == {".safetensors"}


def test_a_prompt_is_what_the_package_makes_of_the_recording(
    manager: TTSManager, studio: EngineStudio, tmp_path: Path
) -> None:
    sample = noise_sample(tmp_path, "Dora", 4.0, ref_text="No full stop")
    prompt, _ = manager.prepare_voice(MODEL_ID, sample)
    with studio.pool.lease(engine_of(manager).model_spec()) as network:
        theirs = network.model.create_voice_clone_prompt(str(sample.path), "No full stop")
    assert np.array_equal(prompt.tensors["ref_audio_tokens"], theirs.ref_audio_tokens.numpy())
    assert prompt.info["ref_text"] == theirs.ref_text == "No full stop."
    assert prompt.info["ref_rms"] == pytest.approx(theirs.ref_rms)


def test_a_file_of_the_package_becomes_a_prompt_of_ours(
    manager: TTSManager, studio: EngineStudio, voice: VoicePrompt, tmp_path: Path
) -> None:
    from modules.core_components.ai_models.engines.omnivoice.prompts import package_prompt

    package_prompt(voice).save(str(tmp_path / "anna.pt"))
    read = engine_of(manager).read_prompt_file(tmp_path / "anna.pt")
    assert np.array_equal(spoken(manager, read), spoken(manager, voice))
    assert studio.manager().prompts.get(read.key) is not None


def test_code_in_a_prompt_file_is_not_run(manager: TTSManager, tmp_path: Path) -> None:
    import torch

    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (ran,)

    good = {"format_version": 1, "ref_text": "Hi.", "ref_rms": 0.1}
    codes = torch.zeros(8, 5, dtype=torch.long)
    for content in (
        {**good, "ref_audio_tokens": Evil()},
        {**good, "ref_audio_tokens": codes + 1024},
        {**good, "ref_audio_tokens": codes, "ref_rms": float("nan")},
        {**good, "ref_audio_tokens": codes, "format_version": 2},
        [codes],
    ):
        torch.save(content, tmp_path / "voice.pt")
        with pytest.raises(BadInputError, match="no voice prompt"):
            engine_of(manager).read_prompt_file(tmp_path / "voice.pt")
    (tmp_path / "voice.pt").write_bytes(b"not a prompt")
    with pytest.raises(BadInputError, match="no voice prompt"):
        engine_of(manager).read_prompt_file(tmp_path / "voice.pt")
    assert not ran.exists()


def test_a_sample_without_words_needs_a_listener(manager: TTSManager, tmp_path: Path) -> None:
    # Of the long one only a part is used, and the words of that are not known.
    long = noise_sample(tmp_path, "Friederike", 21.0, ref_text=WORDS)
    for sample in (noise_sample(tmp_path, "Elena", ref_text=" "), long):
        with pytest.raises(ModelMissingError, match="words of"):
            manager.prepare_voice(MODEL_ID, sample)
    with pytest.raises(BadInputError, match=r"only 0\.2 seconds"):
        manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, "Gia", 0.2, ref_text=WORDS))


def test_a_silent_sample_is_refused(manager: TTSManager, tmp_path: Path) -> None:
    silence = Speech(np.zeros(2 * RATE_HZ, np.float32), RATE_HZ)
    write_speech(tmp_path / "Silke.wav", silence)
    sample = Sample("Silke", tmp_path / "Silke.wav", audio_sha256(silence), 2.0, WORDS)
    with pytest.raises(BadInputError, match="is silent"):
        manager.prepare_voice(MODEL_ID, sample)


def test_a_sample_in_another_language_is_noted(manager: TTSManager, tmp_path: Path) -> None:
    prompt, _ = manager.prepare_voice(
        MODEL_ID, noise_sample(tmp_path, "Hilde", language="de", ref_text=WORDS)
    )
    first, *others = chunks(manager, prompt)
    assert "German" in first.notes[0]
    assert not any(piece.notes for piece in others)
    for language, code in (("en-gb", "en"), ("ar", "arb")):
        prompt, _ = manager.prepare_voice(
            MODEL_ID, noise_sample(tmp_path, "I", language=language, ref_text=WORDS)
        )
        assert not chunks(manager, prompt, language=code)[0].notes


def test_what_cannot_be_spoken_is_said_before_the_first_piece(
    manager: TTSManager, voice: VoicePrompt
) -> None:
    engine = engine_of(manager)
    usual = engine.options_type()
    other = VoicePrompt("k" * 64, "xtts", "xtts-v2.0.3", "1", {})
    for text, voice_or_name, options, words in (
        ("", voice, usual, "nothing in the text"),
        ("…", voice, usual, "nothing in the text"),
        (TEXT, "alba", usual, "no voices of its own"),
        (TEXT, other, usual, "prepared for xtts"),
        (TEXT, voice, engine.options_type(language="tlh"), "does not speak 'tlh'"),
        (TEXT, voice, engine.options_type(traits="kind"), "the trait “kind”"),
        (TEXT, voice, engine.options_type(traits="male, Female"), "male and female at once"),
        (TEXT, voice, engine.options_type(traits="四川话，indian accent"), "at once"),
    ):
        with pytest.raises(BadInputError, match=words):
            engine.stream(text, voice_or_name, options, CancelToken())


def test_a_described_voice_speaks_and_goes_on_as_it_began(
    manager: TTSManager, voice: VoicePrompt
) -> None:
    with pytest.raises(BadInputError, match="cannot take the voice"):
        engine_of(manager, DESIGN).stream(
            TEXT, voice, engine_of(manager, DESIGN).options_type(), CancelToken()
        )
    with pytest.raises(BadInputError, match="not described"):
        chunks(manager, " , ")
    female = spoken(manager, "Female, low pitch", LONG)
    assert np.array_equal(female, spoken(manager, "female,low pitch", LONG))
    assert not np.array_equal(female, spoken(manager, "male", LONG))


def test_both_models_share_the_weights(manager: TTSManager) -> None:
    specs: list[ModelSpec[Any]] = [
        engine_of(manager, name).model_spec() for name in (MODEL_ID, DESIGN)
    ]
    assert specs[0].key == specs[1].key


def test_it_leaves_memory_and_comes_back(
    manager: TTSManager, studio: EngineStudio, voice: VoicePrompt
) -> None:
    before = spoken(manager, voice)
    studio.pool.unload_all()
    assert not studio.pool.snapshot()
    assert np.array_equal(spoken(manager, voice), before)


def test_languages_and_traits_are_those_of_the_package(manager: TTSManager) -> None:
    from omnivoice.utils import voice_design
    from omnivoice.utils.lang_map import LANG_IDS

    from modules.core_components.ai_models.engines.omnivoice.options import TRAITS
    from modules.core_components.text.languages import language_name

    languages = engine_of(manager).languages
    assert len(languages) == len(set(languages))
    assert set(languages) == LANG_IDS
    assert not [code for code in languages if language_name(code) == code]
    ours = [trait for kind in TRAITS for trait in kind]
    theirs = {word for kind in voice_design._INSTRUCT_CATEGORIES for word in kind}
    assert len(ours) == len(theirs)
    assert set(ours) == theirs


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"not a checkpoint"),
        ("audio_tokenizer/model.safetensors", b"not a checkpoint"),
        ("tokenizer.json", b"{}"),
        ("config.json", b"[3]"),
        ("config.json", b'{"model_type": "qwen3"}'),
    ],
)
def test_a_damaged_file_is_named(own_studio: EngineStudio, name: str, content: bytes) -> None:
    (folder_of(own_studio) / name).write_bytes(content)
    with pytest.raises(CorruptFileError, match="damaged"):
        own_studio.manager().get(MODEL_ID).load()


def test_weights_that_are_not_there_are_not_drawn_at_random(own_studio: EngineStudio) -> None:
    from safetensors.torch import load_file, save_file

    path = folder_of(own_studio) / "model.safetensors"
    weights = load_file(path)
    del weights["audio_heads.weight"]
    save_file(weights, path, {"format": "pt"})
    with pytest.raises(CorruptFileError, check=detailed("audio_heads.weight")):
        own_studio.manager().get(MODEL_ID).load()
