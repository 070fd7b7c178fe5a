"""From phonemes to what the decoder speaks: how long, how high and how loud each of them is.

The steps are those of `kokoro.KModel.forward_with_tokens`, up to its call of the decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_STYLE_HALF = 128  # a style is the voice's timbre, then its prosody


@dataclass(frozen=True, eq=False)
class Prosody:
    """An utterance before it is sound.

    `text` [1, 512, frames] is the encoded text laid out in time, `pitch_hz` and `energy`
    [1, 2 * frames]; `durations_frames` int64 [phonemes + 2], frames of 1/40 s, with the pauses
    around.
    """

    text: Tensor
    pitch_hz: Tensor
    energy: Tensor
    durations_frames: Tensor


def predict_prosody(kmodel: Any, ids: Tensor, style: Tensor, speed: float) -> Prosody:
    """`ids` int64 [1, phonemes + 2] with the marks of both ends, `style` [1, 256]."""
    length = ids.shape[1]
    lengths = torch.tensor([length], device=ids.device)
    nothing_hidden = torch.zeros(1, length, dtype=torch.bool, device=ids.device)
    manner = style[:, _STYLE_HALF:]
    encoded = kmodel.bert(ids, attention_mask=(~nothing_hidden).int())
    encoded = kmodel.bert_encoder(encoded).transpose(-1, -2)
    predictor = kmodel.predictor
    features = predictor.text_encoder(encoded, manner, lengths, nothing_hidden)
    hidden, _ = predictor.lstm(features)
    spans = torch.sigmoid(predictor.duration_proj(hidden)).sum(-1) / speed
    durations = torch.round(spans).clamp(min=1).long().reshape(-1)
    positions = torch.arange(length, device=ids.device)
    phoneme_of_frame = torch.repeat_interleave(positions, durations)
    pitch, energy = predictor.F0Ntrain(features.transpose(-1, -2)[:, :, phoneme_of_frame], manner)
    text = kmodel.text_encoder(ids, lengths, nothing_hidden)[:, :, phoneme_of_frame]
    return Prosody(text, pitch, energy, durations)
