"""The report as CSV with a line for each cell, and as LaTeX with a tabular for each table."""

from __future__ import annotations

from collections.abc import Sequence

from cspbench.claims.model import NOTHING, Column
from cspbench.report.formats import flat_csv, latex
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.retrained import flat
from cspbench.report.retrained.lines import TITLE, Part
from cspbench.report.retrained.text import table
from cspbench.report.select import Section
from cspbench.report.text import delta, label, mark, measured

PROVENANCE = (
    *("command", "version", "commit", "when", "counting", "definition"),
    *("weights", "data", "preset", "precision", "run", "scored"),
)
HEADER = (
    *("kind", "table", "row", "label", "settings", "size", "model", "row_definition", "row_note"),
    *("metric", "header", "unit", "printed", "claim", "measured", "exact", "delta"),
    *("interval_low", "interval_high", "verdict", "reason", "explained", "stand_in", "partial", "note"),
    *("compared_with", "comparison_printed", "comparison_measured", "comparison_verdict"),
    *PROVENANCE,
    *("sessions", "others"),
)


def as_csv(shown: Sequence[Section], retrained: Sequence[Part] = ()) -> str:
    """A line for each cell, with exact numbers; `others` is the number of measurements that do not count.

    Those of retrained networks follow, with numbers in columns of their own.
    """
    lines: list[list[object]] = [
        [section.table.kind, *_row(line), *_cell(cell)]
        for section in shown
        for line in section.lines
        for cell in line.cells.values()
    ]
    if not retrained:
        return flat_csv(HEADER, lines)
    padded = [[*line, *(None for _ in flat.COLUMNS)] for line in lines]
    return flat_csv([*HEADER, *flat.COLUMNS], [*padded, *flat.lines(retrained, HEADER)])


def _row(line: ReportRow) -> list[str | None]:
    settings = "; ".join(f"{name}={value}" for name, value in line.settings.items())
    size = "x".join(map(str, line.size)) if line.size else ""
    return [line.table, line.row, line.label, settings, size, line.model, line.definition, line.note]


def _cell(cell: ReportCell) -> list[object]:
    compared = cell.comparison
    return [
        *(cell.metric, cell.header, cell.unit, cell.printed, cell.claim, cell.measured, cell.exact, cell.delta),
        *(cell.interval or (None, None)),
        *(
            cell.verdict,
            cell.reason,
            *("yes" if flag else "no" for flag in (cell.explained, cell.stand_in, cell.partial)),
            cell.note,
        ),
        *(getattr(compared, name, None) for name in ("base", "printed", "measured", "verdict")),
        *(getattr(cell.provenance, name, None) for name in PROVENANCE),
        "; ".join(cell.provenance.sessions if cell.provenance else ()),
        len(cell.others),
    ]


def as_latex(shown: Sequence[Section], retrained: Sequence[Part] = ()) -> str:
    """A tabular for each table, its name in a comment above it. Packages: booktabs."""
    parts = []
    for section in shown:
        header = [column.header for column in section.columns]
        lines = [[_text(line, column) for column in section.columns] for line in section.lines]
        heading = f"% {section.table.name}: {section.place}, {section.table.source}"
        parts.append(f"{heading}\n{latex(header, lines)}")
    for part in retrained:
        block = table(part)
        parts.append(f"% {TITLE}, {part.name}: {part.place}\n{latex(block.header, block.lines)}")
    return "\n".join(parts)


def _text(line: ReportRow, column: Column) -> str:
    if column.role != "metric":
        return label(line, column)
    cell = line.cells.get(column.metric)
    if cell is None:
        return NOTHING
    value, difference = measured(cell, column), delta(cell)
    parts = [cell.printed, f"→ {value}" if value else "", f"Δ{difference}" if difference else "", mark(cell)]
    return " ".join(part for part in parts if part)
