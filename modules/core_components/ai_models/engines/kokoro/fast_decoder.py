"""Kokoro's decoder for fitting: the same arithmetic, arranged so that a gradient step is cheap.

Fitting a voice runs the decoder (ISTFTNet with AdaIN, kokoro/istftnet.py) forward and backward a
hundred times. Three things make `kokoro.istftnet.Decoder` slow there: weight norm is recomputed
for every call, convolutions run in float32 with the channels first, and the gradient of a
convolution takes a slow path. Here weights are folded once, activations are channels-last (and
bfloat16 where the processor multiplies it natively), the gradient of a convolution is again a
plain convolution with flipped weights, and AdaIN with its activation is one differentiable
operation. The weights are copies: the shared model is never touched.

The style may differ from layer to layer: `styles` is [layers, 128], one row an AdaIN.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_BLOCK = 65_536  # numbers; as float32 a quarter of a megabyte


class _SameConv(torch.autograd.Function):
    """A stride-1 convolution in time on [1, C, 1, T]; its gradient is one too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, conv: Convolution) -> Tensor:
        ctx.conv = conv
        return functional.conv2d(
            x, conv.weight, conv.bias, padding=(0, conv.padding), dilation=(1, conv.dilation)
        )

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        conv = ctx.conv
        gradient = grads[0].contiguous(memory_format=torch.channels_last)
        return functional.conv2d(
            gradient,
            conv.flipped,
            padding=(0, conv.dilation * (conv.weight.shape[-1] - 1) - conv.padding),
            dilation=(1, conv.dilation),
        ), None


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
        rows = _rows(x)
        mean, inverse = _statistics(rows)
        scale = (1 + gamma) * inverse
        shift = beta - mean * scale
        out = torch.empty_like(x)
        for block, into in zip(_blocks(rows), _blocks(_rows(out)), strict=True):
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
        rows = _rows(x)
        gradient = torch.empty(rows.shape)
        d_beta, d_gamma = torch.zeros_like(beta), torch.zeros_like(gamma)
        incoming = _rows(_last(grads[0]))
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
            _blocks(rows), _blocks(gradient), _blocks(_rows(out)), strict=True
        ):
            into.copy_(torch.addcmul(rest, above, scale).addcmul_(block.float(), along))
        return out, d_gamma, d_beta, None, None


def _rows(x: Tensor) -> Tensor:
    """[1, C, 1, T], channels last, seen as [T, C]."""
    return x.permute(0, 2, 3, 1).view(x.shape[3], x.shape[1])


def _blocks(rows: Tensor) -> tuple[Tensor, ...]:
    return rows.split(max(1, _BLOCK // rows.shape[1]))


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
    """Folded weights of one 1-D convolution, as a 2-D one over [1, C, 1, T]."""

    def __init__(self, conv: nn.Module, dtype: torch.dtype) -> None:
        weight: Tensor = _folded(conv)
        layout = torch.channels_last
        self.dilation = int(conv.dilation[0])  # type: ignore[index]
        self.padding = int(conv.padding[0])  # type: ignore[index]
        self.weight = weight[:, :, None].to(dtype).contiguous(memory_format=layout)
        flipped = weight.flip(2).transpose(0, 1)[:, :, None]
        self.flipped = flipped.to(dtype).contiguous(memory_format=layout)
        bias = conv.bias
        self.bias = bias.detach().to(dtype) if isinstance(bias, Tensor) else None

    def __call__(self, x: Tensor) -> Tensor:
        out: Tensor = _SameConv.apply(x, self)
        return out


class FastDecoder:
    """A differentiable copy of `KModel.decoder` with a style for each AdaIN layer."""

    def __init__(self, decoder: nn.Module, dtype: torch.dtype | None = None) -> None:
        self.dtype = dtype or fitting_dtype()
        self._decoder: Any = decoder
        self._fc: list[tuple[Tensor, Tensor]] = []
        d: Any = decoder
        self._asr_res = Convolution(d.asr_res[0], self.dtype)
        self._blocks = [self._block(block) for block in (d.encode, *d.decode)]
        g = d.generator
        self._noise_res = [self._resblock(block) for block in g.noise_res]
        self._resblocks = [self._resblock(block) for block in g.resblocks]
        self._post = Convolution(g.conv_post, self.dtype)
        self._ups = [_Plain(conv, self.dtype) for conv in g.ups]
        self._noise_convs = [_Plain(conv, self.dtype) for conv in g.noise_convs]

    @property
    def layers(self) -> int:
        """The number of AdaIN layers, each of which takes a style."""
        return len(self._fc)

    def __call__(self, asr: Tensor, f0: Tensor, energy: Tensor, styles: Tensor,
                 source: Tensor) -> Tensor:  # fmt: skip
        """Audio [n] at 24 kHz.

        `asr` [1, 512, frames] aligned text, `f0` and `energy` [1, 2 * frames], `styles`
        [layers, 128] (or [1, 128] for one style everywhere), `source` from `excitation`.
        """
        d = self._decoder
        styles = styles.expand(self.layers, -1)
        affine = [functional.linear(s, w, b) for s, (w, b) in zip(styles, self._fc, strict=True)]
        f0_down, n_down = (
            conv(curve[:, None])[:, :, None].to(self.dtype)
            for conv, curve in ((d.F0_conv, f0), (d.N_conv, energy))
        )
        text = _last(asr[:, :, None].to(self.dtype))
        x = self._blocks[0](torch.cat([text, f0_down, n_down], 1), affine)
        residual = self._asr_res(text)
        for block in self._blocks[1:]:
            x = block(torch.cat([x, residual, f0_down, n_down], 1), affine)
        return self._generate(x, affine, source.to(self.dtype))

    def _generate(self, x: Tensor, affine: list[Tensor], source: Tensor) -> Tensor:
        g = self._decoder.generator
        kernels = int(g.num_kernels)
        for i, up in enumerate(self._ups):
            x = functional.leaky_relu(x, 0.1)
            noise = self._noise_res[i](self._noise_convs[i](source), affine)
            x = up(x)
            if i == len(self._ups) - 1:
                x = torch.cat([x[..., 1:2], x], 3)  # ReflectionPad1d((1, 0))
            x = _last(x + noise)
            blocks = self._resblocks[i * kernels : (i + 1) * kernels]
            # A stack would put the channels first again, here and in the gradient.
            x = functools.reduce(torch.add, [block(x, affine) for block in blocks]) / kernels
        x = self._post(_last(functional.leaky_relu(x)))[:, :, 0].float()
        half = int(g.post_n_fft) // 2 + 1
        magnitude, phase = torch.exp(x[:, :half]), torch.sin(x[:, half:])
        audio: Tensor = g.stft.inverse(magnitude, phase)
        return audio.reshape(-1)

    @torch.no_grad()
    def excitation(self, f0: Tensor, generator: torch.Generator) -> Tensor:
        """The harmonic source's spectrum [1, 22, 1, T] for a pitch curve in Hz [1, 2 * frames].

        As in `SineGen` and `SourceModuleHnNSF`, with random numbers of its own generator.
        """
        g = self._decoder.generator
        maker = g.m_source.l_sin_gen
        pitch = g.f0_upsamp(f0[:, None]).transpose(1, 2)
        harmonics = pitch * torch.arange(1, maker.dim + 1, dtype=pitch.dtype)
        turns = (harmonics / maker.sampling_rate) % 1
        start = torch.rand(maker.dim, generator=generator)
        start[0] = 0
        turns[:, 0] += start
        hop = int(maker.upsample_scale)
        turns = functional.interpolate(turns.transpose(1, 2), scale_factor=1 / hop, mode="linear")
        phase = torch.cumsum(turns, dim=2) * 2 * torch.pi * hop
        phase = functional.interpolate(phase, scale_factor=hop, mode="linear").transpose(1, 2)
        voiced = (pitch > maker.voiced_threshold).float()
        level = voiced * maker.noise_std + (1 - voiced) * maker.sine_amp / 3
        noise = level * torch.randn(phase.shape, generator=generator)
        waves = torch.sin(phase) * maker.sine_amp * voiced + noise
        merged = torch.tanh(g.m_source.l_linear(waves)).transpose(1, 2).squeeze(1)
        magnitude, angle = g.stft.transform(merged)
        return torch.cat([magnitude, angle], 1)[:, :, None]

    def _add_fc(self, adain: Any) -> int:
        self._fc.append((adain.fc.weight.detach(), adain.fc.bias.detach()))
        return len(self._fc) - 1

    def _block(self, block: Any) -> Any:
        """kokoro.istftnet.AdainResBlk1d."""
        layers = self._add_fc(block.norm1), self._add_fc(block.norm2)
        conv1, conv2 = Convolution(block.conv1, self.dtype), Convolution(block.conv2, self.dtype)
        shortcut = Convolution(block.conv1x1, self.dtype) if block.learned_sc else None
        pool = None if block.upsample_type == "none" else _Plain(block.pool, self.dtype)

        def run(x: Tensor, affine: list[Tensor]) -> Tensor:
            h = _adain(x, affine[layers[0]], None, 0.2)
            h = conv1(_last(pool(h)) if pool is not None else h)
            h = conv2(_adain(h, affine[layers[1]], None, 0.2))
            if pool is not None:
                x = x.repeat_interleave(2, dim=3)
            return _last((h + (shortcut(_last(x)) if shortcut is not None else x)) * 2**-0.5)

        return run

    def _resblock(self, block: Any) -> Any:
        """kokoro.istftnet.AdaINResBlock1."""
        steps = []
        for i in range(len(block.convs1)):
            for conv, adain, alpha in (
                (block.convs1[i], block.adain1[i], block.alpha1[i]),
                (block.convs2[i], block.adain2[i], block.alpha2[i]),
            ):
                folded = alpha.detach().reshape(-1)
                steps.append((self._add_fc(adain), folded, Convolution(conv, self.dtype)))

        def run(x: Tensor, affine: list[Tensor]) -> Tensor:
            for first, second in zip(steps[::2], steps[1::2], strict=True):
                h = first[2](_adain(x, affine[first[0]], first[1], 0.0))
                x = x + second[2](_adain(h, affine[second[0]], second[1], 0.0))
            return x

        return run


class _Plain:
    """A strided or transposed convolution: rare and cheap, left to autograd."""

    def __init__(self, conv: Any, dtype: torch.dtype) -> None:
        self._conv = conv
        self._weight = _folded(conv)[:, :, None].to(dtype)
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
        return _last(out)


def fitting_dtype() -> torch.dtype:
    """bfloat16 where the processor has matrix tiles for it (AMX), else float32."""
    return torch.bfloat16 if torch.cpu._is_amx_tile_supported() else torch.float32


def _adain(x: Tensor, affine: Tensor, alpha: Tensor | None, slope: float) -> Tensor:
    gamma, beta = affine.reshape(2, -1).unbind(0)
    out: Tensor = _AdaIN.apply(_last(x), gamma, beta, alpha, slope)
    return out


def _folded(conv: nn.Module) -> Tensor:
    """The effective weight of a convolution, weight norm (if any) multiplied out."""
    if hasattr(conv, "weight_v"):
        v: Any = conv.weight_v
        g: Any = conv.weight_g
        return torch._weight_norm(v.detach(), g.detach(), 0)
    weight: Any = conv.weight
    return torch.as_tensor(weight).detach()


def _last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)
