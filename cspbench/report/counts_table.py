"""Parameter and operation counts as tables: the claim beside the measurement and the verdict, cell by cell.

Reads the objects that `params` gives as JSON, whether fresh or from a result file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cspbench.claims.model import Table
from cspbench.claims.rounding import claimed_as
from cspbench.network.counting import COUNTINGS

HEADER = (
    "Model",
    "Definition",
    "Input",
    "#Parameter",
    "measured",
    "verdict",
    "BFLOPs",
    "measured",
    "verdict",
    "Counted as",
    "Note",
)

LEGEND = """\
Legend: **exact** the measurement, rounded as its publisher rounded, is the published number; **off** it is not, and by
how much; **fitted** it is, but the network was chosen for that, so it proves nothing; unpublished: the document prints
no number; unmeasured: no network to measure, or counted another way than the claim, with the reason. In parentheses
the comparison with the base model, as published and as it follows from the measurements. Definition: *cfg* equals the
published file layer by layer, *paper* another complete public definition, *reconstruction* forced by independent
evidence, *stand-in* ours, chosen for the published totals, *file* a cfg of yours; and where it is less than certain,
how confident we are that the network is the one behind the numbers. Counted as: parameters, operations
(`cspbench params --help` lists the countings), 2 × where the publisher printed the double; every figure was counted
twice, by formula over the layer list and by fvcore over the torch module, and both agree to the last operation.
"""


def _size(size: Sequence[int] | None) -> str:
    return "×".join(map(str, size)) if size else "-"


SMALL = {"M": 10**5, "G": 10**6}
"""Below, a number of parameters or operations is printed as it is: in M or G little of it would be left."""


def quantity(count: int, unit: str, single: str = "") -> str:
    """A count in M ("27.6059M") or in G ("13.06731"), or in single ones ("9216 operations")."""
    if count < SMALL.get(unit, count + 1):
        return f"{count} {single}".rstrip()
    return f"{count / 10**6:.4f}M" if unit == "M" else f"{count / 10**9:.5f}"


def _measured(cell: Mapping[str, Any]) -> str:
    if cell["count"] is None:
        return "-"
    single = f"{COUNTINGS[cell['counting']].unit}s" if cell["unit"] == "G" else ""
    text = quantity(claimed_as(cell["count"], cell["rounding"]), cell["unit"], single)
    comparison = cell.get("comparison") or {}
    return f"{text} {comparison['measured']}" if comparison.get("measured") else text


def _counting(cell: Mapping[str, Any]) -> str:
    return f"2 × {cell['counting']}" if cell["rounding"] == "doubled" else str(cell["counting"])


def _definition(row: Mapping[str, Any]) -> str:
    known = row["definition"] or "-"
    return known if row["confidence"] in (None, "certain") else f"{known}, {row['confidence']}"


def _word(cell: Mapping[str, Any]) -> str:
    """The verdict without figures."""
    word = str(cell["verdict"])
    if word == "off" and cell.get("explained"):
        word = "off, explained"
    return f"{word}: {cell['reason']}" if "reason" in cell else word


def _verdict(cell: Mapping[str, Any]) -> str:
    word = _word(cell)
    if cell["verdict"] == "off" and cell.get("percent") is not None:
        word = word.replace("off", f"off {cell['percent']:+.1f} %", 1)
    comparison = cell.get("comparison") or {}
    return f"{word}; comparison off" if comparison.get("verdict") == "off" else word


def cells(row: Mapping[str, Any]) -> list[str]:
    """The texts of one line, in the order of `HEADER`."""
    name = ", ".join(
        [row["row"] or row["model"], *row["settings"].values()] if row["table"] != "timm" else [row["row"]]
    )
    params, bflops = row["params"], row["bflops"]
    return [
        name,
        _definition(row),
        _size(row["size"]),
        params["printed"],
        _measured(params),
        _verdict(params),
        bflops["printed"],
        _measured(bflops),
        _verdict(bflops),
        f"{_counting(params)}, {_counting(bflops)}",
        row["note"] or "",
    ]


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A markdown table; bars inside cells are escaped."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def markdown(rows: Sequence[Mapping[str, Any]], tables: Iterable[Table]) -> str:
    """All rows, a section a published table in the README's order, models without a row first."""
    parts = []
    alone = [row for row in rows if row["table"] is None]
    if alone:
        parts.append(grid(HEADER, map(cells, alone)))
    for table in tables:
        mine = [row for row in rows if row["table"] == table.name]
        if mine:
            place = " / ".join(table.section) if table.section[-1] == table.title else table.title
            parts.append(f"## {place}\n\n`{table.name}`, {table.source}\n\n{grid(HEADER, map(cells, mine))}")
    return "\n\n".join([*parts, LEGEND.strip(), summary(rows)]) + "\n"


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many cells got which verdict, in one line."""
    words: dict[str, int] = {}
    for row in rows:
        for metric in ("params", "bflops"):
            word = _word(row[metric])
            words[word] = words.get(word, 0) + 1
    counted = ", ".join(
        f"{count} {word}" for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0]))
    )
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}, {2 * len(rows)} cells: {counted}."


_FLAT = ("table", "row", "id", "model", "definition", "confidence", "size")
_FLAT_CELL = ("published", "counting", "count", "measured", "verdict")


def _flat(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    header = [*_FLAT, *(f"{metric}_{key}" for metric in ("params", "bflops") for key in _FLAT_CELL), "note"]
    lines = []
    for row in rows:
        values = [row[key] for key in _FLAT[:-1]] + [_size(row["size"])]
        values += [row[metric][key] for metric in ("params", "bflops") for key in _FLAT_CELL]
        lines.append(["" if value is None else str(value) for value in [*values, row["note"]]])
    return header, lines


def flat_csv(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """CSV with one header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()


def latex(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A LaTeX tabular (packages booktabs), special characters escaped."""
    from pandas import DataFrame

    text: str = (
        DataFrame(list(lines), columns=list(header))
        .map(_escaped)
        .to_latex(index=False, header=list(map(_escaped, header)))
    )
    return text


_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "×": r"$\times$", "※": "*"}
)


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """All rows, one line each, counts as exact integers."""
    return flat_csv(*_flat(rows))


def as_latex(rows: Sequence[Mapping[str, Any]]) -> str:
    """All rows as one LaTeX table, in the columns of the markdown."""
    return latex(HEADER, map(cells, rows))
