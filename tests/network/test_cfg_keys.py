"""Every section without keys has Darknet's defaults (its parser.c), and every key changes one setting of its layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from refusals import refuses

from cspbench.network import cfg
from cspbench.network.cfg_sections import READERS
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    GaussianYolo,
    Implicit,
    Layer,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    Region,
    Reorg,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)

LAST = (1,)


def read(section: str, keys: str = "", shape: Shape = (4, 6, 12)) -> Layer:
    """The layer of a section, the third: the two before it hand on an input of this shape."""
    channels, height, width = shape
    net = f"[net]\nchannels={channels}\nheight={height}\nwidth={width}\n[dropout]\n[dropout]\n"
    return cfg.parse(f"{net}[{section}]\n{keys}", "small", "small.cfg").network.layers[2]


ANCHOR = ((0.5, 0.5),)

# section: keys that have no default, the input's shape, the layer
BARE: dict[str, tuple[str, Shape, Layer]] = {
    "activation": ("", (4, 6, 12), Activation(sources=LAST, activation="linear")),
    "avgpool": ("", (4, 6, 12), AvgPool(sources=LAST)),
    "batchnorm": ("", (4, 6, 12), BatchNorm(sources=LAST)),
    "connected": ("", (4, 6, 12), Connected(sources=LAST, outputs=1, batch_normalize=False, activation="logistic")),
    "contrastive": ("", (4, 6, 12), Loss(sources=LAST)),
    "convolutional": (
        "",
        (4, 6, 12),
        Convolution(
            sources=LAST,
            filters=1,
            size=1,
            stride=(1, 1),
            padding=0,
            groups=1,
            dilation=1,
            batch_normalize=False,
            bias=True,
            activation="logistic",
            antialiasing=0,
            share=None,
        ),
    ),
    "cost": ("", (4, 6, 12), Loss(sources=LAST)),
    "crop": ("", (4, 6, 12), Crop(sources=LAST, height=1, width=1, noadjust=False)),
    "dropout": ("", (4, 6, 12), Dropout(sources=LAST, probability=0.5)),
    "Gaussian_yolo": (
        "",
        (29, 6, 12),  # 4 + 4 + 1 and 20 classes
        GaussianYolo(
            sources=LAST,
            classes=20,
            anchors=ANCHOR,
            mask=(0,),
            scale_x_y=1.0,
            new_coords=False,
            nms_kind="default",
            beta_nms=0.6,
            yolo_point="center",
        ),
    ),
    "implicit": ("", (4, 6, 12), Implicit(sources=LAST, filters=128, atoms=1)),
    "local_avgpool": ("", (4, 6, 12), LocalAvgPool(sources=LAST, size=1, stride=1, padding=0)),
    "maxpool": ("", (4, 6, 12), MaxPool(sources=LAST, size=1, stride=1, padding=0)),
    "region": ("", (25, 6, 12), Region(sources=LAST, classes=20, anchors=ANCHOR, softmax=False)),
    "reorg": ("", (4, 6, 12), Reorg(sources=LAST, stride=1, legacy=True)),
    "reorg3d": ("", (4, 6, 12), Reorg(sources=LAST, stride=1, legacy=False)),
    "route": ("layers=0\n", (4, 6, 12), Route(sources=(0,), groups=1, group_id=0)),
    "sam": ("from=0\n", (4, 6, 12), Sam(sources=(1, 0), activation="linear")),
    "scale_channels": (
        "from=0\n",
        (4, 1, 1),
        ScaleChannels(sources=(1, 0), activation="linear", per_pixel=False),
    ),
    "shortcut": (
        "from=0\n",
        (4, 6, 12),
        Shortcut(sources=(1, 0), activation="linear", weighting="none", normalization="none"),
    ),
    "softmax": ("", (4, 6, 12), Softmax(sources=LAST, groups=1, temperature=1.0)),
    "upsample": ("", (4, 6, 12), Upsample(sources=LAST, stride=2, scale=1.0, reverse=False)),
    "yolo": (
        "",
        (25, 6, 12),
        Yolo(
            sources=LAST,
            classes=20,
            anchors=ANCHOR,
            mask=(0,),
            scale_x_y=1.0,
            new_coords=False,
            nms_kind="default",
            beta_nms=0.6,
        ),
    ),
}


@pytest.mark.parametrize("section", BARE)
def test_a_section_without_keys_has_darknets_defaults(section: str) -> None:
    keys, shape, layer = BARE[section]
    assert read(section, keys, shape) == layer


def test_every_section_is_here() -> None:
    assert BARE.keys() == READERS.keys()


# section: each key with the settings that it changes; what a key needs beside it stands with it
KEYS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "activation": [("activation=mish", {"activation": "mish"})],
    "connected": [
        ("output=7", {"outputs": 7}),
        ("batch_normalize=1", {"batch_normalize": True}),
        ("activation=leaky", {"activation": "leaky"}),
    ],
    "convolutional": [
        ("filters=7", {"filters": 7}),
        ("size=3", {"size": 3}),
        ("size=3\npad=1", {"size": 3, "padding": 1}),
        ("size=6\npad=1", {"size": 6, "padding": 3}),
        ("size=2\npad=1", {"size": 2, "padding": 1}),
        ("pad=1\npadding=2", {"padding": 0}),  # a half of size 1
        ("pad=0\npadding=2", {"padding": 2}),
        ("stride=2", {"stride": (2, 2)}),
        ("stride_x=2", {"stride": (1, 2)}),
        ("stride_y=2", {"stride": (2, 1)}),
        ("stride=3\nstride_x=2", {"stride": (3, 2)}),
        ("stride=3\nstride_y=2", {"stride": (2, 3)}),
        ("stride_x=2\nstride_y=3", {"stride": (3, 2)}),
        ("filters=2\ngroups=2", {"filters": 2, "groups": 2}),
        ("size=3\npad=1\ndilation=2", {"size": 3, "padding": 1, "dilation": 2}),
        ("dilation=2", {}),  # a point cannot be dilated
        ("batch_normalize=1", {"batch_normalize": True}),
        ("activation=mish", {"activation": "mish"}),
        ("antialiasing=1", {"antialiasing": 1}),
        ("antialiasing=2", {"antialiasing": 2}),
        *((f"{key}=0", {}) for key in ("xnor", "binary", "flipped", "rotate", "sway", "stretch", "dot", "reverse")),
    ],
    "crop": [("crop_height=3", {"height": 3}), ("crop_width=5", {"width": 5}), ("noadjust=1", {"noadjust": True})],
    "dropout": [("probability=.25", {"probability": 0.25})],
    "implicit": [("filters=3", {"filters": 3}), ("atoms=2", {"atoms": 2})],
    "local_avgpool": [
        ("size=3", {"size": 3, "padding": 2}),
        ("stride=3", {"size": 3, "stride": 3, "padding": 2}),
        ("size=2\nstride=3", {"size": 2, "stride": 3, "padding": 1}),
        ("size=3\npadding=1", {"size": 3, "padding": 1}),
    ],
    "maxpool": [
        ("size=5", {"size": 5, "padding": 4}),
        ("stride=3", {"size": 3, "stride": 3, "padding": 2}),
        ("stride=2", {"size": 2, "stride": 2, "padding": 1}),
        ("size=3\nstride=2", {"size": 3, "stride": 2, "padding": 2}),
        ("size=3\nstride=2\nstride_x=2\nstride_y=2", {"size": 3, "stride": 2, "padding": 2}),
        ("size=3\npadding=0", {"size": 3, "padding": 0}),
        ("size=3\npadding=3", {"size": 3, "padding": 3}),
        ("maxpool_depth=0\nout_channels=2", {}),
        ("antialiasing=0", {}),
    ],
    "region": [("softmax=1", {"softmax": True}), ("anchors=3,4", {"anchors": ((3, 4),)})],
    "reorg": [("stride=2", {"stride": 2})],
    "reorg3d": [("stride=3", {"stride": 3})],
    "route": [
        ("groups=2", {"groups": 2}),
        ("groups=2\ngroup_id=1", {"groups": 2, "group_id": 1}),
    ],
    "sam": [("activation=relu", {"activation": "relu"})],
    "scale_channels": [("activation=relu", {"activation": "relu"})],
    "shortcut": [
        ("activation=mish", {"activation": "mish"}),
        ("weights_type=per_feature", {"weighting": "per_feature"}),
        ("weights_type=per_layer", {"weighting": "per_feature"}),
        ("weights_type=per_channel", {"weighting": "per_channel"}),
        ("weights_type=none", {}),
        ("weights_normalization=softmax", {}),  # nothing to normalise
        *(
            (f"weights_type=per_channel\n{key}={word}", {"weighting": "per_channel", "normalization": kind})
            for key in ("weights_normalization", "weights_normalizion")
            for word, kind in (("relu", "relu"), ("avg_relu", "relu"), ("softmax", "softmax"), ("none", "none"))
        ),
    ],
    "softmax": [("groups=4", {"groups": 4}), ("temperature=.5", {"temperature": 0.5})],
    "upsample": [
        ("stride=3", {"stride": 3}),
        ("stride=1", {"stride": 1}),
        ("stride=-2", {"stride": 2, "reverse": True}),
        ("scale=.5", {"scale": 0.5}),
    ],
    "Gaussian_yolo": [("yolo_point=left_top", {"yolo_point": "left_top"}), ("scale_x_y=1.1", {"scale_x_y": 1.1})],
    "yolo": [
        ("anchors=3,4", {"anchors": ((3, 4),)}),
        ("anchors=3,4,5,6", {"anchors": ((3, 4),)}),  # as many as num says
        ("num=2\nmask=1", {"anchors": ANCHOR * 2, "mask": (1,)}),
        ("num=2\nmask=1,\nanchors=1,2,3.5,4", {"anchors": ((1, 2), (3.5, 4)), "mask": (1,)}),
        ("scale_x_y=1.2", {"scale_x_y": 1.2}),
        ("new_coords=1", {"new_coords": True}),
        ("nms_kind=diounms", {"nms_kind": "diounms"}),
        ("beta_nms=.7", {"beta_nms": 0.7}),
    ],
}


@pytest.mark.parametrize(
    ("section", "at"), [(section, at) for section, keys in KEYS.items() for at in range(len(keys))]
)
def test_a_key_changes_its_setting_and_no_other(section: str, at: int) -> None:
    needed, shape, bare = BARE[section]
    keys, changes = KEYS[section][at]
    assert read(section, f"{needed}{keys}\n", shape) == replace(bare, **changes)


@pytest.mark.parametrize("number", ["1", "2", "-1", "1.5"])
def test_any_number_but_zero_switches_on(number: str) -> None:
    layer = read("convolutional", f"batch_normalize={number}\n")
    assert isinstance(layer, Convolution)
    assert layer.batch_normalize
    layer = read("convolutional", "batch_normalize=0\n")
    assert isinstance(layer, Convolution)
    assert not layer.batch_normalize


def test_a_pool_over_depth() -> None:
    depth = "maxpool_depth=1\n"
    assert read("maxpool", depth) == MaxPoolDepth(sources=LAST, channels=1)
    assert read("maxpool", f"{depth}out_channels=2\nsize=1\nstride=1\n") == MaxPoolDepth(sources=LAST, channels=2)


def test_a_gate_by_pixel_and_heads_of_several_anchors() -> None:
    gate = read("scale_channels", "from=0\nscale_wh=1\n", (1, 6, 12))
    assert gate == ScaleChannels(sources=(1, 0), per_pixel=True)
    shape = (12, 6, 12)  # two of 5 and a class
    assert read("yolo", "num=2\nclasses=1\n", shape) == Yolo(sources=LAST, classes=1, anchors=ANCHOR * 2, mask=(0, 1))
    assert read("yolo", "num=3\nclasses=1\nmask=2, 0\nanchors=1,2, 3,4, 5,6\n", shape) == Yolo(
        sources=LAST, classes=1, anchors=((1, 2), (3, 4), (5, 6)), mask=(2, 0)
    )
    assert read("region", "num=2\nclasses=1\n", shape) == Region(sources=LAST, classes=1, anchors=ANCHOR * 2)


@pytest.mark.parametrize("reference", ["0", "1", "-1", "-2", "-2,1", "0,0,0"])
def test_references_reach_from_the_first_layer_to_the_one_before(reference: str) -> None:
    absolute = tuple(int(each) % 2 for each in reference.split(","))  # the layer itself is the third, number 2
    assert read("route", f"layers={reference}\n") == Route(sources=absolute)
    assert read("shortcut", f"from={reference}\n") == Shortcut(sources=(1, *absolute))


@pytest.mark.parametrize("key", ["route\nlayers", "shortcut\nfrom", "sam\nfrom", "scale_channels\nfrom"])
@pytest.mark.parametrize("reference", ["2", "3", "-3", "-100"])
def test_references_reach_no_further(key: str, reference: str) -> None:
    section, name = key.split("\n")
    with refuses("network.unknown-source", where=f"small.cfg:8, layer 2 [{section}]", found=reference):
        read(section, f"{name}={reference}\n")


SWITCHES = (
    *("xnor", "binary", "flipped", "rotate", "sway", "stretch", "stretch_sway", "deform", "dot", "coordconv"),
    "reverse",
)
REFUSED = [
    *(("convolutional", f"{key}=1") for key in SWITCHES),
    ("maxpool", "antialiasing=1"),
    ("softmax", "tree=a.tree"),
    ("region", "tree=a.tree"),
    *((kind, f"{key}=2") for kind in ("maxpool", "local_avgpool") for key in ("stride_x", "stride_y")),
]


@pytest.mark.parametrize(("section", "key"), REFUSED)
def test_a_key_that_makes_another_layer_is_refused(section: str, key: str) -> None:
    name, _, value = key.partition("=")
    found = value if name.startswith("stride_") else key
    with refuses("cfg.unsupported", where=f"small.cfg:8, layer 2 [{section}]", found=found):
        read(section, f"{key}\n", BARE[section][1])
