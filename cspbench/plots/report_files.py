"""Writing a results directory's report in every format, with its plots."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from cspbench.claims.model import Table
from cspbench.io import write_bytes, write_text
from cspbench.plots.figures import Plot, plots
from cspbench.report.forms import SUFFIXES, rendered
from cspbench.report.model import ReportRow
from cspbench.report.select import select


def drawn(rows: Sequence[ReportRow], tables: Sequence[Table]) -> list[Plot] | None:
    """The report's plots; None without matplotlib."""
    return None if find_spec("matplotlib") is None else plots(rows, tables)


def write_all(
    results: Path, rows: Sequence[ReportRow], tables: Sequence[Table], figures: Sequence[Plot] = ()
) -> list[Path]:
    """Write the report in every format, and its figures as PNG; returns the paths."""
    written = []
    shown = select(rows, tables)
    for suffix, form in SUFFIXES.items():
        written.append(results / f"report{suffix}")
        write_text(written[-1], rendered(form, shown, figures))
    for figure in figures:
        written.append(results / f"{figure.name}.png")
        write_bytes(written[-1], figure.png)
    return written
