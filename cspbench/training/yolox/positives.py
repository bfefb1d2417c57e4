"""How many boxes of the network learn each truth, under SimOTA and under the assignments before it, on real pictures.

    python -m cspbench.training.yolox.positives PATH/coco yolox-nano.safetensors

The pictures are as in an evaluation, without augmentation. Weights are those of the end of a training; without a file
the network is a new one, as at its beginning.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from cspbench.data.augment.yolox.boxes import cut, labels, moved
from cspbench.data.coco.source import CocoSource, open_coco
from cspbench.data.detection_presets import detection_preset
from cspbench.data.opencv import letterbox_ratio
from cspbench.detection.ap.matching import AREAS
from cspbench.detection.decode_yolox import OBJECTNESS
from cspbench.detection.detector import detector_of
from cspbench.evaluation.subject import default_preset, subject_of
from cspbench.inference.description import describe
from cspbench.models.create import create_model
from cspbench.network.era import Era
from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.report.formats import grid
from cspbench.training.losses.rules import RULES
from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import assign
from cspbench.training.yolox.fixed_assignment import Pairs, around_centres, by_anchors
from cspbench.training.yolox.rules import R15, R25
from cspbench.zoo import registry

GOOD = 0.75
"""The IoU with a truth from which on a predicted box of the right class counts as a good one."""
ANCHORS = "csdarknet53-panet-spp"
"""The model of the catalogue that has YOLOv3's nine anchors at strides 8, 16 and 32."""
SEVERAL = 0.213
"""YOLOv4's iou_thresh."""


@dataclass(frozen=True)
class Picture:
    """What a network gives for a picture, and what there is to learn."""

    raw: Tensor
    """(A, 5 + classes), the outputs."""
    at: Tensor
    """(A, 3), the points."""
    truths: Tensor
    """(M, 5): class, centre x, y, width, height in pixels of the input."""
    areas: Tensor
    """(M,) of the objects in pixels of the image, as COCO's small, medium and large go by."""
    size: tuple[int, int]
    """Height and width of the input."""


@dataclass
class Tally:
    """The positives of one assignment over some pictures."""

    name: str
    boxes: int = 0
    """Of the network, in all pictures."""
    positives: int = 0
    """Those that learn a truth or several."""
    of_truths: list[int] = field(default_factory=list)
    areas: list[float] = field(default_factory=list)
    """Of the truths, in their order."""
    good: int | None = 0
    """Positives whose prediction was good for the same truth; None of an assignment to another network's boxes."""

    def add(self, picture: Picture, pairs: Pairs, boxes: int, good: Tensor | None) -> None:
        """`boxes` are the network's, `good` (A, M) says which points predict which truths well."""
        self.boxes += boxes
        self.positives += len(torch.unique(pairs.box))
        self.of_truths += pairs.truth.bincount(minlength=len(picture.truths)).tolist()
        self.areas += picture.areas.tolist()
        if good is None:
            self.good = None
        elif self.good is not None:
            self.good += int(good[pairs.box, pairs.truth].sum())

    def mean(self, low: float, high: float) -> float:
        """Positives of a truth whose area is from `low` to `high`; NaN without one."""
        counts = [count for count, area in zip(self.of_truths, self.areas, strict=True) if low <= area <= high]
        return sum(counts) / len(counts) if counts else float("nan")


Rule = Callable[[Picture], Pairs]


def assignments() -> dict[str, Rule]:
    """Those that give the points of YOLOX's head positives, by name."""
    return {
        "centre": lambda picture: around_centres(picture.truths, picture.at, 0),
        "3x3": lambda picture: around_centres(picture.truths, picture.at, 1),
        "SimOTA r25": lambda picture: Pairs(*assign(picture.raw, picture.truths, picture.at, R25)[:2]),
        "SimOTA r15": lambda picture: Pairs(*assign(picture.raw, picture.truths, picture.at, R15)[:2]),
    }


def anchor_assignments(layers: Sequence[Yolo]) -> dict[str, Rule]:
    """Those to Darknet's anchors, by name: the best anchor alone, and every one of an IoU above YOLOv4's threshold."""

    def of(threshold: float) -> Rule:
        recipe = YoloRecipe(iou_thresh=threshold)
        return lambda picture: by_anchors(picture.truths, picture.size, layers, recipe, RULES[Era.HEAD])

    return {"best of nine anchors": of(1.0), f"anchors of an IoU above {SEVERAL}": of(SEVERAL)}


def good_predictions(picture: Picture) -> Tensor:
    """Whether each point (A, M) predicts each truth well: the truth that it overlaps most, and its class."""
    overlap = boxes.overlaps(picture.truths[:, 1:], boxes.decode(picture.raw, picture.at)).t()
    category = picture.raw[:, OBJECTNESS + 1 :].argmax(1)
    alike = category[:, None] == picture.truths[:, 0].long()
    return (overlap >= GOOD) & alike & (overlap == overlap.amax(1, keepdim=True))


def tallies(pictures: Iterator[Picture], layers: Sequence[Yolo]) -> tuple[list[Tally], int]:
    """The tallies of all assignments, and how many good predictions there are."""
    points, anchors, total = assignments(), anchor_assignments(layers), 0
    result = {name: Tally(name) for name in (*anchors, *points)}
    for picture in pictures:
        good = good_predictions(picture)
        total += int(good.any(1).sum())
        for name, rule in points.items():
            result[name].add(picture, rule(picture), len(picture.at), good)
        for name, rule in anchors.items():
            result[name].add(picture, rule(picture), layers[0].used * len(picture.at), None)
    return list(result.values()), total


def pictures_of(source: CocoSource, model: str, weights: str | Path | None) -> Iterator[Picture]:
    """The pictures of a data set that have objects, crowds left out, through a YOLOX; without weights a new one."""
    description = describe(registry.model(model).architecture())
    detector = detector_of(description, detection_preset(default_preset(model)))
    module = _new(model) if weights is None else subject_of(model, weights).build(detector.epsilon)
    truth, at = source.ground_truth, boxes.points(detector.size)
    assert truth is not None
    order = {key: number for number, key in enumerate(sorted(truth.categories))}
    for index, image in enumerate(source.images):
        mine = (truth.images == image.id) & ~truth.crowd
        if not mine.any():
            continue
        pixels, extent = detector.load(source.sample(index).data, image.file_name)
        with torch.inference_mode():
            (raw,) = module(torch.from_numpy(pixels)[None])
        corner, sides = truth.boxes[mine, :2], truth.boxes[mine, 2:]
        classes = np.array([order[key] for key in truth.category_ids[mine].tolist()], np.float64)
        edges = cut(np.concatenate((corner, corner + sides, classes[:, None]), 1), (extent[1], extent[0]))
        there = (edges[:, 2:4] > edges[:, :2]).all(1)
        scaled = moved(edges[there], letterbox_ratio(detector.size, extent), 0, 0)
        truths, areas = torch.from_numpy(labels(scaled, len(scaled))), torch.from_numpy(truth.areas[mine][there])
        yield Picture(raw, at, truths, areas, detector.size)


def _new(model: str) -> nn.Module:
    """A network at the beginning of its training, whose batch norms take the statistics of the picture."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return create_model(model).train()


def table(result: Sequence[Tally], total: int) -> str:
    """Markdown."""
    header = [
        "Assignment",
        "Objects",
        "Positives",
        "of all boxes",
        "Positives of an object",
        "small",
        "medium",
        "large",
    ]
    lines = []
    for tally in result:
        without = tally.of_truths.count(0)
        lines.append(
            [
                *(tally.name, f"{len(tally.of_truths):,}", f"{tally.positives:,}"),
                f"{100 * tally.positives / max(tally.boxes, 1):.3f} %",
                *(f"{tally.mean(low, high):.2f}" for _, low, high in AREAS),
                *(f"{without:,}", f"{max(tally.of_truths, default=0)}"),
                "-" if tally.good is None else f"{tally.good:,} of {total:,}",
            ]
        )
    return grid([*header, "Objects without one", "Most", "Good predictions among the positives"], lines)


def main() -> None:
    """Print the table for a data set in COCO's form."""
    parser = argparse.ArgumentParser(description="Positives of an object under YOLOX's assignments and those before.")
    parser.add_argument("data", help="a data set in COCO's form")
    parser.add_argument("weights", nargs="?", help="a YOLOX's; without them the network is a new one")
    parser.add_argument("-m", "--model", default="yolox-nano", help="of the catalogue (default: yolox-nano)")
    chosen = parser.parse_args()
    layers = [layer for layer in registry.model(ANCHORS).build().layers if isinstance(layer, Yolo)]
    pictures = pictures_of(open_coco(chosen.data), chosen.model, chosen.weights)
    print(table(*tallies(pictures, layers)))


if __name__ == "__main__":
    main()
