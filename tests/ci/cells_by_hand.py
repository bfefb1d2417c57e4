"""Cells and rows as gathering gives them, with only what a comparison looks at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from cspbench.ci.diff import Changes, compare
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.report.model import Line, ReportedCell

TOP1 = ReportedCell("top1", "Top-1", "77.2", "%", "77.2", "77.2", "77.204", "0.0", "exact")
PARAMS = ReportedCell("params", "#Parameter", "27.61M (-34%)", "M", "27.61", "27.61", "27605856", "0.00", "exact")
UNMEASURED: dict[str, Any] = {
    "measured": None,
    "exact": None,
    "delta": None,
    "verdict": "unmeasured",
    "reason": "no-weights",
}


def counted(count: int, verdict: str = "exact", **more: Any) -> ReportedCell:
    """`PARAMS` with another count."""
    millions = f"{Decimal(count) / 10**6:.2f}"
    delta = f"{Decimal(millions) - Decimal('27.61'):+f}"
    return replace(PARAMS, measured=millions, exact=str(count), verdict=verdict, delta=delta, **more)


def top1(exact: str, verdict: str = "exact", **more: Any) -> ReportedCell:
    """`TOP1` with another accuracy."""
    return replace(TOP1, measured=f"{Decimal(exact):.1f}", exact=exact, verdict=verdict, **more)


def line(*cells: ReportedCell, table: str = "imagenet-big", row: str = "cspdarknet-53") -> Line:
    """A row of those cells."""
    return Line(
        table, row, "CSPDarkNet-53", {}, "csdarknet53", "cfg", None, None, {cell.metric: cell for cell in cells}
    )


def changes(before: list[Line], after: list[Line], fail_on: str = DEFAULT) -> Changes:
    """What changed, by tolerances as they are typed."""
    return compare(before, after, parse(fail_on))
