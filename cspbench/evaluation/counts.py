"""Parameters and operations of published rows, counted by two counters: the contents of params.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Row, Table
from cspbench.evaluation.subject import description_of
from cspbench.inference.description import Described
from cspbench.network.counter import Counter, Size
from cspbench.network.counting import Count, ModuleCount, count_module
from cspbench.network.counting import count as count_network
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.results.counts import CountedCell, CountedRow
from cspbench.results.measurements import UNPUBLISHED
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS
from cspbench.zoo.registry import model as catalogue_model


class Countable(NamedTuple):
    """A model to be counted, and its published row, if any.

    `model` is None for a row without a definition; `size` is the input to count at, None for the network's own.
    """

    row: Row | None
    model: Model | None
    size: Size | None


def published(claims: Iterable[Table]) -> list[Countable]:
    """Every row of the tables, with its model of the catalogue."""
    return [
        Countable(row, MODELS[row.model] if row.model else None, row.counting_size or row.size)
        for table in claims
        for row in table.rows
    ]


def of_models(models: Iterable[Model], claims: Iterable[Table], size: Size | None) -> list[Countable]:
    """The models with every row that claims a count of theirs; a model without one, or at another size, alone.

    Nothing is published for a user's file, whatever its name.
    """
    rows = [
        countable
        for countable in published(claims)
        if countable.row and any(cell.published for metric, cell in countable.row.cells.items() if metric in COUNTED)
    ]
    every = []
    for model in models:
        matches = [countable for countable in rows if countable.model is model] if size is None else []
        every += matches or [Countable(None, model, size)]
    return every


def with_bases(countables: list[Countable]) -> list[Countable]:
    """The same, followed by the base rows that their rows are compared with, where those are missing."""
    rows = {(countable.row.table, countable.row.id): countable.row for countable in countables if countable.row}
    bases: dict[tuple[str, str], None] = {}
    for row in rows.values():
        compares = any(metric in row.cells and row.cells[metric].comparison for metric in COUNTED)
        if row.base and compares and (row.table, row.base) not in rows:
            bases[row.table, row.base] = None
    loaded = [(tables.load(name), base) for name, base in bases]
    return [*countables, *published(replace(table, rows=(table.row(base),)) for table, base in loaded)]


def count(model: str | Architecture | Described, size: Size | None = None) -> Count | ModuleCount:
    """A model's parameters and operations under every counting that it has.

    `model` is a catalogue's name, a network, or a module with a description; `size` is its input (height, width), its
    own by default. A network is counted by two counters, another module by fvcore alone. Raises `CountingError` where
    the two counters disagree, `UsageError` for anything else.
    """
    network = catalogue_model(model).architecture() if isinstance(model, str) else model
    if isinstance(network, Network | ModuleNetwork):
        return count_network(network if size is None else network.resized(*size))
    channels, *own = description_of(cast(Described, network)).input
    height, width = size or own
    return count_module(cast(Any, network), (channels, height, width))


def count_rows(
    countables: list[Countable],
    counter: Counter | None = None,
    overrides: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda name: None,
) -> list[CountedRow]:
    """Count every model; `overrides` replace a metric's counting, `progress` is called for every counted graph.

    Raises `CountingError` where the two counters disagree.
    """
    counter = counter or Counter()
    models = [(model, size) for _, model, size in countables if model]
    models += [(MODELS[name], size) for model, size in models for name in model.namesakes]
    counter.ahead([(model.name, model.architecture, size) for model, size in models], progress)
    return [_counted(countable, counter, overrides or {}) for countable in countables]


def _counted(countable: Countable, counter: Counter, overrides: Mapping[str, str]) -> CountedRow:
    row, model, size = countable
    counts = counter(model.name, model.architecture, size) if model else None
    namesakes = {name: counter(name, MODELS[name].architecture, size) for name in model.namesakes} if model else {}
    return CountedRow(
        model=model.name if model else None,
        params=_cell(row, "params", counts, namesakes, overrides),
        bflops=_cell(row, "bflops", counts, namesakes, overrides),
        table=row.table if row else None,
        id=row.id if row else None,
        row=row.label if row else None,
        settings=dict(row.settings) if row else {},
        size=counts.network.input[1:] if counts else size,
        network=model.digest(counts.network.input[1:]) if model and counts else None,
        definition=model.definition if model else None,
    )


def _cell(
    row: Row | None, metric: str, counts: Count | None, namesakes: Mapping[str, Count], overrides: Mapping[str, str]
) -> CountedCell:
    claim = (row.cells.get(metric) if row else None) or UNPUBLISHED[metric]
    claim = claim.under(overrides.get(metric, claim.counting))
    rule = str(claim.counting)
    value = None if counts is None else counts.total(rule)
    twins = {name: twin.total(rule) for name, twin in namesakes.items()}
    return CountedCell(rule, value, claim.text, claim.unit, claim.rounding, twins)
