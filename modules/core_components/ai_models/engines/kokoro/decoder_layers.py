"""What Kokoro's decoder is made of, and the ways of computing it that are chosen between.

Everything here takes activations as [1, C, 1, T] with the channels last in memory: oneDNN's
convolutions and norms are fastest there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional


class DecoderLayers(Protocol):
    """One way of computing the decoder's layers: differentiable, or as fast as it goes."""

    dtype: torch.dtype

    def convolution(self, conv: nn.Module) -> Callable[[Tensor], Tensor]:
        """A convolution of stride 1."""
        ...

    def normed(
        self, conv: nn.Module, alpha: Tensor | None, slope: float, pool: PlainConvolution | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        """AdaIN, then Snake (`alpha` [C]) or leaky ReLU (`slope`), then `pool` if any, then `conv`.

        The result takes the activations and AdaIN's affine numbers [2 * C] (gamma, then beta).
        """
        ...

    def add(self, fresh: Tensor, other: Tensor) -> Tensor:
        """The sum. `fresh` was just computed and is used nowhere else: it may be overwritten."""
        ...


class PlainConvolution:
    """A strided or transposed convolution: rare and cheap, left to torch."""

    def __init__(self, conv: Any, dtype: torch.dtype) -> None:
        self._conv = conv
        self._weight = folded_weight(conv)[:, :, None].to(dtype)
        self._bias = conv.bias.detach().to(dtype)

    def __call__(self, x: Tensor) -> Tensor:
        c = self._conv
        stride, padding = (1, c.stride[0]), (0, c.padding[0])
        if isinstance(c, nn.ConvTranspose1d):
            extra = (0, c.output_padding[0])
            out = functional.conv_transpose2d(
                x, self._weight, self._bias, stride, padding, extra, groups=c.groups
            )
        else:
            out = functional.conv2d(x, self._weight, self._bias, stride, padding)
        return channels_last(out)


def time_rows(x: Tensor) -> Tensor:
    """[1, C, 1, T], channels last, seen as [T, C]."""
    return x.permute(0, 2, 3, 1).view(x.shape[3], x.shape[1])


def row_blocks(rows: Tensor, numbers: int) -> tuple[Tensor, ...]:
    """`rows` [T, C] in blocks of about so many numbers, to be worked on within the cache."""
    return rows.split(max(1, numbers // rows.shape[1]))


def channels_last(x: Tensor) -> Tensor:
    """`x` with its channels last in memory; itself where they are already."""
    return x.contiguous(memory_format=torch.channels_last)


def folded_weight(conv: nn.Module) -> Tensor:
    """The effective weight of a convolution, weight norm (if any) multiplied out."""
    if hasattr(conv, "weight_v"):
        v: Any = conv.weight_v
        g: Any = conv.weight_g
        return torch._weight_norm(v.detach(), g.detach(), 0)
    weight: Any = conv.weight
    return torch.as_tensor(weight).detach()
