"""Parameter and operation counts as tables: the claim beside the measurement and the verdict, cell by cell."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Collection, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.rounding import comparable_count, percent_off
from cspbench.errors import CspbenchError, UsageError
from cspbench.io import write_bytes, write_text
from cspbench.network.counting import COUNTINGS
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex_tables
from cspbench.report.formats import markdown as as_markdown
from cspbench.report.judged_counts import CountsRow
from cspbench.report.model import ReportCell
from cspbench.report.select import Section
from cspbench.report.text import delta, some, with_comparison
from cspbench.results import layers
from cspbench.results.counts import CountedCell, Counts
from cspbench.results.encoding import encode
from cspbench.results.schema import Session
from cspbench.results.store import read_record
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS

COLUMNS = (
    *(Column("Model"), Column("Definition", 3), Column("Input", 2)),
    *(
        column
        for header in ("#Parameter", "BFLOPs")
        for column in (
            *(Column(header, kind="number"), Column("measured", kind="number", of=header)),
            Column("verdict", kind="verdict", of=header),
        )
    ),
    *(Column("Counted as", 4), Column("Note", kind="note")),
)

LEGEND = """\
Legend: **exact** the measurement, rounded as its publisher rounded, is the published number; **off** it is not, and
by how much; **fitted** it is, but the network is a stand-in chosen for that, so it proves nothing; **missed** it is
not, and the network is such a stand-in, so that is not an error of the claim; unpublished: the document prints no
number; unmeasured: no network to measure, or counted by another rule than the claim's, with the reason. In
parentheses the comparison with the base model, as published and as it follows from the measurements. Definition:
*cfg* equals the published file layer by layer, *paper* another complete public definition, *reconstruction* forced by
independent evidence, *stand-in* ours, chosen for the published totals, *file* and *own* a cfg of yours; and where it
is less than certain, how confident we are that the network is the one behind the numbers. Counted as: parameters,
operations (`cspbench params --help` lists the countings), 2 × where the publisher printed the double; every figure
was counted twice, by formula over the layer list and by fvcore over the torch module, and both agree to the last
operation.
"""

SMALL = {"M": 10**5, "G": 10**6}
"""Counts below these are printed in full: rounded to M or G, few digits would remain."""


def quantity(count: int, unit: str, single: str = "") -> str:
    """A count in M ("27.6059M") or in G ("13.06731"), or in full ("9216 operations")."""
    if count < SMALL.get(unit, count + 1):
        return f"{count} {single}".rstrip()
    return f"{count / 10**6:.4f}M" if unit == "M" else f"{count / 10**9:.5f}"


def _size(size: Sequence[int] | None) -> str:
    return "×".join(map(str, size)) if size else "-"


def _cells(row: CountsRow) -> list[tuple[CountedCell, ReportCell]]:
    """Each metric's count and its judged cell."""
    return [(getattr(row.counted, metric), row.report.cells[metric]) for metric in COUNTED]


def _measured(counted: CountedCell, cell: ReportCell) -> str:
    if counted.count is None:
        return "-"
    single = f"{COUNTINGS[counted.counting].unit}s" if counted.unit == "G" else ""
    return with_comparison(quantity(comparable_count(counted.count, counted.rounding), counted.unit, single), cell)


def _counting(counted: CountedCell) -> str:
    return f"2 × {counted.counting}" if counted.rounding == "doubled" else counted.counting


def _model(row: CountsRow) -> Model | None:
    return MODELS.get(row.counted.catalogue_model)


def _definition(row: CountsRow) -> str:
    definition, model = row.report.definition or "-", _model(row)
    return definition if model is None or model.confidence == "certain" else f"{definition}, {model.confidence}"


def _percent(counted: CountedCell, cell: ReportCell) -> Decimal | None:
    """How far an off count lies from its claim, in percent."""
    if cell.verdict != "off" or counted.count is None or cell.claim is None:
        return None
    return percent_off(counted.count, Decimal(cell.claim), counted.unit, counted.rounding)


def _verdict(counted: CountedCell, cell: ReportCell) -> str:
    percent = _percent(counted, cell)
    distance = f"{percent:+.1f} %" if percent else delta(cell)  # one parameter of a million is 0.0 %
    word = cell.mark if percent is None else cell.mark.replace(cell.word, f"{cell.word} {distance}", 1)
    compared = cell.comparison
    return f"{word}; comparison {compared.word}" if compared and compared.verdict == "off" else word


def _note(row: CountsRow) -> str | None:
    """The notes on a row's model and on its cells."""
    notes = [row.report.note] if row.report.note else []
    notes += [f"{metric} {cell.note}" for metric, cell in row.report.cells.items() if cell.note]
    return "; ".join(notes) or None


def texts(row: CountsRow) -> list[str]:
    """The texts of one line, in the order of `COLUMNS`."""
    line = [row.report.name, _definition(row), _size(row.counted.size)]
    for counted, cell in _cells(row):
        line += [counted.printed, _measured(counted, cell), _verdict(counted, cell)]
    return [*line, ", ".join(_counting(counted) for counted, _ in _cells(row)), _note(row) or ""]


def blocks(rows: Sequence[CountsRow]) -> list[Block]:
    """All rows, a section for each table in the README's order, models without a row first."""
    parts: list[Block] = []
    if rowless := [row for row in rows if not row.report.table]:
        parts.append(_table(rowless))
    for table in tables.load_all(kind=None):
        if section := [row for row in rows if row.report.table == table.name]:
            parts.append(Paragraph(f"## {Section(table).place}\n\n`{table.name}`, {table.source}", "heading"))
            parts.append(_table(section))
    return [*parts, Paragraph(LEGEND.strip(), "legend"), Paragraph(summary(rows))]


def _table(rows: Sequence[CountsRow]) -> Table:
    return Table(COLUMNS, list(map(texts, rows)))


def markdown(rows: Sequence[CountsRow]) -> str:
    """The blocks as markdown."""
    return as_markdown(blocks(rows))


def summary(rows: Sequence[CountsRow]) -> str:
    """The number of cells by verdict, on one line."""
    marks = Counter(cell.mark for row in rows for cell in row.report.cells.values())
    counts = ", ".join(f"{count} {mark}" for mark, count in sorted(marks.items(), key=lambda item: (-item[1], item[0])))
    return f"{some(len(rows), 'row')}, {2 * len(rows)} cells: {counts}."


def _number(value: Decimal | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)


def as_json(row: CountsRow) -> dict[str, Any]:
    """One row as a JSON object, with its verdicts."""
    report, counted, model = row.report, row.counted, _model(row)
    return {
        "table": counted.table,
        "row": counted.row,
        "id": counted.id,
        "settings": dict(counted.settings),
        "model": counted.model,
        "definition": report.definition,
        "confidence": model.confidence if model else None,
        "unknown": model.unknown if model else None,
        "size": list(counted.size) if counted.size else None,
        "network": counted.network,
        **{metric: _cell_json(*pair) for metric, pair in zip(COUNTED, _cells(row), strict=True)},
        "note": _note(row),
    }


def _cell_json(counted: CountedCell, cell: ReportCell) -> dict[str, Any]:
    """`measured` is in single parameters, and in billions of operations unless the claim is in single ones.

    `count` is in the counting's own unit; where the claim doubles that, so does `measured`.
    """
    measured: int | float | None = counted.count
    if counted.count is not None:
        measured = comparable_count(counted.count, counted.rounding)
        if counted.unit == "G":
            measured = round(measured / 10**9, 6)
    data: dict[str, Any] = {
        "published": _number(None if cell.claim is None else Decimal(cell.claim)),
        "printed": counted.printed,
        "unit": counted.unit,
        "counting": counted.counting,
        "rounding": counted.rounding,
        "measured": measured,
        "count": counted.count,
        "verdict": cell.verdict,
    }
    if cell.reason:
        data["reason"] = cell.reason
    if cell.verdict == "off":
        data["delta"] = _number(None if cell.delta is None else Decimal(cell.delta))
        data["percent"] = _number(_percent(counted, cell))
        data["explained"] = cell.explained
    if cell.comparison:
        data["comparison"] = {
            "published": cell.comparison.printed,
            "base": cell.comparison.base,
            "measured": cell.comparison.measured,
            "verdict": cell.comparison.verdict,
        }
    return data


_FLAT = ("table", "row", "id", "model", "definition", "confidence", "size")
_FLAT_CELL = ("published", "counting", "count", "measured", "delta", "verdict", "reason")


def as_csv(rows: Sequence[CountsRow]) -> str:
    """A line for each row, counts as exact integers."""
    header = [*_FLAT, *(f"{metric}_{key}" for metric in COUNTED for key in _FLAT_CELL), "note"]
    lines = []
    for row in map(as_json, rows):
        values = [row[key] for key in _FLAT[:-1]] + ["×".join(map(str, row["size"] or ())) or None]
        values += [row[metric].get(key) for metric in COUNTED for key in _FLAT_CELL]
        lines.append([*values, row["note"]])
    return flat_csv(header, lines)


def as_latex(rows: Sequence[CountsRow]) -> str:
    """One LaTeX table with the columns of the markdown."""
    return latex_tables([_table(rows)])


# --- files

Key = tuple[str | None, str | None]
"""Table and row id; None and the model where it has no row."""


def save(rows: Sequence[CountsRow], out: Path, name: str, session: Session) -> None:
    """Write NAME.json and NAME.md."""
    counted = [row.counted for row in rows]
    of_models, networks = layers.of_rows(counted)
    record = Counts(session=session, rows=counted, layers=of_models, networks=networks)
    write_bytes(out / f"{name}.json", encode(record))
    by = f"cspbench {session.cspbench}, torch {session.packages['torch']}, fvcore {session.packages['fvcore']}"
    heading = f"# Parameters and BFLOPs\n\nMeasured by `{shlex.join(session.command)}` ({by}).\n\n"
    write_text(out / f"{name}.md", heading + markdown(rows))


def refuse_to_lose(path: Path, counted: Collection[Key]) -> None:
    """Raise `UsageError` if the file holds rows that are not to be counted again.

    A report would show them as unmeasured, and `ci` as vanished. An earlier schema must be migrated first.
    """
    try:
        rows = read_record(path, Counts).rows
    except CspbenchError as error:
        if error.code == "results.old-schema":
            raise
        return  # there is no such file, or it holds no counts
    saved = {(row.table, row.id if row.table else row.model): str(row.row or row.model) for row in rows}
    lost = [name for key, name in saved.items() if key not in counted]
    if lost:
        raise UsageError(
            "usage.save-would-drop",
            f"--save would drop {len(lost)} of the {len(saved)} rows in the file",
            where=str(path),
            expected="a run that counts each of them",
            found=f"none of {', '.join(lost[:3])}{', ...' if len(lost) > 3 else ''}",
            remedy="Count them all with --all, or write elsewhere with --out",
        )
