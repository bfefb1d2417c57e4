"""Countings where a rule makes a difference: which layer is the classifier, which activations count, what is pooled.

And the checks between the two counters that no healthy network reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from refusals import refuses
from torch import fx, nn

from cspbench.network import counting, fvcore_counter
from cspbench.network.counting import classifier, count, ledger
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Dropout,
    Implicit,
    Layer,
    LocalAvgPool,
    MultiBox,
    Proposals,
    Region,
    RoiAlign,
    Sam,
    Shape,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.network.module import side_by_side
from cspbench.network.network import Network
from cspbench.network.operations import Operations

ANCHOR = ((1.0, 2.0),)


def point(filters: int, source: int = -1, activation: str = "linear", norm: bool = False) -> Convolution:
    return Convolution(sources=(source,), filters=filters, activation=activation, batch_normalize=norm)


def net(*layers: Layer, shape: Shape = (2, 4, 6)) -> Network:
    return Network("net", shape, layers)


# --- which layer is the classifier

VECTOR = (6, 1, 1)
CLASSIFIERS: dict[str, tuple[Network, int | None]] = {
    "conv of a vector": (net(point(3), AvgPool(sources=(0,)), point(5, 1)), 2),
    "conv before softmax": (net(AvgPool(sources=(-1,)), point(5, 0), Softmax(sources=(1,))), 1),
    "connected of a vector": (net(AvgPool(sources=(-1,)), Connected(sources=(0,), outputs=5)), 1),
    "connected before dropout": (net(Connected(sources=(-1,), outputs=5), Dropout(sources=(0,)), shape=VECTOR), 0),
    "connected of a map": (net(Connected(sources=(-1,), outputs=5)), None),
    "conv of a map": (net(point(5), AvgPool(sources=(0,))), None),
    "conv of a row": (net(point(5), shape=(2, 1, 6)), None),
    "conv of a column": (net(point(5), shape=(2, 4, 1)), None),
    "the first of two is not": (net(AvgPool(sources=(-1,)), point(5, 0), Upsample(sources=(1,)), point(3, 2)), None),
    "no arrays": (net(AvgPool(sources=(-1,)), Dropout(sources=(0,))), None),
    "no kernel": (net(AvgPool(sources=(-1,)), BatchNorm(sources=(0,)), Implicit(sources=(1,), filters=5)), None),
    # a detector over a tiny input: its last convolution reads a map of one pixel
    "yolo": (net(point(6), Yolo(sources=(0,), classes=1, anchors=ANCHOR, mask=(0,)), shape=VECTOR), None),
    "region": (net(point(6), Region(sources=(0,), classes=1, anchors=ANCHOR), shape=VECTOR), None),
    "multibox": (net(point(6), MultiBox(sources=(0,), classes=1, anchors=ANCHOR), shape=VECTOR), None),
    "yolo first": (
        net(Yolo(sources=(-1,), classes=1, anchors=ANCHOR, mask=(0,)), point(5, 0), shape=VECTOR),
        None,
    ),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_classifier_is_the_last_kernel_over_one_pixel(name: str) -> None:
    network, index = CLASSIFIERS[name]
    assert classifier(network) == index


def test_a_published_detector_has_no_classifier_at_any_size() -> None:
    from cspbench.zoo.registry import model

    detector = model("yolov3-tiny").build()
    for side in (416, 64, 32):
        assert classifier(detector.resized(side, side)) is None


# --- by hand

MIXED = net(
    BatchNorm(sources=(-1,)),  # 2 * 4 * 6 = 48
    Activation(sources=(0,), activation="relie"),  # 48
    Connected(sources=(1,), outputs=3, activation="leaky"),  # 3 * 48 = 144, 3 activated; reads a map: no classifier
)
AHEAD = net(
    point(2, norm=True),  # 2 * 6 = 12 values of 1
    Activation(sources=(0,)),  # 12, ahead of the pooling
    AvgPool(sources=(1,)),  # reads 12, writes 2
    point(3, 2),  # 3 * 2 = 6: the classifier
    shape=(1, 2, 3),
)
INSIDE = net(
    point(2, activation="relu", norm=True),  # 12 values of 1, 12 activated within the layer
    AvgPool(sources=(0,)),
    point(3, 1, activation="leaky"),  # 6, 3 activated
    shape=(1, 2, 3),
)
SUMMED = net(
    point(2),  # 12 values of 1
    Shortcut(sources=(0, 0, 0), activation="leaky"),  # 2 * 12 added, 12 activated
    LocalAvgPool(sources=(1,), size=2, stride=1, padding=1),  # 12 windows of 4: 48; reads 12, writes 12
    Shortcut(sources=(2, 0, 1), weighting="per_channel", activation="relu"),  # 2 * 2 * 12, 12 activated
    Upsample(sources=(3,), bilinear=True),  # 48 values of 4
    Sam(sources=(4, 4), activation="tanh"),  # 48 activated
    shape=(1, 2, 3),
)

BY_HAND: list[tuple[Network, str, int]] = [
    (MIXED, "conv", 288),
    (MIXED, "conv+maxpool", 0),
    (MIXED, "conv+maxpool+shortcut", 0),
    (MIXED, "mac", 144),
    (MIXED, "fvcore", 240),  # 144 + 2 * 48
    (MIXED, "thop", 51),  # 48 + 3: relie is a leaky ReLU of another slope
    (MIXED, "mmcv", 147),  # 2 * 48 + 48 + 3
    (MIXED, "sparsenet", 384),  # 288 + 2 * 48
    (MIXED, "elastic", 582),  # 2 * (144 + 2 * 48 + 48 + 3)
    (AHEAD, "conv", 36),  # 2 * (12 + 6)
    (AHEAD, "fvcore", 54),  # 18 + 2 * 12 + 12
    (AHEAD, "thop", 26),  # 12 + 12 + 2
    (AHEAD, "mmcv", 60),  # 12 + 2 * 12 + 12 + 12
    (AHEAD, "sparsenet", 72),  # 36 + 2 * 12 + 12
    (AHEAD, "elastic", 84),  # 2 * (18 + 2 * 12): the activation is a function there
    (INSIDE, "elastic", 114),  # 2 * (18 + 2 * 12 + 12 + 3)
    (INSIDE, "thop", 29),  # 12 + 12 + 2 and 3 leaky: a classifier's activation is no part of its convolution
    (INSIDE, "mmcv", 60),  # 12 + 2 * 12 + 12 + 12
    (SUMMED, "conv", 24),
    (SUMMED, "conv+maxpool", 72),  # 24 + 48
    (SUMMED, "conv+maxpool+shortcut", 144),  # + 2 * 12 + 2 * 2 * 12
    (SUMMED, "mac", 12),
    (SUMMED, "fvcore", 204),  # 12 + 4 * 48
    (SUMMED, "thop", 24),  # 12 + 12 leaky
    (SUMMED, "mmcv", 96),  # 12 + 12 + 12 + 48 activated + 12 read by the pool
    (SUMMED, "sparsenet", 36),  # 24 + 12
    (SUMMED, "elastic", 192),  # 2 * (12 + 12 + 12 + 48 + 12)
]


@pytest.mark.parametrize(("network", "name", "total"), BY_HAND)
def test_by_hand(network: Network, name: str, total: int) -> None:
    assert ledger(network).total(name) == total
    assert count(network).total(name) == total


@pytest.mark.parametrize(
    ("network", "weights", "learnable", "stored"),
    [
        (MIXED, 144, 151, 155),  # + 3 biases + 2 beta + 2 gamma; + 2 means + 2 variances
        (AHEAD, 8, 15, 19),  # 2 + 6; + 2 beta + 2 gamma + 3 biases; + 4 statistics
        (SUMMED, 2, 10, 10),  # + 2 biases + 3 * 2 factors
        (net(Implicit(sources=(-1,), filters=3, atoms=2)), 0, 6, 6),
        (net(Dropout(sources=(-1,))), 0, 0, 0),
    ],
)
def test_parameters_by_hand(network: Network, weights: int, learnable: int, stored: int) -> None:
    assert count(network).parameters == {"weights": weights, "learnable": learnable, "stored": stored}
    assert counting.stored_bytes(network) == 20 + 4 * stored


def test_boxes_and_samples_of_regions_are_no_operations() -> None:
    """Neither counter counts exponentials, additions and maxima that are of coordinates and not of a map."""
    network = net(
        point(1),  # 20 values of 2
        point(4, -1),  # 80 values of 2
        Proposals(sources=(0, 1), anchors=ANCHOR, count=5),
        point(8),  # 160 values of 2
        RoiAlign(sources=(3, 2), bins=2),
        shape=(2, 4, 5),
    )
    counted = count(network)
    assert [operation.conv for operation in counted.operations] == [40, 160, 0, 320, 0]
    assert counted.operations[2] == counted.operations[4] == Operations()


@pytest.mark.parametrize("name", ["", "CONV", "conv ", "flops"])
def test_no_other_counting_is_known(name: str) -> None:
    with refuses("usage.unknown-counting"):
        counting.counting(name)


def test_what_is_known_of_other_networks_changes_no_count() -> None:
    known: fvcore_counter.Traces = {}
    first = count(SUMMED, known)
    learned = len(known)
    assert learned > 0
    again = count(Network("again", SUMMED.input, SUMMED.layers), known)
    assert (again.operations, again.parameters, len(known)) == (first.operations, first.parameters, learned)
    larger = SUMMED.resized(4, 3)
    assert count(larger, known).operations == ledger(larger).operations
    assert len(known) > learned


# --- what only a defect would show


def test_a_wrong_output_shape_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Upsample, "output", lambda self, inputs: (inputs[0][0], 3, 3))
    where = "net, layer 0 [upsample], output"
    with refuses("count.disagree", where=where, expected="(2, 3, 3) by the ledger", found="(2, 8, 12) by fvcore"):
        count(net(Upsample(sources=(-1,))))


@pytest.mark.parametrize("rule", ["weights", "learnable"])
@pytest.mark.parametrize("by", [-1, 1])
def test_each_count_of_parameters_is_held_against_the_module(
    rule: str, by: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = counting.parameters
    monkeypatch.setattr(
        counting, "parameters", lambda network, name: honest(network, name) + (by if name == rule else 0)
    )
    ledger_, fvcore_ = f"{honest(MIXED, rule) + by} by the ledger", f"{honest(MIXED, rule)} by fvcore"
    with refuses("count.disagree", expected=ledger_, found=fvcore_):
        count(MIXED)


def beside(module: fx.GraphModule) -> None:
    """A product of matrices that no module of a layer computes."""
    output = next(node for node in module.graph.nodes if node.op == "output")
    *others, last = output.args[0]
    with module.graph.inserting_before(output):
        product = module.graph.call_function(torch.matmul, (last, last))
    output.args = ((*others, product),)
    module.recompile()


def within(module: fx.GraphModule) -> None:
    """A convolution inside of a layer's module, so that it belongs to both."""
    inner = nn.Sequential(module.get_submodule("layers.0.conv"))
    module.get_submodule("layers.0").add_module("conv", inner)


@pytest.mark.parametrize(("change", "less"), [(beside, True), (within, False)])
def test_calls_outside_of_the_layers_modules_are_found_out(
    change: Callable[[fx.GraphModule], None], less: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fvcore counts as a whole is the sum over the modules: neither more, as here first, nor less."""

    def changed(layers: Sequence[fvcore_counter.Alone]) -> fx.GraphModule:
        module = side_by_side(layers)
        change(module)
        return module

    network = net(point(2), point(2, 0), shape=(3, 4, 4))
    assert count(network).total("mac") == (3 + 2) * 2 * 16
    monkeypatch.setattr(fvcore_counter, "side_by_side", changed)
    with refuses("count.outside-modules") as caught:
        count(network)
    total = int(caught.value.found or "")
    inside = int((caught.value.expected or "").partition(",")[0])
    assert (inside < total) is less
    assert inside != total
