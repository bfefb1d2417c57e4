"""The dependence of AP on the choice of images: bootstrap intervals and tests.

Images are drawn with replacement, as many as in the set (Efron 1979). Matching is within an image, so it is done once;
a draw is a weight per image. The interval is the 2.5th to the 97.5th percentile of the draws, without correction: a
draw repeats some images and omits others, which biases AP, so that on few images an interval may be off-centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cspbench.detection.ap.average_precision import METRICS, AveragePrecision
from cspbench.detection.ap.matching import AREAS, MOST, Array, Matches, best
from cspbench.detection.ap.precision import AreaEvents, events, precision
from cspbench.errors import DatasetError

DRAWS = 1000
"""Enough for the ends of an interval to vary by about a tenth of its width."""
SEED = 0
NAMES = METRICS[:6]
"""The resampled metrics: AP, AP50, AP75, APS, APM, APL."""

Intervals = dict[str, tuple[float, float] | None]
Step = Callable[[int], None]


@dataclass(frozen=True)
class Difference:
    """The second run's AP minus the first's, in percentage points, with a 95 % interval and a p-value.

    The p-value for no difference is two-sided: twice the share of draws on the rarer side of zero, with the measurement
    counted as one more draw.
    """

    delta: float
    interval: tuple[float, float]
    p: float

    def as_json(self) -> dict[str, Any]:
        """All fields, rounded to 4 decimals."""
        return {
            "delta": round(self.delta, 4),
            "interval": [round(end, 4) for end in self.interval],
            "p": round(self.p, 4),
        }


def intervals(
    result: AveragePrecision, draws: int = DRAWS, seed: int = SEED, step: Step = lambda done: None
) -> Intervals:
    """95 % intervals in percent by metric; None without objects. The same seed gives the same numbers.

    `step` receives the number of draws done. Raises `DatasetError`.
    """
    matches = _matches(result)
    values = np.array(list(_draws([matches], draws, seed, step)))[:, 0]
    return {name: _interval(values[:, index]) for index, name in enumerate(NAMES)}


def paired(
    first: AveragePrecision,
    second: AveragePrecision,
    draws: int = DRAWS,
    seed: int = SEED,
    step: Step = lambda done: None,
) -> dict[str, Difference | None]:
    """Compare two runs on the same images, with the same draws; None without objects. Raises `DatasetError`."""
    sides = [_matches(first), _matches(second)]
    for column in ("image_ids", "category_ids", "objects", "counted"):
        one, other = (getattr(side, column) for side in sides)
        if not np.array_equal(one, other):
            raise DatasetError(
                "detections.different-images",
                "runs on different images or objects",
                expected="one data set",
                found=f"{len(sides[0].image_ids)} and {len(sides[1].image_ids)} images",
                remedy="Compare runs on the same data",
            )
    values = np.array(list(_draws(sides, draws, seed, step)))
    measured = second.stats[:6] - first.stats[:6]
    result: dict[str, Difference | None] = {}
    for index, name in enumerate(NAMES):
        differences = values[:, 1, index] - values[:, 0, index]
        interval = _interval(differences)
        if interval is None or min(first.stats[index], second.stats[index]) < 0:
            result[name] = None
            continue
        defined = differences[~np.isnan(differences)]
        rarer = min((defined <= 0).sum(), (defined >= 0).sum())
        p = min(1.0, 2 * (int(rarer) + 1) / (len(defined) + 1))
        result[name] = Difference(100 * float(measured[index]), interval, p)
    return result


def ap_differences(
    base: AveragePrecision,
    others: Sequence[AveragePrecision],
    draws: int = DRAWS,
    seed: int = SEED,
    step: Step = lambda done: None,
) -> list[tuple[float, float] | None]:
    """The 95 % intervals of the AP of several runs minus that of `base`, on the same images; those of `paired`.

    All runs share the draws. None without objects. Raises `DatasetError`.
    """
    sides = [_matches(result) for result in (base, *others)]
    hits = [events(best(side, MOST), 0) for side in sides]
    categories = len(sides[0].category_ids)
    values = np.empty((draws, len(hits)))
    for done, weights in enumerate(_weights(len(sides[0].image_ids), draws, seed)):
        values[done] = [_mean(precision(of_run, weights, categories)) for of_run in hits]
        step(done + 1)
    return [_interval(values[:, place] - values[:, 0]) for place in range(1, len(hits))]


def _matches(result: AveragePrecision) -> Matches:
    if result.matches is None:
        raise DatasetError(
            "detections.no-matches",
            "no matches to resample",
            expected="a result of the engine cspbench, which keeps its matches",
            found=result.engine,
            remedy="Omit --engine or --bootstrap",
        )
    return result.matches


def _draws(sides: list[Matches], draws: int, seed: int, step: Step) -> Iterator[list[list[float]]]:
    """The six metrics, 0 to 1 or NaN, of each run in every draw."""
    categories = len(sides[0].category_ids)
    hits = [[events(best(side, MOST), 0), *(events(side, area) for area in range(len(AREAS)))] for side in sides]
    for done, weights in enumerate(_weights(len(sides[0].image_ids), draws, seed), 1):
        yield [_metrics(areas, weights, categories) for areas in hits]
        step(done)


def _weights(images: int, draws: int, seed: int) -> Iterator[Array]:
    """How often each image is drawn."""
    generator = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(generator.integers(0, images, images), minlength=images)


def _metrics(areas: list[AreaEvents], weights: Array, categories: int) -> list[float]:
    """From the hits of the best 100 detections, and by area those of all that were matched."""
    first, *others = areas
    whole, *sizes = (precision(area, weights, categories) for area in others)
    same = len(first.images) == len(others[0].images) and len(first.inside) == len(others[0].inside)
    best = whole if same else precision(first, weights, categories)
    return [_mean(values) for values in (best, whole[0], whole[5], *sizes)]


def _mean(values: Array) -> float:
    """The mean over the categories with objects; the rows of the others are -1."""
    defined = values[values[..., 0] >= 0]
    return float(defined.mean()) if defined.size else float("nan")


def _interval(values: Array) -> tuple[float, float] | None:
    defined = values[~np.isnan(values)]
    if not len(defined):
        return None
    low, high = np.percentile(100 * defined, (2.5, 97.5)).tolist()
    return low, high
