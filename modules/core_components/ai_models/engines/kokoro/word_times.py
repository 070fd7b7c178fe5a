"""When each written word is said, from the durations that Kokoro predicts for its phonemes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from modules.core_components.ai_models.engines.kokoro.chunks import Chunk
from modules.core_components.ai_models.engines.kokoro.reading.phonemes import PhonemeSentence
from modules.core_components.ai_models.engines.kokoro.reading.written_words import SpokenWord
from modules.core_components.values import Word


def words_of_chunks(
    sentences: Sequence[PhonemeSentence], chunks: Sequence[Chunk]
) -> Iterator[tuple[SpokenWord, ...]]:
    """For each chunk the words that begin in it, with their places in its phonemes.

    Sentences and chunks hold the same phonemes but for spaces, so a place is found by counting the
    others. A word that a chunk was cut within ends where the chunk ends.
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
    `Utterance`); `skipped_s` was cut off the beginning of the audio.
    """
    ends_s = np.cumsum(durations_frames) * frame_s - skipped_s
    times_s = np.clip(ends_s, 0.0, duration_s)
    return tuple(
        Word(word.text, float(times_s[word.start]), float(times_s[word.end])) for word in words
    )


def _counted(sentences: Sequence[PhonemeSentence]) -> Iterator[SpokenWord]:
    """The words with their places among all phonemes that are no spaces."""
    before = 0
    for sentence in sentences:
        counts = list(accumulate((phoneme != " " for phoneme in sentence.phonemes), initial=before))
        for word in sentence.words:
            yield SpokenWord(word.text, counts[word.start], counts[word.end])
        before = counts[-1]
