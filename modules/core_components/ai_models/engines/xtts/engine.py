"""XTTS v2 as an engine: text and a voice in, speech out, chunk by chunk."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import (
    CatalogEngine,
    EngineContext,
    read_sample,
)
from modules.core_components.ai_models.engines.xtts.checkpoint import (
    CONFIG,
    SPEAKERS,
    VOCABULARY,
    read_json,
    read_vocabulary,
    reference_clips,
)
from modules.core_components.ai_models.engines.xtts.network import (
    CONDITIONING_CHUNK_S,
    CONDITIONING_RATE_HZ,
    CONDITIONING_S,
    SAMPLE_RATE_HZ,
    Latents,
    XttsGeneration,
    XttsNetwork,
)
from modules.core_components.ai_models.engines.xtts.options import CHARACTER_LIMITS, XttsOptions
from modules.core_components.ai_models.engines.xtts.speakers import (
    ENGINE,
    latents_of_prompt,
    prompt_tensors,
    studio_speakers,
)
from modules.core_components.ai_models.engines.xtts.text_form import (
    LANGUAGE,
    check_speakable,
    read_front_end,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import configure_threads
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.joining import PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S, PieceJoiner
from modules.core_components.errors import BadInputError, DiskFullError
from modules.core_components.progress import CancelToken, Progress, no_progress
from modules.core_components.text.reading.front_end import spoken_form, steps_without
from modules.core_components.text.sentences import Piece, plan_pieces
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt

REQUIRED_PACKAGES = ("torch", "torchaudio", "TTS")
REFERENCE_VOICE = "reference"

_PROMPT_VERSION = 1
_NAMED_AT_MOST = 8


@dataclass(frozen=True)
class ModelFiles:
    """The files of a model: its `folder`, the `revision` of its present content, and
    `verified_folder`, which checks the files and gives the folder (or raises ModelMissingError or
    CorruptFileError)."""

    folder: Path
    revision: Callable[[], str]
    verified_folder: Callable[[], Path]


def create(entry: ModelEntry, context: EngineContext) -> XttsEngine:
    """The engine factory of the catalog."""
    model_files = ModelFiles(
        folder=context.catalog.folder(entry),
        revision=lambda: context.catalog.revision(entry),
        verified_folder=lambda: context.ensure_model(entry.id),
    )
    return XttsEngine(entry, context, model_files)


class XttsEngine(CatalogEngine):
    """A handle on an XTTS (see `TTSEngine`): a version of the catalog or a tuned one.

    It leases the weights for one piece of text at a time and a run slot for each chunk, so that a
    stream that is not read blocks no other work.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    options_type = XttsOptions
    can_clone = True
    precision = "float32"
    configurable = ()

    def __init__(self, entry: ModelEntry, context: EngineContext, model_files: ModelFiles) -> None:
        super().__init__(entry, context)
        self._files = model_files

    @property
    def model_revision(self) -> str:
        """Of the weights that are here now."""
        return self._files.revision()

    def voices(self) -> tuple[str, ...]:
        """The voice of the model's own reference clips, then the studio speakers."""
        own = (REFERENCE_VOICE,) if reference_clips(self._files.folder) else ()
        return (*own, *studio_speakers(self._files.folder / SPEAKERS))

    def prompt_parameters(self) -> Mapping[str, Any]:
        """How many seconds of a sample are used, and in which chunks."""
        return {
            "version": _PROMPT_VERSION,
            "gpt_cond_len": CONDITIONING_S,
            "gpt_cond_chunk_len": CONDITIONING_CHUNK_S,
            "max_ref_len": CONDITIONING_S,
            "sound_norm_refs": False,
        }

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The latents of the voice of a sample, or of several; seconds on a CPU.

        Raises BadInputError for a sample that is too short, and JobCancelled.
        """
        key = VoicePromptStore.key(
            sample, ENGINE, self.model_id, self.model_revision, self.prompt_parameters()
        )
        clips = [recording.path for recording in sample.recordings]
        return self._prompt(clips, key, progress, cancel)

    def stream(
        self, text: str, voice: VoicePrompt | str, options: XttsOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        """The speech of `text`, chunk by chunk, computed on demand.

        `voice` is a prompt, or the name of a studio speaker or "reference". Raises, before it
        returns, BadInputError for text, language or voice that cannot be spoken.
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
        self._check_text(text, options.language)
        # coqui's own cleaners find nothing left to do in languages that the front end reads.
        text = spoken_form(text, options.language, steps_without(options.as_written))
        pieces = plan_pieces(text, options.language, CHARACTER_LIMITS[options.language])
        return self._speak(pieces, self._latents(voice, cancel), options, cancel)

    def _check_text(self, text: str, language: str) -> None:
        """Raises BadInputError for what a model of a language of its own cannot say."""
        folder = self._files.folder
        front_end = read_front_end(folder) if language == LANGUAGE else None
        if front_end is not None:
            check_speakable(front_end, text, read_vocabulary(folder / VOCABULARY))

    def _speak(
        self, pieces: Sequence[Piece], voice: Latents, options: XttsOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        joiner = PieceJoiner(SAMPLE_RATE_HZ, options.speed)
        seed = options.seed
        with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
            self._check_letters(network, pieces, options.language)
        for number, piece in enumerate(pieces, start=1):
            pause_s = PARAGRAPH_PAUSE_S if piece.ends_paragraph else SENTENCE_PAUSE_S
            with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
                text = network.without_unknown_signs(piece.text)
                parts = network.fitting_parts(text, options.language)
                for part_number, part in enumerate(parts, start=1):
                    last = number == len(pieces) and part_number == len(parts)
                    for chunk in self._chunks(network, part, voice, options, seed, cancel):
                        yield from _as_speech(joiner.feed(chunk))
                    yield from _as_speech(joiner.end_piece(0.0 if last else pause_s))
                    seed = (seed + 1) % 2**31

    def _check_letters(self, network: XttsNetwork, pieces: Sequence[Piece], language: str) -> None:
        """Raises BadInputError, before anything is heard, that names letters without a token."""
        if unknown := network.unknown_letters(" ".join(one.text for one in pieces), language):
            raise BadInputError(
                _(
                    "{label} cannot say {unknown} in this language.",
                    label=self.label,
                    unknown=", ".join(unknown[:_NAMED_AT_MOST]),
                ),
                _(
                    "Choose the language that the text is written in, or leave these "
                    "characters out."
                ),
                "text",
            )

    def _chunks(
        self,
        network: XttsNetwork,
        text: str,
        voice: Latents,
        options: XttsOptions,
        seed: int,
        cancel: CancelToken,
    ) -> Iterator[FloatArray]:
        generation: XttsGeneration | None = None
        while generation is None or not generation.finished:
            with self._context.pool.run_slot(self._context.device, cancel, _("speaking")):
                configure_threads(self._context.threads)
                generation = generation or network.generate(text, voice, options, seed)
                chunk = generation.next_chunk(cancel)
            yield chunk

    def _latents(self, voice: VoicePrompt | str, cancel: CancelToken) -> Latents:
        folder = self._files.folder
        if isinstance(voice, str) and voice == REFERENCE_VOICE and reference_clips(folder):
            voice = self._reference_prompt(cancel)
        if not isinstance(voice, str):
            sizes = read_json(folder / CONFIG).get("model_args") or {}
            return latents_of_prompt(voice, sizes.get("gpt_n_model_channels", 1024))
        speakers = studio_speakers(folder / SPEAKERS)
        if voice not in speakers:
            known = ", ".join(self.voices()[:3])
            raise BadInputError(
                _("{label} has no voice {voice!r}.", label=self.label, voice=voice),
                _("There is for example {known}.", known=known)
                if known
                else _("Give it a sample of a voice."),
                "voice",
            )
        return speakers[voice]

    def _reference_prompt(self, cancel: CancelToken) -> VoicePrompt:
        """The voice of the model's own clips, prepared at its first use."""
        clips = reference_clips(self._files.folder)
        identity = [self.model_id, self.model_revision, sorted(self.prompt_parameters().items())]
        contents = [hashlib.sha256(clip.read_bytes()).hexdigest() for clip in clips]
        key = hashlib.sha256(repr([*identity, *contents]).encode()).hexdigest()
        prompt = self._context.prompts.get(key)
        if prompt is None:
            prompt = self._prompt(clips, key, no_progress, cancel)
            # It stays in memory where the disk is full.
            with contextlib.suppress(DiskFullError, OSError):
                self._context.prompts.put(prompt)
        return prompt

    def _prompt(
        self, clips: Sequence[Path], key: str, progress: Progress, cancel: CancelToken
    ) -> VoicePrompt:
        progress(0.0, _("Preparing the voice"))
        advice = _("Give XTTS at least 3 seconds of the voice, better 6 to 30.")
        sounds = [read_sample(clip, clip.name, CONDITIONING_RATE_HZ, advice) for clip in clips]
        holder = _("preparing the voice of {name}", name=clips[0].stem)
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as network:
            configure_threads(self._context.threads)
            latents = network.condition([sound.samples for sound in sounds])
        progress(1.0, _("The voice is prepared"))
        tensors = prompt_tensors(latents)
        return VoicePrompt(key, ENGINE, self.model_id, self.model_revision, tensors)

    def model_spec(self) -> ModelSpec[XttsNetwork]:
        """The weights, for the pool."""
        device = self._context.device
        return self._context.model_spec(
            self._entry,
            self.model_revision,
            self.precision,
            load=lambda: XttsNetwork(self._files.verified_folder(), device),
            to_host=lambda network: network.move_to("cpu"),
            to_device=lambda network: network.move_to(device),
            measure=lambda network: network.nbytes,
        )


def _as_speech(samples: FloatArray) -> Iterator[Speech]:
    if len(samples):
        yield Speech(samples, SAMPLE_RATE_HZ)
