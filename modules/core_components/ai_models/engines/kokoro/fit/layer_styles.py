"""A style of its own for every AdaIN layer of Kokoro's decoder, and the nearest one for all.

A stock voice gives all 58 AdaIN layers the same 128 numbers. A fitted voice may add an offset to
each layer's copy, which `FastDecoder` takes; Kokoro voice packs have no place for it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


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
