"""A convolution through spectra is the convolution."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from modules.core_components.ai_models.engines.kokoro.fft_convolution import (
    FftConvolution,
    transforms,
)


@pytest.mark.parametrize(("points", "taps"), [(24, 7), (32, 11), (8, 3)])
def test_products_of_spectra_are_a_correlation(points: int, taps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    x, w = (torch.randn(n, generator=generator, dtype=torch.float64) for n in (points, taps))
    data, weights, back = transforms(points, taps)
    wanted = functional.conv1d(x[None, None], w[None, None])[0, 0]
    torch.testing.assert_close(back @ ((data @ x) * (weights @ w)), wanted)


@pytest.mark.parametrize("taps", [7, 11])
@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize("length", [1, 21, 22, 90, 4001])
def test_it_is_as_exact_as_torchs_own(taps: int, dilation: int, length: int) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(length, 6, generator=generator)
    weight = torch.randn(5, 6, taps, generator=generator)
    bias = torch.randn(5, generator=generator)

    def fill(first: int, last: int, into: Tensor) -> None:
        into.copy_(x[first:last])

    found = FftConvolution(weight, bias, dilation)(length, fill)
    padding = dilation * (taps // 2)
    exact = functional.conv1d(
        x.double().T[None], weight.double(), bias.double(), padding=padding, dilation=dilation
    )[0].T
    assert found.shape == (length, 5)
    assert (found - exact).abs().max() < 2e-6 * exact.abs().max()
