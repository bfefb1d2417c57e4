"""The networks to be timed: the rows with a claimed frame rate, or models by name, in groups that take turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cspbench.claims import tables
from cspbench.claims.frame_rates import of_row
from cspbench.claims.model import Table
from cspbench.errors import UsageError
from cspbench.inference import footprint
from cspbench.network.modular.architecture import Architecture
from cspbench.network.network import Network
from cspbench.zoo.detector_protocol import DetectorProtocol, at_size
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Subject:
    """A network at an input size."""

    network: Architecture
    definition: str
    """The kind of its definition, or `file` for a user's."""
    protocol: DetectorProtocol | None = None
    """Of a quoted detector."""

    @property
    def name(self) -> str:
        return self.network.name


@dataclass(frozen=True)
class Group:
    """Networks that are timed in turns."""

    name: str
    subjects: tuple[Subject, ...]


def of_tables(claims: Sequence[Table]) -> list[Group]:
    """The rows with a frame rate, a group for each table that has some. Raises `UsageError` where none has."""
    groups = []
    for table in claims:
        keys = dict.fromkeys((row.model, row.size) for row in table.rows if of_row(row) and row.model)
        if keys:
            groups.append(Group(table.name, tuple(_subject(MODELS[model], size) for model, size in keys if model)))
    if not groups:
        rated = [table.name for table in tables.load_all(kind=None) if any(map(of_row, table.rows))]
        raise UsageError(
            "usage.no-frame-rates",
            "no row has a frame rate",
            where=", ".join(table.name for table in claims),
            expected=f"one of {', '.join(rated)}",
            remedy="Name such a table, or the models",
        )
    return groups


def of_models(models: Sequence[Model], size: Size | None) -> Group:
    """The models at one size, by default each at those that rows with a frame rate have, else at its own."""
    claims = [row for table in tables.load_all(kind=None) for row in table.rows if of_row(row)]
    subjects: list[Subject] = []
    for model in models:
        sizes = {row.size for row in claims if row.model == model.name and row.size and model.definition != "file"}
        chosen: list[Size | None] = [size] if size else [*sorted(sizes)] or [None]
        subjects += [_subject(model, each) for each in chosen]
    return Group(", ".join(model.name for model in models), tuple(subjects))


def _subject(model: Model, size: Size | None) -> Subject:
    network = model.architecture()
    network = at_size(network, size, model.detector_protocol)
    if isinstance(network, Network):
        network.check_evaluable()
    footprint.check(network)
    return Subject(network, model.definition, model.detector_protocol)
