"""The points that learn each truth of an image, one panel for each assignment, side by side, as a PNG file."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cspbench.errors import brief
from cspbench.plots.detections import BLACK, WHITE, Array, Colour, to_picture, write_picture

GAP, HEADING = 12, 30
"""Pixels between the panels, and above each."""
LEAST_RADIUS = 3.0
GOLDEN_RATIO = 0.618033988749895
"""Colours of neighbouring truths are far apart on the circle of hues."""


class Truth(NamedTuple):
    """Left, top, width, height in pixels of the image, and a name."""

    bbox: tuple[float, float, float, float]
    name: str


class Mark(NamedTuple):
    """A point in pixels of the image, the side of its cell, and the number of the truth that it learns, from 0."""

    x: float
    y: float
    side: float
    truth: int


def draw(image: Array, truths: Sequence[Truth], panels: Mapping[str, Sequence[Mark]], path: Path) -> None:
    """Write an image (H, W, 3) uint8 once for each panel: truths as frames, points as discs of the truth's colour.

    A disc is half as wide as its cell, so that its size shows the level. Small discs lie on large ones.
    """
    from PIL import Image, ImageDraw, ImageFont

    picture = to_picture(image)
    scale = picture.width / image.shape[1]
    sheet = Image.new("RGB", ((picture.width + GAP) * len(panels) - GAP, picture.height + HEADING), WHITE)
    font = ImageFont.load_default(size=max(13, max(picture.size) / 50))
    for number, (title, marks) in enumerate(panels.items()):
        panel = picture.copy()
        canvas = ImageDraw.Draw(panel)
        for at, truth in enumerate(truths):
            x, y, width, height = (scale * value for value in truth.bbox)
            canvas.rectangle((x, y, x + max(width, 1), y + max(height, 1)), outline=colour(at), width=2)
        for mark in sorted(marks, key=lambda mark: -mark.side):
            radius = max(LEAST_RADIUS, scale * mark.side / 4)
            x, y = scale * mark.x, scale * mark.y
            canvas.ellipse((x - radius, y - radius, x + radius, y + radius), colour(mark.truth), BLACK)
        for at, truth in enumerate(truths):
            x, y = max(0.0, scale * truth.bbox[0]), max(0.0, scale * truth.bbox[1])
            text = f"{at + 1} {brief(truth.name, 24)}"
            canvas.rectangle(canvas.textbbox((x + 3, y + 2), text, font=font), fill=colour(at))
            canvas.text((x + 3, y + 2), text, fill=BLACK, font=font)
        left = number * (picture.width + GAP)
        sheet.paste(panel, (left, HEADING))
        heading = f"{title}: {len(marks)} point{'' if len(marks) == 1 else 's'}"
        ImageDraw.Draw(sheet).text((left + 4, 6), heading, fill=BLACK, font=ImageFont.load_default(size=16))
    write_picture(sheet, path)


def colour(truth: int) -> Colour:
    """A bright colour for a truth by its number."""
    red, green, blue = colorsys.hsv_to_rgb(truth * GOLDEN_RATIO % 1, 0.75, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)
