"""Speed of per-class suppression against a plain loop over classes around torchvision.ops.nms.

    python -m benchmarks.nms [--quick]

Both are given the same candidates of one image, as Darknet decodes them: centre and size, class, score. The plain loop
makes corners once and then, for each class that occurs, picks its boxes and calls nms. Two sorts of candidates: spread
evenly over the image, and in crowds, twenty objects per class with the boxes scattered around them. Where torchvision's
operator does not load, the loop calls a straightforward vectorised numpy suppression instead, and the words say so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from benchmarks.measuring import faster, judged, medians, part, table
from benchmarks.torchvision_operator import Suppress, operator
from cspbench.detection import overlaps
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import MOST_PAIRS, nms
from cspbench.detection.overlaps import GREEDY_BETA, PLAIN
from cspbench.inference.memory import keep_freed_memory

OBJECTS = 20
CLASSES = 80
KINDS = ("even", "crowds")
THRESHOLDS = (0.45, 0.6)
RATIO = 5
"""At least so many times as fast as the plain loop."""


def draw(kind: str, count: int, classes: int = CLASSES, seed: int = 0) -> Candidates:
    """Candidates of a 640x480 image; scores are mostly low, as a detector's are."""
    rng = np.random.default_rng(seed)
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


def section(quick: bool) -> str:
    """Both sorts of candidates at both thresholds."""
    count, repeats = (500, 1) if quick else (20_000, 15)
    keep_freed_memory()
    found, how = operator()
    suppress, name = (found, how) if found else (numpy_nms, f"the same in numpy ({how})")
    rows, words = [], []
    for kind in KINDS:
        image = draw(kind, count)
        for threshold in THRESHOLDS:
            rows.append([kind, *_measured(kind, image, threshold, suppress, repeats)])
        words.append(f"{kind}: {_spent(image, THRESHOLDS[0], repeats)}")
    columns = (
        *("candidates", "NMS", "plain loop, ms", "cspbench, ms", "ratio", "target"),
        *("kept", "differ", "greedynms, ms"),
    )
    heading = (
        f"{count:,} candidates of one image in {CLASSES} classes, {torch.get_num_threads()} threads, medians of "
        f"{repeats} runs in turns. The plain loop is one call for each class of: {name}. `differ` counts the "
        "candidates that only one of the two keeps."
    )
    bound = (
        "cspbench is bound by numpy's passes over arrays that lie in the processor's cache, most of them to compare "
        f"neighbours: at {THRESHOLDS[0]:g}, {'; '.join(words)}. In crowds the plain loop has less to do, as what is "
        "removed is compared no more; here every pair is compared once, whoever stays, which serves all thresholds."
    )
    return f"{heading}\n\n{table(columns, rows)}\n\n{bound}"


def _measured(kind: str, image: Candidates, threshold: float, suppress: Suppress, repeats: int) -> list[object]:
    seconds = medians(
        {
            "plain": lambda: plain(image, threshold, suppress),
            "ours": lambda: nms(image, threshold),
            "greedy": lambda: nms(image, threshold, GREEDY_BETA),
        },
        repeats,
    )
    keep = nms(image, threshold)
    differ = int((keep != plain(image, threshold, suppress)).sum())
    loop, ours, greedy = (f"{1000 * seconds[name]:.1f}" for name in ("plain", "ours", "greedy"))
    ratio = faster(f"{kind} at {threshold:g} to the plain loop", seconds["plain"] / seconds["ours"])
    target = judged(f"at least {RATIO}", ratio >= RATIO)
    return [threshold, loop, ours, f"{ratio:.1f}", target, int(keep.sum()), differ, greedy]


def _spent(image: Candidates, threshold: float, repeats: int) -> str:
    """Where the time of one suppression goes."""
    at = overlaps.sort([image])
    first, _, _ = overlaps.overlapping(at, np.float32(threshold), PLAIN, MOST_PAIRS)
    seconds = medians(
        {
            "sort": lambda: overlaps.sort([image]),
            "compare": lambda: overlaps.overlapping(at, np.float32(threshold), PLAIN, MOST_PAIRS),
            "whole": lambda: nms(image, threshold),
        },
        repeats,
    )
    sort, compare = (100 * seconds[name] / seconds["whole"] for name in ("sort", "compare"))
    rest = max(0.0, 100 - sort - compare)
    return (
        f"sorting {sort:.0f} %, comparing {compare:.0f} %, ranking scores and deciding {rest:.0f} % "
        f"({len(first)} pairs overlap)"
    )


if __name__ == "__main__":
    part(__doc__, section)
