"""A classifier's mini-batches by their number, each image once in a pass over them.

An iteration may end one pass and begin the next, so that all have as many images. What else is drawn depends on the
seed and the picture's number in the run alone.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from cspbench.data.augment.draws import Counter
from cspbench.data.augment.images import ClassifierImages
from cspbench.data.augment.minibatches import Layout, Loading, MiniBatch, MiniBatches
from cspbench.data.augment.mmcls.picture import Augmentation, picture
from cspbench.data.augment.passes import Passes
from cspbench.data.opencv import of_planes
from cspbench.errors import BadImageError


class MmclsMiniBatches(MiniBatches):
    """Pictures x, normalised and red first; y are (N, classes), 1 for each class that an image has, else 0."""

    def __init__(self, images: ClassifierImages, rules: Augmentation, layout: Layout) -> None:
        super().__init__(layout)
        self.images, self.rules = images, rules
        self.passes = Passes(layout.seed, len(images.images))

    def make(self, iteration: int, subdivision: int) -> MiniBatch:
        layout, (height, width) = self.layout, self.rules.size
        first = ((iteration - 1) * layout.subdivisions + subdivision) * layout.images
        errors: list[BadImageError] = []
        load = Loading(self.images.images, errors)
        x = torch.empty((layout.images, 3, height, width), memory_format=torch.channels_last)
        y = torch.zeros(layout.images, len(self.images.names))
        for place in range(layout.images):
            image = self.passes.image(first + place)
            picture(Counter(layout.seed, first + place), self.rules, load(image), x[place].numpy())
            y[place, list(self.images.of(image))] = 1
        return MiniBatch(iteration, subdivision, x, y, tuple(errors))

    def pixels(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        return of_planes(picture, normalised=True)
