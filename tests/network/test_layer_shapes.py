"""Maps that are not square, by numbers worked by hand, and maps that fit in one axis only.

A rule that looks at one axis, or swaps the two, passes with square maps.
"""

from __future__ import annotations

import pytest

from cspbench.errors import DefinitionError
from cspbench.network.layers import (
    Connected,
    Convolution,
    Crop,
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
    Resize,
    RoiAlign,
    RoiBox,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Upsample,
    Yolo,
)
from cspbench.network.operations import Operations

LAST = (-1,)
PAIR = (1, 0)
ANCHORS = ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0))

FITS: dict[str, tuple[Layer, list[Shape], Shape]] = {
    # exactly as large as its kernel: one place in each axis
    "conv of its kernel's size": (Convolution(sources=LAST, filters=2, size=3), [(1, 3, 3)], (2, 1, 1)),
    "conv, two strides": (
        Convolution(sources=LAST, filters=2, size=3, stride=(1, 3), padding=1),
        [(1, 7, 10)],
        (2, 7, 4),  # (7 + 2 - 3) / 1 + 1, (10 + 2 - 3) // 3 + 1
    ),
    "blur 3x3, two strides": (
        Convolution(sources=LAST, filters=2, size=3, stride=(2, 3), padding=1, antialiasing=1),
        [(1, 8, 12)],
        (2, 4, 4),  # at stride 1: 8, 12; (8 + 2 - 3) // 2 + 1, (12 + 2 - 3) // 3 + 1
    ),
    "blur 2x2, two strides": (
        Convolution(sources=LAST, filters=2, size=1, stride=(3, 2), antialiasing=2),
        [(1, 8, 9)],
        (2, 3, 4),  # (8 - 2) // 3 + 1, (9 - 2) // 2 + 1
    ),
    "dilation": (
        Convolution(sources=LAST, filters=1, size=3, padding=1, dilation=3, stride=(2, 2)),
        [(1, 9, 6)],
        (1, 5, 3),  # as without: (9 + 2 - 3) // 2 + 1, (6 + 2 - 3) // 2 + 1
    ),
    "connected": (Connected(sources=LAST, outputs=3), [(2, 5, 7)], (3, 1, 1)),
    "maxpool of its window's size": (MaxPool(sources=LAST, size=3, stride=2, padding=0), [(1, 3, 3)], (1, 1, 1)),
    "maxpool": (MaxPool(sources=LAST, size=3, stride=2, padding=2), [(2, 7, 10)], (2, 4, 5)),  # ceil(h/2), ceil(w/2)
    "maxpool 3/3": (MaxPool(sources=LAST, size=3, stride=3, padding=1), [(2, 7, 11)], (2, 2, 4)),  # 5 // 3, 9 // 3
    "maxpool_depth": (MaxPoolDepth(sources=LAST, channels=3), [(6, 2, 5)], (3, 2, 5)),
    "route": (Route(sources=(0, 1, 2)), [(1, 2, 5), (2, 2, 5), (3, 2, 5)], (6, 2, 5)),
    "route slices": (Route(sources=(0, 1), groups=3, group_id=2), [(3, 2, 5), (9, 2, 5)], (4, 2, 5)),
    "shortcut at half the size": (Shortcut(sources=PAIR), [(1, 2, 5), (3, 4, 10)], (1, 2, 5)),
    "shortcut of an odd map": (Shortcut(sources=PAIR), [(1, 2, 4), (3, 5, 9)], (1, 2, 4)),  # 5 // 2 = 9 // 4 = 2
    "shortcut of half a map": (Shortcut(sources=PAIR), [(1, 4, 10), (3, 2, 5)], (1, 4, 10)),
    "scale_channels": (ScaleChannels(sources=PAIR), [(4, 1, 1), (4, 2, 5)], (4, 2, 5)),
    "scale_channels by pixel": (ScaleChannels(sources=PAIR, per_pixel=True), [(1, 2, 5), (4, 2, 5)], (4, 2, 5)),
    "sam": (Sam(sources=PAIR), [(4, 2, 5), (4, 2, 5)], (4, 2, 5)),
    "upsample": (Upsample(sources=LAST, stride=2), [(1, 2, 5)], (1, 4, 10)),
    "reverse upsample": (Upsample(sources=LAST, stride=3, reverse=True), [(1, 6, 15)], (1, 2, 5)),
    "resize": (Resize(sources=PAIR), [(3, 2, 5), (7, 4, 9)], (3, 4, 9)),
    "reorg3d": (Reorg(sources=LAST, stride=3), [(2, 6, 15)], (18, 2, 5)),
    "reorg": (Reorg(sources=LAST, stride=2, legacy=True), [(4, 4, 10)], (16, 2, 5)),
    "whole crop": (Crop(sources=LAST, height=5, width=7), [(2, 5, 7)], (2, 5, 7)),
    "crop of a pixel": (Crop(sources=LAST), [(2, 5, 7)], (2, 1, 1)),
    "proposals": (Proposals(sources=PAIR, anchors=ANCHORS, count=9), [(3, 2, 5), (12, 2, 5)], (4, 9, 1)),
    "roialign": (RoiAlign(sources=PAIR, bins=3), [(18, 2, 5), (4, 9, 1)], (18, 9, 1)),
}


@pytest.mark.parametrize("name", FITS)
def test_the_shape_of_a_map_that_is_not_square(name: str) -> None:
    layer, inputs, output = FITS[name]
    assert layer.output(inputs) == output


CONV = Convolution(sources=LAST, filters=1, size=3)
POOL = MaxPool(sources=LAST, size=3, stride=1, padding=0)
WEIGHTED = Shortcut(sources=PAIR, weighting="per_feature")
TWO = Shortcut(sources=(2, 1, 0))
BY_PIXEL = ScaleChannels(sources=PAIR, per_pixel=True)
PROPOSALS = Proposals(sources=PAIR, anchors=ANCHORS)
ALIGN = RoiAlign(sources=PAIR, bins=2)

MISFITS: list[tuple[Layer, list[Shape]]] = [
    *((CONV, [(1, *size)]) for size in ((2, 9), (9, 2))),
    *((Convolution(sources=LAST, filters=1, antialiasing=2), [(1, *size)]) for size in ((1, 9), (9, 1))),
    *((POOL, [(1, *size)]) for size in ((2, 9), (9, 2))),
    *((LocalAvgPool(sources=LAST, size=3, stride=1, padding=0), [(1, *size)]) for size in ((2, 9), (9, 2))),
    # a size of 5 with a padding of 2 keeps the map when dilated; with 1 or 3 it does not, nor does an even size
    *(
        (Convolution(sources=LAST, filters=1, size=size, padding=padding, dilation=2), [(1, 30, 30)])
        for size, padding in ((1, 0), (5, 1), (5, 3), (4, 2), (4, 1))
    ),
    *((Route(sources=(0, 1)), [(1, 2, 5), (1, *size)]) for size in ((3, 5), (2, 4), (5, 2))),
    (Route(sources=(0, 1, 2)), [(1, 2, 5), (1, 2, 5), (1, 2, 4)]),
    *((Route(sources=(0, 1), groups=2), [(first, 2, 5), (second, 2, 5)]) for first, second in ((4, 3), (3, 4))),
    # larger, or smaller, in one axis only, and not by the same factor in both
    *(
        (Shortcut(sources=PAIR), [(1, *current), (1, *source)])
        for current, source in (
            *(((4, 4), (8, 4)), ((4, 4), (4, 8)), ((4, 4), (2, 4)), ((4, 4), (4, 2))),
            *(((4, 4), (8, 12)), ((4, 4), (12, 8)), ((12, 12), (6, 4)), ((12, 12), (4, 6)), ((4, 4), (8, 2))),
        )
    ),
    *((WEIGHTED, [(1, 4, 6), (1, *size)]) for size in ((2, 3), (8, 12), (5, 6), (4, 7))),
    *((TWO, [(1, 4, 4), *added]) for added in ([(1, 4, 4), (1, 2, 4)], [(1, 4, 8), (1, 4, 4)])),
    *((ScaleChannels(sources=PAIR), [gate, (4, 2, 5)]) for gate in ((3, 1, 1), (4, 2, 1), (4, 1, 5), (1, 2, 5))),
    *((BY_PIXEL, [gate, (4, 2, 5)]) for gate in ((4, 2, 5), (1, 5, 2), (1, 2, 4), (1, 3, 5), (4, 1, 1))),
    *((Sam(sources=PAIR), [(4, 2, 5), other]) for other in ((3, 2, 5), (4, 3, 5), (4, 2, 4), (4, 5, 2))),
    *((Upsample(sources=LAST, stride=2, reverse=True), [(1, *size)]) for size in ((3, 4), (4, 3))),
    *((Reorg(sources=LAST, stride=2), [(4, *size)]) for size in ((3, 4), (4, 3))),
    (Reorg(sources=LAST, stride=2, legacy=True), [(6, 4, 4)]),
    *(
        (Crop(sources=LAST, height=height, width=width), [(1, 4, 6)])
        for height, width in ((5, 6), (4, 7), (0, 6), (4, 0), (-1, 6), (4, -1))
    ),
    *((PROPOSALS, [scores, (12, 2, 5)]) for scores in ((2, 2, 5), (3, 3, 5), (3, 2, 4), (3, 5, 2))),
    (PROPOSALS, [(3, 2, 5), (11, 2, 5)]),
    *((ALIGN, [features, (4, 9, 1)]) for features in ((6, 2, 5), (2, 2, 5))),
    *((ALIGN, [(4, 2, 5), regions]) for regions in ((4, 9, 2), (3, 9, 1), (4, 1, 9))),
    *((Yolo(sources=LAST, classes=1, anchors=ANCHORS, mask=(0, 2)), [(channels, 2, 5)]) for channels in (11, 13, 18)),
    *((GaussianYolo(sources=LAST, classes=1, anchors=ANCHORS, mask=(0,)), [(n, 2, 5)]) for n in (6, 9, 11)),
    *((Region(sources=LAST, classes=1, anchors=ANCHORS), [(n, 2, 5)]) for n in (17, 19)),
    *((MultiBox(sources=LAST, classes=1, anchors=ANCHORS), [(n, 2, 5)]) for n in (15, 17, 19)),
    *((RefineBox(sources=LAST, classes=1, anchors=ANCHORS), [(n, 2, 5)]) for n in (18, 35, 37)),
    *((RoiBox(sources=LAST, classes=1), [(n, 9, 1)]) for n in (9, 11)),
]


@pytest.mark.parametrize("case", range(len(MISFITS)), ids=lambda at: f"{MISFITS[at][0].section}-{at}")
def test_what_fits_in_one_axis_only_is_refused(case: int) -> None:
    layer, inputs = MISFITS[case]
    with pytest.raises(DefinitionError) as caught:
        layer.output(inputs)
    assert caught.value.expected
    assert caught.value.found


SUM = Shortcut(sources=(2, 1, 0), weighting="per_channel")
ARRAYS: list[tuple[Layer, list[Shape], list[tuple[str, tuple[int, ...]]]]] = [
    (Connected(sources=LAST, outputs=3), [(2, 5, 7)], [("bias", (3,)), ("weight", (3, 70))]),
    (
        Convolution(sources=LAST, filters=6, size=3, groups=2, batch_normalize=False),
        [(4, 5, 7)],
        [("bias", (6,)), ("weight", (6, 2, 3, 3))],
    ),
    # a factor for each channel of the current map, whatever is added has
    (SUM, [(4, 2, 5), (2, 2, 5), (3, 2, 5)], [("fusion", (3, 4))]),
    (SUM, [(4, 2, 5), (8, 2, 5), (4, 2, 5)], [("fusion", (3, 4))]),
    (Shortcut(sources=PAIR, weighting="per_feature"), [(4, 2, 5), (8, 2, 5)], [("fusion", (2, 1))]),
    (Implicit(sources=LAST, filters=4, atoms=3), [(2, 5, 7)], [("fusion", (12,))]),
]


@pytest.mark.parametrize("case", range(len(ARRAYS)), ids=lambda at: f"{ARRAYS[at][0].section}-{at}")
def test_the_arrays_of_maps_that_are_not_alike(case: int) -> None:
    layer, inputs, arrays = ARRAYS[case]
    assert [(weight.role, weight.shape) for weight in layer.weights(inputs)] == arrays


OPERATIONS: dict[str, Operations] = {
    # of the cases above, by name
    "conv, two strides": Operations(conv=504, batch_norm=56, activation=56),  # 2 * 7 * 4 = 56 values of 9
    # before the blur 2 * 8 * 12 = 192 values of 9; behind it 2 * 4 * 4 = 32 of 9
    "blur 3x3, two strides": Operations(conv=1728, blur=288, batch_norm=192, activation=192),
    # before it 2 * 8 * 9 = 144 values of 1; behind it 2 * 3 * 4 = 24 of 4
    "blur 2x2, two strides": Operations(conv=144, blur=96, batch_norm=144, activation=144),
    "dilation": Operations(conv=135, batch_norm=15, activation=15),  # 5 * 3 = 15 values of 9
    "connected": Operations(linear=210, activation=3),  # 3 * 70
    "maxpool": Operations(pool_taps=360, pool_input=140),  # 9 * 2 * 4 * 5
    "maxpool_depth": Operations(pool_taps=60, pool_input=60),
    "route": Operations(),
    "shortcut at half the size": Operations(shortcut=10),
    "shortcut of half a map": Operations(shortcut=40),
    "scale_channels": Operations(),
    "sam": Operations(),
    "upsample": Operations(upsample=40),
    "reverse upsample": Operations(),
    "resize": Operations(upsample=108),  # 3 * 4 * 9
    "reorg3d": Operations(),
    "proposals": Operations(),
    "roialign": Operations(),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_operations_on_a_map_that_is_not_square(name: str) -> None:
    layer, inputs, output = FITS[name]
    assert layer.operations(inputs, output) == OPERATIONS[name]
