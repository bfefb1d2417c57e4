"""Measurements by cell: counts from params files, accuracies and AP from evaluations.

Only numbers and their provenance are taken from a file. Verdicts and explanations follow from the current claims and
networks.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from itertools import chain
from pathlib import Path

from cspbench.claims import own, tables
from cspbench.claims.metrics import ACCURACIES, COUNTED, PRECISIONS
from cspbench.claims.model import Cell, Column, Row, Table
from cspbench.claims.verdict import Coverage, Deviation, Measurement, Reason, Status, Verdict, judge
from cspbench.classification.accuracy import FULL, wilson
from cspbench.errors import brief
from cspbench.results import explain_counts, match, protocol, provenance
from cspbench.results.counts import CountedRow, Counts
from cspbench.results.explain_counts import Explanation
from cspbench.results.provenance import Provenance
from cspbench.results.schema import (
    ClassificationMetrics,
    CocoIdentity,
    Data,
    DetectionMetrics,
    Hits,
    ImagenetIdentity,
    Metrics,
    Session,
    Threshold,
)
from cspbench.results.store import Sources, StoredEvaluation, not_results, without_folders
from cspbench.zoo.registry import MODELS
from cspbench.zoo.registry import provenance as of_model

VALIDATION = r"val(idation)?(\[[^+]*\])?"
"""The validation set, or a slice of it, as readers of named data sets spell it: validation[:10%]."""
UNPUBLISHED = {
    "params": Cell.parse("-", Column("#Parameter", "metric", "params", "M", "M", counting="weights")),
    "bflops": Cell.parse("-", Column("BFLOPs", "metric", "bflops", "G", counting="conv+maxpool", rounding="darknet")),
}
"""The empty claims of a row without these columns; cspbench counts it by the README's countings."""

Key = tuple[str, str, str]
"""Table, row id, metric."""


@dataclass(frozen=True)
class CellMeasurement:
    """One measurement of one cell; `claim` is the row's cell, under the counting that was used."""

    row: Row
    claim: Cell
    measurement: Measurement
    provenance: Provenance
    model: str | None = None
    size: tuple[int, int] | None = None
    nms: float | None = None
    """The threshold that an AP was measured at."""
    kind: str | None = None
    """The kind of NMS that it was measured with."""

    @property
    def key(self) -> Key:
        return self.row.table, self.row.id, self.claim.metric

    @property
    def partial(self) -> bool:
        """Whether it covers a part of the data, or an incomplete run."""
        return self.measurement.coverage is not Coverage.WHOLE or self.measurement.reason is Reason.PARTIAL

    @cached_property
    def verdict(self) -> Verdict:
        return judge(self.claim, self.measurement)

    @cached_property
    def explanation(self) -> Explanation:
        """Why a count is off; empty for everything else."""
        value = self.measurement.value
        if self.model not in MODELS or value is None or self.claim.metric not in COUNTED:
            return Explanation()
        if self.verdict.status is Status.OFF:
            return explain_counts.explanation(self.claim, self.model, self.size, int(value))
        cell = self.row.cells.get(self.claim.metric)
        if self.verdict.status is Status.UNMEASURED and cell is not None and cell.counting != self.claim.counting:
            return explain_counts.fitting(cell, self.model, self.size, int(value), str(self.claim.counting))
        return Explanation()

    @property
    def rank(self) -> tuple[bool, bool, int, str, str]:
        """The order of preference: complete measurements, then fewer deviations, then the newest."""
        complete = self.measurement.value is not None, not self.partial
        return *complete, -len(self.measurement.deviations), self.provenance.when or "", self.provenance.run or ""


def by_cell(sources: Sources, then: protocol.Networks | None = None) -> dict[Key, list[CellMeasurement]]:
    """All measurements by cell, the preferred one first.

    Their networks are compared with the catalogue's as they are now, or as they were `then`.
    """
    cells = defaultdict(list)
    counts = (of_counts(stored.record, then) for stored in sources.counts)
    evaluations = (of_evaluation(evaluation, then) for evaluation in sources.evaluations)
    for measurement in chain.from_iterable(chain(counts, evaluations)):
        cells[measurement.key].append(measurement)
    return {key: sorted(cell, key=lambda measurement: measurement.rank, reverse=True) for key, cell in cells.items()}


def of_evaluation(evaluation: StoredEvaluation, then: protocol.Networks | None = None) -> Iterator[CellMeasurement]:
    """Every published number that an evaluation measures; for an incomplete one, its claims without a number.

    Raises `CspbenchError` where the record names something that does not exist.
    """
    read = _accuracies if isinstance(evaluation.run.identity, ImagenetIdentity) else _precisions
    try:
        yield from read(evaluation, then)
    except (LookupError, ValueError) as error:
        raise not_results(evaluation.where, str(error)) from None


# --- counts


@cache
def _rows(own_tables: Path | None) -> dict[tuple[str, str], Row]:
    """Every row by table and id; `own_tables` is the folder of one's own."""
    return {(table.name, row.id): row for table in tables.load_all(kind=None) for row in table.rows}


def of_counts(counts: Counts, then: protocol.Networks | None = None) -> Iterator[CellMeasurement]:
    """Every cell of a table that a file of counts measures."""
    rows = _rows(own.folder())
    for counted in counts.rows:
        row = rows.get((counted.table or "", counted.id or ""))
        if row is not None:
            yield from of_row(row, counted, counts.session, then)


def of_row(
    row: Row, counted: CountedRow, session: Session, then: protocol.Networks | None = None
) -> Iterator[CellMeasurement]:
    """The counts of one row, beside its cells."""
    model = counted.catalogue_model
    deviations = changed_since(counted, then)
    if row.table and model != row.model:
        deviations = [Deviation(f"counted for {brief(str(counted.model))}, not {row.model}")]
    entry = MODELS.get(model)
    for metric in COUNTED:
        cell, claim = getattr(counted, metric), row.cells.get(metric)
        if claim is None or cell.count is None:
            continue
        rule = [] if cell.counting == claim.counting else [Deviation(f"counted as {brief(cell.counting)}")]
        yield CellMeasurement(
            row,
            claim.under(cell.counting),
            Measurement(
                Decimal(cell.count),
                deviations=(*rule, *deviations),
                stand_in=entry is not None and entry.definition == "stand-in",
            ),
            Provenance(
                shlex.join(without_folders(session.command)),
                session.cspbench,
                session.commit,
                counting=cell.counting,
                definition=of_model(model) if entry else "file",
            ),
            model,
            row.counting_size or row.size or counted.size,
        )


def changed_since(counted: CountedRow, then: protocol.Networks | None = None) -> list[Deviation]:
    """A deviation where counts are of a network that is not their model's; none where no digest was recorded."""
    if counted.catalogue_model not in MODELS or counted.size is None or counted.network is None:
        return []
    return protocol.definition(counted.catalogue_model, counted.size, counted.network, then)


# --- evaluations


def _accuracies(evaluation: StoredEvaluation, then: protocol.Networks | None) -> Iterator[CellMeasurement]:
    run, metrics, identity = evaluation.run, evaluation.metrics, evaluation.run.identity
    assert isinstance(identity, ImagenetIdentity)
    overrides = protocol.of_classifier(identity)
    preset = protocol.preset_text(str(identity.preset["name"]), overrides)
    for table, row in match.of_classifier(identity):
        deviations = [
            *data_deviations(table, identity.data),
            *_bad_deviations(metrics),
            *match.classifier_deviations(table, row, identity),
            *protocol.deviations(overrides),
            *protocol.weights(row, run),
            *protocol.network(identity, then),
        ]
        scoring = metrics.scoring if isinstance(metrics, ClassificationMetrics) else None
        origin = provenance.of_evaluation(evaluation, table, row, preset, scoring, ACCURACIES[0])
        for metric in ACCURACIES:
            if metric in row.cells:
                measurement = _INCOMPLETE
                if metrics is not None:
                    hits: Hits = getattr(metrics, metric)
                    percent, interval = Decimal(100 * hits.correct) / hits.total, wilson(hits.correct, hits.total)
                    coverage = coverage_of(table, identity.data, metrics)
                    measurement = Measurement(percent, None, tuple(deviations), coverage, hits.total, interval)
                yield CellMeasurement(row, row.cells[metric], measurement, origin)


def _precisions(evaluation: StoredEvaluation, then: protocol.Networks | None) -> Iterator[CellMeasurement]:
    run, metrics = evaluation.run, evaluation.metrics
    identity, settings = run.identity, run.settings
    assert isinstance(identity, CocoIdentity)
    assert settings is not None
    usual, kind = protocol.suppression(run)
    overrides = protocol.of_detector(run)
    label = protocol.preset_text("its own protocol" if identity.quoted else settings.name, overrides)
    if not isinstance(metrics, DetectionMetrics):
        for table, row in match.of_detector(identity, usual):
            origin = provenance.of_evaluation(evaluation, table, row, label, None, "")
            for metric in PRECISIONS:
                if metric in row.cells:
                    yield CellMeasurement(row, row.cells[metric], _INCOMPLETE, origin)
        return
    for threshold in metrics.thresholds:
        name = f"{threshold.nms:g} {threshold.kind}"
        for table, row in match.of_detector(identity, threshold.nms):
            suppression = _suppression_deviations(table, threshold, usual, kind)
            if suppression and table.sweep is None and _superseded(threshold, metrics, usual, kind):
                continue  # the run has a number under the claimed suppression
            other = not identity.quoted and settings.name != table.presets[0]
            deviations = (
                *data_deviations(table, identity.data),
                *_bad_deviations(metrics),
                *([Deviation(f"preset {settings.name}, not {table.presets[0]}")] if other else []),
                *protocol.deviations(overrides),
                *protocol.network(identity, then),
                *suppression,
                *protocol.weights(row, run),
            )
            preset = label if identity.quoted else f"{label}, NMS {name}"
            origin = provenance.of_evaluation(evaluation, table, row, preset, threshold.scoring, name)
            coverage = coverage_of(table, identity.data, metrics)
            for metric in PRECISIONS:
                cell = row.cells.get(metric)
                if cell is not None and cell.published:
                    measurement = _precision(threshold, metric, identity.data, deviations, coverage)
                    yield CellMeasurement(row, cell, measurement, origin, nms=threshold.nms, kind=threshold.kind)


def _precision(
    threshold: Threshold, metric: str, data: Data, deviations: tuple[Deviation, ...], coverage: Coverage
) -> Measurement:
    value = threshold.ap.get(metric)
    if value is None:
        waiting = (data.split or "").startswith("test") and data.limit is None
        return Measurement(None, Reason.AWAITING_SERVER if waiting else Reason.NO_DATA, deviations)
    return Measurement(value, None, deviations, coverage, None, (threshold.intervals or {}).get(metric))


def _superseded(threshold: Threshold, metrics: DetectionMetrics, usual: float, kind: str | None) -> bool:
    """Whether the run was also scored with the claimed suppression, with numbers if this threshold has numbers."""
    return any(
        claimed.nms == usual and (kind is None or claimed.asked == kind) and (claimed.ap or not threshold.ap)
        for claimed in metrics.thresholds
    )


def _suppression_deviations(table: Table, threshold: Threshold, usual: float, kind: str | None) -> list[Deviation]:
    """Deviations of NMS from a row's; a row of a sweep names its own threshold."""
    deviations = []
    if kind is not None and threshold.asked != kind:
        deviations.append(Deviation(f"nms_kind {brief(threshold.asked)}, not {kind}"))
    if table.sweep is None and threshold.nms != usual:
        deviations.append(Deviation(f"NMS {threshold.nms:g}, not the preset's {usual:g}"))
    return deviations


_INCOMPLETE = Measurement(None, Reason.PARTIAL, (Deviation("incomplete: the run can be resumed"),))


def data_deviations(table: Table, data: Data) -> list[Deviation]:
    """A deviation where the images are not the claim's, by digest where the table has one, else by split.

    Of ImageNet's validation set, whose readers mostly record no split, any part is the claim's; `coverage_of` says so.
    """
    if table.data is not None:
        same = data.sha256 == table.data
    elif table.dataset == "coco":
        same = data.split == table.split
    else:
        sample = any(other.data == data.sha256 for other in tables.load_all(kind="sample"))
        same = not sample and data.images <= FULL and re.fullmatch(VALIDATION, data.split or "val") is not None
    return [] if same else [Deviation("other images than the claim's", Reason.SPLIT_MISMATCH)]


def _bad_deviations(metrics: Metrics | None) -> list[Deviation]:
    """A deviation where images could not be read: the others are a part of the claim's images."""
    bad = len(metrics.bad) if metrics else 0
    return [Deviation(f"{bad} image{'s' * (bad != 1)} could not be read", Reason.PARTIAL)] if bad else []


def coverage_of(table: Table, data: Data, metrics: Metrics) -> Coverage:
    short = table.dataset == "imagenet" and table.data is None and data.images < FULL
    if metrics.bad or short or (data.limit is not None and data.seed is None):
        return Coverage.PART
    return Coverage.WHOLE if data.limit is None else Coverage.DRAWN
