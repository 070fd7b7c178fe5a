"""The sentences that a voice is fitted on, and what the sample itself says.

`KModel.forward_with_tokens` recomputes the text's own encodings for every call. For a fit the
same sentences are spoken a hundred times with slightly different styles, so a `Reading` keeps the
encodings by ALBERT and the text encoder. Where a Whisper model transcribes the sample, its own
phrases are spoken too, aligned with the recording, and its speaking rate is measured.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from modules.core_components.ai_models.engines.kokoro.fit.inputs import TranscribedSample
from modules.core_components.ai_models.engines.kokoro.fit.target import (
    SAMPLE_RATE_HZ,
    EnvelopeAim,
    describe_frames,
)
from modules.core_components.ai_models.engines.whisper_features import WhisperFeatures
from modules.core_components.errors import StudioError
from modules.core_components.texts import _
from modules.core_components.values import FloatArray, Segment, Word

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
# The strength of a fit is chosen on these; the gradient never sees them.
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
    """A string of phonemes with its encodings, to be spoken in any style."""

    def __init__(self, kmodel: Any, phonemes: str) -> None:
        sounds = [p for p in phonemes if p in kmodel.vocab]
        known = [kmodel.vocab[p] for p in sounds]
        if not known or len(known) + 2 > kmodel.context_length:
            raise StudioError(
                _("Kokoro cannot speak the phonemes {phonemes!r}.", phonemes=phonemes)
            )
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

        Silence at the ends is cut short: it is not compared, and takes as long to compute.
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
        x, _unused = kmodel.predictor.lstm(features)
        return torch.sigmoid(kmodel.predictor.duration_proj(x)).sum(-1).reshape(-1)

    def _duration_features(self, kmodel: Any, prosody: Tensor) -> Tensor:
        features: Tensor = kmodel.predictor.text_encoder(
            self._d_en, prosody, self._lengths, self._mask
        )
        return features


def read_sentences(
    kmodel: Any, phonemize: Callable[[str], str], sentences: tuple[str, ...]
) -> tuple[Reading, ...]:
    """The sentences as Readings; `phonemize` gives Kokoro's phonemes of an English text."""
    return tuple(Reading(kmodel, phonemize(sentence)) for sentence in sentences)


# -- Phrases of the sample, aligned with their rendering -------------------------------------------

# Below this mean probability of its words a phrase is guesswork, often in another language.
_UNSURE = 0.75
_SHORTEST_S, _WANTED_S, _LONGEST_S = 1.2, 2.2, 4.5
_PHRASE_MARKS = (".", "?", "!", ",", ";", ":")
_AROUND_S = 0.08
# Frames whose features are farther apart (1 - cosine) are different sounds, and no pair.
_FARTHEST = 0.6


@dataclass(frozen=True, eq=False)
class Phrase:
    """A few words of the sample and how they sounded: 16 kHz [n]."""

    text: str
    samples: Tensor


def phrases(segments: Sequence[Segment], samples: FloatArray) -> Iterator[Phrase]:
    """Stretches of two to four seconds that were understood well, in order."""
    for words in _word_runs(segments):
        start_s, end_s = words[0].start_s - _AROUND_S, words[-1].end_s + _AROUND_S
        sure = np.mean([word.probability for word in words]) >= _UNSURE
        if sure and _SHORTEST_S <= end_s - start_s <= _LONGEST_S:
            first, last = max(0, round(start_s * SAMPLE_RATE_HZ)), round(end_s * SAMPLE_RATE_HZ)
            text = "".join(word.text for word in words).strip()
            yield Phrase(text, torch.from_numpy(samples[first:last]))


def aligned_aim(
    features: WhisperFeatures, bands: Tensor, phrase: Phrase, rendering: Tensor
) -> EnvelopeAim:
    """The recording's envelope for each frame of the `rendering` [n] of the same phrase.

    Dynamic time warping (Sakoe and Chiba 1978) on Whisper's features pairs the frames.
    """
    import librosa  # takes a second

    with torch.no_grad():
        ours = describe_frames(features, rendering, bands)
        theirs = describe_frames(features, phrase.samples, bands)
        distance = 1 - ours.content @ theirs.content.T
        _unused, path = librosa.sequence.dtw(C=distance.double().numpy())
        envelope = torch.zeros_like(ours.envelopes)
        closeness, count = torch.zeros(len(envelope)), torch.zeros(len(envelope))
        for ours_at, theirs_at in path:
            envelope[ours_at] += theirs.envelopes[theirs_at]
            usable = theirs.speech[theirs_at] and distance[ours_at, theirs_at] < _FARTHEST
            closeness[ours_at] += float(1 - distance[ours_at, theirs_at]) if usable else 0.0
            count[ours_at] += 1
        weight = ours.speech * closeness / count
        return EnvelopeAim(envelope / count[:, None], weight / weight.sum().clamp_min(1e-6))


def _word_runs(segments: Sequence[Segment]) -> Iterator[list[Word]]:
    run: list[Word] = []
    for segment in segments:
        for word in segment.words:
            run.append(word)
            length_s = word.end_s - run[0].start_s
            marked = word.text.endswith(_PHRASE_MARKS)
            if (marked and length_s >= _SHORTEST_S) or length_s >= _WANTED_S:
                yield run
                run = []
        if run:
            yield run
            run = []


# -- The speaking rate of the sample, relative to the fitted voice's -------------------------------

SLOWEST, FASTEST = 0.8, 1.25
# Ten seconds of speech give the rate to about a tenth: go part of the way there.
_TRUST = 0.7
_FEWEST_WORDS = 12
# Below this mean probability of its words a segment is guesswork, often in another language.
_SEGMENT_UNSURE = 0.6
# A longer gap between two words is a pause.
_PAUSE_S = 0.15


def speaking_rate(kmodel: Any, transcribed: TranscribedSample, style: Tensor) -> float:
    """The speed at which a voice of `style` [1, 256] keeps the pace of the sample.

    Compares the length of the words with what Kokoro predicts for the same words, without pauses:
    those depend on the text. 1 where too few words were recognised.
    """
    spoken_s, predicted_s, count = 0.0, 0.0, 0
    for segment in transcribed.segments:
        if (
            not segment.words
            or np.mean([word.probability for word in segment.words]) < _SEGMENT_UNSURE
        ):
            continue
        try:
            reading = Reading(kmodel, transcribed.phonemize(segment.text.strip()))
        except StudioError:  # nothing that can be spoken, or too long for one utterance
            continue
        spoken_s += articulation_s(segment)
        predicted_s += reading.articulation_s(kmodel, style[:, 128:])
        count += len(segment.words)
    if count < _FEWEST_WORDS or spoken_s <= 0:
        return 1.0
    logger.debug(
        "%d words in %.1f s, for which the voice takes %.1f s", count, spoken_s, predicted_s
    )
    return round(float(np.clip((predicted_s / spoken_s) ** _TRUST, SLOWEST, FASTEST)), 2)


def articulation_s(segment: Segment) -> float:
    """From the first word to the last without the pauses between."""
    words = segment.words
    pauses = (
        gap
        for before, after in itertools.pairwise(words)
        if (gap := after.start_s - before.end_s) > _PAUSE_S
    )
    return words[-1].end_s - words[0].start_s - sum(pauses)
