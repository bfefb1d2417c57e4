"""Measurements by the cell that they are of: counts from params files, accuracies and AP from evaluations.

What a file says about itself is only its numbers and how they were made. Verdicts and explanations follow from the
claims and networks as they are now.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES, COUNTED, PRECISIONS
from cspbench.claims.model import Cell, Column, Row, Table
from cspbench.claims.verdict import Coverage, Deviation, Measurement, Reason, Status, Verdict, judge
from cspbench.classification.accuracy import FULL, wilson
from cspbench.errors import CspbenchError, brief
from cspbench.results import explain_counts, match, protocol
from cspbench.results.explain_counts import Explanation
from cspbench.results.schema import (
    ClassificationMetrics,
    CocoIdentity,
    CountedRow,
    Counts,
    Data,
    DetectionMetrics,
    Hits,
    ImagenetIdentity,
    Run,
    Scoring,
    Session,
    Threshold,
)
from cspbench.results.sessions import program
from cspbench.results.store import Sources, StoredEvaluation, shortened
from cspbench.zoo.registry import MODELS, provenance

UNPUBLISHED = {
    "params": Cell.parse("-", Column("#Parameter", "metric", "params", "M", "M", counting="weights")),
    "bflops": Cell.parse("-", Column("BFLOPs", "metric", "bflops", "G", counting="conv+maxpool", rounding="darknet")),
}
"""What a row without the column claims: nothing. cspbench's own figures follow the README's countings."""

Key = tuple[str, str, str]
"""Table, row id, metric."""


@dataclass(frozen=True)
class Provenance:
    """How a measured number was made; None where that says nothing about it."""

    command: str
    """Quoted, so that it can be pasted into a shell."""
    version: str
    """Of cspbench."""
    commit: str | None = None
    when: str | None = None
    """UTC, ISO 8601; of an evaluation's first session."""
    counting: str | None = None
    definition: str | None = None
    """Where the network's definition comes from: "cfg", "reconstruction, high", ..."""
    weights: str | None = None
    """The digest of the weights' arrays, and whether there was a published one to compare it with."""
    data: str | None = None
    """"val2017, 5000 images, sha256 ...": what it was measured on."""
    preset: str | None = None
    """With everything that overrides it: "readme with conf 0.3, NMS 0.6 default"."""
    precision: str | None = None
    run: str | None = None
    """The run's name."""
    sessions: tuple[str, ...] = ()
    """The later sessions that made a part of the predictions: when, version, command."""
    scored: str | None = None
    """Which version computed the number from the predictions, where it is not the one that predicted."""


@dataclass(frozen=True)
class CellMeasurement:
    """One measurement of one cell, held against `claim`: the row's cell, under the counting that was used."""

    row: Row
    claim: Cell
    measurement: Measurement
    provenance: Provenance
    model: str | None = None
    size: tuple[int, int] | None = None
    nms: float | None = None
    """The threshold that an AP was measured at."""

    @property
    def key(self) -> Key:
        """What cell it is of."""
        return self.row.table, self.row.id, self.claim.metric

    @property
    def partial(self) -> bool:
        """Whether it is of a part of the data, or of an incomplete run."""
        return self.measurement.coverage is not Coverage.WHOLE or self.measurement.reason is Reason.PARTIAL

    @cached_property
    def verdict(self) -> Verdict:
        """The judge's."""
        return judge(self.claim, self.measurement)

    @cached_property
    def explanation(self) -> Explanation:
        """Why a count is off; empty for everything else."""
        value = self.measurement.value
        if self.model not in MODELS or value is None or self.claim.metric not in COUNTED:
            return Explanation()
        if self.verdict.status is Status.OFF:
            return explain_counts.explanation(self.claim, self.model, self.size, int(value))
        own = self.row.cells.get(self.claim.metric)
        if self.verdict.status is Status.UNMEASURED and own is not None and own.counting != self.claim.counting:
            return explain_counts.fitting(own, self.model, self.size, int(value), str(self.claim.counting))
        return Explanation()

    @property
    def rank(self) -> tuple[bool, bool, int, str, str]:
        """What counts before what: complete ones, then those with fewer deviations, then the newest."""
        complete = self.measurement.value is not None, not self.partial
        return *complete, -len(self.measurement.deviations), self.provenance.when or "", self.provenance.run or ""


def by_cell(sources: Sources, then: protocol.Networks | None = None) -> dict[Key, list[CellMeasurement]]:
    """All measurements, those of one cell in the order in which they count.

    They are held against the catalogue's networks as they are now, or as they were `then`.
    """
    cells: dict[Key, list[CellMeasurement]] = {}
    for counts in sources.counts:
        for measurement in of_counts(counts.record, then):
            cells.setdefault(measurement.key, []).append(measurement)
    for evaluation in sources.evaluations:
        for measurement in of_evaluation(evaluation, then):
            cells.setdefault(measurement.key, []).append(measurement)
    return {key: sorted(each, key=lambda one: one.rank, reverse=True) for key, each in cells.items()}


def of_evaluation(evaluation: StoredEvaluation, then: protocol.Networks | None = None) -> Iterator[CellMeasurement]:
    """Every published number that an evaluation measures; the claims of an incomplete one, without a number.

    Raises `CspbenchError` naming the file where its record names what does not exist.
    """
    read = _accuracies if isinstance(evaluation.run.identity, ImagenetIdentity) else _precisions
    try:
        yield from read(evaluation, then)
    except (LookupError, ValueError) as error:
        raise CspbenchError(
            "results.not-results",
            "not a file of results",
            where=evaluation.where,
            expected="what `cspbench params --save` or an evaluation wrote",
            found=brief(str(error), 120),
            remedy="Make it again, or remove it",
        ) from None


# --- counts


@cache
def _rows() -> dict[tuple[str, str], Row]:
    kinds = ("published", "sample")
    return {(table.name, row.id): row for kind in kinds for table in tables.load_all(kind=kind) for row in table.rows}


def of_counts(counts: Counts, then: protocol.Networks | None = None) -> Iterator[CellMeasurement]:
    """Every cell of a table that a file of counts measures."""
    for counted in counts.rows:
        row = _rows().get((counted.table or "", counted.id or ""))
        if row is not None:
            yield from of_row(row, counted, counts.session, then)


def of_row(
    row: Row, counted: CountedRow, session: Session, then: protocol.Networks | None = None
) -> Iterator[CellMeasurement]:
    """The counts of one row, held against its cells."""
    deviations = _other_network(row, counted, then)
    model = counted.model
    entry = MODELS.get(model or "")
    for metric in COUNTED:
        cell, claim = getattr(counted, metric), row.cells.get(metric)
        if claim is None or cell.count is None:
            continue
        rule = [] if cell.counting == claim.counting else [Deviation(f"counted as {brief(cell.counting)}")]
        yield CellMeasurement(
            row,
            claim.counted_as(cell.counting),
            Measurement(
                Decimal(cell.count),
                deviations=(*rule, *deviations),
                stand_in=entry is not None and entry.definition == "stand-in",
            ),
            Provenance(
                shlex.join(shortened(session.command)),
                session.cspbench,
                session.commit,
                counting=cell.counting,
                definition=provenance(model) if model in MODELS else "file",
            ),
            model,
            row.counting_size or row.size or counted.size,
        )


def _other_network(row: Row, counted: CountedRow, then: protocol.Networks | None) -> list[Deviation]:
    """Whether counts are of another model than the row's, or of another network than the model's."""
    if row.table and counted.model != row.model:
        return [Deviation(f"counted for {brief(str(counted.model))}, not {row.model}")]
    return changed_since(counted, then)


def changed_since(counted: CountedRow, then: protocol.Networks | None = None) -> list[Deviation]:
    """Whether counts are of another network than their model's; those that record none say nothing."""
    if counted.model not in MODELS or counted.size is None or counted.network is None:
        return []
    return protocol.definition(counted.model, counted.size, counted.network, then)


# --- evaluations


def _accuracies(evaluation: StoredEvaluation, then: protocol.Networks | None) -> Iterator[CellMeasurement]:
    run, metrics = evaluation.run, evaluation.metrics
    identity = run.identity
    assert isinstance(identity, ImagenetIdentity)
    overrides = protocol.of_classifier(identity)
    preset = protocol.named(str(identity.preset["name"]), overrides)
    for row in match.of_classifier(identity) or match.of_model(identity):
        deviations = [
            *_of_data(row, identity.data),
            *match.otherwise(row, identity),
            *protocol.deviations(overrides),
            *protocol.weights(row, run),
            *protocol.network(identity, then),
        ]
        for metric in ACCURACIES:
            if metric in row.cells:
                hits = getattr(metrics, metric) if isinstance(metrics, ClassificationMetrics) else None
                measurement = _accuracy(hits, identity.data, deviations)
                scoring = metrics.scoring if isinstance(metrics, ClassificationMetrics) else None
                yield CellMeasurement(row, row.cells[metric], measurement, _made(evaluation, row, preset, scoring))


def _accuracy(hits: Hits | None, data: Data, deviations: Sequence[Deviation]) -> Measurement:
    if hits is None:
        return Measurement(None, Reason.PARTIAL, (_INCOMPLETE,))
    percent = Decimal(100 * hits.correct) / Decimal(hits.total)
    interval = wilson(hits.correct, hits.total)
    return Measurement(percent, None, tuple(deviations), _coverage(data), hits.total, interval)


def _precisions(evaluation: StoredEvaluation, then: protocol.Networks | None) -> Iterator[CellMeasurement]:
    run, metrics = evaluation.run, evaluation.metrics
    identity, settings = run.identity, run.settings
    assert isinstance(identity, CocoIdentity)
    assert settings is not None
    usual, kind = protocol.suppression(run)
    overrides = protocol.of_detector(run)
    name = "its own protocol" if identity.quoted else settings.name
    named = protocol.named(name, overrides)
    own = [] if identity.quoted or name == "readme" else [Deviation(f"preset {name}, not readme")]
    own += [*protocol.deviations(overrides), *protocol.network(identity, then)]
    if not isinstance(metrics, DetectionMetrics):
        for row in match.of_detector(identity, usual):
            for metric in PRECISIONS:
                if metric in row.cells:
                    measurement = Measurement(None, Reason.PARTIAL, (_INCOMPLETE,))
                    yield CellMeasurement(row, row.cells[metric], measurement, _made(evaluation, row, named, None))
        return
    for threshold in metrics.thresholds:
        preset = named if identity.quoted else f"{named}, NMS {threshold.nms:g} {threshold.kind}"
        for row in match.of_detector(identity, threshold.nms):
            suppression = _suppression(row, threshold, usual, kind)
            if suppression and _table(row.table).sweep is None and _superseded(threshold, metrics, usual, kind):
                continue  # the run has the number that the claim is about
            deviations = [*_of_data(row, identity.data), *own, *suppression, *protocol.weights(row, run)]
            made = _made(evaluation, row, preset, threshold.scoring)
            for metric in PRECISIONS:
                cell = row.cells.get(metric)
                if cell is not None and cell.published:
                    measurement = _precision(threshold, metric, identity.data, deviations)
                    yield CellMeasurement(row, cell, measurement, made, nms=threshold.nms)


def _precision(threshold: Threshold, metric: str, data: Data, deviations: Sequence[Deviation]) -> Measurement:
    value = threshold.ap.get(metric)
    if value is None:
        waiting = (data.split or "").startswith("test") and data.limit is None
        return Measurement(None, Reason.AWAITING_SERVER if waiting else Reason.NO_DATA, tuple(deviations))
    interval = (threshold.intervals or {}).get(metric)
    return Measurement(value, None, tuple(deviations), _coverage(data), None, interval)


def _superseded(threshold: Threshold, metrics: DetectionMetrics, usual: float, kind: str | None) -> bool:
    """Whether a run was also scored with the claim's own suppression, and has numbers of it if it has of this one."""
    return any(
        other.nms == usual and (kind is None or other.asked == kind) and (other.ap or not threshold.ap)
        for other in metrics.thresholds
    )


def _suppression(row: Row, threshold: Threshold, usual: float, kind: str | None) -> list[Deviation]:
    """In what a threshold is another than a row's; a row of the NMS tables holds at the threshold that it names."""
    deviations = []
    if kind is not None and threshold.asked != kind:
        deviations.append(Deviation(f"nms_kind {brief(threshold.asked)}, not {kind}"))
    if _table(row.table).sweep is not None:
        return deviations
    if threshold.nms != usual:
        deviations.append(Deviation(f"NMS {threshold.nms:g}, not the preset's {usual:g}"))
    return deviations


_INCOMPLETE = Deviation("incomplete: the run can be resumed")


@cache
def _table(name: str) -> Table:
    return tables.load(name)


def _of_data(row: Row, data: Data) -> list[Deviation]:
    """Whether the images are others than the claim's: of another split, or of another digest where a table has one."""
    table = _table(row.table)
    if table.data is not None:
        same = data.sha256 == table.data
    elif table.dataset == "imagenet":
        same = data.images == FULL
    else:
        same = data.split == table.split
    return [] if same else [Deviation("other images than the claim's", Reason.SPLIT_MISMATCH)]


def _coverage(data: Data) -> Coverage:
    if data.limit is None:
        return Coverage.WHOLE
    return Coverage.PART if data.seed is None else Coverage.DRAWN


def _made(evaluation: StoredEvaluation, row: Row, preset: str, scoring: Scoring | None) -> Provenance:
    run = evaluation.run
    first, *later = run.sessions
    return Provenance(
        shlex.join(first.command),
        first.cspbench,
        first.commit,
        when=first.when or None,
        definition=provenance(run.identity.model),
        weights=protocol.weights_text(row, run),
        data=_data(row, run.identity.data),
        preset=preset,
        precision=run.identity.precision,
        run=evaluation.name,
        sessions=tuple(_session(session) for session in later),
        scored=_scored(run, scoring),
    )


def _session(session: Session) -> str:
    return f"{session.when or 'unknown time'}, {program(session)}: {shlex.join(session.command)}"


def _scored(run: Run, scoring: Scoring | None) -> str | None:
    if scoring is None or {program(session) for session in run.sessions} == {program(scoring)}:
        return None
    return program(scoring)


def _data(row: Row, data: Data) -> str:
    """What was measured on: "val2017, 50 of 5000 images drawn with seed 0, sha256 ..."."""
    place = "the drawn sample" if _table(row.table).kind == "sample" else data.split or data.kind
    part = f"{data.limit} of {data.images}" if data.limit is not None else f"{data.images}"
    seed = f" drawn with seed {data.seed}" if data.seed is not None else ""
    return f"{place}, {part} images{seed}" + (f", sha256 {data.sha256}" if data.sha256 else "")
