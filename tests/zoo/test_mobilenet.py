"""MobileNet-v2 and CSPMobileNet-v2 against their published files and the README's counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cspbench.network.layers import Shortcut
from cspbench.network.network import Network
from cspbench.zoo.registry import model

NAMES = ("mobilenet-v2", "csmobilenet-v2")


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


@pytest.mark.parametrize(
    ("name", "stored", "millions", "bflops"),
    [("mobilenet-v2", 3_540_136, "3.4708", "0.85822"), ("csmobilenet-v2", 2_568_448, "2.5134", "0.76356")],
)
def test_counts(name: str, stored: int, millions: str, bflops: str) -> None:
    network = model(name).build()
    arrays = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    assert sum(array.size for array in arrays) == stored
    assert f"{sum(array.size for array in arrays if array.role == 'weight') / 1e6:.4f}" == millions
    assert f"{2 * sum(layer.conv for layer in network.operations) / 1e9:.5f}" == bflops
    assert not any(layer.pool_taps for layer in network.operations)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_are_residual_where_shapes_allow(name: str) -> None:
    """Of 17 blocks, all but the first of each of the seven runs."""
    assert sum(isinstance(layer, Shortcut) for layer in model(name).build().layers) == 10
