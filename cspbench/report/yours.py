"""Your models: runs and counts that belong to no row of any table, as tables of their own without claims."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES, COUNTED, METRICS, PRECISIONS
from cspbench.claims.model import NOTHING, Cell, Column, Row, Table
from cspbench.claims.verdict import Coverage, Measurement, Reason
from cspbench.classification.accuracy import wilson
from cspbench.report.build import cell, rows
from cspbench.report.model import ReportRow
from cspbench.results import protocol, provenance
from cspbench.results.counts import CountedRow
from cspbench.results.measurements import UNPUBLISHED, CellMeasurement, of_evaluation
from cspbench.results.provenance import Provenance
from cspbench.results.schema import ClassificationMetrics, Data, DetectionMetrics, Hits, ImagenetIdentity
from cspbench.results.store import Sources, StoredCounts, StoredEvaluation, without_folders

TITLE = "Your models"
TEXT = "Runs and counts that belong to no published row: nothing is claimed of them."


def _table(name: str, title: str, dataset: str, settings: Iterable[str], metrics: Iterable[str]) -> Table:
    columns = [Column("Model", "name"), *(Column(header, "setting") for header in settings)]
    columns += [_column(metric) for metric in metrics]
    about = ("", dataset, "", tuple(columns), ())
    return Table(name, title, (title,), *about, kind="yours")  # type: ignore[arg-type]


def _column(metric: str) -> Column:
    return Column(METRICS[metric].header, "metric", metric, METRICS[metric].unit)


CLASSIFIERS = _table("your-classifiers", "Classifiers", "imagenet", ("Data", "Preset"), ACCURACIES)
DETECTORS = _table("your-detectors", "Detectors", "coco", ("Data", "Preset", "NMS"), PRECISIONS)
COUNTS = _table("your-counts", "Parameters and operations", "imagenet", ("Input", "Counted as"), COUNTED)
TABLES = (CLASSIFIERS, DETECTORS, COUNTS)
NAMES = frozenset(table.name for table in TABLES)


def all_tables() -> tuple[Table, ...]:
    """Every table of a report: those of the documents, the sample's, and the ones of `yours`."""
    return (*tables.load_all(kind=None), *TABLES)


def every_row(sources: Sources) -> list[ReportRow]:
    """The rows of all tables of a report."""
    return [*rows(sources), *yours(sources)]


@dataclass(frozen=True)
class _Line:
    """A row of one of the tables, and what was measured for it by metric."""

    table: Table
    model: str
    settings: dict[str, str]
    size: tuple[int, int]
    run: str
    definition: str
    cells: dict[str, tuple[Measurement, Provenance]]

    @property
    def key(self) -> str:
        """What a later run of the same is known by, whatever its weights."""
        return " ".join([self.model, *self.settings.values()])


def yours(sources: Sources) -> list[ReportRow]:
    """The rows, by table; of one model under the same settings the newest run has the plain id.

    Raises `CspbenchError` where a record names something that does not exist.
    """
    unmatched = [each for each in sources.evaluations if next(of_evaluation(each), None) is None]
    unmatched.sort(key=lambda each: each.run.sessions[0].when, reverse=True)
    lines = [line for each in unmatched for line in _of(each)]
    lines += [line for stored in sources.counts for line in _counts(stored)]
    found: dict[tuple[str, str], ReportRow] = {}
    for table in TABLES:
        for line in lines:
            if line.table is table:
                key = (table.name, line.key)
                row = _row(line, line.key if key not in found else f"{line.key} ({line.run})")
                found[table.name, row.row] = row
    return list(found.values())


def _row(line: _Line, row_id: str) -> ReportRow:
    row = Row(line.table.name, row_id, line.model, line.settings, line.size, None, {}, None, {})
    cells = {}
    for metric, (measurement, origin) in line.cells.items():
        claim = UNPUBLISHED.get(metric) or Cell.parse(NOTHING, _column(metric))
        cells[metric] = cell(claim, [CellMeasurement(row, claim, measurement, origin)])
    name = f"{line.model} ({', '.join(line.settings.values())})"
    about = line.model, line.definition, line.size, None
    return ReportRow(line.table.name, row_id, line.model, dict(line.settings), *about, cells, name)


def _of(evaluation: StoredEvaluation) -> Iterator[_Line]:
    identity, metrics, settings = evaluation.run.identity, evaluation.metrics, evaluation.run.settings
    data = data_text(identity.data)
    if isinstance(identity, ImagenetIdentity):
        overrides = protocol.of_classifier(identity)
        preset = protocol.preset_text(str(identity.preset["name"]), overrides)
        of_metrics = metrics if isinstance(metrics, ClassificationMetrics) else None
        origin = _origin(evaluation, CLASSIFIERS, preset, of_metrics and of_metrics.scoring, ACCURACIES[0])
        numbers = {name: _hits(getattr(of_metrics, name) if of_metrics else None, evaluation) for name in ACCURACIES}
        cells = {name: (number, origin) for name, number in numbers.items()}
        yield _line(evaluation, CLASSIFIERS, {"Data": data, "Preset": preset}, cells)
        return
    assert settings is not None
    overrides = protocol.of_detector(evaluation.run)
    preset = protocol.preset_text("its own protocol" if identity.quoted else settings.name, overrides)
    if not isinstance(metrics, DetectionMetrics):
        words = {"Data": data, "Preset": preset, "NMS": NOTHING}
        origin = _origin(evaluation, DETECTORS, preset, None, "")
        yield _line(evaluation, DETECTORS, words, {name: (_hits(None, evaluation), origin) for name in PRECISIONS})
        return
    for threshold in metrics.thresholds:
        nms = f"{threshold.nms:g} {threshold.kind}"
        origin = _origin(evaluation, DETECTORS, f"{preset}, NMS {nms}", threshold.scoring, nms)
        cells = {}
        for name in PRECISIONS:
            value, interval = threshold.ap.get(name), (threshold.intervals or {}).get(name)
            reason = Reason.NO_DATA if value is None else None
            cells[name] = (Measurement(value, reason, (), _coverage(evaluation), None, interval), origin)
        yield _line(evaluation, DETECTORS, {"Data": data, "Preset": preset, "NMS": nms}, cells)


def _line(
    evaluation: StoredEvaluation,
    table: Table,
    settings: dict[str, str],
    cells: dict[str, tuple[Measurement, Provenance]],
) -> _Line:
    identity = evaluation.run.identity
    definition = next(iter(cells.values()))[1].definition or "file"
    return _Line(table, identity.model, settings, identity.size, evaluation.name, definition, cells)


def _origin(evaluation: StoredEvaluation, table: Table, preset: str, scoring: object, number: str) -> Provenance:
    row = Row(table.name, "", "", {}, None, None, {}, None, {})
    origin = provenance.of_evaluation(evaluation, table, row, preset, scoring, number)  # type: ignore[arg-type]
    return replace(origin, definition="file") if evaluation.run.identity.user_file else origin


def _hits(hits: Hits | None, evaluation: StoredEvaluation) -> Measurement:
    if hits is None:
        return Measurement(None, Reason.PARTIAL)
    percent, interval = Decimal(100 * hits.correct) / hits.total, wilson(hits.correct, hits.total)
    return Measurement(percent, None, (), _coverage(evaluation), hits.total, interval)


def _coverage(evaluation: StoredEvaluation) -> Coverage:
    return Coverage.PART if evaluation.partial else Coverage.WHOLE


def data_text(data: Data) -> str:
    """The images in a few words: "val2017, 5000 images", "folders, 50 of 200 images"."""
    part = f"{data.limit} of {data.images}" if data.limit is not None else f"{data.images}"
    return f"{data.split or data.name or data.kind}, {part} images"


def _counts(stored: StoredCounts) -> Iterator[_Line]:
    session = stored.record.session
    command = shlex.join(without_folders(session.command))
    for counted in stored.record.rows:
        if counted.table is None and counted.model is not None and counted.size is not None:
            origin = Provenance(command, session.cspbench, session.commit)
            yield _counted(counted, counted.model, counted.size, origin)


def _counted(counted: CountedRow, model: str, size: tuple[int, int], origin: Provenance) -> _Line:
    definition = counted.definition or "file"
    cells = {}
    for metric in COUNTED:
        each = getattr(counted, metric)
        if each.count is not None:
            made = replace(origin, counting=each.counting, definition=definition)
            cells[metric] = (Measurement(Decimal(each.count)), made)
    rules = ", ".join(getattr(counted, metric).counting for metric in COUNTED)
    settings = {"Input": "×".join(map(str, size)), "Counted as": rules}
    return _Line(COUNTS, model, settings, size, "", definition, cells)
