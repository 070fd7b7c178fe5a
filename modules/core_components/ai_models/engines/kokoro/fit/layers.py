"""The decoder's layers with a cheap gradient, for fitting a voice.

The gradient of a convolution is again a plain convolution with flipped weights (torch takes a slow
path there), and AdaIN with its activation is one differentiable operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.decoder import (
    PlainConvolution,
    channels_last,
    folded_weight,
    has_many_taps,
    row_blocks,
    time_rows,
)
from modules.core_components.ai_models.engines.kokoro.fft_convolution import FftConvolution

_BLOCK = 65_536  # numbers; as float32 a quarter of a megabyte


class _SameConv(torch.autograd.Function):
    """A stride-1 convolution in time on [1, C, 1, T]; its gradient is one too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: Convolution) -> Tensor:
        conv.check()
        ctx.conv = conv
        return conv.forward(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        ctx.conv.check()
        return ctx.conv.backward(grads[0]), None


class _AdaIN(torch.autograd.Function):
    """Instance norm over time, scale, shift, then Snake (`alpha`) or leaky ReLU (`slope`).

    `gamma`, `beta` and `alpha` are [C]. Snake: y + sin(alpha y)^2 / alpha (Ziyin et al. 2020),
    written with cos(2 alpha y). All steps are done on one block of rows after another, which stay
    in the processor's cache meanwhile: memory, not arithmetic, is what this costs.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, alpha: Tensor | None, slope: float
    ) -> Tensor:
        rows = time_rows(x)
        mean, inverse = _statistics(rows)
        scale = (1 + gamma) * inverse
        shift = beta - mean * scale
        out = torch.empty_like(x)
        for block, into in zip(_blocks(rows), _blocks(time_rows(out)), strict=True):
            y = torch.addcmul(shift, block.float(), scale)
            if alpha is None:
                into.copy_(functional.leaky_relu_(y, slope))
                continue
            waves = torch.mul(y, 2 * alpha).cos_()
            into.copy_(y.add_(1 / (2 * alpha)).addcmul_(waves, -1 / (2 * alpha)))
        ctx.save_for_backward(x, gamma, beta, mean, inverse)
        ctx.alpha, ctx.slope = alpha, slope
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, beta, mean, inverse = ctx.saved_tensors
        rows = time_rows(x)
        gradient = torch.empty(rows.shape)
        d_beta, d_gamma = torch.zeros_like(beta), torch.zeros_like(gamma)
        incoming = time_rows(channels_last(grads[0]))
        for block, above, into in zip(
            _blocks(rows), _blocks(incoming), _blocks(gradient), strict=True
        ):
            normal = torch.addcmul(-mean * inverse, block.float(), inverse)
            y = torch.addcmul(beta, normal, 1 + gamma)
            if ctx.alpha is None:
                into.copy_(torch.where(y > 0, above, above * ctx.slope))
            else:
                torch.mul(y.mul_(2 * ctx.alpha).sin_().add_(1), above, out=into)
            d_beta += into.sum(dim=0)
            d_gamma += normal.mul_(into).sum(dim=0)
        scale = (1 + gamma) * inverse
        along = -scale * inverse * d_gamma / len(rows)  # the part along the normalized input
        rest = -scale * d_beta / len(rows) - along * mean
        out = torch.empty_like(x)
        for block, above, into in zip(
            _blocks(rows), _blocks(gradient), _blocks(time_rows(out)), strict=True
        ):
            into.copy_(torch.addcmul(rest, above, scale).addcmul_(block.float(), along))
        return out, d_gamma, d_beta, None, None


def _blocks(rows: Tensor) -> tuple[Tensor, ...]:
    return row_blocks(rows, _BLOCK)


def _statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and inverse standard deviation of each column [C].

    Sums of what differs from a first guess of the mean lose no digits (Chan et al. 1983).
    """
    blocks = _blocks(rows)
    guess = blocks[0].float().mean(dim=0)
    total, squares = torch.zeros_like(guess), torch.zeros_like(guess)
    for block in blocks:
        off = block.float() - guess
        total += off.sum(dim=0)
        squares += off.square_().sum(dim=0)
    off = total / len(rows)
    variance = (squares / len(rows) - off.square()).clamp_min(0)
    return guess + off, torch.rsqrt(variance + 1e-5)


class Convolution:
    """Folded weights of one 1-D convolution, as a 2-D one over [1, C, 1, T].

    In float32 those of many taps, and their gradients, are products of spectra (`FftConvolution`),
    as in speaking. `check` is called before it computes; what it raises ends the rendering or the
    gradient.
    """

    def __init__(self, conv: nn.Module, dtype: torch.dtype, check: Callable[[], None]) -> None:
        self.check = check
        weight: Tensor = folded_weight(conv)
        flipped = weight.flip(2).transpose(0, 1)
        dilation = int(conv.dilation[0])  # type: ignore[index]
        padding = int(conv.padding[0])  # type: ignore[index]
        bias = conv.bias.detach().to(dtype) if isinstance(conv.bias, Tensor) else None
        if dtype == torch.float32 and has_many_taps(conv):
            self.forward = _by_spectra(weight, bias, dilation)
            self.backward = _by_spectra(flipped, None, dilation)
        else:
            back = dilation * (weight.shape[2] - 1) - padding
            self.forward = _direct(weight.to(dtype), bias, padding, dilation)
            self.backward = _direct(flipped.to(dtype), None, back, dilation)

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = _SameConv.apply(x, self)
        return out


def _direct(
    weight: Tensor, bias: Tensor | None, padding: int, dilation: int
) -> Callable[[Tensor], Tensor]:
    """The convolution of [1, in, 1, T] with `weight` [out, in, taps]."""
    weight = channels_last(weight[:, :, None])

    def run(x: Tensor) -> Tensor:
        return functional.conv2d(
            channels_last(x), weight, bias, padding=(0, padding), dilation=(1, dilation)
        )

    return run


def _by_spectra(weight: Tensor, bias: Tensor | None, dilation: int) -> Callable[[Tensor], Tensor]:
    """The same where the padding keeps the length."""
    convolve = FftConvolution(weight, bias, dilation)

    def run(x: Tensor) -> Tensor:
        rows = time_rows(channels_last(x))

        def fill(first: int, last: int, into: Tensor) -> None:
            into.copy_(rows[first:last])

        result = convolve(len(rows), fill)
        return result.view(1, 1, *result.shape).permute(0, 3, 1, 2)

    return run


class FitLayers:
    """The decoder's layers, differentiable (see `DecoderLayers`).

    `check` is called before each convolution, several times a second: it may wait, or raise to
    cancel.
    """

    def __init__(
        self, dtype: torch.dtype | None = None, check: Callable[[], None] = lambda: None
    ) -> None:
        self.dtype = dtype or fitting_dtype()
        self._check = check

    def convolution(self, conv: nn.Module) -> Callable[[Tensor], Tensor]:
        return Convolution(conv, self.dtype, self._check)

    def normed(
        self, conv: nn.Module, alpha: Tensor | None, slope: float, pool: PlainConvolution | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        convolve = self.convolution(conv)

        def run(x: Tensor, affine: Tensor) -> Tensor:
            gamma, beta = affine.reshape(2, -1).unbind(0)
            h: Tensor = _AdaIN.apply(channels_last(x), gamma, beta, alpha, slope)
            return convolve(h if pool is None else channels_last(pool(h)))

        return run

    def add(self, fresh: Tensor, other: Tensor) -> Tensor:
        return fresh + other


def fitting_dtype() -> torch.dtype:
    """bfloat16 where the processor has matrix tiles for it (AMX), else float32."""
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32


# -- The offsets of a fitted voice to the style of each AdaIN layer --------------------------------


def adain_layers(decoder: Any) -> list[nn.Module]:
    """The `fc` of every AdaIN layer, in the order of the offsets (that of `FastDecoder`)."""
    g = decoder.generator
    found: list[nn.Module] = []
    for block in (decoder.encode, *decoder.decode):
        found += [block.norm1.fc, block.norm2.fc]
    for block in (*g.noise_res, *g.resblocks):
        for first, second in zip(block.adain1, block.adain2, strict=True):
            found += [first.fc, second.fc]
    return found


def nearest_shared_style(decoder: Any, styles: Tensor) -> Tensor:
    """The one style [128] whose effect on all layers is nearest to `styles` [layers, 128].

    Least squares on what the layers make of their style: min_r sum_l |W_l (r - s_l)|^2. This is
    what a fitted voice loses when it is exported as an ordinary Kokoro voice pack.
    """
    left, right = torch.zeros(128, 128, dtype=torch.float64), torch.zeros(128, dtype=torch.float64)
    for layer, style in zip(adain_layers(decoder), styles, strict=True):
        weight: Any = layer.weight
        gram = weight.detach().double().T @ weight.detach().double() / weight.shape[0]
        left += gram
        right += gram @ style.double()
    ridge = 1e-6 * left.diagonal().mean() * torch.eye(128, dtype=torch.float64)
    return torch.linalg.solve(left + ridge, right).float()
