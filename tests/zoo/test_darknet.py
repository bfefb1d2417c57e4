"""DarkNet and CSPDarkNet: equal to the published cfg files, and to the numbers published for them."""

from collections.abc import Callable

import pytest

from cspbench.network.builder import Builder
from cspbench.network.layers import Convolution, MaxPool, Shortcut, Upsample
from cspbench.network.network import Network
from cspbench.zoo.darknet import (
    csdarknet53_trunk,
    darknet53_trunk,
)
from cspbench.zoo.registry import model

STEMS = ("darknet", "darknet53", "csdarknet53", "csdarknet53-gamma", "csdarknet53-omega", "csdarknet53-elastic")


@pytest.mark.parametrize("stem", STEMS)
def test_equals_published_cfg(stem: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(stem, model(stem).build())


# Stored floats (the weight file's length), convolution weights in M, and BFLOPs of the README's row.
TOTALS = {
    "darknet": (7_323_480, "7.3144", "0.96464", "0.96671"),
    "darknet53": (41_645_640, "41.5732", "18.57023", "18.57023"),
    "csdarknet53": (27_677_512, "27.6059", "13.06730", "13.06730"),
    "csdarknet53-gamma": (27_677_512, "27.6059", "13.06730", "13.06730"),
    "csdarknet53-omega": (27_677_512, "27.6059", "13.06730", "13.06730"),
    "csdarknet53-elastic": (19_117_000, "19.0452", "7.74054", "7.74218"),
}


@pytest.mark.parametrize("stem", TOTALS)
def test_published_totals(stem: str) -> None:
    network = model(stem).build()
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    weights = sum(array.size for array in arrays if array.role == "weight")
    conv = sum(2 * layer.conv for layer in network.operations)
    taps = sum(layer.pool_taps for layer in network.operations)
    floats, in_millions, in_bflops, with_maxpool = TOTALS[stem]
    assert network.name == stem
    assert sum(array.size for array in arrays) == floats
    assert f"{weights / 1e6:.4f}" == in_millions
    assert f"{conv / 1e9:.5f}" == in_bflops
    assert f"{(conv + taps) / 1e9:.5f}" == with_maxpool


@pytest.mark.parametrize("trunk", [darknet53_trunk, csdarknet53_trunk])
def test_trunk_returns_strides_8_16_32(trunk: Callable[[Builder], tuple[int, int, int]]) -> None:
    b = Builder("trunk", (3, 64, 96))
    indices = trunk(b)
    network = b.network()
    assert [network.shape(index) for index in indices] == [(256, 8, 12), (512, 4, 6), (1024, 2, 3)]
    assert indices[-1] == b.last


def test_partial_and_elastic_keep_the_residual_blocks() -> None:
    def shortcuts(network: Network) -> list[tuple[int, int]]:
        shapes = enumerate(network.layers)
        return [network.shape(index)[1:] for index, layer in shapes if isinstance(layer, Shortcut)]

    residual, partial, elastic = (model(name).build() for name in ("darknet53", "csdarknet53", "csdarknet53-elastic"))
    assert shortcuts(residual) == shortcuts(partial) == shortcuts(elastic)


def test_elastic_pools_and_enlarges_in_every_block() -> None:
    layers = model("csdarknet53-elastic").build().layers
    assert [sum(isinstance(layer, kind) for layer in layers) for kind in (MaxPool, Upsample, Shortcut)] == [23] * 3


def test_omega_is_mish_throughout() -> None:
    convolutions = [layer for layer in model("csdarknet53-omega").build().layers if isinstance(layer, Convolution)]
    assert {layer.activation for layer in convolutions[:-1]} == {"mish"}
    assert convolutions[-1].activation == "linear"
