"""Kokoro's decoder, arranged so that it computes fast: for speaking and for fitting a voice.

The arithmetic is that of `kokoro.istftnet.Decoder` (ISTFTNet with AdaIN), which recomputes weight
norm at every call and convolves in float32 with the channels first. Here the weights are folded
once (in copies), and activations are [1, C, 1, T] with the channels last in memory, where oneDNN's
convolutions and norms are fastest, in bfloat16 where the processor multiplies it natively. The
style may differ from layer to layer: `styles` is [layers, 128], a row for each AdaIN.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.fft_convolution import FftConvolution


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


_LEAK = 0.2  # of the text blocks' leaky ReLU


class FastDecoder:
    """A copy of `KModel.decoder` with a style for each AdaIN layer, computed by `layers`."""

    def __init__(self, decoder: nn.Module, layers: DecoderLayers) -> None:
        self._make = layers
        self.dtype = layers.dtype
        self._decoder: Any = decoder
        self._fc: list[tuple[Tensor, Tensor]] = []
        d: Any = decoder
        self._asr_res = layers.convolution(d.asr_res[0])
        self._blocks = [self._block(block) for block in (d.encode, *d.decode)]
        g = d.generator
        self._noise_res = [self._resblock(block) for block in g.noise_res]
        self._resblocks = [self._resblock(block) for block in g.resblocks]
        self._post = layers.convolution(g.conv_post)
        self._ups = [PlainConvolution(conv, self.dtype) for conv in g.ups]
        self._noise_convs = [PlainConvolution(conv, self.dtype) for conv in g.noise_convs]

    @property
    def layers(self) -> int:
        """The number of AdaIN layers, each of which takes a style."""
        return len(self._fc)

    def __call__(
        self,
        asr: Tensor,
        f0: Tensor,
        energy: Tensor,
        styles: Tensor,
        source: Tensor,
        check_cancelled: Callable[[], None] = lambda: None,
    ) -> Tensor:
        """Audio [n] at 24 kHz.

        `asr` [1, 512, frames] aligned text, `f0` and `energy` [1, 2 * frames], `styles`
        [layers, 128] (or [1, 128] for one style everywhere), `source` from `excitation`.
        `check_cancelled` is called between the blocks; what it raises ends the computation.
        """
        d = self._decoder
        styles = styles.expand(self.layers, -1)
        affine = [functional.linear(s, w, b) for s, (w, b) in zip(styles, self._fc, strict=True)]
        f0_down, n_down = (
            conv(curve[:, None])[:, :, None].to(self.dtype)
            for conv, curve in ((d.F0_conv, f0), (d.N_conv, energy))
        )
        text = channels_last(asr[:, :, None].to(self.dtype))
        x = self._blocks[0](torch.cat([text, f0_down, n_down], 1), affine)
        residual = self._asr_res(text)
        for block in self._blocks[1:]:
            check_cancelled()
            x = block(torch.cat([x, residual, f0_down, n_down], 1), affine)
        return self._generate(x, affine, source.to(self.dtype), check_cancelled)

    def _generate(
        self, x: Tensor, affine: list[Tensor], source: Tensor, check_cancelled: Callable[[], None]
    ) -> Tensor:
        g = self._decoder.generator

        def sounded(block: Any) -> Tensor:
            check_cancelled()
            out: Tensor = block(x, affine)
            return out

        kernels = int(g.num_kernels)
        for i, up in enumerate(self._ups):
            x = functional.leaky_relu(x, 0.1)
            noise = self._noise_res[i](self._noise_convs[i](source), affine)
            x = up(x)
            if i == len(self._ups) - 1:
                x = torch.cat([x[..., 1:2], x], 3)  # ReflectionPad1d((1, 0))
            x = channels_last(self._make.add(x, noise))
            blocks = self._resblocks[i * kernels : (i + 1) * kernels]
            # A stack would put the channels first again, here and in the gradient.
            x = functools.reduce(self._make.add, map(sounded, blocks)) / kernels
        x = self._post(channels_last(functional.leaky_relu(x)))[:, :, 0].float()
        half = int(g.post_n_fft) // 2 + 1
        magnitude, phase = torch.exp(x[:, :half]), torch.sin(x[:, half:])
        audio: Tensor = g.stft.inverse(magnitude, phase)
        return audio.reshape(-1)

    @torch.no_grad()
    def excitation(self, f0: Tensor, generator: torch.Generator) -> Tensor:
        """The harmonic source's spectrum [1, 22, 1, T] for a pitch curve in Hz [1, 2 * frames].

        As in `SineGen` and `SourceModuleHnNSF`, with random numbers of its own generator, which
        is the CPU's: the same seed makes the same noise on every device.
        """
        g = self._decoder.generator
        maker = g.m_source.l_sin_gen
        pitch = g.f0_upsamp(f0[:, None]).transpose(1, 2)
        harmonics = pitch * torch.arange(1, maker.dim + 1).to(pitch)
        turns = (harmonics / maker.sampling_rate) % 1
        start = torch.rand(maker.dim, generator=generator)
        start[0] = 0
        turns[:, 0] += start.to(turns)
        hop = int(maker.upsample_scale)
        turns = functional.interpolate(turns.transpose(1, 2), scale_factor=1 / hop, mode="linear")
        phase = torch.cumsum(turns, dim=2) * 2 * torch.pi * hop
        phase = functional.interpolate(phase, scale_factor=hop, mode="linear").transpose(1, 2)
        voiced = (pitch > maker.voiced_threshold).float()
        level = voiced * maker.noise_std + (1 - voiced) * maker.sine_amp / 3
        noise = level * torch.randn(phase.shape, generator=generator).to(phase)
        waves = torch.sin(phase) * maker.sine_amp * voiced + noise
        merged = torch.tanh(g.m_source.l_linear(waves)).transpose(1, 2).squeeze(1)
        magnitude, angle = g.stft.transform(merged)
        return torch.cat([magnitude, angle], 1)[:, :, None]

    def _add_fc(self, adain: Any) -> int:
        self._fc.append((adain.fc.weight.detach(), adain.fc.bias.detach()))
        return len(self._fc) - 1

    def _block(self, block: Any) -> Any:
        """kokoro.istftnet.AdainResBlk1d."""
        pool = None if block.upsample_type == "none" else PlainConvolution(block.pool, self.dtype)
        rows = self._add_fc(block.norm1), self._add_fc(block.norm2)
        first = self._make.normed(block.conv1, None, _LEAK, pool)
        second = self._make.normed(block.conv2, None, _LEAK, None)
        shortcut = self._make.convolution(block.conv1x1) if block.learned_sc else None

        def run(x: Tensor, affine: list[Tensor]) -> Tensor:
            h = second(first(x, affine[rows[0]]), affine[rows[1]])
            if pool is not None:
                x = x.repeat_interleave(2, dim=3)
            parallel = x if shortcut is None else shortcut(channels_last(x))
            return channels_last(self._make.add(h, parallel) * 2**-0.5)

        return run

    def _resblock(self, block: Any) -> Any:
        """kokoro.istftnet.AdaINResBlock1."""
        steps = []
        for i in range(len(block.convs1)):
            for conv, adain, alpha in (
                (block.convs1[i], block.adain1[i], block.alpha1[i]),
                (block.convs2[i], block.adain2[i], block.alpha2[i]),
            ):
                normed = self._make.normed(conv, alpha.detach().reshape(-1), 0.0, None)
                steps.append((self._add_fc(adain), normed))

        def run(x: Tensor, affine: list[Tensor]) -> Tensor:
            for (row, first), (next_row, second) in zip(steps[::2], steps[1::2], strict=True):
                x = self._make.add(second(first(x, affine[row]), affine[next_row]), x)
            return x

        return run


_BLOCK = 262_144  # numbers; as bfloat16 half a megabyte
_EPSILON = 1e-5  # of the instance norm
# With fewer taps or channels the transforms cost what the products save.
_LEAST_TAPS, _LEAST_CHANNELS = 7, 64


class SpeakingLayers:
    """The decoder's layers without gradient, in as few passes over memory as torch allows.

    For a batch of one, instance norm is batch norm, which torch computes together with scale and
    shift. Snake, y + sin(alpha y)^2 / alpha (Ziyin et al. 2020), becomes (w + sin(w)^2) / alpha
    with w = alpha y: alpha goes into the norm's scale and shift, 1 / alpha into the weights of the
    next convolution. Measured in docs/performance.md.

    With `fft`, convolutions of many taps become products of spectra (`FftConvolution`), in float32.
    `extra_numbers` counts what these need besides copies of the weights.
    """

    def __init__(self, dtype: torch.dtype, fft: bool = False) -> None:
        if fft and dtype != torch.float32:
            raise ValueError(f"FFT convolutions are computed in float32, not {dtype}")
        self.dtype = dtype
        self.extra_numbers = 0
        self._fft = fft

    def convolution(self, conv: nn.Module) -> Callable[[Tensor], Tensor]:
        return self._convolution(conv, None)

    def normed(
        self, conv: nn.Module, alpha: Tensor | None, slope: float, pool: PlainConvolution | None
    ) -> Callable[[Tensor, Tensor], Tensor]:
        if self._fft and alpha is not None and pool is None and has_many_taps(conv):
            return self._normed_by_fft(conv, alpha)
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
                    _add_squared_sine(block)
            return convolve(h if pool is None else channels_last(pool(h)))

        return run

    def _normed_by_fft(self, conv: Any, alpha: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
        weight = folded_weight(conv)
        convolve = FftConvolution(weight / alpha[None, :, None], conv.bias, conv.dilation[0])
        self.extra_numbers += convolve.numbers - weight.numel()

        def run(x: Tensor, affine: Tensor) -> Tensor:
            rows = time_rows(channels_last(x))
            gamma, beta = affine.reshape(2, -1).unbind(0)
            mean, variance = _statistics(rows)
            scale = (1 + gamma) * torch.rsqrt(variance + _EPSILON)
            shift = (beta - mean * scale) * alpha
            scale = scale * alpha

            def activate(first: int, last: int, into: Tensor) -> None:
                pieces = row_blocks(rows[first:last], _BLOCK), row_blocks(into, _BLOCK)
                for piece, place in zip(*pieces, strict=True):
                    torch.addcmul(shift, piece, scale, out=place)
                    _add_squared_sine(place)

            return convolve(len(rows), activate).view(1, 1, *rows.shape).permute(0, 3, 1, 2)

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


def has_many_taps(conv: Any) -> bool:
    channels = min(conv.in_channels, conv.out_channels)
    return conv.kernel_size[0] >= _LEAST_TAPS and channels >= _LEAST_CHANNELS


def _add_squared_sine(rows: Tensor) -> None:
    """Snake, w + sin(w)^2, in place."""
    sine = rows.sin()
    rows.addcmul_(sine, sine)


def _statistics(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance [C] of `rows` [T, C], in one pass; torch.var_mean takes fifteen times as
    long along this axis. The first row is taken off, or a large mean would cost digits."""
    first = rows[0]
    total = torch.zeros(rows.shape[1], dtype=torch.float64, device=rows.device)
    squares = torch.zeros_like(total)
    for block in row_blocks(rows, _BLOCK):
        moved = block - first
        total += moved.sum(0)
        squares += moved.square_().sum(0)
    mean = total / len(rows)
    variance = squares / len(rows) - mean**2
    return (mean + first).float(), variance.clamp_(min=0).float()
