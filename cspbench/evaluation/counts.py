"""Parameters and operations of published rows, counted by two counters: the contents of params.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Row, Table
from cspbench.errors import UsageError
from cspbench.network.counter import Counter, Size
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count
from cspbench.network.counting import count as count_network
from cspbench.network.network import Network, digest
from cspbench.results.counts import CountedCell, CountedRow
from cspbench.results.measurements import UNPUBLISHED
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS
from cspbench.zoo.registry import model as catalogue_model


@dataclass(frozen=True)
class Subject:
    """A network to be counted, and its published row, if any.

    `build` is None for a row without a definition; `size` is the input to count at, None for the network's own.
    """

    row: Row | None
    model: str | None
    definition: str | None
    build: Callable[[], Network] | None
    size: Size | None


def published(claims: Iterable[Table]) -> list[Subject]:
    """Every row of the tables, with its model of the catalogue."""
    return [_subject(row, MODELS[row.model] if row.model else None) for table in claims for row in table.rows]


def _subject(row: Row | None, model: Model | None, size: Size | None = None) -> Subject:
    if row is not None:
        size = row.counting_size or row.size
    if model is None:
        return Subject(row, None, None, None, size)
    return Subject(row, model.name, model.definition, model.build, size)


def of_models(models: Iterable[Model], claims: Iterable[Table], size: Size | None) -> list[Subject]:
    """The models with every row that claims a count of theirs; a model without one, or at another size, alone.

    Nothing is published for a user's file, whatever its name.
    """
    rows = [subject for subject in published(claims) if subject.row and _claims_counts(subject.row)]
    subjects = []
    for model in models:
        comparable = size is None and model.definition != "file"
        matches = [subject for subject in rows if comparable and subject.model == model.name]
        subjects += matches or [_subject(None, model, size)]
    return subjects


def _claims_counts(row: Row) -> bool:
    return any(metric in row.cells and row.cells[metric].published for metric in COUNTED)


def with_bases(subjects: list[Subject]) -> list[Subject]:
    """The subjects, followed by the base rows that their rows are compared with, where those are missing."""
    rows = {(subject.row.table, subject.row.id): subject.row for subject in subjects if subject.row}
    bases: dict[tuple[str, str], None] = {}
    for row in rows.values():
        compares = any(metric in row.cells and row.cells[metric].comparison for metric in COUNTED)
        if row.base and compares and (row.table, row.base) not in rows:
            bases[row.table, row.base] = None
    loaded = [(tables.load(name), base) for name, base in bases]
    return [*subjects, *published(replace(table, rows=(table.row(base),)) for table, base in loaded)]


def count(model: str | Network, size: Size | None = None) -> Count:
    """A network's parameters and operations under every counting, by two counters.

    `model` is a catalogue's name or a network, `size` its input (height, width), its own by default. Raises
    `CountingError` where the two counters disagree, `UsageError` for anything else, such as a module: the countings are
    defined by layers, which a module does not list.
    """
    network = catalogue_model(model).build() if isinstance(model, str) else model
    if not isinstance(network, Network):
        raise UsageError(
            "usage.not-countable",
            "cannot be counted",
            expected="a model's name or a Network",
            found=type(model).__name__,
            remedy="Build a Network, with cspbench.network.cfg.read for instance",
        )
    return count_network(network if size is None else network.resized(*size))


def overrides_of(countings: Sequence[str]) -> dict[str, str]:
    """The requested countings by metric. Raises `UsageError`."""
    overrides: dict[str, str] = {}
    for name in countings:
        if name not in PARAMETER_COUNTINGS and name not in COUNTINGS:
            raise UsageError(
                "usage.unknown-counting",
                f"unknown counting {name!r}",
                expected=f"one of {', '.join([*PARAMETER_COUNTINGS, *COUNTINGS])}",
                remedy="Correct --counting",
            )
        metric = "params" if name in PARAMETER_COUNTINGS else "bflops"
        if overrides.setdefault(metric, name) != name:
            raise UsageError(
                "usage.two-countings",
                f"two countings of {'parameters' if metric == 'params' else 'operations'}",
                expected="one --counting of each",
                found=f"{overrides[metric]} and {name}",
                remedy="Run once for each",
            )
    return overrides


def count_rows(
    subjects: list[Subject],
    counter: Counter | None = None,
    overrides: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> list[CountedRow]:
    """Count every subject; `overrides` replace a metric's counting, `progress` is called for every counted graph.

    Raises `CountingError` where the two counters disagree.
    """
    counter = counter or Counter()
    ahead = [(subject.model, subject.build, subject.size) for subject in subjects if subject.build and subject.model]
    counter.ahead(ahead, progress)
    return [_counted(subject, counter, overrides or {}) for subject in subjects]


def _counted(subject: Subject, counter: Counter, overrides: Mapping[str, str]) -> CountedRow:
    row, counts, namesakes = subject.row, None, {}
    model = MODELS.get(subject.model or "")
    if subject.build is not None and subject.model is not None:
        counts = counter(subject.model, subject.build, subject.size)
    if model is not None and model.build is subject.build:
        namesakes = {name: counter(name, MODELS[name].build, subject.size) for name in model.namesakes}
    return CountedRow(
        model=subject.model,
        params=_cell(row, "params", counts, namesakes, overrides),
        bflops=_cell(row, "bflops", counts, namesakes, overrides),
        table=row.table if row else None,
        id=row.id if row else None,
        row=row.label if row else None,
        settings=dict(row.settings) if row else {},
        size=counts.network.input[1:] if counts else subject.size,
        network=digest(counts.network) if counts else None,
        definition=subject.definition,
    )


def _cell(
    row: Row | None, metric: str, counts: Count | None, namesakes: Mapping[str, Count], overrides: Mapping[str, str]
) -> CountedCell:
    claim = (row.cells.get(metric) if row else None) or UNPUBLISHED[metric]
    claim = claim.under(overrides.get(metric, claim.counting))
    rule = str(claim.counting)
    value = None if counts is None else _value(counts, metric, rule)
    twins = {name: _value(twin, metric, rule) for name, twin in namesakes.items()}
    return CountedCell(rule, value, claim.text, claim.unit, claim.rounding, twins)


def _value(counts: Count, metric: str, rule: str) -> int:
    return counts.parameters[rule] if metric == "params" else counts.total(rule)
