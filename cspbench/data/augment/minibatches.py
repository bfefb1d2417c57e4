"""Mini-batches of a run by their number: every picture depends on the seed and its own number in the run alone.

An iteration has `batch` images in `subdivisions` mini-batches; where the division has a rest, the images of the rest
are left out, as in Darknet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.augment import chunks, classifier, detector
from cspbench.data.augment.chunks import Chunk
from cspbench.data.augment.draws import Counter
from cspbench.data.augment.images import ClassifierImages, DetectorImages, StoredImages
from cspbench.data.augment.sizes import Sizes
from cspbench.data.augment.truths import COLUMNS
from cspbench.errors import BadImageError
from cspbench.network.era import Era

UNREADABLE = np.zeros((10, 10, 3), np.uint8)
"""What Darknet uses in the place of an image that it cannot read."""


class MiniBatch(NamedTuple):
    """Pictures x, float32 (N, 3, H, W) in channels last memory, and labels y. For Darknet x is from 0 to 1 in RGB.

    For a classifier y is float32 (N, classes), for a detector (N, most, 6): x, y, width, height, class, number; the
    truths of a picture end at the first row with x = 0. `errors` are those of images that could not be read.
    """

    iteration: int
    subdivision: int
    x: Tensor
    y: Tensor
    errors: tuple[BadImageError, ...]


@dataclass(frozen=True)
class Layout:
    """The seed of a run, the images of an iteration, and the mini-batches that these are divided into."""

    seed: int
    batch: int
    subdivisions: int = 1

    @property
    def images(self) -> int:
        """Images of a mini-batch."""
        return self.batch // self.subdivisions


class MiniBatches(ABC):
    """The mini-batches of a run; the same in every process."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    @abstractmethod
    def make(self, iteration: int, subdivision: int) -> MiniBatch:
        """Mini-batch `subdivision`, from 0, of an iteration, from 1."""

    def pixels(self, picture: NDArray[np.float32]) -> NDArray[np.uint8]:
        """A picture (3, H, W) as RGB pixels (H, W, 3)."""
        return np.rint(picture.transpose(1, 2, 0) * 255).astype(np.uint8)

    def objects(self, labels: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """A detector's labels as rows of class, centre x, y, width and height in pixels of a picture of `size`."""
        ends = np.flatnonzero(labels[:, 0] == 0)
        own = labels[: ends[0]] if len(ends) else labels
        rows: NDArray[np.float32] = own[:, [4, 0, 1, 2, 3]] * np.array([1, *(size[1], size[0]) * 2], np.float32)
        return rows


class DarknetMiniBatches(MiniBatches):
    """Darknet's, whose pictures are made in chunks."""

    def __init__(self, layout: Layout, threads: int) -> None:
        super().__init__(layout)
        self.chunks = chunks.chunks(layout.images * layout.subdivisions, threads)

    def make(self, iteration: int, subdivision: int) -> MiniBatch:
        size, count = self.size(iteration), self.layout.images
        x = torch.empty((count, 3, size[1], size[0]), memory_format=torch.channels_last)
        y = self.labels(count)
        errors: list[BadImageError] = []
        first, place = subdivision * count, 0
        for chunk, places in chunks.overlapping(self.chunks, first, first + count):
            number = (iteration - 1) * self.chunks[-1].end + chunk.first
            made = self.part(Counter(self.layout.seed, number), chunk, places, size, errors)
            for picture, label in made:
                x[place].copy_(picture)
                y[place, : len(label)] = label
                place += 1
        return MiniBatch(iteration, subdivision, x, y, tuple(errors))

    @abstractmethod
    def size(self, iteration: int) -> tuple[int, int]:
        """Width and height of an iteration's pictures."""

    @abstractmethod
    def labels(self, count: int) -> Tensor:
        """Empty labels of `count` pictures."""

    @abstractmethod
    def part(
        self, draws: Counter, chunk: Chunk, places: range, size: tuple[int, int], errors: list[BadImageError]
    ) -> list[tuple[Tensor, Tensor]]:
        """The pictures of a chunk at these places, and their labels."""


class ClassifierMiniBatches(DarknetMiniBatches):
    """A classifier's pictures."""

    def __init__(self, images: ClassifierImages, augmentation: classifier.Augmentation, layout: Layout) -> None:
        super().__init__(layout, chunks.CLASSIFIER_THREADS)
        self.images, self.augmentation = images, augmentation

    def size(self, iteration: int) -> tuple[int, int]:
        return self.augmentation.width, self.augmentation.height

    def labels(self, count: int) -> Tensor:
        return torch.zeros(count, len(self.images.names))

    def part(
        self, draws: Counter, chunk: Chunk, places: range, size: tuple[int, int], errors: list[BadImageError]
    ) -> list[tuple[Tensor, Tensor]]:
        plans = classifier.plan(draws, self.augmentation, chunk.images, len(self.images.images))
        load = Loading(self.images.images, errors)
        return [classifier.mixed(plans[place], self.augmentation, load, self._label) for place in places]

    def _label(self, image: int) -> Tensor:
        return classifier.label_of(self.images.of(image), len(self.images.names), self.augmentation.smoothing)


class DetectorMiniBatches(DarknetMiniBatches):
    """A detector's pictures, in the sizes of the run."""

    def __init__(
        self, images: DetectorImages, augmentation: detector.Augmentation, layout: Layout, sizes: Sizes
    ) -> None:
        threads = chunks.DETECTOR_THREADS if sizes.era is Era.HEAD else chunks.DETECTOR_THREADS_2019
        super().__init__(layout, threads)
        self.images, self.augmentation, self.sizes = images, augmentation, sizes

    def size(self, iteration: int) -> tuple[int, int]:
        return self.sizes.at(iteration, self.layout.seed)

    def labels(self, count: int) -> Tensor:
        return torch.zeros(count, self.augmentation.most, COLUMNS)

    def part(
        self, draws: Counter, chunk: Chunk, places: range, size: tuple[int, int], errors: list[BadImageError]
    ) -> list[tuple[Tensor, Tensor]]:
        images = len(self.images.images)
        plans = detector.plan(draws, self.augmentation, chunk.images, images, size, self.images.count)
        load = Loading(self.images.images, errors)
        made = (detector.picture(plans[place], self.augmentation, size, load, self.images.of) for place in places)
        return [(picture, torch.from_numpy(truths)) for picture, truths in made]


class Loading:
    """Images by number; one that cannot be read is black, and its error is noted."""

    def __init__(self, images: StoredImages, errors: list[BadImageError]) -> None:
        self.images, self.errors = images, errors

    def __call__(self, index: int) -> NDArray[np.uint8]:
        try:
            return self.images.pixels(index)
        except BadImageError as error:
            self.errors.append(error)
            return UNREADABLE
