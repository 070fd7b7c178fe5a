"""Pocket TTS as an engine: text and a voice in, speech out, chunk by chunk.

A true cloning engine that is small enough for a processor: 100 million parameters, no reference
text. A checkpoint speaks one language.
"""

from __future__ import annotations

import dataclasses
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import (
    CatalogEngine,
    EngineContext,
    read_sample,
)
from modules.core_components.ai_models.engines.options import as_written_option, option
from modules.core_components.ai_models.engines.pocket_tts.network import (
    SAMPLE_RATE_HZ,
    PocketNetwork,
)
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import configure_threads
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.audio.joining import PARAGRAPH_PAUSE_S, SENTENCE_PAUSE_S, PieceJoiner
from modules.core_components.errors import BadInputError
from modules.core_components.progress import POLL_S, CancelToken, Progress
from modules.core_components.text.languages import base_language, language_name
from modules.core_components.text.reading.front_end import spoken_form, steps_without
from modules.core_components.text.sentences import Piece, plan_pieces
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Sample, Speech, VoicePrompt

REQUIRED_PACKAGES = ("torch", "pocket_tts", "sentencepiece")
ENGINE = "pocket-tts"

LANGUAGES = ("en", "fr", "de", "pt", "it", "es", "nl")
# The package's chunk is 50 tokens of about 3.5 characters; longer pieces it cuts at commas itself.
_CHARACTER_LIMIT = 160
# As the package's `truncate`: every further second costs memory and time for each frame.
_LONGEST_SAMPLE_S = 30.0
_PROMPT_VERSION = 1


@dataclass(frozen=True)
class PocketOptions:
    """The defaults are those of the published configurations."""

    language: str = option(
        "en", "Language", "The language the text is written in.", choices=LANGUAGES
    )
    temperature: float = option(
        0.3, "Temperature", "Higher is livelier and less sure, lower is steadier.",
        minimum=0.0, maximum=1.5, step=0.05,
    )  # fmt: skip
    steps: int = option(
        1, "Steps", "Rounds for each 80 ms of speech; more is slower and sometimes cleaner.",
        minimum=1, maximum=10, step=1,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip
    as_written: str = as_written_option()


def create(entry: ModelEntry, context: EngineContext) -> PocketEngine:
    """The engine factory of the catalog."""
    return PocketEngine(entry, context)


class PocketEngine(CatalogEngine):
    """A handle on a checkpoint of Pocket TTS (see `TTSEngine`).

    It leases the weights for one piece of text at a time. The package generates in threads of its
    own that cannot be paused, so a piece (some seconds of speech) is computed in one run slot while
    its chunks are handed out; a stream that is not read holds no slot beyond that.
    """

    sample_rate_hz = SAMPLE_RATE_HZ
    can_clone = True
    precision = "float32"
    configurable = ()

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        super().__init__(entry, context)
        self.options_type = _options_type(self.languages[0])

    def voices(self) -> tuple[str, ...]:
        """None: it speaks in the voices of samples."""
        return ()

    def prompt_parameters(self) -> Mapping[str, Any]:
        """The version of the prompts and how many seconds of a sample are used."""
        return {"version": _PROMPT_VERSION, "longest_s": _LONGEST_SAMPLE_S}

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """The state of the model after the first 30 seconds of a sample; seconds on a CPU.

        Raises BadInputError for a sample that is too short, and JobCancelled.
        """
        progress(0.0, _("Preparing the voice"))
        advice = _("Give Pocket TTS at least 3 seconds of the voice, better 10 to 30.")
        speech = read_sample(sample.path, sample.name, SAMPLE_RATE_HZ, advice)
        samples = speech.samples[: int(_LONGEST_SAMPLE_S * SAMPLE_RATE_HZ)]
        holder = _("preparing the voice of {name}", name=sample.name)
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as network:
            configure_threads(self._context.threads)
            tensors = network.condition(samples)
        progress(1.0, _("The voice is prepared"))
        key = VoicePromptStore.key(
            sample, ENGINE, self.model_id, self.model_revision, self.prompt_parameters()
        )
        info = {"language": sample.language}
        return VoicePrompt(key, ENGINE, self.model_id, self.model_revision, tensors, info)

    def stream(
        self, text: str, voice: VoicePrompt | str, options: PocketOptions, cancel: CancelToken
    ) -> Iterator[Speech]:
        """The speech of `text`, chunk by chunk, computed on demand.

        Raises, before it returns, BadInputError for text, language or voice that cannot be spoken.
        The notes of the first chunk say where the sample is in another language.
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
        if isinstance(voice, str):
            raise BadInputError(
                _("{label} has no voices of its own.", label=self.label),
                _("Give it a sample."),
                "voice",
            )
        if (voice.engine, voice.model_id) != (ENGINE, self.model_id):
            raise BadInputError(
                _(
                    "This voice was prepared for {model_id}, not for {label}.",
                    model_id=voice.model_id or voice.engine,
                    label=self.label,
                ),
                _("Prepare it again."),
                "voice",
            )
        text = spoken_form(text, options.language, steps_without(options.as_written))
        pieces = plan_pieces(text, options.language, _CHARACTER_LIMIT)
        return self._speak(pieces, voice, options, cancel)

    def _speak(
        self,
        pieces: Sequence[Piece],
        voice: VoicePrompt,
        options: PocketOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        joiner = PieceJoiner(SAMPLE_RATE_HZ)
        notes = _accent_notes(str(voice.info.get("language", "")), options.language)
        for number, piece in enumerate(pieces):
            seed = (options.seed + number) % 2**31
            with self._context.pool.lease(self.model_spec(), cancel, _("speaking")) as network:
                for chunk in self._chunks(network, piece, voice, options, seed, cancel):
                    ready = joiner.feed(chunk)
                    if len(ready):
                        yield Speech(ready, SAMPLE_RATE_HZ, notes=notes)
                        notes = ()
            pause_s = PARAGRAPH_PAUSE_S if piece.ends_paragraph else SENTENCE_PAUSE_S
            rest = joiner.end_piece(pause_s if number + 1 < len(pieces) else 0.0)
            if len(rest):
                yield Speech(rest, SAMPLE_RATE_HZ, notes=notes)
                notes = ()

    def _chunks(
        self,
        network: PocketNetwork,
        piece: Piece,
        voice: VoicePrompt,
        options: PocketOptions,
        seed: int,
        cancel: CancelToken,
    ) -> Iterator[FloatArray]:
        """Chunks of a piece that a thread computes meanwhile; it has ended when this ends."""
        box: queue.SimpleQueue[FloatArray | BaseException | None] = queue.SimpleQueue()
        own_cancel, stop = CancelToken(), threading.Event()

        def work() -> None:
            try:
                with self._context.pool.run_slot(self._context.device, own_cancel, _("speaking")):
                    configure_threads(self._context.threads)
                    network.speak(
                        piece.text, voice.tensors, options.temperature, options.steps, seed,
                        box.put, stop,
                    )  # fmt: skip
                box.put(None)
            except BaseException as error:  # noqa: BLE001 - raised where the chunks are taken
                box.put(error)

        thread = threading.Thread(target=work, name="Pocket TTS", daemon=True)
        thread.start()
        try:
            while True:
                cancel.raise_if_cancelled()
                try:
                    item = box.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                if isinstance(item, BaseException):
                    raise item
                if item is None:
                    return
                yield item
        finally:
            own_cancel.cancel()
            stop.set()
            thread.join()

    def model_spec(self) -> ModelSpec[PocketNetwork]:
        """The weights, for the pool."""
        device = self._context.device

        def load() -> PocketNetwork:
            folder = self._context.ensure_model(self.model_id)
            config_file = self._context.cache_folder / ENGINE / f"{self.model_id}.yaml"
            return PocketNetwork(folder, self._entry.version, config_file, device)

        return self._context.model_spec(
            self._entry,
            self.model_revision,
            self.precision,
            load=load,
            to_host=lambda network: network.move_to("cpu"),
            to_device=lambda network: network.move_to(device),
            measure=lambda network: network.nbytes,
        )


def _options_type(language: str) -> type[PocketOptions]:
    """The options with the one language of a checkpoint as the default."""
    choice = option(language, "Language", "The language the text is written in.", choices=LANGUAGES)
    return dataclasses.make_dataclass(
        "PocketOptions", [("language", str, choice)], bases=(PocketOptions,), frozen=True
    )


def _accent_notes(of_sample: str, of_text: str) -> tuple[str, ...]:
    base = base_language(of_sample)
    if base in ("", of_text):
        return ()
    return (
        _(
            "The sample is in {of_sample}: in {of_text} the voice keeps its accent. A sample "
            "in the language of the text sounds more natural.",
            of_sample=language_name(base),
            of_text=language_name(of_text),
        ),
    )
