"""The input sizes at which a module computes what the module made for that size does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cspbench.export.sizes import step
from cspbench.network.builder import Builder
from cspbench.network.layers import Connected, Convolution
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.zoo.registry import model


def convolutions(side: int) -> Network:
    b = Builder("plain", (3, side, side))
    b.conv(4, 3, stride=2)
    b.conv(4, 3, stride=2)
    return b.network()


def pooled(side: int) -> Network:
    b = Builder("pooled", (3, side, side))
    b.conv(4, 3, stride=2)
    b.maxpool(2, 2)
    b.maxpool(2, 2)
    return b.network()


def joined(side: int) -> Network:
    b = Builder("joined", (3, side, side))
    first = b.conv(4, 3, stride=2)
    b.conv(4, 3, stride=2)
    up = b.upsample()
    b.route(up, first)
    return b.network()


def added(side: int) -> Network:
    """A shortcut of more and one of fewer channels, at the same size."""
    b = Builder("added", (3, side, side))
    first = b.conv(6, 3, stride=2)
    second = b.conv(4, 3)
    b.shortcut(first)
    b.conv(6, 3)
    b.shortcut(second)
    return b.network()


def connected(side: int) -> Network:
    layers = (Convolution(sources=(-1,), filters=4, size=3, padding=1), Connected(sources=(0,), outputs=5))
    return Network("connected", (3, side, side), layers)


def test_the_step_by_hand() -> None:
    """Any size; halves that the pools' borders need; halves that both branches of a route need; none."""
    assert step(convolutions(16)) == 1
    assert step(pooled(16)) == 8
    assert step(joined(16)) == 4
    assert step(added(16)) == 1
    assert step(connected(16)) is None
    assert step(model("csresnext50").build()) == 4
    assert step(model("sample-csp-detector").build()) == 32
    assert step(model("sample-csp-classifier").build()) == 1


@pytest.mark.parametrize("build", [convolutions, pooled, joined, added])
def test_the_module_is_that_of_the_other_size(build: Callable[[int], Network]) -> None:
    network = build(32)
    pixels = step(network)
    assert pixels is not None
    other = network.resized(32 + 3 * pixels, 32 + 5 * pixels)
    module, theirs = to_module(network), to_module(other)
    state = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in module.state_dict().items()
    }
    module.load_state_dict(state)
    theirs.load_state_dict(state)
    x = torch.rand(1, *other.input)
    with torch.inference_mode():
        assert torch.equal(module(x), theirs(x))
