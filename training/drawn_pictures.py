"""Pictures to train on: drawn, saved as JPEG and prepared as an evaluation does it, and kept as arrays on disk."""

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
"""A network's input, (3, H, W) of 0 to 255, and what is to be found: (1,) the class, or (objects, 6): category, from 0,
left, top, right, bottom in shares of the picture, and 1 for a crowd.
"""


class Pictures(NamedTuple):
    """N pictures: uint8 (N, 3, H, W), and what is to be found in each."""

    images: NDArray[np.uint8]
    found: list[NDArray[np.float32]]

    def __len__(self) -> int:
        return len(self.images)


def for_classifier(seed: int, side: int) -> Drawn:
    """A picture of class seed modulo the number of classes, prepared for an input of `side` pixels."""
    label = seed % len(classification.CLASSES)
    pixels = decode(jpeg(classification.draw(seed, label)))
    return _bytes(preset(PRESET).prepare(pixels, side)), np.array([label], np.float32)


def for_detector(seed: int, side: int) -> Drawn:
    """A picture of the detection set, stretched to an input of `side` pixels."""
    scene = detection.draw(seed)
    image = _bytes(detection_preset(PRESET).prepare(decode(jpeg(scene.pixels)), (side, side)))
    height, width = scene.pixels.shape[:2]
    rows = []
    for each in scene.objects:
        left, top, across, down = each.box
        corners = (left / width, top / height, (left + across) / width, (top + down) / height)
        rows.append((each.category - 1, *corners, each.crowd))
    return image, np.array(rows, np.float32).reshape(-1, 6)


def pictures(folder: Path, name: str, draw: Callable[[int, int], Drawn], seeds: range, side: int) -> Pictures:
    """The pictures with these seeds, drawn by `draw` unless the folder holds them; none may be held out."""
    if seeds.stop > HELD_OUT:
        raise ValueError(f"seeds from {HELD_OUT} on are held out")
    stem = folder / f"{name}-{side}-{seeds.start}-{len(seeds)}"
    images, found = Path(f"{stem}.npy"), Path(f"{stem}-found.npz")
    if not found.exists():
        _draw(images, found, draw, seeds, side)
    with np.load(found) as saved:
        parts = np.split(saved["found"], np.cumsum(saved["lengths"])[:-1])
    return Pictures(np.load(images, mmap_mode="r"), parts)


def _draw(images: Path, found: Path, draw: Callable[[int, int], Drawn], seeds: range, side: int) -> None:
    images.parent.mkdir(parents=True, exist_ok=True)
    array = open_memmap(images, "w+", np.uint8, (len(seeds), 3, side, side))
    parts: list[NDArray[Any]] = []
    with get_context("spawn").Pool(PROCESSES) as pool:
        tasks = ((draw, seed, side) for seed in seeds)
        for at, (image, objects) in enumerate(pool.imap(_call, tasks, CHUNK)):
            array[at] = image
            parts.append(objects)
    array.flush()
    np.savez(found, found=np.concatenate(parts), lengths=[len(part) for part in parts])


def _call(task: tuple[Callable[[int, int], Drawn], int, int]) -> Drawn:
    draw, seed, side = task
    return draw(seed, side)


def _bytes(planes: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.rint(planes * 255).astype(np.uint8)
