"""Lines of the part on retrained networks: claim, mean and spread over seeds, and the gain over the base row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from cspbench.claims.metrics import ACCURACIES, METRICS, PRECISIONS
from cspbench.claims.model import Table
from cspbench.claims.verdict import Coverage
from cspbench.results.measurements import coverage_of, data_deviations
from cspbench.retrained.folders import collect
from cspbench.retrained.gains import Gain, gain
from cspbench.retrained.groups import Group, groups
from cspbench.retrained.statistics import Difference, Summary, summary

TITLE = "Retrained"
TEXT = (
    "Networks that were trained again. Their weights are not the published ones, so they get no verdict. A number is "
    "the mean over the seeds ± its spread, the sample standard deviation. A gain is the difference from the base row, "
    "in points, as published and as measured, with the 95 % interval of its mean; seeds that both rows have are pairs."
)
CLASSIFIERS, DETECTORS = "retrained-classifiers", "retrained-detectors"
PLACES = {CLASSIFIERS: "Classifiers of no row", DETECTORS: "Detectors of no row"}


@dataclass(frozen=True)
class Number:
    """One metric of a group, and its gain over the base row; in percent and points."""

    metric: str
    header: str
    published: str | None
    """As printed; None where the row has no such cell."""
    measured: Summary
    published_gain: Decimal | None = None
    gain: Difference | None = None


@dataclass(frozen=True)
class Line:
    """A group of trainings; `name` is unique in its table."""

    table: str
    row: str | None
    name: str
    group: Group
    gain: Gain | None
    base: str | None
    """The name of the base row."""
    numbers: tuple[Number, ...]
    claims_images: bool
    """Whether it was evaluated on all images of the row's claim."""


@dataclass(frozen=True)
class Part:
    """A published table, or models of no row, with the groups of its rows."""

    name: str
    place: str
    lines: tuple[Line, ...]

    @property
    def claimed(self) -> bool:
        """Whether it has published numbers."""
        return self.name not in PLACES


def build(tables: Sequence[Table], results: Path | None, paths: Sequence[Path] = ()) -> tuple[list[Part], list[str]]:
    """The retrained networks in a results directory and in folders of trainings, and notes on what is left out.

    The `tables` come in their order, then models of no row.
    """
    collected = collect(results, paths)
    every, notes = groups(collected.retrainings)
    lines = [_line(group, every) for group in every]
    places = {**{table.name: _place(table) for table in tables}, **PLACES}
    parts = [Part(name, place, tuple(line for line in lines if line.table == name)) for name, place in places.items()]
    return [part for part in parts if part.lines], [*collected.notes, *notes]


def _place(table: Table) -> str:
    section, title = table.section, table.title
    return " / ".join(section) if section[-1] == title else title


def _line(group: Group, every: Sequence[Group]) -> Line:
    table, row, over = group.table, group.row, gain(group, every)
    name, place = group.training.model, DETECTORS if group.detects else CLASSIFIERS
    base = None
    if table is not None and row is not None:
        names = dict(zip((each.id for each in table.rows), table.names(), strict=True))
        name, place, base = names[row.id], table.name, names[over.base.id] if over else None
    metrics = [name for name in (*ACCURACIES, *PRECISIONS) if name in group.numbers]
    if row is not None:
        metrics = [name for name in metrics if name in row.cells]
    numbers = tuple(_number(group, metric, over) for metric in metrics)
    return Line(place, row.id if row else None, name, group, over, base, numbers, _claims_images(group))


def _number(group: Group, metric: str, over: Gain | None) -> Number:
    cell = group.row.cells[metric] if group.row is not None else None
    return Number(
        metric,
        METRICS[metric].header if cell is None else cell.column,
        None if cell is None else cell.text,
        summary(list(group.numbers[metric].values())),
        over.published.get(metric) if over else None,
        over.measured.get(metric) if over else None,
    )


def _claims_images(group: Group) -> bool:
    data = group.run.identity.data
    if group.table is None or data_deviations(group.table, data):
        return False
    metrics = [member.evaluation.metrics for member in group.members]
    return all(each is not None and coverage_of(group.table, data, each) is Coverage.WHOLE for each in metrics)
