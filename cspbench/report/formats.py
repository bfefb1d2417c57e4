"""Tables of texts as markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence


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
    """The table as md, csv or latex."""
    if form == "md":
        return grid(header, lines) + "\n"
    return flat_csv(header, lines) if form == "csv" else latex(header, lines)


_SPECIAL = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "※": "*"}
    | {"×": r"$\times$", "→": r"$\to$", "Δ": r"$\Delta$"}
)


def _escaped(text: str) -> str:
    return text.translate(_SPECIAL)
