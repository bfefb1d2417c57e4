"""The report as one HTML file without external resources; everything is readable without scripts.

The template page.html.j2 contains page.css and page.js; the page's security policy allows only these two, by their
digests. The template escapes every text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from importlib.resources import files
from itertools import accumulate
from typing import NamedTuple

from cspbench.claims.model import Column
from cspbench.errors import printable
from cspbench.report.analysis import page
from cspbench.report.markdown import OURS, OURS_TEXT, TITLE
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.select import MARKS, PARTIAL, Section, marks
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    SYMBOLS,
    Origins,
    delta,
    facts,
    finer,
    interval,
    label,
    measured,
    notes,
    summary,
)
from cspbench.report.yours import TEXT as YOURS_TEXT
from cspbench.report.yours import TITLE as YOURS
from cspbench.results.store import StoredEvaluation

_UNITS = {"params": "parameters", "bflops": "operations"}


class Svg(NamedTuple):
    """A figure: its file's name without suffix, element, style rules, and description for those who cannot see it."""

    name: str
    element: str
    rules: str
    description: str


def html(shown: Sequence[Section], drawings: Sequence[Svg] = (), evaluations: Sequence[StoredEvaluation] = ()) -> str:
    """The page; `evaluations` are those whose errors it shows, where they were analysed."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    errors = page.section(evaluations)
    parts = [_asset("page.css").rstrip(), *([page.rules().rstrip()] if errors else [])]
    css = "\n".join([*parts, *(drawing.rules for drawing in drawings)]) + "\n"
    script = _asset("page.js")
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    functions = (summary, label, measured, finer, delta, notes, _shares, _search_text, _marks_of, _sortable)
    environment.globals |= {function.__name__.lstrip("_"): function for function in functions}
    published = [section for section in shown if section.table.kind == "published"]
    ours = [section for section in shown if section.table.kind == "sample"]
    yours = [section for section in shown if section.table.kind == "yours"]
    cells = [cell for section in published or ours for cell in section.cells]
    verdicts = [cell.verdict for cell in cells]
    present = _marks_of([cell for section in shown for cell in section.cells]).split()
    origins = Origins(line for section in shown for line in section.lines)
    return environment.from_string(_asset("page.html.j2")).render(
        published=published,
        ours=ours,
        yours=yours,
        yours_title=YOURS,
        yours_text=YOURS_TEXT,
        ours_rows=sum(len(section.lines) for section in ours),
        cells=cells,
        legend=[(str(word), verdicts.count(word), LEGEND[word]) for word in ORDER],
        reasons=REASONS,
        marks=[str(word) for word in (*ORDER, PARTIAL) if word in present],
        origins=[(number, facts(provenance)) for number, provenance in origins],
        details=partial(_details, origins),
        css=Markup(css),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; img-src data:",
        drawings=drawings,
        errors=Markup(errors),
        symbols=SYMBOLS,
        title=TITLE,
        ours_title=OURS,
        ours_text=OURS_TEXT,
    )


def _asset(name: str) -> str:
    return files("cspbench.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shares(cells: Sequence[ReportCell]) -> list[tuple[str, int, int]]:
    """The parts of a bar of verdicts: (verdict, offset, number of cells)."""
    verdicts = [cell.verdict for cell in cells]
    counts = [verdicts.count(word) for word in ORDER]
    offsets = accumulate(counts, initial=0)
    return [(str(word), at, count) for word, at, count in zip(ORDER, offsets, counts, strict=False) if count]


def _search_text(line: ReportRow) -> str:
    return " ".join([line.name, *line.settings.values(), line.definition or "", line.model or ""]).lower()


def _marks_of(cells: Iterable[ReportCell]) -> str:
    present = {word for cell in cells for word in marks(cell)}
    return " ".join(word for word in MARKS if word in present)


def _sortable(cell: ReportCell) -> str:
    """The claim as a sort key; the first of several frame rates."""
    if cell.claim is not None:
        return cell.claim
    first = re.match(r"[0-9.]+", cell.printed)
    return first[0] if first else ""


def _details(
    origins: Origins, line: ReportRow, cell: ReportCell, column: Column
) -> Iterator[tuple[str, str, int | None]]:
    """The details of a cell: what, text, and the number of the origin to link."""
    yield "Claim", cell.printed, None
    if cell.measured is not None:
        unit = _UNITS.get(cell.metric, cell.unit)
        yield "Measured", f"{Decimal(cell.exact):,f} {unit}" if cell.exact else cell.measured, None
        yield "as published", f"{cell.measured}{column.suffix}", None
    if difference := delta(cell):
        yield "Delta", f"{difference} ({cell.percent:+.1f} %)" if cell.percent else difference, None
    if bounds := interval(cell):
        yield "95 % interval", f"{bounds}: where another draw of images would put it", None
    yield "Mark", cell.mark, None
    if cell.tolerance:
        yield "Tolerance", f"{cell.tolerance} points", None
    if compared := cell.comparison:
        text = f"with {compared.base}: published {compared.printed}, measured {compared.measured or '-'}"
        yield "Comparison", f"{text}: {compared.verdict}", None
    if cell.note:
        yield "Note", cell.note, None
    if cell.provenance:
        yield "Provenance", "", origins.number(line, cell.provenance)
    for superseded in cell.others:
        text = f"{superseded.measured or 'nothing'}, which does not count: {superseded.why}"
        yield "Another run", text, origins.number(line, superseded.provenance)
