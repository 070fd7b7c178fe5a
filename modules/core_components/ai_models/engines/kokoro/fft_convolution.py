"""Convolutions of many taps with fewer multiplications, for processors without AMX.

The convolutions of Kokoro's vocoder already run at the peak of an AVX2 processor, so they get
faster only by computing less. A convolution is a product of spectra: time is cut into overlapping
tiles (overlap-save), and a tile of 32 samples gives 22 outputs of an 11-tap convolution for 47
multiplications for each pair of channels instead of 242. The discrete Fourier transform of so few
samples is a small matrix, and the products of all tiles at one frequency are a matrix product over
the channels, so all of it is matrix multiplication. Complex products take three real ones (Gauss).
The points lie on the unit circle: in float32 the rounding is that of the direct sum, unlike with
the real points of Winograd's algorithm at this many taps. The idea: Mathieu, Henaff, LeCun,
"Fast Training of Convolutional Networks through FFTs", 2013; figures are in docs/performance.md.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

_TILES = 64  # transformed at once: a few megabytes, which stay in the cache
# Writes the input's rows from a first to a last one into a tensor of that size.
FillRows = Callable[[int, int, Tensor], None]


@functools.lru_cache(maxsize=8)
def transforms(points: int, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices D [products, points], W [products, taps] and B [points - taps + 1, products].

    For x [points] and w [taps], B @ ((D @ x) * (W @ w)) is their correlation, where all taps lie on
    x. `points` is even. float64.
    """
    samples = torch.arange(points, dtype=torch.float64)
    data, weights, back = [], [], []
    for frequency in range(points // 2 + 1):
        angle = 2 * math.pi * frequency / points * samples
        cosine, sine = angle.cos(), angle.sin()
        if frequency in (0, points // 2):  # real
            data.append(cosine)
            weights.append(cosine)
            back.append(cosine / points)
            continue
        # (a - ib)(c + id) with a, b of the data and c, d of the weights, in three products.
        data += [cosine - sine, cosine, -sine]
        weights += [cosine, sine - cosine, cosine + sine]
        back += [2 * (cosine - sine) / points, -2 * sine / points, -2 * cosine / points]
    outputs = points - taps + 1
    return torch.stack(data), torch.stack(weights)[:, :taps], torch.stack(back, 1)[:outputs]


class FftConvolution:
    """A convolution in time of stride 1 whose result is as long as its input, in float32.

    `weight` [out, in, taps] with an odd number of taps, `bias` [out] or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int) -> None:
        self._taps = weight.shape[2]
        points = 8 * round(3 * self._taps / 8)  # more: larger transforms and weights
        data, weights, back = transforms(points, self._taps)
        self._data, self._back = data.to(weight), back.to(weight)
        spectra = torch.einsum("rk,oik->rio", weights.to(weight.device), weight.double())
        self._spectra = spectra.float().contiguous()  # [products, in, out]
        self._bias = bias if bias is not None else weight.new_zeros(weight.shape[0])
        self._dilation = dilation

    @property
    def numbers(self) -> int:
        """How many numbers the transformed weights hold."""
        return self._spectra.numel()

    def __call__(self, length: int, fill: FillRows) -> Tensor:
        """The result [length, out] for an input of `length` rows.

        `fill` is called for the rows [first, last) of the input shortly before they are needed, a
        few of them twice: what computes them meanwhile needs no memory beyond the cache.
        """
        dilation = self._dilation
        outputs, (products, points) = self._back.shape[0], self._data.shape
        _, channels, made = self._spectra.shape
        # With a dilation of d, d tiles lie interleaved in a span of d times as many rows.
        span, reach = outputs * dilation, (self._taps - 1) * dilation
        spans = -(-length // span)
        at_once = min(spans, max(1, _TILES // dilation))
        empty = self._spectra.new_empty
        result = empty(spans * span, made)
        rows = empty(at_once * span + reach, channels)
        cut, spectra = (empty(n * at_once * dilation * channels) for n in (points, products))
        multiplied, back = (empty(n * at_once * dilation * made) for n in (products, outputs))
        for start in range(0, spans, at_once):
            count = min(at_once, spans - start)
            tiles = count * dilation
            _fill_padded(rows, start * span - reach // 2, length, fill)
            row = dilation * channels
            overlapping = rows.as_strided((points, count, row), (row, span * channels, 1))
            x = cut[: points * count * row]
            x.view(points, count, row).copy_(overlapping)
            y = spectra[: products * tiles * channels]
            torch.mm(self._data, x.view(points, -1), out=y.view(products, -1))
            z = multiplied[: products * tiles * made]
            torch.bmm(
                y.view(products, tiles, channels),
                self._spectra,
                out=z.view(products, tiles, made),
            )
            sums = back[: outputs * tiles * made]
            torch.mm(self._back, z.view(products, -1), out=sums.view(outputs, -1))
            torch.add(
                sums.view(outputs, count, dilation, made).transpose(0, 1),
                self._bias,
                out=result[start * span :][: count * span].view(count, outputs, dilation, made),
            )
        return result[:length]


def _fill_padded(rows: Tensor, first: int, length: int, fill: FillRows) -> None:
    """Fills `rows` with the input's from `first` on, and with zeros where it has none."""
    before = max(0, -first)
    last = min(length, first + len(rows))
    rows[:before] = 0
    fill(first + before, last, rows[before : last - first])
    rows[last - first :] = 0
