"""Measurements by cell: counts from params files, accuracies and AP from evaluations.

Only numbers and their provenance are taken from a file. Verdicts and explanations follow from the current claims and
networks.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from itertools import chain

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES, COUNTED, PRECISIONS
from cspbench.claims.model import Cell, Column, Row, Table
from cspbench.claims.verdict import Coverage, Deviation, Measurement, Reason, Status, Verdict, judge
from cspbench.classification.accuracy import FULL, wilson
from cspbench.errors import brief
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
    Scored,
    Scoring,
    Session,
    Threshold,
)
from cspbench.results.sessions import program
from cspbench.results.store import Sources, StoredEvaluation, not_results, shortened
from cspbench.zoo.registry import MODELS, provenance

UNPUBLISHED = {
    "params": Cell.parse("-", Column("#Parameter", "metric", "params", "M", "M", counting="weights")),
    "bflops": Cell.parse("-", Column("BFLOPs", "metric", "bflops", "G", counting="conv+maxpool", rounding="darknet")),
}
"""The empty claims of a row without these columns; cspbench counts it by the README's countings."""

Key = tuple[str, str, str]
"""Table, row id, metric."""


@dataclass(frozen=True)
class Provenance:
    """How a measured number was made; None for what does not apply."""

    command: str
    """Quoted for a shell."""
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
    """With overridden fields: "readme with conf 0.3, NMS 0.6 default"."""
    precision: str | None = None
    run: str | None = None
    """The run's name."""
    sessions: tuple[str, ...] = ()
    """The later sessions: when, version, command."""
    scored: str | None = None
    """The program that computed the number from the predictions, where it is not the one that predicted."""


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
    """The counts of one row, beside its cells."""
    deviations = _network_deviations(row, counted, then)
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


def _network_deviations(row: Row, counted: CountedRow, then: protocol.Networks | None) -> list[Deviation]:
    if row.table and counted.model != row.model:
        return [Deviation(f"counted for {brief(str(counted.model))}, not {row.model}")]
    return changed_since(counted, then)


def changed_since(counted: CountedRow, then: protocol.Networks | None = None) -> list[Deviation]:
    """A deviation where counts are of a network that is not their model's; none where no digest was recorded."""
    if counted.model not in MODELS or counted.size is None or counted.network is None:
        return []
    return protocol.definition(counted.model, counted.size, counted.network, then)


# --- evaluations


def _accuracies(evaluation: StoredEvaluation, then: protocol.Networks | None) -> Iterator[CellMeasurement]:
    run, identity = evaluation.run, evaluation.run.identity
    metrics = evaluation.metrics if isinstance(evaluation.metrics, ClassificationMetrics) else None
    assert isinstance(identity, ImagenetIdentity)
    overrides = protocol.of_classifier(identity)
    preset = protocol.named(str(identity.preset["name"]), overrides)
    for row in match.of_classifier(identity) or match.of_model(identity):
        deviations = [
            *_data_deviations(row, identity.data),
            *match.classifier_deviations(row, identity),
            *protocol.deviations(overrides),
            *protocol.weights(row, run),
            *protocol.network(identity, then),
        ]
        origin = _provenance(evaluation, row, preset, metrics.scoring if metrics else None, ACCURACIES[0])
        for metric in ACCURACIES:
            if metric in row.cells:
                measurement = _accuracy(getattr(metrics, metric, None), identity.data, deviations)
                yield CellMeasurement(row, row.cells[metric], measurement, origin)


def _accuracy(hits: Hits | None, data: Data, deviations: Sequence[Deviation]) -> Measurement:
    if hits is None:
        return _INCOMPLETE
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
    label = protocol.named(name, overrides)
    shared = [] if identity.quoted or name == "readme" else [Deviation(f"preset {name}, not readme")]
    shared += [*protocol.deviations(overrides), *protocol.network(identity, then)]
    if not isinstance(metrics, DetectionMetrics):
        for row in match.of_detector(identity, usual):
            for metric in PRECISIONS:
                if metric in row.cells:
                    origin = _provenance(evaluation, row, label, None, "")
                    yield CellMeasurement(row, row.cells[metric], _INCOMPLETE, origin)
        return
    for threshold in metrics.thresholds:
        preset = label if identity.quoted else f"{label}, NMS {threshold.nms:g} {threshold.kind}"
        for row in match.of_detector(identity, threshold.nms):
            suppression = _suppression_deviations(row, threshold, usual, kind)
            if suppression and _table(row.table).sweep is None and _superseded(threshold, metrics, usual, kind):
                continue  # the run has a number under the claimed suppression
            deviations = [*_data_deviations(row, identity.data), *shared, *suppression, *protocol.weights(row, run)]
            origin = _provenance(evaluation, row, preset, threshold.scoring, f"{threshold.nms:g} {threshold.kind}")
            for metric in PRECISIONS:
                cell = row.cells.get(metric)
                if cell is not None and cell.published:
                    measurement = _precision(threshold, metric, identity.data, deviations)
                    yield CellMeasurement(row, cell, measurement, origin, nms=threshold.nms, kind=threshold.kind)


def _precision(threshold: Threshold, metric: str, data: Data, deviations: Sequence[Deviation]) -> Measurement:
    value = threshold.ap.get(metric)
    if value is None:
        waiting = (data.split or "").startswith("test") and data.limit is None
        return Measurement(None, Reason.AWAITING_SERVER if waiting else Reason.NO_DATA, tuple(deviations))
    interval = (threshold.intervals or {}).get(metric)
    return Measurement(value, None, tuple(deviations), _coverage(data), None, interval)


def _superseded(threshold: Threshold, metrics: DetectionMetrics, usual: float, kind: str | None) -> bool:
    """Whether the run was also scored with the claimed suppression, with numbers if this threshold has numbers."""
    return any(
        claimed.nms == usual and (kind is None or claimed.asked == kind) and (claimed.ap or not threshold.ap)
        for claimed in metrics.thresholds
    )


def _suppression_deviations(row: Row, threshold: Threshold, usual: float, kind: str | None) -> list[Deviation]:
    """Deviations of NMS from a row's; a row of a sweep names its own threshold."""
    deviations = []
    if kind is not None and threshold.asked != kind:
        deviations.append(Deviation(f"nms_kind {brief(threshold.asked)}, not {kind}"))
    if _table(row.table).sweep is None and threshold.nms != usual:
        deviations.append(Deviation(f"NMS {threshold.nms:g}, not the preset's {usual:g}"))
    return deviations


_INCOMPLETE = Measurement(None, Reason.PARTIAL, (Deviation("incomplete: the run can be resumed"),))


@cache
def _table(name: str) -> Table:
    return tables.load(name)


def _data_deviations(row: Row, data: Data) -> list[Deviation]:
    """A deviation where the images are not the claim's, by digest where the table has one, else by split."""
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


def _provenance(
    evaluation: StoredEvaluation, row: Row, preset: str, scoring: Scoring | None, number: str
) -> Provenance:
    """How the number of that name (as of `Scored.numbers`) was made."""
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
        scored=_scored(run, scoring, number),
    )


def _session(session: Session | Scored) -> str:
    return f"{session.when or 'unknown time'}, {program(session)}: {shlex.join(session.command)}"


def _scored(run: Run, scoring: Scoring | None, number: str) -> str | None:
    """Who scored that number last and when, unless it was a command that predicted."""
    scorers = [scored for scored in run.scored if number in scored.numbers]
    if scorers:
        last = scorers[-1]
        predicted = {(program(session), *session.command) for session in run.sessions}
        return None if (program(last), *last.command) in predicted else _session(last)
    if scoring is None or {program(session) for session in run.sessions} == {program(scoring)}:
        return None
    return program(scoring)


def _data(row: Row, data: Data) -> str:
    """The images in words: "val2017, 50 of 5000 images drawn with seed 0, sha256 ..."."""
    place = "the drawn sample" if _table(row.table).kind == "sample" else data.split or data.kind
    part = f"{data.limit} of {data.images}" if data.limit is not None else f"{data.images}"
    seed = f" drawn with seed {data.seed}" if data.seed is not None else ""
    return f"{place}, {part} images{seed}" + (f", sha256 {data.sha256}" if data.sha256 else "")
