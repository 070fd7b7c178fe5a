"""The decoder's layers for speaking: no gradient, as few passes over memory as torch allows.

For a batch of one, instance norm is batch norm, which torch does in one piece with scale and
shift. Snake, y + sin(alpha y)^2 / alpha (Ziyin et al. 2020), becomes (w + sin(w)^2) / alpha with
w = alpha y: alpha goes into the norm's scale and shift, 1 / alpha into the weights of the
convolution that follows, and two operations are left. Measured in docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.decoder_layers import (
    PlainConvolution,
    channels_last,
    folded_weight,
    row_blocks,
    time_rows,
)

_BLOCK = 262_144  # numbers; as bfloat16 half a megabyte
_EPSILON = 1e-5  # of the instance norm


class SpeakingLayers:
    """See `DecoderLayers`."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def convolution(self, conv: nn.Module) -> Callable[[Tensor], Tensor]:
        return self._convolution(conv, None)

    def normed(
        self, conv: nn.Module, alpha: Tensor | None, slope: float, pool: PlainConvolution | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        convolve = self._convolution(conv, alpha)

        def run(x: Tensor, affine: Tensor) -> Tensor:
            gamma, shift = affine.reshape(2, -1).unbind(0)
            scale = 1 + gamma
            if alpha is not None:
                scale, shift = scale * alpha, shift * alpha
            h = functional.batch_norm(
                channels_last(x), None, None, scale, shift, True, 0.0, _EPSILON
            )
            if alpha is None:
                functional.leaky_relu_(h, slope)
            else:
                for block in row_blocks(time_rows(h), _BLOCK):
                    sine = block.sin()
                    block.addcmul_(sine, sine)
            return convolve(h if pool is None else channels_last(pool(h)))

        return run

    def add(self, fresh: Tensor, other: Tensor) -> Tensor:
        return fresh.add_(other)

    def _convolution(self, conv: Any, divisor: Tensor | None) -> Callable[[Tensor], Tensor]:
        weight = folded_weight(conv)
        if divisor is not None:
            weight = weight / divisor[None, :, None]
        weight = channels_last(weight[:, :, None].to(self.dtype))
        bias = None if conv.bias is None else conv.bias.detach().to(self.dtype)
        padding, dilation = (0, conv.padding[0]), (1, conv.dilation[0])

        def run(x: Tensor) -> Tensor:
            return functional.conv2d(x, weight, bias, padding=padding, dilation=dilation)

        return run
