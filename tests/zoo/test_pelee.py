"""PeleeNet by hand, and what SparsePeleeNet reads."""

from __future__ import annotations

import pytest

from cspbench.network.builder import Builder
from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.zoo.pelee import STAGES, dense_block, everything, exponential, pelee_trunk
from cspbench.zoo.registry import model

WIDTHS = (128, 256, 512, 704)


def weights(network: Network) -> int:
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    return sum(array.size for array in arrays if array.role == "weight")


def two_way(read: int, bottleneck: int) -> int:
    """Weights of a dense layer: two 1x1, two 3x3 of the bottleneck to 16, one of 16 to 16."""
    return 2 * read * bottleneck + 2 * bottleneck * 16 * 9 + 16 * 16 * 9


def test_weights_by_hand() -> None:
    expected = 3 * 32 * 9 + 32 * 16 + 16 * 32 * 9 + 64 * 32
    width = 32
    for depth, bottleneck in STAGES:
        expected += sum(two_way(width + 32 * at, bottleneck) for at in range(depth))
        width += 32 * depth
        expected += width * width
    assert width == 704
    assert weights(model("peleenet").build()) == expected + 704 * 1000


@pytest.mark.parametrize(
    ("count", "read"),
    [
        (1, [0]),
        (2, [0, 1]),
        (3, [1, 2]),
        (4, [0, 2, 3]),
        (5, [1, 3, 4]),
        (8, [0, 4, 6, 7]),
        (9, [1, 5, 7, 8]),
    ],
)
def test_sparse_layers_read_powers_of_two_back(count: int, read: list[int]) -> None:
    """The layer after `count` outputs (the block's input and count - 1 layers) reads these of them."""
    assert list(exponential(range(count))) == read
    assert list(everything(range(count))) == list(range(count))


def test_sparse_weights_by_hand() -> None:
    expected = 3 * 32 * 9 + 32 * 16 + 16 * 32 * 9 + 64 * 32
    width = 32
    for depth, bottleneck in STAGES:
        outputs = [width] + [32] * depth
        for at in range(1, depth + 1):
            # powers of two back from the layer's number, down to the block's input, number 0
            read = sum(outputs[at - step] for step in (1, 2, 4, 8) if at - step >= 0)
            expected += two_way(read, bottleneck)
        width += 32 * depth
        expected += width * width
    assert weights(model("sparsepeleenet").build()) == expected + 704 * 1000


def test_what_the_layers_of_a_sparse_block_read() -> None:
    b = Builder("block", (32, 8, 8))
    b.conv(32)
    dense_block(b, 4, 16, activation="leaky", fetch=exponential)
    network = b.network()
    entries = [0, *(at for at in range(1, len(network.layers)) if network.layers[at].section == "route")]
    ends = [at for at in entries if network.shape(at)[0] == 32 and at > 0]
    outputs = [0, *(at for at in ends if len(network.layers[at].sources) == 2)]
    assert len(outputs) == 5
    joined = [network.layers[at].sources for at in entries if set(network.layers[at].sources) <= set(outputs)]
    reads = [sources for sources in joined if len(sources) > 1]
    second, third, fourth, all_of_them = reads
    assert second == (outputs[0], outputs[1])
    assert third == (outputs[1], outputs[2])
    assert fourth == (outputs[0], outputs[2], outputs[3])
    assert all_of_them == tuple(outputs)


@pytest.mark.parametrize("name", ["peleenet", "sparsepeleenet"])
def test_stage_widths(name: str) -> None:
    network = model(name).build()
    ends = [at for at in range(1, len(network.layers)) if network.layers[at].section == "maxpool"]
    assert [network.shape(at) for at in ends] == [(32, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    (pooled,) = (at for at in range(len(network.layers)) if network.layers[at].section == "avgpool")
    assert network.inputs(pooled) == [(704, 7, 7)]


def test_trunk_returns_the_transitions_before_their_pools() -> None:
    b = Builder("trunk", (3, 416, 416))
    maps = pelee_trunk(b)
    network = b.network()
    assert [network.shape(index) for index in maps] == [(256, 52, 52), (512, 26, 26), (704, 13, 13)]


def test_swish_differs_in_nothing_but_the_activation() -> None:
    plain, swish = model("peleenet").build(), model("peleenet-swish").build()
    assert [layer.section for layer in plain.layers] == [layer.section for layer in swish.layers]
    kinds = {layer.activation for layer in swish.layers if isinstance(layer, Convolution)}
    assert kinds == {"swish", "linear"}
