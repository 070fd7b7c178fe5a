"""Pocket TTS on a tiny random checkpoint: the real loading, cloning and speaking code.

It shows that everything is wired right, and no more: what these voices say is noise.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from modules.core_components.ai_models.engines.options import describe_options
from modules.core_components.ai_models.engines.pocket_tts.checkpoint import CloningMissingError
from modules.core_components.ai_models.tts_manager import TTSManager
from modules.core_components.errors import BadInputError, CorruptFileError, JobCancelled
from modules.core_components.progress import CancelToken
from modules.core_components.settings import app_folder
from modules.core_components.values import FloatArray, Speech, VoicePrompt
from tests.helpers.engine_studio import EngineStudio, engine_studio, noise_sample
from tests.helpers.errors import detailed, told
from tests.helpers.tiny_pocket import MODEL_ID, install_tiny_pocket

RATE_HZ = 24_000
TEXT = "Hello there, you."
LONG = " ".join(f"This is sentence number {number}, and it says little." for number in range(12))
SEED = 2


@pytest.fixture(scope="module")
def studio(tiny_pocket: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineStudio]:
    with engine_studio(
        tmp_path_factory.mktemp("studio"), partial(install_tiny_pocket, tiny_pocket)
    ) as opened:
        yield opened


@pytest.fixture
def own_studio(tiny_pocket: Path, tmp_path: Path) -> Iterator[EngineStudio]:
    """Its files may be harmed."""
    with engine_studio(tmp_path, partial(install_tiny_pocket, tiny_pocket)) as opened:
        yield opened


def folder_of(studio: EngineStudio) -> Path:
    """Of the checkpoint."""
    return studio.settings.models_folder / "pocket-tts" / "english"


@pytest.fixture(scope="module")
def manager(studio: EngineStudio) -> TTSManager:
    return studio.manager()


@pytest.fixture(scope="module")
def voice(manager: TTSManager, tmp_path_factory: pytest.TempPathFactory) -> VoicePrompt:
    sample = noise_sample(tmp_path_factory.mktemp("samples"), "Anna")
    return manager.prepare_voice(MODEL_ID, sample)[0]


def chunks(
    manager: TTSManager, voice: VoicePrompt | str, text: str = TEXT, **options: Any
) -> list[Speech]:
    engine = manager.get(MODEL_ID)
    how = engine.options_type(**{"seed": SEED, **options})
    return list(engine.stream(text, voice, how, CancelToken()))


def spoken(*arguments: Any, **options: Any) -> FloatArray:
    return np.concatenate([chunk.samples for chunk in chunks(*arguments, **options)])


def test_importing_and_loading_leave_the_threads_alone(studio: EngineStudio) -> None:
    code = (
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from modules.core_components.ai_models.engines.pocket_tts.checkpoint import load\n"
        "torch.set_num_threads(3)\n"
        "load(Path(sys.argv[1]), 'english', Path(sys.argv[2]))\n"
        "assert torch.get_num_threads() == 3, torch.get_num_threads()\n"
    )
    config_file = studio.settings.cache_folder / "threads.yaml"
    arguments = [sys.executable, "-c", code, str(folder_of(studio)), str(config_file)]
    subprocess.run(arguments, check=True, cwd=app_folder())


def test_a_seed_is_a_sound(manager: TTSManager, voice: VoicePrompt) -> None:
    first = spoken(manager, voice, seed=7)
    assert len(first) > RATE_HZ / 2
    assert np.abs(first).max() > 0.05
    assert np.array_equal(first, spoken(manager, voice, seed=7))
    other = spoken(manager, voice, seed=8)
    assert len(first) != len(other) or not np.array_equal(first, other)


def test_a_seed_does_not_depend_on_what_others_draw(
    manager: TTSManager, voice: VoicePrompt
) -> None:
    import torch

    alone = spoken(manager, voice)
    torch.manual_seed(99)
    expected = torch.rand(3)
    torch.manual_seed(99)
    assert np.array_equal(spoken(manager, voice), alone)
    assert torch.equal(torch.rand(3), expected)


def test_temperature_steps_and_voice_are_heard(
    manager: TTSManager, voice: VoicePrompt, tmp_path: Path
) -> None:
    usual = spoken(manager, voice)
    other_voice, _ = manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, "Bernadette", 3.0))
    for changed in (
        spoken(manager, voice, temperature=0.9),
        spoken(manager, voice, steps=4),
        spoken(manager, other_voice),
    ):
        assert len(changed) != len(usual) or not np.array_equal(changed, usual)


def test_the_front_end_reads_the_text(manager: TTSManager, voice: VoicePrompt) -> None:
    read = spoken(manager, voice, "It costs $5.")
    assert np.array_equal(read, spoken(manager, voice, "It costs five dollars."))
    assert not np.array_equal(read, spoken(manager, voice, "It costs $5.", as_written="money"))


def test_speech_comes_chunk_by_chunk(manager: TTSManager, voice: VoicePrompt) -> None:
    pieces = chunks(manager, voice, LONG)
    assert len(pieces) > 10
    assert all(piece.sample_rate_hz == RATE_HZ for piece in pieces)
    assert max(piece.duration_s for piece in pieces) < 2.0


def test_a_cancel_in_the_middle_stops_at_once(
    manager: TTSManager, studio: EngineStudio, voice: VoicePrompt
) -> None:
    cancel = CancelToken()
    engine = manager.get(MODEL_ID)
    stream = engine.stream(LONG, voice, engine.options_type(seed=SEED), cancel)
    next(stream)
    cancel.cancel()
    with pytest.raises(JobCancelled):
        list(stream)
    assert not any("Pocket TTS" in thread.name for thread in threading.enumerate())
    assert [resident.holders for resident in studio.pool.snapshot()] == [()]
    assert len(spoken(manager, voice))  # and the next one speaks


def test_an_unread_stream_blocks_no_other(manager: TTSManager, voice: VoicePrompt) -> None:
    engine = manager.get(MODEL_ID)
    alone = spoken(manager, voice)
    waiting = engine.stream(LONG, voice, engine.options_type(seed=SEED), CancelToken())
    next(waiting)
    assert np.array_equal(spoken(manager, voice), alone)
    waiting.close()


def test_two_at_once_do_not_disturb_each_other(manager: TTSManager, voice: VoicePrompt) -> None:
    alone = [spoken(manager, voice, LONG, seed=seed) for seed in (1, 2)]
    together: dict[int, FloatArray] = {}

    def speak(seed: int) -> None:
        together[seed] = spoken(manager, voice, LONG, seed=seed)

    threads = [threading.Thread(target=speak, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, expected in zip((1, 2), alone, strict=True):
        assert np.array_equal(together[seed], expected)


def test_a_prompt_comes_back_from_the_disk(studio: EngineStudio, tmp_path: Path) -> None:
    sample = noise_sample(tmp_path, "Camilla")
    prompt, known = studio.manager().prepare_voice(MODEL_ID, sample)
    assert not known
    fresh = studio.manager()
    again, known = fresh.prepare_voice(MODEL_ID, sample)
    assert known
    assert again.tensors.keys() == prompt.tensors.keys()
    for name, array in prompt.tensors.items():
        assert again.tensors[name].dtype == array.dtype
        assert np.array_equal(again.tensors[name], array)
    assert np.array_equal(spoken(fresh, prompt), spoken(fresh, again))


def test_a_prompt_is_what_the_package_makes_of_the_recording(
    manager: TTSManager, studio: EngineStudio, tmp_path: Path
) -> None:
    sample = noise_sample(tmp_path, "Dora", 4.0)
    prompt, _ = manager.prepare_voice(MODEL_ID, sample)
    with studio.pool.lease(manager.get(MODEL_ID).model_spec()) as network:
        theirs = network.package_model.get_state_for_audio_prompt(sample.path)
    for module, tensors in theirs.items():
        for name, tensor in tensors.items():
            ours = prompt.tensors[f"{module}/{name}"]
            np.testing.assert_allclose(ours, tensor.numpy(), atol=1e-4)


def test_a_sample_is_cut_to_30_seconds_and_a_snippet_refused(
    manager: TTSManager, tmp_path: Path
) -> None:
    sizes = set()
    for name, seconds in (("Elena", 30.0), ("Friederike", 40.0)):
        prompt, _ = manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, name, seconds))
        sizes |= {array.shape for key, array in prompt.tensors.items() if key.endswith("cache")}
    assert max(size[2] for size in sizes) <= 30 * 12.5 + 3
    with pytest.raises(BadInputError, match=r"only 0\.2 seconds"):
        manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, "Gia", 0.2))


def test_a_sample_in_another_language_is_noted(manager: TTSManager, tmp_path: Path) -> None:
    prompt, _ = manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, "Hilde", language="de"))
    first, *others = chunks(manager, prompt)
    assert "German" in first.notes[0]
    assert not any(piece.notes for piece in others)
    prompt, _ = manager.prepare_voice(MODEL_ID, noise_sample(tmp_path, "Irene", language="en-gb"))
    assert not chunks(manager, prompt)[0].notes


def test_what_cannot_be_spoken_is_said_before_the_first_chunk(
    manager: TTSManager, voice: VoicePrompt
) -> None:
    engine = manager.get(MODEL_ID)
    usual = engine.options_type()
    other = VoicePrompt("k" * 64, "xtts", "xtts-v2.0.3", "1", {})
    for text, voice_or_name, options, words in (
        ("", voice, usual, "nothing in the text"),
        ("…", voice, usual, "nothing in the text"),
        (TEXT, "alba", usual, "no voices of its own"),
        (TEXT, other, usual, "prepared for xtts"),
        (TEXT, voice, engine.options_type(language="fr"), "does not speak 'fr'"),
    ):
        with pytest.raises(BadInputError, match=words):
            engine.stream(text, voice_or_name, options, CancelToken())


def test_each_checkpoint_speaks_its_own_language(manager: TTSManager) -> None:
    defaults = {}
    for model_id in manager.engine_ids():
        if manager.entry(model_id).family == "pocket-tts":
            engine = manager.get(model_id)
            language, *_ = describe_options(engine.options_type)
            assert (language.default,) == engine.languages
            defaults[model_id] = language.default
    assert defaults["pocket-tts-italian"] == "it"
    assert len(defaults) == 17


def test_every_entry_has_the_packages_configuration_and_its_revisions(manager: TTSManager) -> None:
    from pocket_tts.utils.config import CONFIGS_DIR, load_config

    for entry in manager.catalog.entries("text-to-speech"):
        if entry.family != "pocket-tts":
            continue
        config = load_config(CONFIGS_DIR / f"{entry.version}.yaml")
        (source,) = entry.sources
        weights, tokenizer = (source.place_of(file.name) for file in entry.files)
        for place, file, path in (
            (weights, entry.files[0], config.weights_path),
            (tokenizer, entry.files[1], config.flow_lm.lookup_table.tokenizer_path),
        ):
            ours = f"hf://{place.repository}/{place.path}/{file.name}@{place.revision}"
            assert ours == path


def test_weights_without_cloning_are_named(own_studio: EngineStudio, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder_of(own_studio) / "model.safetensors"
    weights = load_file(path)
    for name, tensor in weights.items():
        if name.startswith("mimi.encoder."):
            tensor.zero_()
    save_file(weights, path)
    with pytest.raises(CloningMissingError, check=detailed("without voice cloning")) as caught:
        own_studio.manager().prepare_voice(MODEL_ID, noise_sample(tmp_path, "Jana"))
    assert "access token" in told(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"not a checkpoint"),
        ("tokenizer.json", b"{}"),
        ("config.yaml", b"flow_lm: 3"),
        ("config.yaml", b"\x80\x04K\x01."),
    ],
)
def test_a_damaged_file_is_named(own_studio: EngineStudio, name: str, content: bytes) -> None:
    (folder_of(own_studio) / name).write_bytes(content)
    with pytest.raises(CorruptFileError, check=detailed(name.replace(".", r"\."))):
        own_studio.manager().get(MODEL_ID).load()


def test_a_pickle_in_the_place_of_the_weights_is_never_run(
    own_studio: EngineStudio, tmp_path: Path
) -> None:
    import torch

    ran = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Path]]:
            return Path.touch, (ran,)

    torch.save({"model": Evil()}, folder_of(own_studio) / "model.safetensors")
    with pytest.raises(CorruptFileError, check=detailed(r"model\.safetensors")):
        own_studio.manager().get(MODEL_ID).load()
    assert not ran.exists()


def test_no_configuration_can_make_it_fetch_or_load_other_weights(
    own_studio: EngineStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder_of(own_studio) / "config.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    elsewhere = "https://example.org/evil.safetensors"
    config["weights_path"] = config["weights_path_without_voice_cloning"] = elsewhere
    config["flow_lm"]["weights_path"] = config["mimi"]["weights_path"] = elsewhere
    config["flow_lm"]["lookup_table"]["tokenizer_path"] = "hf://example/evil/tokenizer.json"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    monkeypatch.setattr("requests.get", lambda *given, **named: pytest.fail("it asked the web"))
    own_studio.manager().get(MODEL_ID).load()


def test_weights_that_were_changed_since_are_refused(own_studio: EngineStudio) -> None:
    own_studio.manager().get(MODEL_ID).load()  # records what is here
    path = folder_of(own_studio) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    own_studio.pool.unload_all()
    with pytest.raises(CorruptFileError, check=detailed("has changed")):
        own_studio.manager().get(MODEL_ID).load()
