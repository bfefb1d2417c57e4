"""Pictures of what a classifier says: the image, and below it a bar for each of the most probable classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.errors import brief
from cspbench.plots.detections import Array, colour, to_picture, write_picture

if TYPE_CHECKING:
    from PIL import ImageDraw

INK, PAPER, TRACK = (31, 42, 55), (255, 255, 255), (232, 236, 240)
NARROWEST = 480
"""Pixels; a narrower image stands in the middle."""


def draw_classes(image: Array, classes: Sequence[tuple[str, float]], path: Path) -> None:
    """Write an image (H, W, 3) uint8 with the names and probabilities of classes, the best first."""
    from PIL import Image, ImageDraw, ImageFont

    picture = to_picture(image)
    width = max(picture.width, NARROWEST)
    size = max(14, round(width / 42))
    line, margin = round(size * 2.1), size
    sheet = Image.new("RGB", (width, picture.height + line * len(classes) + 2 * margin), PAPER)
    sheet.paste(picture, ((width - picture.width) // 2, 0))
    canvas = ImageDraw.Draw(sheet)
    bold, font = ImageFont.load_default(size=size), ImageFont.load_default(size=size - 1)
    numbers = canvas.textlength("100.0 %", font=bold)
    begin, end = margin, width - 2 * margin - numbers
    for place, (name, score) in enumerate(classes):
        top = picture.height + margin + place * line
        text = _fitting(canvas, name, font, end - begin)
        canvas.text((begin, top), text, fill=INK, font=font)
        bar = top + round(size * 1.3)
        canvas.rectangle((begin, bar, end, bar + size // 3), fill=TRACK)
        # a share of no visible length has no bar
        if (length := round((end - begin) * min(max(score, 0.0), 1.0))) > 0:
            canvas.rectangle((begin, bar, begin + length, bar + size // 3), fill=colour(name))
        number = f"{100 * score:.1f} %"
        right = width - margin - canvas.textlength(number, font=bold)
        canvas.text((right, bar - size * 0.55), number, fill=INK, font=bold)
    write_picture(sheet, path)


def _fitting(canvas: ImageDraw.ImageDraw, name: str, font: Any, width: float) -> str:
    """As much of a name as fits into a width in pixels."""
    text = brief(name, 100)
    while canvas.textlength(text, font=font) > width and len(text) > 4:
        text = text[: max(1, len(text) - 4)].rstrip(" ,.") + "..."
    return text
