"""VibeVoice-ASR as an engine: a transcript with speakers and times."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import (
    ListeningEngine,
    Transcription,
    TranscriptionInfo,
)
from modules.core_components.ai_models.engines.catalog_engine import CatalogEngine, EngineContext
from modules.core_components.ai_models.engines.options import option
from modules.core_components.ai_models.engines.registry import EngineMissingError
from modules.core_components.ai_models.engines.speaker_handle import find_speaker_encoder
from modules.core_components.ai_models.engines.vibevoice.checkpoint import (
    load_checkpoint,
    refuse_old_layout,
)
from modules.core_components.ai_models.engines.vibevoice_asr.network import (
    SAMPLE_RATE_HZ,
    Answer,
    Emit,
    SpeakerTurn,
    VibeVoiceAsrNetwork,
)
from modules.core_components.ai_models.engines.vibevoice_asr.windows import (
    SpeakerNames,
    transcribe_windows,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import (
    RandomStream,
    SteppedWork,
    configure_threads,
    import_transformers,
)
from modules.core_components.audio.measure import INAUDIBLE
from modules.core_components.audio.resample import resample
from modules.core_components.errors import BadInputError, ModelMissingError, StudioError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.speaker_scale import speaker_scale
from modules.core_components.text.languages import guess_language
from modules.core_components.texts import _
from modules.core_components.units import clock_text
from modules.core_components.values import FloatArray, Segment, Speech

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class VibeVoiceAsrOptions:
    """The defaults are those of the published checkpoint; it always takes the likeliest token."""

    language: str = option(
        "auto", "Language", "ISO 639-1 code for the transcript; the model finds it out by itself."
    )
    hotwords: str = option(
        "", "Hotwords", "Names and terms to expect, and what the recording is about."
    )
    window_minutes: int = option(
        60, "Minutes at once",
        "Longer recordings are transcribed in parts; shorter parts need less memory.",
        minimum=1, maximum=60, step=1,
    )  # fmt: skip
    max_new_tokens: int = option(
        32_768, "Longest answer (tokens)",
        "Where an answer is cut off; the rest is transcribed again.",
        minimum=8, maximum=32_768, step=8,
    )  # fmt: skip
    sounds: bool = option(
        False, "Note sounds", "Also note music, noise and silence, as [Music] and the like."
    )


REQUIRED_PACKAGES = ("torch", "transformers")
_SEED = 0  # of the noise that the acoustic encoder adds; the same recording, the same transcript
_END = re.compile(r'"End"\s*:\s*([\d.]+)')


def create(entry: ModelEntry, context: EngineContext) -> VibeVoiceAsrEngine:
    """The engine factory of the catalog."""
    return VibeVoiceAsrEngine(entry, context)


class VibeVoiceAsrEngine(CatalogEngine, ListeningEngine):
    """A handle on VibeVoice-ASR; it leases the weights for one window at a time."""

    options_type: type = VibeVoiceAsrOptions
    configurable: tuple[str, ...] = ("precision", "attention_mechanism")

    def transcribe_speech(
        self, speech: Speech, options: VibeVoiceAsrOptions, progress: Progress, cancel: CancelToken
    ) -> Transcription:
        """Starts a transcription; the segments are computed as they are consumed, window by window.

        The model is leased for a window (an hour, unless the options say less), and between its
        tokens other work can take the run slot. Silence has no segments. Raises BadInputError for
        broken audio, and JobCancelled.
        """
        if not np.isfinite(speech.samples).all():
            raise BadInputError(_("The recording has samples that are not numbers."))
        samples = resample(speech.samples, speech.sample_rate_hz, SAMPLE_RATE_HZ)
        heard = Speech(samples, SAMPLE_RATE_HZ)
        language = options.language.strip().lower().split("-")[0].replace("auto", "")
        # Of silence the model would invent text.
        if not len(samples) or float(np.abs(samples).max()) < INAUDIBLE:
            nothing = TranscriptionInfo(language, 0.0, speech.duration_s, 0.0)
            return Transcription(nothing, iter(()))
        notes: list[str] = []
        pieces = self._run(heard, language, options, progress, cancel, notes)
        return Transcription(next(pieces), pieces, notes)

    def _run(
        self,
        recording: Speech,
        language: str,
        options: VibeVoiceAsrOptions,
        progress: Progress,
        cancel: CancelToken,
        notes: list[str],
    ) -> Iterator[Any]:
        """Yields the TranscriptionInfo, then the Segments."""
        embedder = _SpeakerEmbedder(self._context, notes)
        names = SpeakerNames(embedder, embedder.same_speaker)
        duration_s = recording.duration_s
        info_sent = False

        def answer(start_s: float, end_s: float) -> Answer:
            first, last = int(start_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ)

            def report(at_s: float) -> None:
                at_s = min(start_s + at_s, end_s)
                progress(
                    at_s / duration_s,
                    _(
                        "Transcribed {at} of {whole}",
                        at=clock_text(at_s),
                        whole=clock_text(duration_s),
                    ),
                )

            return self._transcribe_window(recording.samples[first:last], options, report, cancel)

        for window in transcribe_windows(duration_s, options.window_minutes * 60.0, answer):
            if window.note:
                logger.warning("%s: %s", self.label, window.note)
                notes.append(window.note)
            speakers = names.name_speakers(recording, window.turns)
            if not info_sent:
                info_sent = True
                words = " ".join(one.text for one in window.turns if not one.is_sound)
                guessed = language or guess_language(words)
                yield TranscriptionInfo(guessed, 1.0, duration_s, duration_s)
            for one in window.turns:
                if one.text and (options.sounds or not one.is_sound):
                    yield _segment(one, speakers)
        if not info_sent:
            yield TranscriptionInfo(language, 0.0, duration_s, 0.0)
        progress(1.0, _("Transcribed"))

    def _transcribe_window(
        self,
        samples: FloatArray,
        options: VibeVoiceAsrOptions,
        report: Any,
        cancel: CancelToken,
    ) -> Answer:
        answers: list[Answer] = []
        holder = _("transcribing with {label}", label=self.label)
        pool, device = self._context.pool, self._context.device
        with pool.lease(self.model_spec(), cancel, holder) as network:

            def work(emit: Emit) -> None:
                configure_threads(self._context.threads)
                answers.append(
                    network.transcribe(
                        samples, options.hotwords.strip(), options.max_new_tokens, emit,
                        cancel.raise_if_cancelled,
                    )
                )  # fmt: skip

            randomness = RandomStream(_SEED)
            steps = SteppedWork(work, holder)
            try:
                while True:
                    cancel.raise_if_cancelled()
                    with pool.run_slot(device, cancel, holder), randomness.drawing():
                        tail = next(steps, None)
                    if tail is None:
                        return answers[0]
                    for reached in _END.findall(tail)[-1:]:
                        report(float(reached))
            finally:
                steps.close()

    def model_spec(self) -> ModelSpec[VibeVoiceAsrNetwork]:
        """The weights, for the pool."""
        device = self._context.device
        return self._context.model_spec(
            self._entry,
            self.model_revision,
            self._context.dtype_name,
            load=self._load,
            to_host=lambda network: network.move_to("cpu"),
            to_device=lambda network: network.move_to(device),
            measure=lambda network: network.nbytes,
        )

    def _load(self) -> VibeVoiceAsrNetwork:
        import_transformers()
        from transformers import VibeVoiceAsrForConditionalGeneration

        refuse_old_layout(self._entry, self._context.catalog.folder(self._entry))
        model, processor, _unused = load_checkpoint(
            VibeVoiceAsrForConditionalGeneration,
            self.label,
            self._context.ensure_model(self.model_id),
            self._context.attention,
            self._context.dtype,
            self._context.device,
            low_cpu_mem_usage=self._context.low_cpu_mem_usage,
        )
        return VibeVoiceAsrNetwork(model, processor)


class _SpeakerEmbedder:
    """Speaker embeddings of clips; None, and a note, where the speaker encoder is missing."""

    def __init__(self, context: EngineContext, notes: list[str]) -> None:
        self._encoder = find_speaker_encoder(context)
        self._notes = notes
        self._missing = False

    @property
    def same_speaker(self) -> float:
        """The least cosine of two clips of one speaker."""
        return speaker_scale(self._encoder.model_id).same_speaker

    def __call__(self, clip: Speech) -> FloatArray | None:
        if self._missing:
            return None
        try:
            embedding: FloatArray = self._encoder.embed(clip)
            return embedding
        except (ModelMissingError, EngineMissingError) as error:
            self._missing = True
            self._notes.append(
                _(
                    "The speakers are numbered anew after each break, since the speaker encoder is "
                    "missing. {hint}",
                    hint=error.hint,
                ).strip()
            )
            return None
        except StudioError:  # too short or too quiet
            return None


def _segment(one: SpeakerTurn, speakers: dict[int, str]) -> Segment:
    name = speakers[one.speaker] if one.speaker is not None else None
    return Segment(one.text, one.start_s, one.end_s, speaker=name)
