"""YOLOX's mini-batches by their number (spec yolox d.4).

Every image is seen once in a pass over the images, in an order that the seed and the pass decide; an iteration may end
one pass and begin the next. What else is drawn depends on the seed and the picture's number in the run alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cspbench.data.augment.draws import Counter
from cspbench.data.augment.images import DetectorImages
from cspbench.data.augment.minibatches import Layout, Loading, MiniBatch, MiniBatches
from cspbench.data.augment.passes import Passes
from cspbench.data.augment.yolox.picture import picture, plan
from cspbench.data.augment.yolox.rules import Augmentation, Scales
from cspbench.data.augment.yolox.sizes import resized, size_of
from cspbench.data.opencv import of_planes
from cspbench.errors import BadImageError


@dataclass(frozen=True)
class Pictures:
    """Of which kind a run's pictures are; from iteration `closing` on there are no mosaics."""

    rules: Augmentation
    scales: Scales
    closing: int


class YoloxMiniBatches(MiniBatches):
    """Pictures x, channels first, as the network takes them; y are labels (N, most, 5), see `picture`."""

    def __init__(self, images: DetectorImages, pictures: Pictures, layout: Layout) -> None:
        super().__init__(layout)
        self.images, self.pictures = images, pictures
        self.passes = Passes(layout.seed, len(images.images))

    def make(self, iteration: int, subdivision: int) -> MiniBatch:
        layout, pictures = self.layout, self.pictures
        rules = pictures.rules.closing() if iteration >= pictures.closing else pictures.rules
        first = ((iteration - 1) * layout.subdivisions + subdivision) * layout.images
        errors: list[BadImageError] = []
        load = Loading(self.images.images, errors)
        shown, labels = [], []
        for number in range(first, first + layout.images):
            drawn = plan(
                Counter(layout.seed, number),
                rules,
                self.passes.image(number),
                len(self.images.images),
                self.images.count,
            )
            pixels, rows = picture(drawn, rules, load, self.images.of)
            shown.append(torch.from_numpy(pixels))
            labels.append(torch.from_numpy(rows))
        size = size_of(pictures.scales, rules.size, iteration, layout.seed)
        x, y = resized(torch.stack(shown), torch.stack(labels), size)
        return MiniBatch(iteration, subdivision, x.contiguous(memory_format=torch.channels_last), y, tuple(errors))

    def pixels(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        return of_planes(picture, self.pictures.rules.normalised)

    def objects(self, labels: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        return labels[labels[:, 3] > 0]
