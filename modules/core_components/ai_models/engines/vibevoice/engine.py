"""VibeVoice as an engine: a text or a script and the voices of samples in, speech out."""

from __future__ import annotations

import importlib.util
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.base import ScriptLine
from modules.core_components.ai_models.engines.catalog_engine import (
    CatalogEngine,
    EngineContext,
    read_sample,
)
from modules.core_components.ai_models.engines.registry import EngineMissingError
from modules.core_components.ai_models.engines.vibevoice.checkpoint import (
    load_checkpoint,
    refuse_old_layout,
)
from modules.core_components.ai_models.engines.vibevoice.network import (
    SAMPLE_RATE_HZ,
    TOKEN_SAMPLES,
    Emit,
    VibeVoiceNetwork,
)
from modules.core_components.ai_models.engines.vibevoice.script import (
    MAX_SPEAKERS,
    ScriptPart,
    VibeVoiceOptions,
    check_script,
    plan_parts,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import (
    RandomStream,
    SteppedWork,
    configure_threads,
    import_transformers,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.joining import SENTENCE_PAUSE_S, LevelMatcher, PieceJoiner
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.reading.front_end import FORMATTING_ONLY, spoken_form
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)

REQUIRED_PACKAGES = ("torch", "transformers", "diffusers")
ENGINE = "vibevoice"
FOUR_BIT = "4-bit"

_LATENTS = "latents"
_PROMPT_VERSION = 1
_LONGEST_REFERENCE_S = 30.0
# The level of a later part is measured on its first seconds.
_LEVEL_S = 2.0
# Characters spoken in a second; a part that takes much longer than that does not end by itself.
_CHARACTERS_PER_SECOND = {"en": 14.0, "zh": 4.5}
_PATIENCE, _LEAST_PATIENCE_S = 2.5, 10.0


def create(entry: ModelEntry, context: EngineContext) -> VibeVoiceEngine:
    """The engine factory of the catalog."""
    return VibeVoiceEngine(entry, context)


class VibeVoiceEngine(CatalogEngine):
    """A handle on a VibeVoice (see `ScriptEngine`).

    It leases the weights for one part of a script at a time and a run slot for each token, so that
    a stream that is not read blocks no other work.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    options_type = VibeVoiceOptions
    can_clone = True
    max_speakers = MAX_SPEAKERS

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        super().__init__(entry, context)
        self._four_bit = entry.id.endswith("4bit")
        attention = "attention_mechanism"
        self.configurable = (attention,) if self._four_bit else ("precision", attention)
        self.attention = ""  # with which the weights were loaded last

    @property
    def precision(self) -> str:
        """ "4-bit", or the float type of the device."""
        return FOUR_BIT if self._four_bit else self._context.dtype_name

    def voices(self) -> tuple[str, ...]:
        """None: each speaker has the voice of a sample."""
        return ()

    def prompt_parameters(self) -> Mapping[str, Any]:
        """How many seconds of a sample are used."""
        return {"version": _PROMPT_VERSION, "longest_s": _LONGEST_REFERENCE_S}

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The acoustic latents of the sample's first 30 seconds; its text is not needed.

        Raises BadInputError for a sample that is too short, and JobCancelled.
        """
        progress(0.0, _("Preparing the voice"))
        advice = _("Give VibeVoice at least 3 seconds of the voice, better 10 to 30.")
        sound = read_sample(sample.path, sample.name, SAMPLE_RATE_HZ, advice)
        reference = sound.samples[: int(_LONGEST_REFERENCE_S * SAMPLE_RATE_HZ)]
        holder = _("preparing the voice of {name}", name=sample.name)
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as network:
            configure_threads(self._context.threads)
            latents = network.encode_voice(reference)
        progress(1.0, _("The voice is prepared"))
        revision = self.model_revision
        key = VoicePromptStore.key(
            sample, ENGINE, self.model_id, revision, self.prompt_parameters()
        )
        return VoicePrompt(key, ENGINE, self.model_id, revision, {_LATENTS: latents})

    def stream(
        self, text: str, voice: VoicePrompt | str, options: VibeVoiceOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        """The speech of `text`, token by token, computed on demand.

        Raises, before it returns, BadInputError for text, language or voice that cannot be spoken.
        """
        if isinstance(voice, str):
            raise BadInputError(
                _("{label} has no voice {voice!r}.", label=self.label, voice=voice),
                _("Give it a sample of a voice."),
                "voice",
            )
        paragraphs = _plain(text, options).splitlines()
        return self._stream([ScriptLine(0, one) for one in paragraphs], (voice,), options, cancel)

    def stream_script(
        self,
        lines: Sequence[ScriptLine],
        voices: Sequence[VoicePrompt],
        options: VibeVoiceOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """As `stream`, for up to four speakers (see `ScriptEngine`)."""
        plain = [replace(line, text=_plain(line.text, options)) for line in lines]
        return self._stream(plain, voices, options, cancel)

    def _stream(
        self,
        lines: Sequence[ScriptLine],
        voices: Sequence[VoicePrompt],
        options: VibeVoiceOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        script = check_script(lines, len(voices))
        self.check_device()
        if options.language not in self.languages:
            raise BadInputError(
                _(
                    "{label} does not speak {language!r}.",
                    label=self.label,
                    language=options.language,
                ),
                _("It speaks {languages}.", languages=", ".join(self.languages)),
                "language",
            )
        latents = [self._latents(voice) for voice in voices]
        parts = plan_parts(script, options.language, options.sentences_per_part)
        return self._speak(parts, latents, options, cancel)

    def _speak(
        self,
        parts: Sequence[ScriptPart],
        voices: Sequence[FloatArray],
        options: VibeVoiceOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        joiner, levels = PieceJoiner(SAMPLE_RATE_HZ), LevelMatcher(SAMPLE_RATE_HZ)
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            spoken = False
            seed = (options.seed + number) % 2**31
            with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
                chunks = self._chunks(network, part, voices, options, seed, cancel)
                for chunk in _with_long_start(chunks, _LEVEL_S if number else 0.0):
                    spoken = True
                    yield from _as_speech(joiner.feed(levels.feed(chunk)))
            if not spoken:
                raise StudioError(
                    _(
                        "{label} made no speech of {text!r}.",
                        label=self.label,
                        text=part.lines[0].text[:60],
                    ),
                    _("Try another seed, or a longer text."),
                )
            levels.end_piece()
            yield from _as_speech(joiner.end_piece(0.0 if last else SENTENCE_PAUSE_S))

    def _chunks(
        self,
        network: VibeVoiceNetwork,
        part: ScriptPart,
        voices: Sequence[FloatArray],
        options: VibeVoiceOptions,
        seed: int,
        cancel: CancelToken,
    ) -> Iterator[FloatArray]:
        # The model numbers the speakers of a part 0, 1, ... in the order of their first lines.
        numbers = {speaker: number for number, speaker in enumerate(part.speakers)}
        lines = [ScriptLine(numbers[line.speaker], line.text) for line in part.lines]
        latents = [voices[speaker] for speaker in part.speakers]
        most = _most_tokens(part, options)

        def speak(emit: Emit) -> None:
            configure_threads(self._context.threads)
            if not network.speak(lines, latents, options, most, emit) and not cancel.cancelled:
                logger.warning("%s was stopped after %d tokens", self.label, most)

        randomness = RandomStream(seed)
        steps = SteppedWork(speak, f"speaking with {self.label}")
        device = self._context.device
        try:
            while True:
                cancel.raise_if_cancelled()
                with (
                    self._context.pool.run_slot(device, cancel, _("speaking")),
                    randomness.drawing(),
                ):
                    chunk = next(steps, None)
                if chunk is None:
                    return
                if len(chunk):
                    yield chunk
        finally:
            steps.close()

    def _latents(self, voice: VoicePrompt) -> FloatArray:
        if voice.engine != ENGINE or voice.model_id != self.model_id:
            raise BadInputError(
                _("The voice was prepared for another model than {label}.", label=self.label),
                _("Prepare the sample again with this model."),
                "voice",
            )
        latents: FloatArray = voice.tensors[_LATENTS]
        return latents

    def check_device(self) -> None:
        """Raises StudioError where the 4-bit weights cannot be used."""
        if not self._four_bit:
            return
        if not self._context.device.startswith("cuda"):
            raise StudioError(
                _(
                    "{label} needs an NVIDIA GPU; the device here is {device}.",
                    label=self.label,
                    device=self._context.device,
                ),
                _("Choose VibeVoice 1.5B, or VibeVoice Large if there is memory for it."),
            )
        if importlib.util.find_spec("bitsandbytes") is None:
            raise EngineMissingError(
                _(
                    "{label} cannot run: a part of the studio that it needs is not installed.",
                    label=self.label,
                ),
                _("Run the installer again."),
                details="The Python package bitsandbytes is missing; install.sh or install.bat "
                "brings it.",
            )

    def model_spec(self) -> ModelSpec[VibeVoiceNetwork]:
        """The weights, for the pool. Raises StudioError where they cannot be used."""
        self.check_device()
        device = self._context.device
        # 4-bit weights cannot be moved.
        swap: dict[str, Any] = {} if self._four_bit else {
            "to_host": lambda network: network.move_to("cpu"),
            "to_device": lambda network: network.move_to(device),
        }  # fmt: skip
        return self._context.model_spec(
            self._entry,
            self.model_revision,
            self.precision,
            load=self._load,
            measure=lambda network: network.nbytes,
            **swap,
        )

    def _load(self) -> VibeVoiceNetwork:
        import_transformers()
        from transformers import VibeVoiceForConditionalGeneration

        refuse_old_layout(self._entry, self._context.catalog.folder(self._entry))
        context = self._context
        quantized = {"quantization_config": _four_bits(context.dtype)} if self._four_bit else {}
        model, processor, attention = load_checkpoint(
            VibeVoiceForConditionalGeneration,
            self.label,
            context.ensure_model(self.model_id),
            context.attention,
            context.dtype,
            context.device,
            low_cpu_mem_usage=context.low_cpu_mem_usage,
            **quantized,
        )
        self.attention = attention
        return VibeVoiceNetwork(model, processor)


def _four_bits(dtype: torch.dtype) -> Any:
    """The language model in 4 bits (NF4); the parts that make the sound keep their precision."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=[
            "audio_tower", "semantic_tokenizer_encoder", "multi_modal_projector",
            "semantic_connector", "diffusion_head", "lm_head",
        ],
    )  # fmt: skip


def _most_tokens(part: ScriptPart, options: VibeVoiceOptions) -> int:
    usual_s = part.characters / _CHARACTERS_PER_SECOND[options.language]
    most_s = options.longest_part_s or max(_PATIENCE * usual_s, _LEAST_PATIENCE_S)
    return math.ceil(most_s * SAMPLE_RATE_HZ / TOKEN_SAMPLES)


def _with_long_start(chunks: Iterator[FloatArray], seconds: float) -> Iterator[FloatArray]:
    """The chunks, the first ones joined to at least `seconds`."""
    start: list[FloatArray] = []
    for chunk in chunks:
        start.append(chunk)
        if sum(map(len, start)) >= seconds * SAMPLE_RATE_HZ:
            yield np.concatenate(start)
            yield from chunks
            return
    if start:
        yield np.concatenate(start)


def _plain(text: str, options: VibeVoiceOptions) -> str:
    """The model was trained on text as people write it: only what is no text is taken out."""
    return spoken_form(text, options.language, FORMATTING_ONLY)


def _as_speech(samples: FloatArray) -> Iterator[Speech]:
    if len(samples):
        yield Speech(samples, SAMPLE_RATE_HZ)
