"""The errors of detectors as a part of the HTML page: tables, bars and the confusion matrix, folded."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from cspbench.report.analysis import table
from cspbench.report.template import environment
from cspbench.results.analysis_record import NAMES, AnalysisRecord
from cspbench.results.provenance import scored_by
from cspbench.results.schema import DetectionMetrics
from cspbench.results.store import StoredEvaluation

if TYPE_CHECKING:
    from jinja2 import Template

STEPS = 5
"""Shades of a matrix."""


class Bar(NamedTuple):
    """A type of error: its label, what it is, the numbers of its line, and the width of its bar in percent."""

    label: str
    meaning: str
    numbers: list[str]
    width: float


class Shown(NamedTuple):
    """The analysis of one run."""

    title: str
    heading: str
    made: str | None
    bars: list[Bar]
    classes: list[list[str]]
    mistakes: list[list[str]]
    shades: list[str]
    side: int
    images: str


def section(evaluations: Iterable[StoredEvaluation]) -> str:
    """The part of the page; empty without an analysis."""
    analyses = [_shown(evaluation) for evaluation in evaluations if _record(evaluation) is not None]
    return _template().render(analyses=analyses, table=table) if analyses else ""


def rules() -> str:
    """The part's style."""
    return _asset("section.css")


@lru_cache(maxsize=1)
def _template() -> Template:
    return environment().from_string(_asset("section.html.j2"))


def _asset(name: str) -> str:
    return files("cspbench.report.analysis").joinpath(name).read_text("utf-8")


def _record(evaluation: StoredEvaluation) -> AnalysisRecord | None:
    metrics = evaluation.metrics
    return metrics.analysis if isinstance(metrics, DetectionMetrics) else None


def _shown(evaluation: StoredEvaluation) -> Shown:
    record = _record(evaluation)
    assert record is not None
    data = evaluation.run.identity.data
    gains = record.areas["all"].gains
    highest = max([*gains.values(), 1e-9])
    lines = table.by_type(record)
    bars = [
        Bar(line[0], line[1], line[2:], max(0.0, 100 * gains.get(name, 0.0) / highest) if name else 0.0)
        for name, line in zip((None, *NAMES), lines, strict=True)
    ]
    part = f"{data.limit:,} of {data.images:,}" if data.limit is not None else f"{data.images:,}"
    shades, side = matrix(record)
    return Shown(
        title=evaluation.run.identity.model,
        heading=table.heading(record),
        made=scored_by(evaluation.run, record.number),
        bars=bars,
        classes=table.by_class(record),
        mistakes=table.by_mistake(record),
        shades=shades,
        side=side,
        images=f"{data.split or data.kind}, {part} images, {record.areas['all'].objects:,} objects",
    )


def matrix(record: AnalysisRecord) -> tuple[list[str], int]:
    """The cells of the matrix as SVG paths by shade, the lightest first, and the number of its lines.

    A cell's shade is the share of its line's objects, rounded up. Only classes with objects or detections are drawn.
    """
    places = sorted({mistake.truth for mistake in record.confusion} | {mistake.found for mistake in record.confusion})
    position = {place: at for at, place in enumerate(places)}
    sums: dict[int, int] = {}
    for mistake in record.confusion:
        sums[mistake.truth] = sums.get(mistake.truth, 0) + mistake.count
    shades: list[list[str]] = [[] for _ in range(STEPS)]
    for mistake in record.confusion:
        if mistake.count:
            shade = -(-mistake.count * STEPS // sums[mistake.truth]) - 1
            shades[shade].append(f"M{position[mistake.found]} {position[mistake.truth]}h1v1h-1z")
    return ["".join(cells) for cells in shades], len(places)
