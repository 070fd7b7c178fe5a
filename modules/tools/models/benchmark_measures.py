"""One model measured: how soon and how fast it speaks or listens, once it is loaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from modules.core_components.ai_models.engines.base import (
    AttentiveEngine,
    TTSEngine,
    parse_options,
)
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech, VoicePrompt
from modules.tools.models.benchmark_figures import ModelFigures
from modules.tools.models.ready_models import designs_voices
from modules.tools.services import Services
from modules.tools.speaking.passages import collect_speech
from modules.tools.speaking.plan import engine_options
from modules.tools.voices.preset_voices import nearest_language, preset_voices

TEXT = (
    "The harbour was quiet before dawn, and a single lamp burned above the customs house. "
    "Nobody spoke of the storm, which had passed in the night and left the water smooth as glass."
)
SEED = 1
# The first sentence after loading pays for what is compiled and recorded once.
_WARM_UP = "One, two, three."
_DESCRIPTION = "A calm woman in her forties with a clear, warm voice."
_LANGUAGE = "en-us"


def measure_speaker(
    services: Services,
    figures: ModelFigures,
    sample: str,
    progress: Progress,
    cancel: CancelToken,
) -> tuple[ModelFigures, Speech]:
    """The figures of a speaking model, and TEXT as it said it.

    It speaks with a voice of its own, without one with that of `sample` ("": the first there is).
    """
    engine = services.tts.get(figures.model_id)
    language = nearest_language(engine, _LANGUAGE)
    if not language:
        raise BadInputError(f"{engine.label} does not speak English.")
    load_s = _seconds(lambda: engine.load(cancel))
    progress(0.3, f"{engine.label}: preparing")
    name, voice = _voice(services, engine, sample, cancel)
    options = engine_options(engine, {}, language, SEED)
    for _ in engine.stream(_WARM_UP, voice, options, cancel):
        cancel.raise_if_cancelled()
    progress(0.5, f"{engine.label}: speaking")
    start = time.monotonic()
    heard_s: list[float] = []
    speech = collect_speech(
        engine.stream(TEXT, voice, options, cancel),
        engine.sample_rate_hz,
        len(TEXT),
        no_progress,
        cancel,
        lambda _: heard_s.append(time.monotonic() - start),
    )
    computing_s = time.monotonic() - start
    measured = replace(
        figures,
        revision=engine.model_revision,
        device=_device(services, engine.model_id),
        precision=engine.precision,
        attention=engine.attention if isinstance(engine, AttentiveEngine) else "",
        voice=name,
        load_s=round(load_s, 3),
        first_s=round(heard_s[0], 3),
        real_time_factor=round(computing_s / speech.duration_s, 4),
        recording_s=round(speech.duration_s, 3),
    )
    return measured, speech


def measure_listener(
    services: Services,
    figures: ModelFigures,
    speech: Speech,
    progress: Progress,
    cancel: CancelToken,
) -> ModelFigures:
    """The figures of a listening model that hears `speech`, which says TEXT."""
    listener = services.asr.get(figures.model_id)
    load_s = _seconds(lambda: listener.load(cancel))
    progress(0.5, f"{listener.label}: listening")
    options: Any = parse_options(listener.options_type, {"language": "en"})
    start, first_s = time.monotonic(), 0.0
    said = []
    for segment in listener.transcribe(speech, options, progress, cancel).segments:
        cancel.raise_if_cancelled()
        first_s = first_s or time.monotonic() - start
        said.append(segment.text.strip())
    computing_s = time.monotonic() - start
    return replace(
        figures,
        revision=listener.model_revision,
        device=_device(services, listener.model_id),
        load_s=round(load_s, 3),
        first_s=round(first_s, 3) if said else None,
        real_time_factor=round(computing_s / speech.duration_s, 4),
        recording_s=round(speech.duration_s, 3),
        word_error_rate=round(word_error_rate(TEXT, " ".join(said), "en"), 4),
    )


def _voice(
    services: Services, engine: TTSEngine, sample: str, cancel: CancelToken
) -> tuple[str, VoicePrompt | str]:
    if designs_voices(services.tts.entry(engine.model_id)):
        return _DESCRIPTION, _DESCRIPTION
    presets = preset_voices(services, engine)
    english = [voice.name for voice in presets if voice.language[:2] in ("", _LANGUAGE[:2])]
    if english:
        return english[0], english[0]
    names = [sample] if sample else [known.name for known in services.samples.list()]
    if not names:
        raise BadInputError(
            f"{engine.label} has no voice of its own.", "Add a sample of a voice to the library."
        )
    voice = services.samples.voice(names[0])
    prompt, _ = services.tts.prepare_voice(engine.model_id, voice, cancel=cancel)
    return names[0], prompt


def _device(services: Services, model_id: str) -> str:
    loaded = services.tts.pool.snapshot()
    devices = [one.device for one in loaded if one.key.partition("@")[0] == model_id]
    return devices[0] if devices else ""


def _seconds(work: Callable[[], None]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start
