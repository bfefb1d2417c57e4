"""Pictures of a classifier mixed from several: MixUp, CutMix and mosaic, with their labels (spec b.6)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cspbench.data.augment.draws import Draws


class Mixing(StrEnum):
    """How pictures are mixed; the keys of [net] that ask for it are described in `of_keys`."""

    NONE = "none"
    MIXUP = "mixup"
    CUTMIX = "cutmix"
    MOSAIC = "mosaic"
    CUTMIX_MOSAIC = "cutmix-mosaic"
    """One of both for each picture."""
    CUTMIX_MIXUP = "cutmix-mixup"
    """One of both for each chunk, as between 2019-11-30 and 2019-12-02."""

    @property
    def partners(self) -> int:
        """How many more pictures are drawn for each."""
        return {Mixing.NONE: 0, Mixing.MOSAIC: 3, Mixing.CUTMIX_MOSAIC: 3}.get(self, 1)


class Cut(StrEnum):
    """The rectangle of CutMix, by time."""

    FREE = "free"
    """Anywhere, sides of .3 to .8 of the picture's: since 2019-12-02."""
    FREE_WIDE = "free-wide"
    """Anywhere, sides of .2 to .8: a few days before."""
    CORNER = "corner"
    """A quadrant of a mosaic: at first."""


def of_keys(mixup: int, cutmix: bool, mosaic: bool, combined: bool = False) -> Mixing:
    """What the keys of [net] ask for; other mixing takes the place of mixup=1.

    `combined`: mixup=1 and cutmix=1 alternate, as in the code of 2019-11-30.
    """
    if mosaic:
        return Mixing.CUTMIX_MOSAIC if cutmix else Mixing.MOSAIC
    if cutmix:
        return Mixing.CUTMIX_MIXUP if combined and mixup else Mixing.CUTMIX
    return Mixing.MIXUP if mixup else Mixing.NONE


class Mix(NamedTuple):
    """One picture's mixing, with the rectangle (left, top, right, bottom) of CutMix or the cut (x, y) of a mosaic."""

    kind: Mixing
    place: tuple[int, ...] = ()


def plan(draws: Draws, mixing: Mixing, cut: Cut, count: int, extent: tuple[int, int]) -> list[Mix]:
    """How the `count` pictures of a chunk are mixed; `extent` is their width and height."""
    if mixing is Mixing.CUTMIX_MIXUP:
        mixing = Mixing.MIXUP if draws.coin() else Mixing.CUTMIX
    mixes = []
    for _ in range(count):
        kind = mixing
        if mixing is Mixing.CUTMIX_MOSAIC:
            kind = Mixing.MOSAIC if draws.coin() else Mixing.CUTMIX
        if kind is Mixing.CUTMIX:
            mixes.append(Mix(kind, _rectangle(draws, cut, extent)))
        elif kind is Mixing.MOSAIC:
            mixes.append(Mix(kind, cut_point(draws, extent)))
        else:
            mixes.append(Mix(kind))
    return mixes


def cut_point(draws: Draws, extent: tuple[int, int]) -> tuple[int, int]:
    """Where a mosaic is cut: an x and a y from .2 to .8 of the width and height."""
    x, y = (draws.between(*_part(side, 0.2, 1 - np.float32(0.2))) for side in extent)
    return x, y


def _part(side: int, low: float | np.float32, high: float | np.float32) -> tuple[int, int]:
    return int(np.float32(side) * np.float32(low)), int(np.float32(side) * np.float32(high))


def _rectangle(draws: Draws, cut: Cut, extent: tuple[int, int]) -> tuple[int, int, int, int]:
    width, height = extent
    if cut is Cut.CORNER:
        x, y = cut_point(draws, extent)
        left, right = (0, x) if draws.coin() else (x, width)
        top, bottom = (0, y) if draws.coin() else (y, height)
        return left, top, right, bottom
    low = 0.2 if cut is Cut.FREE_WIDE else 0.3
    across, down = (draws.between(*_part(side, low, 0.8)) for side in extent)
    left, top = draws.between(0, width - across - 1), draws.between(0, height - down - 1)
    return left, top, left + across, top + down


def mix(kind: Mix, pictures: Sequence[Tensor], labels: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """A picture (C, H, W) mixed from those in the plan's order, which may be changed, and its label (classes,)."""
    first = pictures[0]
    height, width = first.shape[1:]
    if kind.kind is Mixing.MIXUP:
        return first.add_(pictures[1]).div_(2), (labels[0] + labels[1]) / 2
    if kind.kind is Mixing.CUTMIX:
        left, top, right, bottom = kind.place
        inside = (..., slice(top, bottom), slice(left, right))
        first[inside] = pictures[1][inside]
        second = np.float32((right - left) * (bottom - top)) / np.float32(width * height)
        shares = [float(1 - second), float(second)]
    else:
        x, y = kind.place
        first[:, :y, x:] = pictures[1][:, :y, x:]
        first[:, y:, :x] = pictures[2][:, y:, :x]
        first[:, y:, x:] = pictures[3][:, y:, x:]
        areas = (x * y, (width - x) * y, x * (height - y), (width - x) * (height - y))
        shares = [float(np.float32(area) / np.float32(width * height)) for area in areas]
    label = torch.zeros_like(labels[0])
    for share, other in zip(shares, labels, strict=False):
        label += share * other
    return first, label
