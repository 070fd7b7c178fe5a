"""The Whisper engine: its logic on a fake model, then the real tiny.en."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import faster_whisper
import numpy as np
import pytest

from modules.core_components.ai_models import ASRManager, TTSManager
from modules.core_components.ai_models.downloads import Downloader
from modules.core_components.ai_models.engines.base import ASREngine, Transcription
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.engines.whisper import WhisperOptions
from modules.core_components.ai_models.model_pool import ModelPool
from modules.core_components.errors import (
    BadInputError,
    CorruptFileError,
    JobCancelled,
    ModelMissingError,
    StudioError,
)
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.settings import Settings
from modules.core_components.values import Segment, Speech

RATE_HZ = 16_000


class FakeWhisper:
    """Says a word a second and writes down how it was made and asked."""

    instances: ClassVar[list[FakeWhisper]] = []

    def __init__(self, folder: str, **settings: Any) -> None:
        self.folder, self.settings, self.asked = folder, settings, {}
        self.detected_in = 0.0
        self.model = SimpleNamespace(unload_model=lambda to_cpu=False: None)
        FakeWhisper.instances.append(self)

    def __copy__(self) -> FakeWhisper:
        return self

    def detect_language(self, samples: np.ndarray[Any, Any]) -> tuple[str, float, None]:
        self.detected_in = len(samples) / RATE_HZ
        return "de", 0.7, None

    def transcribe(self, samples: np.ndarray[Any, Any], **asked: Any) -> tuple[Iterator[Any], Any]:
        self.asked = asked
        seconds = len(samples) / RATE_HZ
        sure = 1.0 if asked["language"] else 0.9
        info = SimpleNamespace(
            language=asked["language"] or "fr",
            language_probability=sure,
            duration_after_vad=seconds,
        )

        def said() -> Iterator[Any]:
            for start in range(int(np.ceil(seconds))):
                word = SimpleNamespace(word=" word", start=start, end=start + 1.0, probability=0.5)
                yield SimpleNamespace(
                    text=" word", start=start, end=start + 1.0,
                    words=[word] if asked["word_timestamps"] else None,
                )  # fmt: skip

        return said(), info


def speak_at(monkeypatch: pytest.MonkeyPatch, *regions: tuple[float, float]) -> None:
    """Makes the voice activity detection find speech there."""

    def found(audio: Speech, cancel: CancelToken | None = None) -> list[tuple[float, float]]:
        return [(start, min(end, audio.duration_s)) for start, end in regions]

    monkeypatch.setattr("modules.core_components.ai_models.engines.whisper.speech_regions", found)


@pytest.fixture
def asr(settings: Settings, pool: ModelPool, monkeypatch: pytest.MonkeyPatch) -> ASRManager:
    """A manager whose models are fakes and always here."""
    monkeypatch.setattr(FakeWhisper, "instances", [])
    monkeypatch.setattr(faster_whisper, "WhisperModel", FakeWhisper)
    monkeypatch.setattr(Downloader, "verify", lambda self, model_id: Path(model_id))
    speak_at(monkeypatch, (0.0, 1e6))
    return ASRManager(settings, pool)


def speech(seconds: float, rate_hz: int = RATE_HZ) -> Speech:
    """A tone, which is audible to begin with."""
    time_s = np.arange(int(seconds * rate_hz)) / rate_hz
    return Speech((0.3 * np.sin(2 * np.pi * 220 * time_s)).astype(np.float32), rate_hz)


def listen(engine: ASREngine, audio: Speech, **given: Any) -> Transcription:
    options = parse_options(engine.options_type, given)
    return engine.transcribe(audio, options, no_progress, CancelToken())


def test_segments_come_one_by_one_with_progress(asr: ASRManager) -> None:
    heard: list[tuple[float, str]] = []
    engine = asr.get_whisper("base")
    running = engine.transcribe(
        speech(2.5), WhisperOptions(), lambda f, m: heard.append((round(f, 2), m)), CancelToken()
    )
    assert (running.info.language, running.info.language_probability) == ("fr", 0.9)
    assert running.info.duration_s == 2.5
    first = next(running.segments)
    assert first == Segment("word", 0, 1.0)
    assert heard[-1] == (0.4, "Transcribed 0:01 of 0:02")
    rest = list(running.segments)
    assert [segment.end_s for segment in rest] == [2.0, 2.5]  # never past the end
    assert heard[-1] == (1.0, "Transcribed")


def test_a_cancel_is_looked_at_before_each_computation_of_a_window(
    asr: ASRManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two segments faster-whisper encodes, decodes up to six times, and aligns."""
    cancel, computed = CancelToken(), []

    def compute(name: str) -> None:
        computed.append(name)
        if name == "generate":
            cancel.cancel()

    def transcribe(self: FakeWhisper, samples: Any, **asked: Any) -> tuple[Iterator[Any], Any]:
        def said() -> Iterator[Any]:
            for name in ("encode", "generate", "generate", "align"):
                getattr(self.model, name)(name)
            yield SimpleNamespace(text="word", start=0.0, end=1.0, words=None)

        info = SimpleNamespace(language="en", language_probability=1.0, duration_after_vad=1.0)
        return said(), info

    monkeypatch.setattr(FakeWhisper, "transcribe", transcribe)
    engine = asr.get_whisper("base")
    engine.load()
    steps = dict.fromkeys(("encode", "generate", "align"), compute)
    FakeWhisper.instances[0].model = SimpleNamespace(**steps, unload_model=lambda to_cpu: None)
    running = engine.transcribe(speech(2), WhisperOptions(), no_progress, cancel)
    with pytest.raises(JobCancelled):
        list(running.segments)
    assert computed == ["encode", "generate"]


def test_any_sample_rate_is_listened_to_at_16_khz(asr: ASRManager) -> None:
    running = listen(asr.get_whisper("base"), speech(3, rate_hz=48_000))
    assert running.info.duration_s == pytest.approx(3.0, abs=0.01)
    assert len(list(running.segments)) == 3


def test_the_model_is_leased_while_segments_are_consumed_and_no_longer(
    asr: ASRManager, pool: ModelPool
) -> None:
    def holders() -> tuple[str, ...]:
        return pool.snapshot()[0].holders

    running = listen(asr.get_whisper("base"), speech(3))
    assert holders() == ("transcribing with Whisper base",)
    with pool.run_slot("cpu", timeout_s=0):  # between two segments others may compute
        pass
    next(running.segments)
    assert holders()
    running.segments.close()  # type: ignore[attr-defined]
    assert not holders()

    listen(asr.get_whisper("base"), speech(3)).segments.close()  # type: ignore[attr-defined]
    assert not holders()  # not one segment was asked for
    list(listen(asr.get_whisper("base"), speech(3)).segments)
    assert not holders()
    assert len(FakeWhisper.instances) == 1


def test_cancel_is_looked_at_between_segments(asr: ASRManager, pool: ModelPool) -> None:
    token = CancelToken()
    engine = asr.get_whisper("base")
    running = engine.transcribe(speech(5), WhisperOptions(), no_progress, token)
    next(running.segments)
    token.cancel()
    with pytest.raises(JobCancelled):
        next(running.segments)
    assert not pool.snapshot()[0].holders


def test_the_options_reach_the_model(asr: ASRManager) -> None:
    engine = asr.get_whisper("base")
    given = {"beam_size": 2, "word_timestamps": True, "vad_filter": False, "temperature": 0.4}
    prompted = {"language": "de-AT", "initial_prompt": "Herr Müller"}
    list(listen(engine, speech(1), **given, **prompted).segments)
    asked = FakeWhisper.instances[0].asked
    assert asked["language"] == "de"
    assert (asked["beam_size"], asked["word_timestamps"], asked["vad_filter"]) == (2, True, False)
    assert (asked["initial_prompt"], asked["hotwords"]) == ("Herr Müller", None)
    assert asked["temperature"] == [0.4, 0.6, 0.8, 1.0]
    list(listen(engine, speech(1), temperature_fallback=False).segments)
    assert FakeWhisper.instances[0].asked["temperature"] == [0.0]
    assert FakeWhisper.instances[0].asked["language"] is None


@pytest.mark.parametrize(
    ("spoken", "clips"),
    [
        ([(1.0, 4.0)], [0.6, 4.4]),
        ([(0.2, 4.0), (5.9, 9.8)], [0.0, 10.0]),  # a pause of less than 2 s
        ([(0.2, 3.0), (7.0, 9.0)], [0.0, 3.4, 6.6, 9.4]),
        ([(0.2, 1.0), (3.0, 4.0), (9.0, 9.9)], [0.0, 1.4, 2.6, 4.4, 8.6, 10.0]),
    ],
)
def test_only_parts_with_speech_are_transcribed(
    asr: ASRManager,
    monkeypatch: pytest.MonkeyPatch,
    spoken: list[tuple[float, float]],
    clips: list[float],
) -> None:
    speak_at(monkeypatch, *spoken)
    running = listen(asr.get_whisper("base"), speech(10), language="en")
    assert FakeWhisper.instances[0].asked["clip_timestamps"] == pytest.approx(clips)
    heard_s = sum(clips[1::2]) - sum(clips[::2])
    assert running.info.duration_after_vad_s == pytest.approx(heard_s)
    running = listen(asr.get_whisper("base"), speech(10), language="en", vad_filter=False)
    assert FakeWhisper.instances[0].asked["clip_timestamps"] == [0.0, 10.0]


def test_without_speech_there_are_no_segments(
    asr: ASRManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_at(monkeypatch)
    running = listen(asr.get_whisper("base"), speech(3))
    assert list(running.segments) == []
    assert (running.info.language, running.info.duration_s) == ("", 3.0)
    assert FakeWhisper.instances[0].asked == {}


def test_the_language_is_found_of_all_speech_where_it_begins_sparsely(
    asr: ASRManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_at(monkeypatch, (1.0, 2.0), (40.0, 60.0))
    info = listen(asr.get_whisper("base"), speech(61)).info
    assert (info.language, info.language_probability) == ("de", 0.7)
    assert FakeWhisper.instances[0].detected_in == pytest.approx(1.8 + 20.8)
    speak_at(monkeypatch, (1.0, 20.0), (40.0, 60.0))
    assert listen(asr.get_whisper("base"), speech(61)).info.language == "fr"


def test_words_have_their_times(asr: ASRManager) -> None:
    running = listen(asr.get_whisper("base"), speech(1.5), word_timestamps=True)
    (first, last) = (segment.words[0] for segment in running.segments)
    assert (first.text, first.start_s, first.end_s, first.probability) == ("word", 0, 1.0, 0.5)
    assert (last.start_s, last.end_s) == (1, 1.5)


def test_batched_goes_through_the_pipeline(
    asr: ASRManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(faster_whisper, "BatchedInferencePipeline", lambda model: model)
    engine = asr.get_whisper("base")
    list(listen(engine, speech(1), batched=True, batch_size=4).segments)
    asked = FakeWhisper.instances[0].asked
    # A batch is one computation, which no cancel ends: on a CPU it is kept short.
    assert (asked["batch_size"], asked["without_timestamps"]) == (2, False)
    assert "condition_on_previous_text" not in asked
    with pytest.raises(BadInputError, match="Turn Skip silence on"):
        listen(engine, speech(1), batched=True, vad_filter=False)


def test_the_model_is_made_for_this_machine(asr: ASRManager) -> None:
    list(listen(asr.get_whisper("base"), speech(1)).segments)
    made = FakeWhisper.instances[0]
    assert made.folder == "whisper-base"
    assert made.settings == {
        "device": "cpu",
        "device_index": 0,
        "compute_type": "int8",
        "cpu_threads": 1,
        "local_files_only": True,
    }


def test_english_only_models_know_english_only(asr: ASRManager) -> None:
    engine = asr.get_whisper("tiny.en")
    assert listen(engine, speech(1)).info.language == "en"
    assert listen(engine, speech(1), language="en-us").info.language == "en"
    with pytest.raises(BadInputError, match=r"does not know the language 'fr'.*without \.en"):
        listen(engine, speech(1), language="fr")
    with pytest.raises(BadInputError, match="cannot translate"):
        listen(engine, speech(1), task="translate")
    with pytest.raises(BadInputError, match="does not know the language 'xx'"):
        listen(asr.get_whisper("base"), speech(1), language="xx")


@pytest.mark.parametrize("samples", [0, 1, RATE_HZ])
def test_silence_is_an_empty_transcript_and_loads_nothing(
    asr: ASRManager, pool: ModelPool, samples: int
) -> None:
    silence = Speech(np.zeros(samples, np.float32), RATE_HZ)
    running = listen(asr.get_whisper("base"), silence, language="de")
    assert list(running.segments) == []
    assert (running.info.language, running.info.duration_s) == ("de", samples / RATE_HZ)
    assert pool.snapshot() == ()


def test_audio_that_is_not_numbers_is_refused(asr: ASRManager) -> None:
    broken = Speech(np.array([0.1, np.nan], np.float32), RATE_HZ)
    with pytest.raises(BadInputError, match="not numbers"):
        listen(asr.get_whisper("base"), broken)


def test_weights_that_cannot_be_loaded_are_explained(
    asr: ASRManager, pool: ModelPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unloadable(folder: str, **settings: Any) -> Any:
        raise RuntimeError("Unsupported model binary version")

    monkeypatch.setattr(faster_whisper, "WhisperModel", unloadable)
    with pytest.raises(StudioError, match=r"could not be loaded.*Delete") as caught:
        listen(asr.get_whisper("base"), speech(1))
    assert "binary version" in caught.value.details
    assert pool.snapshot() == ()


def test_a_model_that_is_not_here_is_missed_at_first_use(
    settings: Settings, pool: ModelPool
) -> None:
    engine = ASRManager(settings, pool).get_whisper("small")
    with pytest.raises(ModelMissingError, match="Whisper small"):
        listen(engine, speech(1))


# The real thing


@pytest.fixture
def real(starter_models: Path, settings: Settings) -> Settings:
    """Settings over links to the starter models, so that a check leaves its notes elsewhere."""

    def link(source: str, target: str) -> None:
        Path(target).symlink_to(source)

    for name in ("whisper/tiny.en", "whisper/base", "kokoro/v1_0"):
        shutil.copytree(starter_models / name, settings.models_folder / name, copy_function=link)
    return settings


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


SENTENCES = "The morning train was late again. Nobody in the village seemed to mind."


@pytest.mark.e2e
def test_the_real_model_reads_what_was_spoken(real: Settings) -> None:
    """Kokoro speaks, tiny.en writes it down with times; in batches it hears the same words."""
    pool = ModelPool({"cpu": 2 * 2**30})
    kokoro = TTSManager(real, pool).get_kokoro()
    options = parse_options(kokoro.options_type, {"language": "en-us", "seed": 1})
    pieces = list(kokoro.stream(SENTENCES, "af_heart", options, CancelToken()))
    said = Speech(np.concatenate([piece.samples for piece in pieces]), kokoro.sample_rate_hz)

    engine = ASRManager(real, pool).get_whisper("tiny.en")
    running = listen(engine, said, word_timestamps=True)
    segments = list(running.segments)
    words = [word for segment in segments for word in segment.words]
    assert words_of(" ".join(segment.text for segment in segments)) == words_of(SENTENCES)
    assert words_of(" ".join(word.text for word in words)) == words_of(SENTENCES)
    times_s = [time_s for word in words for time_s in (word.start_s, word.end_s)]
    assert times_s == sorted(times_s)
    assert 0 <= times_s[0] < times_s[-1] <= said.duration_s

    batched = listen(engine, said, batched=True)
    heard = " ".join(segment.text for segment in batched.segments)
    assert words_of(heard) == words_of(SENTENCES)
    assert {resident.key.partition("@")[0] for resident in pool.snapshot()} == {
        "kokoro-v1.0",
        "whisper-tiny.en",
    }
    assert all(not resident.holders for resident in pool.snapshot())
    pool.close()


@pytest.mark.e2e
@pytest.mark.parametrize("batched", [False, True])
def test_noise_is_not_made_into_words(real: Settings, pool: ModelPool, batched: bool) -> None:
    samples = 0.05 * np.random.default_rng(0).standard_normal(5 * RATE_HZ)
    noise = Speech(samples.astype(np.float32), RATE_HZ)
    running = listen(ASRManager(real, pool).get_whisper("base"), noise, batched=batched)
    assert list(running.segments) == []
    assert (running.info.language, running.info.duration_s) == ("", 5.0)
    blip = Speech(noise.samples[:200], RATE_HZ)
    assert list(listen(ASRManager(real, pool).get_whisper("base"), blip).segments) == []


@pytest.mark.e2e
def test_a_damaged_model_file_is_found_before_it_is_loaded(real: Settings, pool: ModelPool) -> None:
    model = real.models_folder / "whisper" / "tiny.en" / "model.bin"
    content = bytearray(model.read_bytes())
    content[1_000_000] ^= 1
    model.unlink()
    model.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"Whisper tiny\.en is damaged") as caught:
        listen(ASRManager(real, pool).get_whisper("tiny.en"), speech(1))
    assert "model.bin" in caught.value.details
    assert pool.snapshot() == ()
