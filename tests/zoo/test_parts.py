"""The parts that networks are put together from, each against its layers written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from refusals import refuses

from cspbench.network.builder import Builder
from cspbench.network.layers import (
    AvgPool,
    Convolution,
    Dropout,
    Layer,
    MaxPool,
    Route,
    Sam,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.zoo import classifier, darknet, mobilenet, panet, partial, resnet


def conv(source: int, filters: int, size: int = 1, stride: int = 1, **others: Any) -> Convolution:
    padding = size // 2
    return Convolution(
        sources=(source,), filters=filters, size=size, stride=(stride, stride), padding=padding, **others
    )


def linear(source: int, filters: int, stride: int = 1) -> Convolution:
    return conv(source, filters, 1, stride, activation="linear")


def built(append: Callable[[Builder], object], channels: int = 8) -> tuple[list[Layer], object]:
    """What is appended behind a map of 8x8 (layer 0), and what that returns; the network is sound."""
    b = Builder("net", (channels, 8, 8))
    b.dropout(0)
    returned = append(b)
    b.network()
    return b.layers[1:], returned


LAYERS: dict[str, tuple[Callable[[Builder], object], Sequence[Layer], object]] = {
    "classifier": (
        classifier.classifier,
        [
            AvgPool(sources=(0,)),
            conv(1, 1000, activation="linear", batch_normalize=False),
            Softmax(sources=(2,), groups=1),
        ],
        3,
    ),
    "classifier of every pixel": (
        lambda b: classifier.classifier(b, classes=7, pool_first=False),
        [conv(0, 7, activation="linear", batch_normalize=False), AvgPool(sources=(1,)), Softmax(sources=(2,))],
        3,
    ),
    "logits": (
        lambda b: classifier.logits(b, classes=7),
        [AvgPool(sources=(0,)), conv(1, 7, activation="linear", batch_normalize=False)],
        2,
    ),
    "logits of ImageNet": (
        classifier.logits,
        [AvgPool(sources=(0,)), conv(1, 1000, activation="linear", batch_normalize=False)],
        2,
    ),
    "convolved parts": (
        lambda b: partial.convolved_parts(b, 3, 5, activation="relu"),
        [conv(0, 3, activation="relu"), Route(sources=(0,)), conv(2, 5, activation="relu")],
        1,
    ),
    "halves": (
        partial.sliced_parts,
        [Route(sources=(0,), groups=2, group_id=0), Route(sources=(0,), groups=2, group_id=1)],
        (1, 2),
    ),
    "a quarter passes by": (
        lambda b: partial.sliced_parts(b, 0.25),
        [*(Route(sources=(0,), groups=4, group_id=at) for at in range(4)), Route(sources=(2, 3, 4))],
        (1, 5),
    ),
    "three quarters pass by": (
        lambda b: partial.sliced_parts(b, 0.75),
        [*(Route(sources=(0,), groups=4, group_id=at) for at in range(4)), Route(sources=(1, 2, 3))],
        (5, 4),
    ),
    "three eighths pass by": (
        lambda b: partial.sliced_parts(b, 0.375),
        [
            *(Route(sources=(0,), groups=8, group_id=at) for at in range(8)),
            Route(sources=(1, 2, 3)),
            Route(sources=(4, 5, 6, 7, 8)),
        ],
        (9, 10),
    ),
    "alternating": (
        lambda b: panet.alternating(b, 4, 3),
        [conv(0, 4), conv(1, 8, 3), conv(2, 4)],
        3,
    ),
    "spatial pyramid": (
        panet.spatial_pyramid,
        [
            MaxPool(sources=(0,), size=5, stride=1, padding=4),
            Route(sources=(0,)),
            MaxPool(sources=(2,), size=9, stride=1, padding=8),
            Route(sources=(0,)),
            MaxPool(sources=(4,), size=13, stride=1, padding=12),
            Route(sources=(5, 3, 1, 0)),
        ],
        6,
    ),
    "point-wise attention": (
        lambda b: panet.point_wise_attention(b, 8),
        [conv(0, 8, activation="logistic"), Sam(sources=(1, 0))],
        2,
    ),
    "head": (
        lambda b: panet.head(b, 4, panet.Boxes(classes=3, scale_x_y=(1.2, 1.1, 1.0), nms_kind="greedynms"), 1),
        [
            conv(0, 4, 3),
            conv(1, 24, activation="linear", batch_normalize=False),  # 3 anchors of 5 + 3
            Yolo(
                sources=(2,),
                mask=(3, 4, 5),
                anchors=panet.ANCHORS_416,
                classes=3,
                scale_x_y=1.1,
                nms_kind="greedynms",
            ),
        ],
        3,
    ),
    "inverted residual": (
        lambda b: mobilenet.inverted_residual(b, 8, 8),
        [
            conv(0, 48, activation="relu"),
            conv(1, 48, 3, groups=48, activation="relu"),
            linear(2, 8),
            Shortcut(sources=(3, 0)),
        ],
        4,
    ),
    "inverted residual to other filters": (
        lambda b: mobilenet.inverted_residual(b, 8, 6, expansion=2),
        [conv(0, 16, activation="relu"), conv(1, 16, 3, groups=16, activation="relu"), linear(2, 6)],
        3,
    ),
    "inverted residual of stride 2": (
        lambda b: mobilenet.inverted_residual(b, 8, 8, stride=2, multiplier=2),
        [conv(0, 24, activation="relu"), conv(1, 48, 3, 2, groups=24, activation="relu"), linear(2, 8)],
        3,
    ),
    "stem": (
        lambda b: resnet.stem(b, "mish"),
        [conv(0, 64, 7, 2, activation="mish"), MaxPool(sources=(1,), size=2, stride=2, padding=1)],
        2,
    ),
    "overlapping stem": (
        lambda b: resnet.stem(b, "relu", pool=3),
        [conv(0, 64, 7, 2, activation="relu"), MaxPool(sources=(1,), size=3, stride=2, padding=2)],
        2,
    ),
    "basic": (
        lambda b: resnet.basic(b, 8, stride=2),
        [conv(0, 8, 3, 2), conv(1, 8, 3, activation="linear"), Shortcut(sources=(2, 0), activation="leaky")],
        3,
    ),
    "bottleneck": (
        lambda b: resnet.bottleneck(b, 8, expansion=2, stride=2, groups=2, activation="relu"),
        [
            conv(0, 4, activation="relu"),
            conv(1, 4, 3, 2, groups=2, activation="relu"),
            linear(2, 8),
            Shortcut(sources=(3, 0), activation="relu"),
        ],
        4,
    ),
    "projected": (
        lambda b: resnet.projected(b, 16, stride=2),
        [
            conv(0, 4, 1, 2, activation="relu"),  # the stride is on the first 1x1
            conv(1, 4, 3, activation="relu"),
            linear(2, 16),
            Route(sources=(0,)),
            linear(4, 16, 2),
            Shortcut(sources=(5, 3), activation="relu"),
        ],
        6,
    ),
    "DarkNet-53's block": (
        lambda b: darknet.residual(b, 8, 2, "mish"),
        [conv(0, 2, activation="mish"), conv(1, 8, 3, activation="mish"), Shortcut(sources=(2, 0))],
        3,
    ),
    "elastic block": (
        lambda b: darknet.elastic_residual(b, 8, 99, "leaky"),
        [
            Route(sources=(0,), groups=2, group_id=0),
            conv(1, 4),
            conv(2, 4, 3),
            Route(sources=(0,), groups=2, group_id=1),
            MaxPool(sources=(4,), size=2, stride=2, padding=1),
            conv(5, 4),
            conv(6, 4, 3),
            Upsample(sources=(7,), stride=2),
            Route(sources=(3, 8)),
            Shortcut(sources=(9, 0)),
        ],
        10,
    ),
    "cross stage": (
        lambda b: resnet.cross_stage(
            b,
            lambda inner, filters: inner.dropout(filters / 100),
            6,
            depth=2,
            part2=4,
            transition=10,
            part_activation="linear",
            activation="relu",
        ),
        [
            linear(0, 6),
            Route(sources=(0,)),
            linear(2, 4),
            Dropout(sources=(3,), probability=0.06),
            Dropout(sources=(4,), probability=0.06),
            conv(5, 6, activation="relu"),
            Route(sources=(6, 1)),
            conv(7, 10, activation="relu"),
        ],
        8,
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_part_is_these_layers(name: str) -> None:
    append, layers, returned = LAYERS[name]
    assert built(append) == (list(layers), returned)


def test_two_maps_meet_in_the_finer_ones_size_and_in_the_coarser_ones() -> None:
    b = Builder("net", (8, 8, 8))
    b.dropout(0)
    b.maxpool(2)
    assert panet.top_down(b, 4, 0) == 11
    assert b.layers[2:4] == [conv(1, 4), Upsample(sources=(2,), stride=2)]
    assert b.layers[4:7] == [Route(sources=(0,)), conv(4, 4), Route(sources=(5, 3))]
    assert b.layers[7:] == [conv(6, 4), conv(7, 8, 3), conv(8, 4), conv(9, 8, 3), conv(10, 4)]
    assert panet.bottom_up(b, 6, 11, 1) == 19
    assert b.layers[12:15] == [Route(sources=(11,)), conv(12, 6, 3, 2), Route(sources=(13, 1))]
    assert b.layers[15:] == [conv(14, 6), conv(15, 12, 3), conv(16, 6), conv(17, 12, 3), conv(18, 6)]
    b.network()


def test_channels_that_no_slice_divides() -> None:
    with refuses("network.indivisible-groups", expected="a divisor of 6", found="groups=4"):
        built(lambda b: partial.sliced_parts(b, 0.25), channels=6)


def test_the_anchors_of_512_pixels() -> None:
    """As the published cfg files have them: whole pixels, cut."""
    text = "12,16 19,36 40,28 36,75 76,55 72,146 142,110 192,243 459,401"
    assert tuple(tuple(map(int, pair.split(","))) for pair in text.split()) == panet.ANCHORS_512
    text = "10,13 16,30 33,23 30,61 62,45 59,119 116,90 156,198 373,326"
    assert tuple(tuple(map(int, pair.split(","))) for pair in text.split()) == panet.ANCHORS_416
