"""Parameters and operations of every published row, measured and held against the claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from cspbench.claims import tables
from cspbench.claims.model import Cell, Column, Row, Table
from cspbench.claims.rounding import as_printed
from cspbench.claims.verdict import Derived, Reason, Verdict, Word, derived, verdict
from cspbench.network.counter import Counter, Size
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count
from cspbench.network.network import Network, digest
from cspbench.zoo.catalogue import MODELS, Model, row_model

METRICS = ("params", "bflops")

_ABSENT = {
    "params": Cell.parse("-", Column("#Parameter", "metric", "params", "M", "M", counting="weights")),
    "bflops": Cell.parse("-", Column("BFLOPs", "metric", "bflops", "G", counting="conv+maxpool", rounding="darknet")),
}
"""What a row without the column claims: nothing. The tool's own figure follows the README's countings."""


@dataclass(frozen=True)
class Subject:
    """What is to be counted: a network, and the published row it stands for, if any.

    `build` is None for a row without a definition; `size` is the input to count at, None for the network's own.
    """

    row: Row | None
    model: str | None
    definition: str | None
    build: Callable[[], Network] | None
    size: Size | None
    note: str | None = None
    namesakes: tuple[Model, ...] = ()
    confidence: str | None = None
    unknown: str | None = None


@dataclass(frozen=True)
class CellCount:
    """One counted cell: the claim, the exact integer measured under the claim's counting, and the verdict."""

    cell: Cell
    measured: int | None
    verdict: Verdict
    explanations: tuple[str, ...] = ()
    """For a cell that is off: which other counting, or which namesake network, gives the published number."""
    explained: bool = False
    """Whether a namesake gives the published number exactly under the same counting, or the network is a stand-in: one
    of ours, so that its miss is no fault of the claim."""
    comparison: Derived | None = None
    """The parenthesised comparison, worked out from the two measurements."""
    base: str | None = None
    """The row compared with, and, where that row's own claim is off, the claim."""
    rests_on: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the cell disagrees with its claim for a reason nobody has found."""
        return self.verdict.word == Word.OFF and not self.explained


@dataclass(frozen=True)
class RowCount:
    """One line of the result."""

    subject: Subject
    size: Size | None
    cells: Mapping[str, CellCount]
    network: str | None = None
    """The digest of what was counted: two networks may well have the same counts."""

    @property
    def failed(self) -> bool:
        """Whether a cell is off without an explanation."""
        return any(cell.failed for cell in self.cells.values())


def published(chosen: Iterable[Table]) -> list[Subject]:
    """Every row of the tables, with the model the catalogue has for it."""
    subjects = []
    for table in chosen:
        for row in table.rows:
            entry = row_model(table.name, row.id)
            model = MODELS[entry.model] if entry.model else None
            subjects.append(_subject(row, model, entry.note))
    return subjects


def _subject(row: Row | None, model: Model | None, note: str | None = None, size: Size | None = None) -> Subject:
    if row is not None:
        size = row.counting_size or row.size
    if model is None:
        return Subject(row, None, None, None, size, note)
    namesakes = tuple(MODELS[name] for name in model.namesakes)
    return Subject(
        row, model.name, model.definition, model.build, size, note, namesakes, model.confidence, model.unknown
    )


def of_models(models: Iterable[Model], chosen: Iterable[Table], size: Size | None) -> list[Subject]:
    """The models with the counted claims published for them; a model without any, or at another size, alone.

    Nothing is published for a user's file, whatever its name.
    """
    rows = published(chosen)
    subjects = []
    for model in models:
        claims = []
        if size is None and model.definition != "file":
            claims = [each for each in rows if each.model == model.name and each.row and _claims_counts(each.row)]
        subjects += claims or [_subject(None, model, size=size)]
    return subjects


def _claims_counts(row: Row) -> bool:
    return any(metric in row.cells and row.cells[metric].published for metric in METRICS)


def _bases(subjects: list[Subject]) -> list[Subject]:
    """The rows that those of the subjects are compared with, where they are not among them."""
    given = {(each.row.table, each.row.id) for each in subjects if each.row}
    missing: dict[tuple[str, str], Row] = {}
    for row in (each.row for each in subjects if each.row):
        compares = any(metric in row.cells and row.cells[metric].comparison for metric in METRICS)
        if row.base and compares and (row.table, row.base) not in given:
            missing.setdefault((row.table, row.base), row)
    return published(
        replace(table, rows=(table.row(base),)) for table, base in ((tables.load(name), id_) for name, id_ in missing)
    )


def measure(
    subjects: list[Subject],
    counter: Counter,
    overrides: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> list[RowCount]:
    """Count every subject; `overrides` replace a metric's counting. `progress` hears of every graph counted ahead.

    The rows that a subject's row is compared with are counted as well, if only for that.

    Raises `CountingError` where the two counters disagree.
    """
    everything = [*subjects, *_bases(subjects)]
    counter.ahead(
        [(each.model, each.build, each.size) for each in everything if each.build and each.model],
        progress,
    )
    results = []
    for subject in everything:
        counted = None
        if subject.build is not None and subject.model is not None:
            counted = counter(subject.model, subject.build, subject.size)
        cells = {metric: _cell_count(subject, metric, counted, counter, overrides or {}) for metric in METRICS}
        size = counted.network.input[1:] if counted else subject.size
        results.append(RowCount(subject, size, cells, digest(counted.network) if counted else None))
    return _compared(results)[: len(subjects)]


def _value(counted: Count, metric: str, rule: str) -> int:
    return counted.parameters[rule] if metric == "params" else counted.total(rule)


def _cell_count(
    subject: Subject, metric: str, counted: Count | None, counter: Counter, overrides: Mapping[str, str]
) -> CellCount:
    claimed = subject.row.cells.get(metric) if subject.row else None
    claimed = claimed or _ABSENT[metric]
    cell = claimed.counted_as(overrides.get(metric, claimed.counting))
    if counted is None:
        judged = Verdict(Word.UNPUBLISHED, None, None)
        if cell.published:
            judged = verdict(cell, None, Reason.NO_DEFINITION)
        return CellCount(cell, None, judged)
    assert cell.counting is not None
    measured = _value(counted, metric, cell.counting)
    stand_in = subject.definition == "stand-in"
    judged = verdict(cell, measured, stand_in=stand_in)
    if cell.published and cell.counting != claimed.counting:
        judged = replace(judged, word=Word.UNMEASURED, delta=None, reason=Reason.OTHER_WAY)
        fits = [] if stand_in else _fitting(claimed, metric, counted)
        return CellCount(cell, measured, judged, (f"exact under {', '.join(fits)}",) if fits else ())
    if judged.word != Word.OFF:
        return CellCount(cell, measured, judged)
    if stand_in:
        # which other rule or network would fit says nothing either
        return CellCount(cell, measured, judged, ("of our stand-in, which is no fault of the claim",), explained=True)
    twins = [
        twin
        for twin in subject.namesakes
        if verdict(cell, _value(counter(twin.name, twin.build, subject.size), metric, cell.counting)).word == Word.EXACT
    ]
    texts = [f"exact under {rule}" for rule in _fitting(claimed, metric, counted)]
    texts += [f"exact for {twin.name}" for twin in twins]
    return CellCount(cell, measured, judged, tuple(texts), explained=bool(twins))


def _fitting(claim: Cell, metric: str, counted: Count) -> list[str]:
    """The countings under which the claim holds."""
    rules = PARAMETER_COUNTINGS if metric == "params" else COUNTINGS
    return [rule for rule in rules if verdict(claim.counted_as(rule), _value(counted, metric, rule)).word == Word.EXACT]


def _compared(results: list[RowCount]) -> list[RowCount]:
    """Add to each cell its comparison with the base row, worked out from both measurements as they would print."""
    by_row = {(each.subject.row.table, each.subject.row.id): each for each in results if each.subject.row}
    compared = []
    for result in results:
        row = result.subject.row
        base = by_row.get((row.table, row.base)) if row and row.base else None
        cells = dict(result.cells)
        if row and base and base.subject.row:
            for metric, own in result.cells.items():
                other = base.cells[metric]
                numbers = (_printed(own), _printed(other))
                known = (
                    derived(row, base.subject.row, metric, numbers) if all(numbers) and own.cell.comparison else None
                )
                rests_on = other.cell.text if other.verdict.word == Word.OFF else None
                cells[metric] = replace(own, comparison=known, base=base.subject.row.label, rests_on=rests_on)
        compared.append(replace(result, cells=cells))
    return compared


def _printed(cell: CellCount) -> Decimal:
    """The measurement as its publisher would have printed it; 0 where there is none."""
    if cell.measured is None or cell.cell.decimals is None:
        return Decimal(0)
    return as_printed(cell.measured, cell.cell.unit, cell.cell.decimals, cell.cell.rounding)
