"""The sample for classifiers: pictures of one textured shape, partly hidden, among clutter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Scene:
    """How hard the pictures are."""

    sides: tuple[int, int] = (112, 208)
    """Pixels, shortest and longest."""
    radius: tuple[float, float] = (0.26, 0.46)
    """Of the object, in shorter sides."""
    period: tuple[float, float] = (0.1, 0.2)
    """Of its texture, in shorter sides."""
    visible: float = 0.6
    """Minimum visible share of the object."""
    clutter: int = 4
    """Shapes behind the object at most; they have the shapes of the classes."""
    hiding: int = 3
    """Small shapes before it at most."""
    bars: float = 0.3
    """The probability of a bar across it."""
    contrast: tuple[int, int] = (30, 36)
    """Levels between object and background, and between the two colours of its texture, at least."""
    noise: tuple[int, int] = (4, 30)
    """Levels."""


SAMPLE = Scene()
STUDY = Scene(
    sides=(72, 96),
    radius=(0.28, 0.44),
    period=(0.12, 0.2),
    clutter=5,
    bars=0.4,
    contrast=(24, 28),
    noise=(8, 36),
)
"""Smaller objects among more clutter, of which more is hidden, with fainter textures under more noise."""


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
    """Write FOLDER/<id>/ILSVRC2012_val_%08d.JPEG, or <id>_<number>.JPEG of the images for training.

    Picture n has the seed `seed` + n and the class n modulo the number of classes; `step` receives the number of
    pictures written so far. `run` draws them, in their order.
    """
    tasks = ((seed + index, index % len(CLASSES), scene) for index in range(images))
    for index, data in enumerate(run(_file, tasks)):
        wnid = CLASSES[index % len(CLASSES)][0]
        name = f"ILSVRC2012_val_{index + 1:08d}.JPEG" if part == "val" else f"{wnid}_{index + 1}.JPEG"
        write_bytes(folder / wnid / name, data)
        step(index + 1)


def _file(task: tuple[int, int, Scene]) -> bytes:
    return jpeg(draw(*task))


def draw(seed: int, label: int, scene: Scene = SAMPLE) -> Pixels:
    """The picture of a class with this seed, uint8 (H, W, 3)."""
    for attempt in range(8):
        random = generator(seed * 8 + attempt)
        canvas, whole = _arranged(random, CLASSES[label][1], scene)
        if int((canvas.objects == NUMBER).sum()) >= scene.visible * whole:
            break
    if chance(random, 0.25):
        canvas.blur()
    canvas.light(random, 80)
    return canvas.finished(random, int(random.integers(*scene.noise)))


def _arranged(random: Generator, name: str, scene: Scene) -> tuple[Canvas, int]:
    """A complete canvas, and the number of pixels of the class's object before others hid it."""
    pattern, shape = name.split()
    width, height = (int(side) for side in random.integers(scene.sides[0], scene.sides[1] + 1, 2))
    canvas = Canvas(width, height)
    canvas.background(random, int(random.integers(10, 60)))
    for _ in range(int(random.integers(0, scene.clutter + 1))):
        _add(canvas, random, (7.0, 15.0), list(SHAPES))
    side = min(width, height)
    radius = side * between(random, *scene.radius)
    spare = side / 2 - radius * 0.8
    outline = Outline(
        shape,
        width / 2 + spare * between(random, -1, 1),
        height / 2 + spare * between(random, -1, 1),
        radius,
        between(random, 0.75, 1),
        direction(random),
    )
    texture = random_texture(random, pattern, side * scene.period[0], side * scene.period[1])
    pair = colours(random, canvas.around(outline), *scene.contrast)
    whole = canvas.paint(outline, texture, pair, NUMBER)
    for _ in range(int(random.integers(0, scene.hiding + 1))):
        _add(canvas, random, (6.0, 17.0), ["disc", "bar", "cross"])
    if chance(random, scene.bars):
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
