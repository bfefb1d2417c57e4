"""What makes a network another one: every setting of every layer that changes what is computed."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from cspbench.network import layers
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    Empty,
    GaussianYolo,
    Implicit,
    Layer,
    Local,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    MultiBox,
    Proposals,
    RefineBox,
    Region,
    Reorg,
    Resize,
    ResponseNorm,
    RoiAlign,
    RoiBox,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Shuffle,
    Softmax,
    Upsample,
    Yolo,
    YoloV1,
    Yolox,
)
from cspbench.network.network import Network, digest

ONE, TWO = ((10.0, 13.0),), ((10.0, 14.0),)
PAIR = (2, 1)
YOLO: dict[str, Any] = {
    "sources": (1,), "anchors": TWO + ONE, "mask": (1,), "scale_x_y": 1.05, "new_coords": True,
    "nms_kind": "greedynms", "beta_nms": 0.5,
}  # fmt: skip

# a layer that reads layer 2 (or 2 and 1), both of the shape given, and another value of each of its settings
CHANGES: list[tuple[Layer, Shape, dict[str, Any]]] = [
    (Activation(sources=(2,)), (2, 4, 6), {"sources": (1,), "activation": "relu6"}),
    (AvgPool(sources=(2,)), (2, 4, 6), {"sources": (1,)}),
    (BatchNorm(sources=(2,)), (2, 4, 6), {"sources": (1,)}),
    (
        Connected(sources=(2,), outputs=3),
        (2, 4, 6),
        {"sources": (1,), "outputs": 4, "batch_normalize": True, "activation": "linear"},
    ),
    (
        Convolution(sources=(2,), filters=4, size=3, padding=1, batch_normalize=False),
        (4, 8, 8),
        {
            "sources": (1,), "filters": 8, "size": 2, "stride": (1, 2), "padding": 2, "groups": 2, "dilation": 2,
            "batch_normalize": True, "bias": False, "activation": "mish", "antialiasing": 1, "share": 1,
        },
    ),
    (Crop(sources=(2,), height=2, width=2), (2, 4, 6), {"sources": (1,), "height": 3, "width": 3, "noadjust": True}),
    (GaussianYolo(sources=(2,), classes=1, anchors=ONE * 2, mask=(0,)), (10, 4, 6), {
        **YOLO, "anchors": TWO * 2, "yolo_point": "left_top",
    }),
    (Empty(sources=(2,)), (2, 4, 6), {"sources": (1,)}),
    (Implicit(sources=(2,), filters=3), (2, 4, 6), {"sources": (1,), "filters": 4, "atoms": 2}),
    (
        Local(sources=(2,), filters=2, size=3),
        (2, 4, 6),
        {"sources": (1,), "filters": 3, "size": 2, "stride": 2, "padding": 1, "activation": "relu"},
    ),
    (
        LocalAvgPool(sources=(2,), size=2, stride=1, padding=1),
        (2, 4, 6),
        {"sources": (1,), "size": 3, "stride": 2, "padding": 0, "horizontal": 2},
    ),
    (Loss(sources=(2,)), (2, 4, 6), {"sources": (1,)}),
    (
        MaxPool(sources=(2,), size=2, stride=1, padding=1),
        (2, 4, 6),
        {"sources": (1,), "size": 3, "stride": 2, "padding": 0, "horizontal": 2, "antialiasing": 1},
    ),
    (MaxPoolDepth(sources=(2,), channels=2), (4, 4, 6), {"sources": (1,), "channels": 1}),
    (
        MultiBox(sources=(2,), classes=1, anchors=ONE),
        (6, 4, 6),
        {"sources": (1,), "anchors": TWO, "step": 8.0, "variances": (0.1, 0.1), "clip": True},
    ),
    (
        Proposals(sources=PAIR, anchors=ONE),
        (1, 4, 6),
        {"anchors": TWO, "stride": 8, "considered": 1000, "count": 100, "overlap": 0.5},
    ),
    (
        RefineBox(sources=(2,), classes=1, anchors=ONE),
        (12, 4, 6),
        {"sources": (1,), "anchors": TWO, "step": 8.0, "variances": (0.2, 0.2), "clip": True},
    ),
    (
        Region(sources=(2,), classes=1, anchors=ONE),
        (6, 4, 6),
        {"sources": (1,), "anchors": TWO, "softmax": True, "coords": 3},
    ),
    (Reorg(sources=(2,)), (4, 4, 8), {"sources": (1,), "stride": 1, "legacy": True, "reverse": True}),
    (
        ResponseNorm(sources=(2,)),
        (4, 4, 6),
        {"sources": (1,), "size": 3, "alpha": 0.1, "beta": 0.5, "kappa": 2.0},
    ),
    (Resize(sources=PAIR), (2, 4, 6), {"sources": (1, 2), "bilinear": True}),
    (RoiAlign(sources=PAIR, bins=1), (4, 4, 1), {"sources": (1, 2), "bins": 2, "stride": 8, "samples": 3}),
    (RoiBox(sources=(2,), classes=1), (10, 4, 1), {"sources": (1,), "variances": (0.1, 0.1)}),
    (Yolox(sources=(2,), classes=1), (6, 4, 1), {"sources": (1,), "strides": (8, 16)}),
    (Route(sources=PAIR, groups=2), (4, 4, 6), {"sources": (1, 2), "groups": 4, "group_id": 1}),
    (Sam(sources=PAIR), (2, 4, 6), {"sources": (1, 2), "activation": "relu"}),
    (ScaleChannels(sources=PAIR), (1, 1, 1), {"sources": (1, 2), "activation": "relu", "per_pixel": True}),
    (
        Shortcut(sources=PAIR, weighting="per_feature"),
        (2, 4, 6),
        {"sources": (1, 2), "activation": "relu", "weighting": "per_channel", "normalization": "relu"},
    ),
    (Shuffle(sources=(2,)), (6, 4, 6), {"sources": (1,), "groups": 3}),
    (Softmax(sources=(2,)), (4, 1, 1), {"sources": (1,), "groups": 2, "temperature": 2.0}),
    (
        Upsample(sources=(2,)),
        (2, 4, 8),
        {"sources": (1,), "stride": 4, "scale": 0.5, "reverse": True, "bilinear": True},
    ),
    (Yolo(sources=(2,), classes=1, anchors=ONE * 2, mask=(0,)), (6, 4, 6), {
        **YOLO, "anchors": TWO * 2,
    }),
    (
        YoloV1(sources=(2,), classes=1, side=2, num=1),
        (3, 2, 2),  # four cells of a class, an objectness and a coordinate
        {"sources": (1,), "softmax": True, "sqrt": True},
    ),
]  # fmt: skip
CASES = [(at, name) for at, (_, _, changes) in enumerate(CHANGES) for name in changes]


def network(shape: Shape, layer: Layer) -> Network:
    """Three layers of one shape, of which one has arrays of the kind that can be shared, and then the layer."""
    own = Convolution(sources=(0,), filters=shape[0], size=3, padding=1, batch_normalize=False)
    return Network("net", shape, (Dropout(sources=(-1,)), own, Dropout(sources=(1,)), layer))


def reading(layer: Layer, shape: Shape) -> Network:
    if isinstance(layer, Proposals):
        offsets = Convolution(sources=(0,), filters=4 * shape[0])
        return Network("net", shape, (Dropout(sources=(-1,)), offsets, Dropout(sources=(0,)), layer))
    return network(shape, layer)


@pytest.mark.parametrize(("at", "name"), CASES, ids=[f"{type(CHANGES[at][0]).__name__}-{name}" for at, name in CASES])
def test_every_setting_of_a_layer_makes_another_network(at: int, name: str) -> None:
    layer, shape, changes = CHANGES[at]
    others: dict[str, Any] = {name: changes[name]}
    if name == "coords":
        others["classes"] = 2  # as many more
    other = replace(layer, **others)
    assert digest(reading(other, shape)) != digest(reading(layer, shape))


def test_no_setting_is_left_out() -> None:
    kinds = {var for var in vars(layers).values() if isinstance(var, type) and issubclass(var, Layer)}
    changed = {type(layer): changes for layer, _, changes in CHANGES}
    # how many values dropout drops is a matter of training alone
    assert kinds - {Layer, layers.Detection, Dropout} == changed.keys()
    for kind, changes in changed.items():
        missing = {field.name for field in fields(kind)} - changes.keys() - {"count_only"}
        if kind is YoloV1:
            missing -= {
                "side",
                "num",
                "coords",
                "anchors",
            }  # one alone does not fit the layer before; it has no anchors
        assert missing <= (
            {"sources"} if kind is Proposals else {"classes"} | ({"anchors"} if kind in (RoiBox, Yolox) else set())
        )


def test_what_is_counted_only_makes_another_network() -> None:
    for layer, shape, _ in CHANGES:
        other = replace(layer, count_only=("xnor=1",))
        assert digest(reading(other, shape)) != digest(reading(layer, shape))


def test_the_number_of_classes_and_of_anchors_makes_another_network() -> None:
    for kind, per_anchor in (
        (Yolo, 5),
        (GaussianYolo, 9),
        (Region, 5),
        (MultiBox, 5),
        (RefineBox, 11),
        (RoiBox, 9),
        (Yolox, 5),
    ):
        variants: list[tuple[int, Any]] = [(1, ONE), (2, ONE), (1, ONE * 2)]
        if kind in (RoiBox, Yolox):  # their boxes are proposals, and points
            variants = [(1, ()), (2, ())]
        made = set()
        for classes, anchors in variants:
            used = len(anchors) or 1
            mask: dict[str, Any] = {"mask": tuple(range(used))} if issubclass(kind, Yolo) else {}
            layer = kind(sources=(0,), classes=classes, anchors=anchors, **mask)
            # of one input, so that only the layers differ
            before = Convolution(sources=(-1,), filters=used * (per_anchor + classes))
            made.add(digest(Network("net", (3, 4, 6), (before, layer))))
        assert len(made) == len(variants)


def test_two_kinds_of_layer_are_two_networks() -> None:
    """Pools of the same window, and heads of the same settings, differ in nothing but their kind."""
    window: dict[str, Any] = {"sources": (2,), "size": 2, "stride": 2, "padding": 0}
    assert digest(network((2, 4, 6), MaxPool(**window))) != digest(network((2, 4, 6), LocalAvgPool(**window)))
    plain = [kind(sources=(2,)) for kind in (AvgPool, BatchNorm, Loss, Softmax, Activation, Dropout)]
    assert len({digest(network((2, 1, 1), layer)) for layer in plain}) == len(plain)


NET = network((3, 4, 6), AvgPool(sources=(2,)))


def test_the_input_and_the_letter_box_make_another_network() -> None:
    """The same layers over another image, or over one prepared otherwise, have other results."""
    others = [
        NET,
        NET.resized(6, 4),
        NET.resized(4, 7),
        NET.resized(5, 6),
        replace(NET, letter_box=True),
        replace(NET, layers=NET.layers[:3]),
        replace(NET, layers=(*NET.layers, Dropout(sources=(3,)))),
        network((4, 4, 6), AvgPool(sources=(2,))),
    ]
    assert len({digest(other) for other in others}) == len(others)


def test_the_input_of_other_channels_makes_another_network() -> None:
    """Where no layer says how many it reads."""
    layers = (Dropout(sources=(-1,)), AvgPool(sources=(0,)))
    assert len({digest(Network("net", (channels, 4, 6), layers)) for channels in (1, 3, 4)}) == 3


def test_names_and_places_do_not() -> None:
    assert digest(replace(NET, name="other")) == digest(NET)
    assert digest(replace(NET, origin="a.cfg:1", places=("a.cfg:5",))) == digest(NET)
    assert digest(network((3, 4, 6), AvgPool(sources=(2,)))) == digest(NET)
