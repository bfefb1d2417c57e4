"""What a whole report found, in ten lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cspbench.claims.metrics import COUNTED
from cspbench.claims.verdict import Status
from cspbench.report.findings import Kind, findings, sentences
from cspbench.report.model import ReportRow
from cspbench.report.select import Section, select
from cspbench.report.text import SYMBOLS
from cspbench.report.yours import all_tables

GOOD = (Status.EXACT, Status.CLOSE)
SHOWN = 3
"""Errors with a line of their own."""


def digest(rows: Sequence[ReportRow]) -> Iterator[str]:
    """Lines on the published counts, on the errors among all numbers, on the sample, and on the other numbers."""
    sections = select(rows, all_tables())
    first, *others = sentences(sections) or ["No published number is shown."]
    found = findings(sections)
    yield first
    wrong = [finding for finding in found if finding.kind in (Kind.WRONG, Kind.DOUBTFUL, Kind.OURS)]
    for finding in wrong[:SHOWN]:
        yield f"  {SYMBOLS[finding.mark]} {finding.row}, {finding.text}"
    if len(wrong) > SHOWN:
        yield f"  {SYMBOLS['off']} and {len(wrong) - SHOWN} more rows"
    if missed := [str(finding.row) for finding in found if finding.kind is Kind.MISSED]:
        names = ", ".join(missed[:SHOWN]) + (", ..." if len(missed) > SHOWN else "")
        yield f"  {SYMBOLS['missed']} missed by our stand-ins, which says nothing about the documents: {names}"
    yield from (_sample(section) for section in sections if section.table.kind == "sample")
    yield from others


def _sample(section: Section) -> str:
    """One line on a table of the bundled sample."""
    cells = section.cells
    good = sum(cell.verdict in GOOD for cell in cells)
    symbol = SYMBOLS["exact"] if good == len(cells) else SYMBOLS["off"]
    first = next((cell for cell in cells if cell.metric not in COUNTED), cells[0])
    numbers = f"{good} of {len(cells)} numbers as recorded, such as {first.header} {first.measured}"
    return f"{symbol} {section.table.name}: {numbers}"
