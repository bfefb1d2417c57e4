"""CSPPeleeNet against the bars of the CSPNet paper's Figure 7, and the partial split."""

from __future__ import annotations

import pytest
from building import built

from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.zoo.csp_pelee import csp_stage, csppelee_trunk, csppeleenet
from cspbench.zoo.pelee import Stage
from cspbench.zoo.registry import model


def bars(network: Network) -> list[float]:
    """Billions of operations of each layer of the backbone at 416x416 that the figure draws: all but the routes."""
    network = network.resized(416, 416)
    ends = [layer.section for layer in network.layers].index("avgpool")
    layers = list(zip(network.layers, network.operations, strict=True))[:ends]
    return [(2 * each.conv + each.pool_taps) / 1e9 for layer, each in layers if layer.section != "route"]


def test_the_figure_has_a_bar_for_each_layer() -> None:
    assert (len(bars(model("csppeleenet").build())), len(bars(model("peleenet").build()))) == (114, 117)


def test_the_bars_read_from_the_figure() -> None:
    result = bars(model("csppeleenet").build())
    assert [at for at, bar in enumerate(result) if round(bar, 4) == 0.1994] == [17, 42, 87]
    assert [round(result[at], 4) for at in (19, 44, 89)] == [0.0886, 0.0886, 0.0886]


def test_the_most_expensive_layer_is_44_percent_cheaper() -> None:
    mine, theirs = max(bars(model("csppeleenet").build())), max(bars(model("peleenet").build()))
    assert f"{mine:.4f} {theirs:.4f}" == "0.1994 0.3544"
    assert mine / theirs - 1 == pytest.approx(-0.4375)


def test_weights_by_hand() -> None:
    expected = 3 * 32 * 9 + 32 * 32 + 32 * 16 + 16 * 32 * 9
    for read, depth, bottleneck, opening in ((64, 2, 16, 0), (128, 4, 32, 1), (256, 8, 64, 1), (512, 4, 64, 1)):
        half = read // 2
        expected += opening * read * read  # the transition behind the pool
        expected += 2 * read * half  # part 1 and part 2
        for at in range(depth):
            expected += 2 * (half + 32 * at) * bottleneck + 2 * bottleneck * 16 * 9 + 16 * 16 * 9
        expected += (half + 32 * depth) ** 2  # the transition of the block
    expected += 640 * 640 + 640 * 1000
    network = model("csppeleenet").build()
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    assert sum(array.size for array in arrays if array.role == "weight") == expected


def test_trunk_returns_the_concatenations_before_their_pools() -> None:
    b = Builder("trunk", (3, 224, 224))
    maps = csppelee_trunk(b)
    network = b.network()
    assert [network.shape(index) for index in maps] == [(256, 28, 28), (512, 14, 14), (640, 7, 7)]


@pytest.mark.parametrize(("gamma", "part1"), [(0.25, 32), (0.5, 64), (0.75, 96)])
def test_gamma_is_the_share_that_passes_by(gamma: float, part1: int) -> None:
    b = Builder("stage", (128, 8, 8))
    end, width = csp_stage(b, 128, Stage(3, 16), gamma=gamma, activation="leaky")
    network = b.network()
    bypass, transition1 = network.layers[end].sources
    assert bypass == 0
    assert network.shape(bypass)[0] == part1
    assert network.shape(transition1)[0] == 128 - part1 + 3 * 32
    assert network.shape(end)[0] == width == 128 + 3 * 32


def test_a_smaller_gamma_costs_more() -> None:
    """The reconstruction under the paper's other gamma, as worked out when it was made (spec: 1.013)."""
    network = built(csppeleenet, 224, gamma=0.25)
    total = sum(2 * operation.conv + operation.pool_taps for operation in network.operations)
    assert f"{total / 1e9:.3f}" == "1.013"
