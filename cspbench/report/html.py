"""The report as one HTML file: it needs no network and no framework, and without scripts it shows everything.

page.css and page.js beside this module become part of the page; its policy allows nothing else, by their digests.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from html import escape
from importlib.resources import files

from cspbench.claims.model import Column
from cspbench.claims.verdict import Word
from cspbench.errors import printable
from cspbench.plots.style import Svg
from cspbench.report.markdown import OURS, OURS_TEXT, TITLE
from cspbench.report.model import Line, ReportedCell
from cspbench.report.select import MARKS, PARTIAL, Shown, marks
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

SYMBOLS = {"exact": "✓", "within": "≈", "off": "✗", "fitted": "◇", "unmeasured": "–", "unpublished": "○", PARTIAL: "◔"}
"""What tells marks apart beside word and colour."""
_WRAPPED = ("unmeasured", "unpublished")
"""Marks whose words may go to another line."""
COUNTS = {"params": "parameters", "bflops": "operations"}


def html(shown: Sequence[Shown], drawings: Sequence[Svg] = ()) -> str:
    """The page with these tables and figures."""
    css = "\n".join([_asset("page.css").rstrip(), *(drawing.rules for drawing in drawings)]) + "\n"
    script = _asset("page.js")
    policy = f"default-src 'none'; style-src {_digest(css)}; script-src {_digest(script)}; img-src data:"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<title>{TITLE}: cspbench report</title>
<style>{css}</style>
</head>
<body>
{_body(shown, drawings)}
<script>{script}</script>
</body>
</html>
"""


def safe(text: str) -> str:
    """Text of any origin as markup that shows it, on one line."""
    return escape(printable(text))


def _asset(name: str) -> str:
    return files("cspbench.report").joinpath(name).read_text("utf-8")


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _body(shown: Sequence[Shown], drawings: Sequence[Svg]) -> str:
    origins = Origins(line for each in shown for line in each.lines)
    published = [each for each in shown if each.table.kind == "published"]
    ours = [each for each in shown if each.table.kind != "published"]
    made, jumps = _made(origins), {}
    if drawings:
        jumps["plots"] = "Plots"
    if made:
        jumps["made"] = "How each number was made"
    aside = sum(len(each.lines) for each in ours) if published else 0
    parts = [_header(published or ours, jumps, aside), "<main>", _controls(shown)]
    parts += [_section(each, origins) for each in published]
    if ours:
        parts.append(f'<div class="ours"><h2>{OURS}</h2><p class="quiet">{OURS_TEXT}</p></div>')
        parts += [_section(each, origins) for each in ours]
    if not shown:
        parts.append("<p>No row has such a cell.</p>")
    if drawings:
        figures = [
            f"<figure>{each.element}<figcaption>{safe(each.description)}.</figcaption></figure>" for each in drawings
        ]
        parts.append("\n".join(['<section id="plots"><h2>Plots</h2>', *figures, "</section>"]))
    parts += [made, "</main>", _DIALOG]
    return "\n".join(parts)


_DIALOG = """<dialog id="details" aria-labelledby="details-title">
<h2 id="details-title"></h2>
<div id="details-body"></div>
<form method="dialog"><button>Close</button></form>
</dialog>"""


def _header(counted: Sequence[Shown], jumps: Mapping[str, str], aside: int) -> str:
    """What the page is about, of these tables; `aside` are the rows of others."""
    cells = [cell for each in counted for cell in each.cells]
    verdicts = [cell.verdict for cell in cells]
    badges = [_badge(word, f"{word} {verdicts.count(word)}") for word in ORDER]
    items = [f"<li>{badge} <span>{safe(LEGEND[word])}</span></li>" for badge, word in zip(badges, ORDER, strict=True)]
    reasons = "; ".join(f"<b>{reason}</b> {safe(text)}" for reason, text in REASONS.items())
    also = f" Beside them {aside} row{'s' * (aside != 1)} of our own." if aside else ""
    links = " · ".join(f'<a href="#{place}">{text}</a>' for place, text in jumps.items())
    return f"""<header>
<h1>{TITLE}</h1>
<p class="quiet">The tables of the Cross Stage Partial Networks documents: what they claim, and below it what cspbench
measures. {safe(summary_of(counted))}.{also}</p>
{_bar(cells, "bar")}
<ul class="legend">
{chr(10).join(items)}
</ul>
<details><summary>How to read a cell</summary>
<p>The claim; below it the measurement with two digits more, where its rounding is plain, and Δ, the measurement as its
publisher would have printed it minus the claim. In parentheses the comparison with the base model, as published and
as it follows from the measurements. A measurement opens: exact number, interval, how it was made, other runs.</p>
<p>Reasons of <b>unmeasured</b>: {reasons}.</p></details>
<p>{links}</p>
</header>"""


def _bar(cells: Sequence[ReportedCell], style: str) -> str:
    """How the verdicts share the cells; a picture of what is said beside it."""
    rects, at = [], 0
    verdicts = [cell.verdict for cell in cells]
    for word in ORDER:
        if count := verdicts.count(word):
            rects.append(f'<rect class="{word}" x="{at}" width="{count}" height="1"/>')
            at += count
    shape = f'viewBox="0 0 {max(at, 1)} 1" preserveAspectRatio="none" aria-hidden="true"'
    return f'<svg class="{style}" {shape}>{"".join(rects)}</svg>'


def _badge(word: str, text: str) -> str:
    first, space, rest = text.partition(" ")
    head = f'<span aria-hidden="true">{SYMBOLS[word]}</span>&nbsp;{safe(first)}'
    if space and word in _WRAPPED:  # a dash may stand at the end of a line, but not alone
        head = f'<span class="whole">{head}</span>'
    return f'<span class="mark {word}">{head}{space}{safe(rest)}</span>'


def _controls(shown: Sequence[Shown]) -> str:
    found = {word for each in shown for cell in each.cells for word in marks(cell)}
    boxes = [
        f'<label><input type="checkbox" name="only" value="{word}"> {_badge(word, word)}</label>'
        for word in (*ORDER, PARTIAL)
        if word in found
    ]
    tables = [f'<option value="{safe(each.table.name)}">{safe(each.table.name)}</option>' for each in shown]
    return f"""<form id="controls" hidden>
<label>Rows with <input type="search" id="search" placeholder="csp resnext" autocomplete="off"></label>
<label>Table <select id="table"><option value="">all</option>{"".join(tables)}</select></label>
<fieldset><legend>Marks</legend>{"".join(boxes)}</fieldset>
<fieldset><legend>Sort numbers by</legend>
<label><input type="radio" name="by" value="claim" checked> claim</label>
<label><input type="radio" name="by" value="measured"> measurement</label></fieldset>
<button type="reset">Show all</button>
<p id="status" role="status" aria-live="polite"></p>
</form>"""


def _section(shown: Shown, origins: Origins) -> str:
    table, name = shown.table, safe(shown.table.name)
    heads = [
        f'<th scope="col" data-column="{safe(column.header)}">{safe(column.header)}</th>' for column in shown.columns
    ]
    rows = [_row(shown, line, origins) for line in shown.lines]
    said = [
        f'<li data-row="{_id(line)}"><b>{safe(line.name)}</b>: {safe(text)}</li>'
        for line in shown.lines
        for text in notes(line)
    ]
    listed = "\n".join(["", '<ul class="notes">', *said, "</ul>"]) if said else ""
    caption = f"{table.name}, {table.source}, {table.split}. {summary(shown.cells, len(shown.lines))}."
    return f"""<section id="{name}" data-table="{name}" data-kind="{table.kind}" aria-labelledby="{name}-title">
<div class="head"><h2 id="{name}-title">{safe(shown.place)}</h2> {_bar(shown.cells, "bar small")}</div>
<div class="scroll" tabindex="0" role="region" aria-labelledby="{name}-title">
<table>
<caption><span>{safe(caption)}</span></caption>
<thead><tr>{"".join(heads)}</tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
</table>
</div>{listed}
</section>"""


def _id(line: Line) -> str:
    return safe(f"{line.table}/{line.row}")


def _row(shown: Shown, line: Line, origins: Origins) -> str:
    cells = [_cell(line, column, origins) for column in shown.columns]
    found = {word for cell in line.cells.values() for word in marks(cell)}
    every = " ".join(word for word in MARKS if word in found)
    texts = [line.name, *line.settings.values(), line.definition or "", line.model or ""]
    text = safe(" ".join(texts).lower())
    return f'<tr id="{_id(line)}" data-marks="{every}" data-text="{text}">{"".join(cells)}</tr>'


def _cell(line: Line, column: Column, origins: Origins) -> str:
    if column.role == "name":
        definition = f"<small>{safe(line.definition)}</small>" if line.definition else ""
        return f'<th scope="row">{safe(line.label)}{definition}</th>'
    cell = line.cells.get(column.metric) if column.role == "metric" else None
    if cell is None:
        return f"<td>{safe(label(line, column)) if column.role != 'metric' else ''}</td>"
    known = finer(cell) if cell.measured is not None else ""
    found = " ".join(word for word in MARKS if word in marks(cell))
    numbers = f'data-claim="{_number(cell)}" data-measured="{known}"'
    title = safe(f"{line.name}: {cell.header}")
    content = f'<span class="claim">{_quiet(cell.printed)}</span>{_measurement(line, cell, column, origins)}'
    return f'<td {numbers} data-marks="{found}" data-title="{title}">{content}</td>'


def _number(cell: ReportedCell) -> str:
    """The claim to sort by; the first of several frame rates."""
    if cell.claim is not None:
        return safe(cell.claim)
    first = re.match(r"[0-9.]+", cell.printed)
    return first[0] if first else ""


def _quiet(text: str) -> str:
    """A number with its comparison set back."""
    number, space, rest = text.partition(" (")
    return f"{safe(number)} <i>({safe(rest)}</i>" if space else safe(text)


def _measurement(line: Line, cell: ReportedCell, column: Column, origins: Origins) -> str:
    badge = _badge(cell.verdict, cell.mark)
    if cell.comparison and cell.comparison.verdict == Word.OFF:
        badge += _badge("off", f"{cell.comparison.measured} off")
    value = measured(cell, column)
    if value is None and not cell.others:
        return badge
    difference = delta(cell)
    change = f" <i>Δ{safe(difference)}</i>" if difference else ""
    head = f"<b>{_quiet(value)}</b>{change}" if value is not None else "<b>other runs</b>"
    pairs = "".join(f"<dt>{what}</dt><dd>{text}</dd>" for what, text in _details(line, cell, column, origins))
    return f"<details><summary>{head}{badge}</summary><dl>{pairs}</dl></details>"


def _details(line: Line, cell: ReportedCell, column: Column, origins: Origins) -> Iterable[tuple[str, str]]:
    """All that is known of a cell, as (what, markup)."""
    yield "Claim", safe(cell.printed)
    if cell.measured is not None:
        value = f"{Decimal(cell.exact):,f} {COUNTS.get(cell.metric, cell.unit)}" if cell.exact else cell.measured
        yield "Measured", safe(value)
        yield "as published", safe(f"{cell.measured}{column.suffix}")
    if difference := delta(cell):
        yield "Delta", safe(difference + _percent(cell))
    if bounds := interval(cell):
        yield "95 % interval", safe(bounds)
    yield "Mark", safe(cell.mark)
    if cell.comparison:
        compared = cell.comparison
        text = f"with {compared.base}: published {compared.printed}, measured {compared.measured or '-'}"
        yield "Comparison", safe(f"{text}: {compared.verdict}")
    if cell.note:
        yield "Note", safe(cell.note)
    if cell.made:
        yield "Made", _reference(origins.number(line, cell.made))
    for other in cell.others:
        text = f"{safe(other.measured or 'nothing')}, which does not count: {safe(other.why)}"
        yield "Another run", f"{text} {_reference(origins.number(line, other.made))}"


def _percent(cell: ReportedCell) -> str:
    if (
        not cell.claim
        or not cell.delta
        or not Decimal(cell.claim)
        or not Decimal(cell.delta)
        or cell.metric not in COUNTS
    ):
        return ""
    return f" ({Decimal(cell.delta) / Decimal(cell.claim) * 100:+.1f} %)"


def _reference(number: int) -> str:
    return f'<a href="#made-{number}">[{number}]</a>'


def _made(origins: Origins) -> str:
    items = []
    for number, made in origins:
        (_, command), *rest = facts(made)
        pairs = "".join(f"<dt>{what}</dt><dd>{safe(text)}</dd>" for what, text in rest)
        items.append(f'<li id="made-{number}"><div>[{number}] <code>{safe(command)}</code></div><dl>{pairs}</dl></li>')
    if not items:
        return ""
    return "\n".join(['<section id="made"><h2>How each number was made</h2>', "<ol>", *items, "</ol>", "</section>"])
