"""Where each number of a layer may lie: the first and the last value allowed, and the ones beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from refusals import refuses

from cspbench.network.layers import (
    ACTIVATIONS,
    Activation,
    Connected,
    Convolution,
    GaussianYolo,
    Implicit,
    Layer,
    LocalAvgPool,
    MaxPool,
    MaxPoolDepth,
    MultiBox,
    Proposals,
    RefineBox,
    Region,
    Reorg,
    RoiAlign,
    RoiBox,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Shuffle,
    Softmax,
    Upsample,
    Yolo,
    Yolox,
)

LAST = (-1,)
PAIR = (1, 0)
ANCHORS = ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0))
INT = 2**31 - 1
"""Darknet counts with 32-bit integers."""

Make = Callable[[int], Layer]

# name: what makes the layer, the first value allowed, the last one
BOUNDS: dict[str, tuple[Make, int, int]] = {
    "conv filters": (lambda n: Convolution(sources=LAST, filters=n), 1, 65_536),
    "conv size": (lambda n: Convolution(sources=LAST, filters=1, size=n), 1, 1024),
    "conv stride down": (lambda n: Convolution(sources=LAST, filters=1, stride=(n, 2)), 1, 1024),
    "conv stride across": (lambda n: Convolution(sources=LAST, filters=1, stride=(2, n)), 1, 1024),
    "conv padding": (lambda n: Convolution(sources=LAST, filters=1, padding=n), 0, 1024),
    "conv groups": (lambda n: Convolution(sources=LAST, filters=1, groups=n), 1, INT),
    "conv dilation": (lambda n: Convolution(sources=LAST, filters=1, dilation=n), 1, 1024),
    "conv antialiasing": (lambda n: Convolution(sources=LAST, filters=1, antialiasing=n), 0, 2),
    "connected outputs": (lambda n: Connected(sources=LAST, outputs=n), 1, 1_048_576),
    "maxpool size": (lambda n: MaxPool(sources=LAST, size=n, stride=1, padding=0), 1, 1024),
    "maxpool stride": (lambda n: MaxPool(sources=LAST, size=1, stride=n, padding=0), 1, 1024),
    # a window of 3 may hang over by 2 on each side, so that one pixel is always inside
    "maxpool padding": (lambda n: MaxPool(sources=LAST, size=3, stride=1, padding=n), 0, 4),
    "avgpool size": (lambda n: LocalAvgPool(sources=LAST, size=n, stride=1, padding=0), 1, 1024),
    "avgpool stride": (lambda n: LocalAvgPool(sources=LAST, size=1, stride=n, padding=0), 1, 1024),
    "avgpool padding": (lambda n: LocalAvgPool(sources=LAST, size=4, stride=1, padding=n), 0, 6),
    "maxpool_depth channels": (lambda n: MaxPoolDepth(sources=LAST, channels=n), 1, 65_536),
    "route groups": (lambda n: Route(sources=LAST, groups=n), 1, INT),
    "route group_id": (lambda n: Route(sources=LAST, groups=3, group_id=n), 0, 2),
    "upsample stride": (lambda n: Upsample(sources=LAST, stride=n), 1, 1024),
    "reorg stride": (lambda n: Reorg(sources=LAST, stride=n), 1, 1024),
    "implicit filters": (lambda n: Implicit(sources=LAST, filters=n), 1, 65_536),
    "implicit atoms": (lambda n: Implicit(sources=LAST, filters=1, atoms=n), 1, 65_536),
    "yolo classes": (lambda n: Yolo(sources=LAST, classes=n, anchors=ANCHORS, mask=(0,)), 1, 65_536),
    "yolo mask": (lambda n: Yolo(sources=LAST, anchors=ANCHORS, mask=(1, n)), 0, 2),
    "gaussian mask": (lambda n: GaussianYolo(sources=LAST, anchors=ANCHORS, mask=(n,)), 0, 2),
    "region classes": (lambda n: Region(sources=LAST, classes=n, anchors=ANCHORS), 1, 65_536),
    "multibox classes": (lambda n: MultiBox(sources=LAST, classes=n, anchors=ANCHORS), 1, 65_536),
    "refinebox classes": (lambda n: RefineBox(sources=LAST, classes=n, anchors=ANCHORS), 1, 65_536),
    "roibox classes": (lambda n: RoiBox(sources=LAST, classes=n), 1, 65_536),
    "yolox classes": (lambda n: Yolox(sources=LAST, classes=n), 1, 65_536),
    "proposals stride": (lambda n: Proposals(sources=PAIR, anchors=ANCHORS, stride=n), 1, INT),
    "proposals considered": (lambda n: Proposals(sources=PAIR, anchors=ANCHORS, considered=n), 1, INT),
    "proposals count": (lambda n: Proposals(sources=PAIR, anchors=ANCHORS, count=n), 1, INT),
    "roialign bins": (lambda n: RoiAlign(sources=PAIR, bins=n), 1, 1024),
    "roialign stride": (lambda n: RoiAlign(sources=PAIR, stride=n), 1, INT),
    "roialign samples": (lambda n: RoiAlign(sources=PAIR, samples=n), 1, 1024),
}


CODES = {
    "conv antialiasing": "cfg.unknown-value",
    "yolo mask": "network.unknown-anchor",
    "gaussian mask": "network.unknown-anchor",
}
"""Of the bounds that are not those of a number."""


@pytest.mark.parametrize("name", BOUNDS)
def test_the_first_and_the_last_value_are_allowed_and_no_other(name: str) -> None:
    make, first, last = BOUNDS[name]
    for value in (first, last):
        assert isinstance(make(value), Layer)
    for value in (first - 1, last + 1):
        with refuses(CODES.get(name, "cfg.out-of-range"), found=str(value)) as caught:
            make(value)
        assert caught.value.expected
        assert caught.value.remedy


@pytest.mark.parametrize("kind", [Softmax, Shuffle])
def test_groups_of_a_map_are_counted_from_one_to_its_values(kind: type[Softmax | Shuffle]) -> None:
    for groups in (1, 2, 6):
        assert kind(sources=LAST, groups=groups).output([(6, 1, 1)]) == (6, 1, 1)
    for groups in (-2, 0, 4, 7, 12):
        with refuses("network.indivisible-groups" if groups > 0 else "cfg.out-of-range"):
            kind(sources=LAST, groups=groups).output([(6, 1, 1)])


def test_softmax_divides_the_whole_map_and_shuffle_its_channels() -> None:
    assert Softmax(sources=LAST, groups=15).output([(2, 3, 5)]) == (2, 3, 5)
    with refuses("network.indivisible-groups", found="groups=4"):
        Softmax(sources=LAST, groups=4).output([(2, 3, 5)])
    with refuses("network.indivisible-groups", found="groups=3"):
        Shuffle(sources=LAST, groups=3).output([(2, 3, 5)])


@pytest.mark.parametrize("temperature", [0.0, -0.0, -1.0, float("nan")])
def test_a_temperature_is_above_zero(temperature: float) -> None:
    with refuses("cfg.out-of-range", found=f"{temperature:g}"):
        Softmax(sources=LAST, temperature=temperature).output([(2, 1, 1)])
    assert Softmax(sources=LAST, temperature=1e-9).output([(2, 1, 1)]) == (2, 1, 1)


GATES: tuple[Callable[[str], Layer], ...] = (
    lambda name: Sam(sources=PAIR, activation=name),
    lambda name: ScaleChannels(sources=PAIR, activation=name),
)
OTHERS: tuple[Callable[[str], Layer], ...] = (
    lambda name: Activation(sources=LAST, activation=name),
    lambda name: Connected(sources=LAST, outputs=1, activation=name),
    lambda name: Convolution(sources=LAST, filters=1, activation=name),
    lambda name: Shortcut(sources=PAIR, activation=name),
)


@pytest.mark.parametrize("name", [*ACTIVATIONS, "gelu", "", "Leaky"])
def test_every_activation_is_allowed_and_swish_and_mish_on_gates_are_counted_only(name: str) -> None:
    known = name in ACTIVATIONS
    for make in (*OTHERS, *GATES):
        if known:
            layer = make(name)
            assert vars(layer)["activation"] == name
            only_counted = make in GATES and name in ("swish", "mish")
            assert layer.unevaluated() == (f"activation={name}" if only_counted else "")
        else:
            with refuses("cfg.unknown-value", found=repr(name)):
                make(name)


@pytest.mark.parametrize("weighting", ["none", "per_feature", "per_channel"])
@pytest.mark.parametrize("normalization", ["none", "relu", "softmax"])
def test_the_words_of_a_weighted_shortcut(weighting: str, normalization: str) -> None:
    layer = Shortcut(sources=PAIR, weighting=weighting, normalization=normalization)
    assert layer.output([(2, 3, 4)] * 2) == (2, 3, 4)
    only_cfg: tuple[dict[str, Any], ...] = ({"weighting": "per_layer"}, {"normalization": "avg_relu"})
    for words in only_cfg:
        (value,) = words.values()
        with refuses("cfg.unknown-value", found=repr(value)):
            Shortcut(sources=PAIR, **words)


def test_layers_without_what_they_need() -> None:
    missing: tuple[tuple[str, Callable[[], Layer]], ...] = (
        ("network.no-sources", lambda: Route(sources=())),
        ("network.no-sources", lambda: Shortcut(sources=(0,))),
        ("network.empty-mask", lambda: Yolo(sources=LAST, anchors=ANCHORS)),
        *(
            ("network.no-anchors", lambda kind=kind: kind(sources=LAST, anchors=()))
            for kind in (Yolo, GaussianYolo, Region, MultiBox)
        ),
    )
    for code, make in missing:
        with refuses(code, found="none"):
            make()
