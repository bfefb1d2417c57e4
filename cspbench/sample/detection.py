"""The sample for detectors: pictures of many objects of all sizes, some occluded, some in crowds."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from cspbench.io import write_bytes, write_text
from cspbench.sample.canvas import Canvas, Pixels, colours, jpeg
from cspbench.sample.place import Part, Run
from cspbench.sample.seeds import HELD_OUT, between, chance, choice, direction, generator
from cspbench.sample.shapes import Mask, Outline, random_texture

CATEGORIES: dict[int, str] = dict(
    enumerate(("disc", "ring", "square", "board", "triangle", "star", "cross", "crescent", "bar", "arrow"), 1)
)
"""Names by id. A board is a checked square; a square has any other texture."""
IMAGES = 160
PATTERNS = ("plain", "striped", "dotted", "checked")
LEAST_VISIBLE = 0.4
"""Visible share below which an object is not annotated."""


@dataclass(frozen=True)
class Scene:
    """How large and how hard the pictures are."""

    categories: tuple[int, ...] = tuple(CATEGORIES)
    """Their ids."""
    sides: tuple[int, int] = (240, 320)
    """Pixels, shortest and longest."""
    radii: tuple[tuple[float, float], ...] = ((8.0, 15.0), (18.0, 45.0), (62.0, 95.0))
    """Ranges in pixels: small, medium and large objects."""
    shares: tuple[int, ...] = (40, 38, 22)
    """Of these sizes."""
    objects: tuple[int, int] = (3, 9)
    """Fewest and most of a picture."""
    crowds: float = 0.2
    """The share of pictures with a crowd."""
    contrast: tuple[int, int] = (36, 40)
    """Levels between an object and what is around it, and between the two colours of its texture, at least."""
    noise: tuple[int, int] = (2, 20)
    """Levels."""


SAMPLE = Scene()
STUDY = Scene(
    categories=(1, 3, 5, 6),
    sides=(96, 120),
    radii=((9.0, 13.0), (14.0, 22.0), (24.0, 34.0)),
    shares=(20, 45, 35),
    objects=(1, 3),
    crowds=0.0,
    contrast=(28, 32),
    noise=(6, 28),
)
"""Small pictures of few objects of four categories, for a network that is trained for minutes; fainter than the sample,
and under more noise.
"""


class Object(NamedTuple):
    """An annotated object, or a crowd."""

    category: int
    visible: Mask
    """The pixels (H, W) that show the object."""
    crowd: bool = False

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the visible part."""
        rows, columns = (np.flatnonzero(self.visible.any(axis)) for axis in (1, 0))
        left, top = int(columns[0]), int(rows[0])
        return left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1

    @property
    def area(self) -> int:
        """The number of visible pixels."""
        return int(self.visible.sum())


def write(
    folder: Path,
    images: int = IMAGES,
    seed: int = HELD_OUT,
    step: Callable[[int], None] = lambda _: None,
    *,
    part: Part = "val",
    run: Run = map,
    scene: Scene = SAMPLE,
) -> None:
    """Write FOLDER/annotations/instances_val2017.json and FOLDER/val2017/%012d.jpg, or those for training.

    Picture n has the seed `seed` + n; `step` receives the number of pictures written so far. `run` draws them, in
    their order.
    """
    records: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    tasks = ((seed + index, scene) for index in range(images))
    for image, (picture, record, objects) in enumerate(run(_file, tasks), 1):
        name = f"{image:012d}.jpg"
        write_bytes(folder / f"{part}2017" / name, picture)
        records.append({"id": image, "file_name": name, **record, "license": 1})
        for item in objects:
            annotations.append({"id": len(annotations) + 1, "image_id": image, **item})
        step(image)
    data = {
        "info": {"description": "Drawn shapes", "version": "1.0", "contributor": "cspbench"},
        "licenses": [{"id": 1, "name": "CC0 1.0", "url": "https://creativecommons.org/publicdomain/zero/1.0/"}],
        "images": records,
        "annotations": annotations,
        "categories": [{"supercategory": "shape", "id": key, "name": CATEGORIES[key]} for key in scene.categories],
    }
    file = folder / "annotations" / f"instances_{part}2017.json"
    write_text(file, json.dumps(data, separators=(",", ":")) + "\n")


def _file(task: tuple[int, Scene]) -> tuple[bytes, dict[str, int], list[dict[str, Any]]]:
    """A picture's JPEG file, its size, and its annotations without their numbers."""
    pixels, objects = draw(*task)
    height, width = pixels.shape[:2]
    annotations = [
        {
            "category_id": item.category,
            "bbox": list(item.box),
            "area": item.area,
            "iscrowd": int(item.crowd),
            "segmentation": {"counts": run_lengths(item.visible), "size": list(item.visible.shape)},
        }
        for item in objects
    ]
    return jpeg(pixels), {"width": width, "height": height}, annotations


def run_lengths(mask: Mask) -> list[int]:
    """COCO's uncompressed run lengths, column by column, beginning with pixels outside the mask."""
    flat = np.concatenate(([False], mask.ravel(order="F")))
    changes: NDArray[np.int64] = np.flatnonzero(flat[1:] != flat[:-1])
    return [int(length) for length in np.diff(np.concatenate(([0], changes, [mask.size])))]


def draw(seed: int, scene: Scene = SAMPLE) -> tuple[Pixels, list[Object]]:
    """The picture with this seed, uint8 (H, W, 3), and its annotated objects."""
    random = generator(seed)
    canvas, items = arrange(random, scene)
    objects = [
        Object(category, canvas.objects == number, crowd)
        for number, (category, pixels, crowd) in enumerate(items, 1)
        if int((canvas.objects == number).sum()) >= max(1, LEAST_VISIBLE * pixels)
    ]
    if chance(random, 0.2):
        canvas.blur()
    canvas.light(random, 70)
    return canvas.finished(random, int(random.integers(*scene.noise))), objects


def arrange(random: Generator, scene: Scene = SAMPLE) -> tuple[Canvas, list[tuple[int, int, bool]]]:
    """A canvas with objects, numbered from 1: their categories, the pixels drawn of each, and whether it is a crowd."""
    width, height = (int(side) for side in random.integers(scene.sides[0], scene.sides[1] + 1, 2))
    canvas = Canvas(width, height)
    canvas.background(random, int(random.integers(10, 60)))
    crowded = chance(random, scene.crowds)
    alone = int(random.integers(scene.objects[0], scene.objects[1] + 1)) - 2 * crowded
    items = []
    for number in range(1, alone + crowded + 1):
        category = scene.categories[int(random.integers(len(scene.categories)))]
        add = _single if number <= alone else _crowd
        items.append((category, add(canvas, random, category, number, scene), number > alone))
    return canvas, items


def _single(canvas: Canvas, random: Generator, category: int, number: int, scene: Scene) -> int:
    """Draw one object where it occludes little, or sometimes more; returns the number of its pixels."""
    radius = between(random, *scene.radii[choice(random, scene.shares)])
    occlusion = 0.45 if chance(random, 0.3) else 0.03
    for _ in range(8):
        place = between(random, 0.04, 0.96) * canvas.width, between(random, 0.04, 0.96) * canvas.height
        outline = _outline(random, category, place, radius)
        mask = canvas.mask(outline)
        if (mask & (canvas.objects > 0)).sum() <= occlusion * mask.sum():
            break
    return _paint(canvas, random, category, outline, number, scene)


def _crowd(canvas: Canvas, random: Generator, category: int, number: int, scene: Scene) -> int:
    """Draw many tiny objects of one category close together; returns the number of their pixels."""
    columns, rows = (int(count) for count in random.integers(3, 7, 2))
    pitch = between(random, 11, 17)
    left = between(random, 0, max(1.0, canvas.width - columns * pitch))
    top = between(random, 0, max(1.0, canvas.height - rows * pitch))
    for row in range(rows):
        for column in range(columns):
            x = left + (column + between(random, 0.3, 0.7)) * pitch
            y = top + (row + between(random, 0.3, 0.7)) * pitch
            outline = _outline(random, category, (x, y), pitch * between(random, 0.4, 0.55))
            _paint(canvas, random, category, outline, number, scene)
    return int((canvas.objects == number).sum())


def _outline(random: Generator, category: int, place: tuple[float, float], radius: float) -> Outline:
    name = CATEGORIES[category]
    shape = "square" if name == "board" else name
    return Outline(shape, *place, radius, between(random, 0.75, 1), direction(random))


def _paint(canvas: Canvas, random: Generator, category: int, outline: Outline, number: int, scene: Scene) -> int:
    pattern = PATTERNS[int(random.integers(3 if CATEGORIES[category] == "square" else 4))]
    if CATEGORIES[category] == "board":
        pattern = "checked"
    texture = random_texture(random, pattern, max(6.0, outline.radius * 0.35), max(8.0, outline.radius * 0.8))
    return canvas.paint(outline, texture, colours(random, canvas.around(outline), *scene.contrast), number)
