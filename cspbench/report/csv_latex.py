"""The report for other programs: CSV with a line for each cell, LaTeX with a tabular for each table."""

from __future__ import annotations

from collections.abc import Sequence

from cspbench.claims.model import NOTHING, Column
from cspbench.report.counts_table import flat_csv, latex
from cspbench.report.model import Line, ReportedCell
from cspbench.report.select import Shown
from cspbench.report.text import delta, label, mark, measured

HEADER = (
    *("kind", "table", "row", "label", "settings", "size", "model", "row_definition", "row_note"),
    *("metric", "header", "unit", "printed", "claim", "measured", "exact", "delta"),
    *("interval_low", "interval_high", "verdict", "reason", "explained", "partial", "note"),
    *("compared_with", "comparison_printed", "comparison_measured", "comparison_verdict"),
    *(
        "command",
        "version",
        "commit",
        "when",
        "counting",
        "definition",
        "weights",
        "data",
        "preset",
        "precision",
        "run",
    ),
    "others",
)
MADE = HEADER[HEADER.index("command") : -1]
_SIGNS = {"→": r"$\to$", "Δ": r"$\Delta$"}


def as_csv(shown: Sequence[Shown]) -> str:
    """Every cell on a line of its own, nothing rounded away; `others` is how many measurements do not count."""
    lines = [
        [each.table.kind, *_row(line), *_cell(cell)]
        for each in shown
        for line in each.lines
        for cell in line.cells.values()
    ]
    return flat_csv(HEADER, lines)


def _row(line: Line) -> list[str]:
    settings = "; ".join(f"{name}={value}" for name, value in line.settings.items())
    size = "x".join(map(str, line.size)) if line.size else ""
    known = (line.model, line.definition, line.note)
    return [line.table, line.row, line.label, settings, size, *(value or "" for value in known)]


def _cell(cell: ReportedCell) -> list[str]:
    compared = cell.comparison
    comparison = (compared.base, compared.printed, compared.measured, compared.verdict) if compared else (None,) * 4
    values = [
        *(cell.metric, cell.header, cell.unit, cell.printed, cell.claim, cell.measured, cell.exact, cell.delta),
        *(cell.interval or (None, None)),
        *(cell.verdict, cell.reason, _yes(cell.explained), _yes(cell.partial), cell.note),
        *comparison,
        *(getattr(cell.made, name, None) for name in MADE),
    ]
    return [*("" if value is None else value for value in values), str(len(cell.others))]


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def as_latex(shown: Sequence[Shown]) -> str:
    """A tabular for each table, its name in a comment above it. Packages: booktabs."""
    parts = []
    for each in shown:
        header = [column.header for column in each.columns]
        lines = [[_text(line, column) for column in each.columns] for line in each.lines]
        text = latex(header, lines)
        for sign, command in _SIGNS.items():
            text = text.replace(sign, command)
        parts.append(f"% {each.table.name}: {each.place}, {each.table.source}\n{text}")
    return "\n".join(parts)


def _text(line: Line, column: Column) -> str:
    if column.role != "metric":
        return label(line, column)
    cell = line.cells.get(column.metric)
    if cell is None:
        return NOTHING
    value, difference = measured(cell, column), delta(cell)
    parts = [cell.printed, f"→ {value}" if value else "", f"Δ{difference}" if difference else "", mark(cell)]
    return " ".join(part for part in parts if part)
