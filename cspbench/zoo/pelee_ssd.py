"""Pelee, the detector of PeleeNet's authors: an SSD with a residual block before each head.

Source: Pelee (arXiv 1804.06882) and the authors' Caffe code, Robert-JunWang/Pelee. As there, the branch with one 3x3
comes first in a dense layer, so that arrays and channels are in the order of the authors' files.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import sqrt

from cspbench.network.builder import Builder
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import MultiBox
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.detector_protocol import DetectorProtocol, HardNms
from cspbench.zoo.model import register
from cspbench.zoo.pelee import pelee_trunk, two_way

RATIOS = (2.0, 3.0)
"""Width / height of the anchors that are not square; their inverses are used too."""

SIZES = (7, 15, 33, 51, 69, 87)
"""Side of each head's small square anchor, in percent of the input."""

NEXT_SIZES = (15, 33, 51, 69, 87, 105)
"""SIZES of the next head: the side of the larger square is the geometric mean of both."""

CLASSES = 80

PROTOCOL = DetectorProtocol(
    bgr=True,
    mean=(103.94, 116.78, 123.68),
    deviation=(1 / 0.017,) * 3,
    epsilon=Epsilon.INSIDE_1E3,
    conf=0.01,
    nms=HardNms(0.45, considered=400, kept=200),
)
"""From the test phase of the authors' train_coco.py."""


def anchors(side: int, size: int, next_size: int) -> tuple[Anchor, ...]:
    """A head's anchors for an input of `side` pixels, from sizes in percent of it, in Caffe's order."""
    small, large = side * size / 100, side * next_size / 100
    return ((small, small), (sqrt(small * large), sqrt(small * large)), *elongated(small))


def elongated(side: float) -> Iterator[Anchor]:
    """Boxes of the area of a square, with RATIOS and their inverses."""
    for root in map(sqrt, RATIOS):
        yield from ((side * root, side / root), (side / root, side * root))


def plain(b: Builder, filters: int, size: int = 1, *, stride: int = 1, padding: int = 0) -> int:
    """A convolution with ReLU and without batch normalisation, for the extra layers."""
    return b.conv(filters, size, stride=stride, padding=padding, activation="relu", batch_normalize=False)


def prediction_block(b: Builder, entry: int) -> int:
    """The residual block before a head: the sum of a bottleneck and a 1x1, and a ReLU."""
    b.route(entry)
    straight = b.conv(256, activation="linear")
    b.route(entry)
    b.conv(128, activation="relu")
    b.conv(128, 3, activation="relu")
    b.conv(256, activation="linear")
    return b.shortcut(straight, activation="relu")


def multibox(b: Builder, entry: int, boxes: tuple[Anchor, ...]) -> int:
    """SSD's head with 1x1 convolutions: offsets, and scores of classes and background."""
    b.route(entry)
    offsets = b.conv(4 * len(boxes), activation="linear", batch_normalize=False)
    b.route(entry)
    scores = b.conv((CLASSES + 1) * len(boxes), activation="linear", batch_normalize=False)
    joined = b.route(offsets, scores)
    return b.add(MultiBox(sources=(joined,), classes=CLASSES, anchors=boxes))


@register("pelee-304", 304, detector_protocol=PROTOCOL)
def pelee_304(b: Builder) -> None:
    """Pelee at 304x304: heads on maps of side 19, 19, 10, 5, 3 and 1 (the first map twice, for two box sizes)."""
    # Caffe's and Darknet's pools round up: 19 becomes 10, with the last windows partly outside
    layer = partial(two_way, branches=(1, 2))
    _, c4, c5 = pelee_trunk(b, activation="relu", layer=layer, pool=Builder.local_avgpool)
    plain(b, 256)
    maps = [c4, c5, plain(b, 256, 3, stride=2, padding=1)]
    for _ in range(2):
        plain(b, 128)
        maps.append(plain(b, 256, 3))
    blocks = [prediction_block(b, entry) for entry in maps]
    for entry, size, next_size in zip((blocks[0], *blocks), SIZES, NEXT_SIZES, strict=True):
        multibox(b, entry, anchors(b.input[2], size, next_size))
