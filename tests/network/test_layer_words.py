"""What a layer is where nobody sets it, and what `show` says of it."""

from __future__ import annotations

from dataclasses import MISSING, fields

import pytest

from cspbench.network import layers
from cspbench.network.layers import (
    Activation,
    Connected,
    Convolution,
    Crop,
    Dropout,
    Implicit,
    Layer,
    MaxPool,
    MaxPoolDepth,
    Proposals,
    Region,
    Reorg,
    Resize,
    RoiAlign,
    RoiBox,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Shuffle,
    Upsample,
    Yolo,
)

LAST = (-1,)
PAIR = (1, 0)
ANCHORS = ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0))

DEFAULTS: dict[type[Layer], dict[str, object]] = {
    layers.Activation: {"activation": "relu"},
    layers.AvgPool: {},
    layers.BatchNorm: {},
    layers.Connected: {"batch_normalize": False, "activation": "logistic"},
    layers.Convolution: {
        "size": 1, "stride": (1, 1), "padding": 0, "groups": 1, "dilation": 1, "batch_normalize": True, "bias": True,
        "activation": "leaky", "antialiasing": 0, "share": None,
    },
    layers.Crop: {"height": 1, "width": 1, "noadjust": False},
    layers.Dropout: {"probability": 0.5},
    layers.Empty: {"count_only": ()},
    layers.GaussianYolo: {
        "classes": 80, "anchors": (), "mask": (), "scale_x_y": 1.0, "new_coords": False, "nms_kind": "default",
        "beta_nms": 0.6, "yolo_point": "center",
    },
    layers.Implicit: {"atoms": 1},
    layers.Local: {"size": 1, "stride": 1, "padding": 0, "activation": "logistic"},
    layers.LocalAvgPool: {"horizontal": None},
    layers.Loss: {},
    layers.MaxPool: {"horizontal": None, "antialiasing": 0},
    layers.MaxPoolDepth: {},
    layers.MultiBox: {"classes": 80, "anchors": (), "step": None, "variances": (0.1, 0.2), "clip": False},
    layers.Proposals: {"stride": 16, "considered": 2000, "count": 200, "overlap": 0.7},
    layers.RefineBox: {"classes": 80, "anchors": (), "step": None, "variances": (0.1, 0.2), "clip": False},
    layers.Region: {"classes": 80, "anchors": (), "softmax": False, "coords": 4},
    layers.Reorg: {"stride": 2, "legacy": False, "reverse": False},
    layers.Resize: {"bilinear": False},
    layers.ResponseNorm: {"size": 5, "alpha": 0.0001, "beta": 0.75, "kappa": 1.0},
    layers.RoiAlign: {"bins": 7, "stride": 16, "samples": 2},
    layers.RoiBox: {"classes": 80, "anchors": (), "variances": (0.1, 0.2)},
    layers.Route: {"groups": 1, "group_id": 0},
    layers.Sam: {"activation": "linear"},
    layers.ScaleChannels: {"activation": "linear", "per_pixel": False},
    layers.Shortcut: {"activation": "linear", "weighting": "none", "normalization": "none"},
    layers.Shuffle: {"groups": 2},
    layers.Softmax: {"groups": 1, "temperature": 1.0},
    layers.Upsample: {"stride": 2, "scale": 1.0, "reverse": False, "bilinear": False},
    layers.Yolo: {
        "classes": 80, "anchors": (), "mask": (), "scale_x_y": 1.0, "new_coords": False, "nms_kind": "default",
        "beta_nms": 0.6,
    },
    layers.YoloV1: {"classes": 1, "side": 7, "num": 1, "coords": 1, "softmax": False, "sqrt": False},
}  # fmt: skip


@pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)
def test_defaults(kind: type[Layer]) -> None:
    defaults = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
    assert defaults.items() >= DEFAULTS[kind].items()


def test_no_kind_of_layer_is_left_out() -> None:
    kinds = {var for var in vars(layers).values() if isinstance(var, type) and issubclass(var, Layer)}
    assert kinds - {Layer, layers.Detection, layers.Yolox} == DEFAULTS.keys()


DESCRIBED: list[tuple[Layer, tuple[str, ...], tuple[str, ...]]] = [
    # the layer, words that describe it, words that describe another
    (Convolution(sources=LAST, filters=8), ("8 1x1", "leaky"), ("/", "groups", "dilation", "bias", "bare", "blur")),
    (Convolution(sources=LAST, filters=8, size=3, stride=(2, 2), groups=2), ("8 3x3", "/2", "groups 2"), ("bias",)),
    (Convolution(sources=LAST, filters=8, stride=(2, 1)), ("/(2, 1)",), ()),
    (Convolution(sources=LAST, filters=8, size=3, padding=1, dilation=2), ("dilation 2",), ("groups",)),
    (Convolution(sources=LAST, filters=8, batch_normalize=False), ("bias",), ("bare",)),
    (Convolution(sources=LAST, filters=8, batch_normalize=False, bias=False), ("bare",), ("bias",)),
    (Convolution(sources=LAST, filters=8, antialiasing=1), ("blur 3x3",), ()),
    (Convolution(sources=LAST, filters=8, antialiasing=2), ("blur 2x2",), ()),
    (Convolution(sources=LAST, filters=8, share=0), ("shares 0",), ()),
    (Connected(sources=LAST, outputs=5, activation="relu"), ("5", "relu"), ()),
    (Activation(sources=LAST, activation="mish"), ("mish",), ()),
    (MaxPool(sources=LAST, size=3, stride=2, padding=2), ("3x3/2",), ()),
    (MaxPool(sources=LAST, size=3, stride=2, padding=2, horizontal=1), ("3x3/(2, 1)",), ()),
    (MaxPoolDepth(sources=LAST, channels=4), ("4",), ()),
    (layers.Local(sources=LAST, filters=8, size=3, stride=2), ("8 3x3/2", "logistic"), ()),
    (layers.ResponseNorm(sources=LAST, size=7), ("7 channels",), ()),
    (layers.YoloV1(sources=LAST, side=3, num=2, classes=5), ("3x3 cells", "2 boxes", "5 classes"), ("anchors",)),
    (Reorg(sources=LAST, stride=3, reverse=True), ("x3",), ("/",)),
    (Route(sources=LAST, groups=4, group_id=1), ("2/4",), ()),
    (Shortcut(sources=PAIR, activation="relu"), ("relu",), ("none",)),
    (
        Shortcut(sources=PAIR, weighting="per_channel", normalization="softmax", activation="mish"),
        ("per_channel", "softmax", "mish"),
        (),
    ),
    (ScaleChannels(sources=PAIR, activation="relu"), ("relu",), ()),
    (Sam(sources=PAIR, activation="logistic"), ("logistic",), ()),
    (Upsample(sources=LAST, stride=3), ("x3",), ("bilinear", "1/3")),
    (Upsample(sources=LAST, stride=3, bilinear=True), ("x3", "bilinear"), ()),
    (Upsample(sources=LAST, stride=3, reverse=True), ("1/3",), ("x3",)),
    (Resize(sources=PAIR, bilinear=True), ("bilinear",), ()),
    (Resize(sources=PAIR), (), ("bilinear",)),
    (Shuffle(sources=LAST, groups=3), ("3",), ()),
    (Reorg(sources=LAST, stride=3), ("/3",), ("legacy",)),
    (Reorg(sources=LAST, stride=3, legacy=True), ("/3", "legacy"), ()),
    (Crop(sources=LAST, height=2, width=5), ("2x5",), ("5x2",)),
    (Dropout(sources=LAST, probability=0.25), ("0.25",), ()),
    (Implicit(sources=LAST, filters=4, atoms=3), ("4x3",), ()),
    (Yolo(sources=LAST, classes=7, anchors=ANCHORS, mask=(0, 2)), ("0,2", "7 classes"), ("scale_x_y",)),
    (Yolo(sources=LAST, anchors=ANCHORS, mask=(1,), scale_x_y=1.05), ("scale_x_y 1.05",), ()),
    (Region(sources=LAST, classes=7, anchors=ANCHORS), ("3 anchors", "7 classes"), ()),
    (RoiBox(sources=LAST, classes=7), ("7 classes",), ("anchors",)),
    (Proposals(sources=PAIR, anchors=ANCHORS, count=9, overlap=0.65), ("9", "3", "0.65"), ()),
    (RoiAlign(sources=PAIR, bins=5), ("5x5",), ()),
]


@pytest.mark.parametrize("case", range(len(DESCRIBED)), ids=lambda at: f"{DESCRIBED[at][0].section}-{at}")
def test_a_description_names_what_is_set(case: int) -> None:
    layer, there, absent = DESCRIBED[case]
    text = layer.describe()
    assert all(words in text for words in there), text
    assert not any(words in text for words in absent), text
