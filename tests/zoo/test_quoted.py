"""The quoted detectors: totals by hand, by both counters and beside what their papers print; maps and anchors."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from refusals import refuses

from cspbench.network.builder import Builder
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.counting import count, ledger
from cspbench.network.layers import Convolution, MultiBox, Proposals, RefineBox
from cspbench.zoo import registry
from cspbench.zoo.registry import model
from cspbench.zoo.thundernet import ANCHORS, snet

# Weights, learnable parameters, multiply-adds.
TOTALS = {
    "snet49-thundernet": (1_135_969, 1_147_810, 260_953_840),
    "snet146-thundernet": (1_854_329, 1_873_858, 502_544_960),
    "pelee-304": (5_959_264, 5_981_012, 1_283_950_080),
    "refinedetlite": (35_210_656, 35_294_220, 7_290_612_224),
}


@pytest.mark.parametrize("name", TOTALS)
def test_totals_by_both_counters(name: str) -> None:
    counted = count(registry.model(name).build())
    result = (counted.parameters["weights"], counted.parameters["learnable"], counted.total("mac"))
    assert result == TOTALS[name]


def test_every_quoted_detector_has_its_totals_here() -> None:
    quoted = [model for model in registry.MODELS.values() if model.detector_protocol]
    assert [model.name for model in quoted] == list(TOTALS)
    assert [model.definition for model in quoted] == ["paper", "paper", "paper", "stand-in"]


@pytest.mark.parametrize("name", TOTALS)
def test_darknet_has_no_such_network(name: str) -> None:
    with refuses("cfg.not-expressible") as caught:
        cfg_writer.write(registry.model(name).build())
    assert (caught.value.where or "").endswith(("[multibox]", "[resize]", "[shuffle]"))


@pytest.mark.parametrize("name", [name for name in TOTALS if name != "pelee-304"])
def test_another_input_fits(name: str) -> None:
    """Whose sides strides do not divide."""
    network = registry.model(name).build()
    other = network.resized(300, 340)
    assert other.shape(other.detections[0])[0] == network.shape(network.detections[0])[0]


def convolution(read: int, filters: int, size: int, side: int, groups: int = 1) -> int:
    return read // groups * filters * size**2 * side**2


# --- Pelee


def test_pelee_multiply_adds_by_hand() -> None:
    """Stem, four stages of two-way layers with their transitions, extra maps, residual blocks and heads."""
    expected = convolution(3, 32, 3, 152) + convolution(32, 16, 1, 152) + convolution(16, 32, 3, 76)
    expected += convolution(64, 32, 1, 76)
    width = 32
    for depth, inner, side in ((3, 16, 76), (4, 32, 38), (8, 64, 19), (6, 64, 10)):
        for _ in range(depth):
            expected += 2 * convolution(width, inner, 1, side) + 2 * convolution(inner, 16, 3, side)
            expected += convolution(16, 16, 3, side)
            width += 32
        expected += convolution(width, width, 1, side)
    expected += convolution(704, 256, 1, 10) + convolution(256, 256, 3, 5)
    expected += convolution(256, 128, 1, 5) + convolution(128, 256, 3, 3)
    expected += convolution(256, 128, 1, 3) + convolution(128, 256, 3, 1)
    for read, side in ((512, 19), (704, 10), (256, 5), (256, 3), (256, 1)):
        expected += convolution(read, 256, 1, side) + convolution(read, 128, 1, side)
        expected += convolution(128, 128, 3, side) + convolution(128, 256, 1, side)
    expected += sum(convolution(256, 6 * (4 + 81), 1, side) for side in (19, 19, 10, 5, 3, 1))
    assert ledger(model("pelee-304").build()).total("mac") == expected == TOTALS["pelee-304"][2]


def test_pelee_beside_its_paper() -> None:
    counted = ledger(model("pelee-304").build())
    assert f"{counted.parameters['learnable'] / 1e6:.2f}" == "5.98"
    # the paper prints 1,290 million and 2.58 billion
    assert counted.total("mac") / 1_290e6 == pytest.approx(1, abs=0.005)
    assert counted.total("conv") / 2.58e9 == pytest.approx(1, abs=0.005)


def test_pelee_reads_the_arrays_in_its_authors_order() -> None:
    """In a dense layer of theirs the branch with one 3x3 comes first; in Darknet's PeleeNet the one with two."""
    orders = []
    for network in (model("pelee-304").build(), model("peleenet").build()):
        sizes = [layer.size for layer in network.layers if isinstance(layer, Convolution)]
        orders.append(sizes[4:9])  # behind the four of the stem
    assert orders == [[1, 3, 1, 3, 3], [1, 3, 3, 1, 3]]


def test_pelee_heads() -> None:
    network = model("pelee-304").build()
    assert [network.shape(at) for at in network.detections] == [(510, side, side) for side in (19, 19, 10, 5, 3, 1)]
    layers = [network.layers[at] for at in network.detections]
    assert all(isinstance(layer, MultiBox) and (layer.used, layer.classes) == (6, 80) for layer in layers)
    kinds = {layer.activation for layer in network.layers if isinstance(layer, Convolution)}
    assert kinds == {"relu", "linear"}
    pools = [layer.section for layer in network.layers if "pool" in layer.section]
    assert pools == ["maxpool", "local_avgpool", "local_avgpool", "local_avgpool"]


# --- ThunderNet


def unit(width: int, side: int) -> int:
    half = width // 2
    return 2 * convolution(half, half, 1, side) + convolution(half, half, 5, side, half)


def downsampling(read: int, width: int, side: int) -> int:
    half = width // 2
    total = convolution(read, read, 5, side, read) + convolution(read, read, 1, side)
    total += convolution(read, half, 1, 2 * side) + convolution(half, half, 5, side, half)
    return total + convolution(half, width - read, 1, side)


def trunk(widths: Sequence[int], last: int | None) -> int:
    total, read = convolution(3, 24, 3, 160), 24
    for width, depth, side in zip(widths, (4, 8, 4), (40, 20, 10), strict=True):
        total += downsampling(read, width, side) + (depth - 1) * unit(width, side)
        read = width
    return total + (convolution(read, last, 1, 10) if last else 0)


@pytest.mark.parametrize(
    ("name", "widths", "last", "published", "apart"),
    [
        ("snet49-thundernet", (60, 120, 240), 512, 262e6, -0.004),
        ("snet146-thundernet", (132, 264, 528), None, 470e6, 0.069),
    ],
)
def test_thundernet_multiply_adds_by_hand(
    name: str, widths: tuple[int, int, int], last: int | None, published: float, apart: float
) -> None:
    _, c4, c5 = widths
    c5 = last or c5
    expected = trunk(widths, last)
    expected += convolution(c4, 245, 1, 20) + convolution(c5, 245, 1, 10) + convolution(c5, 245, 1, 1)
    expected += convolution(245, 245, 5, 20, 245) + convolution(245, 256, 1, 20)
    expected += convolution(256, 25 + 100 + 245, 1, 20)
    expected += 200 * (245 * 1024 + 1024 * (81 + 4))
    result = ledger(model(name).build()).total("mac")
    assert result == expected
    assert result / published - 1 == pytest.approx(apart, abs=0.001)


def test_snet_maps() -> None:
    for widths, last in (((60, 120, 240), 512), ((132, 264, 528), None)):
        b = Builder("snet", (3, 224, 224))
        c4, c5 = snet(b, widths, last)
        network = b.network()
        assert (network.shape(c4), network.shape(c5)) == ((widths[1], 14, 14), (last or widths[2], 7, 7))
        kernels = [layer.size for layer in network.layers if isinstance(layer, Convolution) and layer.groups > 1]
        assert kernels == [5] * (4 + 8 + 4 + 3)


def test_thundernet_anchors() -> None:
    """Five areas in five shapes: heights and widths as in the paper, shape by shape."""
    assert len(ANCHORS) == 25
    assert ANCHORS[10:15] == tuple((float(side), float(side)) for side in (32, 64, 128, 256, 512))
    assert [round(height / width, 4) for width, height in ANCHORS[::5]] == [0.5, 0.75, 1, 1.3333, 2]
    assert all(width * height == pytest.approx(32.0**2) for width, height in ANCHORS[::5])
    network = model("snet49-thundernet").build()
    (layer,) = (layer for layer in network.layers if isinstance(layer, Proposals))
    assert (layer.stride, layer.considered, layer.count, layer.overlap) == (16, 2000, 200, 0.7)


# --- RefineDetLite


def test_refinedetlite_trunk_is_the_published_one() -> None:
    network, classifier = model("refinedetlite").build(), model("res2netlite72").build()
    body = len(classifier.layers) - 3  # without its classifier's pool, convolution and softmax
    assert network.layers[:body] == classifier.layers[:body]


def test_refinedetlite_heads() -> None:
    network = model("refinedetlite").build()
    assert [network.shape(at) for at in network.detections] == [(5 * 91, side, side) for side in (20, 10, 5, 3)]
    layers = [network.layers[at] for at in network.detections]
    assert all(isinstance(layer, RefineBox) for layer in layers)
    assert [layer.step for layer in layers if isinstance(layer, RefineBox)] == [16, 32, 64, 107]
    assert [layer.anchors[0] for layer in layers if isinstance(layer, RefineBox)] == [
        (side, side) for side in (32.0, 64.0, 128.0, 256.0)
    ]
    one = layers[0]
    assert isinstance(one, RefineBox)
    assert [round(width / height, 4) for width, height in one.anchors] == [1, 2, 0.5, 3, 0.3333]


def test_refinedetlite_multiply_adds_by_hand() -> None:
    classifier = model("res2netlite72").build().resized(320, 320)
    expected = sum(operation.conv for operation in classifier.operations[:-2])
    maps = ((576, 20), (1152, 10), (512, 5), (512, 3))
    for read, side in ((1152, 10), (512, 5)):
        after = (side + 1) // 2
        expected += (
            convolution(read, 128, 1, side) + convolution(128, 128, 3, after, 2) + convolution(128, 512, 1, after)
        )
    for read, side in maps:
        expected += convolution(read, 256, 3, side) + convolution(256, 256, 3, side)
        for entry, outputs in ((read, 5 * 4), (read, 5 * 2), (256, 5 * 4), (256, 5 * 81)):
            expected += convolution(entry, 256, 1, side) + convolution(entry, 128, 1, side)
            expected += convolution(128, 128, 3, side) + convolution(128, 256, 1, side)
            expected += convolution(256, outputs, 1, side)
    assert ledger(model("refinedetlite").build()).total("mac") == expected
