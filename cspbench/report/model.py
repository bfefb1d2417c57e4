"""The cells of the published tables with what was measured for each: what every report and comparison shows.

    build (params.json, evaluations/*.json, run directories)  ->  list[ReportRow]  ->  md, html, csv, latex, ci

Numbers stay decimal texts, so that nothing is rounded on the way and the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, Literal

from cspbench.claims.metrics import COUNTED
from cspbench.claims.verdict import Status
from cspbench.errors import CspbenchError, brief
from cspbench.results.provenance import Provenance

SCHEMA = 2
MISSED = "missed"
"""The mark of a stand-in that is off."""


@dataclass(frozen=True)
class Superseded:
    """Another measurement of the same cell, which does not count, and why."""

    measured: str | None
    why: str
    provenance: Provenance
    partial: bool = False
    """Measured on a part of the data only."""


@dataclass(frozen=True)
class ComparisonResult:
    """A parenthesised comparison, such as "(-34%)": as printed, and worked out from the two measurements."""

    printed: str
    measured: str | None
    base: str
    """The label of the row compared with."""
    stand_in: bool = False
    """One of the two networks is a stand-in that misses its totals."""

    @property
    def verdict(self) -> str:
        """`exact`, `off`, or `unmeasured` where a measurement is missing."""
        return "unmeasured" if self.measured is None else "exact" if self.measured == self.printed else "off"

    @property
    def word(self) -> str:
        """The verdict; `missed` where it is off because of a stand-in."""
        return MISSED if self.verdict == Status.OFF and self.stand_in else self.verdict


@dataclass(frozen=True)
class ReportCell:
    """One number of a table: the claim, the measurement as the publisher would have printed it, and the verdict."""

    metric: str
    header: str
    """The column's, as printed."""
    printed: str
    """The whole cell as published, "27.61M (-34%)"; "-" without a claim."""
    unit: str
    claim: str | None
    measured: str | None
    """In `unit`, rounded as the publisher rounded where there is a claim."""
    exact: str | None
    """The measurement before that rounding: single parameters or operations, percent."""
    delta: str | None
    """`measured` - `claim`, signed; None where they must not be compared."""
    verdict: str
    reason: str | None = None
    interval: tuple[str, str] | None = None
    """95 % confidence interval, in `unit`."""
    stand_in: bool = False
    """The network measured is a stand-in, chosen for its totals."""
    explained: bool = False
    """An `off` cell whose cause is known and stated in `note`."""
    partial: bool = False
    """Measured on a part of the data only."""
    note: str | None = None
    comparison: ComparisonResult | None = None
    provenance: Provenance | None = None
    others: tuple[Superseded, ...] = ()
    images: int | None = None
    """Of an accuracy on the claim's images: how many more are right than the claim says."""
    tolerance: str | None = None
    """How far the measurement may lie from the claim and be `close`, in points."""

    @property
    def comparable(self) -> Decimal | None:
        """The measurement as the publisher would have printed it; None without a verdict."""
        return Decimal(self.measured) if self.measured is not None and self.verdict != Status.UNMEASURED else None

    @property
    def percent(self) -> Decimal | None:
        """`delta` in percent of the claim; None for what is not counted, and without a claim other than 0."""
        if self.metric not in COUNTED or self.delta is None or not Decimal(self.claim or 0):
            return None
        return Decimal(self.delta) * 100 / Decimal(self.claim or 0)

    @property
    def word(self) -> str:
        """The verdict; `missed` where a stand-in is off, which is not an error of the claim."""
        return MISSED if self.verdict == Status.OFF and self.stand_in else self.verdict

    @property
    def mark(self) -> str:
        """The verdict in words: "exact", "off, explained", "missed", "unmeasured: no-weights"."""
        word = f"{self.word}, explained" if self.word == Status.OFF and self.explained else self.word
        return f"{word}: {self.reason}" if self.reason else word


@dataclass(frozen=True)
class ReportRow:
    """One row of a table with its cells by metric, in the order of the columns; a row's links are left out."""

    table: str
    row: str
    """The row's id."""
    label: str
    settings: Mapping[str, str]
    model: str | None
    definition: str | None
    size: tuple[int, int] | None
    note: str | None
    cells: Mapping[str, ReportCell]
    name: str
    """Unique in the table: "CSPResNeXt50-PANet-SPP 512×512 (0.60)"."""


@dataclass(frozen=True)
class _StoredRow(ReportRow):
    """A row as report.json has it: cells as a list, in order."""

    cells: list[ReportCell]  # type: ignore[assignment]


@dataclass(frozen=True)
class _Document:
    schema: Literal[2]
    rows: list[_StoredRow]


def as_json(rows: Iterable[ReportRow]) -> dict[str, Any]:
    """The document of `report.json`, which `read` reads."""
    stored = [
        {**asdict(row), "cells": [{**asdict(cell), "mark": cell.mark} for cell in row.cells.values()]} for row in rows
    ]
    return {"schema": SCHEMA, "rows": stored}


def read(data: Any, where: str) -> list[ReportRow]:
    """The rows of a report.json already parsed as JSON; raises `CspbenchError` naming `where` for anything else."""
    import msgspec

    try:
        document = msgspec.convert(data, _Document)
    except (ValueError, RecursionError) as error:
        raise CspbenchError(
            "results.not-a-report",
            "not a report",
            where=where,
            expected=f"the report.json of `cspbench report`, schema {SCHEMA}",
            found=brief(str(error), 120),
            remedy="Make it again with `cspbench report --save`",
        ) from None
    return [ReportRow(**{**vars(row), "cells": {cell.metric: cell for cell in row.cells}}) for row in document.rows]
