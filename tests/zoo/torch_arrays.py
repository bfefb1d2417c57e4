"""Torch networks with the same random arrays, whoever wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

import torch
from torch import Tensor, nn


@torch.no_grad()
def draw(module: nn.Module) -> nn.Module:
    """Random arrays and statistics, small enough that nothing overflows in a deep network; in eval mode."""
    generator = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        drawn = torch.rand(value.shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            continue
        if name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            value.copy_(0.5 + drawn)
        else:
            value.copy_((2 * drawn - 1) / prod(value.shape[1:]) ** 0.5)
    return module.eval()


@torch.no_grad()
def copy(source: nn.Module, target: nn.Module) -> None:
    """Copy every array in order; a 1x1 convolution takes a linear layer's."""
    given, taken = list(source.state_dict().values()), list(target.state_dict().values())
    assert [each.squeeze().shape for each in given] == [each.squeeze().shape for each in taken]
    for value, array in zip(given, taken, strict=True):
        array.copy_(value.view_as(array))


def image(size: int) -> Tensor:
    """One random image, (1, 3, size, size), of values from 0 to 1."""
    return torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(1))


@contextmanager
def computing() -> Iterator[None]:
    """Forward passes only, on one thread: several wait for each other by spinning, a hundred times as long on a busy
    machine.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_num_threads(before)


def assert_same_outputs(ours: nn.Module, theirs: nn.Module, size: int) -> None:
    """After copying their arrays, both give the same on one image."""
    copy(draw(theirs), ours)
    x = image(size)
    with computing():
        expected, result = theirs(x), ours(x).flatten(1)
    assert expected.std() > 0
    assert (result - expected).abs().max() <= 1e-4 * expected.abs().max()
