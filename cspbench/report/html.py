"""The report as one HTML file without external resources; everything is readable without scripts.

The template page.html.j2 contains page.css and page.js; the page's security policy allows only these two, by their
digests. The template escapes every text.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from importlib.resources import files
from itertools import accumulate
from typing import Any, NamedTuple

from cspbench.claims.metrics import METRICS
from cspbench.claims.model import Column
from cspbench.errors import printable
from cspbench.report import speed
from cspbench.report.analysis import page
from cspbench.report.findings import by_kind, headline
from cspbench.report.markdown import ORIGINS, OURS, OURS_TEXT, TITLE, UNMEASURED
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.retrained.lines import TEXT as RETRAINED_TEXT
from cspbench.report.retrained.lines import TITLE as RETRAINED
from cspbench.report.retrained.lines import Part
from cspbench.report.retrained.text import made_by, methods, table
from cspbench.report.select import MARKS, PARTIAL, Section, arranged, marks
from cspbench.report.studies import pages
from cspbench.report.studies.text import TITLE as STUDIES
from cspbench.report.template import environment
from cspbench.report.text import (
    LEGEND,
    ORDER,
    REASONS,
    SYMBOLS,
    Origins,
    comparison_mark,
    delta,
    facts,
    finer,
    interval,
    label,
    measured,
    notes,
    some,
    summary,
)
from cspbench.report.yours import TEXT as YOURS_TEXT
from cspbench.report.yours import TITLE as YOURS
from cspbench.results.speeds.record import SpeedRun
from cspbench.results.store import StoredEvaluation
from cspbench.retrained.studies import Study
from cspbench.zoo.registry import MODELS

_UNITS = {"params": "parameters", "bflops": "operations"}


class Svg(NamedTuple):
    """A figure: its file's name without suffix, element, style rules, and description for those who cannot see it."""

    name: str
    element: str
    rules: str
    description: str


def html(
    shown: Sequence[Section],
    drawings: Sequence[Svg] = (),
    evaluations: Sequence[StoredEvaluation] = (),
    retrained: Sequence[Part] = (),
    speeds: Sequence[SpeedRun] = (),
    studies: Sequence[Study] = (),
) -> str:
    """The page; it shows the errors of those `evaluations` that were analysed, the times of `speeds`, and `studies`."""
    from markupsafe import Markup, escape

    def breakable(text: str) -> Markup:
        """A name that may break after its underscores too."""
        return Markup("_<wbr>").join(map(escape, printable(text).split("_")))

    errors = page.section(evaluations)
    styles = [_asset("page.css").rstrip(), *([page.rules().rstrip()] if errors else [])]
    css = "\n".join([*styles, *(drawing.rules for drawing in drawings)]) + "\n"
    script = _asset("page.js")
    templates = environment(keep_trailing_newline=True)
    functions: list[Callable[..., object]] = [summary, some, label, measured, finer, delta, notes, comparison_mark]
    functions += [breakable, _shares, _search_text, _marks_of, _sortable]
    templates.globals |= {function.__name__.lstrip("_"): function for function in functions}
    parts = arranged(shown)
    cells = [cell for section in parts.every or parts.ours for cell in section.cells]
    words = [cell.word for cell in cells]
    present = _marks_of([cell for section in shown for cell in section.cells]).split()
    origins = Origins(line for section in shown for line in section.lines)
    return templates.from_string(_asset("page.html.j2")).render(
        parts=parts,
        findings=by_kind(shown),
        headline=headline(shown),
        definitions=_definitions(shown),
        ours_rows=sum(len(section.lines) for section in parts.ours),
        retrained=[(part, table(part), list(made_by(part))) for part in retrained],
        retrained_title=RETRAINED,
        retrained_texts=[RETRAINED_TEXT, *filter(None, [methods(retrained)])],
        yours_title=YOURS,
        yours_text=YOURS_TEXT,
        cells=cells,
        legend=[(str(word), words.count(word), LEGEND[word]) for word in ORDER],
        reasons=REASONS,
        marks=[str(word) for word in (*ORDER, PARTIAL) if word in present],
        origins=[(number, facts(provenance)) for number, provenance in origins],
        details=partial(_details, origins),
        css=Markup(css),
        script=Markup(script),
        policy=f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; img-src data:",
        drawings=[drawing for drawing in drawings if not drawing.name.startswith(pages.FIGURES)],
        errors=Markup(errors),
        speed=Markup(speed.as_html(speeds)),
        studies=Markup(pages.as_html(studies, drawings)),
        studies_title=STUDIES,
        symbols=SYMBOLS,
        title=TITLE,
        ours_title=OURS,
        ours_text=OURS_TEXT,
        unmeasured_title=UNMEASURED,
        origins_title=ORIGINS,
    )


def _asset(name: str) -> str:
    return files("cspbench.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shares(cells: Sequence[ReportCell]) -> list[tuple[str, int, int]]:
    """The parts of a bar of marks: (word, offset, number of cells)."""
    words = [cell.word for cell in cells]
    counts = [words.count(word) for word in ORDER]
    offsets = accumulate(counts, initial=0)
    return [(str(word), at, count) for word, at, count in zip(ORDER, offsets, counts, strict=False) if count]


def _definitions(shown: Sequence[Section]) -> dict[str, dict[str, Any]]:
    """Where the networks of the rows come from, by model: as `show --why` has it, evidence in paragraphs."""
    names = sorted({line.model for section in shown for line in section.lines if line.model in MODELS})
    texts: dict[str, dict[str, Any]] = {}
    for name in names:
        model = MODELS[name]
        paragraphs = [" ".join(paragraph.split()) for paragraph in model.evidence.split("\n\n")]
        facts = {"Definition": f"{model.definition}, {model.source}", "Confidence": model.confidence}
        texts[name] = {"facts": facts | ({"Unknown": model.unknown} if model.unknown else {}), "evidence": paragraphs}
    return texts


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
        yield "Delta", f"{difference} ({float(cell.percent):+.2g} %)" if cell.percent else difference, None
    if bounds := interval(cell):
        another = "the median of more rounds" if METRICS[cell.metric].family == "speed" else "another draw of images"
        yield "95 % interval", f"{bounds}: where {another} would put it", None
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
