"""How fast the models speak and listen on this machine, and how well they are understood."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from modules.core_components.ai_models.peak_memory import PeakMemory
from modules.core_components.errors import BadInputError, JobCancelled, StudioError
from modules.core_components.progress import CancelToken, Progress, no_progress, scaled
from modules.core_components.text.word_errors import word_error_rate
from modules.core_components.values import Speech
from modules.core_components.version import APP_VERSION, computing_environment
from modules.tools.listening.transcribe import transcribe_speech
from modules.tools.models import library
from modules.tools.models.benchmark_figures import Benchmark, ModelFigures, keep_benchmark
from modules.tools.models.benchmark_measures import SEED, TEXT, measure_listener, measure_speaker
from modules.tools.models.ready_models import listening_models, speaking_models
from modules.tools.services import Services

logger = logging.getLogger(__name__)

# Who misses more than that of the words is not heard by the models that listen.
_UNDERSTOOD = 0.5


@dataclass(frozen=True)
class BenchmarkRequest:
    """Which models (none: all that are installed), and the sample for those without a voice of
    their own ("": the first there is)."""

    models: tuple[str, ...] = ()
    sample: str = ""


def run_benchmark(
    services: Services,
    request: BenchmarkRequest,
    progress: Progress = no_progress,
    cancel: CancelToken | None = None,
) -> Benchmark:
    """Has every model speak a text, or listen to it, one after the other; keeps the figures under
    output/benchmarks.

    What nobody uses leaves memory first, so that loading is measured. A model that fails is noted
    and costs the others nothing. Raises BadInputError or NotFoundError for models that cannot be
    measured, before anything begins, and JobCancelled; what was measured until then is kept.
    """
    speakers, listeners = _models(services, request.models)
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
        if found.figures:
            keep_benchmark(services, found)
    progress(1.0, "Done")
    return found


def _models(services: Services, wanted: Sequence[str]) -> tuple[list[str], list[str]]:
    """Those that speak and those that listen. Raises for what is not installed, or does neither."""
    speakers = [entry.id for entry in speaking_models(services)]
    listeners = [entry.id for entry in listening_models(services)]
    for model_id in wanted:
        state = library.model_state(services, model_id).availability
        if model_id not in (*speakers, *listeners):
            raise BadInputError(
                state.message or f"{model_id} neither speaks nor listens.",
                state.hint or "`models list` shows the models.",
            )
    if not (speakers or listeners):
        raise BadInputError("No model is installed.", "Download one on the Models tab.")
    if not wanted:
        return speakers, listeners
    chosen = [model_id for model_id in listeners if model_id in wanted]
    spoken = [model_id for model_id in speakers if model_id in wanted]
    # Somebody must say what is listened to.
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
        part(0.0, f"{entry.label}: loading")
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
            # Whatever is wrong with one model must not cost the figures of the others.
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
        """The words of the speakers, counted by Whisper once all of them were measured."""
        for index, figures in enumerate(self._figures):
            speech = self._spoken.get(figures.model_id)
            if speech is None or not self._whisper:
                continue
            try:
                heard = transcribe_speech(
                    self._services, speech, self._whisper, "en", no_progress, self._cancel
                )
            except StudioError as error:
                logger.warning("Not read back: %s", error)
                return
            rate = round(word_error_rate(TEXT, heard.text, "en"), 4)
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
        """The text as the first speaker said it who is understood."""
        for figures in self._figures:
            if (figures.word_error_rate or 0.0) < _UNDERSTOOD and figures.model_id in self._spoken:
                return self._spoken[figures.model_id]
        raise BadInputError(
            "There is nothing to listen to.", "Measure a model that speaks as well."
        )


def _whisper(services: Services) -> str:
    """The Whisper that reads back: the settings' listener if it is one, else any; "" for none."""
    installed = [entry.id for entry in listening_models(services) if entry.family == "whisper"]
    default = services.settings.asr_model
    return default if default in installed else next(iter(installed), "")
