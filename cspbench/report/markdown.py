"""The report as markdown, for a terminal and for a code host: claim -> measurement, delta and mark in every cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from cspbench.claims.model import NOTHING, Column, Table
from cspbench.claims.verdict import Word
from cspbench.errors import printable
from cspbench.report.counts_table import grid
from cspbench.report.model import Line, Made, ReportedCell
from cspbench.report.select import Shown, select
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    Origins,
    as_published,
    cause,
    delta,
    facts,
    interval,
    label,
    mark,
    measured,
    notes,
    summary,
    summary_of,
)

TITLE = "Published numbers, measured"
OURS = "Not published: what cspbench itself claims"
OURS_PREFIX = "sample-"
"""What the names of figures begin with that show no published number."""
OURS_TEXT = (
    "The images, the networks and their numbers come with cspbench: these tables show that it measures here as it did "
    "where they were made."
)

READING = (
    "A cell reads: claim → measurement Δdelta mark [how it was made]. In parentheses the comparison with the base "
    "model, as published and as it follows from the measurements. A measurement has two digits more than its claim; "
    "Δ is taken after rounding as the publisher rounded."
)


def markdown(shown: Sequence[Shown], plots: Sequence[str] = ()) -> str:
    """The tables in their order, those that are not published last; `plots` are names of files beside the report."""
    origins = Origins(line for each in shown for line in each.lines)
    published = [each for each in shown if each.table.kind == "published"]
    ours = [each for each in shown if each.table.kind != "published"]
    parts = [f"# {TITLE}"]
    if published:
        parts.append(f"{summary_of(published)}.")
        parts.append(_overview(published))
    parts.append(_legend())
    parts += [_figure(name) for name in plots if not name.startswith(OURS_PREFIX)]
    parts += [_section(each, origins) for each in published]
    if ours:
        parts += [f"# {OURS}", f"{OURS_TEXT} {summary_of(ours)}."]
        parts += [_figure(name) for name in plots if name.startswith(OURS_PREFIX)]
        parts += [_section(each, origins) for each in ours]
    if not shown:
        parts.append("No row has such a cell.")
    listed = [f"- **[{number}]** {_facts(made)}" for number, made in origins]
    if listed:
        parts += ["# How each number was made", "\n".join(listed)]
    return "\n\n".join(parts) + "\n"


def like_readme(shown: Sequence[Shown]) -> str:
    """Tables only, in the document's columns and form: the measurement where there is one, a dash otherwise."""
    return "\n\n".join(map(_pasted, shown)) + "\n"


def off(lines: Iterable[Line], tables: Sequence[Table]) -> str:
    """The published cells that are off, a line each with its cause; "" where none is."""
    found = [
        [
            *map(_plain, (line.table, line.name, cell.header, cell.printed)),
            measured(cell, column) or NOTHING,
            cell.mark,
            _plain(cause(cell)),
        ]
        for each in select(lines, [table for table in tables if table.kind == "published"])
        for line in each.lines
        for column in each.columns
        if (cell := line.cells.get(column.metric)) is not None and cell.verdict == Word.OFF
    ]
    header = ("Table", "Row", "Cell", "Claim", "Measured", "Mark", "Cause")
    return grid(header, found) + "\n" if found else ""


def _pasted(shown: Shown) -> str:
    columns, rows = shown.table.columns, {row.id: row for row in shown.table.rows}
    lines = [[column.header for column in columns]]
    for line in shown.lines:
        row = rows[line.row]
        lines.append(
            [
                as_published(line.cells[column.metric], column, _decimals(shown, column.metric))
                if column.role == "metric"
                else row.render(column)
                for column in columns
            ]
        )
    header, *body = [" | ".join(line) + " |" for line in lines]
    return "\n".join([header, "---|" * len(columns), *body])


def _decimals(shown: Shown, metric: str) -> int:
    """How many decimals most claims of a column have."""
    counted = Counter(
        cell.decimals for row in shown.table.rows if (cell := row.cells[metric]).value is not None and cell.decimals
    )
    return counted.most_common(1)[0][0] if counted else 0


def _legend() -> str:
    words = "; ".join(f"**{word}** {meaning}" for word, meaning in LEGEND.items())
    reasons = "; ".join(f"*{reason}* {meaning}" for reason, meaning in REASONS.items())
    return f"{READING}\n\nMarks: {words}.\n\nReasons: {reasons}."


def _section(shown: Shown, origins: Origins) -> str:
    table = shown.table
    header = [column.header for column in shown.columns]
    lines = [[_cell(line, column, origins) for column in shown.columns] for line in shown.lines]
    if any(line.definition for line in shown.lines):
        header.append("Definition")
        lines = [[*texts, _plain(line.definition or NOTHING)] for texts, line in zip(lines, shown.lines, strict=True)]
    parts = [
        f"## {shown.place}",
        f"`{table.name}`, {table.source}, {table.split}. {summary(shown.cells, len(shown.lines))}.",
        grid(header, lines),
    ]
    notes = [f"- {note}" for line in shown.lines for note in _notes(line, origins)]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def _cell(line: Line, column: Column, origins: Origins) -> str:
    if column.role != "metric":
        return _plain(label(line, column))
    cell = line.cells.get(column.metric)
    return NOTHING if cell is None else _metric(line, cell, column, origins)


def _metric(line: Line, cell: ReportedCell, column: Column, origins: Origins) -> str:
    parts = [_plain(cell.printed)]
    value = measured(cell, column)
    if value is not None:
        parts.append(f"→ {value}")
        if bounds := interval(cell):
            parts.append(f"(95 %: {bounds})")
        if difference := delta(cell):
            parts.append(f"Δ{difference}")
    parts.append(f"**{mark(cell)}**" if cell.verdict == Word.OFF else mark(cell))
    if value is not None and cell.made is not None:
        parts.append(f"[{origins.number(line, cell.made)}]")
    return " ".join(parts)


def _notes(line: Line, origins: Origins) -> list[str]:
    texts = notes(line)
    texts += [
        f"{cell.header} also {other.measured or 'nothing'} [{origins.number(line, other.made)}], which does not count: "
        f"{other.why}"
        for cell in line.cells.values()
        for other in cell.others
    ]
    return [f"{_plain(line.name)}: {_plain(text)}" for text in texts]


def _overview(shown: Sequence[Shown]) -> str:
    """How many cells of each table got which verdict."""
    header = ["Table", "rows", "cells", *map(str, ORDER), "comparisons", "comparisons off"]
    lines = []
    for each in shown:
        verdicts = [cell.verdict for cell in each.cells]
        compared = [cell.comparison.verdict for cell in each.cells if cell.comparison]
        counts = [len(each.lines), len(verdicts), *map(verdicts.count, ORDER), len(compared), compared.count("off")]
        lines.append([f"`{each.table.name}`", *(str(count or "") for count in counts)])
    return grid(header, lines)


def _facts(made: Made) -> str:
    (_, command), *rest = facts(made)
    return "; ".join(
        [_code(command), *(_plain(text if what == "version" else f"{what} {text}") for what, text in rest)]
    )


def _plain(text: str) -> str:
    """Text from a file on one line, without tags."""
    return printable(text).replace("<", "&lt;")


def _code(text: str) -> str:
    """A code span of any text; more backticks around it than it has in a row."""
    shown, fence = printable(text), "`"
    while fence in shown:
        fence += "`"
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _figure(name: str) -> str:
    return f"![{name.rsplit('.', 1)[0].replace('-', ' ')}]({name})"
