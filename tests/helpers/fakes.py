"""Engines without weights, and a studio that runs on them."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from modules.core_components.ai_models.catalog import Licence, ModelEntry
from modules.core_components.ai_models.engines.base import (
    ScriptLine,
    Transcription,
    TranscriptionInfo,
)
from modules.core_components.ai_models.engines.catalog_engine import EngineContext
from modules.core_components.ai_models.engines.options import option
from modules.core_components.ai_models.model_pool import ModelPool, ModelSpec
from modules.core_components.audio.files import write_speech
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.values import Consent, Sample, Segment, Speech, VoicePrompt, Word
from modules.tools.jobs import register_job_kinds
from modules.tools.services import Services, open_services

RATE_HZ = 16_000
SINE = "sine-1"
ECHO = "echo-1"
DUET = "duet-1"
LARGE_TONE, SMALL_TONE = "tone-large", "tone-small"


@dataclass(frozen=True)
class SineOptions:
    language: str = option("en-us", "Language", "Of the text.", choices=("en-us", "it"))
    speed: float = option(1.0, "Speed", "How fast.", minimum=0.5, maximum=2.0, step=0.05)
    steady: bool = option(False, "Steady", "Without any tremble.")
    seed: int = option(0, "Seed", "Of the tremble.", minimum=0, maximum=2**31 - 1)


class SineEngine:
    """Speaks every word as a tone; the pitch is the voice's. Clear `may_speak` to hold it."""

    model_id = SINE
    model_revision = "r1"
    label = "Sine 1"
    sample_rate_hz = RATE_HZ
    languages = ("en-us", "it")
    can_clone = True
    precision = "float32"
    options_type = SineOptions

    def __init__(self) -> None:
        self.may_speak = threading.Event()
        self.may_speak.set()
        self.speaking = threading.Event()

    def load(self, cancel: CancelToken | None = None) -> None:
        """A sine needs no weights."""

    def voices(self) -> tuple[str, ...]:
        return ("high", "low")

    def prompt_parameters(self) -> Mapping[str, Any]:
        return {"version": 1}

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        progress(1.0, "Listening to the sample")
        pitch_hz = 200.0 + int(sample.audio_sha256[:2], 16)
        return VoicePrompt(
            "", "sine", self.model_id, self.model_revision, {"hz": np.array([pitch_hz])}
        )

    def stream(
        self, text: str, voice: VoicePrompt | str, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        if isinstance(voice, str) and voice not in self.voices():
            raise BadInputError(f"There is no voice {voice!r}.", "Choose high or low.")
        pitch_hz = 300.0 if isinstance(voice, str) else float(voice.tensors["hz"][0])
        return self._speak(text, pitch_hz, options, cancel)

    def _speak(
        self, text: str, pitch_hz: float, options: SineOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        random = np.random.default_rng(options.seed)
        for word in text.split():
            self.speaking.set()
            while not self.may_speak.wait(0.01):
                cancel.raise_if_cancelled()
            times_s = np.arange(int(RATE_HZ * 0.05 * len(word) / options.speed)) / RATE_HZ
            tremble = 0.0 if options.steady else random.normal(scale=5.0)
            tone = 0.3 * np.sin(2 * np.pi * (pitch_hz + tremble) * times_s)
            said = Word(word, 0.0, len(tone) / RATE_HZ)
            yield Speech(tone.astype(np.float32), RATE_HZ, (said,))


class DuetEngine(SineEngine):
    """Has up to four samples talk to each other in one go; remembers the turns it was given."""

    model_id = DUET
    label = "Duet 1"
    max_speakers = 4

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[tuple[int, str], ...]] = []

    def voices(self) -> tuple[str, ...]:
        return ()

    def stream_script(
        self,
        lines: Sequence[ScriptLine],
        voices: Sequence[VoicePrompt],
        options: SineOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        self.asked.append(tuple((line.speaker, line.text) for line in lines))
        for line in lines:
            pitch_hz = float(voices[line.speaker].tensors["hz"][0])
            yield from self._speak(line.text, pitch_hz, options, cancel)


MATCH = "match-1"


class MatchEngine(SineEngine):
    """Matches a voice at once and refines it when `may_refine` is set: an octave higher."""

    model_id = MATCH
    label = "Match 1"

    def __init__(self) -> None:
        super().__init__()
        self.may_refine = threading.Event()
        self.may_refine.set()
        self.refined = 0

    def refining_parameters(self) -> Mapping[str, Any]:
        return {"version": 1, "refined": True}

    def refine_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        while not self.may_refine.wait(0.01):
            cancel.raise_if_cancelled()
        self.refined += 1
        matched = self.prepare_voice(sample, progress, cancel)
        return replace(matched, tensors={"hz": 2 * matched.tensors["hz"]})


def add_match(services: Services) -> MatchEngine:
    """Plugs in an engine whose voices are refined."""
    engine = MatchEngine()
    entry = fake_entry(MATCH, "text-to-speech", ("voice-match",))
    services.tts.register_engine(MATCH, lambda entry, context: engine, entry)
    return engine


def add_duet(services: Services) -> DuetEngine:
    """Plugs in an engine that speaks scripts."""
    engine = DuetEngine()
    entry = fake_entry(DUET, "text-to-speech", ("clone", "speakers"))
    services.tts.register_engine(DUET, lambda entry, context: engine, entry)
    return engine


@dataclass(frozen=True)
class EchoOptions:
    language: str = option("auto", "Language", "Of the recording.")


class EchoListener:
    """Hears the same two sentences in every recording."""

    model_id = ECHO
    model_revision = "r1"
    label = "Echo 1"
    languages = ("en", "it")
    options_type = EchoOptions

    def load(self, cancel: CancelToken | None = None) -> None:
        """An echo needs no weights."""

    def transcribe(
        self, speech: Speech, options: EchoOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        half_s = speech.duration_s / 2
        segments = (
            Segment("Good <b>morning</b>.", 0.0, half_s),
            Segment("How are you?", half_s, speech.duration_s),
        )
        info = TranscriptionInfo("en", 0.98, speech.duration_s, speech.duration_s)
        return Transcription(info, iter(segments))


class ToneEngine:
    """A speaking engine that says nothing; its weights are a word in the pool."""

    configurable = ("precision",)
    options_type = SineOptions

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        self._entry, self._context = entry, context

    def model_spec(self) -> ModelSpec[str]:
        precision = self._context.precision_preference
        return self._context.model_spec(
            self._entry,
            "r1",
            precision,
            load=lambda: f"{self._entry.id} in {precision}",
            measure=lambda _: self._entry.memory_mb * 1_000_000,
        )

    def load(self, cancel: CancelToken | None = None) -> None:
        with self._context.pool.lease(self.model_spec(), cancel, "loading"):
            return


def add_tones(services: Services, devices_mb: Mapping[str, int]) -> None:
    """Two models of 700 and 400 MB, and a pool with that much room on each device."""
    budgets = {device: size_mb * 1_000_000 for device, size_mb in devices_mb.items()}
    services.tts._own_pool = ModelPool(budgets, reclaim=lambda: None)
    services.tts.configure(services.settings)
    for model_id, size_mb in ((LARGE_TONE, 700), (SMALL_TONE, 400)):
        entry = fake_entry(model_id, "text-to-speech", ("clone",), size_mb)
        services.tts.register_engine(model_id, ToneEngine, entry)


def fake_entry(
    model_id: str, task: str, abilities: tuple[str, ...], memory_mb: int = 1
) -> ModelEntry:
    """A catalog entry without sources: its weights are always here."""
    return ModelEntry(
        id=model_id,
        family=model_id.partition("-")[0],
        version="1",
        task=task,
        label=model_id,
        folder=model_id,
        files=(),
        sources=(),
        licence=Licence("MIT", "https://example.org", True, False, ""),
        languages=("en-us", "it"),
        sample_rate_hz=RATE_HZ,
        memory_mb=memory_mb,
        download_mb=0,
        abilities=abilities,
        starter=False,
        engine="",
        note="",
    )


def fake_studio(root: Path) -> tuple[Services, SineEngine]:
    """A studio in `root` with the two fakes as its default models; no weights, no scores."""
    choices = {"models_folder": str(root / "models"), "tts_model": SINE, "asr_model": ECHO}
    services = open_services(root, {**choices, "score_takes": False})
    engine = SineEngine()
    speaks = fake_entry(SINE, "text-to-speech", ("clone", "stock-voices"))
    listens = fake_entry(ECHO, "speech-to-text", ())
    services.tts.register_engine(SINE, lambda entry, context: engine, speaks)
    services.asr.register_engine(ECHO, lambda entry, context: EchoListener(), listens)
    register_job_kinds(services)
    return services, engine


def add_noise(services: Services, name: str = "Anna") -> Sample:
    """A sample that is no speech, put into the folder by hand and so past all checks."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=3 * RATE_HZ).astype(np.float32)
    write_speech(services.settings.samples_folder / f"{name}.wav", Speech(noise, RATE_HZ))
    return services.samples.update(name, consent=Consent(name, True))
