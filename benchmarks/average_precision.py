"""Speed of the engines and of a port of pycocotools to C++ of COCO's average precision.

    python -m benchmarks.average_precision [--quick]

Each engine gets the same arrays (objects and detections in 80 categories, drawn around the objects and at random) and
gives twelve numbers; the engines take turns. Then the time of a bootstrap of the same result.
"""

from __future__ import annotations

import statistics
import time

import numpy as np

from benchmarks.measuring import faster, in_turns, judged, medians, part, table
from cspbench.data.coco.annotations import COCO_CATEGORIES, GroundTruth
from cspbench.detection.ap.average_precision import ENGINES, AveragePrecision, average_precision, by_library
from cspbench.detection.ap.bootstrap import DRAWS, intervals
from cspbench.detection.ap.matching import Detections, match

OBJECTS = 7
"""Per image; val2017 has 7.3."""
BOXES = 100
"""Detections per image."""
PORT = "faster-coco-eval"
RATIO = 8
"""cspbench is at least so many times as fast as pycocotools, with the same twelve floats."""


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


def section(quick: bool) -> str:
    """The engines, then the bootstrap."""
    images, repeats, draws = (5, 1, 5) if quick else (500, 3, DRAWS)
    truth, detections = drawn(images, BOXES)
    results: dict[str, AveragePrecision] = {}

    def evaluate(engine: str) -> None:
        if engine == PORT:
            from faster_coco_eval import COCO, COCOeval_faster

            curves, recalls = by_library(truth, detections, COCO, COCOeval_faster)
            categories = dict(sorted(truth.categories.items()))
            results[engine] = AveragePrecision(PORT, categories, curves[..., -1], recalls)
        else:
            results[engine] = average_precision(truth, detections, engine)
        _ = results[engine].stats

    seconds = in_turns({engine: lambda engine=engine: evaluate(engine) for engine in (*ENGINES, PORT)}, repeats)  # type: ignore[misc]
    middle = {engine: statistics.median(values) for engine, values in seconds.items()}
    referee = results["pycocotools"]
    rows = []
    for engine, result in results.items():
        stats = np.array_equal(result.stats, referee.stats)
        curves = np.array_equal(result.precision, referee.precision) and np.array_equal(result.recall, referee.recall)
        ratio = middle["pycocotools"] / middle[engine]
        if engine == "cspbench":
            faster("cspbench to pycocotools", ratio)
            faster(f"cspbench to {PORT}", middle[PORT] / middle[engine])
        same = ["yes" if each else "no" for each in (stats, curves)]
        target = judged(f"at least {RATIO}, same floats", ratio >= RATIO and stats) if engine == "cspbench" else None
        rows.append([engine, f"{middle[engine]:.3f}", f"{ratio:.1f}", target, *same])
    begin = time.perf_counter()
    intervals(results["cspbench"], draws)
    spent = time.perf_counter() - begin
    heading = f"{images} images with {BOXES} detections each, medians of {repeats} runs in turns."
    columns = ("engine", "seconds", "times as fast as pycocotools", "target", "same twelve floats", "same curves")
    alone = medians({"match": lambda: match(truth, detections)}, repeats)["match"]
    share = 100 * min(1.0, alone / middle["cspbench"])
    bound = (
        f"cspbench is bound by numpy's sorts and passes over {images * BOXES:,} detections at ten IoUs and four "
        f"ranges of size: matching takes {share:.0f} % of its time, the curves {100 - share:.0f} %."
    )
    return f"{heading}\n\n{table(columns, rows)}\n\n{bound}\n\nA bootstrap of {draws} draws: {spent:.1f} s"


if __name__ == "__main__":
    part(__doc__, section)
