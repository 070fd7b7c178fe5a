"""Sentences that a voice is fitted on: everything about them that no style changes, once.

`KModel.forward_with_tokens` recomputes the text's own encodings for every call. For a fit the
same sentences are spoken a hundred times with slightly different styles, so the ALBERT and text
encodings and (for one starting voice) the durations are kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from modules.core_components.errors import StudioError

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
