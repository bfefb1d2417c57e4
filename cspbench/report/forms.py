"""The report as text in each format."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.report.html import Svg
    from cspbench.report.retrained.lines import Part
    from cspbench.report.select import Section
    from cspbench.results.speeds.record import SpeedRun
    from cspbench.results.store import StoredEvaluation
    from cspbench.retrained.studies import Study


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
    form: ReportFormat,
    shown: Sequence[Section],
    drawings: Sequence[Svg] = (),
    evaluations: Sequence[StoredEvaluation] = (),
    retrained: Sequence[Part] = (),
    speeds: Sequence[SpeedRun] = (),
    studies: Sequence[Study] = (),
) -> str:
    """The report in one format; lone surrogates, which JSON can hold and UTF-8 cannot, are escaped.

    Markdown links the figures' files, HTML contains them, and the errors of analysed `evaluations`. All have a part on
    `retrained` networks, if there are any. CSV, with a line for each cell, has of the `speeds` only the frame rates of
    the cells, and nothing of the `studies`.
    """
    from cspbench.report import csv_latex, findings, html, markdown, model
    from cspbench.report.retrained import flat
    from cspbench.report.studies import pages
    from cspbench.report.studies.flat import as_json as of_studies
    from cspbench.report.tables import speed

    if form is ReportFormat.MD:
        text = markdown.markdown(shown, [f"{drawing.name}.png" for drawing in drawings], retrained, speeds, studies)
    elif form is ReportFormat.HTML:
        text = html.html(shown, drawings, evaluations, retrained, speeds, studies)
    elif form is ReportFormat.CSV:
        text = csv_latex.as_csv(shown, retrained)
    elif form is ReportFormat.LATEX:
        text = "\n".join([csv_latex.as_latex(shown, retrained), *([speed.as_latex(speeds)] if speeds else [])])
        text += f"\n{pages.as_latex(studies)}" if studies else ""
    else:
        found = [asdict(finding) for finding in findings.findings(shown)]
        document = {**model.as_json(line for section in shown for line in section.lines), "findings": found}
        if retrained:
            document["retrained"] = flat.as_json(retrained)
        document |= {"studies": of_studies(studies)} if studies else {}
        document |= {"speeds": speed.as_json(speeds)} if speeds else {}
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()
