"""A detector's mosaic: four pictures, of each the corner next to the point where they meet (spec c.4).

The tiles are 0 above and left of the point, 1 above and right, 2 below and left, 3 below and right.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cspbench.data.augment.crop import Margins, Pixels
from cspbench.data.augment.truths import Limits, Truths

TILES = 4


def to_corner(margins: Margins, tile: int, mirror: bool) -> Margins:
    """The margins with those at the tile's outer sides moved to the opposite sides, so that most of it is visible."""
    left, right, top, bottom = margins
    if (tile % 2 == 0) != mirror:
        left, right = 0, right + left
    else:
        left, right = left + right, 0
    if tile < 2:
        top, bottom = 0, bottom + top
    else:
        top, bottom = top + bottom, 0
    return Margins(left, right, top, bottom)


class Tile(NamedTuple):
    """One of the four: where the point is, (x, y), and the picture's offset against the mosaic in pixels."""

    number: int
    cut: tuple[int, int]
    across: int
    down: int


def tile(
    number: int, cut: tuple[int, int], margins: Margins, mirror: bool, extent: tuple[int, int], limits: Limits
) -> Tile:
    """The tile of a picture, whose image has `extent` (width, height); added margins are left out where possible."""
    left, right, top, bottom = margins
    if mirror:
        left, right = right, left
    size = (limits.width, limits.height)
    before = [min(cut[axis], _pixels(side, size[axis], extent[axis])) for axis, side in enumerate((left, top))]
    rest = [size[axis] - cut[axis] for axis in (0, 1)]
    after = [min(rest[axis], _pixels(side, size[axis], extent[axis])) for axis, side in enumerate((right, bottom))]
    across = cut[0] - before[0] if number % 2 else after[0] - rest[0]
    down = cut[1] - before[1] if number >= 2 else after[1] - rest[1]
    return Tile(number, cut, across, down)


def _pixels(margin: int, size: int, length: int) -> int:
    """An added margin in pixels of the network's input; 0 for one that is cut off."""
    return max(0, -margin * size // length)


def paste(canvas: Pixels, picture: Pixels, part: Tile) -> None:
    """Copy the picture's corner into its tile of the canvas; both are uint8 (H, W, 3)."""
    height, width = canvas.shape[:2]
    x, y = part.cut
    left, right = (x, width) if part.number % 2 else (0, x)
    top, bottom = (y, height) if part.number >= 2 else (0, y)
    across, down = part.across, part.down
    canvas[top:bottom, left:right] = picture[top - down : bottom - down, left - across : right - across]


def moved(truths: Truths, part: Tile, limits: Limits, bound: bool) -> Truths:
    """The objects of a tile's picture in the mosaic, in single precision.

    They are cut at the mosaic's border by whole pixels, so they may reach into other tiles; with `bound` they are cut
    at their own tile, and all edges become whole pixels.
    """
    size = np.array([limits.width, limits.height], np.float32)
    shift = np.array([part.across, part.down], np.float32) / size
    centre, side = truths[:, :2] + shift, truths[:, 2:4].copy()
    low, high = _edges(centre, side, size)
    if bound:
        later = np.array([part.number % 2, part.number // 2], np.bool_)
        low = np.maximum(low, np.where(later, part.cut, 0))
        high = np.minimum(high, np.where(later, (limits.width, limits.height), part.cut))
        centre = (high + low).astype(np.float32) / 2 / size
        side = (high - low).astype(np.float32) / size
    else:
        for excess in (np.minimum(low, 0), np.maximum(high - size.astype(np.int64), 0)):
            over = excess.astype(np.float32) / size
            centre -= over / 2
            side -= np.abs(over)
        low, high = _edges(centre, side, size)
    good = (low >= 0) & (high <= size) & (side > 0) & (side < 1) & (centre > 0) & (centre < 1) & (side > 1 / size)
    inside = good.all(1)
    return np.concatenate((centre, side, truths[:, 4:]), 1)[inside]


def _edges(centre: Truths, side: Truths, size: Truths) -> tuple[Pixels, Pixels]:
    """The edges in pixels, rounded toward 0."""
    return ((centre - side / 2) * size).astype(np.int64), ((centre + side / 2) * size).astype(np.int64)
