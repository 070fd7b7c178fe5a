"""Sentences that a voice is fitted on: everything about them that no style changes, once.

`KModel.forward_with_tokens` recomputes the text's own encodings for every call. For a fit the
same sentences are spoken a hundred times with slightly different styles, so the ALBERT and text
encodings and (for one starting voice) the durations are kept here.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.target import (
    SAMPLE_RATE_HZ,
    EnvelopeAim,
    moments,
)
from modules.core_components.ai_models.engines.kokoro.reading.languages import LANGUAGES
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures
from modules.core_components.errors import ModelMissingError, StudioError
from modules.core_components.progress import CancelToken, no_progress
from modules.core_components.values import FloatArray, Segment, Speech, Word

logger = logging.getLogger(__name__)


FRAME_SAMPLES = 600  # one text frame is 25 ms at 24 kHz
FRAME_S = 0.025
_END_FRAMES = 4
_MARKS = frozenset(';:,.!?—…"()“”')

# Short, varied in sounds, statements and questions; about two seconds each.
TRAINING_SENTENCES = (
    "Could you bring me a cup of tea?",
    "He never told anyone about it.",
    "Big waves washed over the rocks.",
    "Seventeen yellow boats went by.",
    "I think her brother joined the choir.",
    "The morning train was late again.",
    "Please measure the sugar with care.",
    "Fresh bread and sharp cheese for lunch.",
    "Why would they choose a longer road?",
    "Most of the old garden is in shadow.",
    "She found my jacket under the chair.",
    "We should go home before the rain.",
)
# The guard listens to these; the gradient never sees them.
GUARD_SENTENCES = (
    "Our neighbor put a huge cage on the porch.",
    "Bright stars shone above the quiet valley.",
)
# The stock voices are compared on these.
SCAN_SENTENCES = (
    "Could you bring me a cup of tea?",
    "Big waves washed over the rocks.",
)


class Reading:
    """One phoneme string, ready to be spoken in any style."""

    def __init__(self, kmodel: Any, phonemes: str) -> None:
        sounds = [p for p in phonemes if p in kmodel.vocab]
        known = [kmodel.vocab[p] for p in sounds]
        if not known or len(known) + 2 > kmodel.context_length:
            raise StudioError(f"Kokoro cannot speak the phonemes {phonemes!r}.")
        self.row = min(len(phonemes), 510) - 1  # the row of a style pack for this length
        self._ids = torch.tensor([[0, *known, 0]])
        self._is_sound = torch.tensor([False, *(p not in _MARKS for p in sounds), False])
        self._lengths = torch.tensor([self._ids.shape[1]])
        self._mask = torch.zeros(1, self._ids.shape[1], dtype=torch.bool)
        with torch.no_grad():
            bert = kmodel.bert(self._ids, attention_mask=(~self._mask).int())
            self._d_en = kmodel.bert_encoder(bert).transpose(-1, -2)
            self._t_en = kmodel.text_encoder(self._ids, self._lengths, self._mask)

    def durations(self, kmodel: Any, prosody: Tensor) -> Tensor:
        """Predicted length of each phoneme in frames [phonemes], with gradient to `prosody`."""
        return self._durations(kmodel, self._duration_features(kmodel, prosody))

    @torch.no_grad()
    def articulation_s(self, kmodel: Any, prosody: Tensor) -> float:
        """How long the words take, without the silences at marks and around; seconds."""
        return float(self.durations(kmodel, prosody)[self._is_sound].sum()) * FRAME_S

    @torch.no_grad()
    def alignment(self, kmodel: Any, prosody: Tensor) -> Tensor:
        """For each 25 ms frame the index of its phoneme [frames]; `prosody` is [1, 128].

        Silence at the ends, which nobody listens to, is cut short: it takes as long to compute.
        """
        counts = torch.round(self.durations(kmodel, prosody)).clamp(min=1).long()
        ends = [0, -1] if self._is_sound[-2] else [0, -2, -1]
        counts[ends] = counts[ends].clamp(max=_END_FRAMES)
        return torch.repeat_interleave(torch.arange(self._ids.shape[1]), counts)

    def curves(
        self, kmodel: Any, prosody: Tensor, alignment: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pitch in Hz and energy, both [1, 2 * frames], and `durations`, all with gradient."""
        d = self._duration_features(kmodel, prosody)
        pitch, energy = kmodel.predictor.F0Ntrain(d.transpose(-1, -2)[:, :, alignment], prosody)
        return pitch, energy, self._durations(kmodel, d)

    def text(self, alignment: Tensor) -> Tensor:
        """The text's encoding laid out in time [1, 512, frames]."""
        return self._t_en[:, :, alignment]

    def spoken(self, alignment: Tensor) -> tuple[int, int]:
        """First and last frame of speech, 50 ms inside the silences around the sentence."""
        before = int((alignment == 0).sum())
        after = int((alignment == self._ids.shape[1] - 1).sum())
        return max(0, before - 2), len(alignment) - max(0, after - 2)

    @staticmethod
    def _durations(kmodel: Any, features: Tensor) -> Tensor:
        x, _ = kmodel.predictor.lstm(features)
        return torch.sigmoid(kmodel.predictor.duration_proj(x)).sum(-1).reshape(-1)

    def _duration_features(self, kmodel: Any, prosody: Tensor) -> Tensor:
        features: Tensor = kmodel.predictor.text_encoder(
            self._d_en, prosody, self._lengths, self._mask
        )
        return features


def read_all(
    kmodel: Any, phonemize: Callable[[str], str], sentences: tuple[str, ...]
) -> tuple[Reading, ...]:
    """The sentences as Readings; `phonemize` gives Kokoro's phonemes of an English text."""
    return tuple(Reading(kmodel, phonemize(sentence)) for sentence in sentences)


# The sample's own words as sentences to fit on, laid beside how the speaker said them.
#
# Where it is known what the sample says, Kokoro can say the same; dynamic time warping (Sakoe and
# Chiba 1978) on what Whisper understands pairs every moment of the rendering with its moment of the
# recording. Nothing compares two voices better than the same sound said by both.


# Below this mean probability of its words a phrase is guesswork, often in another language.
_UNSURE = 0.75
_SHORTEST_S, _WANTED_S, _LONGEST_S = 1.2, 2.2, 4.5
_WORDS_MARKS = (".", "?", "!", ",", ";", ":")
_AROUND_S = 0.08
# Moments that Whisper takes for different sounds are no pair.
_FARTHEST = 0.6


@dataclass(frozen=True, eq=False)
class Phrase:
    """A few words of the sample and how they sounded: 16 kHz [n]."""

    text: str
    samples: Tensor


def phrases(segments: Sequence[Segment], samples: FloatArray) -> Iterator[Phrase]:
    """Stretches of two to four seconds that were understood well, in order."""
    for words in _stretches(segments):
        start_s, end_s = words[0].start_s - _AROUND_S, words[-1].end_s + _AROUND_S
        sure = np.mean([word.probability for word in words]) >= _UNSURE
        if sure and _SHORTEST_S <= end_s - start_s <= _LONGEST_S:
            first, last = max(0, round(start_s * SAMPLE_RATE_HZ)), round(end_s * SAMPLE_RATE_HZ)
            text = "".join(word.text for word in words).strip()
            yield Phrase(text, torch.from_numpy(samples[first:last]))


def aligned_aim(
    features: WhisperFeatures, bands: Tensor, phrase: Phrase, rendering: Tensor
) -> EnvelopeAim:
    """The speaker's own envelope for each frame of the `rendering` [n] of his phrase."""
    with torch.no_grad():
        ours = moments(features, rendering, bands)
        theirs = moments(features, phrase.samples, bands)
        distance = 1 - ours.content @ theirs.content.T
        path = warping_path(distance.double().numpy())
        envelope = torch.zeros_like(ours.envelopes)
        closeness, count = torch.zeros(len(envelope)), torch.zeros(len(envelope))
        for mine, his in path:
            envelope[mine] += theirs.envelopes[his]
            usable = theirs.speech[his] and distance[mine, his] < _FARTHEST
            closeness[mine] += float(1 - distance[mine, his]) if usable else 0.0
            count[mine] += 1
        weight = ours.speech * closeness / count
        return EnvelopeAim(envelope / count[:, None], weight / weight.sum().clamp_min(1e-6))


def warping_path(distance: np.ndarray) -> list[tuple[int, int]]:
    """The cheapest way through [rows, columns] from corner to corner, every row and column met."""
    rows, columns = distance.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    for i in range(rows):
        for j in range(columns):
            before = min(total[i, j], total[i, j + 1], total[i + 1, j])
            total[i + 1, j + 1] = distance[i, j] + before
    path = [(rows - 1, columns - 1)]
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = (
            (total[i, j], i - 1, j - 1),
            (total[i, j + 1], i - 1, j),
            (total[i + 1, j], i, j - 1),
        )
        _, i, j = min(steps)
        path.append((i, j))
    return path[::-1]


def _stretches(segments: Sequence[Segment]) -> Iterator[list[Word]]:
    stretch: list[Word] = []
    for segment in segments:
        for word in segment.words:
            stretch.append(word)
            length_s = word.end_s - stretch[0].start_s
            marked = word.text.endswith(_WORDS_MARKS)
            if (marked and length_s >= _SHORTEST_S) or length_s >= _WANTED_S:
                yield stretch
                stretch = []
        if stretch:
            yield stretch
            stretch = []


# What a sample says, by the best listener that is here, in Kokoro's phonemes.


# The first knows every language that Kokoro reads; the second is there whenever a voice is fitted.
_LISTENERS = ("whisper-base", "whisper-tiny.en")
# A language that was guessed with less certainty may be any other.
_CERTAIN = 0.5


@dataclass(frozen=True)
class Heard:
    """What a listener understood of a sample: `segments` with word times, and how to turn words
    of their language into Kokoro's phonemes."""

    segments: Sequence[Segment]
    phonemize: Callable[[str], str]


def heard_words(
    engine: Callable[[str], Any],
    language: str,
    phonemes: Callable[[str, str], str],
    cancel: CancelToken,
    speech: Speech,
) -> Heard:
    """The words of `speech`; none where no listener is here or Kokoro cannot read its language.

    `engine` gives the handle of a model; `language` is an ISO 639-1 code or "" to find it out;
    `phonemes` takes one of Kokoro's languages and a text.
    """
    for model_id in _LISTENERS:
        listener = engine(model_id)
        known = listener.languages
        if language and known and language not in known:
            continue
        options = listener.options_type(
            language=language or "auto", word_timestamps=True, condition_on_previous_text=False
        )
        try:
            transcription = listener.transcribe(speech, options, no_progress, cancel)
        except ModelMissingError:
            continue
        info = transcription.info
        code = kokoro_language(info.language)
        segments = tuple(transcription.segments)
        if not code or (not language and info.language_probability < _CERTAIN):
            break
        return Heard(segments, partial(phonemes, code))
    return Heard((), partial(phonemes, "en-us"))


def kokoro_language(iso: str) -> str:
    """Kokoro's code for an ISO 639-1 code, the first of several; "" where it has none."""
    return next((code for code in LANGUAGES if code.split("-")[0] == iso), "")


# How fast the speaker speaks, beside how fast the fitted voice would say the same words.
#
# Whisper wrote down what the sample says and when; Kokoro predicts how long its voice takes for
# the same words. Pauses count on neither side: a reader's pauses say more about the text than
# about him.


SLOWEST, FASTEST = 0.8, 1.25
# Ten seconds of speech tell the rate to about a tenth: go part of the way there.
_TRUST = 0.7
_FEWEST_WORDS = 12
# Below this mean probability of its words a segment is guesswork, often in another language.
_RATE_UNSURE = 0.6
# A longer gap between two words is a pause.
_PAUSE_S = 0.15


def speaking_rate(kmodel: Any, heard: Heard, style: Tensor) -> float:
    """The speed at which a voice of `style` [1, 256] keeps the pace of what was heard.

    1 where too few words were understood.
    """
    heard_s, said_s, count = 0.0, 0.0, 0
    for segment in heard.segments:
        if (
            not segment.words
            or np.mean([word.probability for word in segment.words]) < _RATE_UNSURE
        ):
            continue
        try:
            reading = Reading(kmodel, heard.phonemize(segment.text.strip()))
        except StudioError:  # nothing that can be spoken, or too long for one utterance
            continue
        heard_s += articulation_s(segment)
        said_s += reading.articulation_s(kmodel, style[:, 128:])
        count += len(segment.words)
    if count < _FEWEST_WORDS or heard_s <= 0:
        return 1.0
    logger.debug("%d words in %.1f s, for which the voice takes %.1f s", count, heard_s, said_s)
    return round(float(np.clip((said_s / heard_s) ** _TRUST, SLOWEST, FASTEST)), 2)


def articulation_s(segment: Segment) -> float:
    """From the first word to the last without the pauses between."""
    words = segment.words
    pauses = (
        gap
        for before, after in itertools.pairwise(words)
        if (gap := after.start_s - before.end_s) > _PAUSE_S
    )
    return words[-1].end_s - words[0].start_s - sum(pauses)
