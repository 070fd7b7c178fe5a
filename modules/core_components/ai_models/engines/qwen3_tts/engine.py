"""Qwen3-TTS as an engine: text and a voice in, speech out, chunk by chunk.

One engine for three kinds of checkpoint: Base clones the voice of a sample, CustomVoice has
built-in speakers, and VoiceDesign takes a description of the voice, which `stream` takes in the
place of a name. A designed voice is kept as a sample (tools/voices/design.py).
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import (
    CatalogEngine,
    EngineContext,
    read_sample,
)
from modules.core_components.ai_models.engines.qwen3_tts import checkpoint
from modules.core_components.ai_models.engines.qwen3_tts.checkpoint import built_in_speakers
from modules.core_components.ai_models.engines.qwen3_tts.graphs import (
    UNFIT_ATTENTION,
    can_use_graphs,
)
from modules.core_components.ai_models.engines.qwen3_tts.network import (
    FRAMES_PER_S,
    SAMPLE_RATE_HZ,
    QwenGeneration,
    QwenNetwork,
    VoiceSettings,
)
from modules.core_components.ai_models.engines.qwen3_tts.options import (
    AUTO,
    BEST,
    CloneOptions,
    QwenOptions,
    StyleOptions,
    character_limit,
    detect_language,
)
from modules.core_components.ai_models.engines.qwen3_tts.package_calls import (
    ENGINE,
    PackageCalls,
    check_prompt,
    item_of_prompt,
    prompt_of_item,
    prompt_parameters,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import configure_threads
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.joining import (
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
    LevelMatcher,
    PieceJoiner,
)
from modules.core_components.errors import BadInputError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.reading.front_end import FORMATTING_ONLY, spoken_form
from modules.core_components.text.sentences import Piece, plan_pieces
from modules.core_components.texts import _
from modules.core_components.values import Sample, Speech, VoicePrompt

logger = logging.getLogger(__name__)

REQUIRED_PACKAGES = ("torch", "torchaudio", "qwen_tts", "accelerate")

# Every second of the sample is 12.5 frames of the prompt that each frame of speech attends to.
_LONGEST_SAMPLE_S = 60.0


def create(entry: ModelEntry, context: EngineContext) -> Qwen3TTSEngine:
    """The engine factory of the catalog."""
    return Qwen3TTSEngine(entry, context)


class Qwen3TTSEngine(CatalogEngine, PackageCalls):
    """A handle on a checkpoint of Qwen3-TTS (see `TTSEngine`).

    It leases the weights for one piece of text at a time and a run slot for each chunk, so that a
    stream that is not read blocks no other work.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    configurable = ("precision", "attention_mechanism")

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        super().__init__(entry, context)
        self.languages = (AUTO, *entry.languages)
        self.can_clone = "clone" in entry.abilities
        self.designs_voices = "voice-design" in entry.abilities
        self.options_type = _options_type(entry)
        self.attention = ""  # with which the weights were loaded last
        self._kind = _kind(entry)

    @property
    def precision(self) -> str:
        return self._context.dtype_name

    def voices(self) -> tuple[str, ...]:
        """The built-in speakers: CustomVoice has some."""
        return built_in_speakers(self._folder) if self._kind == checkpoint.CUSTOM_VOICE else ()

    def prompt_parameters(self) -> Mapping[str, Any]:
        """The version of the prompts."""
        return prompt_parameters()

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The codes and the speaker vector of a sample; seconds on a CPU.

        Without reference text only the vector. Raises BadInputError for another kind than Base, and
        for a sample that is too short or, with reference text, too long.
        """
        if not self.can_clone:
            raise BadInputError(
                _("{label} cannot take the voice of a sample.", label=self.label),
                _("Choose a Base model."),
            )
        progress(0.0, _("Preparing the voice"))
        advice = _("Give Qwen3-TTS at least 3 seconds of the voice.")
        speech = read_sample(sample.path, sample.name, SAMPLE_RATE_HZ, advice)
        if sample.ref_text.strip() and speech.duration_s > _LONGEST_SAMPLE_S:
            raise BadInputError(
                _(
                    "{name} is {duration_s:.0f} seconds long.",
                    name=sample.name,
                    duration_s=speech.duration_s,
                ),
                _(
                    "Qwen3-TTS takes at most {longest_sample_s:.0f} seconds with their text: "
                    "cut the sample, or leave its text empty to have the timbre alone taken.",
                    longest_sample_s=_LONGEST_SAMPLE_S,
                ),
            )
        key = VoicePromptStore.key(
            sample, ENGINE, self.model_id, self.model_revision, self.prompt_parameters()
        )
        samples = speech.samples[: int(_LONGEST_SAMPLE_S * SAMPLE_RATE_HZ)]
        with self._borrow(_("preparing the voice of {name}", name=sample.name), cancel) as network:
            item = network.prompt_item(samples, sample.ref_text)
        progress(1.0, _("The voice is prepared"))
        return prompt_of_item(item, key, self.model_id, self.model_revision)

    def stream(
        self, text: str, voice: VoicePrompt | str, options: QwenOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        """The speech of `text`, chunk by chunk, computed on demand.

        `voice` is a prompt (Base), a built-in speaker (CustomVoice) or a description (VoiceDesign).
        Raises, before it returns, BadInputError for text, language, voice or options that it cannot
        speak with. The notes of the last chunk say what was cut off at a limit.
        """
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
        replay_possible = can_use_graphs(self._context.device)
        if options.backend == "accelerated" and not replay_possible:
            raise BadInputError(
                _("The accelerated backend needs an NVIDIA GPU and the package faster-qwen3-tts."),
                _("Choose auto or plain."),
                "backend",
            )
        self._check_voice(voice, options)
        # The model was trained on text as people write it: only what is no text is taken out.
        text = spoken_form(text, options.language, FORMATTING_ONLY)
        language = detect_language(text, options.language)
        pieces = plan_pieces(text, language, character_limit(language))
        return self._speak(pieces, voice, options, cancel)

    @contextmanager
    def borrowed(self) -> Iterator[QwenNetwork]:
        """The network, with a run slot of its device, for the length of a block."""
        with self._borrow(_("speaking with {label}", label=self.label), None) as network:
            yield network

    @contextmanager
    def _borrow(self, holder: str, cancel: CancelToken | None) -> Iterator[QwenNetwork]:
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as network:
            configure_threads(self._context.threads)
            yield network

    def _check_voice(self, voice: VoicePrompt | str, options: QwenOptions) -> None:
        if isinstance(options, CloneOptions):
            if isinstance(voice, str):
                raise BadInputError(
                    _("{label} has no voices of its own.", label=self.label),
                    _("Give it a sample."),
                    "voice",
                )
            check_prompt(voice, "" if options.likeness == BEST else options.likeness)
            return
        if not isinstance(voice, str):
            raise BadInputError(
                _("{label} cannot take the voice of a sample.", label=self.label),
                _("Choose a Base model."),
                "voice",
            )
        if self.designs_voices:
            if not voice.strip():
                raise BadInputError(
                    _("The voice is not described yet."),
                    _("Say what it is like: age, sex, timbre, pace, mood."),
                    "voice",
                )
            return
        known = self.voices()
        if voice.lower() not in (name.lower() for name in known):
            raise BadInputError(
                _("{label} has no voice {voice!r}.", label=self.label, voice=voice),
                _("It has {known}.", known=", ".join(known))
                if known
                else _("Download the model first."),
                "voice",
            )

    def _voice_settings(self, voice: VoicePrompt | str, options: QwenOptions) -> VoiceSettings:
        if isinstance(voice, VoicePrompt):
            likeness = getattr(options, "likeness", BEST)
            return VoiceSettings(item=item_of_prompt(voice, "" if likeness == BEST else likeness))
        if self.designs_voices:
            return VoiceSettings(instruct=voice.strip())
        return VoiceSettings(speaker=voice, instruct=getattr(options, "instruct", "").strip())

    def _speak(
        self,
        pieces: Sequence[Piece],
        voice: VoicePrompt | str,
        options: QwenOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        voice_settings = self._voice_settings(voice, options)
        joiner = PieceJoiner(SAMPLE_RATE_HZ)
        levels = LevelMatcher(SAMPLE_RATE_HZ)
        for number, piece in enumerate(pieces):
            seed = (options.seed + number) % 2**31
            chunks = self._chunks(piece, voice_settings, options, seed, number > 0, cancel)
            if len(pieces) == 1:
                yield from chunks  # unchanged
                return
            for chunk in chunks:
                samples = joiner.feed(levels.feed(chunk.samples))
                if len(samples) or chunk.notes:
                    yield dataclasses.replace(chunk, samples=samples)
            pause_s = PARAGRAPH_PAUSE_S if piece.ends_paragraph else SENTENCE_PAUSE_S
            rest = joiner.end_piece(pause_s if number + 1 < len(pieces) else 0.0)
            levels.end_piece()
            if len(rest):
                yield Speech(rest, SAMPLE_RATE_HZ)

    def _chunks(
        self,
        piece: Piece,
        voice_settings: VoiceSettings,
        options: QwenOptions,
        seed: int,
        may_wait: bool,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """With `may_wait` earlier pieces are still playing, and the first chunk may be long."""
        generation: QwenGeneration | None = None
        with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
            replay = options.backend != "plain" and network.can_replay
            while generation is None or not generation.finished:
                with self._context.pool.run_slot(self._context.device, cancel, _("speaking")):
                    configure_threads(self._context.threads)
                    generation = generation or network.generate(
                        piece.text, voice_settings, options, seed, replay, may_wait
                    )
                    samples = generation.next_chunk(cancel)
                notes = self._cut_off(piece, options) if generation.truncated else ()
                if len(samples) or notes:
                    yield Speech(samples, SAMPLE_RATE_HZ, notes=notes)

    def _cut_off(self, piece: Piece, options: QwenOptions) -> tuple[str, ...]:
        note = _(
            "Cut off after {seconds:.0f} seconds, the limit of a piece, in “{text}…”.",
            seconds=options.max_new_tokens / FRAMES_PER_S,
            text=piece.text[:40],
        )
        logger.warning("%s: %s", self.label, note)
        return (note,)

    @property
    def _folder(self) -> Path:
        return self._context.catalog.folder(self._entry)

    def model_spec(self) -> ModelSpec[QwenNetwork]:
        """The weights, for the pool."""
        context, device = self._context, self._context.device
        attention = context.attention
        if can_use_graphs(device) and context.attention_preference == "auto":
            # It excludes the accelerated backend, which is faster.
            attention = [name for name in attention if name != UNFIT_ATTENTION]

        def load() -> QwenNetwork:
            folder = context.ensure_model(self.model_id)
            network = QwenNetwork(
                folder,
                self._kind,
                self._entry.version,
                device,
                context.dtype,
                attention,
                context.low_cpu_mem_usage,
            )
            self.attention = network.attention
            return network

        return context.model_spec(
            self._entry,
            self.model_revision,
            self.precision,
            load=load,
            to_host=partial(QwenNetwork.move_to, device="cpu"),
            to_device=partial(QwenNetwork.move_to, device=device),
            measure=lambda network: network.nbytes,
        )


def _kind(entry: ModelEntry) -> str:
    if "clone" in entry.abilities:
        return checkpoint.BASE
    return checkpoint.VOICE_DESIGN if "voice-design" in entry.abilities else checkpoint.CUSTOM_VOICE


def _options_type(entry: ModelEntry) -> type[QwenOptions]:
    if "clone" in entry.abilities:
        return CloneOptions
    return StyleOptions if "styles" in entry.abilities else QwenOptions
