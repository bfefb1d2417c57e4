"""A network as a whole: what it refuses at its limits, what it says of its layers, and how two of them differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from refusals import refuses

from cspbench.errors import DefinitionError
from cspbench.network.layers import (
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Dropout,
    Layer,
    MaxPool,
    MultiBox,
    Region,
    Route,
    Shape,
    Shortcut,
    Upsample,
    Yolo,
)
from cspbench.network.network import Network, difference

INT = 2**31 - 1
SAME = Dropout(sources=(-1,))
MEAN = AvgPool(sources=(-1,))


def point(filters: int, source: int = -1, **others: Any) -> Convolution:
    return Convolution(sources=(source,), filters=filters, **others)


# --- limits

# a prime, so that a map or an array of so many values has one long side
ALLOWED: dict[str, tuple[Shape, tuple[Layer, ...]]] = {
    "input of one value": ((1, 1, 1), (SAME,)),
    "input and map": ((1, 1, INT), (SAME,)),
    "high input": ((1, INT, 1), (SAME,)),
    "array": ((1, 1, INT), (Connected(sources=(-1,), outputs=1),)),
    "map ahead of its blur": ((1, 1, INT), (point(1, stride=(1, 2), antialiasing=1),)),
}
REFUSED: dict[str, tuple[Shape, tuple[Layer, ...], str]] = {
    "no channels": ((0, 8, 8), (SAME,), "0x8x8"),
    "no height": ((3, 0, 8), (SAME,), "3x0x8"),
    "no width": ((3, 8, 0), (SAME,), "3x8x0"),
    "two negative sides": ((3, -8, -8), (SAME,), "3x-8x-8"),
    "input": ((2, 2**15, 2**15), (MEAN,), "2x32768x32768"),
    "map": ((1, 2**15, 2**15), (point(2),), "2147483648"),
    "enlarged map": ((2, 2**14, 2**14), (Upsample(sources=(-1,)),), "2147483648"),
    "array": ((1, 2**15, 2**15), (Connected(sources=(-1,), outputs=2),), "2147483648"),
    "kernel": ((2**15, 1, 1), (point(2**16),), "2147483648"),
    "map ahead of its blur": ((1, 2**15, 2**15), (point(2, stride=(2, 2), antialiasing=1),), "2147483648"),
    "pooled map ahead of its blur": (
        (1, 2**15, 2**16 - 1),
        (MaxPool(sources=(-1,), size=2, stride=2, padding=2, antialiasing=1),),
        str((2**15 + 1) * 2**16),
    ),
    "the second layer's map": ((1, 2**15, 2**15), (SAME, point(2, 0)), "2147483648"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_the_most_that_darknet_can_index_is_allowed(name: str) -> None:
    shape, layers = ALLOWED[name]
    assert Network("net", shape, layers).shape(-1) == shape


@pytest.mark.parametrize("name", REFUSED)
def test_one_more_is_refused(name: str) -> None:
    shape, layers, result = REFUSED[name]
    with pytest.raises(DefinitionError) as caught:
        Network("net", shape, layers)
    assert caught.value.code in ("network.input-out-of-range", "network.too-large")
    assert caught.value.found == result
    assert caught.value.where


def test_no_layers_are_no_network() -> None:
    with refuses("network.no-layers", where="net.cfg:1", found="none"):
        Network("net", (3, 8, 8), (), origin="net.cfg:1")


@pytest.mark.parametrize("source", [-3, -2, 1, 2, 3])
def test_a_layer_reads_the_input_or_what_lies_before_it(source: int) -> None:
    with refuses("network.unknown-source", where="net, layer 1 [route]", found=f"layer {source}"):
        Network("net", (3, 8, 8), (SAME, Route(sources=(0, source))))
    assert Network("net", (3, 8, 8), (SAME, Route(sources=(0, -1)))).shape(1) == (6, 8, 8)


def test_the_first_layer_reads_the_input_only() -> None:
    with refuses("network.unknown-source", where="net, layer 0 [dropout]", found="layer 0"):
        Network("net", (3, 8, 8), (Dropout(sources=(0,)),))


# --- shared arrays

OWN = point(4, size=3, padding=1, groups=2, batch_normalize=False)


def sharing(channels: int = 4, **others: Any) -> Network:
    """A convolution of 4 channels, a map of `channels`, and a convolution that shares the first one's arrays."""
    width = point(channels, 0)
    settings = {"size": 3, "padding": 1, "groups": 2, "batch_normalize": False, "share": 0, **others}
    return Network("net", (4, 9, 9), (OWN, width, point(settings.pop("filters", 4), 1, **settings)))


@pytest.mark.parametrize(
    "others",
    [
        {},
        {"activation": "mish"},
        {"stride": (2, 1)},
        {"padding": 0},
        {"dilation": 2},
        {"antialiasing": 1, "stride": (2, 2)},
    ],
)
def test_shared_arrays_are_used_in_another_way(others: dict[str, Any]) -> None:
    assert sharing(**others).weights(2) == ()


@pytest.mark.parametrize(
    ("others", "found"),
    [
        ({"filters": 2}, "filters 2"),
        ({"size": 5, "padding": 2}, "size 5"),
        ({"groups": 1}, "groups 1"),
        ({"batch_normalize": True}, "batch_normalize True"),
        ({"bias": False}, "bias False"),
        ({"channels": 2}, "channels 2"),
        ({"channels": 8}, "channels 8"),
        ({"filters": 8, "groups": 4}, "filters 8, groups 4"),
    ],
)
def test_arrays_of_another_shape_cannot_be_shared(others: dict[str, Any], found: str) -> None:
    with refuses("network.share-shape", found=found):
        sharing(**others)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ((point(3, share=-1),), "layer -1"),
        ((point(3, share=0),), "layer 0"),
        ((point(3, share=1), point(3, 0)), "layer 1"),
        ((SAME, point(3, 0, share=0)), "layer 0"),
        ((point(3), point(3, 0, share=0), point(3, 1, share=1)), "layer 1"),
        ((Connected(sources=(-1,), outputs=3), point(3, 0, share=0)), "layer 0"),
    ],
)
def test_only_an_earlier_convolution_with_arrays_of_its_own_is_shared(layers: tuple[Layer, ...], found: str) -> None:
    with refuses("network.unknown-share", found=found):
        Network("net", (3, 4, 4), layers)


# --- what it says of its layers


def test_shapes_inputs_and_places() -> None:
    layers = (point(4, stride=(2, 1)), MaxPool(sources=(-1,), size=2, stride=2, padding=0), Route(sources=(0, 0)))
    network = Network("net", (3, 6, 10), layers, places=("a.cfg:5", "a.cfg:9"))
    assert [network.shape(index) for index in range(-1, 3)] == [(3, 6, 10), (4, 3, 10), (3, 3, 5), (8, 3, 10)]
    assert network.inputs(2) == [(4, 3, 10), (4, 3, 10)]
    assert network.place(0) == "a.cfg:5, layer 0 [convolutional]"
    assert network.place(1) == "a.cfg:9, layer 1 [maxpool]"
    assert network.place(2) == "net, layer 2 [route]"
    assert [weight.role for weight in network.weights(0)] == ["bias", "scale", "mean", "variance", "weight"]
    larger = network.resized(12, 8)
    assert (larger.input, larger.shape(0), network.input) == ((3, 12, 8), (4, 6, 8), (3, 6, 10))
    with refuses("network.window-too-large", found="6x4"):
        Network("net", (3, 6, 10), (point(4, size=5),)).resized(6, 4)
    assert (replace(network, name="other").name, replace(network, name="other") == network) == ("other", False)


def test_the_box_layers_of_every_kind_in_order() -> None:
    anchors = ((1.0, 2.0),)
    layers = (
        point(6),
        Yolo(sources=(0,), classes=1, anchors=anchors, mask=(0,)),
        Region(sources=(0,), classes=1, anchors=anchors),
        point(6, 2),
        MultiBox(sources=(3,), classes=1, anchors=anchors),
    )
    assert Network("net", (3, 4, 4), layers).detections == (1, 2, 4)
    assert Network("net", (3, 4, 4), layers[:1]).detections == ()


# --- how two differ

NET = Network("one", (3, 6, 10), (point(4), BatchNorm(sources=(0,)), Shortcut(sources=(1, 0))))


@pytest.mark.parametrize(
    "other",
    [
        NET,
        replace(NET, name="other"),
        NET.resized(8, 12),
        replace(NET, origin="a.cfg:1", places=("a.cfg:2",)),
    ],
)
def test_networks_of_one_definition_do_not_differ(other: Network) -> None:
    assert difference(NET, other) is None
    assert difference(other, NET) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (replace(NET, input=(4, 6, 10)), ("input channels", "one has 3", "two has 4")),
        (replace(NET, layers=(point(5), *NET.layers[1:2])), ("layer 0 ", "filters", "one has 4", "two has 5")),
        (replace(NET, layers=(point(4, stride=(2, 1)),)), ("stride", "one has 1,1", "two has 2,1")),
        (replace(NET, layers=(*NET.layers[:1], SAME)), ("layer 1", "[batchnorm]", "[dropout]")),
        (replace(NET, layers=NET.layers[:2]), ("one has 3", "two has 2")),
        (replace(NET, layers=(*NET.layers, MEAN)), ("one has 3", "two has 4")),
        (replace(NET, letter_box=True), ("letter_box", "one has 0", "two has 1")),
    ],
)
def test_the_first_difference_is_named(other: Network, words: tuple[str, ...]) -> None:
    text = difference(NET, replace(other, name="two"))
    assert text is not None
    assert all(word in text for word in words), text
    labelled = difference(NET, other, ("mine", "theirs"))
    assert labelled == text.replace("one has", "mine has").replace("two has", "theirs has")
