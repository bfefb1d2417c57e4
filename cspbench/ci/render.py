"""Changes as a table in md, json, csv or latex, and as the body of a comment.

Markdown has five columns, which fit on a page beside each other, below the failing cells by their cause.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Any

from cspbench.ci.diff import Changes, Kind, Pair
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import NOTHING
from cspbench.claims.rounding import round_half_up
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, grid, latex
from cspbench.report.model import ReportCell
from cspbench.report.text import delta, mark

MARKER = "<!-- cspbench-ci -->"
"""The first line of a comment, by which the next run recognises and replaces it."""
COMMENT_LIMIT = 65_000
SUMMARY_LIMIT = 1_000_000
"""In bytes; GitHub accepts 65,536 characters in a comment and 1 MiB in a summary."""
MOST_CAUSES = 20
"""Causes that are listed above the table."""

HEADER = (
    *("Result", "Table", "Row", "Cell", "Claim", "Baseline", "Measured"),
    *("Change", "From the claim", "Verdict", "Why"),
)
NARROW = ("Result", "Row", "Cell", "Baseline → measured", "Why")


def one_line(text: str) -> str:
    """Text on one line: white space as a space, other unprintable characters replaced."""
    return "".join(
        char if char.isprintable() else " " if char.isspace() else "\N{REPLACEMENT CHARACTER}" for char in text
    )


def result(pair: Pair) -> str:
    """The result of a pair: "fails: changed", "partial", "passes: new"."""
    if pair.kind == Kind.PARTIAL:
        return str(pair.kind)
    return f"{'fails' if pair.failing else 'passes'}: {pair.kind}"


def texts(pair: Pair) -> list[str]:
    """The texts of one pair, in the order of `HEADER`."""
    cell = pair.after or pair.before
    notes = dict.fromkeys(side.note for side in (pair.after, pair.before) if side and side.note)
    fresh = [note for note in notes if note not in pair.why]
    columns = [
        result(pair),
        pair.table,
        pair.name,
        pair.header,
        cell.printed if cell else "-",
        _value(pair.before),
        _value(pair.after),
        _moved(pair),
        (delta(pair.after) if pair.after else None) or "-",
        verdicts(pair),
        "; ".join([pair.why, *fresh]) if pair.failing else pair.why,
    ]
    return list(map(one_line, columns))


def narrow(pair: Pair) -> list[str]:
    """The texts of one pair, in the order of `NARROW`."""
    facts = dict(zip(HEADER, texts(pair), strict=True))
    claim = f" {facts['Claim']}" if facts["Claim"] != NOTHING else ""
    why = [facts["Verdict"], facts["Why"]] if "→" in facts["Verdict"] else [facts["Why"]]
    return [
        facts["Result"],
        f"{facts['Table']}: {facts['Row']}",
        f"{facts['Cell']}{claim}",
        one_line(movement(pair)) or NOTHING,
        "; ".join(why),
    ]


def movement(pair: Pair) -> str:
    """The numbers before and now, and how far that is: "27.61 (27605856) → 28.00 (27999999), +394143 (+1.43 %)".

    "" without a number.
    """
    numbers = list(dict.fromkeys([_value(pair.before), _value(pair.after)]))
    if numbers == [NOTHING]:
        return ""
    moved = f", {_moved(pair, 2)}" if pair.change else ""
    return " → ".join(numbers) + moved


def verdicts(pair: Pair) -> str:
    """The verdicts before and now, or the one if they are equal."""
    marks = [mark(cell) if cell else "-" for cell in (pair.before, pair.after)]
    return " → ".join(dict.fromkeys(marks))


def _value(cell: ReportCell | None) -> str:
    """The measurement as the publisher would have printed it, with the exact number in parentheses."""
    if cell is None or cell.measured is None:
        return "-"
    if cell.exact is None or cell.exact == cell.measured:
        return cell.measured
    exact = Decimal(cell.exact)
    if cell.metric not in COUNTED and -int(exact.as_tuple().exponent) > 4:
        return f"{cell.measured} ({round_half_up(exact, 4):f})"
    return f"{cell.measured} ({cell.exact})"


def _moved(pair: Pair, decimals: int = 6) -> str:
    moved, percent = pair.change, pair.change_percent
    if moved is None:
        return "-"
    if pair.metric not in COUNTED:
        return _signed(moved, 4)
    return _signed(moved) if not percent else f"{_signed(moved)} ({_signed(percent, decimals)} %)"


def _signed(value: Decimal, decimals: int = 40) -> str:
    with localcontext(prec=300):
        rounded = round(value, decimals).normalize() + 0
    return f"{rounded:+f}" if rounded else "0" if not value else f"less than {Decimal(1).scaleb(-decimals):f}"


def markdown(changes: Changes, baseline: str, limit: int | None = None) -> str:
    """The changes and the summary, or one line if there are none; at most `limit` bytes."""
    name = _escaped(one_line(baseline))
    if not changes.changed:
        return f"Nothing changed against {name}: {changes.summary}\n"
    groups = changes.groups
    pairs = [pair for group in groups for pair in group.pairs]
    pairs += [pair for pair in changes.changed if not pair.failing]
    lines = [[_escaped(text) for text in narrow(pair)] for pair in pairs]
    causes = "".join(f"- {_escaped(one_line(group.line))}\n" for group in groups[:MOST_CAUSES])
    if len(groups) > MOST_CAUSES:
        causes += f"- and {len(groups) - MOST_CAUSES} other causes\n"
    head = f"Compared with {name}:\n\n" + (f"{causes}\n" if causes else "")
    tail = f"\n\n{changes.summary}\n"
    shown = len(lines) if limit is None else _fitting(lines, limit - len((head + tail).encode()) - 200)
    if shown < len(lines):
        left, failing = len(lines) - shown, sum(pair.failing for pair in pairs[shown:])
        tail = f"\n\nAnd {left} more change{'s' * (left != 1)}, {failing} failing: `cspbench ci` lists them.{tail}"
    return head + grid(NARROW, lines[:shown]) + tail


def _fitting(lines: Sequence[Sequence[str]], limit: int) -> int:
    """How many lines of the table fit into `limit` bytes."""
    left = limit - len(grid(NARROW, []).encode())
    for count, line in enumerate(lines):
        left -= len(grid(line, []).split("\n")[0].encode()) + 1
        if left < 0:
            return count
    return len(lines)


def _escaped(text: str) -> str:
    """Plain text escaped for markdown: tags, and backslashes, which could escape the bar that ends a cell."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\\", "&#92;")


def comment(changes: Changes, baseline: str) -> str:
    """The body of a comment, the marker first."""
    numbers = changes.numbers
    parts = [f"{numbers[key]} {key}" for key in ("failing", "partial") if numbers[key]]
    if not parts:
        parts = [f"{numbers['changed']} changed, none failing"] if numbers["changed"] else ["nothing changed"]
    head = f"{MARKER}\n### cspbench: {', '.join(parts)}\n\n"
    return head + markdown(changes, baseline, COMMENT_LIMIT - len(head.encode()))


def as_json(changes: Changes, baseline: str) -> dict[str, Any]:
    """The changes as a JSON object."""
    return {
        "baseline": baseline,
        "exit_code": changes.exit_code,
        "numbers": {key.replace(" ", "_"): value for key, value in changes.numbers.items()},
        "causes": [
            {"models": list(group.models), "what": group.text, "cells": len(group.pairs)} for group in changes.groups
        ],
        "changes": [_object(pair) for pair in changes.changed],
    }


def _object(pair: Pair) -> dict[str, Any]:
    cell = pair.after or pair.before
    return {
        "kind": str(pair.kind),
        "failing": pair.failing,
        "table": pair.table,
        "row": pair.row,
        "name": pair.name,
        "metric": pair.metric or None,
        "cell": pair.header,
        "claim": cell.printed if cell else None,
        "baseline": _measurement(pair.before),
        "measured": _measurement(pair.after),
        "change": None if pair.change is None else f"{pair.change:f}",
        "why": pair.why,
        "cause": pair.cause.text if pair.cause else None,
    }


def _measurement(cell: ReportCell | None) -> dict[str, Any] | None:
    if cell is None:
        return None
    return {"measured": cell.measured, "exact": cell.exact, "delta": cell.delta, "verdict": cell.mark}


def table(changes: Changes, baseline: str, form: str) -> str:
    """The changes as md, json, csv or latex; the last two without the summary."""
    if form == "md":
        return markdown(changes, baseline)
    if form == "json":
        return json.dumps(as_json(changes, baseline), indent=1, ensure_ascii=False) + "\n"
    if form == "csv":
        return flat_csv(FLAT, map(_flat, changes.changed))
    return latex(HEADER, [texts(pair) for pair in changes.changed])


FLAT = (
    *("kind", "failing", "table", "row", "name", "metric", "claim"),
    *(f"{side}{what}" for side in ("baseline", "measured") for what in ("", "_exact", "_delta", "_verdict", "_reason")),
    *("change", "change_percent", "why"),
)
"""Columns of the CSV."""


def _flat(pair: Pair) -> list[object]:
    """The cells of `FLAT`, one number or word a cell."""
    cell = pair.after or pair.before
    about = [str(pair.kind), "yes" if pair.failing else "no", pair.table, pair.row, pair.name, pair.metric or None]
    sides = [
        value
        for side in (pair.before, pair.after)
        for value in ([side.measured, side.exact, side.delta, side.verdict, side.reason] if side else [None] * 5)
    ]
    changed = [None if value is None else f"{value:f}" for value in (pair.change, pair.change_percent)]
    return [*about, cell.claim if cell else None, *sides, *changed, pair.why]


COLUMNS = (
    *(Column("Result"), Column("Table", 4), Column("Row"), Column("Cell"), Column("Claim", 3, "number")),
    *(Column("Baseline", 2, "number"), Column("Measured", kind="number"), Column("Change", 1, "number")),
    *(Column("From the claim", 5, "number"), Column("Verdict", kind="verdict"), Column("Why", kind="note")),
)
"""Those of `HEADER`, for a terminal."""


def blocks(changes: Changes, baseline: str) -> list[Block]:
    """The changes and the summary for a terminal."""
    if not changes.changed:
        return [Paragraph(f"Nothing changed against {one_line(baseline)}: {changes.summary}")]
    shown = Table(COLUMNS, [texts(pair) for pair in changes.changed])
    return [Paragraph(f"Compared with {one_line(baseline)}", "heading"), shown, Paragraph(changes.summary)]
