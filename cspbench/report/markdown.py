"""The report as markdown: claim -> measurement, delta and mark in every cell."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mode

from cspbench.claims.model import NOTHING, Column, Table
from cspbench.claims.verdict import Status
from cspbench.errors import printable
from cspbench.report.formats import grid
from cspbench.report.model import ReportRow
from cspbench.report.select import PARTIAL, Section
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    Origins,
    as_published,
    delta,
    facts,
    interval,
    label,
    mark,
    measured,
    notes,
    some,
    summary,
)
from cspbench.report.yours import NAMES
from cspbench.report.yours import TEXT as YOURS_TEXT
from cspbench.report.yours import TITLE as YOURS
from cspbench.results.provenance import Provenance

TITLE = "Published numbers, measured"
OURS = "Not published: what cspbench itself claims"
OURS_PREFIX = "sample-"
"""Prefix of the names of figures without published numbers."""
OURS_TEXT = (
    "The images, the networks and their numbers come with cspbench: these tables show that it measures here as it did "
    "where they were made."
)

READING = (
    "A cell reads: claim → measurement Δdelta mark [how it was made]. In parentheses the comparison with the base "
    "model, as published and as it follows from the measurements. A measurement has two digits more than its claim; "
    "Δ is taken after rounding as the publisher rounded."
)


def markdown(shown: Sequence[Section], plots: Sequence[str] = ()) -> str:
    """The tables in their order, unpublished ones last; `plots` are names of files beside the report."""
    origins = Origins(line for section in shown for line in section.lines)
    published = [section for section in shown if section.table.kind == "published"]
    ours = [section for section in shown if section.table.kind == "sample"]
    yours = [section for section in shown if section.table.kind == "yours"]
    parts = [f"# {TITLE}"]
    if published:
        parts.append(f"{summary(published)}.")
        parts.append(_overview(published))
    parts.append(_legend())
    parts += [_figure(name) for name in plots if not name.startswith(OURS_PREFIX)]
    parts += [_section(section, origins) for section in published]
    if yours:
        parts += [f"# {YOURS}", YOURS_TEXT, *(_section(section, origins) for section in yours)]
    if ours:
        parts += [f"# {OURS}", f"{OURS_TEXT} {summary(ours)}."]
        parts += [_figure(name) for name in plots if name.startswith(OURS_PREFIX)]
        parts += [_section(section, origins) for section in ours]
    if not shown:
        parts.append("No row has such a cell.")
    if items := [f"- **[{number}]** {_facts(provenance)}" for number, provenance in origins]:
        parts += ["# How each number was made", "\n".join(items)]
    return "\n\n".join(parts) + "\n"


def like_readme(shown: Sequence[Section]) -> str:
    """Tables only, in the document's own columns and form, with measurements, or dashes, in place of the claims."""
    return "\n\n".join(map(_pasted, shown)) + "\n"


def _pasted(section: Section) -> str:
    columns, rows = section.table.columns, {row.id: row for row in section.table.rows}
    decimals = {column: _decimals(section.table, column.metric) for column in columns if column.role == "metric"}
    lines = [
        [
            as_published(line.cells[column.metric], column, decimals[column])
            if column in decimals
            else rows[line.row].render(column)
            for column in columns
        ]
        for line in section.lines
    ]
    header, *body = [" | ".join(line) + " |" for line in ([column.header for column in columns], *lines)]
    return "\n".join([header, "---|" * len(columns), *body])


def _decimals(table: Table, metric: str) -> int:
    """The most frequent number of decimals in a column's claims."""
    return mode([decimals for row in table.rows if (decimals := row.cells[metric].decimals)] or [0])


def _legend() -> str:
    words = "; ".join(f"**{word}** {meaning}" for word, meaning in LEGEND.items())
    reasons = "; ".join(f"*{reason}* {meaning}" for reason, meaning in REASONS.items())
    return f"{READING}\n\nMarks: {words}.\n\nReasons: {reasons}."


def _section(section: Section, origins: Origins) -> str:
    table = section.table
    header = [column.header for column in section.columns]
    lines = [[_cell(line, column, origins) for column in section.columns] for line in section.lines]
    if any(line.definition for line in section.lines):
        header.append("Definition")
        lines = [[*texts, _plain(line.definition or NOTHING)] for texts, line in zip(lines, section.lines, strict=True)]
    about = f"`{table.name}`, {table.source}, {table.split}. {summary([section])}."
    if table.kind == "yours":
        about = f"`{table.name}`, {some(len(section.lines), 'row')}."
    parts = [f"## {section.place}", about, grid(header, lines)]
    notes = [f"- {note}" for line in section.lines for note in _notes(line, origins)]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def _cell(line: ReportRow, column: Column, origins: Origins) -> str:
    if column.role != "metric":
        return _plain(label(line, column))
    cell = line.cells.get(column.metric)
    if cell is None:
        return NOTHING
    claimed = line.table not in NAMES
    parts = [_plain(cell.printed)] if claimed else []
    value = measured(cell, column)
    if value is not None:
        parts.append(f"→ {value}" if claimed else value)
        if bounds := interval(cell):
            parts.append(f"(95 %: {bounds})")
        if difference := delta(cell):
            parts.append(f"Δ{difference}")
    if claimed:
        parts.append(f"**{mark(cell)}**" if cell.verdict == Status.OFF else mark(cell))
    elif cell.partial or value is None:
        parts.append(PARTIAL if cell.partial else NOTHING)
    if value is not None and cell.provenance is not None:
        parts.append(f"[{origins.number(line, cell.provenance)}]")
    return " ".join(parts)


def _notes(line: ReportRow, origins: Origins) -> list[str]:
    texts = notes(line)
    texts += [
        f"{cell.header} also {superseded.measured or 'nothing'} "
        f"[{origins.number(line, superseded.provenance)}], which does not count: {superseded.why}"
        for cell in line.cells.values()
        for superseded in cell.others
    ]
    return [f"{_plain(line.name)}: {_plain(text)}" for text in texts]


def _overview(shown: Sequence[Section]) -> str:
    """The number of cells by table and verdict."""
    header = ["Table", "rows", "cells", *map(str, ORDER), "comparisons", "comparisons off"]
    lines = []
    for section in shown:
        verdicts = [cell.verdict for cell in section.cells]
        compared = [cell.comparison.verdict for cell in section.cells if cell.comparison]
        counts = [len(section.lines), len(verdicts), *map(verdicts.count, ORDER), len(compared), compared.count("off")]
        lines.append([f"`{section.table.name}`", *(str(count or "") for count in counts)])
    return grid(header, lines)


def _facts(provenance: Provenance) -> str:
    (_, command), *rest = facts(provenance)
    texts = [_plain(text if what == "version" else f"{what} {text}") for what, text in rest]
    return "; ".join([_code(command), *texts])


def _plain(text: str) -> str:
    """Text from a file on one line, with tags escaped."""
    return printable(text).replace("<", "&lt;")


def _code(text: str) -> str:
    """A code span of any text, fenced with more backticks than the text has in sequence."""
    shown, fence = printable(text), "`"
    while fence in shown:
        fence += "`"
    space = " " if "`" in shown else ""
    return f"{fence}{space}{shown}{space}{fence}"


def _figure(name: str) -> str:
    return f"![{name.rsplit('.', 1)[0].replace('-', ' ')}]({name})"
