"""Res2NetLite-72 against its published file and the README's counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from building import built

from cspbench.network.network import Network
from cspbench.zoo.registry import model
from cspbench.zoo.res2net import res2netlite72

NAMES = ("res2netlite72",)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


def test_counts() -> None:
    network = model("res2netlite72").build()
    arrays = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    conv, taps = (sum(getattr(layer, kind) for layer in network.operations) for kind in ("conv", "pool_taps"))
    assert sum(array.size for array in arrays) == 21_026_856
    assert f"{sum(array.size for array in arrays if array.role == 'weight') / 1e6:.4f}" == "20.9218"
    assert f"{2 * conv / 1e9:.5f}" == "5.18378"
    assert f"{(2 * conv + taps) / 1e9:.5f}" == "5.18468"


def test_slices_accumulate() -> None:
    """In the first block: the slice left alone, the first convolved one, and the two that add the one before."""
    network = model("res2netlite72").build()
    assert network.layers[15].sources == (6, 8, 11, 14)
    assert [network.layers[index].sources for index in (10, 13)] == [(9, 8), (12, 11)]


@pytest.mark.parametrize(("scale", "channels"), [(1, 288), (2, 576), (6, 1728)])
def test_scale_widens_the_stages(scale: int, channels: int) -> None:
    network = built(res2netlite72, 224, scale=scale)
    assert network.shape(len(network.layers) - 4) == (channels, 7, 7)
