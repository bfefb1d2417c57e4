"""Cells and rows as gathering gives them, with only what a comparison looks at."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from cspbench.ci.diff import Changes, compare
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.report.model import ReportCell, ReportRow

TOP1 = ReportCell("top1", "Top-1", "77.2", "%", "77.2", "77.2", "77.204", "0.0", "exact")
PARAMS = ReportCell("params", "#Parameter", "27.61M (-34%)", "M", "27.61", "27.61", "27605856", "0.00", "exact")
UNMEASURED: dict[str, Any] = {
    "measured": None,
    "exact": None,
    "delta": None,
    "verdict": "unmeasured",
    "reason": "no-weights",
}


def counted(count: int, verdict: str = "exact", **more: Any) -> ReportCell:
    """`PARAMS` with another count."""
    millions = f"{Decimal(count) / 10**6:.2f}"
    delta = f"{Decimal(millions) - Decimal('27.61'):+f}"
    return replace(PARAMS, measured=millions, exact=str(count), verdict=verdict, delta=delta, **more)


def top1(exact: str, verdict: str = "exact", **more: Any) -> ReportCell:
    """`TOP1` with another accuracy."""
    return replace(TOP1, measured=f"{Decimal(exact):.1f}", exact=exact, verdict=verdict, **more)


def line(*cells: ReportCell, table: str = "imagenet-big", row: str = "cspdarknet-53") -> ReportRow:
    """A row of those cells."""
    name, every = "CSPDarkNet-53", {cell.metric: cell for cell in cells}
    return ReportRow(table, row, name, {}, "csdarknet53", "cfg", None, None, every, name)


def changes(before: list[ReportRow], after: list[ReportRow], fail_on: str = DEFAULT) -> Changes:
    """What changed, by tolerances as they are typed."""
    return compare(before, after, parse(fail_on))
