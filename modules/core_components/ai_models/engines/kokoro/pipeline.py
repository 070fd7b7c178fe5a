"""From sentences of phonemes to pieces of sound, for whoever has a model to synthesize with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from modules.core_components.ai_models.engines.kokoro.chunks import plan_chunks
from modules.core_components.ai_models.engines.kokoro.joins import shape_joins
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    PhonemeSentence,
    get_phonemizer,
)
from modules.core_components.ai_models.engines.kokoro.speaking_voice import SpeakingVoice
from modules.core_components.ai_models.engines.kokoro.utterance import (
    SAMPLE_RATE_HZ,
    SAMPLES_PER_FRAME,
    Utterance,
)
from modules.core_components.ai_models.engines.kokoro.word_times import (
    word_times,
    words_of_chunks,
)
from modules.core_components.values import Speech

if TYPE_CHECKING:
    import torch

# Phonemes, style [1, 256], speed, seed, offsets of the layers: as `KokoroV1Wrapper.synthesize`.
Synthesize = Callable[[str, "torch.Tensor", float, int, "torch.Tensor | None"], Utterance]


def speak_sentences(
    sentences: Sequence[PhonemeSentence],
    voice: SpeakingVoice,
    speed: float,
    seed: int,
    synthesize: Synthesize,
) -> Iterator[Speech]:
    """The sentences chunk by chunk, each computed when it is asked for, with their words' times.

    The chunks' seeds count up from `seed`.
    """
    speed = speed * voice.speed
    chunks = tuple(plan_chunks(sentence.phonemes for sentence in sentences))
    words = tuple(words_of_chunks(sentences, chunks))
    endings = [None, *(chunk.ending for chunk in chunks[:-1]), None]
    for index, chunk in enumerate(chunks):
        style = voice.style(len(chunk.phonemes))
        utterance = synthesize(chunk.phonemes, style, speed, seed + index, voice.offsets())
        samples, skipped = shape_joins(
            utterance.samples, SAMPLE_RATE_HZ, endings[index], endings[index + 1], speed
        )
        times = word_times(
            words[index],
            utterance.durations_frames,
            SAMPLES_PER_FRAME / SAMPLE_RATE_HZ,
            skipped / SAMPLE_RATE_HZ,
            len(samples) / SAMPLE_RATE_HZ,
        )
        yield Speech(samples, SAMPLE_RATE_HZ, times)


class KokoroPipeline:
    """One language of one loaded model. Raises StudioError when its packages cannot be loaded."""

    def __init__(self, language: str, vocabulary: frozenset[str], synthesize: Synthesize) -> None:
        get_phonemizer().prepare(language)
        self.language = language
        self._vocabulary = vocabulary
        self._synthesize = synthesize

    def speak(
        self, text: str, voice: SpeakingVoice, speed: float = 1.0, seed: int = 0
    ) -> Iterator[Speech]:
        """The speech of `text`; raises BadInputError for what it cannot speak before it returns."""
        found = get_phonemizer().sentences(text, self.language, self._vocabulary)
        return speak_sentences(tuple(found), voice, speed, seed, self._synthesize)
