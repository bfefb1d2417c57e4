"""EfficientNet-B0 against its published file and the README's counts, and the official one against timm's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch_arrays import assert_same_outputs

from cspbench.network.builder import Builder
from cspbench.network.counting import ledger
from cspbench.network.layers import Dropout, ScaleChannels
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.zoo.efficientnet import enetb0_trunk
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm

NAMES = ("enetb0",)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


def test_counts() -> None:
    network = model("enetb0").build()
    arrays = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    assert sum(array.size for array in arrays) == 4_890_040
    assert f"{sum(array.size for array in arrays if array.role == 'weight') / 1e6:.4f}" == "4.8084"
    assert f"{2 * sum(layer.conv for layer in network.operations) / 1e9:.5f}" == "0.91492"
    assert not any(layer.pool_taps for layer in network.operations)


def test_every_block_is_gated() -> None:
    assert sum(isinstance(layer, ScaleChannels) for layer in model("enetb0").build().layers) == 16


def test_trunk_returns_the_last_map_of_each_stride() -> None:
    b = Builder("trunk", (3, 224, 224))
    maps = enetb0_trunk(b)
    network = b.network()
    assert [network.shape(index) for index in maps] == [(384, 28, 28), (576, 14, 14), (1280, 7, 7)]


def test_dropout_is_the_trunk_s_to_choose() -> None:
    b = Builder("trunk", (3, 224, 224))
    enetb0_trunk(b, dropout=0.0)
    assert {layer.probability for layer in b.layers if isinstance(layer, Dropout)} == {0.0}


def test_the_official_network_is_timms() -> None:
    theirs = import_timm().create_model("efficientnet_b0")
    network = model("timm/efficientnet_b0").build()
    assert sum(value.numel() for value in theirs.parameters()) == ledger(network).parameters["learnable"]
    assert_same_outputs(to_module(network.resized(64, 64)), theirs, 64)
