"""Speed of the three engines of COCO's average precision, in one run on one machine.

    python benchmarks/average_precision.py [--images N] [--boxes N] [--repeats N]

Each engine gets the same arrays (objects and detections in 80 categories, drawn around the objects and at random) and
gives twelve numbers; the engines take turns. Prints the medians, the ratios to pycocotools, and whether the twelve
numbers and all curves are the same floats. Then the time of a bootstrap of the same result.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from cspbench.data.coco_annotations import COCO_CATEGORIES, GroundTruth
from cspbench.evaluate.average_precision import ENGINES, AveragePrecision, average_precision
from cspbench.evaluate.bootstrap import DRAWS, intervals
from cspbench.evaluate.matching import Detections

OBJECTS = 7
"""Per image; val2017 has 7.3."""


def drawn(images: int, boxes: int, seed: int = 0) -> tuple[GroundTruth, Detections]:
    """Objects of COCO's sizes in 640x480 images; six in ten detections are of an object's class and near it."""
    rng = np.random.default_rng(seed)
    ids = np.arange(1, images + 1)
    kinds = np.array(list(COCO_CATEGORIES))
    corners = rng.uniform(0, (500, 400), (images, OBJECTS, 2))
    objects = np.concatenate((corners, np.exp(rng.uniform(2, 5.5, (images, OBJECTS, 2)))), axis=2)
    classes = rng.choice(kinds, (images, OBJECTS))
    truth = GroundTruth(
        image_ids=ids,
        categories=dict(COCO_CATEGORIES),
        images=np.repeat(ids, OBJECTS),
        category_ids=classes.ravel(),
        boxes=objects.reshape(-1, 4),
        areas=0.6 * objects[..., 2:].prod(2).ravel(),
        crowd=rng.random(images * OBJECTS) < 0.02,
    )
    near = rng.integers(0, OBJECTS, (images, boxes))
    found = np.take_along_axis(objects, near[..., None], 1) + rng.normal(0, 5, (images, boxes, 4))
    other = rng.choice(kinds, (images, boxes))
    detected = np.where(rng.random((images, boxes)) < 0.6, np.take_along_axis(classes, near, 1), other)
    return truth, Detections(np.repeat(ids, boxes), detected.ravel(), found.reshape(-1, 4), rng.random(images * boxes))


def main() -> None:
    """Run the engines in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--boxes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    truth, detections = drawn(given.images, given.boxes)
    seconds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    results: dict[str, AveragePrecision] = {}
    for _ in range(given.repeats):
        for engine in ENGINES:
            begin = time.perf_counter()
            results[engine] = average_precision(truth, detections, engine)
            _ = results[engine].stats
            seconds[engine].append(time.perf_counter() - begin)
    middle = {engine: statistics.median(values) for engine, values in seconds.items()}
    referee = results["pycocotools"]
    print(f"{given.images} images with {given.boxes} boxes each, median of {given.repeats} runs\n")
    print("| engine | seconds | times as fast as pycocotools | same twelve floats | same curves |")
    print("| --- | --- | --- | --- | --- |")
    for engine, result in results.items():
        same = np.array_equal(result.stats, referee.stats)
        curves = np.array_equal(result.precision, referee.precision) and np.array_equal(result.recall, referee.recall)
        ratio = middle["pycocotools"] / middle[engine]
        equal = " | ".join("yes" if each else "no" for each in (same, curves))
        print(f"| {engine} | {middle[engine]:.3f} | {ratio:.1f} | {equal} |")
    begin = time.perf_counter()
    intervals(results["cspbench"])
    print(f"\nBootstrap of {DRAWS} draws: {time.perf_counter() - begin:.1f} s")


if __name__ == "__main__":
    main()
