"""The order of a run's images where every image is seen once in a pass over them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STREAM = 3
"""The sequence of random numbers for the order of the images."""


class Passes:
    """Passes over `images` images, each in an order that the seed and its number decide."""

    def __init__(self, seed: int, images: int) -> None:
        self.seed, self.images = seed, images
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def image(self, number: int) -> int:
        """The image of a picture of the run, from 0."""
        passes, place = divmod(number, self.images)
        if self._order is None or self._order[0] != passes:
            draws = np.random.Philox(key=np.array([self.seed % 2**64, STREAM], np.uint64), counter=[0, 0, passes, 0])
            self._order = passes, draws.random_raw(self.images).argsort(kind="stable")
        return int(self._order[1][place])
