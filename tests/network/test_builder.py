"""Each method of the builder appends one layer, which reads the one before it; written out as layers."""

from __future__ import annotations

from typing import Any

import pytest
from refusals import refuses

from cspbench.network.builder import Builder
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Convolution,
    Dropout,
    GaussianYolo,
    Layer,
    LocalAvgPool,
    MaxPool,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)

ANCHORS = ((1.0, 2.0), (3.0, 4.0))
FIRST: tuple[Any, ...] = (1,)
"""What a third layer reads."""

CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Layer]] = [
    ("conv", (8,), {}, Convolution(
        sources=FIRST, filters=8, size=1, stride=(1, 1), padding=0, groups=1, dilation=1, batch_normalize=True,
        bias=True, activation="leaky",
    )),
    ("conv", (8, 3), {}, Convolution(sources=FIRST, filters=8, size=3, padding=1)),
    ("conv", (8, 4), {}, Convolution(sources=FIRST, filters=8, size=4, padding=2)),
    ("conv", (8, 3), {"padding": 0}, Convolution(sources=FIRST, filters=8, size=3, padding=0)),
    ("conv", (8, 3), {"padding": 2}, Convolution(sources=FIRST, filters=8, size=3, padding=2)),
    ("conv", (8,), {"stride": 2}, Convolution(sources=FIRST, filters=8, stride=(2, 2))),
    ("conv", (8,), {"groups": 2}, Convolution(sources=FIRST, filters=8, groups=2)),
    ("conv", (8,), {"activation": "mish"}, Convolution(sources=FIRST, filters=8, activation="mish")),
    ("conv", (8,), {"batch_normalize": False}, Convolution(sources=FIRST, filters=8, batch_normalize=False)),
    ("conv", (8,), {"batch_normalize": False, "bias": False}, Convolution(
        sources=FIRST, filters=8, batch_normalize=False, bias=False
    )),
    ("batchnorm", (), {}, BatchNorm(sources=FIRST)),
    ("activation", ("relu6",), {}, Activation(sources=FIRST, activation="relu6")),
    ("maxpool", (3,), {}, MaxPool(sources=FIRST, size=3, stride=3, padding=2)),
    ("maxpool", (5, 1), {}, MaxPool(sources=FIRST, size=5, stride=1, padding=4)),
    ("local_avgpool", (2,), {}, LocalAvgPool(sources=FIRST, size=2, stride=2, padding=1)),
    ("local_avgpool", (3, 2), {}, LocalAvgPool(sources=FIRST, size=3, stride=2, padding=2)),
    ("avgpool", (), {}, AvgPool(sources=FIRST)),
    ("route", (0,), {}, Route(sources=(0,), groups=1, group_id=0)),
    ("route", (1, 0), {"groups": 2, "group_id": 1}, Route(sources=(1, 0), groups=2, group_id=1)),
    ("shortcut", (0,), {}, Shortcut(sources=(1, 0), activation="linear")),
    ("shortcut", (0, -1), {"activation": "relu"}, Shortcut(sources=(1, 0, -1), activation="relu")),
    ("scale_channels", (0,), {}, ScaleChannels(sources=(1, 0), activation="linear")),
    ("scale_channels", (0,), {"activation": "relu"}, ScaleChannels(sources=(1, 0), activation="relu")),
    ("sam", (0,), {}, Sam(sources=(1, 0), activation="linear")),
    ("sam", (0,), {"activation": "relu"}, Sam(sources=(1, 0), activation="relu")),
    ("upsample", (), {}, Upsample(sources=FIRST, stride=2, bilinear=False)),
    ("upsample", (3,), {"bilinear": True}, Upsample(sources=FIRST, stride=3, bilinear=True)),
    ("dropout", (0.2,), {}, Dropout(sources=FIRST, probability=0.2)),
    ("softmax", (), {}, Softmax(sources=FIRST, groups=1)),
    ("softmax", (), {"groups": 2}, Softmax(sources=FIRST, groups=2)),
    ("yolo", ((1,), ANCHORS), {}, Yolo(
        sources=FIRST, mask=(1,), anchors=ANCHORS, classes=80, scale_x_y=1.0, nms_kind="default", beta_nms=0.6
    )),
    ("yolo", ((0,), ANCHORS), {"classes": 3, "scale_x_y": 1.1, "nms_kind": "diounms", "beta_nms": 0.7}, Yolo(
        sources=FIRST, mask=(0,), anchors=ANCHORS, classes=3, scale_x_y=1.1, nms_kind="diounms", beta_nms=0.7
    )),
    ("yolo", ((0,), ANCHORS), {"gaussian": True}, GaussianYolo(sources=FIRST, mask=(0,), anchors=ANCHORS)),
]  # fmt: skip


@pytest.mark.parametrize("at", range(len(CALLS)), ids=[f"{name}-{at}" for at, (name, *_) in enumerate(CALLS)])
def test_a_method_appends_its_layer_and_returns_its_index(at: int) -> None:
    name, arguments, options, layer = CALLS[at]
    b = Builder("net", (4, 8, 8))
    assert b.last == -1
    assert (b.dropout(0), b.dropout(0)) == (0, 1)
    assert getattr(b, name)(*arguments, **options) == b.last == 2
    assert b.layers[2] == layer


def test_every_method_is_here() -> None:
    methods = {name for name, each in vars(Builder).items() if callable(each) and not name.startswith("_")}
    assert methods - {"add", "network"} == {name for name, *_ in CALLS}


def test_the_network_has_the_name_the_input_and_the_layers() -> None:
    b = Builder("net", (4, 6, 10))
    assert b.add(AvgPool(sources=(-1,))) == 0
    network = b.network()
    assert (network.name, network.input, network.layers) == ("net", (4, 6, 10), (AvgPool(sources=(-1,)),))
    assert Builder("net").input == (3, 256, 256)
    with refuses("network.no-layers", where="net"):
        Builder("net").network()
    b.route(7)
    with refuses("network.unknown-source", where="net, layer 1 [route]", found="layer 7"):
        b.network()
