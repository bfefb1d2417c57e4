"""The report as text in each format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.report.html import Drawing
    from cspbench.report.select import Section


class ReportFormat(StrEnum):
    """The formats of the report."""

    MD = "md"
    HTML = "html"
    CSV = "csv"
    JSON = "json"
    LATEX = "latex"


SUFFIXES = {
    ".md": ReportFormat.MD,
    ".html": ReportFormat.HTML,
    ".csv": ReportFormat.CSV,
    ".json": ReportFormat.JSON,
    ".tex": ReportFormat.LATEX,
}


def format_of(file: Path) -> ReportFormat:
    """The format of a file by its suffix; markdown for a pipe or a device. Raises `UsageError`."""
    if file.suffix.lower() in SUFFIXES:
        return SUFFIXES[file.suffix.lower()]
    if not file.suffix or (file.exists() and not file.is_file()):
        return ReportFormat.MD
    raise UsageError(
        "usage.unknown-suffix",
        "unknown kind of report",
        where=str(file),
        expected=", ".join(SUFFIXES),
        found=file.suffix,
        remedy="Choose such a suffix, or say --format",
    )


def rendered(
    form: ReportFormat, shown: Sequence[Section], plots: Sequence[Drawing] = (), like_readme: bool = False
) -> str:
    """The report in one format; lone surrogates, which JSON can hold and UTF-8 cannot, are escaped.

    Markdown links the plots' files, HTML contains them.
    """
    return _text(form, shown, plots, like_readme).encode("utf-8", "backslashreplace").decode()


def _text(form: ReportFormat, shown: Sequence[Section], plots: Sequence[Drawing], like_readme: bool) -> str:
    if like_readme:
        from cspbench.report import markdown as readme

        return readme.like_readme(shown)
    if form is ReportFormat.MD:
        from cspbench.report.markdown import markdown

        return markdown(shown, [f"{plot.name}.png" for plot in plots])
    if form is ReportFormat.HTML:
        from cspbench.report.html import html

        return html(shown, [plot.svg for plot in plots])
    if form is ReportFormat.JSON:
        from cspbench.report.model import as_json

        return (
            json.dumps(as_json(line for section in shown for line in section.lines), indent=1, ensure_ascii=False)
            + "\n"
        )
    from cspbench.report import csv_latex

    return csv_latex.as_csv(shown) if form is ReportFormat.CSV else csv_latex.as_latex(shown)
