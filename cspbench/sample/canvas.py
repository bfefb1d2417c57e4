"""A picture being drawn: its pixels, and the object that each pixel shows."""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cspbench.sample.shapes import POINTS, Counts, Mask, Outline, Texture, per_pixel

Colour = NDArray[np.int64]
Pixels = NDArray[np.uint8]

CELL = 32
"""Pixels between the random values from which a background is interpolated."""
QUALITY = 92
"""Of JPEG files."""
LEVELS = 256


class Canvas:
    """Pixels (H, W, 3), and `objects` (H, W): the number of the object at each pixel, 0 for the background.

    A pixel shows an object that covers more than half of it.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels: Counts = np.zeros((height, width, 3), np.int64)
        self.objects: NDArray[np.int32] = np.zeros((height, width), np.int32)

    def background(self, random: Generator, contrast: int) -> None:
        """Fill with clouds of a random colour, varied by up to `contrast` levels."""
        base = random.integers(40, 216, 3)
        rows, columns = self.height // CELL + 2, self.width // CELL + 2
        values = base + random.integers(-contrast, contrast + 1, (rows, columns, 3))
        (row, below), (column, right) = (np.divmod(np.arange(side), CELL) for side in (self.height, self.width))
        weight = below[:, None, None]
        upright = (CELL - weight) * values[row] + weight * values[row + 1]
        weight = right[None, :, None]
        clouds = (CELL - weight) * upright[:, column] + weight * upright[:, column + 1]
        self.pixels[:] = np.clip(clouds // (CELL * CELL), 0, LEVELS - 1)

    def mask(self, outline: Outline) -> Mask:
        """The pixels (H, W) that would show the shape."""
        window = outline.window(self.width, self.height)
        whole = np.zeros((self.height, self.width), np.bool_)
        window.of(whole)[:] = 2 * per_pixel(outline.inside(window)) > POINTS
        return whole

    def paint(self, outline: Outline, texture: Texture, colours: tuple[Colour, Colour], number: int) -> int:
        """Draw a shape on top; returns the number of pixels that show it."""
        window = outline.window(self.width, self.height)
        inside = outline.inside(window)
        if not inside.size:
            return 0
        second = per_pixel(inside & texture.second(*outline.points(window)))[..., None]
        covered = per_pixel(inside)
        first = covered[..., None] - second
        pixels = window.of(self.pixels)
        rest = POINTS - covered[..., None]
        pixels[:] = (rest * pixels + first * colours[0] + second * colours[1] + POINTS // 2) // POINTS
        shows = 2 * covered > POINTS
        window.of(self.objects)[shows] = number
        return int(shows.sum())

    def around(self, outline: Outline) -> Colour:
        """The mean colour of the pixels that a shape may cover."""
        part = outline.window(self.width, self.height).of(self.pixels)
        mean: Colour = part.sum((0, 1)) // max(1, part.shape[0] * part.shape[1])
        return mean

    def light(self, random: Generator, strength: int) -> None:
        """Darken the picture gradually toward one side, by up to `strength` parts of 256."""
        across, down = (int(part) for part in random.integers(-strength, strength + 1, 2))
        columns, rows = np.arange(self.width), np.arange(self.height)
        share = LEVELS + across * columns[None, :] // self.width + down * rows[:, None] // self.height
        share -= max(0, across) + max(0, down)
        self.pixels[:] = np.maximum(self.pixels * share[..., None] // LEVELS, 0)

    def blur(self) -> None:
        """Replace each pixel by the mean of itself and its eight neighbours."""
        edged = np.pad(self.pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
        rows = edged[:-2] + edged[1:-1] + edged[2:]
        self.pixels[:] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4) // 9

    def finished(self, random: Generator, noise: int) -> Pixels:
        """The picture, uint8 (H, W, 3), with noise of up to `noise` levels added to each value."""
        grain = random.integers(-noise, noise + 1, self.pixels.shape)
        pixels: Pixels = np.clip(self.pixels + grain, 0, LEVELS - 1).astype(np.uint8)
        return pixels


def brightness(colour: Colour) -> int:
    """The brightness of a colour, 0 to 255."""
    return int(2 * colour[0] + 5 * colour[1] + colour[2]) // 8


def colours(random: Generator, behind: Colour, contrast: int, between: int) -> tuple[Colour, Colour]:
    """Two colours; the brightness of the first differs from `behind` by `contrast` or more, the second's by `between`.

    Each is the first of sixteen random colours with such a difference, or else the last.
    """

    def differing(other: Colour, least: int) -> Colour:
        for _ in range(16):
            colour = random.integers(0, LEVELS, 3)
            if abs(brightness(colour) - brightness(other)) >= least:
                break
        return colour

    first = differing(behind, contrast)
    return first, differing(first, between)


def jpeg(pixels: Pixels) -> bytes:
    """A JPEG file of the picture."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return stream.getvalue()
