"""Codes become sound while they come, the same sound that all of them together would become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch

# The package decodes long speech in windows; each but the first hears that many frames before it.
# What is heard must be decoded in the same windows, or it would differ a little at their edges.
WINDOW = 300
CONTEXT = 25


class CodeDecoder:
    """The sound of one utterance's frames. `before` [n, code groups] are frames that come first
    and are not heard: those of a sample that is gone on from.

    The codec is causal, so the sound of a window's beginning is known before its end; it is decoded
    again with every call, though. Few large calls cost least: let each bring twice as many frames.
    """

    def __init__(self, codec: Any, before: torch.Tensor | None = None) -> None:
        self._model = codec.model
        self._hop = int(codec.get_decode_upsample_rate())
        self._codes: list[torch.Tensor] = [] if before is None else list(before)
        self._heard = len(self._codes)

    def feed(self, frames: Sequence[torch.Tensor]) -> FloatArray:
        """The sound of the next frames [code groups]: float32 [frames * 1920], within -1..1."""
        self._codes.extend(frames)
        pieces = [np.zeros(0, np.float32)]
        while self._heard < len(self._codes):
            pieces.append(self._rest_of_window())
        return np.concatenate(pieces)

    def _rest_of_window(self) -> FloatArray:
        import torch

        start = self._heard // WINDOW * WINDOW
        end = min(start + WINDOW, len(self._codes))
        context = CONTEXT if start > CONTEXT else start
        device = self._model.device
        codes = torch.stack([frame.to(device) for frame in self._codes[start - context : end]])
        sound = self._model.decoder(codes.clamp(min=0).T[None])[0, 0]
        fresh = sound[(context + self._heard - start) * self._hop :]
        self._heard = end
        samples: FloatArray = fresh.float().cpu().numpy()
        return samples
