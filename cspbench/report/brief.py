"""The report for a terminal: findings, then the tables with measurements, a cell's claim, measurement and verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cspbench.claims.model import NOTHING
from cspbench.claims.model import Column as ClaimColumn
from cspbench.report.findings import by_kind, headline
from cspbench.report.formats import Block, Column, Paragraph, Table
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.retrained.lines import TEXT as RETRAINED_TEXT
from cspbench.report.retrained.lines import TITLE as RETRAINED
from cspbench.report.retrained.lines import Part
from cspbench.report.retrained.text import methods
from cspbench.report.retrained.text import table as retrained_table
from cspbench.report.select import PARTIAL, Section, arranged
from cspbench.report.speed import TITLE as SPEED
from cspbench.report.studies.text import blocks
from cspbench.report.tables import speed
from cspbench.report.text import LEGEND, SYMBOLS, comparison_mark, delta, interval, label, measured, notes, some
from cspbench.report.yours import NAMES
from cspbench.results.speeds.record import SpeedRun
from cspbench.retrained.studies import Study

ALWAYS = 2
"""Metrics that every terminal shows."""


def brief(
    shown: Sequence[Section],
    retrained: Sequence[Part] = (),
    speeds: Sequence[SpeedRun] = (),
    studies: Sequence[Study] = (),
) -> Iterator[Block]:
    """The blocks; tables without a measurement are only counted, unless there are no others."""
    parts = arranged(shown)
    if parts.every:
        yield Paragraph(headline(shown), "text")
    for heading, group in by_kind(shown):
        yield Paragraph(heading, "heading")
        texts = [f"{SYMBOLS[found.mark]} {f'{found.row}, ' if found.row else ''}{found.line}" for found in group]
        yield Paragraph("\n".join(texts), "text")
    sections = [*parts.published, *parts.folded, *parts.yours, *parts.ours]
    telling = [section for section in sections if section.measured] or sections
    for section in telling:
        about = ", ".join(filter(None, (section.table.name, section.table.source)))
        yield Paragraph(f"{section.place}\n\n{about}", "heading")
        yield _table(section)
    if speeds:
        yield Paragraph(SPEED, "heading")
        yield from speed.blocks(speeds)
    if others := len(sections) - len(telling):
        yield Paragraph(f"{some(others, 'table')} without a measurement: --format md, or --out report.html", "aside")
    for part in retrained:
        yield Paragraph(f"{RETRAINED}: {part.place}", "heading")
        yield retrained_table(part)
    if retrained:
        yield Paragraph(" ".join(filter(None, [RETRAINED_TEXT, methods(retrained)])), "aside")
    yield from blocks(studies)
    if not shown:
        yield Paragraph("No row has such a cell.", "text")
    yield Paragraph("; ".join(f"**{word}** {meaning}" for word, meaning in LEGEND.items()), "legend")


def _table(section: Section) -> Table:
    """Without the settings that are the same in all lines."""
    ranks = {column: _rank(section, at) for at, column in enumerate(section.columns)}
    shown = [column for column in section.columns if column.role == "metric" or not ranks[column]]
    columns = [
        Column(column.header, ranks[column], "verdict" if column.role == "metric" else "text") for column in shown
    ]
    lines = [[*(_text(line, column) for column in shown), "; ".join(notes(line))] for line in section.lines]
    return Table([*columns, Column("Note", kind="note")], lines)


def _rank(section: Section, at: int) -> int:
    """Which columns a narrow terminal leaves out: without a measurement, the same in all lines, the last metrics."""
    column = section.columns[at]
    if column.role != "metric":
        return int(at > 0 and len({_text(line, column) for line in section.lines}) == 1)
    cells = [line.cells.get(column.metric) for line in section.lines]
    if all(cell is None or cell.measured is None for cell in cells):
        return 2
    before = sum(other.role == "metric" for other in section.columns[:at])
    return int(before >= ALWAYS)


def _text(line: ReportRow, column: ClaimColumn) -> str:
    """A cell on one line: "9.74 → 10.0003 Δ+0.26 off"."""
    if column.role != "metric":
        return label(line, column)
    cell = line.cells.get(column.metric)
    if cell is None:
        return NOTHING
    claimed = line.table not in NAMES
    texts = [cell.printed] if claimed else []
    value = measured(cell, column)
    if value is not None:
        texts.append(f"→ {value}" if claimed else value)
        texts += [f"[{bounds}]"] if (bounds := interval(cell)) else []
        texts += [f"Δ{difference}"] if (difference := delta(cell)) and difference != "0" else []
    if claimed:
        texts.append(_mark(cell))
    elif cell.partial or value is None:
        texts.append(PARTIAL if cell.partial else NOTHING)
    return " ".join(texts)


def _mark(cell: ReportCell) -> str:
    compared = comparison_mark(cell)
    return f"{cell.reason or cell.mark}; comparison {compared}" if compared else str(cell.reason or cell.mark)
