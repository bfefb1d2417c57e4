"""Pictures of photographs' size that compress and decode like photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cspbench.speed import picture as photograph

WIDTH, HEIGHT = 500, 375
"""ImageNet's usual."""
WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361")


def picture(generator: np.random.Generator) -> NDArray[np.uint8]:
    """Noise over waves in uint8 (375, 500, 3)."""
    return photograph.picture(generator, WIDTH, HEIGHT)


def draw(folder: Path, count: int) -> None:
    """`count` JPEG files in class folders."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for index in range(count):
        path = folder / WNIDS[index % len(WNIDS)] / f"{index:05d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(generator)).save(path, quality=92)
