"""Every section without keys has Darknet's defaults (its parser.c), and every key changes one setting of its layer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from refusals import refuses

from cspbench.network import cfg
from cspbench.network.cfg.keys import closest
from cspbench.network.cfg.sections import READERS, RECURRENT
from cspbench.network.counting import count
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
    Region,
    Reorg,
    ResponseNorm,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
    YoloV1,
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
    "detection": (
        "side=2\nnum=3\n",
        (28, 1, 1),  # 4 cells of 3 boxes with an objectness and a coordinate, and a class
        YoloV1(sources=LAST, classes=1, side=2, num=3, coords=1, softmax=False, sqrt=False),
    ),
    "dropout": ("", (4, 6, 12), Dropout(sources=LAST, probability=0.5)),
    "empty": ("", (4, 6, 12), Empty(sources=LAST)),
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
    "local": ("", (4, 6, 12), Local(sources=LAST, filters=1, size=1, stride=1, padding=0, activation="logistic")),
    "local_avgpool": ("", (4, 6, 12), LocalAvgPool(sources=LAST, size=1, stride=1, padding=0)),
    "maxpool": ("", (4, 6, 12), MaxPool(sources=LAST, size=1, stride=1, padding=0)),
    "normalization": ("", (4, 6, 12), ResponseNorm(sources=LAST, size=5, alpha=0.0001, beta=0.75, kappa=1.0)),
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
        ("cbn=1", {"batch_normalize": True}),
        ("batch_normalize=1\ncbn=1", {"batch_normalize": True}),
        ("activation=stair", {"activation": "stair"}),
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
        ("stride_x=2", {"horizontal": 2}),
    ],
    "local": [
        ("filters=2", {"filters": 2}),
        ("size=3\npad=1", {"size": 3, "padding": 1}),
        ("size=2", {"size": 2}),
        ("stride=2", {"stride": 2}),
        ("activation=relu", {"activation": "relu"}),
    ],
    "normalization": [
        ("size=3", {"size": 3}),
        ("alpha=.1", {"alpha": 0.1}),
        ("beta=.5", {"beta": 0.5}),
        ("kappa=2", {"kappa": 2.0}),
    ],
    "detection": [("softmax=1", {"softmax": True}), ("sqrt=1", {"sqrt": True})],
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
        ("antialiasing=1", {"antialiasing": 1}),
        ("size=2\nantialiasing=2", {"size": 2, "padding": 1, "antialiasing": 2}),
        ("stride_y=2", {"stride": 2, "horizontal": 1}),
        ("stride=2\nstride_x=1", {"size": 2, "stride": 2, "padding": 1, "horizontal": 1}),
    ],
    "region": [
        ("coords=5\nclasses=19", {"coords": 5, "classes": 19}),
        ("softmax=1", {"softmax": True}),
        ("anchors=3,4", {"anchors": ((3, 4),)}),
    ],
    "reorg": [("stride=2", {"stride": 2}), ("stride=2\nreverse=1", {"stride": 2, "reverse": True})],
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
    "Gaussian_yolo": [
        ("yolo_point=left_top", {"yolo_point": "left_top"}),
        ("scale_x_y=1.1", {"scale_x_y": 1.1}),
        ("new_coords=1", {}),
    ],
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


COUNTED = [
    *(
        ("convolutional", f"{key}=1")
        for key in "xnor binary flipped rotate sway stretch stretch_sway dot coordconv reverse".split()
    ),
    ("convolutional", "dot=.5"),
    ("maxpool", "maxpool_zero_nonmax=1"),
    ("softmax", "tree=a.tree"),
    ("softmax", "spatial=1"),
    ("region", "tree=a.tree"),
]


@pytest.mark.parametrize(("section", "key"), COUNTED)
def test_a_key_that_changes_what_is_computed_is_counted_only(section: str, key: str) -> None:
    needed, shape, bare = BARE[section]
    result = read(section, f"{needed}{key}\n", shape)
    assert result == replace(bare, count_only=(key.replace(".5", "1"),))
    assert result.unevaluated() == result.count_only[0]
    assert bare.unevaluated() == ""


def test_other_layers_that_are_counted_only() -> None:
    assert read("region", "coords=5\nclasses=1\n", (7, 2, 2)).unevaluated() == "coords=5"
    assert read("region", "classfix=-1\nclasses=1\n", (6, 2, 2)).unevaluated() == "classfix=-1"
    assert read("region", "classfix=1\nclasses=1\n", (6, 2, 2)).unevaluated() == ""
    assert read("reorg", "reverse=1\n").unevaluated() == "reverse=1"
    assert read("detection", *BARE["detection"][:2]).unevaluated() != ""


def test_silu_is_swish() -> None:
    for section in ("convolutional", "activation", "connected", "local"):
        layer = read(section, "activation=silu\n")
        assert getattr(layer, "activation", None) == "swish"
    (note,) = cfg.parse("[net]\nchannels=1\nheight=1\nwidth=1\n[activation]\nactivation=silu\n", "a").warnings
    assert "a:6" in note
    assert "swish" in note


def test_missing_anchors_are_a_half() -> None:
    """A comma is missing, so that 30 and 33 are one number, and the last is not there."""
    net = "[net]\nchannels=12\nheight=2\nwidth=2\n"
    text = f"{net}[yolo]\nclasses=1\nnum=4\nmask=0,3\nanchors=10,13, 16,30  33,23, 61,45\n"
    reading = cfg.parse(text, "short")
    (layer,) = reading.network.layers
    assert isinstance(layer, Yolo)
    assert list(layer.anchors) == [(10, 13), (16, 3033), (23, 61), (45, 0.5)]
    (warning,) = reading.warnings
    assert warning.startswith("short:9: [yolo] has 7 numbers")


@pytest.mark.parametrize(
    ("anchors", "at", "found"), [("", 5, 0), ("anchors=1,2\n", 8, 2), ("anchors=1,2,3,4,5\n", 8, 5)]
)
@pytest.mark.parametrize("section", ["yolo", "region"])
def test_a_list_of_anchors_of_another_length_is_said(section: str, anchors: str, at: int, found: int) -> None:
    net = "[net]\nchannels=12\nheight=2\nwidth=2\n"
    reading = cfg.parse(f"{net}[{section}]\nclasses=1\nnum=2\n{anchors}", "list")
    (layer,) = reading.network.layers
    assert isinstance(layer, Yolo | Region)
    assert layer.anchors == (((1, 2), (3, 4)) if found == 5 else ((1, 2) if found else (0.5, 0.5), (0.5, 0.5)))
    (warning,) = reading.warnings
    assert warning.startswith(f"list:{at}: [{section}] has {found} numbers")


@pytest.mark.parametrize("section", ["sam", "scale_channels"])
@pytest.mark.parametrize("activation", ["swish", "mish", "silu"])
def test_a_gate_with_an_activation_that_darknet_does_not_support_is_counted_only(section: str, activation: str) -> None:
    text = f"[net]\nchannels=2\nheight=1\nwidth=1\n[dropout]\n[{section}]\nfrom=0\nactivation={activation}\n"
    reading = cfg.parse(text, "gate")
    assert reading.warnings[-1].startswith(f"gate:8: [{section}] does not support activation=")
    with refuses("network.count-only", where=f"gate:6, layer 1 [{section}]"):
        reading.network.check_evaluable()
    assert count(reading.network).total("conv+maxpool") == 0
    cfg.parse(text.replace(activation, "relu"), "gate").network.check_evaluable()


def test_a_pool_over_depth_has_no_blur() -> None:
    with refuses("cfg.unknown-value", found="1"):
        read("maxpool", "maxpool_depth=1\nantialiasing=1\n")


def test_an_input_without_an_image_is_a_vector() -> None:
    reading = cfg.parse("[net]\ninputs=784\nbatch=1\n[connected]\noutput=10\nactivation=relu\n", "mlp")
    assert reading.network.input == (784, 1, 1)
    assert reading.warnings == ()
    assert count(reading.network).total("stored") == 7850
    for net in ("inputs=784\nheight=28\n", "inputs=0\n", "inputs=-1\n"):
        with refuses("cfg.missing-key", where="mlp:1"):
            cfg.parse(f"[net]\n{net}[connected]\n", "mlp")


def test_who_shares_a_sharer_shares_its_owner() -> None:
    conv = "[convolutional]\nfilters=4\nactivation=linear\n"
    text = f"[net]\nchannels=4\nheight=2\nwidth=2\n{conv}{conv}share_index=0\n{conv}share_index=-1\n"
    last = cfg.parse(text, "chain").network.layers[2]
    assert isinstance(last, Convolution)
    assert last.share == 0


@pytest.mark.parametrize("name", sorted(RECURRENT))
def test_recurrent_layers_are_refused_with_their_reason(name: str) -> None:
    with refuses("cfg.recurrent", where=f"small.cfg:7, layer 2 [{name}]", found=f"[{name}]"):
        read(name, "output=3\n")
    with refuses("cfg.recurrent", where=f"text.cfg:5, layer 1 [{name}]", found=f"[{name}]"):
        cfg.parse(f"[net]\ninputs=256\ntime_steps=10\n[connected]\n[{name}]\n[cost]\n", "text.cfg")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("convolution", "convolutional"),
        ("max_pool", "maxpool"),
        ("Yolo", "yolo"),
        ("shortcuts", "shortcut"),
        ("MAXPOOL", "maxpool"),
        ("gaussian_yolo", "Gaussian_yolo"),
    ],
)
def test_a_misspelt_section(wrong: str, right: str) -> None:
    with refuses("cfg.unknown-layer", found=f"[{wrong}]", remedy=f"Did you mean [{right}]?"):
        read(wrong)


def test_a_misspelt_key() -> None:
    text = "[net]\nchannels=1\nheight=1\nwidth=1\nbatchs=2\n[dropout]\nprobabilty=.5\nnothing=1\n"
    first, second, third = cfg.parse(text, "a").warnings
    assert first.endswith("as in Darknet; did you mean batch?")
    assert second.endswith("as in Darknet; did you mean probability?")
    assert third.endswith("as in Darknet")
    text = "[net]\nchannels=1\nheight=1\nwidth=1\n[dropout]\n"
    for wrong, similar in (("PROBABILITY", True), ("probabilities", True), ("probable", False)):
        (warning,) = cfg.parse(f"{text}{wrong}=.5\n", "a").warnings
        assert warning.endswith("did you mean probability?") is similar
    # as similar, but too long to be compared
    known = "dropblock_size_rel"
    assert closest(2 * known + "_" * 3, [2 * known]) == 2 * known
    assert closest(2 * known + "_" * 4, [2 * known]) is None


def test_keys_that_choose_what_is_loaded_are_named() -> None:
    text = "[net]\nchannels=1\nheight=1\nwidth=1\ninputs=7\n[dropout]\ndontload=1\ndontloadscales=0\n"
    first, second = cfg.parse(text, "a").warnings
    assert first.startswith("a:5: inputs=7 is ignored")
    assert cfg.parse(text.replace("=7", "=-7"), "a").warnings[0].startswith("a:5: inputs=-7 is ignored")
    assert second.startswith("a:7: dontload= is ignored")
