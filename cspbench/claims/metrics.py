"""The registry of metrics that tables print and evaluations compute."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Family = Literal["count", "accuracy", "ap", "ar", "speed", "file"]


@dataclass(frozen=True)
class Metric:
    """A metric: `header` in our tables, `unit` of numbers without a claim.

    `tolerance`, in points, is the largest difference of a `close` measurement with the claim's images and weights:
    decoders and the order of floating-point sums change results that much. Counts have a tolerance of 0.
    """

    name: str
    header: str
    family: Family
    unit: str
    tolerance: Decimal | None = None


def _percent(family: Family, tolerance: str, *names: tuple[str, str]) -> tuple[Metric, ...]:
    return tuple(Metric(name, header, family, "%", Decimal(tolerance)) for name, header in names)


_ALL = (
    Metric("params", "#Parameter", "count", "M", Decimal(0)),
    Metric("bflops", "BFLOPs", "count", "G", Decimal(0)),
    *_percent("accuracy", "0.05", ("top1", "Top-1"), ("top5", "Top-5")),
    *_percent(
        "ap", "0.1", ("ap", "AP"), ("ap50", "AP50"), ("ap75", "AP75"), ("aps", "APS"), ("apm", "APM"), ("apl", "APL")
    ),
    *_percent(
        "ar",
        "0.1",
        *(("ar1", "AR1"), ("ar10", "AR10"), ("ar100", "AR100"), ("ars", "ARS"), ("arm", "ARM"), ("arl", "ARL")),
    ),
    Metric("fps", "fps", "speed", "fps"),
    Metric("latency", "latency", "speed", "ms"),
    Metric("file_size", "File Size", "file", "B"),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""By name; each family in the order of the printed tables."""


def of_family(*families: Family) -> tuple[str, ...]:
    """Names of the metrics in these families, in the registry's order."""
    return tuple(name for name, metric in METRICS.items() if metric.family in families)


COUNTED = of_family("count")
ACCURACIES = of_family("accuracy")
PRECISIONS = of_family("ap")
"""AP, AP50, AP75, APS, APM, APL, which the tables print."""
COCO = of_family("ap", "ar")
"""COCO's twelve numbers in COCO's order."""
