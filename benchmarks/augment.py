"""Speed of the training pictures of a classifier against torchvision v2's transforms of the same kind.

    python -m benchmarks.augment [--quick]

All read the same JPEG files of 500 x 375 and give float32 (3, 256, 256) in [0, 1], on one thread, as in a process that
loads pictures: decoding, a turn of up to 7 degrees, a random part of random size and aspect, mirroring, and changes of
hue, saturation and brightness. torchvision's take other parts and round differently. The runs take turns.
"""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.measuring import faster, judged, medians, part, table
from benchmarks.pictures import draw
from benchmarks.torchvision_operator import operator
from cspbench.data.augment import blur, classifier, colour, detector, window
from cspbench.data.augment.images import DetectorImages, open_classifier_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, DetectorMiniBatches, Layout
from cspbench.data.augment.sizes import Sizes
from cspbench.training.loader import Loader

SIDE = 256
PUBLISHED = classifier.Augmentation(
    SIDE, SIDE, angle=7, aspect=0.75, min_crop=128, max_crop=448, hue=0.1, saturation=0.75, exposure=0.75
)
"""Of most published classifiers."""
MOSAIC = detector.Augmentation(80, jitter=0.3, hue=0.1, saturation=1.5, exposure=1.5, mixing=detector.Mixing.MOSAIC)
"""Of the published detector with mosaic."""
TARGET = 1.5


def transforms() -> Any | None:
    """torchvision.transforms.v2; None where torchvision does not load."""
    if operator()[0] is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("torchvision.transforms.v2")


def theirs(v2: Any, files: list[Path], *, tensors: bool) -> Callable[[], torch.Tensor]:
    """Load all files with torchvision, transforming tensors or Pillow's images."""
    from PIL import Image

    bilinear = v2.InterpolationMode.BILINEAR
    chain = [
        v2.RandomRotation(PUBLISHED.angle, interpolation=bilinear),
        v2.RandomResizedCrop(SIDE, scale=(0.2, 1), ratio=(0.75, 4 / 3)),
        v2.RandomHorizontalFlip(),
        v2.ColorJitter(brightness=(0.75, 4 / 3), saturation=(0.75, 4 / 3), hue=0.1),
    ]
    first, last = ([v2.PILToTensor()], []) if tensors else ([], [v2.PILToTensor()])
    pipeline = v2.Compose([*first, *chain, *last, v2.ToDtype(torch.float32, scale=True)])

    def load() -> torch.Tensor:
        pictures = torch.empty(len(files), 3, SIDE, SIDE)
        for place, file in enumerate(files):
            with Image.open(file) as image:
                pictures[place] = pipeline(image.convert("RGB"))
        return pictures

    return load


def stages(files: ClassifierMiniBatches) -> dict[str, Callable[[], object]]:
    """The parts of one picture's time, and what single features cost."""
    pixels = files.images.images.pixels(0)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    one, turn = np.float32(1), np.float32(0.05)
    place = window.Window(SIDE, np.float32(0.8), turn, one, one, one)
    shown = window.sample(planes, place).div_(255)
    levels = np.ascontiguousarray((shown * 255).to(torch.uint8).permute(1, 2, 0).numpy())
    return {
        "reading and decoding": lambda: files.images.images.pixels(0),
        "window": lambda: window.sample(planes, place),
        "colours": lambda: colour.distort(shown, 0.05, 1.2, 0.9),
        "Gaussian blur of 15 taps": lambda: blur.gaussian(levels, 15),
        "bilateral blur of the published row": lambda: blur.bilateral(levels),
    }


def section(quick: bool) -> str:
    """The comparison and where the time goes."""
    count, repeats = (4, 1) if quick else (64, 5)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), count)
        images = open_classifier_images(folder)
        files = sorted(Path(folder).rglob("*.JPEG"))
        pictures = ClassifierMiniBatches(images, PUBLISHED, Layout(0, count))
        loader = Loader(pictures)
        boxes = np.tile(np.array([[0, 0.5, 0.5, 0.25, 0.5]], np.float32), (count, 1))
        found = DetectorImages(images.images, ("thing",) * 80, boxes, np.arange(count + 1), ())
        mosaics = DetectorMiniBatches(found, MOSAIC, Layout(0, count), Sizes(416, 416))
        ways: dict[str, Callable[[], object]] = {"cspbench, Darknet's": lambda: _load(loader)}
        v2 = transforms()
        if v2 is not None:
            ways["torchvision v2, tensors"] = theirs(v2, files, tensors=True)
            ways["torchvision v2, Pillow's images"] = theirs(v2, files, tensors=False)
        seconds = medians(ways, repeats)
        whole = medians({"mosaic": lambda: mosaics.make(_next(), 0)}, repeats)["mosaic"]
        parts = medians(stages(pictures), 2 * repeats)
    own = seconds["cspbench, Darknet's"]
    rows = [[name, f"{1e3 * value / count:.2f}", f"{value / own:.2f}"] for name, value in seconds.items()]
    text = table(["pictures of 256 x 256", "ms a picture", "of cspbench's time"], rows)
    if v2 is None:
        text += f"\n\nNo comparison: {operator()[1]}."
    else:
        least = min(value for name, value in seconds.items() if name.startswith("torchvision"))
        faster("cspbench to the faster of torchvision", least / own)
        text += f"\n\n{judged(f'At least {TARGET} times as fast as the faster of torchvision', least >= TARGET * own)}."
    rows = [[name, f"{1e3 * value:.2f}"] for name, value in parts.items()]
    rows.append(["a detector's picture of 416 x 416, half of them mosaics of four", f"{1e3 * whole / count:.2f}"])
    return f"{text}\n\n{table(['part', 'ms'], rows)}"


_iterations = iter(range(1, 1 << 30))


def _load(loader: Loader) -> None:
    iteration = _next()
    for _ in loader.iterations(iteration, iteration):
        pass


def _next() -> int:
    """Another iteration in each call: other pictures, as in a run."""
    return next(_iterations)


if __name__ == "__main__":
    part(__doc__, section)
