"""HarDNet's connections, widths and the figures of its paper."""

from __future__ import annotations

import pytest
from building import built

from cspbench.network.counting import ledger
from cspbench.network.layers import Convolution
from cspbench.zoo.hardnet import STAGES_138S, Stage, hardnet, harmonic_links, harmonic_width
from cspbench.zoo.registry import model


@pytest.mark.parametrize(
    ("layer", "read"),
    [(1, [0]), (2, [1, 0]), (3, [2]), (4, [3, 2, 0]), (6, [5, 4]), (8, [7, 6, 4, 0]), (16, [15, 14, 12, 8, 0])],
)
def test_links(layer: int, read: list[int]) -> None:
    assert harmonic_links(layer) == read


def test_widths_grow_with_the_factors_of_two() -> None:
    assert [harmonic_width(layer, 30) for layer in (1, 2, 3, 4, 8, 12, 16)] == [30, 48, 30, 76, 122, 76, 196]


def test_widths_of_blocks_and_transitions() -> None:
    """Of 138s, as worked out from the paper: input and output of each block, what the transitions read and write."""
    network = model("hardnet138s").build()
    routes = [network.shape(at)[0] for at, layer in enumerate(network.layers) if layer.section == "route"]
    for width in (306, 612, 700, 1400, 1028, 1308, 1548, 3096, 1748, 1924):
        assert width in routes
    made = [layer.filters for layer in network.layers if isinstance(layer, Convolution)]
    for width in (264, 592, 872, 1112, 1312, 1488):
        assert width in made


# The paper's Table 4: layers in the name, millions of parameters; multiply-adds (G) as counted, printed 2.5, 4.9, 6.7.
@pytest.mark.parametrize(
    ("name", "growth", "stages", "parameters", "macs"),
    [
        ("96", 20, (Stage(1, 8), Stage(1, 16), Stage(2, 16), Stage(1, 16)), "9.3", "2.478"),
        ("117", 26, (Stage(1, 8), Stage(1, 16), Stage(3, 16), Stage(1, 16)), "20.9", "4.827"),
        ("138", 30, STAGES_138S, "35.5", "6.674"),
    ],
)
def test_the_papers_three(name: str, growth: int, stages: tuple[Stage, ...], parameters: str, macs: str) -> None:
    network = built(hardnet, 224, stages, growth)
    counted = ledger(network)
    assert sum(isinstance(layer, Convolution) for layer in network.layers) == int(name)
    assert f"{counted.parameters['learnable'] / 1e6:.1f}" == parameters
    assert f"{counted.total('mac') / 1e9:.3f}" == macs
