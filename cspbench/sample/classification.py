"""The sample for classifiers: pictures of one textured shape, partly hidden, among clutter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.random import Generator

from cspbench.data.classes import SAMPLE_WNIDS
from cspbench.io import write_bytes
from cspbench.sample.canvas import Canvas, Pixels, colours, jpeg
from cspbench.sample.place import Part, Run
from cspbench.sample.seeds import HELD_OUT, between, chance, direction, generator
from cspbench.sample.shapes import SHAPES, TEXTURES, Outline, random_texture

CLASS_SHAPES = ("disc", "square", "triangle", "star")
"""The shapes of the classes; there is a class for each shape in each texture."""
CLASSES: tuple[tuple[str, str], ...] = tuple(
    zip(SAMPLE_WNIDS, (f"{pattern} {shape}" for shape in CLASS_SHAPES for pattern in TEXTURES), strict=True)
)
"""The id and the name of each class, in the order of the classifier's outputs."""
IMAGES = 240
NUMBER = 1
"""The number of the object of the class on a canvas."""
SHORTEST, LONGEST = 112, 208
"""Pixels of a picture's sides."""
LEAST_VISIBLE = 0.6
"""Minimum visible share of the object."""


def write(
    folder: Path,
    images: int = IMAGES,
    seed: int = HELD_OUT,
    step: Callable[[int], None] = lambda _: None,
    *,
    part: Part = "val",
    run: Run = map,
) -> None:
    """Write FOLDER/<id>/ILSVRC2012_val_%08d.JPEG, or <id>_<number>.JPEG of the images for training.

    Picture n has the seed `seed` + n and the class n modulo the number of classes; `step` receives the number of
    pictures written so far. `run` draws them, in their order.
    """
    for index, data in enumerate(run(_file, ((seed + index, index % len(CLASSES)) for index in range(images)))):
        wnid = CLASSES[index % len(CLASSES)][0]
        name = f"ILSVRC2012_val_{index + 1:08d}.JPEG" if part == "val" else f"{wnid}_{index + 1}.JPEG"
        write_bytes(folder / wnid / name, data)
        step(index + 1)


def _file(task: tuple[int, int]) -> bytes:
    return jpeg(draw(*task))


def draw(seed: int, label: int) -> Pixels:
    """The picture of a class with this seed, uint8 (H, W, 3)."""
    for attempt in range(8):
        random = generator(seed * 8 + attempt)
        canvas, whole = _scene(random, CLASSES[label][1])
        if int((canvas.objects == NUMBER).sum()) >= LEAST_VISIBLE * whole:
            break
    if chance(random, 0.25):
        canvas.blur()
    canvas.light(random, 80)
    return canvas.finished(random, int(random.integers(4, 30)))


def _scene(random: Generator, name: str) -> tuple[Canvas, int]:
    """A complete canvas, and the number of pixels of the class's object before others hid it."""
    pattern, shape = name.split()
    width, height = (int(side) for side in random.integers(SHORTEST, LONGEST + 1, 2))
    canvas = Canvas(width, height)
    canvas.background(random, int(random.integers(10, 60)))
    for _ in range(int(random.integers(0, 5))):
        _add(canvas, random, (7.0, 15.0), list(SHAPES))
    side = min(width, height)
    radius = side * between(random, 0.26, 0.46)
    spare = side / 2 - radius * 0.8
    outline = Outline(
        shape,
        width / 2 + spare * between(random, -1, 1),
        height / 2 + spare * between(random, -1, 1),
        radius,
        between(random, 0.75, 1),
        direction(random),
    )
    texture = random_texture(random, pattern, side * 0.1, side * 0.2)
    pair = colours(random, canvas.around(outline), 30, 36)
    whole = canvas.paint(outline, texture, pair, NUMBER)
    for _ in range(int(random.integers(0, 4))):
        _add(canvas, random, (6.0, 17.0), ["disc", "bar", "cross"])
    if chance(random, 0.3):
        _add(canvas, random, (50.0, 90.0), ["bar"], aspect=(0.2, 0.5))
    return canvas, whole


def _add(
    canvas: Canvas,
    random: Generator,
    radii: tuple[float, float],
    shapes: Sequence[str],
    aspect: tuple[float, float] = (0.7, 1.0),
) -> None:
    """Draw one of the shapes in one colour at a random place, as part of the background."""
    outline = Outline(
        shapes[int(random.integers(len(shapes)))],
        between(random, 0, canvas.width),
        between(random, 0, canvas.height),
        between(random, *radii),
        between(random, *aspect),
        direction(random),
    )
    texture = random_texture(random, "plain", 8, 8.5)
    canvas.paint(outline, texture, colours(random, canvas.around(outline), 20, 0), 0)
