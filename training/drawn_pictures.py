"""Training pictures: drawn, encoded as JPEG, prepared as in an evaluation, and cached on disk as arrays."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from cspbench.data.decode import decode
from cspbench.data.detection_presets import detection_preset
from cspbench.data.presets import preset
from cspbench.sample import classification, detection
from cspbench.sample.canvas import jpeg
from cspbench.sample.seeds import HELD_OUT

PRESET = "readme"
PROCESSES = 2
CHUNK = 50

Drawn = tuple[NDArray[np.uint8], NDArray[np.float32]]
"""A network's input, (3, H, W) of 0 to 255, and its labels: (1,) the class, or (objects, 6): category from 0, left,
top, right and bottom as fractions of the picture, and 1 for a crowd.
"""


class Pictures(NamedTuple):
    """N pictures: uint8 (N, 3, H, W), and the labels of each."""

    images: NDArray[np.uint8]
    labels: list[NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.images)


def for_classifier(seed: int, side: int) -> Drawn:
    """A picture whose class is the seed modulo the number of classes, for an input of `side` pixels."""
    label = seed % len(classification.CLASSES)
    pixels = decode(jpeg(classification.draw(seed, label)))
    return _bytes(preset(PRESET).prepare(pixels, side)), np.array([label], np.float32)


def for_detector(seed: int, side: int) -> Drawn:
    """A picture of the detection set, resized to an input of `side` pixels."""
    pixels, objects = detection.draw(seed)
    image = _bytes(detection_preset(PRESET).prepare(decode(jpeg(pixels)), (side, side)))
    height, width = pixels.shape[:2]
    rows = []
    for item in objects:
        left, top, across, down = item.box
        corners = (left / width, top / height, (left + across) / width, (top + down) / height)
        rows.append((item.category - 1, *corners, item.crowd))
    return image, np.array(rows, np.float32).reshape(-1, 6)


def pictures(folder: Path, name: str, draw: Callable[[int, int], Drawn], seeds: range, side: int) -> Pictures:
    """The pictures with these seeds, from the folder or else drawn by `draw`; `ValueError` for held-out seeds."""
    if seeds.stop > HELD_OUT:
        raise ValueError(f"seeds from {HELD_OUT} on are held out")
    stem = folder / f"{name}-{side}-{seeds.start}-{len(seeds)}"
    images, labels = Path(f"{stem}.npy"), Path(f"{stem}-labels.npz")
    if not labels.exists():
        _draw(images, labels, draw, seeds, side)
    with np.load(labels) as saved:
        parts = np.split(saved["labels"], np.cumsum(saved["lengths"])[:-1])
    return Pictures(np.load(images, mmap_mode="r"), parts)


def _draw(images: Path, labels: Path, draw: Callable[[int, int], Drawn], seeds: range, side: int) -> None:
    images.parent.mkdir(parents=True, exist_ok=True)
    array = open_memmap(images, "w+", np.uint8, (len(seeds), 3, side, side))
    parts: list[NDArray[Any]] = []
    with get_context("spawn").Pool(PROCESSES) as pool:
        tasks = ((draw, seed, side) for seed in seeds)
        for index, (image, part) in enumerate(pool.imap(_call, tasks, CHUNK)):
            array[index] = image
            parts.append(part)
    array.flush()
    np.savez(labels, labels=np.concatenate(parts), lengths=[len(part) for part in parts])


def _call(task: tuple[Callable[[int, int], Drawn], int, int]) -> Drawn:
    draw, seed, side = task
    return draw(seed, side)


def _bytes(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(planes * 255).astype(np.uint8)
