"""A picture in the making: what lies on it, and which drawn thing each pixel shows."""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cspbench.sample.shapes import POINTS, Counts, Mask, Outline, per_pixel
from cspbench.sample.textures import Texture

Colour = NDArray[np.int64]
Pixels = NDArray[np.uint8]

CELL = 32
"""Pixels between the random values that a background is interpolated from."""
QUALITY = 92
"""Of JPEG files."""
LEVELS = 256


class Canvas:
    """Pixels (H, W, 3), and `shown` (H, W): the number of the last thing drawn there, 0 for the background.

    A pixel shows a thing that covers more than half of it.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.pixels: Counts = np.zeros((height, width, 3), np.int64)
        self.shown: NDArray[np.int32] = np.zeros((height, width), np.int32)

    def background(self, random: Generator, contrast: int) -> None:
        """Fill with clouds around a random colour, up to `contrast` levels away from it."""
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
        """Draw a shape over what is there; returns how many pixels of the canvas show it now."""
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
        window.of(self.shown)[shows] = number
        return int(shows.sum())

    def around(self, outline: Outline) -> Colour:
        """The mean colour of the pixels that a shape may be drawn to."""
        part = outline.window(self.width, self.height).of(self.pixels)
        mean: Colour = part.sum((0, 1)) // max(1, part.shape[0] * part.shape[1])
        return mean

    def light(self, random: Generator, strength: int) -> None:
        """Make it darker from one side to the other by up to `strength` of 256 parts."""
        across, down = (int(part) for part in random.integers(-strength, strength + 1, 2))
        columns, rows = np.arange(self.width), np.arange(self.height)
        share = LEVELS + across * columns[None, :] // self.width + down * rows[:, None] // self.height
        share -= max(0, across) + max(0, down)
        self.pixels[:] = np.maximum(self.pixels * share[..., None] // LEVELS, 0)

    def blur(self) -> None:
        """Each pixel becomes the mean of itself and its eight neighbours."""
        edged = np.pad(self.pixels, ((1, 1), (1, 1), (0, 0)), mode="edge")
        rows = edged[:-2] + edged[1:-1] + edged[2:]
        self.pixels[:] = (rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:] + 4) // 9

    def finished(self, random: Generator, noise: int) -> Pixels:
        """The picture, uint8 (H, W, 3), with noise of up to that many levels in each value."""
        grain = random.integers(-noise, noise + 1, self.pixels.shape)
        pixels: Pixels = np.clip(self.pixels + grain, 0, LEVELS - 1).astype(np.uint8)
        return pixels


def brightness(colour: Colour) -> int:
    """How bright a colour is, from 0 to 255."""
    return int(2 * colour[0] + 5 * colour[1] + colour[2]) // 8


def colours(random: Generator, behind: Colour, contrast: int, between: int) -> tuple[Colour, Colour]:
    """Two colours: the first at least `contrast` brighter or darker than `behind`, the second `between` than the first.

    Where chance finds none in sixteen trials, the last one is taken.
    """
    found: list[Colour] = []
    for reference, least in ((behind, contrast), (None, between)):
        other = brightness(found[0] if reference is None else reference)
        for _ in range(16):
            colour = random.integers(0, LEVELS, 3)
            if abs(brightness(colour) - other) >= least:
                break
        found.append(colour)
    return found[0], found[1]


def jpeg(pixels: Pixels) -> bytes:
    """A JPEG file of the picture."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=QUALITY, subsampling="4:2:0")
    return stream.getvalue()
