"""Benchmark: load time, first audio, real-time factor, memory and word errors of the models."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from modules.core_components import atomic
from modules.core_components.ai_models.engines.base import AttentiveEngine, TTSEngine
from modules.core_components.ai_models.engines.options import parse_options
from modules.core_components.ai_models.model_utils import PeakMemory
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.jobs import Job, JobContext
from modules.core_components.library.names import unique_path
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.remotes import remote_of
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.texts import _, mark
from modules.core_components.values import Speech, VoicePrompt
from modules.core_components.version import APP_VERSION, computing_environment
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.models import library
from modules.tools.models.ready_models import designs_voices, listening_models, speaking_models
from modules.tools.services import Services
from modules.tools.speaking.request import engine_options
from modules.tools.speaking.speech import collect_speech
from modules.tools.voices.preset_voices import nearest_language, preset_voices

logger = logging.getLogger(__name__)

HEADERS = (
    mark("Model"),
    mark("Load"),
    mark("First audio"),
    mark("Real-time factor"),
    mark("Memory"),
    mark("GPU"),
    mark("Word errors"),
    mark("Note"),
)


@dataclass(frozen=True)
class ModelFigures:
    """The figures of one model; None if not measured, `problem` says why it failed.

    `first_s` are the seconds until the first audio, or the first text of a listening model;
    `real_time_factor` is the computing time for a second of audio. `voice` is what it spoke with,
    `recording_s` the length of the audio. `peak_gpu_bytes` is 0 without a GPU.
    """

    model_id: str
    label: str
    task: str
    revision: str = ""
    device: str = ""
    precision: str = ""
    attention: str = ""
    voice: str = ""
    load_s: float | None = None
    first_s: float | None = None
    real_time_factor: float | None = None
    recording_s: float | None = None
    peak_cpu_bytes: int | None = None
    peak_gpu_bytes: int | None = None
    word_error_rate: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class Benchmark:
    """One run. `complete` is False if it was stopped; `listener` is the Whisper model that gave the
    word errors, "" without one; `environment` has the versions and the machine."""

    created: str
    app_version: str
    environment: Mapping[str, str]
    text: str
    seed: int
    listener: str
    complete: bool
    figures: tuple[ModelFigures, ...]


def benchmarks_folder(services: Services) -> Path:
    """The folder of the results; it may not exist yet."""
    return services.settings.output_folder / "benchmarks"


def keep_benchmark(services: Services, benchmark: Benchmark) -> Path:
    """Writes a result as JSON; returns its path. Raises DiskFullError."""
    folder = benchmarks_folder(services)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.fromisoformat(benchmark.created).strftime("%Y%m%d-%H%M%S")
    path = unique_path(folder, stamp, ".json")
    atomic.write_json(path, asdict(benchmark))
    return path


def newest_benchmark(services: Services) -> Benchmark | None:
    """The last result; None if there is none that can be read."""
    for path in sorted(benchmarks_folder(services).glob("[0-9]*.json"), reverse=True):
        try:
            return read_benchmark(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            logger.warning("The benchmark %s cannot be read: %s", path.name, error)
    return None


def read_benchmark(content: Mapping[str, Any]) -> Benchmark:
    """A benchmark from its JSON. Raises KeyError or TypeError for other content."""
    figures = tuple(ModelFigures(**one) for one in content["figures"])
    return Benchmark(**{**content, "figures": figures})


def cells(figures: ModelFigures) -> tuple[str, ...]:
    """A row under HEADERS."""
    return (
        figures.label,
        _number(figures.load_s, mark("{number:.1f} s")),
        _number(figures.first_s, mark("{number:.2f} s")),
        _number(figures.real_time_factor, mark("{number:.2f}")),
        _number(figures.peak_cpu_bytes, mark("{number:,.0f} MB"), 1e-6),
        _number(figures.peak_gpu_bytes or None, mark("{number:,.0f} MB"), 1e-6),
        _number(figures.word_error_rate, mark("{number:.1f} %"), 100.0),
        figures.problem or figures.voice,
    )


def _number(value: float | None, form: str, scale: float = 1.0) -> str:
    return "" if value is None else _(form, number=value * scale)


TEXT = (
    "The harbour was quiet before dawn, and a single lamp burned above the customs house. "
    "Nobody spoke of the storm, which had passed in the night and left the water smooth as glass."
)
SEED = 1
# The first sentence after loading is slower: some things are compiled then.
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
    """The figures of a speaking model, and its speech of TEXT.

    It speaks with a voice of its own, else with that of `sample` ("": the first sample).
    """
    engine = services.tts.get(figures.model_id)
    language = nearest_language(engine, _LANGUAGE)
    if not language:
        raise BadInputError(_("{label} does not speak English.", label=engine.label))
    load_s = _seconds(lambda: engine.load(cancel))
    progress(0.3, _("{label}: preparing", label=engine.label))
    name, voice = _voice(services, engine, sample, cancel)
    options = engine_options(engine, {}, language, SEED)
    for _unused in engine.stream(_WARM_UP, voice, options, cancel):
        cancel.raise_if_cancelled()
    progress(0.5, _("{label}: speaking", label=engine.label))
    start = time.monotonic()
    heard_s: list[float] = []
    speech = collect_speech(
        engine.stream(TEXT, voice, options, cancel),
        engine.sample_rate_hz,
        len(TEXT),
        no_progress,
        cancel,
        lambda _unused: heard_s.append(time.monotonic() - start),
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
    """The figures of a listening model for `speech`, which is TEXT."""
    listener = services.asr.get(figures.model_id)
    load_s = _seconds(lambda: listener.load(cancel))
    progress(0.5, _("{label}: listening", label=listener.label))
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
            _("{label} has no voice of its own.", label=engine.label),
            _("Add a sample of a voice to the library."),
        )
    voice = services.samples.voice(names[0])
    prompt, _unused = services.tts.prepare_voice(engine.model_id, voice, cancel=cancel)
    return names[0], prompt


def _device(services: Services, model_id: str) -> str:
    loaded = services.tts.pool.snapshot()
    devices = [one.device for one in loaded if one.key.partition("@")[0] == model_id]
    return devices[0] if devices else ""


def _seconds(work: Callable[[], None]) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


# Speech with more word errors than this is not used to measure listening models.
_UNDERSTOOD = 0.5


@dataclass(frozen=True)
class BenchmarkRequest:
    """Which models (none: all that are installed here), and the sample for those without a voice of
    their own ("": the first there is)."""

    models: tuple[str, ...] = ()
    sample: str = ""


def run_benchmark(
    services: Services,
    request: BenchmarkRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
    is_kept: bool = True,
) -> Benchmark:
    """Measures the models one after the other; keeps the figures under output/benchmarks, unless
    they are another machine's.

    Idle models are unloaded first, so that loading is measured. A model that fails is noted and
    the others go on. Raises BadInputError or NotFoundError for models that cannot be
    measured, before anything begins, and JobCancelled; what was measured until then is kept.
    """
    speakers, listeners = models_to_measure(services, request.models)
    if request.sample:
        services.samples.voice(request.sample)
    run = _Run(services, request.sample, progress, cancel or CancelToken())
    run.count = len(speakers) + len(listeners)
    complete = False
    try:
        for model_id in speakers:
            run.measure(model_id, run.speak)
        run.read_back()
        for model_id in listeners:
            run.measure(model_id, run.listen)
        complete = True
    finally:
        found = run.result(complete)
        if found.figures and is_kept:
            keep_benchmark(services, found)
    progress(1.0, _("Done"))
    return found


def models_to_measure(services: Services, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that speak and those that listen. Raises for what is not installed, or does neither."""
    speakers = [entry.id for entry in speaking_models(services)]
    listeners = [entry.id for entry in listening_models(services)]
    wanted = [library.find_model_id(services, name) for name in wanted]
    for model_id in wanted:
        state = library.model_state(services, model_id).availability
        if model_id not in (*speakers, *listeners):
            raise BadInputError(
                state.message
                or _("{model_id} is neither a speaking nor a listening model.", model_id=model_id),
                state.hint or _("The Models tab lists them all."),
            )
    if not wanted:  # nothing is sent to another machine that was not named
        speakers = [model_id for model_id in speakers if not remote_of(model_id)]
        listeners = [model_id for model_id in listeners if not remote_of(model_id)]
    if not (speakers or listeners):
        raise BadInputError(_("No model is installed."), _("Download one on the Models tab."))
    if not wanted:
        return speakers, listeners
    chosen = [model_id for model_id in listeners if model_id in wanted]
    spoken = [model_id for model_id in speakers if model_id in wanted]
    # Listening models need speech to transcribe.
    return spoken or sorted(speakers, key=services.settings.tts_model.__ne__)[:1], chosen


class _Run:
    """One benchmark under way, over `count` models."""

    def __init__(
        self, services: Services, sample: str, progress: Progress, cancel: CancelToken
    ) -> None:
        self.count = 1
        self._services = services
        self._sample = sample
        self._progress = progress
        self._cancel = cancel
        self._figures: list[ModelFigures] = []
        self._spoken: dict[str, Speech] = {}
        self._whisper = _whisper(services)
        self._created = datetime.now(timezone.utc)

    def measure(
        self, model_id: str, work: Callable[[ModelFigures, Progress], ModelFigures]
    ) -> None:
        """Adds the figures of a model."""
        self._cancel.raise_if_cancelled()
        done = len(self._figures)
        part = scaled(self._progress, done / self.count, (done + 1) / self.count)
        entry = library.model_state(self._services, model_id).entry
        figures = ModelFigures(model_id, entry.label, entry.task)
        part(0.0, _("{label}: loading", label=entry.label))
        try:
            library.unload_idle(self._services)
            with PeakMemory() as peak:
                figures = work(figures, part)
            figures = replace(figures, peak_cpu_bytes=peak.cpu_bytes, peak_gpu_bytes=peak.gpu_bytes)
        except JobCancelled:
            raise
        except StudioError as error:
            figures = replace(figures, problem=str(error))
        except Exception as error:
            # One model that fails must not cost the figures of the others.
            logger.exception("%s could not be measured", model_id)
            figures = replace(figures, problem=f"{type(error).__name__}: {error}")
        self._figures.append(figures)

    def speak(self, figures: ModelFigures, progress: Progress) -> ModelFigures:
        measured, speech = measure_speaker(
            self._services, figures, self._sample, progress, self._cancel
        )
        self._spoken[figures.model_id] = speech
        return measured

    def listen(self, figures: ModelFigures, progress: Progress) -> ModelFigures:
        return measure_listener(self._services, figures, self._recording(), progress, self._cancel)

    def read_back(self) -> None:
        """Adds the word errors of the speaking models once all are measured."""
        for index, figures in enumerate(self._figures):
            speech = self._spoken.get(figures.model_id)
            if speech is None or not self._whisper:
                continue
            try:
                transcript = transcribe_speech(
                    self._services, speech, self._whisper, "en", no_progress, self._cancel
                )
            except StudioError as error:
                logger.warning("No word error rate: %s", error)
                return
            rate = round(word_error_rate(TEXT, transcript.text, "en"), 4)
            self._figures[index] = replace(figures, word_error_rate=rate)

    def result(self, complete: bool) -> Benchmark:
        return Benchmark(
            created=self._created.isoformat(),
            app_version=APP_VERSION,
            environment=computing_environment(),
            text=TEXT,
            seed=SEED,
            listener=self._whisper,
            complete=complete,
            figures=tuple(self._figures),
        )

    def _recording(self) -> Speech:
        """The speech of the first speaking model that is understood."""
        for figures in self._figures:
            if (figures.word_error_rate or 0.0) < _UNDERSTOOD and figures.model_id in self._spoken:
                return self._spoken[figures.model_id]
        raise BadInputError(
            _("There is no speech to transcribe."), _("Measure a speaking model as well.")
        )


def _whisper(services: Services) -> str:
    """The Whisper that reads back: the settings' listener if it is one, else any; "" for none."""
    installed = [entry.id for entry in listening_models(services) if entry.family == "whisper"]
    default = services.settings.asr_model
    return default if default in installed else next(iter(installed), "")


BENCHMARK = "benchmark"


def register(services: Services) -> None:
    """Registers the job of this file."""

    def run_job(payload: Mapping[str, Any], job: JobContext) -> Mapping[str, Any]:
        found = run_benchmark(services, BenchmarkRequest(), job.progress, job.cancel)
        return {"created": found.created}

    services.jobs.register(BENCHMARK, run_job)


def submit_benchmark(services: Services) -> Job:
    """Queues the measuring of every installed model."""
    return services.jobs.submit(BENCHMARK, _("Measure the installed models"), {})
