"""OmniVoice as an engine: text and a voice in, speech out, piece by piece; 646 languages.

It clones the voice of a sample, whose words it needs, or makes a voice from traits ("female, low
pitch"): two models of the catalog with the same files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import CatalogEngine, EngineContext
from modules.core_components.ai_models.engines.omnivoice.network import Emit, OmniNetwork
from modules.core_components.ai_models.engines.omnivoice.options import (
    OmniVoiceDesignOptions,
    OmniVoiceOptions,
    read_traits,
)
from modules.core_components.ai_models.engines.omnivoice.prompts import (
    CODES,
    ENGINE,
    LEVEL,
    TEXT,
    package_prompt,
    parts_of,
    read_package_file,
)
from modules.core_components.ai_models.engines.omnivoice.reference import (
    LONGEST_S,
    SAMPLE_RATE_HZ,
    read_reference,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import (
    RandomStream,
    SteppedWork,
    configure_threads,
)
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.joining import (
    PARAGRAPH_PAUSE_S,
    SENTENCE_PAUSE_S,
    PieceJoiner,
    faded,
)
from modules.core_components.errors import BadInputError, StudioError
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.language_codes import match_language
from modules.core_components.text.languages import base_language, language_name
from modules.core_components.text.reading.front_end import spoken_form, steps_without
from modules.core_components.text.sentences import Piece, plan_pieces
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt

REQUIRED_PACKAGES = ("torch", "torchaudio", "transformers", "omnivoice", "pydub", "accelerate")

_PROMPT_VERSION = 1
# To find out whether there is anything to speak; how much fits is known with the voice.
_ANY_LENGTH = 200
# A text may take so many times as long, or as short, as it would by itself.
_MOST_STRETCHED = 4.0


def create(entry: ModelEntry, context: EngineContext) -> OmniVoiceEngine:
    """The engine factory of the catalog."""
    return OmniVoiceEngine(entry, context)


class OmniVoiceEngine(CatalogEngine):
    """A handle on a checkpoint of OmniVoice (see `TTSEngine`).

    It leases the weights for one piece of text at a time, about 15 seconds of speech that are made
    as a whole, and a run slot for each of the steps in which they are made.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    configurable = ("precision", "attention_mechanism")

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        super().__init__(entry, context)
        self.can_clone = "clone" in entry.abilities
        self.options_type: type = OmniVoiceOptions if self.can_clone else OmniVoiceDesignOptions
        self.attention = ""  # with which the weights were loaded last

    @property
    def precision(self) -> str:
        return self._context.dtype_name

    def voices(self) -> tuple[str, ...]:
        """None: it speaks in the voices of samples, or in one that is described."""
        return ()

    def prompt_parameters(self) -> Mapping[str, Any]:
        """The version of the prompts and how many seconds of a sample are used."""
        return {"version": _PROMPT_VERSION, "longest_s": LONGEST_S}

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The codes of a sample with its words; seconds on a CPU.

        Raises BadInputError for a model that does not clone and a sample that is too short or has
        no words, ModelMissingError where its words are not known and Whisper is not here, and
        JobCancelled.
        """
        if not self.can_clone:
            raise BadInputError(
                _("{label} cannot take the voice of a sample.", label=self.label),
                _("Choose OmniVoice."),
            )
        progress(0.0, _("Preparing the voice"))
        samples, words = read_reference(sample, self._context.engine, cancel)
        holder = _("preparing the voice of {name}", name=sample.name)
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as network:
            configure_threads(self._context.threads)
            tensors, info = parts_of(network.make_prompt(samples, words, cancel))
        progress(1.0, _("The voice is prepared"))
        key = VoicePromptStore.key(
            sample, ENGINE, self.model_id, self.model_revision, self.prompt_parameters()
        )
        info = {**info, "language": sample.language}
        return VoicePrompt(key, ENGINE, self.model_id, self.model_revision, tensors, info)

    def read_prompt_file(self, path: Path) -> VoicePrompt:
        """The prompt in a file that the package's `VoiceClonePrompt.save` wrote (.pt).

        It is kept as safetensors from then on. The file is read as data alone. Raises
        BadInputError for any other file, and for a model that does not clone.
        """
        if not self.can_clone:
            raise BadInputError(
                _("{label} does not clone.", label=self.label), _("Choose OmniVoice.")
            )
        tensors, info = read_package_file(path)
        content = tensors[CODES].tobytes().hex() + str(tensors[CODES].shape)
        key = VoicePromptStore.key_of_recording(
            content, self.model_id, self.model_revision, {**info, **self.prompt_parameters()}
        )
        prompt = VoicePrompt(key, ENGINE, self.model_id, self.model_revision, tensors, info)
        self._context.prompts.put(prompt)
        return prompt

    def stream(
        self,
        text: str,
        voice: VoicePrompt | str,
        options: OmniVoiceDesignOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """The speech of `text`, piece by piece, computed on demand.

        `voice` is a prompt, or for the model that designs voices the traits of one. Raises, before
        it returns, BadInputError for text, language, voice or traits that cannot be spoken. The
        notes of the first piece say where the sample is in another language.
        """
        if options.language not in self.languages:
            raise BadInputError(
                _(
                    "{label} does not speak {language!r}.",
                    label=self.label,
                    language=options.language,
                ),
                _("Choose one of its languages."),
                "language",
            )
        traits = self._check_voice(voice, options)
        text = spoken_form(text, options.language, steps_without(options.as_written))
        plan_pieces(text, options.language, _ANY_LENGTH)
        return self._speak(text, voice, traits, options, cancel)

    def _check_voice(self, voice: VoicePrompt | str, options: OmniVoiceDesignOptions) -> str:
        """The traits to speak with."""
        if not self.can_clone:
            if not isinstance(voice, str):
                raise BadInputError(
                    _("{label} cannot take the voice of a sample.", label=self.label),
                    _("Choose OmniVoice."),
                    "voice",
                )
            traits = read_traits(voice, "voice")
            if not traits:
                raise BadInputError(
                    _("The voice is not described yet."),
                    _("Name traits with commas: female, young adult, low pitch, british accent."),
                    "voice",
                )
            return traits
        if isinstance(voice, str):
            raise BadInputError(
                _("{label} has no voices of its own.", label=self.label),
                _("Give it a sample."),
                "voice",
            )
        mine = (voice.engine, voice.model_id) == (ENGINE, self.model_id)
        if not mine or CODES not in voice.tensors or not {TEXT, LEVEL} <= voice.info.keys():
            raise BadInputError(
                _(
                    "This voice was prepared for {model_id}, not for {label}.",
                    model_id=voice.model_id or voice.engine,
                    label=self.label,
                ),
                _("Prepare it again."),
                "voice",
            )
        return read_traits(getattr(options, "traits", ""), "traits")

    def _speak(
        self,
        text: str,
        voice: VoicePrompt | str,
        traits: str,
        options: OmniVoiceDesignOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        prompt = package_prompt(voice) if isinstance(voice, VoicePrompt) else None
        notes = _accent_notes(voice, options.language)
        with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
            pieces = _plan(network, text, prompt, options)
            frames = _frames(network, pieces, prompt, options)
        joiner = PieceJoiner(SAMPLE_RATE_HZ, options.speed)
        spoken = False
        for number, (piece, exact) in enumerate(zip(pieces, frames, strict=True)):
            seed = (options.seed + number) % 2**31
            with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
                samples = self._piece(
                    network, piece.text, prompt, traits, exact, options, seed, cancel
                )
                if prompt is None and number + 1 < len(pieces) and samples.any():
                    # The next pieces go on in the voice that this one got.
                    with self._context.pool.run_slot(self._context.device, cancel, _("speaking")):
                        prompt = network.make_prompt(samples, piece.text, cancel)
            ready = faded(samples, SAMPLE_RATE_HZ) if exact else joiner.feed(samples)
            pause_s = PARAGRAPH_PAUSE_S if piece.ends_paragraph else SENTENCE_PAUSE_S
            rest = joiner.end_piece(pause_s if number + 1 < len(pieces) else 0.0)
            for chunk in (ready, rest):
                if len(chunk):
                    spoken = True
                    yield Speech(chunk, SAMPLE_RATE_HZ, notes=notes)
                    notes = ()
        if not spoken:
            raise StudioError(
                _("{label} made no speech of {text!r}.", label=self.label, text=text[:60]),
                _("Try another seed."),
            )

    def _piece(
        self,
        network: OmniNetwork,
        text: str,
        prompt: Any,
        traits: str,
        frames: int,
        options: OmniVoiceDesignOptions,
        seed: int,
        cancel: CancelToken,
    ) -> FloatArray:
        """A piece, made step by step; others compute and draw in between."""

        def speak(emit: Emit) -> None:
            configure_threads(self._context.threads)
            network.speak(text, prompt, traits, frames, options, emit, cancel)

        randomness = RandomStream(seed)
        steps = SteppedWork(speak, f"speaking with {self.label}")
        device = self._context.device
        made: FloatArray | None = None
        try:
            while True:
                cancel.raise_if_cancelled()
                with (
                    self._context.pool.run_slot(device, cancel, _("speaking")),
                    randomness.drawing(),
                ):
                    step = next(steps, None)
                if step is None:
                    break
                made = step
        finally:
            steps.close()
        if made is None:
            raise StudioError(
                _("{label} made no speech.", label=self.label), _("Try another seed.")
            )
        return made

    def model_spec(self) -> ModelSpec[OmniNetwork]:
        """The weights, for the pool; models with the same files share them."""
        context, device = self._context, self._context.device
        same = (e for e in context.catalog.entries(self._entry.task)
                if e.folder == self._entry.folder)  # fmt: skip
        entry = next(same, self._entry)

        def load() -> OmniNetwork:
            network = OmniNetwork(
                context.ensure_model(self.model_id),
                device,
                context.dtype,
                context.attention,
                context.low_cpu_mem_usage,
            )
            self.attention = network.attention
            return network

        return context.model_spec(
            entry,
            self.model_revision,
            self.precision,
            load=load,
            to_host=partial(OmniNetwork.move_to, device="cpu"),
            to_device=partial(OmniNetwork.move_to, device=device),
            measure=lambda network: network.nbytes,
        )


def _plan(
    network: OmniNetwork, text: str, prompt: Any, options: OmniVoiceDesignOptions
) -> tuple[Piece, ...]:
    """The pieces to speak. Raises BadInputError for a length that does not suit the text."""
    speed = options.speed
    if options.length_s:
        usual_s = network.seconds(text, prompt)
        speed = usual_s / options.length_s
        if not 1 / _MOST_STRETCHED <= speed <= _MOST_STRETCHED:
            raise BadInputError(
                _(
                    "The text takes about {usual_s:.1f} seconds, and cannot be spoken in "
                    "{length_s:g}.",
                    usual_s=usual_s,
                    length_s=options.length_s,
                ),
                _(
                    "Choose a length between {shortest_s:.1f} and {longest_s:.1f} seconds, or 0.",
                    shortest_s=usual_s / _MOST_STRETCHED,
                    longest_s=usual_s * _MOST_STRETCHED,
                ),
                "length_s",
            )
    limit = network.characters(text, prompt, speed)
    return plan_pieces(text, options.language, limit)


def _frames(
    network: OmniNetwork, pieces: Sequence[Piece], prompt: Any, options: OmniVoiceDesignOptions
) -> list[int]:
    """The frames of each piece for the length that was asked for; zeros where none was."""
    if not options.length_s:
        return [0] * len(pieces)
    shares = [max(network.seconds(piece.text, prompt), 1e-3) for piece in pieces]
    total = max(round(options.length_s * network.frame_rate), len(pieces))
    done, ends = 0.0, [0]
    for share in shares:
        done += share
        ends.append(max(ends[-1] + 1, round(total * done / sum(shares))))
    return [end - start for start, end in pairwise(ends)]


def _accent_notes(voice: VoicePrompt | str, of_text: str) -> tuple[str, ...]:
    language = "" if isinstance(voice, str) else str(voice.info.get("language", ""))
    if not language or match_language(language, (of_text,)):
        return ()
    base = base_language(language)
    return (
        _(
            "The sample is in {of_sample}: in {of_text} the voice keeps its accent. A sample "
            "in the language of the text sounds more natural.",
            of_sample=language_name(base),
            of_text=language_name(of_text),
        ),
    )
