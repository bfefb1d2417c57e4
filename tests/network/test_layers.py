"""Shape rules, stored arrays and operations of every layer against numbers worked by hand (in the comments)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import pytest
from refusals import refuses

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
from cspbench.network.network import Network
from cspbench.network.operations import Operations

LAST = (-1,)
ANCHORS = ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0))


def conv(
    filters: int,
    size: int = 1,
    stride: tuple[int, int] = (1, 1),
    padding: int = 0,
    *,
    groups: int = 1,
    dilation: int = 1,
    bn: bool = True,
    activation: str = "leaky",
    antialiasing: int = 0,
    share: int | None = None,
) -> Convolution:
    return Convolution(
        sources=LAST,
        filters=filters,
        size=size,
        stride=stride,
        padding=padding,
        groups=groups,
        dilation=dilation,
        batch_normalize=bn,
        activation=activation,
        antialiasing=antialiasing,
        share=share,
    )


def pool(size: int, stride: int, padding: int | None = None) -> MaxPool:
    return MaxPool(sources=LAST, size=size, stride=stride, padding=size - 1 if padding is None else padding)


def mean(size: int, stride: int, padding: int) -> LocalAvgPool:
    return LocalAvgPool(sources=LAST, size=size, stride=stride, padding=padding)


def windows(taps: int, read: int) -> Operations:
    return Operations(pool_taps=taps, pool_input=read)


CASES: dict[str, tuple[Layer, list[Shape], Shape, Operations]] = {
    "conv 3x3": (
        conv(8, 3, padding=1),
        [(3, 10, 12)],
        (8, 10, 12),  # 10 + 2 - 3 + 1; 8 * 10 * 12 = 960 values, each of 3 * 9 = 27 multiply-adds
        Operations(conv=25_920, batch_norm=960, activation=960),
    ),
    "conv stride 2": (
        conv(4, 3, (2, 2), 1),
        [(2, 11, 12)],
        (4, 6, 6),  # (11 + 2 - 3) // 2 + 1 = 6, (12 + 2 - 3) // 2 + 1 = 5 + 1; 144 values of 2 * 9
        Operations(conv=2_592, batch_norm=144, activation=144),
    ),
    "conv stride 2 down, 1 across, bias": (
        conv(2, 3, (2, 1), bn=False, activation="linear"),
        [(1, 7, 6)],
        (2, 3, 4),  # (7 - 3) // 2 + 1, 6 - 3 + 1; 24 values of 9
        Operations(conv=216),
    ),
    "conv 4 groups": (
        conv(12, groups=4, activation="linear"),
        [(8, 5, 5)],
        (12, 5, 5),  # 300 values of 8 / 4
        Operations(conv=600, batch_norm=300),
    ),
    "conv depthwise": (
        conv(6, 5, (2, 2), 2, groups=6, activation="swish"),
        [(6, 9, 9)],
        (6, 5, 5),  # (9 + 4 - 5) // 2 + 1; 150 values of 25
        Operations(conv=3_750, batch_norm=150, activation=150),
    ),
    "conv even kernel": (
        conv(1, 2, padding=1, bn=False, activation="linear"),
        [(1, 4, 4)],
        (1, 5, 5),  # 4 + 2 - 2 + 1: it grows; 25 values of 4
        Operations(conv=100),
    ),
    "conv dilation 2": (
        conv(3, 3, padding=1, dilation=2),
        [(2, 6, 6)],
        (3, 6, 6),  # by the undilated size, 6 + 2 - 3 + 1; 108 values of 2 * 9
        Operations(conv=1_944, batch_norm=108, activation=108),
    ),
    "conv antialiasing 1": (
        conv(4, 3, (2, 2), 1, antialiasing=1),
        [(2, 8, 8)],
        (4, 4, 4),  # stride 1: 4 * 64 = 256 values of 18; blur (8 + 2 - 3) // 2 + 1 = 4, 64 values of 9
        Operations(conv=4_608, batch_norm=256, activation=256, blur=576),
    ),
    "conv antialiasing 2": (
        conv(4, 3, (2, 2), 1, antialiasing=2),
        [(2, 8, 8)],
        (4, 4, 4),  # as above, blur (8 - 2) // 2 + 1 = 4, 64 values of 4
        Operations(conv=4_608, batch_norm=256, activation=256, blur=256),
    ),
    "conv share": (
        conv(5, share=0),
        [(2, 3, 3)],
        (5, 3, 3),  # 45 values of 2: shared arrays work as much as others
        Operations(conv=90, batch_norm=45, activation=45),
    ),
    "connected": (
        Connected(sources=LAST, outputs=5, batch_normalize=True, activation="relu"),
        [(2, 3, 4)],
        (5, 1, 1),  # 5 * 24
        Operations(linear=120, batch_norm=5, activation=5),
    ),
    "connected linear": (
        Connected(sources=LAST, outputs=5, activation="linear"),
        [(7, 1, 1)],
        (5, 1, 1),
        Operations(linear=35),
    ),
    "batchnorm": (BatchNorm(sources=LAST), [(3, 4, 5)], (3, 4, 5), Operations(batch_norm=60)),
    "activation": (Activation(sources=LAST, activation="mish"), [(3, 4, 5)], (3, 4, 5), Operations(activation=60)),
    "activation linear": (Activation(sources=LAST, activation="linear"), [(3, 4, 5)], (3, 4, 5), Operations()),
    # Appendix B.6 of the specification
    "maxpool 2/1": (pool(2, 1), [(1, 2, 2)], (1, 2, 2), windows(16, 4)),  # (2 + 1 - 2) / 1 + 1; 4 * 4 taps
    "maxpool 2/2 odd": (pool(2, 2), [(1, 3, 3)], (1, 2, 2), windows(16, 9)),  # (3 + 1 - 2) // 2 + 1
    "maxpool 3/2": (pool(3, 2), [(1, 4, 4)], (1, 2, 2), windows(36, 16)),  # (4 + 2 - 3) // 2 + 1; 9 * 4
    "maxpool 5/1": (pool(5, 1), [(2, 13, 13)], (2, 13, 13), windows(8_450, 338)),  # 25 * 338
    "maxpool 9/1": (pool(9, 1), [(2, 13, 13)], (2, 13, 13), windows(27_378, 338)),  # 81 * 338
    "maxpool 13/1": (pool(13, 1), [(2, 13, 13)], (2, 13, 13), windows(57_122, 338)),  # 169 * 338
    "maxpool padding 0": (pool(2, 2, 0), [(1, 5, 5)], (1, 2, 2), windows(16, 25)),  # (5 - 2) // 2 + 1
    "maxpool padding 4": (pool(3, 1, 4), [(1, 5, 4)], (1, 7, 6), windows(378, 20)),  # 5 + 4 - 3 + 1; 9 * 42
    "local_avgpool 3/2": (mean(3, 2, 2), [(2, 5, 6)], (2, 3, 3), windows(162, 60)),  # 9 * 18
    "local_avgpool 2/2 padding 0": (mean(2, 2, 0), [(2, 4, 4)], (2, 2, 2), windows(32, 32)),
    "maxpool_depth": (
        MaxPoolDepth(sources=LAST, channels=2),
        [(6, 2, 2)],
        (2, 2, 2),  # each value is read once
        windows(24, 24),
    ),
    "avgpool": (
        AvgPool(sources=LAST),
        [(5, 4, 3)],
        (5, 1, 1),
        Operations(global_pool_input=60, global_pool_output=5),
    ),
    "route": (Route(sources=(0, 1)), [(4, 3, 3), (6, 3, 3)], (10, 3, 3), Operations()),
    # Appendix B.7: half of each source, 2 + 3
    "route groups": (
        Route(sources=(0, 1), groups=2, group_id=1),
        [(4, 3, 3), (6, 3, 3)],
        (5, 3, 3),
        Operations(),
    ),
    "shortcut": (
        Shortcut(sources=(1, 0)),
        [(4, 3, 3), (4, 3, 3)],
        (4, 3, 3),
        Operations(shortcut=36),
    ),
    "shortcut of fewer channels, activated": (
        Shortcut(sources=(1, 0), activation="leaky"),
        [(4, 3, 3), (2, 3, 3)],
        (4, 3, 3),  # counted over the whole output, as Darknet does
        Operations(shortcut=36, activation=36),
    ),
    "shortcut of more channels": (Shortcut(sources=(1, 0)), [(2, 3, 3), (4, 3, 3)], (2, 3, 3), Operations(shortcut=18)),
    # Appendix B.8: 4x4 onto 2x2
    "shortcut strided": (Shortcut(sources=(1, 0)), [(4, 2, 2), (2, 4, 4)], (4, 2, 2), Operations(shortcut=16)),
    "shortcut sampled": (Shortcut(sources=(1, 0)), [(4, 4, 4), (2, 2, 2)], (4, 4, 4), Operations(shortcut=64)),
    "shortcut of two, weighted": (
        Shortcut(sources=(2, 0, 1), weighting="per_feature", normalization="relu"),
        [(2, 3, 3)] * 3,
        (2, 3, 3),  # 18 values, 2 sources, a product and a sum each
        Operations(shortcut=72),
    ),
    "scale_channels": (
        ScaleChannels(sources=(1, 0), activation="logistic"),
        [(4, 1, 1), (4, 3, 3)],
        (4, 3, 3),
        Operations(activation=36),
    ),
    "scale_channels per pixel": (
        ScaleChannels(sources=(1, 0), per_pixel=True),
        [(1, 3, 5), (4, 3, 5)],
        (4, 3, 5),
        Operations(),
    ),
    "sam": (Sam(sources=(1, 0), activation="relu"), [(4, 3, 3)] * 2, (4, 3, 3), Operations(activation=36)),
    "upsample": (Upsample(sources=LAST, stride=3), [(2, 3, 4)], (2, 9, 12), Operations(upsample=216)),
    # every one of the 24 values read from 4
    "upsample bilinear": (Upsample(sources=LAST, bilinear=True), [(1, 2, 3)], (1, 4, 6), Operations(upsample=96)),
    "upsample negative": (Upsample(sources=LAST, stride=2, reverse=True), [(2, 4, 6)], (2, 2, 3), Operations()),
    "reorg3d": (Reorg(sources=LAST, stride=2), [(3, 4, 6)], (12, 2, 3), Operations()),
    "reorg": (Reorg(sources=LAST, stride=2, legacy=True), [(8, 4, 6)], (32, 2, 3), Operations()),
    "crop": (Crop(sources=LAST, height=3, width=4), [(3, 5, 6)], (3, 3, 4), Operations()),
    "dropout": (Dropout(sources=LAST), [(3, 5, 6)], (3, 5, 6), Operations()),
    "softmax": (Softmax(sources=LAST, groups=2), [(10, 1, 1)], (10, 1, 1), Operations()),
    "cost": (Loss(sources=LAST), [(10, 1, 1)], (10, 1, 1), Operations()),
    "implicit": (Implicit(sources=LAST, filters=4, atoms=3), [(2, 5, 5)], (12, 1, 1), Operations()),
    "yolo": (
        Yolo(sources=LAST, classes=80, anchors=ANCHORS, mask=(0, 2)),
        [(170, 4, 4)],  # 2 * (5 + 80)
        (170, 4, 4),
        Operations(),
    ),
    "Gaussian_yolo": (
        GaussianYolo(sources=LAST, classes=80, anchors=ANCHORS, mask=(1,)),
        [(89, 4, 4)],  # 8 + 1 + 80
        (89, 4, 4),
        Operations(),
    ),
    "region": (
        Region(sources=LAST, classes=20, anchors=ANCHORS),
        [(75, 4, 4)],  # 3 * (5 + 20)
        (75, 4, 4),
        Operations(),
    ),
    "region of 5 coordinates": (
        Region(sources=LAST, classes=20, anchors=ANCHORS, coords=5),
        [(78, 4, 4)],  # 3 * (5 + 1 + 20)
        (78, 4, 4),
        Operations(),
    ),
    "YOLOv1": (
        YoloV1(sources=LAST, classes=3, side=2, num=2, coords=4),
        [(52, 1, 1)],  # 4 cells * (2 * (1 + 4) + 3)
        (52, 1, 1),
        Operations(),
    ),
    "conv of bits": (
        Convolution(sources=LAST, filters=8, size=3, padding=1, activation="linear", count_only=("xnor=1",)),
        [(3, 10, 12)],
        (8, 10, 12),
        Operations(conv=25_920, xnor=25_920, batch_norm=960),
    ),
    "conv of binary weights": (
        Convolution(sources=LAST, filters=8, size=3, padding=1, activation="linear", count_only=("binary=1",)),
        [(3, 10, 12)],
        (8, 10, 12),
        Operations(conv=25_920, batch_norm=960),
    ),
    "local": (
        Local(sources=LAST, filters=2, size=3, stride=2, padding=1, activation="relu"),
        [(5, 7, 8)],
        (2, 4, 4),  # (7 + 2 - 3) // 2 + 1, (8 + 2 - 3) // 2 + 1; 32 values of 5 * 9
        Operations(linear=1_440, activation=32),
    ),
    "normalization": (ResponseNorm(sources=LAST), [(6, 3, 4)], (6, 3, 4), Operations()),
    "empty": (Empty(sources=LAST), [(6, 3, 4)], (6, 3, 4), Operations()),
    "reorg reversed": (Reorg(sources=LAST, stride=2, reverse=True), [(8, 3, 4)], (2, 6, 8), Operations()),
    "maxpool 1 down, 2 across": (
        MaxPool(sources=LAST, size=3, stride=1, padding=2, horizontal=2),
        [(2, 5, 6)],
        (2, 5, 3),  # 5 + 2 - 3 + 1, (6 + 2 - 3) // 2 + 1; 30 windows of 9
        windows(270, 60),
    ),
    "maxpool that blurs": (
        MaxPool(sources=LAST, size=2, stride=2, padding=1, antialiasing=1),
        [(2, 5, 6)],
        (2, 3, 3),  # pooled 2 x 5 x 6 with 4 taps each; (5 + 2 - 3) // 2 + 1; 18 values of 9
        Operations(pool_taps=240, pool_input=60, blur=162),
    ),
    "resize": (Resize(sources=(0, 1)), [(2, 3, 4), (7, 5, 9)], (2, 5, 9), Operations(upsample=90)),
    "resize bilinear": (
        Resize(sources=(0, 1), bilinear=True),
        [(2, 3, 4), (7, 5, 9)],
        (2, 5, 9),
        Operations(upsample=360),
    ),
    "shuffle": (Shuffle(sources=LAST), [(6, 3, 4)], (6, 3, 4), Operations()),
    "proposals": (
        Proposals(sources=(0, 1), anchors=ANCHORS, count=50),
        [(3, 5, 6), (12, 5, 6)],
        (4, 50, 1),
        Operations(),
    ),
    "roialign": (RoiAlign(sources=(0, 1)), [(98, 5, 6), (4, 50, 1)], (98, 50, 1), Operations()),
    "multibox": (
        MultiBox(sources=LAST, classes=80, anchors=ANCHORS),
        [(255, 4, 4)],  # 3 * (4 + 1 + 80)
        (255, 4, 4),
        Operations(),
    ),
    "refinebox": (
        RefineBox(sources=LAST, classes=80, anchors=ANCHORS),
        [(273, 4, 4)],  # 3 * (4 + 2 + 4 + 1 + 80)
        (273, 4, 4),
        Operations(),
    ),
    "roibox": (RoiBox(sources=LAST, classes=20), [(29, 50, 1)], (29, 50, 1), Operations()),  # 20 + 1 + 4 + 4
    "yolox": (Yolox(sources=LAST, classes=20), [(25, 84, 1)], (25, 84, 1), Operations()),  # 4 + 1 + 20
}


@pytest.mark.parametrize("name", CASES)
def test_shape_and_operations(name: str) -> None:
    layer, inputs, output, operations = CASES[name]
    assert layer.output(inputs) == output
    assert layer.operations(inputs, output) == operations


def test_every_layer_type_is_covered() -> None:
    def below(kind: type[Layer]) -> set[type[Layer]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    kinds = {kind for kind in below(Layer) if kind.__module__.startswith("cspbench.") and hasattr(kind, "section")}
    assert {type(layer) for layer, *_ in CASES.values()} >= {kind for kind in kinds if kind.__name__ != "Detection"}


@pytest.mark.parametrize(
    ("layer", "inputs", "arrays"),
    [
        (
            conv(8, 3, groups=2),
            [(6, 9, 9)],
            # a kernel sees 6 / 2 channels
            [("bias", (8,)), ("scale", (8,)), ("mean", (8,)), ("variance", (8,)), ("weight", (8, 3, 3, 3))],
        ),
        (conv(8, 3, bn=False), [(6, 9, 9)], [("bias", (8,)), ("weight", (8, 6, 3, 3))]),
        (conv(8, 3, (2, 2), antialiasing=1, bn=False), [(6, 9, 9)], [("bias", (8,)), ("weight", (8, 6, 3, 3))]),
        (conv(8, 3, share=0), [(6, 9, 9)], []),
        (
            Convolution(sources=LAST, filters=8, batch_normalize=False, bias=False),
            [(6, 9, 9)],
            [("weight", (8, 6, 1, 1))],
        ),
        # the statistics of a connected layer follow its weights
        (
            Connected(sources=LAST, outputs=4, batch_normalize=True),
            [(2, 3, 3)],
            [("bias", (4,)), ("weight", (4, 18)), ("scale", (4,)), ("mean", (4,)), ("variance", (4,))],
        ),
        (Connected(sources=LAST, outputs=4), [(2, 3, 3)], [("bias", (4,)), ("weight", (4, 18))]),
        (
            BatchNorm(sources=LAST),
            [(2, 3, 3)],
            [("bias", (2,)), ("scale", (2,)), ("mean", (2,)), ("variance", (2,))],
        ),
        (Shortcut(sources=(1, 0)), [(4, 3, 3)] * 2, []),
        (Shortcut(sources=(2, 1, 0), weighting="per_feature"), [(4, 3, 3)] * 3, [("fusion", (3, 1))]),
        (Shortcut(sources=(2, 1, 0), weighting="per_channel"), [(4, 3, 3)] * 3, [("fusion", (3, 4))]),
        (Implicit(sources=LAST, filters=4, atoms=3), [(2, 3, 3)], [("fusion", (12,))]),
        (pool(2, 2), [(2, 4, 4)], []),
        # a bias per value, and a kernel per place
        (Local(sources=LAST, filters=3, size=2), [(5, 4, 3)], [("bias", (3, 3, 2)), ("weight", (6, 3, 20))]),
    ],
)
def test_stored_arrays_in_file_order(
    layer: Layer, inputs: Sequence[Shape], arrays: list[tuple[str, tuple[int, ...]]]
) -> None:
    assert [(weight.role, weight.shape) for weight in layer.weights(inputs)] == arrays


# --- what is refused, and where

# the layer, its inputs, code, what is expected (None: a long text) and found, and the key where the code has several
REFUSED: dict[str, tuple[Callable[[], Layer], list[Shape], str, str | None, str, str]] = {
    "kernel too large": (lambda: conv(1, 5), [(1, 4, 9)], "network.window-too-large", "at least 5x5", "4x9", ""),
    "blur too large": (
        lambda: conv(1, 4, antialiasing=2),
        [(1, 4, 4)],
        "network.window-too-large",
        "at least 4x4",
        "4x4",
        "",
    ),
    "groups and input channels": (
        lambda: conv(4, groups=4),
        [(6, 3, 3)],
        "network.indivisible-groups",
        "a divisor of 6",
        "groups=4",
        "",
    ),
    "groups and filters": (
        lambda: conv(4, groups=3),
        [(6, 3, 3)],
        "network.indivisible-groups",
        "a divisor of 4",
        "groups=3",
        "",
    ),
    "no filters": (lambda: conv(0), [(1, 1, 1)], "cfg.out-of-range", "1 to 65536", "0", "filters"),
    "a billion filters": (lambda: conv(10**9), [(1, 1, 1)], "cfg.out-of-range", "1 to 65536", "1000000000", "filters"),
    "no stride": (lambda: conv(1, 1, (1, 0)), [(1, 1, 1)], "cfg.out-of-range", "1 to 1024", "0", "stride"),
    "wide stride": (lambda: conv(1, 1, (1, 1025)), [(1, 1, 1)], "cfg.out-of-range", "1 to 1024", "1025", "stride"),
    "no size": (lambda: conv(1, 0), [(1, 1, 1)], "cfg.out-of-range", "1 to 1024", "0", "size"),
    "negative padding": (lambda: conv(1, 1, padding=-1), [(1, 1, 1)], "cfg.out-of-range", "0 to 1024", "-1", "padding"),
    "no dilation": (
        lambda: conv(1, 3, padding=1, dilation=0),
        [(1, 9, 9)],
        "cfg.out-of-range",
        "1 to 1024",
        "0",
        "dilation",
    ),
    # Darknet sizes the output as if undilated: 9 - 3 + 1 = 7, where the taps leave room for 9 - 5 + 1 = 5
    "dilation without padding": (
        lambda: conv(1, 3, dilation=2),
        [(1, 9, 9)],
        "network.dilation",
        None,
        "size=3, padding=0, dilation=2",
        "",
    ),
    "dilation of an even kernel": (
        lambda: conv(1, 2, padding=1, dilation=2),
        [(1, 9, 9)],
        "network.dilation",
        None,
        "size=2, padding=1, dilation=2",
        "",
    ),
    "dilation of a point": (
        lambda: conv(1, 1, dilation=2),
        [(1, 9, 9)],
        "network.dilation",
        None,
        "size=1, padding=0, dilation=2",
        "",
    ),
    "conv activation": (
        lambda: conv(1, activation="glu"),
        [(1, 1, 1)],
        "cfg.unknown-value",
        None,
        "'glu'",
        "activation",
    ),
    "antialiasing": (
        lambda: conv(1, antialiasing=3),
        [(1, 1, 1)],
        "cfg.unknown-value",
        "0, 1",
        "3",
        "antialiasing",
    ),
    "outputs": (
        lambda: Connected(sources=LAST, outputs=0),
        [(1, 1, 1)],
        "cfg.out-of-range",
        "1 to 1048576",
        "0",
        "output",
    ),
    "connected activation": (
        lambda: Connected(sources=LAST, outputs=1, activation=""),
        [(1, 1, 1)],
        "cfg.unknown-value",
        None,
        "''",
        "activation",
    ),
    "pool too large": (lambda: pool(4, 1, 0), [(1, 3, 9)], "network.window-too-large", "at least 4x4", "3x9", ""),
    "pool padding": (
        lambda: pool(2, 1, 3),
        [(1, 3, 3)],
        "cfg.out-of-range",
        "0 to 2",
        "3",
        "padding",
    ),
    "pool negative padding": (
        lambda: mean(2, 1, -1),
        [(1, 3, 3)],
        "cfg.out-of-range",
        "0 to 2",
        "-1",
        "padding",
    ),
    "pool size": (lambda: pool(0, 1, 0), [(1, 3, 3)], "cfg.out-of-range", "1 to 1024", "0", "size"),
    "pool stride": (lambda: pool(2, 0), [(1, 3, 3)], "cfg.out-of-range", "1 to 1024", "0", "stride"),
    "depth": (
        lambda: MaxPoolDepth(sources=LAST, channels=4),
        [(6, 1, 1)],
        "network.indivisible-channels",
        "a divisor of 6",
        "4",
        "",
    ),
    "no depth": (
        lambda: MaxPoolDepth(sources=LAST, channels=0),
        [(6, 1, 1)],
        "cfg.out-of-range",
        "1 to 65536",
        "0",
        "out_channels",
    ),
    "route of nothing": (lambda: Route(sources=()), [], "network.no-sources", "layers=...", "none", ""),
    "route sizes": (
        lambda: Route(sources=(0, 1)),
        [(1, 13, 13), (1, 14, 14)],
        "network.route-sizes",
        "",
        "layer 0: 13x13, layer 1: 14x14",
        "",
    ),
    "route groups": (
        lambda: Route(sources=(0,), groups=3),
        [(4, 1, 1)],
        "network.indivisible-groups",
        "a divisor of 4",
        "groups=3",
        "",
    ),
    "route group_id": (
        lambda: Route(sources=(0,), groups=2, group_id=2),
        [(4, 1, 1)],
        "cfg.out-of-range",
        "0 to 1",
        "2",
        "group_id",
    ),
    "route no groups": (
        lambda: Route(sources=(0,), groups=0),
        [(4, 1, 1)],
        "cfg.out-of-range",
        "1 to 2147483647",
        "0",
        "groups",
    ),
    "shortcut to nothing": (lambda: Shortcut(sources=(0,)), [(1, 1, 1)], "network.no-sources", "from=...", "none", ""),
    "shortcut ratio": (
        lambda: Shortcut(sources=(1, 0)),
        [(1, 2, 2), (1, 4, 2)],
        "network.shortcut-sizes",
        "",
        "4x2 to 2x2",
        "",
    ),
    "shortcut weights_type": (
        lambda: Shortcut(sources=(1, 0), weighting="x"),
        [(1, 2, 2)] * 2,
        "cfg.unknown-value",
        "one of none, per_feature, per_channel",
        "'x'",
        "weights_type",
    ),
    "shortcut normalization": (
        lambda: Shortcut(sources=(1, 0), normalization="x"),
        [(1, 2, 2)] * 2,
        "cfg.unknown-value",
        "one of none, relu, softmax",
        "'x'",
        "weights_normalization",
    ),
    "weighted shortcut sizes": (
        lambda: Shortcut(sources=(1, 0), weighting="per_feature"),
        [(1, 2, 2), (1, 4, 4)],
        "network.shortcut-sizes",
        "2x2",
        "4x4",
        "",
    ),
    "gate": (lambda: ScaleChannels(sources=(1, 0)), [(3, 1, 1), (4, 3, 3)], "network.gate-shape", "4x1x1", "3x1x1", ""),
    "pixel gate": (
        lambda: ScaleChannels(sources=(1, 0), per_pixel=True),
        [(4, 1, 1), (4, 3, 3)],
        "network.gate-shape",
        "1x3x3",
        "4x1x1",
        "",
    ),
    "gate activation": (
        lambda: ScaleChannels(sources=(1, 0), activation="mash"),
        [(4, 1, 1), (4, 3, 3)],
        "cfg.unknown-value",
        None,
        "'mash'",
        "activation",
    ),
    "sam": (lambda: Sam(sources=(1, 0)), [(4, 3, 3), (4, 3, 2)], "network.sam-shapes", "4x3x3", "4x3x2", ""),
    "sam activation": (
        lambda: Sam(sources=(1, 0), activation="wish"),
        [(4, 3, 3)] * 2,
        "cfg.unknown-value",
        None,
        "'wish'",
        "activation",
    ),
    "upsample": (lambda: Upsample(sources=LAST, stride=0), [(1, 2, 2)], "cfg.out-of-range", "1 to 1024", "0", "stride"),
    "alone": (
        lambda: Activation(sources=LAST, activation="silu"),
        [(1, 4, 4)],
        "cfg.unknown-value",
        None,
        "'silu'",
        "activation",
    ),
    "reverse upsample": (
        lambda: Upsample(sources=LAST, stride=2, reverse=True),
        [(1, 4, 5)],
        "network.indivisible-map",
        "a divisor of 4 and 5",
        "stride=2",
        "",
    ),
    "reorg3d": (
        lambda: Reorg(sources=LAST, stride=2),
        [(1, 3, 4)],
        "network.indivisible-map",
        "a divisor of 3 and 4",
        "stride=2",
        "",
    ),
    "reorg": (
        lambda: Reorg(sources=LAST, stride=2, legacy=True),
        [(2, 4, 4)],
        "network.indivisible-channels",
        "a multiple of 4",
        "2",
        "",
    ),
    "crop": (
        lambda: Crop(sources=LAST, height=4, width=1),
        [(3, 3, 3)],
        "network.crop-too-large",
        "at most 3x3",
        "4x1",
        "",
    ),
    "no crop": (
        lambda: Crop(sources=LAST, height=0, width=1),
        [(3, 3, 3)],
        "network.crop-too-large",
        "at most 3x3",
        "0x1",
        "",
    ),
    "softmax": (
        lambda: Softmax(sources=LAST, groups=3),
        [(10, 1, 1)],
        "network.indivisible-groups",
        "a divisor of 10",
        "groups=3",
        "",
    ),
    "softmax groups": (
        lambda: Softmax(sources=LAST, groups=-1),
        [(10, 1, 1)],
        "cfg.out-of-range",
        "1 to 2147483647",
        "-1",
        "groups",
    ),
    "softmax temperature": (
        lambda: Softmax(sources=LAST, temperature=0.0),
        [(10, 1, 1)],
        "cfg.out-of-range",
        "0",
        "0",
        "temperature",
    ),
    "implicit": (
        lambda: Implicit(sources=LAST, filters=0),
        [(1, 1, 1)],
        "cfg.out-of-range",
        "1 to 65536",
        "0",
        "filters",
    ),
    "yolo filters": (
        lambda: Yolo(sources=LAST, classes=80, anchors=ANCHORS, mask=(0,)),
        [(84, 1, 1)],
        "network.head-filters",
        "85",
        "84",
        "",
    ),
    "yolo mask": (
        lambda: Yolo(sources=LAST, classes=80, anchors=ANCHORS, mask=(3,)),
        [(85, 1, 1)],
        "network.unknown-anchor",
        "0 to 2",
        "3",
        "",
    ),
    "yolo no mask": (
        lambda: Yolo(sources=LAST, classes=80, anchors=ANCHORS),
        [(85, 1, 1)],
        "network.empty-mask",
        "mask=0,1,2",
        "none",
        "",
    ),
    "yolo no anchors": (
        lambda: Yolo(sources=LAST, mask=(0,)),
        [(85, 1, 1)],
        "network.no-anchors",
        "anchors=w,h, ...",
        "none",
        "",
    ),
    "yolo classes": (
        lambda: Yolo(sources=LAST, classes=0, anchors=ANCHORS, mask=(0,)),
        [(5, 1, 1)],
        "cfg.out-of-range",
        "1 to 65536",
        "0",
        "classes",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, inputs, code, expected, result, key = REFUSED[name]
    with refuses(code, found=result) as caught:
        make().output(inputs)
    assert caught.value.expected
    assert not expected or re.search(rf"(^|\s){re.escape(expected)}($|[\s,])", caught.value.expected)
    assert caught.value.remedy
    assert f"{key}=" in caught.value.remedy if key else not key


@pytest.mark.parametrize(("size", "dilation"), [(3, 2), (3, 5), (5, 2), (7, 3)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_dilation_that_is_allowed_keeps_both_size_rules_equal(size: int, dilation: int, stride: int) -> None:
    padding = size // 2
    layer = conv(1, size, (stride, stride), padding, dilation=dilation)
    for side in range(1, 30):
        _, rows, _ = layer.output([(1, side, side)])
        assert rows == (side + 2 * padding * dilation - dilation * (size - 1) - 1) // stride + 1


def test_network_names_the_layer_that_does_not_fit() -> None:
    with refuses(
        "network.window-too-large", where="net, layer 1 [convolutional]", expected="at least 3x3", found="2x2"
    ):
        Network("net", (3, 4, 4), (conv(2, 3), conv(2, 3).__class__(sources=(0,), filters=2, size=3)))


@pytest.mark.parametrize("source", [1, 2, -2])
def test_network_refuses_a_layer_that_is_not_before(source: int) -> None:
    expected = "a layer from 0 to 0"
    with refuses("network.unknown-source", where="net, layer 1 [route]", expected=expected, found=f"layer {source}"):
        Network("net", (3, 4, 4), (conv(2), Route(sources=(source,))))


@pytest.mark.parametrize(
    ("second", "code", "expected", "found"),
    [
        ({"share": 1}, "network.unknown-share", "such a convolution from 0 to 0", "layer 1"),
        ({"share": 2}, "network.unknown-share", "such a convolution from 0 to 0", "layer 2"),
        ({"share": 0, "filters": 3}, "network.share-shape", "filters 2", "filters 3"),
        ({"share": 0, "size": 3}, "network.share-shape", "size 1", "size 3"),
        (
            {"share": 0, "batch_normalize": False},
            "network.share-shape",
            "batch_normalize True",
            "batch_normalize False",
        ),
    ],
)
def test_network_refuses_to_share_another_shape(second: dict[str, int], code: str, expected: str, found: str) -> None:
    layers = (conv(2), Convolution(**{"sources": (0,), "filters": 2, **second}))  # type: ignore[arg-type]
    with refuses(code, where="net, layer 1 [convolutional]", expected=expected, found=found):
        Network("net", (2, 4, 4), layers)


def test_network_refuses_maps_that_darknet_cannot_index() -> None:
    # 65536 * 200 * 200 = 2.6e9 > 2^31
    with refuses("network.too-large", where="net, layer 0 [convolutional]", found="2621440000"):
        Network("net", (1, 200, 200), (conv(2**16),))


def test_network_refuses_an_intermediate_map_that_darknet_cannot_index() -> None:
    # antialiasing computes 65536 * 200 * 200 values before it strides
    with refuses("network.too-large", where="net, layer 0 [convolutional]", found="2621440000"):
        Network("net", (1, 200, 200), (conv(2**16, stride=(100, 100), antialiasing=1),))
