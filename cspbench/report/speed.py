"""The section on speed in the report's pages: stored times and ratios, beside the claims."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from cspbench.claims.frame_rates import of_row
from cspbench.claims.model import Table
from cspbench.report.formats import markdown
from cspbench.report.tables.speed import blocks
from cspbench.report.template import environment
from cspbench.results.speeds.record import SpeedRun

TITLE = "Speed"


def of_tables(runs: Sequence[SpeedRun], shown: Sequence[Table]) -> tuple[SpeedRun, ...]:
    """The runs with a network of a row of these tables."""
    rows = {(row.model, row.size) for table in shown for row in table.rows if of_row(row)}
    return tuple(run for run in runs if any(timing.key in rows for timing in run.timings))


def as_markdown(runs: Sequence[SpeedRun]) -> str:
    """The section in markdown, with tags in names escaped; empty without times."""
    text = markdown(blocks(runs)).strip().replace("<", "&lt;")
    return f'# <a id="speed"></a>{TITLE}\n\n{text}' if runs else ""


def as_html(runs: Sequence[SpeedRun]) -> str:
    """The section of the HTML page; empty without times."""
    if not runs:
        return ""
    template = files("cspbench.report").joinpath("speed.html.j2").read_text("utf-8")
    return environment().from_string(template).render(blocks=blocks(runs), title=TITLE)
