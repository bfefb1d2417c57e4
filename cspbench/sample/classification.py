"""The sample for classifiers: one textured shape in each picture, among clutter and partly hidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from numpy.random import Generator

from cspbench.io import write_bytes
from cspbench.sample.canvas import Canvas, Pixels, colours, jpeg
from cspbench.sample.seeds import HELD_OUT, between, chance, direction, generator
from cspbench.sample.shapes import SHAPES, Outline
from cspbench.sample.textures import TEXTURES, drawn

SHOWN = ("disc", "square", "triangle", "star")
"""The shapes of the classes; each comes in every texture."""
CLASSES: tuple[tuple[str, str], ...] = tuple(
    (f"n{90_000_001 + place}", f"{pattern} {shape}")
    for place, (shape, pattern) in enumerate((shape, pattern) for shape in SHOWN for pattern in TEXTURES)
)
"""The id, of a form that WordNet uses, and the name of each class, in the order of the classifier's outputs."""
IMAGES = 240
NUMBER = 1
"""What a canvas calls the thing that the class is about."""
SHORTEST, LONGEST = 112, 208
"""Pixels of a picture's sides."""
LEAST_SHOWN = 0.6
"""Share of the thing that nothing hides, at least."""


def write(
    folder: Path, images: int = IMAGES, seed: int = HELD_OUT, step: Callable[[int], None] = lambda _: None
) -> None:
    """Write FOLDER/<id>/ILSVRC2012_val_%08d.JPEG; `step` is told how many were written, after each.

    Picture n is drawn from seed + n and its class is n modulo the number of classes.
    """
    for each in range(images):
        write_one(folder, seed, each)
        step(each + 1)


def write_one(folder: Path, seed: int, index: int) -> None:
    """Write picture `index` of the set that begins with `seed`."""
    label = index % len(CLASSES)
    write_bytes(folder / CLASSES[label][0] / f"ILSVRC2012_val_{index + 1:08d}.JPEG", jpeg(draw(seed + index, label)))


def draw(seed: int, label: int) -> Pixels:
    """The picture with that seed of a class, uint8 (H, W, 3)."""
    for attempt in range(8):
        random = generator(seed * 8 + attempt)
        canvas, whole = _scene(random, CLASSES[label][1])
        if int((canvas.shown == NUMBER).sum()) >= LEAST_SHOWN * whole:
            break
    if chance(random, 0.25):
        canvas.blur()
    canvas.light(random, 80)
    return canvas.finished(random, int(random.integers(4, 30)))


def _scene(random: Generator, name: str) -> tuple[Canvas, int]:
    """A canvas with everything on it, and how many pixels of the class's thing would show if nothing hid it."""
    pattern, shape = name.split()
    width, height = (int(side) for side in random.integers(SHORTEST, LONGEST + 1, 2))
    canvas = Canvas(width, height)
    canvas.background(random, int(random.integers(10, 60)))
    for _ in range(int(random.integers(0, 5))):
        _add(canvas, random, (7.0, 15.0), list(SHAPES), 0)
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
    texture = drawn(random, pattern, side * 0.1, side * 0.2)
    pair = colours(random, canvas.around(outline), 30, 36)
    whole = canvas.paint(outline, texture, pair, NUMBER)
    for _ in range(int(random.integers(0, 4))):
        _add(canvas, random, (6.0, 17.0), ["disc", "bar", "cross"], 0)
    if chance(random, 0.3):
        _add(canvas, random, (50.0, 90.0), ["bar"], 0, aspect=(0.2, 0.5))
    return canvas, whole


def _add(
    canvas: Canvas,
    random: Generator,
    radii: tuple[float, float],
    shapes: Sequence[str],
    number: int,
    aspect: tuple[float, float] = (0.7, 1.0),
) -> None:
    """Draw one of the shapes in one colour anywhere."""
    outline = Outline(
        shapes[int(random.integers(len(shapes)))],
        between(random, 0, canvas.width),
        between(random, 0, canvas.height),
        between(random, *radii),
        between(random, *aspect),
        direction(random),
    )
    canvas.paint(outline, drawn(random, "plain", 8, 8.5), colours(random, canvas.around(outline), 20, 0), number)
