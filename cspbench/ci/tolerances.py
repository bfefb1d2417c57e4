"""How far a measurement may move from the baseline's before that counts as a change: `params:0,top1:0.05`.

Parameters and operations in percent of the baseline, so that 0 allows no change at all; accuracies and AP in points.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from cspbench.errors import UsageError

DEFAULT = "params:0,bflops:0,top1:0.05,ap:0.1"
COUNTED = ("params", "bflops")
_COVERED_BY = {"top5": "top1", "ap50": "ap", "ap75": "ap", "aps": "ap", "apm": "ap", "apl": "ap"}
NAMES = (*COUNTED, "top1", "top5", "ap", "ap50", "ap75", "aps", "apm", "apl")


@dataclass(frozen=True)
class Tolerances:
    """The tolerance of each metric that was named; the others follow from their family's."""

    named: Mapping[str, Decimal]

    def of(self, metric: str) -> Decimal | None:
        """The metric's tolerance; None for one that is not judged by how far it moved, such as frame rates."""
        return self.named.get(metric, self.named.get(_COVERED_BY.get(metric, "")))

    def exceeded(self, metric: str, before: Decimal, after: Decimal) -> bool:
        """Whether the way from `before` to `after` is longer than allowed, in exact arithmetic."""
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
    found: dict[str, Decimal] = {}
    for part in text.split(","):
        name, _, number = (each.strip() for each in part.partition(":"))
        if name not in NAMES or name in found or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", number, re.ASCII):
            raise UsageError(
                "usage.fail-on",
                "--fail-on cannot be read",
                expected=f"METRIC:TOLERANCE,... with each metric once, of {', '.join(NAMES)}",
                found=repr(part),
                remedy=f"Try --fail-on {DEFAULT}",
            )
        found[name] = Decimal(number)
    return found
