"""The managers: what can be used, which engine serves it, voices prepared once."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modules.core_components import ai_models
from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.engines.registry import EngineMissingError
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec, get_model_pool
from modules.core_components.errors import (
    BadInputError,
    DiskFullError,
    JobCancelled,
    ModelMissingError,
    NotFoundError,
)
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.settings import Settings, change
from modules.core_components.values import Sample, VoicePrompt
from tests.helpers.errors import detailed

SOON_S = 10.0
PLUGGED_IN = "another-tts-1"  # the catalog does not know it
SAMPLE = Sample("me", Path("me.wav"), audio_sha256="ab" * 32, duration_s=5.0, ref_text="Hello.")


class FakeEngine:
    """An engine that counts the voices it prepared; `holding` makes it wait inside."""

    label, model_revision, can_clone, precision = "Fake", "r1", True, "float32"
    languages, sample_rate_hz, options_type = ("en",), 24_000, object

    def __init__(self, model_id: str) -> None:
        self.model_id = model_id
        self.prepared = 0
        self.parameters = {"steps": 10}
        self.inside, self.go = threading.Event(), threading.Event()
        self.go.set()
        self.error: Exception | None = None

    def voices(self) -> tuple[str, ...]:
        return ()

    def prompt_parameters(self) -> dict[str, Any]:
        return self.parameters

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        self.prepared += 1
        self.inside.set()
        while not self.go.wait(0.01):
            cancel.raise_if_cancelled()
        if self.error:
            raise self.error
        pack = np.full((2, 3), self.prepared, np.float32)
        return VoicePrompt("", "fake", self.model_id, "r1", {"pack": pack}, {"made": True})

    def stream(self, *arguments: Any) -> Iterator[Any]:
        return iter(())


@pytest.fixture
def tts(settings: Settings, pool: ModelPool) -> TTSManager:
    return TTSManager(settings, pool)


@pytest.fixture
def asr(settings: Settings, pool: ModelPool) -> ASRManager:
    return ASRManager(settings, pool)


@pytest.fixture
def fake(tts: TTSManager) -> FakeEngine:
    """Plugged in as the engine of a model of the catalog that has none yet."""
    engine = FakeEngine(PLUGGED_IN)
    entry = tts.catalog.entry("qwen3-tts-1.7b-base")
    tts.register_engine(PLUGGED_IN, lambda entry, context: engine, entry)
    return engine


def in_thread(work: Any) -> Future[Any]:
    threads = ThreadPoolExecutor(1)
    future = threads.submit(work)
    threads.shutdown(wait=False)
    return future


def test_the_getters_name_the_models_of_the_catalog(tts: TTSManager, asr: ASRManager) -> None:
    """Every getter leads to a model that exists."""
    assert tts.get_kokoro("v0.19").model_id == "kokoro-v0.19"
    assert tts.get_qwen3_base("0.6B").model_id == "qwen3-tts-0.6b-base"
    assert tts.get_qwen3_base(size="1.7B").model_id == "qwen3-tts-1.7b-base"
    assert tts.get_qwen3_custom_voice("0.6B").model_id == "qwen3-tts-0.6b-custom-voice"
    assert tts.get_qwen3_voice_design().model_id == "qwen3-tts-1.7b-voice-design"
    assert tts.get_xtts("v2.0.2").model_id == "xtts-v2.0.2"
    assert tts.get_xtts().model_id == "xtts-v2.0.3"
    assert asr.get_whisper("large-v3-turbo").model_id == "whisper-large-v3-turbo"
    assert asr.get_whisper().model_id == "whisper-base"
    assert tts.get_vibevoice_tts().model_id == "vibevoice-1.5b"
    assert tts.get_vibevoice_tts("Small").model_id == "vibevoice-1.5b"
    assert tts.get_vibevoice_tts("Large").model_id == "vibevoice-large"
    assert tts.get_vibevoice_tts("Large (4-bit)").model_id == "vibevoice-large-4bit"
    assert asr.get_vibevoice_asr().model_id == "vibevoice-asr"


def test_unknown_and_misplaced_models_are_refused_with_names(
    tts: TTSManager, asr: ASRManager, tmp_path: Path
) -> None:
    with pytest.raises(NotFoundError, match="no model 'whisper-enormous'"):
        asr.get_whisper("enormous")
    with pytest.raises(NotFoundError, match="is for speech-to-text"):
        tts.get("whisper-base")
    with pytest.raises(ModelMissingError, check=detailed(r"config\.json is not in")):
        tts.get_xtts(tmp_path)


def test_a_handle_is_made_once_and_loads_nothing(asr: ASRManager, pool: ModelPool) -> None:
    assert asr.get("whisper-tiny.en") is asr.get_whisper("tiny.en")
    assert pool.snapshot() == ()


def test_availability_is_computed_anew(asr: ASRManager, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = asr.availability("whisper-tiny.en")
    assert (missing.state, missing.ready) == ("not downloaded", False)
    assert "model.bin" in missing.details
    assert "models download whisper-tiny.en" in missing.details
    with pytest.raises(ModelMissingError):
        asr.context.ensure_model("whisper-tiny.en")

    entry = asr.catalog.entry("whisper-tiny.en")
    folder = asr.catalog.folder(entry)
    folder.mkdir(parents=True)
    for file in entry.files:
        (folder / file.name).write_bytes(b"x")
    assert asr.available("whisper-tiny.en")
    assert asr.whisper_available

    found = "modules.core_components.ai_models.engines.registry.importlib.util.find_spec"
    monkeypatch.setattr(found, lambda name: None)
    lacking = asr.availability("whisper-tiny.en")
    assert lacking.state == "package missing"
    assert "faster_whisper" in lacking.details
    assert "install" in lacking.hint


def test_an_engine_whose_import_fails_is_a_missing_package(
    settings: Settings, pool: ModelPool
) -> None:
    tts = TTSManager(settings, pool)
    entry = tts.catalog.entry("qwen3-tts-1.7b-base")
    tts.register_engine(PLUGGED_IN, "not_installed_anywhere.engine:create", entry)
    assert tts.availability(PLUGGED_IN).state == "package missing"
    with pytest.raises(EngineMissingError, check=detailed("not_installed_anywhere")):
        tts.get(PLUGGED_IN)


def test_a_model_has_one_engine(tts: TTSManager, fake: FakeEngine) -> None:
    assert tts.get(PLUGGED_IN) is fake
    assert PLUGGED_IN in tts.engine_ids()
    with pytest.raises(ValueError, match="already has an engine"):
        tts.register_engine("kokoro-v1.0", FakeEngine, tts.catalog.entry("kokoro-v1.0"))


def test_unload_all_leaves_the_other_managers_models(
    tts: TTSManager, asr: ASRManager, pool: ModelPool
) -> None:
    for key in ("kokoro-v1.0@r/float32/cpu", "whisper-base@r/int8/cpu"):
        with pool.lease(ModelSpec(key, "cpu", 10, object)):
            pass
    tts.unload_all()
    assert [resident.key for resident in pool.snapshot()] == ["whisper-base@r/int8/cpu"]
    asr.unload("whisper-base")
    assert pool.snapshot() == ()


def test_new_settings_make_new_handles_and_keep_added_engines(
    tts: TTSManager, fake: FakeEngine, settings: Settings, tmp_path: Path
) -> None:
    other = change(settings, models_folder=tmp_path / "elsewhere", offline_mode=True)
    tts.configure(other)
    assert tts.catalog.models_folder == tmp_path / "elsewhere"
    assert tts.user_config["offline_mode"] is True
    assert tts.get(PLUGGED_IN) is fake


# Prepared voices


def test_a_voice_is_prepared_once_and_found_again(tts: TTSManager, fake: FakeEngine) -> None:
    first, was_cached = tts.prepare_voice(PLUGGED_IN, SAMPLE)
    assert (fake.prepared, was_cached, len(first.key)) == (1, False, 64)
    again, was_cached = tts.prepare_voice(PLUGGED_IN, SAMPLE)
    assert (again, was_cached) == (first, True)
    tts.configure(tts.settings)  # forgets what is in memory: from disk now
    again, was_cached = tts.prepare_voice(PLUGGED_IN, SAMPLE)
    assert (again.key, was_cached) == (first.key, True)
    np.testing.assert_array_equal(again.tensors["pack"], first.tensors["pack"])
    assert fake.prepared == 1


@pytest.mark.parametrize(
    "change", ["audio", "text", "revision", "parameters"]
)  # what is not the same voice
def test_a_change_of_what_shapes_a_voice_prepares_it_anew(
    tts: TTSManager, fake: FakeEngine, change: str
) -> None:
    tts.prepare_voice(PLUGGED_IN, SAMPLE)
    sample = SAMPLE
    if change == "audio":
        sample = dataclasses.replace(SAMPLE, audio_sha256="cd" * 32)
    elif change == "text":
        sample = dataclasses.replace(SAMPLE, ref_text="Hello!")
    elif change == "revision":
        fake.model_revision = "r2"
    else:
        fake.parameters = {"steps": 20}
    _, was_cached = tts.prepare_voice(PLUGGED_IN, sample)
    assert not was_cached
    assert fake.prepared == 2
    renamed = dataclasses.replace(sample, name="a copy", path=Path("copy.wav"))
    assert tts.prepare_voice(PLUGGED_IN, renamed)[1]


def test_who_asks_meanwhile_waits_and_shares(tts: TTSManager, fake: FakeEngine) -> None:
    fake.go.clear()
    first = in_thread(lambda: tts.prepare_voice(PLUGGED_IN, SAMPLE))
    assert fake.inside.wait(SOON_S)
    second = in_thread(lambda: tts.prepare_voice(PLUGGED_IN, SAMPLE))
    impatient = CancelToken()
    third = in_thread(lambda: tts.prepare_voice(PLUGGED_IN, SAMPLE, no_progress, impatient))
    impatient.cancel()
    assert isinstance(third.exception(SOON_S), JobCancelled)
    fake.go.set()
    assert first.result(SOON_S)[0] is second.result(SOON_S)[0]
    assert (first.result()[1], second.result()[1], fake.prepared) == (False, True, 1)


def test_when_the_first_cancels_the_next_takes_over(tts: TTSManager, fake: FakeEngine) -> None:
    fake.go.clear()
    token = CancelToken()
    first = in_thread(lambda: tts.prepare_voice(PLUGGED_IN, SAMPLE, no_progress, token))
    assert fake.inside.wait(SOON_S)
    second = in_thread(lambda: tts.prepare_voice(PLUGGED_IN, SAMPLE))
    token.cancel()
    assert isinstance(first.exception(SOON_S), JobCancelled)
    fake.go.set()
    assert second.result(SOON_S)[0].tensors["pack"].shape == (2, 3)


def test_a_failed_preparation_leaves_nothing(tts: TTSManager, fake: FakeEngine) -> None:
    fake.error = BadInputError("There is no speech in the sample.")
    with pytest.raises(BadInputError, match="no speech"):
        tts.prepare_voice(PLUGGED_IN, SAMPLE)
    fake.error = None
    assert not tts.prepare_voice(PLUGGED_IN, SAMPLE)[1]


def test_a_full_disk_does_not_cost_the_voice(
    tts: TTSManager, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise DiskFullError("There was no room on the disk.")

    monkeypatch.setattr("modules.core_components.atomic.atomic_path", full)
    prompt, _ = tts.prepare_voice(PLUGGED_IN, SAMPLE)
    assert tts.prepare_voice(PLUGGED_IN, SAMPLE) == (prompt, True)


def test_an_engine_that_cannot_clone_says_so(tts: TTSManager, fake: FakeEngine) -> None:
    fake.can_clone = False
    with pytest.raises(BadInputError, match="cannot take the voice"):
        tts.prepare_voice(PLUGGED_IN, SAMPLE)


# The only way in


@pytest.fixture
def no_managers() -> Iterator[None]:
    ai_models.reset_managers()
    yield
    ai_models.reset_managers()


@pytest.mark.usefixtures("no_managers")
def test_there_is_one_manager_of_each_kind(
    settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tts = ai_models.get_tts_manager(settings, tmp_path / "samples")
    asr = ai_models.get_asr_manager(settings)
    assert ai_models.get_tts_manager() is tts
    assert ai_models.get_asr_manager() is asr
    assert tts.pool is asr.pool is get_model_pool()
    assert tts.settings.samples_folder == tmp_path / "samples"

    ai_models.get_tts_manager({"attention_mechanism": "eager"})
    assert tts.settings.attention_mechanism == "eager"
    ai_models.get_asr_manager({"attention": "eager"})
    assert asr.settings.attention_mechanism == "auto"
    assert "no setting attention" in caplog.text
    with pytest.raises(BadInputError, match="Attention cannot be 'fast'"):
        ai_models.get_asr_manager({"attention_mechanism": "fast"})
