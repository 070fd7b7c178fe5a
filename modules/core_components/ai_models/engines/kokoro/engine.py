"""Kokoro as an engine: text and a voice in, speech out, chunk by chunk."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.core_components.ai_models.catalog import ModelEntry
from modules.core_components.ai_models.engines.catalog_engine import CatalogEngine, EngineContext
from modules.core_components.ai_models.engines.kokoro.fit.inputs import transcribe_sample
from modules.core_components.ai_models.engines.kokoro.fit.sample_voice import (
    FitResources,
    fit_sample,
    fitting_parameters,
    match_sample,
    matching_parameters,
)
from modules.core_components.ai_models.engines.kokoro.pipeline import (
    SAMPLE_RATE_HZ,
    KokoroPipeline,
    SynthesizedChunk,
    speak_chunks,
)
from modules.core_components.ai_models.engines.kokoro.precision import Precision, choose_precision
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    PhonemeSentence,
    get_phonemizer,
    sentences_of_phonemes,
)
from modules.core_components.ai_models.engines.kokoro.voices import (
    ENGINE,
    SpeakingVoice,
    VoiceFolder,
    prompt_of_pack,
    voice_of_prompt,
)
from modules.core_components.ai_models.engines.kokoro.wrapper import (
    BUILDS,
    CONFIG_FILE,
    KokoroV1Wrapper,
)
from modules.core_components.ai_models.engines.options import as_written_option, option
from modules.core_components.ai_models.engines.speaker_handle import SpeakerEncoderHandle
from modules.core_components.ai_models.model_pool import ModelSpec
from modules.core_components.ai_models.model_utils import configure_threads
from modules.core_components.ai_models.voice_prompts import VoicePromptStore
from modules.core_components.library import VoiceLibrary
from modules.core_components.progress import CancelToken, Progress
from modules.core_components.text.markup import parse_pronunciations
from modules.core_components.text.reading.front_end import steps_without
from modules.core_components.texts import _
from modules.core_components.values import Sample, Speech, VoicePrompt

if TYPE_CHECKING:
    import torch


REQUIRED_PACKAGES = ("torch", "kokoro", "misaki")
_FIT_WHISPER = "whisper-tiny.en"  # its features compare what is said, in a fit
_PAUSE_S = 0.05
_PRECISION_FILE = "kokoro_precision.json"


@dataclass(frozen=True)
class KokoroOptions:
    """What can be chosen for a synthesis."""

    language: str = option(
        "en-us", "Language", "The language the text is written in.", choices=tuple(LANGUAGES)
    )
    speed: float = option(
        1.0, "Speed", "How fast to speak; 1 is the voice's own pace.",
        minimum=0.5, maximum=2.0, step=0.05,
    )  # fmt: skip
    seed: int = option(
        0, "Seed", "The same seed gives the same audio again.",
        minimum=0, maximum=2**31 - 1, step=1,
    )  # fmt: skip
    pronunciations: str = option(
        "",
        "Pronunciations",
        "Words and how to say them, a line each: Nguyen = /nwˈɪn/, or words that sound right.",
    )
    as_written: str = as_written_option()


def create(entry: ModelEntry, context: EngineContext) -> KokoroEngine:
    """The engine factory of the catalog."""
    return KokoroEngine(entry, context)


class KokoroEngine(CatalogEngine):
    """A handle on a version of Kokoro (see `TTSEngine`); it leases the weights chunk by chunk."""

    sample_rate_hz = SAMPLE_RATE_HZ
    options_type = KokoroOptions
    configurable = ("precision",)

    def __init__(self, entry: ModelEntry, context: EngineContext) -> None:
        super().__init__(entry, context)
        self._build = BUILDS[entry.version]
        self.can_clone = "voice-match" in entry.abilities
        # A fit starts from a stock voice: the user's own voices must not change its result.
        self._stock = VoiceFolder(self._folder / "voices")
        own = VoiceLibrary(context.voices_folder) if context.voices_folder else None
        self._voices = VoiceFolder(self._folder / "voices", own, entry.id)

    @property
    def precision(self) -> Precision:
        """As set, or what is faster on this machine."""
        context = self._context
        kept = context.cache_folder / _PRECISION_FILE
        return choose_precision(context.precision_preference, context.device, kept)

    def voices(self) -> tuple[str, ...]:
        """The stock voices that are on this machine, then the user's own."""
        return self._voices.names()

    def preset_prompt(self, voice: str) -> VoicePrompt:
        """A voice or a mix as it is now (see `PackEngine`)."""
        pack = self._voices.pack(voice)
        return prompt_of_pack(pack, self.model_id, self.model_revision)

    def load(self, cancel: CancelToken | None = None) -> None:
        """Loads the weights and the reader of the first language, with all their packages."""
        with ThreadPoolExecutor(1, "pronunciation") as executor:
            # The dictionaries take as long as the weights, on another core.
            prepared = executor.submit(get_phonemizer().prepare, self.languages[0])
            with self._context.pool.lease(
                self.model_spec(), cancel, _("loading {label}", label=self.label)
            ):
                prepared.result()

    def prompt_parameters(self) -> Mapping[str, Any]:
        """The version of the matching."""
        return matching_parameters()

    def refining_parameters(self) -> Mapping[str, Any]:
        """The parameters and the version of the fit."""
        return fitting_parameters(self._context.voice_match_steps)

    def prepare_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """Matches a voice to the sample, in seconds.

        Raises BadInputError for a sample without enough speech, and JobCancelled.
        """
        prompt = self._empty_prompt(sample, self.prompt_parameters())
        whisper_folder = self._context.ensure_model(_FIT_WHISPER)
        progress(0.0, _("Matching the voice"))
        encoder = self._encoder_on_cpu("campplus")
        holder = _("matching a voice to {name}", name=sample.name)
        with self._context.pool.lease(encoder.model_spec(), cancel, holder, run=True) as campplus:
            return match_sample(sample, prompt, self._stock, campplus, whisper_folder, cancel)

    def refine_voice(self, sample: Sample, progress: Progress, cancel: CancelToken) -> VoicePrompt:
        """Fits a voice to the sample; minutes on a CPU, resumed after a crash (see
        `RefiningEngine`)."""
        prompt = self._empty_prompt(sample, self.refining_parameters())
        pool = self._context.pool

        def give_way() -> None:
            cancel.raise_if_cancelled()
            while pool.is_running("cpu"):
                if cancel.wait(_PAUSE_S):
                    cancel.raise_if_cancelled()

        holder = _("refining the voice of {name}", name=sample.name)
        with self._on_cpu()._fit_resources(sample, holder, cancel, give_way) as resources:
            return fit_sample(sample, prompt, resources, progress, cancel)

    def _empty_prompt(self, sample: Sample, parameters: Mapping[str, Any]) -> VoicePrompt:
        revision = self.model_revision
        return VoicePrompt(
            VoicePromptStore.key(sample, ENGINE, self.model_id, revision, parameters),
            ENGINE, self.model_id, revision, tensors={},
        )  # fmt: skip

    def _encoder_on_cpu(self, model_id: str) -> SpeakerEncoderHandle[Any]:
        context = dataclasses.replace(self._context, device_preference="cpu")
        handle: SpeakerEncoderHandle[Any] = self._context.engine(model_id)
        return dataclasses.replace(handle, context=context)

    def _on_cpu(self) -> KokoroEngine:
        """The engine for fitting, whatever the device for speaking is."""
        context = dataclasses.replace(self._context, device_preference="cpu")
        return KokoroEngine(self._entry, context)

    @contextmanager
    def _fit_resources(
        self, sample: Sample, holder: str, cancel: CancelToken, check: Callable[[], None]
    ) -> Iterator[FitResources]:
        context = self._context
        ge2e, campplus = self._encoder_on_cpu("ge2e"), self._encoder_on_cpu("campplus")
        with (
            context.pool.lease(self.model_spec(), cancel, holder) as model,
            context.pool.lease(ge2e.model_spec(), cancel, holder) as ge2e_encoder,
            context.pool.lease(campplus.model_spec(), cancel, holder) as campplus_encoder,
        ):
            yield FitResources(
                kmodel=model.model,
                ge2e=ge2e_encoder,
                campplus=campplus_encoder,
                phonemize=partial(self._phonemes, "en-us"),
                transcribe=partial(
                    transcribe_sample, context.engine, sample.language, self._phonemes, cancel
                ),
                voices=self._stock,
                whisper_folder=context.ensure_model(_FIT_WHISPER),
                fits_folder=context.cache_folder / "fits",
                steps=context.voice_match_steps,
                threads=context.cpu_threads,
                check=check,
            )

    def stream(
        self,
        text: str,
        voice: VoicePrompt | str,
        options: KokoroOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """The speech of `text`, chunk by chunk, computed on demand.

        `voice` is a prompt, a name, or a mix like "af_bella(2)+af_sky(1)". Raises,
        before it returns, BadInputError for text, language or voice that cannot be spoken.
        """
        speaking, speaker = self.speaking_voice(voice), self._speaker(cancel)
        sentences = []
        for sentence in self._sentences(text, options, speaker):
            cancel.raise_if_cancelled()
            sentences.append(sentence)
        return self._speak(sentences, speaking, options, speaker)

    def stream_phonemes(
        self,
        phonemes: str,
        voice: VoicePrompt | str,
        options: KokoroOptions,
        cancel: CancelToken,
    ) -> Iterator[Speech]:
        """As `stream`, of a string of Kokoro's own phonemes of any length.

        Raises, before it returns, BadInputError that names the sounds outside the vocabulary.
        """
        speaking = self.speaking_voice(voice)
        found = sentences_of_phonemes(phonemes, self._vocabulary)
        sentences = [PhonemeSentence(sentence, sentence) for sentence in found]
        return self._speak(sentences, speaking, options, self._speaker(cancel))

    def phonemize(self, text: str, options: KokoroOptions) -> tuple[PhonemeSentence, ...]:
        """The sentences of `text` with the phonemes that `stream` would speak; raises as it does.

        Needs the model's vocabulary, not its weights.
        """
        return tuple(self._sentences(text, options, self._speaker(CancelToken())))

    def _sentences(
        self, text: str, options: KokoroOptions, speaker: _LeasedSpeaker
    ) -> Iterator[PhonemeSentence]:
        pipeline = KokoroPipeline(options.language, speaker)
        entries = parse_pronunciations(options.pronunciations)
        return pipeline.sentences(text, entries, steps_without(options.as_written))

    def speaking_voice(self, voice: VoicePrompt | str) -> SpeakingVoice:
        """The numbers of a prompt, or of a name or mix. Raises BadInputError."""
        if isinstance(voice, str):
            return SpeakingVoice(self._voices.pack(voice))
        return voice_of_prompt(voice)

    def _speak(
        self,
        sentences: Sequence[PhonemeSentence],
        voice: SpeakingVoice,
        options: KokoroOptions,
        speaker: _LeasedSpeaker,
    ) -> Iterator[Speech]:
        chunks = speak_chunks(sentences, voice, options.speed, options.seed, speaker.synthesize)
        return (chunk.speech for chunk in chunks)

    def _speaker(self, cancel: CancelToken) -> _LeasedSpeaker:
        return _LeasedSpeaker(self, self._vocabulary, cancel)

    def _phonemes(self, language: str, text: str) -> str:
        sentences = self.phonemize(text, KokoroOptions(language))
        return " ".join(sentence.phonemes for sentence in sentences)

    @contextmanager
    def borrowed(self, holder: str, cancel: CancelToken) -> Iterator[KokoroV1Wrapper]:
        """The loaded model, with a run slot of its device, for the length of a block."""
        with self._context.pool.lease(self.model_spec(), cancel, holder, run=True) as model:
            configure_threads(self._context.threads)
            yield model

    @property
    def _folder(self) -> Path:
        return self._context.catalog.folder(self._entry)

    @cached_property
    def _vocabulary(self) -> frozenset[str]:
        return self._build.wrapper.read_phonemes(self._folder / CONFIG_FILE)

    def model_spec(self) -> ModelSpec[KokoroV1Wrapper]:
        """The weights, for the pool."""
        device = self._context.device
        precision, build = self.precision, self._build

        def load() -> KokoroV1Wrapper:
            folder = self._context.ensure_model(self.model_id)
            return build.wrapper(
                folder / CONFIG_FILE, folder / build.weights_file, device, precision
            )

        return self._context.model_spec(
            self._entry,
            self.model_revision,
            precision,
            load=load,
            to_host=lambda model: model.move_to("cpu"),
            to_device=lambda model: model.move_to(device),
            measure=lambda model: model.nbytes,
        )


@dataclass(frozen=True)
class _LeasedSpeaker:
    """What a pipeline of the engine speaks with: the weights, leased chunk by chunk."""

    engine: KokoroEngine
    vocabulary: frozenset[str]
    cancel: CancelToken

    def voice(self, name: str) -> SpeakingVoice:
        return self.engine.speaking_voice(name)

    def synthesize(
        self,
        phonemes: str,
        style: torch.Tensor,
        speed: float,
        seed: int,
        layer_offsets: torch.Tensor | None,
    ) -> SynthesizedChunk:
        stop = self.cancel.raise_if_cancelled
        stop()
        with self.engine.borrowed(_("speaking"), self.cancel) as model:
            return model.synthesize(phonemes, style, speed, seed, layer_offsets, stop)
