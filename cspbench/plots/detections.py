"""Pictures of detections: boxes with names and scores on images.

Detections have solid lines in their class's colour, ground truth has dashed lines and names on black. The same input
gives the same bytes. Every picture is a PNG file.
"""

from __future__ import annotations

import colorsys
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cspbench.errors import brief
from cspbench.io import write_bytes
from cspbench.plots.label_placement import Rectangle

if TYPE_CHECKING:
    from PIL import Image, ImageDraw


Array = np.ndarray[Any, Any]
Colour = tuple[int, int, int]

LEAST = 0.25
"""Score from which a detection is drawn: AP counts hundreds per image, most of them guesses."""
SMALLEST, LARGEST = 640, 1920
"""Pixels; an image with a shorter long side is enlarged, so that names can be read, and one with a longer shrunk."""
DASH = 6
"""Pixels of a dash, and of a gap."""
REACH = 12
"""Half heights of a name up to which it may stand away from its box, where the places around that are taken."""
BLACK, WHITE = (0, 0, 0), (255, 255, 255)


class Box(NamedTuple):
    """Left, top, width, height in pixels of the image, a category, and the score of a detection."""

    bbox: tuple[float, float, float, float]
    category: str
    score: float = 0.0


def draw(
    image: Array, detections: Sequence[Box], ground_truth: Sequence[Box], path: Path, least: float = LEAST
) -> None:
    """Write an image (H, W, 3) uint8 with boxes, class names and scores, of detections with a score from `least`."""
    from PIL import ImageDraw, ImageFont

    picture = to_picture(image)
    scale = picture.width / image.shape[1]
    canvas = ImageDraw.Draw(picture)
    longest = max(picture.size)
    line = max(2, round(longest / 400))
    for box in ground_truth:
        _dashed(canvas, _corners(box, scale, picture.size), line)
    shown = sorted((box for box in detections if box.score >= least), key=lambda box: box.score)
    for box in shown:
        canvas.rectangle(_corners(box, scale, picture.size), outline=colour(box.category), width=line)
    taken: list[Rectangle] = []
    # names after all boxes, so that no line crosses one; those of the best detections choose their place first
    font = ImageFont.load_default(size=max(13, longest / 50))
    for box in reversed(shown):
        text = f"{brief(box.category, 24)} {box.score:.2f}"
        _label(canvas, text, _corners(box, scale, picture.size), colour(box.category), font, taken, needed=True)
    font = ImageFont.load_default(size=max(11, longest / 58))
    for box in ground_truth:
        text = brief(box.category, 24)
        _label(canvas, text, _corners(box, scale, picture.size), BLACK, font, taken, needed=False)
    write_picture(picture, path)


def to_picture(image: Array) -> Image.Image:
    """The picture of an array (H, W, 3) uint8, of a size that suits a screen."""
    from PIL import Image

    height, width = image.shape[:2]
    longest = max(height, width)
    scale = min(max(longest, SMALLEST), LARGEST) / longest
    picture = Image.fromarray(np.ascontiguousarray(image)).convert("RGB")
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC)


def write_picture(picture: Image.Image, path: Path) -> None:
    """Write a picture as a PNG file."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def colour(category: str) -> Colour:
    """A class's colour, the same in every picture and bright enough for dark text on it."""
    place = zlib.crc32(category.encode("utf-8", "replace"))
    red, green, blue = colorsys.hsv_to_rgb(place % 1009 / 1009, 0.55 + place % 3 * 0.2, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _corners(box: Box, scale: float, size: tuple[int, int]) -> Rectangle:
    """The box in pixels of the picture, clipped to it."""
    x, y, width, height = (scale * value for value in box.bbox)
    left, top = min(max(x, 0.0), size[0] - 1.0), min(max(y, 0.0), size[1] - 1.0)
    return Rectangle(left, top, min(max(x + width, left), size[0] - 1.0), min(max(y + height, top), size[1] - 1.0))


def _dashed(canvas: ImageDraw.ImageDraw, box: Rectangle, line: int) -> None:
    left, top, right, bottom = box
    for edge in (
        (left, top, right, top),
        (right, top, right, bottom),
        (left, bottom, right, bottom),
        (left, top, left, bottom),
    ):
        # black between the white dashes: visible on any background
        canvas.line(edge, fill=BLACK, width=line)
        begin, end = np.array(edge[:2]), np.array(edge[2:])
        length = max(end - begin)
        for at in np.arange(0, length, 2 * DASH):
            ends = [begin + (end - begin) * place / length for place in (at, min(at + DASH, length))]
            canvas.line(np.concatenate(ends).tolist(), fill=WHITE, width=line)


def _label(
    canvas: ImageDraw.ImageDraw,
    text: str,
    box: Rectangle,
    fill: Colour,
    font: Any,
    taken: list[Rectangle],
    *,
    needed: bool,
) -> None:
    """Write a name on a colour, at the first free place around its box; without one only if `needed`."""
    size = canvas.im.size
    ends = canvas.textbbox((0, 0), text, font=font)
    width, height = ends[2] + 6, ends[3] + 4
    left, top, right, bottom = box
    tries = [(left, top - height), (left, top), (right - width, top), (left, bottom - height), (left, bottom)]
    tries += [(left, top + step * height) for step in range(1, 8)]
    spots = []
    for x, y in tries:
        x, y = max(0.0, min(x, size[0] - width)), max(0.0, min(y, size[1] - height))
        spots.append(Rectangle(x, y, x + width, y + height))
    spot = next((spot for spot in spots if not any(spot.meets(other) for other in taken)), None)
    if spot is None and needed:  # before it covers another name, it stands beside its box
        spot = _nearby(box, (width, height), size, taken)
    if spot is None:
        if not needed:
            return
        spot = spots[0]
    taken.append(spot)
    canvas.rectangle(spot, fill=fill)
    bright = 299 * fill[0] + 587 * fill[1] + 114 * fill[2] > 110_000
    canvas.text((spot.x0 + 3, spot.y0 + 1), text, fill=BLACK if bright else WHITE, font=font)


def _nearby(
    box: Rectangle, extent: tuple[float, float], size: tuple[int, int], taken: Sequence[Rectangle]
) -> Rectangle | None:
    """The free place for a name of (width, height) that is nearest to its box's left upper corner, if any is near."""
    width, height = extent
    down = box.y0 + height * np.arange(-REACH, REACH + 1) / 2
    across = box.x0 + height * np.arange(-REACH, REACH + 1)
    y, x = (axis.ravel() for axis in np.meshgrid(down, across, indexing="ij"))
    inside = (x >= 0) & (y >= 0) & (x + width <= size[0]) & (y + height <= size[1])
    x, y = x[inside], y[inside]
    others = np.array(taken).reshape(-1, 4)
    meets = (x[:, None] < others[:, 2]) & (others[:, 0] < x[:, None] + width)
    meets &= (y[:, None] < others[:, 3]) & (others[:, 1] < y[:, None] + height)
    free = np.flatnonzero(~meets.any(1))
    if not len(free):
        return None
    beside = np.maximum(0, np.maximum(x - box.x0, box.x0 - x - width))
    above = np.maximum(0, np.maximum(y - box.y0, box.y0 - y - height))
    best = free[np.argmin(np.hypot(beside, above)[free])]
    return Rectangle(float(x[best]), float(y[best]), float(x[best]) + width, float(y[best]) + height)
