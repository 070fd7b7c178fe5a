"""From sentences of phonemes to speech: chunks, their joins, and the times of the words."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.reading.inline_phonemes import SpokenWord
from modules.core_components.ai_models.engines.kokoro.reading.languages import language_of
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import (
    PhonemeSentence,
    get_phonemizer,
)
from modules.core_components.ai_models.engines.kokoro.symbols import all_symbols
from modules.core_components.ai_models.engines.kokoro.voices import SpeakingVoice
from modules.core_components.text.reading.front_end import STEP_NAMES
from modules.core_components.values import FloatArray, Speech, Word

if TYPE_CHECKING:
    import torch


SAMPLE_RATE_HZ = 24_000
SAMPLES_PER_FRAME = 600  # a predicted duration counts frames of 1/40 s


@dataclass(frozen=True, eq=False)
class SynthesizedChunk:
    """What one call of the model gives: `samples` float32 [n] at 24 kHz.

    `durations_frames` int64 [phonemes + 2] holds the length of the leading pause, of every
    phoneme, and of the trailing pause, in frames of 600 samples (1/40 s).
    """

    samples: FloatArray
    durations_frames: NDArray[np.int64]


# -- Chunks: sentences of phonemes, cut and packed -------------------------------------------------
# A short first chunk lets audio start early: a clause of eight words at most, if the text has one.
# The next ones grow to the length at which Kokoro sounds best (175 to 250 phonemes), each at most
# about twice as long as the one before, so that playing one lasts longer than computing the next.


class Ending(Enum):
    """Where a chunk ends: how long a pause belongs after it."""

    SENTENCE = "sentence"
    CLAUSE = "clause"
    WORD = "word"


@dataclass(frozen=True)
class Chunk:
    """Phonemes that are synthesized at once."""

    phonemes: str
    ending: Ending


@dataclass(frozen=True)
class ChunkSize:
    """Limits of a chunk in phonemes: `wanted` at least, `whole` for a sentence that is not cut,
    `most` in any case."""

    wanted: int
    whole: int
    most: int


# The first chunk: longer sentences are cut after the first clause. Eight words have 36 phonemes or
# more. The model takes up to 510, but sounds rushed there.
FIRST = ChunkSize(60, 36, 110)
LONGEST = 250
# A little more than twice, or sentences of one length would never be taken two at a time.
_GROWTH = 2.2
# A chunk after a very short one is this long all the same, since smaller ones sound chopped; but
# the second one is waited for while the first is played.
_LEAST, _LEAST_SECOND = 110, 60

# Kokoro garbles very short chunks: fewer phonemes than this join their neighbours where possible.
_SHORT = 20
_SENTENCE_MARKS = ".!?…"
_CLAUSE_MARKS = ",;:—"
_CLOSERS = '”")'


def plan_chunks(sentences: Iterable[str]) -> Iterator[Chunk]:
    """The chunks of the sentences' phonemes, in order, each as soon as it is known.

    Joined without their spaces, the chunks are the sentences joined without theirs.
    """
    size, least = FIRST, _LEAST_SECOND
    waiting = ""
    for sentence in sentences:
        enough = max(_SHORT, size.wanted // 2)
        room = _room(size, waiting, sentence)
        if len(waiting) >= enough and len(waiting) + 1 + len(sentence) > room:
            yield Chunk(waiting, Ending.SENTENCE)
            size, least, waiting = size_after(len(waiting), least), _LEAST, ""
        text = f"{waiting} {sentence}".strip()
        start = 0
        while len(text) - start > (size.most if len(sentence) < _SHORT else size.whole):
            end, ending = _cut(text, start, size)
            yield Chunk(text[start:end], ending)
            size, least, start = size_after(end - start, least), _LEAST, end
            while start < len(text) and text[start] == " ":
                start += 1
        waiting = text[start:]
    if waiting:
        yield Chunk(waiting, Ending.SENTENCE)


def size_after(phonemes: int, least: int = _LEAST) -> ChunkSize:
    """The size of the chunk after one of that many phonemes, which may have `least` in any case."""
    whole = min(LONGEST - _SHORT, max(least, int(_GROWTH * phonemes)))
    return ChunkSize(wanted=whole * 3 // 4, whole=whole, most=whole + _SHORT)


def _room(size: ChunkSize, waiting: str, sentence: str) -> int:
    """How long the chunk that has `waiting` may become by taking `sentence` in."""
    if len(sentence) < _SHORT:
        return size.most
    return size.whole if len(waiting) < size.wanted else 0


def _cut(text: str, start: int, size: ChunkSize) -> tuple[int, Ending]:
    """Where the chunk from `start` ends: after a sentence or clause, else after a word."""
    last = min(start + size.most, len(text) - _SHORT)
    spaces = [i for i in range(start + size.wanted // 3, last + 1) if text[i] == " "]
    endings = [(i, _ending(text, i)) for i in spaces]
    breaks = [(i, ending) for i, ending in endings if ending is not Ending.WORD]
    early = [found for found in breaks if found[0] <= start + size.whole]
    if early:
        return early[-1]
    if breaks:
        return breaks[0]
    if len(text) - start <= size.most:
        return len(text), Ending.SENTENCE
    if endings:
        return endings[-1]
    end = start + size.most
    while end > start + 1 and _continues(text[end]):
        end -= 1
    return end, Ending.WORD


def _ending(text: str, space: int) -> Ending:
    """What ends at the space at index `space`."""
    before = text[:space] if space < 4 else text[space - 4 : space]
    bare = before.rstrip(_CLOSERS)
    if bare.endswith(tuple(_SENTENCE_MARKS)):
        return Ending.SENTENCE
    if bare.endswith(tuple(_CLAUSE_MARKS)) or bare != before:
        return Ending.CLAUSE
    return Ending.WORD


def _continues(character: str) -> bool:
    """Whether `character` belongs to the sound before it: a tilde, a length mark, an aspiration."""
    return unicodedata.category(character) in ("Mn", "Lm") and character not in "ˈˌ"


# -- Joins: a pause as long as the place in the text asks for, and no click ------------------------

# Silence left on each side of a join, in seconds at normal speed. Kokoro leaves what a sentence
# needs; inside a sentence it is too much.
_KEPT_S = {Ending.CLAUSE: 0.10, Ending.WORD: 0.02}
_FADE_S = 0.004
_WINDOW_S = 0.005
_SILENCE_BELOW_PEAK = 10 ** (-40 / 20)


def shape_joins(
    samples: FloatArray,
    sample_rate_hz: int,
    before: Ending | None,
    after: Ending | None,
    speed: float = 1.0,
) -> tuple[FloatArray, int]:
    """A chunk's `samples` [n] with its ends prepared for the join `before` and `after` it, and how
    many samples were taken off its beginning.

    None stands for the beginning and the end of the whole speech, which stay as they are.
    """
    first, last = _loud_span(samples, sample_rate_hz)
    start, end = 0, len(samples)
    if before in _KEPT_S:
        start = max(0, first - int(_KEPT_S[before] / speed * sample_rate_hz))
    if after in _KEPT_S:
        end = min(end, last + int(_KEPT_S[after] / speed * sample_rate_hz))
    shaped = samples[start:end].copy()
    fade = min(int(_FADE_S * sample_rate_hz), len(shaped) // 2)
    ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
    if before is not None:
        shaped[:fade] *= ramp
    if after is not None:
        shaped[len(shaped) - fade :] *= ramp[::-1]
    return shaped, start


def _loud_span(samples: FloatArray, sample_rate_hz: int) -> tuple[int, int]:
    """First and last sample of what is louder than 40 dB below the chunk's peak."""
    window = int(_WINDOW_S * sample_rate_hz)
    whole = len(samples) // window * window
    if whole == 0:
        return 0, len(samples)
    peaks = np.abs(samples[:whole]).reshape(-1, window).max(axis=1)
    loud = np.flatnonzero(peaks > peaks.max() * _SILENCE_BELOW_PEAK)
    if len(loud) == 0:
        return 0, len(samples)
    return int(loud[0]) * window, min(len(samples), (int(loud[-1]) + 1) * window)


# -- Word times, from the durations that Kokoro predicts -------------------------------------------


def words_of_chunks(
    sentences: Sequence[PhonemeSentence], chunks: Sequence[Chunk]
) -> Iterator[tuple[SpokenWord, ...]]:
    """For each chunk the words that begin in it, with their positions in its phonemes.

    Sentences and chunks hold the same phonemes but for spaces, so a position is found by counting
    the others. A word that a chunk was cut within ends where the chunk ends.
    """
    words = _counted(sentences)
    word = next(words, None)
    before = 0
    for chunk in chunks:
        places = [i for i, phoneme in enumerate(chunk.phonemes) if phoneme != " "]
        after = before + len(places)
        found = []
        while word is not None and (word.start < after or chunk is chunks[-1]):
            first, last = (min(i, after) - before for i in (word.start, word.end))
            start = places[first] if first < len(places) else len(chunk.phonemes)
            found.append(
                SpokenWord(word.text, start, places[last - 1] + 1 if last > first else start)
            )
            word = next(words, None)
        yield tuple(found)
        before = after


def word_times(
    words: Sequence[SpokenWord],
    durations_frames: NDArray[np.int64],
    frame_s: float,
    skipped_s: float,
    duration_s: float,
) -> tuple[Word, ...]:
    """The words with times in seconds, within a piece of `duration_s`.

    `durations_frames` [phonemes + 2] has the leading and the trailing pause at its ends (see
    `SynthesizedChunk`); `skipped_s` was cut off the beginning of the audio.
    """
    ends_s = np.cumsum(durations_frames) * frame_s - skipped_s
    times_s = np.clip(ends_s, 0.0, duration_s)
    return tuple(
        Word(word.text, float(times_s[word.start]), float(times_s[word.end])) for word in words
    )


def _counted(sentences: Sequence[PhonemeSentence]) -> Iterator[SpokenWord]:
    """The words with their positions among all phonemes that are not spaces."""
    before = 0
    for sentence in sentences:
        counts = list(accumulate((phoneme != " " for phoneme in sentence.phonemes), initial=before))
        for word in sentence.words:
            yield SpokenWord(word.text, counts[word.start], counts[word.end])
        before = counts[-1]


# Phonemes, style [1, 256], speed, seed, offsets of the layers: as `KokoroV1Wrapper.synthesize`.
Synthesize = Callable[[str, "torch.Tensor", float, int, "torch.Tensor | None"], SynthesizedChunk]


@dataclass(frozen=True)
class SpokenChunk:
    """The words that begin in a chunk, its phonemes, and its speech."""

    graphemes: str
    phonemes: str
    speech: Speech


def speak_chunks(
    sentences: Sequence[PhonemeSentence],
    voice: SpeakingVoice,
    speed: float,
    seed: int,
    synthesize: Synthesize,
) -> Iterator[SpokenChunk]:
    """The sentences chunk by chunk, computed on demand, with the times of their words.

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
        graphemes = " ".join(word.text for word in words[index])
        yield SpokenChunk(graphemes, chunk.phonemes, Speech(samples, SAMPLE_RATE_HZ, times))


class PhonemeSpeaker(Protocol):
    """What a pipeline speaks with: the loaded model, or a handle that borrows it for a chunk."""

    @property
    def vocabulary(self) -> Collection[str]:
        """The phonemes that `synthesize` takes."""
        ...

    def voice(self, name: str) -> SpeakingVoice: ...

    def synthesize(
        self,
        phonemes: str,
        style: torch.Tensor,
        speed: float,
        seed: int,
        layer_offsets: torch.Tensor | None,
    ) -> SynthesizedChunk: ...


@dataclass(frozen=True)
class PipelineResult:
    """A chunk as the package `kokoro` hands it out: it unpacks into graphemes, phonemes, audio.

    `audio` is float32 [n] at 24 kHz; None from a quiet pipeline.
    """

    graphemes: str
    phonemes: str
    audio: torch.FloatTensor | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.graphemes, self.phonemes, self.audio))


class KokoroPipeline:
    """One language of a model; quiet, for phonemes alone, with `model=False`.

    Raises BadInputError for an unknown language, StudioError when its packages cannot be loaded.
    """

    def __init__(self, lang_code: str, model: PhonemeSpeaker | Literal[False]) -> None:
        self.language = language_of(lang_code).code
        get_phonemizer().prepare(self.language)
        self._model = model or None
        self._vocabulary = model.vocabulary if model else all_symbols()

    def __call__(
        self,
        text: str,
        voice: str = "",
        speed: float = 1.0,
        seed: int = 0,
        model: PhonemeSpeaker | Literal[False] | None = None,
    ) -> Iterator[PipelineResult]:
        """The graphemes, phonemes and audio of `text`, chunk by chunk, computed on demand.

        With `model=False` this call is quiet: a sentence at a time, without audio. Raises, before
        it returns, BadInputError for text or voice that cannot be spoken.
        """
        speaker = self._model if model is None else model or None
        if speaker is None:
            found = tuple(self.sentences(text))
            return (PipelineResult(one.text, one.phonemes) for one in found)
        speaking = speaker.voice(voice)
        sentences = tuple(self.sentences(text))
        chunks = speak_chunks(sentences, speaking, speed, seed, speaker.synthesize)
        return (
            PipelineResult(chunk.graphemes, chunk.phonemes, _tensor(chunk.speech))
            for chunk in chunks
        )

    def sentences(
        self,
        text: str,
        pronunciations: Mapping[str, str] = MappingProxyType({}),
        steps: Collection[str] = STEP_NAMES,
    ) -> Iterator[PhonemeSentence]:
        """The sentences of `text` with their phonemes; see `Phonemizer.sentences`."""
        return get_phonemizer().sentences(
            text, self.language, self._vocabulary, pronunciations, steps
        )


def _tensor(speech: Speech) -> torch.FloatTensor:
    import torch

    tensor: torch.FloatTensor = torch.from_numpy(speech.samples)  # type: ignore[assignment]
    return tensor
