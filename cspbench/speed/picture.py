"""A picture of a photograph's size that compresses and decodes like one."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 640, 480
"""COCO's usual."""
QUALITY = 92


def picture(generator: np.random.Generator, width: int = WIDTH, height: int = HEIGHT) -> NDArray[np.uint8]:
    """Noise over waves in uint8 (height, width, 3)."""
    rows, columns = np.mgrid[0:height, 0:width]
    wave = np.sin(rows / generator.uniform(5, 40))[..., None] * np.cos(columns[..., None] / generator.uniform(5, 40, 3))
    pixels = generator.uniform(60, 200, 3) + 80 * wave + generator.normal(0, 18, (height, width, 3))
    drawn: NDArray[np.uint8] = pixels.clip(0, 255).astype(np.uint8)
    return drawn


def jpeg() -> bytes:
    """The picture of the seed 0 as a JPEG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(picture(np.random.default_rng(0))).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
