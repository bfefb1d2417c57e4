"""Whole eval-coco runs: what six NMS thresholds cost against one, and where the time goes.

    python -m benchmarks.coco [--quick]

Every run is the command as it is typed, in a new process and a new run directory, start-up included; one threshold and
the README's six take turns. Two detectors: YOLOv3-tiny at 416 with random weights on pictures of photographs' size,
where the forward takes as long as a published detector's least, and the small one of the bundled sample. Then, from the
candidates that a run has kept, what suppression and AP take of it.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pictures
from benchmarks.measuring import PYTHON, Finished, child, faster, judged, part, table
from benchmarks.random_weights import weights
from benchmarks.scaling import DETECTOR, repeated
from benchmarks.sweep import SIX
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.sample import detection

TINY = "yolov3-tiny"
MOST = 1.25
"""Six thresholds cost at most so many times one."""
OBJECTS = 7
"""Per picture; val2017 has 7.3."""
PARTS = ("waiting", "forward", "interpreting", "writing")
"""As eval-coco tells them."""


@dataclass(frozen=True)
class Case:
    """A detector and how many pictures it gets: `drawn` different ones, each `times` times."""

    model: str
    drawn: int
    times: int

    @property
    def images(self) -> int:
        """All of them."""
        return self.drawn * self.times


FULL = (Case(TINY, 32, 4), Case(DETECTOR, 80, 5))
QUICK = (Case(DETECTOR, 2, 1),)


def photographs(folder: Path, count: int) -> None:
    """A COCO set of `count` pictures of photographs' size, with objects of COCO's 80 categories anywhere."""
    from PIL import Image

    generator = np.random.default_rng(0)
    size = np.array((pictures.WIDTH, pictures.HEIGHT))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    (folder / "val2017").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for key in range(1, count + 1):
        name = f"{key:012d}.jpg"
        Image.fromarray(pictures.picture(generator)).save(folder / "val2017" / name, quality=92)
        images.append({"id": key, "file_name": name, "width": pictures.WIDTH, "height": pictures.HEIGHT})
        for _ in range(OBJECTS):
            sides = np.exp(generator.uniform(2, 5, 2))
            corner = generator.uniform(0, 1, 2) * (size - sides)
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": key,
                    "category_id": int(generator.choice(list(COCO_CATEGORIES))),
                    "bbox": [*corner.tolist(), *sides.tolist()],
                    "area": float(0.6 * sides.prod()),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()]
    made = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(made), encoding="utf-8")


def evaluated(case: Case, data: Path, file: Path, run: Path, thresholds: Sequence[float]) -> Finished:
    """A whole command; its accuracy does not matter here."""
    shutil.rmtree(run, ignore_errors=True)
    options = ("-m", case.model, "--weights", str(file), "--run", str(run), "--format", "json")
    sweep = ",".join(map(str, thresholds))
    return child([PYTHON, "-m", "cspbench", "eval-coco", str(data), *options, "--nms", sweep], (0, 1))


def spent(said: str) -> dict[str, float]:
    """Where a run says that its time went, in seconds."""
    return {name: float(re.findall(rf"\b{name} ([0-9.]+) s", said)[-1]) for name in PARTS}


def afterwards(run: Path, data: Path, thresholds: Sequence[float]) -> dict[str, float]:
    """Seconds from a run's kept candidates to its APs, in this process, and how many candidates an image has."""
    from cspbench.data.coco.source import open_coco
    from cspbench.detection.candidates import shards
    from cspbench.detection.collect import collect, evaluated
    from cspbench.inference.memory import keep_freed_memory
    from cspbench.network.layers import Yolo
    from cspbench.results.runs import load_one

    keep_freed_memory()
    kept, source = load_one(run).shards, open_coco(data, None)
    found = sum(len(image) for _, images in shards(kept) for image in images)
    # of the last box layer only its classes matter here
    last = Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), classes=len(source.annotations.categories))
    begin = time.perf_counter()
    collected = collect(kept, source, thresholds, "default", last)
    middle = time.perf_counter()
    evaluated(collected, thresholds, source.ground_truth, "cspbench")
    return {
        "suppression": middle - begin,
        "AP": time.perf_counter() - middle,
        "candidates": found / len(source),
    }


def _after(run: Path, data: Path, thresholds: Sequence[float]) -> dict[str, float]:
    """The same, in a new process."""
    command = [PYTHON, "-m", "benchmarks.coco", "--after", str(run), str(data), ",".join(map(str, thresholds))]
    found: dict[str, float] = json.loads(child(command).output)
    return found


@dataclass(frozen=True)
class Measured:
    """A case with one threshold and with six: all runs of each, and what followed the forward of the last."""

    case: Case
    runs: dict[int, list[Finished]]
    after: dict[int, dict[str, float]]

    def seconds(self, thresholds: int) -> float:
        """The median run's."""
        return statistics.median(run.seconds for run in self.runs[thresholds])

    @property
    def ratio(self) -> float:
        """Six against one."""
        return self.seconds(len(SIX)) / self.seconds(1)

    def same(self) -> bool:
        """Whether the first threshold has the same numbers alone and among six."""
        found = [json.loads(kept[0].output)[0]["thresholds"][0]["ap"] for kept in self.runs.values()]
        return bool(found[0] == found[1])

    def shares(self, thresholds: int) -> dict[str, float]:
        """Seconds by where they went, medians; `rest` is start-up and what nothing else names."""
        told = [spent(run.said) for run in self.runs[thresholds]]
        parts = {name: statistics.median(each[name] for each in told) for name in PARTS}
        parts |= {name: self.after[thresholds][name] for name in ("suppression", "AP")}
        return {**parts, "rest": self.seconds(thresholds) - sum(parts.values())}


def measured(case: Case, folder: Path, repeats: int) -> Measured:
    """Both, in turns."""
    data, base = folder / f"{case.model}-data", folder / f"{case.model}-drawn"
    if case.model == TINY:
        photographs(base, case.drawn)
    else:
        detection.write(base, images=case.drawn)
    repeated(base, data, case.times)
    file, sweeps = weights(case.model, folder), {1: SIX[:1], len(SIX): SIX}
    runs: dict[int, list[Finished]] = {count: [] for count in sweeps}
    for _ in range(repeats):
        for count, thresholds in sweeps.items():
            runs[count].append(evaluated(case, data, file, folder / f"run-{count}", thresholds))
    after = {count: _after(folder / f"run-{count}", data, thresholds) for count, thresholds in sweeps.items()}
    return Measured(case, runs, after)


def report(found: Sequence[Measured], repeats: int) -> str:
    """Both tables, and what bounds a run."""
    rows, places = [], []
    for each in found:
        one, six = each.seconds(1), each.seconds(len(SIX))
        faster(f"{each.case.model}, one threshold to six", 1 / each.ratio)
        target = judged(f"at most {MOST:g}", each.ratio <= MOST)
        agreed = "yes" if each.same() else "no"
        told = [each.case.model, each.case.images, f"{each.after[1]['candidates']:.0f}"]
        rows.append([*told, f"{one:.2f}", f"{six:.2f}", f"{each.ratio:.2f}", target, agreed])
        for count in each.runs:
            shares, whole = each.shares(count), each.seconds(count)
            places.append([each.case.model, count, *(f"{100 * value / whole:.1f}" for value in shares.values())])
    heading = (
        "Whole `eval-coco` commands, each in a new process and run directory, start-up included, on the CPU in fp32 "
        f"with the automatic batch and workers; thresholds {', '.join(map(str, SIX))} or the first of them; medians of "
        f"{repeats} runs in turns. {TINY} has random weights, the sample's detector its own."
    )
    columns = (
        *("detector", "images", "candidates an image", "one threshold, s", "six, s", "six / one", "target"),
        "the first's numbers the same",
    )
    where = ("detector", "thresholds", *(f"{name}, %" for name in found[0].shares(1)))
    return (
        f"{heading}\n\n{table(columns, rows)}\n\n### Where the time goes\n\n{table(where, places)}\n\n"
        "Waiting is for pictures that are decoded and stretched, on two cores by the same process; suppression and AP "
        "are measured in a process of their own, from what a run kept, reading included; the rest is mostly start-up "
        f"(Python, torch, the network and its weights).\n\n{' '.join(map(bound, found))}"
    )


def bound(found: Measured) -> str:
    """What a run with one threshold is bound by, and what five more add."""
    shares, whole = found.shares(1), found.seconds(1)
    most = max(shares, key=lambda name: shares[name])
    more = {name: found.shares(len(SIX))[name] - shares[name] for name in ("suppression", "AP")}
    by = {"waiting": "decoding", "forward": "the network's arithmetic", "rest": "start-up"}
    return (
        f"{found.case.model}: bound by {by.get(most, most)}, {100 * shares[most] / whole:.0f} % of one threshold's "
        f"time; five more thresholds add {more['suppression']:.2f} s of suppression and {more['AP']:.2f} s of AP."
    )


def section(quick: bool) -> str:
    """Every case."""
    repeats = 1 if quick else 3
    with tempfile.TemporaryDirectory() as place:
        return report([measured(case, Path(place), repeats) for case in (QUICK if quick else FULL)], repeats)


def main() -> None:
    """The whole part; or, in a process of its own, what follows the forward, as JSON."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--after", nargs=3)
    given, _ = parser.parse_known_args()
    if given.after is None:
        part(__doc__, section)
        return
    run, data, sweep = given.after
    found: dict[str, Any] = afterwards(Path(run), Path(data), [float(text) for text in sweep.split(",")])
    print(json.dumps(found))


if __name__ == "__main__":
    main()
