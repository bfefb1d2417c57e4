"""The report as markdown: claim -> measurement, delta and mark in every cell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from statistics import mode
from urllib.parse import quote

from cspbench.claims.model import NOTHING, Column, Table
from cspbench.claims.verdict import Status
from cspbench.errors import printable
from cspbench.report import speed
from cspbench.report.findings import by_kind, headline
from cspbench.report.formats import grid
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.retrained.lines import TEXT as RETRAINED_TEXT
from cspbench.report.retrained.lines import TITLE as RETRAINED
from cspbench.report.retrained.lines import Part
from cspbench.report.retrained.text import made_by, methods, table
from cspbench.report.select import PARTIAL, Parts, Section, arranged
from cspbench.report.studies import pages
from cspbench.report.studies.text import TITLE as STUDIES
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    SYMBOLS,
    Origins,
    as_published,
    comparison_mark,
    delta,
    facts,
    interval,
    label,
    measured,
    notes,
    some,
    summary,
)
from cspbench.report.yours import NAMES
from cspbench.report.yours import TEXT as YOURS_TEXT
from cspbench.report.yours import TITLE as YOURS
from cspbench.results.provenance import Provenance
from cspbench.results.speeds.record import SpeedRun
from cspbench.retrained.studies import Study

TITLE = "Published numbers, measured"
OURS = "Not published: what cspbench itself claims"
OURS_PREFIX = "sample-"
"""Prefix of the names of figures without published numbers."""
OURS_TEXT = (
    "The images, the networks and their numbers come with cspbench: these tables show that it measures here as it did "
    "where they were made."
)

UNMEASURED = "Without a measurement"
ORIGINS = "How each number was made"

READING = (
    "A cell reads: claim → measurement Δdelta mark [how it was made]; no Δ where the two are equal. In parentheses the "
    "comparison with the base model, as published and as it follows from the measurements. A measurement has two "
    "digits more than its claim; Δ is taken after rounding as the publisher rounded."
)


def markdown(
    shown: Sequence[Section],
    plots: Sequence[str] = (),
    retrained: Sequence[Part] = (),
    speeds: Sequence[SpeedRun] = (),
    studies: Sequence[Study] = (),
) -> str:
    """Findings, contents, the tables, retrained networks, studies, times; `plots` are files beside the report."""
    origins = Origins(line for section in shown for line in section.lines)
    parts = arranged(shown)
    texts = [f"# {TITLE}", *([headline(shown)] if parts.every else []), *_findings(shown)]
    if not shown:
        texts += ["No row has such a cell.", *_retrained(retrained), *pages.as_markdown(studies)]
        return "\n\n".join(texts) + "\n"
    targets = {finding.target for _, group in by_kind(shown) for finding in group}
    texts += _contents(parts, bool(list(origins)))
    texts += [f"[{RETRAINED}](#retrained)"] if retrained else []
    texts += [f"[{STUDIES}](#studies)"] if studies else []
    texts += [f"[{speed.TITLE}](#speed)"] if speeds else []
    texts.append(_folded("How to read a cell", _legend()))
    texts += [_figure(name) for name in plots if not name.startswith((OURS_PREFIX, pages.FIGURES))]
    texts += [_section(section, origins, targets) for section in parts.published]
    if parts.folded:
        texts.append(f"# {UNMEASURED}")
        texts += [_section(section, origins, targets, folded=True) for section in parts.folded]
    if parts.yours:
        texts += [f"# {YOURS}", YOURS_TEXT, *(_section(section, origins, targets) for section in parts.yours)]
    texts += _retrained(retrained)
    texts += pages.as_markdown(studies, plots)
    if parts.ours:
        texts += [f"# {OURS}", f"{OURS_TEXT} {summary(parts.ours)}."]
        texts += [_figure(name) for name in plots if name.startswith(OURS_PREFIX)]
        texts += [_section(section, origins, targets) for section in parts.ours]
    texts += [speed.as_markdown(speeds)] if speeds else []
    if items := [f"- **[{number}]** {_facts(provenance)}" for number, provenance in origins]:
        texts += [f"# {_anchor('made')}{ORIGINS}", "\n".join(items)]
    return "\n\n".join(texts) + "\n"


def _findings(shown: Sequence[Section]) -> Iterator[str]:
    """The list of findings, a heading and lines for each kind."""
    groups = by_kind(shown)
    if groups:
        yield "## Findings"
    for heading, group in groups:
        lines = []
        for finding in group:
            row = f"[{_plain(finding.row)}](#{quote(str(finding.target))}), " if finding.row else ""
            lines.append(f"- {SYMBOLS[finding.mark]} {row}{_plain(finding.line)}")
        yield f"**{heading}**"
        yield "\n".join(lines)


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


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _anchor(name: str) -> str:
    """A place to link to; the name is quoted for an attribute as for a link."""
    return f'<a id="{quote(name)}"></a>'


def _section(section: Section, origins: Origins, targets: Collection[str | None], folded: bool = False) -> str:
    """A table with its notes; rows that findings link have an anchor."""
    table = section.table
    header = [column.header for column in section.columns]
    lines = [[_cell(line, column, origins) for column in section.columns] for line in section.lines]
    for texts, line in zip(lines, section.lines, strict=True):
        if (target := f"{line.table}/{line.row}") in targets:
            texts[0] += f" {_anchor(target)}"
    if any(line.definition for line in section.lines):
        header.append("Definition")
        lines = [[*texts, _plain(line.definition or NOTHING)] for texts, line in zip(lines, section.lines, strict=True)]
    about = f"`{table.name}`, {table.source}, {table.split}. {summary([section])}."
    if table.kind == "yours":
        about = f"`{table.name}`, {some(len(section.lines), 'row')}."
    notes = [f"- {note}" for line in section.lines for note in _notes(line, origins)]
    body = "\n\n".join([about, grid(header, lines), *(["\n".join(notes)] if notes else [])])
    if folded:
        return _folded(f"{_anchor(table.name)}{section.place}: {some(len(section.lines), 'row')}", body)
    return f"## {_anchor(table.name)}{section.place}\n\n{body}"


def _retrained(retrained: Sequence[Part]) -> Iterator[str]:
    """The part on retrained networks."""
    if not retrained:
        return
    yield f"# {_anchor('retrained')}{RETRAINED}"
    yield RETRAINED_TEXT
    for part in retrained:
        block = table(part)
        yield f"## {RETRAINED}: {part.place}"
        yield grid(block.header, [[_plain(text) for text in line] for line in block.lines])
        yield "\n".join(f"- {_plain(name)}: {_code(made)}; {_plain(by)}" for name, made, by in made_by(part))
    if text := methods(retrained):
        yield text


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
        if (difference := delta(cell)) and difference != "0":
            parts.append(f"Δ{difference}")
    if claimed:
        parts.append(_mark(cell))
    elif cell.partial or value is None:
        parts.append(PARTIAL if cell.partial else NOTHING)
    if value is not None and cell.provenance is not None:
        parts.append(f"[{origins.number(line, cell.provenance)}]")
    return " ".join(parts)


def _mark(cell: ReportCell) -> str:
    """The symbol and the word, of what is unmeasured the reason alone: "✓ exact", "– no-weights"."""
    text = f"{SYMBOLS[cell.word]} {cell.reason or cell.mark}"
    words = [cell.word]
    if (mark := comparison_mark(cell)) and cell.comparison and cell.comparison.word != cell.word:
        words.append(cell.comparison.word)
        text += f"; {SYMBOLS[words[1]]} {mark}"
    return f"**{text}**" if Status.OFF in words else text


def _notes(line: ReportRow, origins: Origins) -> list[str]:
    texts = notes(line)
    texts += [
        f"{cell.header} also {superseded.measured or 'nothing'} "
        f"[{origins.number(line, superseded.provenance)}], which does not count: {superseded.why}"
        for cell in line.cells.values()
        for superseded in cell.others
    ]
    return [f"{_plain(line.name)}: {_plain(text)}" for text in texts]


def _contents(parts: Parts, made: bool) -> list[str]:
    """Links to all tables with the number of their cells by mark, those with measurements first."""
    sections = [*parts.every, *parts.ours]
    present = {cell.word for section in sections for cell in section.cells}
    words = [word for word in map(str, ORDER) if word in present]
    lines = []
    for section in [*sections, *parts.yours]:
        marks = [cell.word for cell in section.cells] if section in sections else []
        link = f"[{_plain(section.place)}](#{quote(section.table.name)})"
        counts = [len(section.lines), len(marks), *map(marks.count, words)]
        lines.append([link, *(str(count or "") for count in counts)])
    header = ["Table", "rows", "cells", *(f"{SYMBOLS[word]} {word}" for word in words)]
    texts = ["## Contents", grid(header, lines), f"{summary(parts.every)}."]
    return [*texts, f"[{ORIGINS}](#made)"] if made else texts


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
