"""How much AP depends on which images happened to be in the set: intervals and tests by resampling images.

Images are drawn with replacement, as many as there are (Efron 1979). Matching is within an image, so it is done once;
a draw is a weight per image. Interval: the 2.5th to the 97.5th percentile of the draws, uncorrected: AP is biased in a
draw, in which images stand twice and others not at all, so on a set of few images an interval may lie off-centre.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from cspbench.detection.ap.average_precision import METRICS, AveragePrecision
from cspbench.detection.ap.matching import AREAS, Array, Matches
from cspbench.detection.ap.precision import AreaEvents, events, precision
from cspbench.errors import DatasetError

DRAWS = 1000
"""Enough for an interval's ends to be stable to about a tenth of its width."""
SEED = 0
NAMES = METRICS[:6]
"""What is resampled: AP, AP50, AP75, APS, APM, APL."""

Intervals = dict[str, tuple[float, float] | None]
Step = Callable[[int], None]


@dataclass(frozen=True)
class Difference:
    """The second run's AP less the first's, in percent points, its 95 % interval, and the p-value of no difference.

    The p-value is two-sided: twice the share of draws on the rarer side of zero, the measurement counted as one more.
    """

    delta: float
    interval: tuple[float, float]
    p: float

    def as_json(self) -> dict[str, Any]:
        """Rounded for printing."""
        return {
            "delta": round(self.delta, 4),
            "interval": [round(end, 4) for end in self.interval],
            "p": round(self.p, 4),
        }


def intervals(
    result: AveragePrecision, draws: int = DRAWS, seed: int = SEED, step: Step = lambda done: None
) -> Intervals:
    """95 % intervals in percent by metric; None where there is nothing to find. The same seed gives the same numbers.

    `step` is told how many draws are done.
    """
    matches = _matches(result)
    values = np.array(list(_draws([matches], draws, seed, step)))[:, 0]
    return {name: _interval(values[:, place]) for place, name in enumerate(NAMES)}


def paired(
    first: AveragePrecision,
    second: AveragePrecision,
    draws: int = DRAWS,
    seed: int = SEED,
    step: Step = lambda done: None,
) -> dict[str, Difference | None]:
    """Compare two runs on the same images, drawing the same ones for both; None where there is nothing to find."""
    sides = [_matches(first), _matches(second)]
    for what in ("image_ids", "category_ids", "objects", "counted"):
        one, other = (getattr(side, what) for side in sides)
        if not np.array_equal(one, other):
            raise DatasetError(
                "detections.different-images",
                "the runs are not of the same images and objects",
                expected="one data set",
                found=f"{len(sides[0].image_ids)} and {len(sides[1].image_ids)} images",
                remedy="Compare runs on the same data",
            )
    values = np.array(list(_draws(sides, draws, seed, step)))
    measured = second.stats[:6] - first.stats[:6]
    made: dict[str, Difference | None] = {}
    for place, name in enumerate(NAMES):
        differences = values[:, 1, place] - values[:, 0, place]
        interval = _interval(differences)
        if interval is None or min(first.stats[place], second.stats[place]) < 0:
            made[name] = None
            continue
        known = differences[~np.isnan(differences)]
        rarer = min((known <= 0).sum(), (known >= 0).sum())
        p = min(1.0, 2 * (int(rarer) + 1) / (len(known) + 1))
        made[name] = Difference(100 * float(measured[place]), interval, p)
    return made


def _matches(result: AveragePrecision) -> Matches:
    if result.matches is None:
        raise DatasetError(
            "detections.no-matches",
            "nothing to resample",
            expected="a result of the engine cspbench, which keeps its matches",
            found=result.engine,
            remedy="Leave out --engine, or --bootstrap",
        )
    if not len(result.matches.image_ids):
        raise DatasetError(
            "detections.no-images",
            "nothing to resample",
            expected="images",
            found="none",
            remedy="Evaluate some images",
        )
    return result.matches


def _draws(sides: list[Matches], draws: int, seed: int, step: Step) -> Iterator[list[list[float]]]:
    """The six numbers, 0 to 1 or NaN, of each side in every draw."""
    if draws < 1:
        raise DatasetError(
            "detections.no-draws", "no draws", expected="at least 1", found=str(draws), remedy="Correct --bootstrap"
        )
    generator = np.random.default_rng(seed)
    images = len(sides[0].image_ids)
    kinds = len(sides[0].category_ids)
    found = [[events(side, area) for area in range(len(AREAS))] for side in sides]
    for done in range(1, draws + 1):
        weights = np.bincount(generator.integers(0, images, images), minlength=images)
        yield [_numbers(areas, weights, kinds) for areas in found]
        step(done)


def _numbers(areas: list[AreaEvents], weights: Array, kinds: int) -> list[float]:
    whole, *sizes = (precision(found, weights, kinds) for found in areas)
    return [_mean(values) for values in (whole, whole[0], whole[5], *sizes)]


def _mean(values: Array) -> float:
    """Over the categories that are there: whole rows of -1 are of those that are not."""
    known = values[values[..., 0] >= 0]
    return float(known.mean()) if known.size else float("nan")


def _interval(values: Array) -> tuple[float, float] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.percentile(100 * known, (2.5, 97.5)).tolist()
    return low, high
