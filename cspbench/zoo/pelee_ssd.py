"""Pelee, PeleeNet's own detector: an SSD whose maps pass a residual block before they are predicted from.

Source: Pelee (arXiv 1804.06882) and its authors' Caffe code, Robert-JunWang/Pelee. In a dense layer the branch with one
3x3 comes first there, so that the arrays and channels stand in the order of the authors' files.
"""

from __future__ import annotations

from functools import partial
from math import sqrt

from cspbench.network.builder import Builder
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import MultiBox
from cspbench.network.layers.heads import Anchor
from cspbench.network.network import Network
from cspbench.zoo.model import register
from cspbench.zoo.pelee import pelee_trunk, two_way
from cspbench.zoo.recipe import HardNms, Recipe

RATIOS = (2.0, 3.0)
"""Width over height of a map's anchors, and one over it, besides the squares."""

SIZES = (7, 15, 33, 51, 69, 87)
"""Side of the small square anchor of each head, in percent of the input."""

NEXT_SIZES = (15, 33, 51, 69, 87, 105)
"""The next head's: the larger square's side is the geometric mean of both."""

RECIPE = Recipe(
    bgr=True,
    mean=(103.94, 116.78, 123.68),
    deviation=(1 / 0.017,) * 3,
    epsilon=Epsilon.INSIDE_1E3,
    conf=0.01,
    nms=HardNms(0.45, considered=400, kept=200),
)
"""The authors' train_coco.py, its test phase."""


def anchors(side: int, size: int, following: int) -> tuple[Anchor, ...]:
    """A head's anchors on an input of `side` pixels, from sizes in percent of it, in Caffe's order."""
    small, large = side * size / 100, side * following / 100
    found = [(small, small), (sqrt(small * large),) * 2]
    for ratio in RATIOS:
        root = sqrt(ratio)
        found += [(small * root, small / root), (small / root, small * root)]
    return tuple((width, height) for width, height in found)


def plain(b: Builder, filters: int, size: int = 1, *, stride: int = 1, padding: int = 0) -> int:
    """A convolution without batch normalisation, and a ReLU: the extra layers."""
    return b.conv(filters, size, stride=stride, padding=padding, activation="relu", batch_normalize=False)


def prediction_block(b: Builder, entry: int) -> int:
    """The residual block ahead of the heads: a bottleneck beside a 1x1, and a ReLU after the sum."""
    b.route(entry)
    straight = b.conv(256, activation="linear")
    b.route(entry)
    b.conv(128, activation="relu")
    b.conv(128, 3, activation="relu")
    b.conv(256, activation="linear")
    return b.shortcut(straight, activation="relu")


def multibox(b: Builder, entry: int, boxes: tuple[Anchor, ...], *, classes: int = 80) -> int:
    """SSD's head with 1x1 convolutions: offsets and scores of the classes and the background."""
    b.route(entry)
    offsets = b.conv(4 * len(boxes), activation="linear", batch_normalize=False)
    b.route(entry)
    scores = b.conv((classes + 1) * len(boxes), activation="linear", batch_normalize=False)
    joined = b.route(offsets, scores)
    return b.add(MultiBox(sources=(joined,), classes=classes, anchors=boxes))


@register("pelee-304", recipe=RECIPE)
def pelee_304(side: int = 304) -> Network:
    """Pelee at 304x304: maps of 19, 19, 10, 5, 3 and 1 (the first twice, for small boxes and for larger ones)."""
    b = Builder("pelee-304", (3, side, side))
    # Caffe's pools round up: 19 becomes 10, whose last windows hang over the border; so do Darknet's
    layer = partial(two_way, branches=(1, 2))
    _, c4, c5 = pelee_trunk(b, activation="relu", layer=layer, pool=Builder.local_avgpool)
    plain(b, 256)
    maps = [c4, c5, plain(b, 256, 3, stride=2, padding=1)]
    for _ in range(2):
        plain(b, 128)
        maps.append(plain(b, 256, 3))
    blocks = [prediction_block(b, entry) for entry in maps]
    for entry, size, following in zip((blocks[0], *blocks), SIZES, NEXT_SIZES, strict=True):
        multibox(b, entry, anchors(side, size, following))
    return b.network()
