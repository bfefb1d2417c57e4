"""COCO's average precision and recall of detections, by an engine that is named.

`pycocotools` is the referee. `cspbench` matches all images at once in numpy, gives the same floats to the last bit, is
the fastest, and keeps the matches that `bootstrap` resamples. `faster-coco-eval` is a port of pycocotools to C++ whose
precisions differ in the last bit.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from cspbench.claims.model import Cell
from cspbench.claims.rounding import round_half_up
from cspbench.claims.verdict import Reason, Verdict, Word
from cspbench.data.coco_annotations import GroundTruth
from cspbench.detection.ap.matching import AREAS, THRESHOLDS, Array, Detections, Matches, indexed, match
from cspbench.detection.ap.precision import CAPS, events, precision, recall
from cspbench.errors import UsageError

METRICS = ("ap", "ap50", "ap75", "aps", "apm", "apl", "ar1", "ar10", "ar100", "ars", "arm", "arl")
"""In COCO's order; the first six are the published tables'."""
ENGINES = ("cspbench", "faster-coco-eval", "pycocotools")
DEFAULT_ENGINE = "cspbench"

_AP50, _AP75 = 0, 5  # places of 0.5 and 0.75 among the thresholds


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """The curves and the numbers read from them; -1 where the ground truth has nothing to find.

    `precision` (T, K, R, A): by IoU threshold, category, recall 0 to 1 in steps of 0.01, range of areas; of the best
    100 detections. `recall` (T, K, A, M): M of the best 1, 10, 100. K follows `category_ids`, sorted.
    """

    engine: str
    categories: dict[int, str]
    precision: Array
    recall: Array
    matches: Matches | None = None
    """Of the engine cspbench alone."""

    @property
    def stats(self) -> Array:
        """COCO's twelve numbers, 0 to 1, in the order of `METRICS`."""
        return _stats(self.precision, self.recall)

    def percent(self) -> dict[str, Decimal | None]:
        """COCO's twelve numbers in percent; None where there is nothing to find."""
        return {name: as_percent(value) for name, value in zip(METRICS, self.stats.tolist(), strict=True)}

    def per_class(self) -> dict[str, dict[str, Decimal | None]]:
        """The twelve numbers of each category alone, by its name."""
        return {
            name: {
                metric: as_percent(value)
                for metric, value in zip(
                    METRICS,
                    _stats(self.precision[:, place : place + 1], self.recall[:, place : place + 1]).tolist(),
                    strict=True,
                )
            }
            for place, name in enumerate(self.categories.values())
        }

    def as_json(self, per_class: bool = False) -> dict[str, Any]:
        """Percentages to 4 decimals, null for n/a."""
        numbers: dict[str, Any] = {"engine": self.engine, **_rounded(self.percent())}
        if per_class:
            numbers["per_class"] = {name: _rounded(values) for name, values in self.per_class().items()}
        return numbers


def average_precision(truth: GroundTruth, detections: Detections, engine: str = DEFAULT_ENGINE) -> AveragePrecision:
    """Evaluate detections. No engine stands in for another: one that is not installed is an error.

    Raises `DatasetError` for detections of unknown images or categories and for values that are no numbers,
    `UsageError` for an engine that is unknown or not installed.
    """
    if engine not in ENGINES:
        raise UsageError(
            "usage.unknown-engine",
            "no such engine",
            expected=f"one of {', '.join(ENGINES)}",
            found=repr(engine),
            remedy="Correct --engine",
        )
    categories = dict(sorted(truth.categories.items()))
    if engine != "cspbench":
        curves = _by_library(truth, detections, engine)
        return AveragePrecision(engine, categories, *curves)
    return from_matches(match(truth, detections), categories)


def from_matches(matches: Matches, categories: dict[int, str]) -> AveragePrecision:
    """The numbers of detections that are already matched."""
    weights = np.ones(len(matches.image_ids), np.int64)
    found = [precision(events(matches, area), weights, len(categories)) for area in range(len(AREAS))]
    return AveragePrecision("cspbench", categories, np.stack(found, axis=-1), recall(matches), matches)


def as_percent(value: float) -> Decimal | None:
    """A share as it prints, times 100; None for COCO's -1."""
    return None if value < 0 else 100 * Decimal(repr(float(value)))


def verdict(
    cell: Cell | None,
    measured: Decimal | None,
    interval: tuple[float, float] | None,
    split: str,
    claimed_split: str,
    *,
    partial: bool = False,
    reason: Reason | None = None,
) -> Verdict:
    """The verdict on a published AP, `measured` and `interval` in percent: exact as printed, within noise, or off.

    `interval` is the 95 % one of the measurement; without it a difference is `off`. Across splits there is no delta,
    and neither is there one of a part of a split. What is not measured yet, on a test set, awaits the server;
    elsewhere `reason` says why.
    """
    if cell is None or cell.value is None or cell.decimals is None:
        return Verdict(Word.UNPUBLISHED, None, measured)
    if split != claimed_split:
        return Verdict(Word.UNMEASURED, cell.value, measured, reason=Reason.OTHER_SPLIT)
    if partial:
        return Verdict(Word.UNMEASURED, cell.value, measured, reason=Reason.PARTIAL)
    if measured is None:
        waiting = Reason.AWAITING_SERVER if split.startswith("test") else Reason.NO_DATA
        return Verdict(Word.UNMEASURED, cell.value, None, reason=reason or waiting)
    printed = round_half_up(measured, cell.decimals)
    near = interval is not None and interval[0] <= float(cell.value) <= interval[1]
    word = Word.EXACT if printed == cell.value else Word.WITHIN if near else Word.OFF
    return Verdict(word, cell.value, printed, printed - cell.value)


def _rounded(numbers: dict[str, Decimal | None]) -> dict[str, float | None]:
    return {name: None if value is None else float(round_half_up(value, 4)) for name, value in numbers.items()}


def _stats(precisions: Array, recalls: Array) -> Array:
    # pycocotools averages with the recalls before the categories, and a sum of floats depends on its order
    curves = precisions.transpose(0, 2, 1, 3)
    chosen = (
        *(curves[..., 0], curves[_AP50, ..., 0], curves[_AP75, ..., 0]),
        *(curves[..., area] for area in (1, 2, 3)),
        *(recalls[:, :, 0, cap] for cap in range(len(CAPS))),
        *(recalls[:, :, area, -1] for area in (1, 2, 3)),
    )
    return np.array([_mean(each) for each in chosen])


def _mean(values: Array) -> float:
    some = values[values > -1]
    return float(np.mean(some)) if len(some) else -1.0


def _by_library(truth: GroundTruth, detections: Detections, engine: str) -> tuple[Array, Array]:
    """Precision (T, K, R, A) and recall (T, K, A, M) by pycocotools or its port."""
    coco, evaluator = _pycocotools() if engine == "pycocotools" else _faster()
    found = indexed(truth, detections)
    category_ids = np.array(sorted(truth.categories), np.int64)
    if not len(truth.image_ids) or not len(category_ids):
        kinds = len(category_ids)
        return -np.ones((len(THRESHOLDS), kinds, 101, len(AREAS))), -np.ones(
            (len(THRESHOLDS), kinds, len(AREAS), len(CAPS))
        )
    # Ids from 1, whatever the file's: these libraries take an object of id 0 for no object at all.
    objects = [
        {"id": place, "image_id": image, "category_id": kind, "bbox": box, "area": area, "iscrowd": int(crowd)}
        for place, (image, kind, box, area, crowd) in enumerate(
            zip(
                truth.images.tolist(),
                truth.category_ids.tolist(),
                truth.boxes.tolist(),
                truth.areas.tolist(),
                truth.crowd.tolist(),
                strict=True,
            ),
            1,
        )
    ]
    proposed = [
        {"id": place, "image_id": image, "category_id": kind, "bbox": box, "area": area, "score": score, "iscrowd": 0}
        for place, (image, kind, box, area, score) in enumerate(
            zip(
                truth.image_ids[found.images].tolist(),
                category_ids[found.categories].tolist(),
                found.boxes.tolist(),
                (found.boxes[:, 2] * found.boxes[:, 3]).tolist(),
                found.scores.tolist(),
                strict=True,
            ),
            1,
        )
    ]
    # both libraries print what they do; stdout is for data
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for records in (objects, proposed):
            side = coco()
            side.dataset = {
                "images": [{"id": image} for image in truth.image_ids.tolist()],
                "categories": [{"id": key, "name": name} for key, name in truth.categories.items()],
                "annotations": records,
            }
            side.createIndex()
            sides.append(side)
        evaluation = evaluator(*sides, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    curves = np.asarray(evaluation.eval["precision"])[..., -1]
    return np.ascontiguousarray(curves.transpose(0, 2, 1, 3)), np.asarray(evaluation.eval["recall"])


def _pycocotools() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise _missing("pycocotools", error) from None
    return COCO, COCOeval


def _faster() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as error:
        raise _missing("faster-coco-eval", error) from None
    return COCO, COCOeval_faster


def _missing(package: str, error: ImportError) -> UsageError:
    return UsageError(
        "usage.no-engine",
        f"the engine {package} cannot be used",
        found=str(error),
        remedy=f"pip install {package}, or choose another --engine",
    )
