"""DenseNet-201 against its published files and against sums worked by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cspbench.network.network import Network
from cspbench.zoo.registry import model

NAMES = ("densenet201", "icfg-densenet201-leaky")


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


def test_weights_by_hand() -> None:
    """Each dense layer on c channels has 128 c + 128 * 32 * 9 weights; each transition is one matrix."""
    expected = 3 * 64 * 49
    for entry, depth, following in ((64, 6, 128), (128, 12, 256), (256, 48, 512), (512, 32, 1000)):
        expected += sum(128 * (entry + 32 * at) + 36_864 for at in range(depth))
        expected += (entry + 32 * depth) * following
    network = model("densenet201").build()
    weights = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    assert sum(weight.size for weight in weights if weight.role == "weight") == expected


def test_dense_layer_puts_its_own_channels_first() -> None:
    network = model("densenet201").build()
    assert network.layers[4].sources == (3, 1)
    assert network.shape(4) == (96, 64, 64)


def test_third_transition_takes_more_than_half() -> None:
    network = model("densenet201").build()
    assert [network.shape(index)[0] for index in (203, 204, 205)] == [1792, 512, 512]


def test_activation_comparison_lacks_only_the_cost_layer() -> None:
    assert model("densenet201").build().layers[:-1] == model("icfg-densenet201-leaky").build().layers
