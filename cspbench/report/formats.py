"""Results as blocks, tables and paragraphs, and how they are written as markdown, CSV and LaTeX.

The command line renders the same blocks for a terminal (`cspbench.cli.terminal.rich_tables`).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

WIDE_ONLY = 9
"""The rank of a column that a terminal shows on request."""


@dataclass(frozen=True)
class Column:
    """A column of a table.

    On a terminal that is too narrow, columns with the highest `rank` are left out first, and those of rank 0 never.
    A verdict is coloured there; a note stands below the table. `of` is the header of the column that this one goes
    with, which is said where that one is not shown.
    """

    header: str
    rank: int = 0
    kind: Literal["text", "number", "verdict", "note"] = "text"
    of: str = ""


@dataclass(frozen=True)
class Table:
    """Lines of texts, one text a column."""

    columns: Sequence[Column]
    lines: Sequence[Sequence[str]]

    @property
    def header(self) -> list[str]:
        """The texts of the header."""
        return [column.header for column in self.columns]


@dataclass(frozen=True)
class Paragraph:
    """Text between tables, markdown. A terminal shows a legend on request and dims `apart`, which is not a result."""

    text: str
    kind: Literal["text", "heading", "legend", "aside"] = "text"


Block = Table | Paragraph


def markdown(blocks: Iterable[Block]) -> str:
    """All blocks, with an empty line between them."""
    texts = [grid(block.header, block.lines) if isinstance(block, Table) else block.text for block in blocks]
    return "\n\n".join(texts) + "\n"


def latex_tables(blocks: Iterable[Block]) -> str:
    """The tables alone."""
    return "\n".join(latex(block.header, block.lines) for block in blocks if isinstance(block, Table))


def grid(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A markdown table; bars inside cells are escaped."""
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def flat_csv(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """CSV with one header line; None is empty."""
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


def table(header: Sequence[str], lines: Iterable[Sequence[str]], form: str) -> str:
    """The table as csv or latex, otherwise as markdown."""
    if form == "csv":
        return flat_csv(header, lines)
    return latex(header, lines) if form == "latex" else grid(header, lines) + "\n"


_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "※": "*"}
    | {"×": r"$\times$", "→": r"$\to$", "Δ": r"$\Delta$", "±": r"$\pm$"}
)


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)
