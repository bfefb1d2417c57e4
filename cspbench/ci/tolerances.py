"""How far a measurement may move from the baseline's and still pass: `params:0,top1:0.05`.

Parameters and operations in percent of the baseline, where 0 allows no change; accuracies and AP in points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from cspbench.claims.metrics import ACCURACIES, COUNTED, METRICS, PRECISIONS
from cspbench.errors import UsageError

NAMES = (*COUNTED, *ACCURACIES, *PRECISIONS)
_LEADERS = (*COUNTED, ACCURACIES[0], PRECISIONS[0])
DEFAULT = ",".join(f"{name}:{METRICS[name].tolerance}" for name in _LEADERS)
_COVERED_BY = {name: leader for leader, *rest in (ACCURACIES, PRECISIONS) for name in rest}


@dataclass(frozen=True)
class Tolerances:
    """Tolerances by metric; a metric without one has that of its family's first metric."""

    named: Mapping[str, Decimal]

    def of(self, metric: str) -> Decimal | None:
        """The metric's tolerance; None for metrics that have none, such as frame rates."""
        return self.named.get(metric, self.named.get(_COVERED_BY.get(metric, "")))

    def exceeded(self, metric: str, before: Decimal, after: Decimal) -> bool:
        """Whether the difference is more than the tolerance, in exact arithmetic."""
        tolerance = self.of(metric)
        if tolerance is None:
            return False
        with localcontext(prec=300):
            moved = abs(after - before)
            return moved * 100 > tolerance * abs(before) if metric in COUNTED else moved > tolerance

    def text(self, metric: str) -> str:
        """The metric's tolerance in words, "0 %" or "0.05 points"."""
        return f"{self.of(metric)} {'%' if metric in COUNTED else 'points'}"


def parse(text: str) -> Tolerances:
    """Read `METRIC:TOLERANCE,...`; metrics that it leaves out keep the default."""
    return Tolerances({**_read(DEFAULT), **_read(text)})


def _read(text: str) -> dict[str, Decimal]:
    tolerances: dict[str, Decimal] = {}
    for part in text.split(","):
        name, _, number = map(str.strip, part.partition(":"))
        if name not in NAMES or name in tolerances or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number, re.ASCII):
            expected = f"METRIC:TOLERANCE,... with each metric once, of {', '.join(NAMES)}"
            what, remedy = "--fail-on cannot be read", f"Try --fail-on {DEFAULT}"
            raise UsageError("usage.fail-on", what, expected=expected, found=repr(part), remedy=remedy)
        tolerances[name] = Decimal(number)
    return tolerances
