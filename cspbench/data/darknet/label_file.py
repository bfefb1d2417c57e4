"""Darknet's label files: the objects of one image, a line of five numbers for each.

    class  x  y  width  height

The class counts from 0; x and y are the centre of the box, and all four are parts of the image's width and height.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import NamedTuple

from cspbench.data.darknet.faults import Faults
from cspbench.data.darknet.text import Line, at, excerpt, read_lines
from cspbench.errors import DatasetError

SIZE_LIMIT = 1 << 22
"""Bytes of a label file; a line has about 40."""
MOST_OBJECTS = 1 << 16
"""Lines of a label file."""
PIXEL = 1 / 200
"""How far a box may reach beyond the image in an image of unknown size: a pixel of 200."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


class Box(NamedTuple):
    """One object: its class from 0, and its box as parts of the image's width and height."""

    label: int
    x: float
    y: float
    width: float
    height: float


def read_labels(path: Path, classes: int, faults: Faults, size: tuple[int, int] | None = None) -> list[Box]:
    """The objects of a label file for `classes` classes and an image of `size`, width and height in pixels.

    A line that is not an object of one of the classes is a fault and left out. A box that reaches beyond the image by
    more than a pixel is a fault too, but stays: Darknet uses it as it is. Raises `DatasetError` for a file that cannot
    be read.
    """
    lines = read_lines(path, "labels: class x y width height", SIZE_LIMIT)
    if len(lines) > MOST_OBJECTS:
        raise DatasetError(
            "darknet.too-many-objects",
            "too many objects",
            where=str(path),
            expected=f"{MOST_OBJECTS:,} lines at most",
            found=f"{len(lines):,}",
            remedy="Correct the label file",
        )
    boxes = []
    for line in lines:
        if faults.enough:
            break
        box = _box(path, line, classes, faults)
        if box is None:
            continue
        fault = _outside(path, line, box, size)
        if fault is not None:
            faults.add(fault)
        if fault is None or fault.code == "darknet.box-outside":
            boxes.append(box)
    return boxes


def _box(path: Path, line: Line, classes: int, faults: Faults) -> Box | None:
    words = line.text.split()
    if len(words) != 5 or not all(map(_NUMBER.fullmatch, words)):
        numbers = sum(map(bool, map(_NUMBER.fullmatch, words)))
        found = f"{len(words)} numbers" if numbers == len(words) != 5 else excerpt(line.text)
        faults.add(_fault("darknet.label-line", "not five numbers", path, line, "class x y width height", found))
        return None
    label, *sides = map(float, words)
    if not (label.is_integer() and 0 <= label < classes):
        expected = f"a class from 0 to {classes - 1:,}"
        faults.add(_fault("darknet.class-range", "class out of range", path, line, expected, excerpt(words[0])))
        return None
    return Box(int(label), *sides)


def _outside(path: Path, line: Line, box: Box, size: tuple[int, int] | None) -> DatasetError | None:
    """The fault of a box without extent, or of one that reaches beyond the image."""
    sides = (box.x, box.y, box.width, box.height)
    if not (all(map(math.isfinite, sides)) and 0 < box.width < 100 and 0 < box.height < 100):
        expected = "a width and a height above 0, as parts of the image"
        return _fault("darknet.box-size", "not a box", path, line, expected, excerpt(line.text))
    margins = (PIXEL, PIXEL) if size is None else (1 / size[0], 1 / size[1])
    reach = [
        max(side / 2 - centre, centre + side / 2 - 1) - margin
        for centre, side, margin in zip(sides[:2], sides[2:], margins, strict=True)
    ]
    if max(reach) <= 1e-5:
        return None
    expected = "edges inside the image: half a side to both sides of the centre, from 0 to 1"
    across, down = ((centre - side / 2, centre + side / 2) for centre, side in (sides[::2], sides[1::2]))
    found = f"x from {across[0]:.4g} to {across[1]:.4g}, y from {down[0]:.4g} to {down[1]:.4g}"
    return _fault("darknet.box-outside", "a box outside of the image", path, line, expected, found)


def _fault(code: str, what: str, path: Path, line: Line, expected: str, found: str) -> DatasetError:
    return DatasetError(
        code,
        what,
        where=at(path, line),
        expected=expected,
        found=found,
        remedy="Correct the line, or tolerate it with --allow-bad",
    )
