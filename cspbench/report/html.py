"""The report as one HTML file without external resources; everything is readable without scripts.

The template page.html.j2 contains page.css and page.js; the page's security policy allows only these two, by their
digests. The template escapes every text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from importlib.resources import files
from typing import Any, NamedTuple, Protocol

from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Column
from cspbench.claims.verdict import Status
from cspbench.errors import printable
from cspbench.report.markdown import OURS, OURS_TEXT, TITLE
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.select import MARKS, PARTIAL, Section, marks
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    Origins,
    delta,
    facts,
    finer,
    interval,
    label,
    measured,
    notes,
    summary,
    summary_of,
)

SYMBOLS = {
    "exact": "✓",
    "close": "≈",
    "off": "✗",
    "fitted": "◇",
    "consistent": "∼",
    "inconsistent": "≁",
    "unmeasured": "–",
    "unpublished": "○",
    PARTIAL: "◔",
}
"""A symbol for each mark, beside word and colour."""
_UNITS = {"params": "parameters", "bflops": "operations"}


class Svg(NamedTuple):
    """An svg element, its style rules, and a description for readers who cannot see it."""

    element: str
    rules: str
    description: str


class Drawing(Protocol):
    """A figure; `name` is its file name without suffix."""

    @property
    def name(self) -> str: ...

    @property
    def svg(self) -> Svg: ...


def html(shown: Sequence[Section], drawings: Sequence[Svg] = ()) -> str:
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    css = "\n".join([_asset("page.css").rstrip(), *(drawing.rules for drawing in drawings)]) + "\n"
    script = _asset("page.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.from_string(_asset("page.html.j2")).render(
        **_page(shown),
        css=Markup(css),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; img-src data:",
        drawings=drawings,
        symbols=SYMBOLS,
        title=TITLE,
        ours_title=OURS,
        ours_text=OURS_TEXT,
    )


def _asset(name: str) -> str:
    return files("cspbench.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _page(shown: Sequence[Section]) -> dict[str, Any]:
    """The variables of the template."""
    origins = Origins(line for section in shown for line in section.lines)
    published = [section for section in shown if section.table.kind == "published"]
    ours = [section for section in shown if section.table.kind != "published"]
    counted = published or ours
    cells = [cell for section in counted for cell in section.cells]
    verdicts = [cell.verdict for cell in cells]
    present = {word for section in shown for cell in section.cells for word in marks(cell)}
    items = [(number, facts(provenance)) for number, provenance in origins]
    return {
        "published": [_table(section, origins) for section in published],
        "ours": [_table(section, origins) for section in ours],
        "ours_rows": sum(len(section.lines) for section in ours),
        "summary": summary_of(counted),
        "shares": _shares(cells),
        "legend": [(str(word), verdicts.count(word), LEGEND[word]) for word in ORDER],
        "reasons": list(REASONS.items()),
        "marks": [str(word) for word in (*ORDER, PARTIAL) if word in present],
        "origins": [{"number": number, "command": first[1], "facts": rest} for number, (first, *rest) in items],
    }


def _shares(cells: Sequence[ReportCell]) -> dict[str, Any]:
    """The parts of a bar of verdicts: (verdict, offset, number of cells)."""
    parts, at = [], 0
    verdicts = [cell.verdict for cell in cells]
    for word in ORDER:
        if count := verdicts.count(word):
            parts.append((str(word), at, count))
            at += count
    return {"total": max(at, 1), "parts": parts}


def _table(section: Section, origins: Origins) -> dict[str, Any]:
    table = section.table
    return {
        "name": table.name,
        "kind": table.kind,
        "place": section.place,
        "shares": _shares(section.cells),
        "caption": f"{table.name}, {table.source}, {table.split}. {summary(section.cells, len(section.lines))}.",
        "headers": [column.header for column in section.columns],
        "rows": [_row(section, line, origins) for line in section.lines],
        "notes": [{"id": _id(line), "name": line.name, "text": text} for line in section.lines for text in notes(line)],
    }


def _id(line: ReportRow) -> str:
    return f"{line.table}/{line.row}"


def _row(section: Section, line: ReportRow, origins: Origins) -> dict[str, Any]:
    texts = [line.name, *line.settings.values(), line.definition or "", line.model or ""]
    return {
        "id": _id(line),
        "marks": _marks(*line.cells.values()),
        "text": " ".join(texts).lower(),
        "cells": [_cell(line, column, origins) for column in section.columns],
    }


def _marks(*cells: ReportCell) -> str:
    present = {word for cell in cells for word in marks(cell)}
    return " ".join(word for word in MARKS if word in present)


def _cell(line: ReportRow, column: Column, origins: Origins) -> dict[str, Any]:
    if column.role == "name":
        return {"kind": "name", "text": line.label, "definition": line.definition}
    cell = line.cells.get(column.metric) if column.role == "metric" else None
    if cell is None:
        return {"kind": "text", "text": label(line, column) if column.role != "metric" else ""}
    off = cell.comparison is not None and cell.comparison.verdict == Status.OFF
    value = measured(cell, column)
    return {
        "kind": "metric",
        "claim": _sortable(cell),
        "measured": finer(cell) if cell.measured is not None else "",
        "marks": _marks(cell),
        "title": f"{line.name}: {cell.header}",
        "printed": cell.printed,
        "verdict": cell.verdict,
        "mark": cell.mark,
        "comparison_off": f"{cell.comparison.measured} off" if cell.comparison and off else "",
        "value": value,
        "delta": delta(cell),
        "facts": list(_facts(line, cell, column, origins)) if value is not None or cell.others else [],
    }


def _sortable(cell: ReportCell) -> str:
    """The claim as a sort key; the first of several frame rates."""
    if cell.claim is not None:
        return cell.claim
    first = re.match(r"[0-9.]+", cell.printed)
    return first[0] if first else ""


def _facts(line: ReportRow, cell: ReportCell, column: Column, origins: Origins) -> Iterator[dict[str, Any]]:
    """The details of a cell: what, text, and the number of the origin to link."""

    def fact(what: str, text: str = "", reference: int | None = None) -> dict[str, Any]:
        return {"what": what, "text": text, "reference": reference}

    yield fact("Claim", cell.printed)
    if cell.measured is not None:
        unit = _UNITS.get(cell.metric, cell.unit)
        yield fact("Measured", f"{Decimal(cell.exact):,f} {unit}" if cell.exact else cell.measured)
        yield fact("as published", f"{cell.measured}{column.suffix}")
    if difference := delta(cell):
        yield fact("Delta", difference + _percent(cell))
    if bounds := interval(cell):
        yield fact("95 % interval", f"{bounds}: where another draw of images would put it")
    yield fact("Mark", cell.mark)
    if cell.tolerance:
        yield fact("Tolerance", f"{cell.tolerance} points")
    if cell.comparison:
        compared = cell.comparison
        text = f"with {compared.base}: published {compared.printed}, measured {compared.measured or '-'}"
        yield fact("Comparison", f"{text}: {compared.verdict}")
    if cell.note:
        yield fact("Note", cell.note)
    if cell.provenance:
        yield fact("Provenance", reference=origins.number(line, cell.provenance))
    for superseded in cell.others:
        text = f"{superseded.measured or 'nothing'}, which does not count: {superseded.why}"
        yield fact("Another run", text, origins.number(line, superseded.provenance))


def _percent(cell: ReportCell) -> str:
    if cell.metric not in COUNTED or not cell.claim or not cell.delta:
        return ""
    claim, difference = Decimal(cell.claim), Decimal(cell.delta)
    return f" ({difference / claim * 100:+.1f} %)" if claim and difference else ""
