"""Speed of per-class suppression against a plain loop over classes around torchvision.ops.nms, on one machine.

    python benchmarks/nms.py [--candidates N] [--classes N] [--repeats N] [--threads N]

Both are given the same candidates of one image, as Darknet decodes them: centre and size, class, score. The plain loop
makes corners once and then, for each class that occurs, picks its boxes and calls nms. Two sorts of candidates: spread
evenly over the image, and in crowds, twenty objects per class with the boxes scattered around them. torchvision's
operator is compiled for one build of torch; where it does not load, the loop calls a straightforward vectorised numpy
suppression instead, and the table says so. Prints medians, their ratios, and how many decisions differ; and what six
thresholds cost against one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from cspbench.evaluate.candidates import Candidates
from cspbench.evaluate.memory import keep_freed_memory
from cspbench.evaluate.nms import Criterion, nms, nms_many

SIX = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
OBJECTS = 20

Suppress = Callable[[torch.Tensor, torch.Tensor, float], torch.Tensor]


def draw(kind: str, count: int, classes: int) -> Candidates:
    """Candidates of a 640x480 image; scores are mostly low, as a detector's are."""
    rng = np.random.default_rng(0)
    category = rng.integers(0, classes, count)
    if kind == "even":
        centre, size = rng.uniform(0, 1, (count, 2)) * (640, 480), np.exp(rng.normal(4, 0.8, (count, 2)))
    else:
        centres = rng.uniform(0, 1, (OBJECTS * classes, 2)) * (640, 480)
        sizes = np.exp(rng.normal(4, 0.8, (OBJECTS * classes, 2)))
        of = rng.integers(0, OBJECTS, count) + OBJECTS * category
        centre = centres[of] + rng.normal(0, 0.15, (count, 2)) * sizes[of]
        size = sizes[of] * np.exp(rng.normal(0, 0.2, (count, 2)))
    boxes = np.concatenate((centre, size), 1).astype(np.float32)
    score = rng.uniform(0, 1, count).astype(np.float32) ** 3
    return Candidates(boxes, np.arange(count, dtype=np.int32), category.astype(np.int16), score)


def torchvision_nms() -> Suppress | None:
    """The operator, if it loads beside this torch."""
    try:
        from torchvision.ops import nms as operator

        operator(torch.zeros(1, 4), torch.zeros(1), 0.5)
    except (ImportError, RuntimeError):
        return None
    found: Suppress = operator
    return found


def numpy_nms(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> torch.Tensor:
    """The best box against all that are left, again and again."""
    corners = boxes.numpy().T
    area = (corners[2] - corners[0]) * (corners[3] - corners[1])
    order = np.argsort(-scores.numpy(), kind="stable")
    kept = []
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(first)
        sides = np.minimum(corners[2:, first, None], corners[2:, rest])
        sides -= np.maximum(corners[:2, first, None], corners[:2, rest])
        shared = sides.clip(0).prod(0)
        order = rest[shared / (area[first] + area[rest] - shared) <= np.float32(threshold)]
    return torch.from_numpy(np.array(kept, np.int64))


def plain(image: Candidates, threshold: float, suppress: Suppress) -> np.ndarray[Any, Any]:
    """Which candidates stay, class by class."""
    centre, half = image.boxes[:, :2], image.boxes[:, 2:] / 2
    corners = torch.from_numpy(np.concatenate((centre - half, centre + half), 1)[image.box])
    category, score = torch.from_numpy(image.category), torch.from_numpy(image.score)
    keep = torch.zeros(len(image), dtype=torch.bool)
    for each in torch.unique(category).tolist():
        members = torch.nonzero(category == each)[:, 0]
        keep[members[suppress(corners[members], score[members], threshold)]] = True
    return keep.numpy()


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Median seconds of a call."""
    call()
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begin)
    return statistics.median(spent)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    operator = torchvision_nms()
    name = "torchvision.ops.nms" if operator else "numpy (torchvision's operator does not load here)"
    print(
        f"{given.candidates:,} candidates, {given.classes} classes, {given.threads} threads, {os.cpu_count()} "
        f"processors, median of {given.repeats}; plain loop around {name}\n"
    )
    print("| candidates | NMS | plain loop, ms | cspbench, ms | ratio | kept | differ | greedy, ms | six/one |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for kind in ("even", "crowds"):
        image = draw(kind, given.candidates, given.classes)
        for threshold in (0.45, 0.6):
            loop = seconds(lambda at=threshold, of=image: plain(of, at, operator or numpy_nms), given.repeats)  # type: ignore[misc]
            ours = seconds(lambda at=threshold, of=image: nms(of, at), given.repeats)  # type: ignore[misc]
            greedy = seconds(lambda at=threshold, of=image: nms(of, at, Criterion("greedy")), given.repeats)  # type: ignore[misc]
            six = seconds(lambda of=image: nms_many([of], SIX), given.repeats)  # type: ignore[misc]
            keep = nms(image, threshold)
            differ = int((keep != plain(image, threshold, operator or numpy_nms)).sum())
            print(
                f"| {kind} | {threshold} | {1000 * loop:.1f} | {1000 * ours:.1f} | {loop / ours:.1f} | {keep.sum()} "
                f"| {differ} | {1000 * greedy:.1f} | {f'{six / ours:.2f}' if threshold == SIX[0] else ''} |"
            )


if __name__ == "__main__":
    main()
