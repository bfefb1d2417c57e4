"""What six NMS thresholds cost against one, of kept candidates: suppression alone, and up to the APs.

    python -m benchmarks.sweep [--quick]

The forward pass is the same for any number of thresholds and not measured here; benchmarks/coco.py has whole runs.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.average_precision import drawn
from benchmarks.measuring import faster, medians, part, table
from benchmarks.nms import CLASSES
from cspbench.data.coco.annotations import Annotations, Picture
from cspbench.data.coco.source import CocoSource
from cspbench.detection.candidates import Candidates, pack
from cspbench.detection.collect import AtThreshold, collect, evaluated
from cspbench.detection.nms import nms_many
from cspbench.inference.memory import keep_freed_memory
from cspbench.inference.shards import Shards
from cspbench.network.layers import Yolo

SIX = (0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
WIDTH, HEIGHT = 640, 480
LAST = Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), classes=CLASSES)
"""What suppression asks of a network: its last box layer, whose anchors do not matter to it."""


def candidates(images: int, each: int, seed: int = 0) -> tuple[CocoSource, list[Candidates]]:
    """A set of that many images, and `each` candidates of every one, most of them near its objects."""
    truth, found = drawn(images, each, seed)
    pictures = tuple(Picture(int(key), f"{key:012d}.jpg", WIDTH, HEIGHT) for key in truth.image_ids)
    annotations = Annotations(Path("drawn.json"), pictures, truth.categories, truth, ())
    classes = {key: place for place, key in enumerate(sorted(truth.categories))}
    category = np.array([classes[key] for key in found.category_ids.tolist()], np.int16).reshape(images, each)
    boxes = found.boxes.reshape(images, each, 4).astype(np.float32)
    boxes[..., :2] += boxes[..., 2:] / 2
    boxes[..., 2:] = np.maximum(boxes[..., 2:], 1)  # no network decodes a box with a negative side
    scores = found.scores.reshape(images, each).astype(np.float32) ** 3
    box = np.arange(each, dtype=np.int32)
    made = [Candidates(*values) for values in zip(boxes, [box] * images, category, scores, strict=True)]
    return CocoSource(annotations, pictures, Path("."), "custom"), made


def keep(path: Path, images: list[Candidates]) -> Shards:
    """A complete run that holds these candidates."""
    run = Shards(path, len(images))
    for shard in range(run.count):
        block = run.block(shard)
        run.write(
            shard,
            {
                "index": np.array(block, np.int64),
                "key": np.array([str(index) for index in block], np.str_),
                "extent": np.array([(WIDTH, HEIGHT)] * len(block), np.int32),
                "checksum": np.zeros(len(block), np.uint32),
                "ok": np.ones(len(block), np.bool_),
                **pack([images[index] for index in block]),
            },
        )
    return run


def section(quick: bool) -> str:
    """One and six thresholds, in turns."""
    images, each, repeats = (8, 100, 1) if quick else (512, 1000, 5)
    keep_freed_memory()
    source, made = candidates(images, each)
    with tempfile.TemporaryDirectory() as folder:
        run = keep(Path(folder), made)

        def whole(thresholds: tuple[float, ...]) -> list[AtThreshold]:
            collected = collect(run, source, thresholds, "default", LAST)
            return evaluated(collected, thresholds, source.ground_truth, "cspbench")

        kept = collect(run, source, SIX, "default", LAST)
        seconds = medians(
            {
                "suppression, one": lambda: nms_many(made, SIX[:1]),
                "suppression, six": lambda: nms_many(made, SIX),
                "whole, one": lambda: whole(SIX[:1]),
                "whole, six": lambda: whole(SIX),
                "AP, six": lambda: evaluated(kept, SIX, source.ground_truth, "cspbench"),
            },
            repeats,
        )
        apart = [whole((threshold,))[0] for threshold in (SIX[0], SIX[-1])]
        swept = whole(SIX)
    same = all(
        np.array_equal(one.measured.stats, other.measured.stats)
        for one, other in zip(apart, (swept[0], swept[-1]), strict=True)
        if one.measured is not None and other.measured is not None
    )
    rows = []
    for words, name in (("suppression alone", "suppression"), ("read, suppress, match, AP", "whole")):
        one, six = seconds[f"{name}, one"], seconds[f"{name}, six"]
        faster(f"{words}: six at once to six runs", 6 * one / six)
        rows.append([words, f"{one:.3f}", f"{six:.3f}", f"{six / one:.2f}", f"{6 * one / six:.2f}"])
    columns = ("of kept candidates", "one threshold, s", "six, s", "six / one", "times as fast as six runs")
    heading = (
        f"{images} images with {each} candidates each in {CLASSES} classes, thresholds {', '.join(map(str, SIX))}, "
        f"medians of {repeats} runs in turns."
    )
    agreed = "the same" if same else "NOT the same"
    shares = {name: 100 * seconds[f"{name}, six"] / seconds["whole, six"] for name in ("suppression", "AP")}
    rest = max(0.0, 100 - sum(shares.values()))
    bound = (
        f"Six are bound by what each threshold needs for itself: matching and AP take {shares['AP']:.0f} % of the "
        f"time, putting detections in Darknet's order and decimals, and reading, {rest:.0f} %; suppression, which "
        f"finds the overlapping pairs once for all six, takes {shares['suppression']:.0f} %."
    )
    words = f"The sweep's numbers are {agreed} as those of single thresholds. {bound}"
    return f"{heading}\n\n{table(columns, rows)}\n\n{words}"


if __name__ == "__main__":
    part(__doc__, section)
