"""COCO's average precision and recall, computed by one of two engines.

`pycocotools` is the reference. `cspbench` matches all images at once in numpy, gives the same floats to the last bit,
is faster, and keeps the matches that `bootstrap` resamples. They differ in one case: pycocotools loses the match of an
annotation whose id is 0.

mmdetection hands pycocotools another maximum of detections, 1000, which its summary takes for every number but AP.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from cspbench.claims.rounding import round_half_up
from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.matching import AREAS, MOST, THRESHOLDS, Array, Detections, Matches, best, indexed, match
from cspbench.detection.ap.precision import CAPS, caps, events, precision, recall
from cspbench.errors import UsageError

METRICS = ("ap", "ap50", "ap75", "aps", "apm", "apl", "ar1", "ar10", "ar100", "ars", "arm", "arl")
"""In COCO's order; the published tables have the first six."""
ENGINES = ("cspbench", "pycocotools")
DEFAULT_ENGINE = "cspbench"

_AP50, _AP75 = 0, 5  # indices of the thresholds 0.5 and 0.75
_OF_100 = CAPS.index(MOST)


@dataclass(frozen=True, eq=False)
class AveragePrecision:
    """Precision and recall, and the metrics computed from them; -1 without objects in the ground truth.

    `precision` (T, K, R, A): by IoU threshold, category, recall from 0 to 1 in steps of 0.01, and area range; for the
    best 100 detections, or another maximum. `recall` (T, K, A, M): M for the best 1, 10 and 100 detections, and the
    other maximum. K is in the order of `categories`, sorted by id.
    """

    engine: str
    categories: dict[int, str]
    precision: Array
    recall: Array
    matches: Matches | None = None
    """From the engine cspbench only."""
    first: Array | None = None
    """(T, K, R): the precision of all areas for the best 100 detections, where `precision` is of more."""

    @property
    def stats(self) -> Array:
        """COCO's twelve numbers, 0 to 1, in the order of `METRICS`."""
        return _stats(self.precision, self.recall, self.first)

    def percent(self) -> dict[str, Decimal | None]:
        """COCO's twelve numbers in percent; None without objects."""
        return _percent(self.stats)

    def per_class(self) -> dict[str, dict[str, Decimal | None]]:
        """COCO's twelve numbers of each category, by its name."""
        own = {name: slice(index, index + 1) for index, name in enumerate(self.categories.values())}
        first = self.first
        return {
            name: _percent(_stats(self.precision[:, at], self.recall[:, at], None if first is None else first[:, at]))
            for name, at in own.items()
        }

    def as_json(self) -> dict[str, Any]:
        """Percentages with 4 decimals; None without objects."""
        rounded = {
            name: None if value is None else float(round_half_up(value, 4)) for name, value in self.percent().items()
        }
        return {"engine": self.engine, **rounded}


def average_precision(
    truth: GroundTruth, detections: Detections, engine: str = DEFAULT_ENGINE, most: int = MOST
) -> AveragePrecision:
    """Evaluate detections, the `most` best of each image and category. There is no fallback to another engine.

    Raises `DatasetError` for detections of unknown images or categories and for invalid numbers, `UsageError` for a
    missing engine.
    """
    categories = dict(sorted(truth.categories.items()))
    if engine != "cspbench":
        curves, recalls = by_library(truth, detections, *_pycocotools(), most)
        first = None if most == MOST else curves[..., 0, _OF_100]
        return AveragePrecision(engine, categories, curves[..., -1], recalls, first=first)
    matches = match(truth, detections, most)
    weights = np.ones(len(matches.image_ids), np.int64)
    precisions = [precision(events(matches, area), weights, len(categories)) for area in range(len(AREAS))]
    first = None if most == MOST else precision(events(best(matches, MOST), 0), weights, len(categories))
    return AveragePrecision(engine, categories, np.stack(precisions, axis=-1), recall(matches, most), matches, first)


def as_percent(value: float) -> Decimal | None:
    """The shortest decimal of a share, times 100; None for COCO's -1."""
    return None if value < 0 else 100 * Decimal(repr(float(value)))


def _percent(stats: Array) -> dict[str, Decimal | None]:
    return {name: as_percent(value) for name, value in zip(METRICS, stats.tolist(), strict=True)}


def _stats(precisions: Array, recalls: Array, first: Array | None) -> Array:
    # pycocotools sums with recalls before categories, and the order changes a sum of floats
    curves = precisions.transpose(0, 2, 1, 3)
    selections = (
        *(curves[..., 0] if first is None else first.transpose(0, 2, 1), curves[_AP50, ..., 0], curves[_AP75, ..., 0]),
        *(curves[..., area] for area in (1, 2, 3)),
        *(recalls[:, :, 0, cap] for cap in range(len(CAPS))),
        *(recalls[:, :, area, -1] for area in (1, 2, 3)),
    )
    return np.array([_mean(values) for values in selections])


def _mean(values: Array) -> float:
    defined = values[values > -1]
    return float(np.mean(defined)) if len(defined) else -1.0


def by_library(
    truth: GroundTruth,
    detections: Detections,
    coco: Callable[..., Any],
    evaluator: Callable[..., Any],
    most: int = MOST,
) -> tuple[Array, Array]:
    """Precision (T, K, R, A, M) and recall (T, K, A, M) by pycocotools' `COCO` and `COCOeval`, or those of a port."""
    images, categories, boxes, scores = indexed(truth, detections)
    category_ids = np.array(sorted(truth.categories), np.int64)
    if not len(truth.image_ids) or not len(category_ids):
        shape = (len(THRESHOLDS), len(category_ids))
        by_area = len(AREAS), len(caps(most))
        return np.full((*shape, 101, *by_area), -1.0), np.full((*shape, *by_area), -1.0)
    objects = _records(
        truth.ids,
        image_id=truth.images,
        category_id=truth.category_ids,
        bbox=truth.boxes,
        area=truth.areas,
        iscrowd=truth.crowd.astype(int),
    )
    results = _records(
        None,
        image_id=truth.image_ids[images],
        category_id=category_ids[categories],
        bbox=boxes,
        area=boxes[:, 2] * boxes[:, 3],
        score=scores,
        iscrowd=np.zeros(len(scores), int),
    )
    # pycocotools prints messages, and stdout is for results
    with contextlib.redirect_stdout(io.StringIO()):
        sides = []
        for records in (objects, results):
            side = coco()
            side.dataset = {
                "images": [{"id": image} for image in truth.image_ids.tolist()],
                "categories": [{"id": key, "name": name} for key, name in truth.categories.items()],
                "annotations": records,
            }
            side.createIndex()
            sides.append(side)
        evaluation = evaluator(*sides, "bbox")
        evaluation.params.maxDets = list(caps(most))
        evaluation.evaluate()
        evaluation.accumulate()
    curves = np.asarray(evaluation.eval["precision"])
    return np.ascontiguousarray(curves.transpose(0, 2, 1, 3, 4)), np.asarray(evaluation.eval["recall"])


def _records(ids: Array | None, **columns: Array) -> list[dict[str, Any]]:
    """Annotations from columns, with their own ids or from 1: pycocotools treats a match with id 0 as no match."""
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    numbers = range(1, 1 + len(columns["image_id"])) if ids is None else ids.tolist()
    return [{"id": key, **dict(zip(columns, row, strict=True))} for key, row in zip(numbers, rows, strict=True)]


def _pycocotools() -> tuple[Callable[..., Any], Callable[..., Any]]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise UsageError(
            "usage.no-engine",
            "engine pycocotools is not available",
            found=str(error),
            remedy="pip install pycocotools, or choose another --engine",
        ) from None
    return COCO, COCOeval
