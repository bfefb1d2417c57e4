"""Trainings that differ in nothing but the seed, and their numbers by seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from msgspec import structs

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES, PRECISIONS
from cspbench.claims.model import Row, Table
from cspbench.results import protocol
from cspbench.results.encoding import encode
from cspbench.results.schema import ClassificationMetrics, CocoIdentity, DetectionMetrics, Run, Threshold
from cspbench.retrained.folders import Retraining
from cspbench.retrained.record import Training


@dataclass(frozen=True)
class Group:
    """Trainings of one network, recipe, era and data set, evaluated alike, by seed.

    `table` and `row` are None where no published row was trained.
    """

    table: Table | None
    row: Row | None
    members: tuple[Retraining, ...]
    """One a seed, in the order of the seeds."""

    @property
    def training(self) -> Training:
        """The record of the first; the others differ in seed and sessions."""
        return self.members[0].training

    @property
    def run(self) -> Run:
        """The run that evaluated the first; the others differ in weights and sessions."""
        return self.members[0].evaluation.run

    @property
    def detects(self) -> bool:
        return isinstance(self.run.identity, CocoIdentity)

    @property
    def seeds(self) -> list[int]:
        return [member.training.seed for member in self.members]

    @cached_property
    def numbers(self) -> Mapping[str, Mapping[int, float]]:
        """In percent, by metric and seed; without what no training has a number for."""
        by_metric: dict[str, dict[int, float]] = {}
        for member in self.members:
            for metric, number in _numbers(member, self.table, self.row).items():
                by_metric.setdefault(metric, {})[member.training.seed] = number
        return by_metric


def _numbers(member: Retraining, table: Table | None, row: Row | None) -> dict[str, float]:
    """In percent; without a top-5 of five classes or fewer, which says nothing."""
    metrics, run = member.evaluation.metrics, member.evaluation.run
    if isinstance(metrics, ClassificationMetrics):
        telling = [name for name in ACCURACIES if name != "top5" or member.training.data.classes > 5]
        hits = {name: getattr(metrics, name) for name in telling}
        return {name: 100 * each.correct / each.total for name, each in hits.items()}
    if not isinstance(metrics, DetectionMetrics):
        return {}
    threshold = _threshold(run, metrics.thresholds, table, row)
    numbers = {} if threshold is None else {name: threshold.ap.get(name) for name in PRECISIONS}
    return {name: float(number) for name, number in numbers.items() if number is not None}


def _threshold(run: Run, thresholds: Sequence[Threshold], table: Table | None, row: Row | None) -> Threshold | None:
    """The numbers at the preset's NMS, or at the threshold that a row of a sweep names."""
    usual, kind = protocol.suppression(run)
    if table is not None and row is not None and table.sweep is not None:
        text = row.settings[table.sweep]
        usual = usual if text == "aware" else float(Decimal(text))
    matching = [each for each in thresholds if each.nms == usual and (kind is None or each.asked == kind)]
    return matching[0] if matching else None


def groups(retrainings: Iterable[Retraining]) -> tuple[list[Group], list[str]]:
    """The groups, those of rows first, in the order of the tables; and notes on what is left out.

    Of two trainings of one seed the one that was evaluated last counts.
    """
    rows = {
        f"{table.name}:{row.id}": (place, table, row)
        for place, (table, row) in enumerate((table, row) for table in tables.load_all(kind=None) for row in table.rows)
    }
    notes: list[str] = []
    by_key: dict[tuple[int, bytes], dict[int, Retraining]] = {}
    for each in sorted(retrainings, key=_age):
        name = each.training.row
        place = rows[name][0] if name in rows else len(rows)
        if name is not None and name not in rows:
            notes.append(f"{each.evaluation.where}: of a row that no table has, {name}")
        seeds = by_key.setdefault((place, _key(each)), {})
        if each.training.seed in seeds:
            older = seeds[each.training.seed].evaluation.where
            notes.append(f"{older}: seed {each.training.seed} was trained again, which counts: left out")
        seeds[each.training.seed] = each
    found = []
    for (place, _), seeds in sorted(by_key.items()):
        name = next(iter(seeds.values())).training.row
        _, table, row = rows[name] if place < len(rows) and name else (place, None, None)
        found.append(Group(table, row, tuple(seeds[seed] for seed in sorted(seeds))))
    return found, notes


def _age(retraining: Retraining) -> tuple[str, str]:
    return retraining.evaluation.run.sessions[-1].when, retraining.evaluation.where


def _key(retraining: Retraining) -> bytes:
    """Everything but the seed: of the training, and of the evaluation."""
    training, run = retraining.training, retraining.evaluation.run
    alike = structs.replace(training, seed=0, sessions=[], recipe_iterations=None, changed=[])
    settings = run.settings and structs.replace(run.settings, names=None)
    return b"".join(map(encode, [alike, structs.replace(run.identity, weights=""), *([settings] if settings else [])]))
