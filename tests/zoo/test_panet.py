"""PANet-SPP detectors: equal to the published cfg files, and to the numbers published for them."""

from collections.abc import Callable

import pytest

from cspbench.network.builder import Builder
from cspbench.network.layers import Convolution, Route, Sam, Yolo
from cspbench.network.network import Network, difference
from cspbench.zoo import panet
from cspbench.zoo.registry import model

PUBLISHED = (
    "csresnext50-panet-spp",
    "csresnext50-panet-spp-giou",
    "csresnext50-panet-spp-original-optimal",
    "csdarknet53-panet-spp",
    "cd53paspp-gamma",
    "csresnet50-panet-spp",
    "yolov4",
)
WITHOUT_FILE = (
    "csresnext50-panet-spp-giou-optimal",
    "csresnext50-panet-spp-sam",
)
STEMS = PUBLISHED + WITHOUT_FILE


@pytest.mark.parametrize("stem", PUBLISHED)
def test_equals_published_cfg(stem: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(stem, model(stem).build())


# Stored floats (the weight file's length), and BFLOPs with max pooling by input size.
RESNEXT = (57_030_845, {416: "47.090", 512: "71.331", 608: "100.588"})
DARKNET = (64_429_405, {416: "60.129", 512: "91.082", 608: "128.440"})
RESNET = (58_399_933, {416: "49.305", 512: "74.687", 608: "105.320"})
TOTALS = {
    "csresnext50-panet-spp": RESNEXT,
    "csresnext50-panet-spp-giou": RESNEXT,
    "csresnext50-panet-spp-original-optimal": RESNEXT,
    "csresnext50-panet-spp-giou-optimal": RESNEXT,
    "csresnext50-panet-spp-sam": (58_414_269, {512: "72.942", 608: "102.860"}),
    "csdarknet53-panet-spp": DARKNET,
    "cd53paspp-gamma": DARKNET,
    "csresnet50-panet-spp": RESNET,
    "yolov4": DARKNET,
}


@pytest.mark.parametrize("stem", TOTALS)
def test_published_totals(stem: str) -> None:
    network = model(stem).build()
    floats, bflops = TOTALS[stem]
    assert network.name == stem
    assert sum(array.size for index in range(len(network.layers)) for array in network.weights(index)) == floats
    for size, printed in bflops.items():
        operations = network.resized(size, size).operations
        assert f"{sum(2 * layer.conv + layer.pool_taps for layer in operations) / 1e9:.3f}" == printed


@pytest.mark.parametrize("stem", STEMS)
def test_heads_run_from_stride_8_to_32(stem: str) -> None:
    network = model(stem).build()
    size = network.input[1]
    heads = [(network.layers[index], network.shape(index)) for index in network.detections]
    assert [shape for _, shape in heads] == [(255, size // stride, size // stride) for stride in (8, 16, 32)]
    assert [layer.mask for layer, _ in heads if isinstance(layer, Yolo)] == [(0, 1, 2), (3, 4, 5), (6, 7, 8)]


def test_optimal_anchors() -> None:
    assert [pixels for anchor in panet.ANCHORS_512 for pixels in anchor] == [
        *(12, 16, 19, 36, 40, 28),
        *(36, 75, 76, 55, 72, 146),
        *(142, 110, 192, 243, 459, 401),
    ]


def test_giou_optimal_has_the_layers_of_original_optimal() -> None:
    giou, optimal = (model(f"csresnext50-panet-spp-{name}").build() for name in ("giou-optimal", "original-optimal"))
    assert difference(giou, optimal) is None
    assert giou.input == optimal.input


def test_sam_gates_the_last_3x3_of_each_head() -> None:
    network, base = model("csresnext50-panet-spp-sam").build(), model("csresnext50-panet-spp-original-optimal").build()
    gates = [index for index, layer in enumerate(network.layers) if isinstance(layer, Sam)]
    assert [network.shape(index)[0] for index in gates] == [256, 512, 1024]
    assert [index + 2 for index in gates] == list(network.detections)
    for index in gates:
        gated, gate = network.layers[index - 2], network.layers[index - 1]
        assert network.layers[index].sources == (index - 1, index - 2)
        assert isinstance(gated, Convolution)
        assert (gated.size, gated.activation) == (3, "leaky")
        assert isinstance(gate, Convolution)
        assert (gate.size, gate.activation, gate.batch_normalize) == (1, "logistic", True)
    assert len(network.layers) == len(base.layers) + 2 * len(gates)


def test_heads_for_other_classes_and_anchors() -> None:
    b = Builder("one class", (3, 8, 8))
    b.conv(4)
    panet.head(b, 8, panet.Boxes(masks=((0, 1),), classes=1), 0)
    assert b.network().shape(b.last) == (2 * (5 + 1), 8, 8)


def test_spatial_pyramid_puts_the_widest_window_first() -> None:
    b = Builder("pyramid", (3, 16, 16))
    b.conv(4)
    last = panet.spatial_pyramid(b, (3, 5))
    layer = b.network().layers[last]
    assert isinstance(layer, Route)
    assert layer.sources == (3, 1, 0)
    assert b.network().shape(last) == (12, 16, 16)
