"""XTTS's decoder, piece by piece: the pieces together equal the decoding of the whole.

coqui's streaming decodes everything from the beginning for every piece and cross-fades the seams.
Here a piece is decoded with as much around it as the decoder looks at, so that nothing is computed
twice over and there is no seam to hide.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.core_components.values import FloatArray

if TYPE_CHECKING:
    import torch

# Frames (256 samples) that the decoder looks at on either side: 3 by its first layer, 7.5 by the
# widest residual block behind the first upsampling (its kernels of 11, dilated by 1, 3 and 5, reach
# 60 samples at 8 a frame), about 2.5 by all the others.
_REACH_FRAMES = 16


class PieceDecoder:
    """Decodes one utterance. Not for two threads at once.

    `decoder` is coqui's `HifiDecoder`, `speaker_embedding` float32 [1, 512, 1] on its device;
    `speed` stretches the latents as coqui does.
    """

    def __init__(self, decoder: Any, speaker_embedding: torch.Tensor, speed: float) -> None:
        self._decoder = decoder
        self._speaker = speaker_embedding
        self._scales = [
            1.0 / speed,
            decoder.ar_mel_length_compression / decoder.output_hop_length,
            decoder.output_sample_rate / decoder.input_sample_rate,
        ]
        self._latents: list[torch.Tensor] = []
        self._done_frames = 0

    def feed(self, latents: list[torch.Tensor], last: bool) -> FloatArray:
        """The samples float32 [n] that are certain now, given the next latents [1, width] each.

        With `last`, all that is left.
        """
        import torch

        self._latents += latents
        if not self._latents:
            return np.zeros(0, np.float32)
        frames = torch.cat(self._latents)[None].transpose(1, 2)
        certain = frames.shape[-1]
        for scale in self._scales:
            if scale != 1.0:
                frames = torch.nn.functional.interpolate(frames, scale_factor=scale, mode="linear")
                # Output i lies between the inputs around (i + 0.5) / scale - 0.5; both must be in.
                certain = max(0, math.floor((certain - 0.5) * scale - 0.5))
        end = frames.shape[-1] if last else certain
        ready = end if last else end - _REACH_FRAMES
        if ready <= self._done_frames:
            return np.zeros(0, np.float32)
        start = max(0, self._done_frames - _REACH_FRAMES)
        samples = self._decoder.waveform_decoder(frames[..., start:end], g=self._speaker)
        samples = samples.flatten()
        hop = len(samples) // (end - start)
        fresh = samples[(self._done_frames - start) * hop : (ready - start) * hop]
        self._done_frames = ready
        return np.asarray(fresh.float().cpu().numpy(), np.float32)
