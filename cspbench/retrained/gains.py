"""What a row gains over its base row: as published, and between retrained groups that differ in nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from cspbench.claims.model import Row
from cspbench.results.schema import Run
from cspbench.retrained.groups import Group
from cspbench.retrained.statistics import Difference, difference
from cspbench.zoo.yolox import LEGACY, NMS_FREE


@dataclass(frozen=True)
class Gain:
    """The differences of a row from its base by metric, in points; `published` where both rows print the number.

    `measured` is empty where no training of the base is comparable; `lack` says why.
    """

    base: Row
    published: Mapping[str, Decimal]
    measured: Mapping[str, Difference] = field(default_factory=dict)
    lack: str | None = None


def gain(group: Group, groups: Sequence[Group]) -> Gain | None:
    """The gain of a group over the best comparable one of `groups`; None of a base row, or without a row.

    Of several that are comparable it is the one with the most seeds in common, then with the most seeds.
    """
    row = group.row
    base = group.table.base_of(row) if group.table is not None and row is not None else None
    if base is None or row is None:
        return None
    published = {metric: number for metric in row.cells if (number := published_gain(row, base, metric)) is not None}
    others = [(list(unlike(group, other)), other) for other in groups if other.row is not None and _is(other.row, base)]
    alike = [other for differing, other in others if not differing]
    if not others:
        return Gain(base, published, lack="not retrained")
    if not alike:
        fewest = min((differing for differing, _ in others), key=len)
        return Gain(base, published, lack=f"retrained otherwise: other {', '.join(fewest)}")
    seeds = set(group.seeds)
    chosen = max(alike, key=lambda other: (len(seeds.intersection(other.seeds)), len(other.seeds)))
    measured = {
        metric: difference(numbers, chosen.numbers[metric])
        for metric, numbers in group.numbers.items()
        if metric in chosen.numbers
    }
    return Gain(base, published, measured)


def _is(row: Row, base: Row) -> bool:
    return (row.table, row.id) == (base.table, base.id)


def published_gain(row: Row, base: Row, metric: str) -> Decimal | None:
    """What a row prints more than another, in points; None where one of them prints no percentage."""
    cells = [each.cells.get(metric) for each in (row, base)]
    one, other = (cell.value if cell is not None and cell.unit == "%" else None for cell in cells)
    return None if one is None or other is None else one - other


def unlike(group: Group, other: Group) -> Iterator[str]:
    """What differs between two groups beside network and recipe, which are the trick, in words."""
    one, two = group.training, other.training
    if one.data != two.data:
        yield "images for training"
    if one.iterations != two.iterations and not (one.whole and two.whole):
        yield "iterations"
    if (one.start.arrays, one.start.seen) != (two.start.arrays, two.start.seen):
        yield "weights to begin with"
    if sorted(one.changed) != sorted(two.changed):
        yield "settings"
    if (one.gradients, one.precision) != (two.gradients, two.precision):
        yield "arithmetic"
    runs = group.run, other.run
    if runs[0].identity.data != runs[1].identity.data:
        yield "images for evaluation"
    protocols = [(run.identity.preset, run.identity.precision, _preset(run)) for run in runs]
    if protocols[0] != protocols[1]:
        yield "protocol"


def _preset(run: Run) -> str | None:
    """The name of a detector's preset; that a network does without NMS is part of the network, the trick."""
    name = run.settings.name if run.settings else None
    return LEGACY if name == NMS_FREE else name
