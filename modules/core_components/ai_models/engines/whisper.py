"""Whisper, by faster-whisper (CTranslate2): speech to text with times."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import (
    ListeningEngine,
    Transcription,
    TranscriptionInfo,
)
from modules.core_components.ai_models.engines.catalog_engine import CatalogEngine, EngineContext
from modules.core_components.ai_models.engines.options import option
from modules.core_components.ai_models.model_pool import ModelSpec, is_out_of_memory
from modules.core_components.audio.measure import INAUDIBLE
from modules.core_components.audio.resample import resample
from modules.core_components.audio.speech_regions import Region, listening_parts, speech_regions
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.texts import _
from modules.core_components.units import clock_text
from modules.core_components.values import FloatArray, Segment, Speech, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

REQUIRED_PACKAGES = ("faster_whisper", "ctranslate2")
SAMPLE_RATE_HZ = 16_000
# Pauses of this length are skipped; this much of them is transcribed with the speech around them.
_SKIPPED_PAUSE_S, _MARGIN_S = 2.0, 0.4
_LANGUAGE_S = 30.0
PRECISIONS = ("int8", "int8_float16", "float16", "bfloat16", "float32")
_FALLBACK_TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)
# Parts at once on a CPU, where more gain nothing: 113 s of speech took Whisper base 9.5 s of a core
# in batches of 8 or 4, 10.4 s in batches of 2, 11.4 s one by one, with the same words. A batch is
# one computation, between whose steps a cancel is looked at: 8 parts took ten seconds on two cores.
_CPU_BATCH = 2


@dataclass(frozen=True)
class WhisperOptions:
    """What can be chosen for a transcription; the defaults are Whisper's own but for the VAD."""

    language: str = option("auto", "Language", "ISO 639-1 code, or auto to detect it.")
    task: str = option(
        "transcribe", "Task", "Transcribe, or translate to English.",
        choices=("transcribe", "translate"),
    )  # fmt: skip
    word_timestamps: bool = option(False, "Word times", "Also find when each word was said.")
    vad_filter: bool = option(
        True, "Skip silence", "Transcribe only where there is speech: faster, and no invented text."
    )
    batched: bool = option(
        False, "Batched", "Several parts at once: faster on long recordings and GPUs."
    )
    batch_size: int = option(
        8,
        "Batch size",
        "Parts at once when batched on a GPU; two on a CPU, where more gain nothing.",
        minimum=1,
        maximum=64,
        step=1,
    )
    precision: str = option(
        "auto", "Precision",
        "The number format of the computation; auto takes what is fast on this machine.",
        choices=("auto", *PRECISIONS),
    )  # fmt: skip
    beam_size: int = option(
        5, "Beam size", "Hypotheses kept; more is slower.", minimum=1, maximum=20, step=1
    )
    initial_prompt: str = option("", "Prompt", "Text in the style and with the names to expect.")
    hotwords: str = option("", "Hotwords", "Words to expect, separated by spaces.")
    condition_on_previous_text: bool = option(
        True, "Use context", "Continue from the text so far; off prevents endless repetitions."
    )
    temperature: float = option(
        0.0, "Temperature", "0 takes the likeliest words.", minimum=0.0, maximum=1.0, step=0.1
    )
    temperature_fallback: bool = option(
        True, "Try again warmer", "Repeat a part at higher temperatures when it went wrong."
    )
    no_speech_threshold: float = option(
        0.6, "No-speech threshold",
        "Leave out parts that are silence with at least this probability.",
        minimum=0.0, maximum=1.0, step=0.05,
    )  # fmt: skip
    repetition_penalty: float = option(
        1.0, "Repetition penalty", "Above 1 avoids repetitions.",
        minimum=1.0, maximum=2.0, step=0.05,
    )  # fmt: skip


def create(entry: ModelEntry, context: EngineContext) -> WhisperEngine:
    """The engine factory of the catalog."""
    return WhisperEngine(entry, context)


class WhisperEngine(CatalogEngine, ListeningEngine):
    """A handle on one size of Whisper; borrows the model while a transcription runs."""

    options_type: type = WhisperOptions
    configurable: tuple[str, ...] = ()  # its precision is one of its options

    def transcribe_speech(
        self, speech: Speech, options: WhisperOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        """Starts a transcription; the segments are computed as they are consumed.

        The model stays leased until they are consumed or closed; between two of them other work can
        take the run slot, and `cancel` is checked (JobCancelled). Silence has no segments. Raises
        BadInputError for a language this model does not know and for broken audio.
        """
        language = self._language(options)
        if options.batched and not options.vad_filter:
            raise BadInputError(
                _("Batched transcription finds its parts by skipping silence."),
                _("Turn Skip silence on, or Batched off."),
            )
        if not np.isfinite(speech.samples).all():
            raise BadInputError(_("The recording has samples that are not numbers."))
        samples = resample(speech.samples, speech.sample_rate_hz, SAMPLE_RATE_HZ)
        # Of silence Whisper would invent text.
        if not len(samples) or float(np.abs(samples).max()) < INAUDIBLE:
            return Transcription(_silence_info(language, speech.duration_s), iter(()))
        # The generator is run up to the info at once: one that never ran could not release its
        # lease when it is closed.
        pieces = self._run(samples, language, options, progress, cancel)
        return Transcription(next(pieces), pieces)

    def _run(
        self,
        samples: FloatArray,
        language: str | None,
        options: WhisperOptions,
        progress: Progress,
        cancel: CancelToken,
    ) -> Iterator[Any]:
        """Yields the TranscriptionInfo, then the Segments."""
        pool, spec, holder = (
            self._context.pool,
            self.model_spec(options.precision),
            _("transcribing with {label}", label=self.label),
        )
        duration_s = len(samples) / SAMPLE_RATE_HZ
        with pool.lease(spec, cancel, holder) as shared:
            model = _looking_at(shared, cancel.raise_if_cancelled)
            progress(0.0, _("Transcribing"))
            with pool.run_slot(spec.device, cancel, holder):
                pieces, info = self._start(model, samples, language, options, cancel)
            if info.duration_after_vad_s == 0:  # the language was guessed from nothing
                yield _silence_info(language, duration_s)
                return
            yield info
            steps = iter(pieces)
            while True:
                cancel.raise_if_cancelled()
                with pool.run_slot(spec.device, cancel, holder):
                    piece = next(steps, None)
                if piece is None:
                    break
                progress(min(piece.end / duration_s, 1.0), _position(piece.end, duration_s))
                yield _segment(piece, duration_s)
        progress(1.0, _("Transcribed"))

    def _start(
        self,
        model: WhisperModel,
        samples: FloatArray,
        language: str | None,
        options: WhisperOptions,
        cancel: CancelToken,
    ) -> tuple[Iterator[Any], TranscriptionInfo]:
        """faster-whisper's segments, which are computed as they are consumed."""
        warmer = [step for step in _FALLBACK_TEMPERATURES if step > options.temperature]
        given: dict[str, Any] = {
            "task": options.task,
            "word_timestamps": options.word_timestamps,
            "beam_size": options.beam_size,
            "initial_prompt": options.initial_prompt or None,
            "hotwords": options.hotwords or None,
            "temperature": [
                options.temperature,
                *(warmer if options.temperature_fallback else []),
            ],
            "no_speech_threshold": options.no_speech_threshold,
            "repetition_penalty": options.repetition_penalty,
        }
        duration_s = len(samples) / SAMPLE_RATE_HZ
        if not options.batched:
            given["condition_on_previous_text"] = options.condition_on_previous_text
            # Its own VAD joins the parts with speech, so that a segment or a word can reach over
            # the silence between two of them; parts given as clips keep their times.
            parts = (
                parts_with_speech(samples, cancel) if options.vad_filter else [(0.0, duration_s)]
            )
            if not parts:
                return iter(()), _silence_info(language, duration_s)
            sure = 1.0
            if language is None and _begins_sparsely(parts):
                language, sure, _unused = model.detect_language(_excerpts(samples, parts))
            clips = [time_s for part in parts for time_s in part]
            pieces, info = model.transcribe(
                samples, language=language, vad_filter=False, clip_timestamps=clips, **given
            )
            sure = min(sure, info.language_probability)
            heard_s = sum(end_s - start_s for start_s, end_s in parts)
            return iter(pieces), TranscriptionInfo(info.language, sure, duration_s, heard_s)
        from faster_whisper import BatchedInferencePipeline

        # With its own timestamps Whisper loses what follows the last one in a part (570 telephone
        # prompts joined: 7.1 % word errors with, 4.3 % without them). Word times do not need them.
        given |= {
            "language": language,
            "vad_filter": options.vad_filter,
            "batch_size": self._batch_size(options),
            "without_timestamps": options.word_timestamps,
        }
        pieces, info = BatchedInferencePipeline(model).transcribe(samples, **given)
        heard_s = info.duration_after_vad
        return iter(pieces), TranscriptionInfo(
            info.language, info.language_probability, duration_s, heard_s
        )

    def _batch_size(self, options: WhisperOptions) -> int:
        on_cpu = self._device() == "cpu"
        return min(options.batch_size, _CPU_BATCH) if on_cpu else options.batch_size

    def _language(self, options: WhisperOptions) -> str | None:
        """The code to force, None to detect it. "en-us" means "en" here."""
        code = options.language.strip().lower().split("-")[0]
        english_only = self.languages == ("en",)
        if english_only and options.task == "translate":
            raise BadInputError(
                _("{label} knows English only and cannot translate.", label=self.label),
                _("Choose a model without .en in its name."),
            )
        if code in ("auto", ""):
            return "en" if english_only else None
        if self.languages and code not in self.languages:
            raise BadInputError(
                _(
                    "{label} does not know the language {language!r}.",
                    label=self.label,
                    language=options.language,
                ),
                _("It knows English only; choose a model without .en in its name.")
                if english_only
                else _("It knows {languages}.", languages=", ".join(self.languages)),
            )
        return code

    def model_spec(self, precision: str = "auto") -> ModelSpec[WhisperModel]:
        """The weights in this precision, for the pool."""
        # Imported before the load, so that the package's own memory does not count as the model's.
        importlib.import_module("faster_whisper")
        device = self._device()
        compute_type = _compute_type(device, precision)
        swap: Mapping[str, Any] = {}
        if device != "cpu":
            swap = {"to_host": _to_host, "to_device": _to_device}
        return self._context.model_spec(
            self._entry,
            self.model_revision,
            compute_type,
            load=lambda: self._load(device, compute_type),
            device=device,
            free=lambda model: model.model.unload_model(),
            **swap,
        )

    def _device(self) -> str:
        """CTranslate2 knows CUDA and the CPU; it may lack CUDA where torch has it."""
        import ctranslate2

        wanted = self._context.device
        return (
            wanted if wanted.startswith("cuda") and ctranslate2.get_cuda_device_count() else "cpu"
        )

    def _load(self, device: str, compute_type: str) -> WhisperModel:
        from faster_whisper import WhisperModel

        folder = self._context.ensure_model(self._entry.id)
        kind, _unused, index = device.partition(":")
        try:
            return WhisperModel(
                str(folder),
                device=kind,
                device_index=int(index or 0),
                compute_type=compute_type,
                cpu_threads=self._context.cpu_threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError, OSError) as error:
            if is_out_of_memory(error):
                raise
            raise StudioError(
                _(
                    "{label} could not be loaded: its files are damaged or incomplete.",
                    label=self.label,
                ),
                _("Delete the model on the Models tab and download it again."),
                details=f"{folder}: {error}",
            ) from error


def _looking_at(model: WhisperModel, check: Callable[[], None]) -> WhisperModel:
    """The model with `check` called before each of CTranslate2's long computations.

    faster-whisper decodes 30 seconds between two segments, up to six times where it is not sure of
    them, and aligns their words.
    """
    own = copy.copy(model)  # others may transcribe with it at the same time
    own.model = _CheckedModel(model.model, check)
    return own


class _CheckedModel:
    """CTranslate2's model, each of whose methods calls `check` first."""

    def __init__(self, model: Any, check: Callable[[], None]) -> None:
        self._model, self._check = model, check

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._model, name)
        if not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            self._check()
            return value(*arguments, **named)

        return call


def parts_with_speech(samples: FloatArray, cancel: CancelToken | None = None) -> list[Region]:
    """Where there is speech in samples at 16 kHz: (start, end) in seconds, with some silence."""
    regions = speech_regions(Speech(samples, SAMPLE_RATE_HZ), cancel)
    duration_s = len(samples) / SAMPLE_RATE_HZ
    return listening_parts(regions, duration_s, _SKIPPED_PAUSE_S, _MARGIN_S)


def _begins_sparsely(parts: Sequence[Region]) -> bool:
    """Whether the 30 s of which the language would be found hold less speech than they could."""
    until_s = parts[0][0] + _LANGUAGE_S
    near_s = sum(max(0.0, min(end_s, until_s) - start_s) for start_s, end_s in parts)
    whole_s = sum(end_s - start_s for start_s, end_s in parts)
    return near_s < min(whole_s, _LANGUAGE_S / 2)


def _excerpts(samples: FloatArray, parts: Sequence[Region]) -> FloatArray:
    """The parts joined, up to what the language is found of."""
    pieces = [samples[round(a * SAMPLE_RATE_HZ) : round(b * SAMPLE_RATE_HZ)] for a, b in parts]
    return np.concatenate(pieces)[: round(_LANGUAGE_S * SAMPLE_RATE_HZ)]


def _compute_type(device: str, precision: str) -> str:
    """CTranslate2's name. Raises BadInputError for a precision that this device does not have."""
    import ctranslate2

    # On two cores int8 takes half the time and a third of the memory of float32, at the same word
    # error rate (LibriVox clips, tiny.en 4.2 % and base 1.4 % either way).
    kind, _unused, index = device.partition(":")
    supported = ctranslate2.get_supported_compute_types(kind, int(index or 0))
    if precision != "auto":
        if precision not in supported:
            raise BadInputError(
                _(
                    "This machine cannot compute with {precision} on its {kind}.",
                    precision=precision,
                    kind=kind,
                ),
                _(
                    "Choose auto or {names}.",
                    names=", ".join(p for p in PRECISIONS if p in supported),
                ),
                "precision",
            )
        return precision
    wanted = ("float16", "int8_float16", "int8") if kind == "cuda" else ("int8",)
    return next((name for name in wanted if name in supported), "default")


def _to_host(model: WhisperModel) -> WhisperModel:
    model.model.unload_model(to_cpu=True)
    return model


def _to_device(model: WhisperModel) -> WhisperModel:
    model.model.load_model()
    return model


def _silence_info(language: str | None, duration_s: float) -> TranscriptionInfo:
    return TranscriptionInfo(language or "", 1.0 if language else 0.0, duration_s, 0.0)


def _segment(piece: Any, duration_s: float) -> Segment:
    """faster-whisper's segment as ours; its times may run past the end of the recording."""
    words = tuple(
        Word(w.word.strip(), min(w.start, duration_s), min(w.end, duration_s), w.probability)
        for w in piece.words or ()
    )
    start_s, end_s = min(piece.start, duration_s), min(piece.end, duration_s)
    return Segment(piece.text.strip(), start_s, end_s, words)


def _position(at_s: float, duration_s: float) -> str:
    return _("Transcribed {at} of {whole}", at=clock_text(at_s), whole=clock_text(duration_s))
