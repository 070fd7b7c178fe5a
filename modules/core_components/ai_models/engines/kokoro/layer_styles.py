"""A style of its own for every AdaIN layer of Kokoro's decoder, applied from outside.

A stock voice gives all 58 AdaIN layers the same 128 numbers. A fitted voice may add an offset to
each layer's copy. Forward hooks add it for the length of a `with` block: the weights are never
touched, and the shared model is as before when the block ends, also after an error. Hold the
model's run lock around the block: the hooks are the model's, not the thread's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def layer_styles(kmodel: Any, offsets: Tensor | None) -> Iterator[None]:
    """Within the block `kmodel` adds `offsets` [layers, 128] to the layers' styles."""
    if offsets is None:
        yield
        return
    layers = adain_layers(kmodel.decoder)
    if tuple(offsets.shape) != (len(layers), 128):
        raise ValueError(f"offsets {tuple(offsets.shape)} for {len(layers)} layers of 128")
    handles = []
    try:
        for layer, offset in zip(layers, offsets, strict=True):
            handles.append(layer.register_forward_pre_hook(_adder(offset)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _adder(offset: Tensor) -> Any:
    def add(_layer: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
        return (args[0] + offset.to(args[0]),)

    return add


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
