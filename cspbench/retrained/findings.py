"""What can be said from a study: per row the published and the measured difference from its base, and a word.

A word never says that a published number is right or wrong: the network, the data and the schedule are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from cspbench.claims.model import Row, Table
from cspbench.retrained.gains import published_gain
from cspbench.retrained.statistics import Difference, Summary, difference, summary
from cspbench.retrained.studies import StudiedRow, Study


class Word(StrEnum):
    """What the measured difference says of the sign of the published one."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    UNDECIDED = "undecided"


MEANINGS = {
    Word.AGREES: "the same sign as published, and the interval excludes 0",
    Word.DISAGREES: "the other sign, and the interval excludes 0",
    Word.UNDECIDED: "the interval includes 0, or there is none",
}


@dataclass(frozen=True)
class Number:
    """One metric of a row: mean and spread over seeds, and the differences from the base row in points."""

    metric: str
    published: str | None
    """As printed."""
    measured: Summary | None
    published_gain: Decimal | None = None
    gain: Difference | None = None

    @property
    def word(self) -> Word | None:
        """None of a base row, and where no difference is published."""
        return None if self.gain is None or self.published_gain is None else word(self.published_gain, self.gain)


@dataclass(frozen=True)
class Finding:
    """A row of a study; the first of its numbers decides."""

    row: Row
    base: Row | None
    variant: str | None
    changes: tuple[str, ...]
    numbers: tuple[Number, ...]
    lack: str | None

    @property
    def word(self) -> Word | None:
        return self.numbers[0].word if self.numbers else None


def word(published: Decimal, gain: Difference) -> Word:
    """A difference of 0 has no sign to agree with."""
    if gain.interval is None or not published:
        return Word.UNDECIDED
    low, high = gain.interval
    if low <= 0 <= high:
        return Word.UNDECIDED
    return Word.AGREES if (low > 0) == (published > 0) else Word.DISAGREES


def findings(study: Study, table: Table) -> list[Finding]:
    """Those of a study's rows, in the order of the table; rows that the table no longer has are left out."""
    rows = {row.id: row for row in table.rows}
    return [_finding(study, each, rows) for each in study.rows if each.row in rows]


def _finding(study: Study, each: StudiedRow, rows: Mapping[str, Row]) -> Finding:
    row, base = rows[each.row], rows.get(each.base or "")
    own = _by_seed(study, each.variant, each.nms)
    before = _by_seed(study, each.base_variant, each.base_nms) if base is not None else {}
    metrics = [metric for metric, cell in row.cells.items() if cell.unit == "%" and (not own or metric in own)]
    numbers = []
    for metric in metrics:
        values = own.get(metric, {})
        gained = difference(values, before[metric]) if values and before.get(metric) else None
        gain = None if base is None else published_gain(row, base, metric)
        measured = summary(list(values.values())) if values else None
        numbers.append(Number(metric, row.cells[metric].text, measured, gain, gained))
    changes = study.variant(each.variant).changes if each.variant else []
    return Finding(row, base, each.variant, tuple(changes), tuple(numbers), each.lack)


def _by_seed(study: Study, variant: str | None, nms: str) -> dict[str, dict[int, float]]:
    """Percentages by metric and seed."""
    numbers: dict[str, dict[int, float]] = {}
    for seed, outcome in study.variant(variant).by_seed.items() if variant is not None else ():
        for metric, value in outcome.numbers.get(nms, {}).items():
            numbers.setdefault(metric, {})[seed] = value
    return numbers


def head_room(study: Study, table: Table) -> tuple[str, Summary, float] | None:
    """The deciding metric of the base row, its numbers, and what chance gives; 100 is the ceiling.

    None where the base row has no numbers.
    """
    for finding in findings(study, table):
        if finding.base is None and finding.numbers and finding.numbers[0].measured is not None:
            metric = finding.numbers[0].metric
            classes = study.outcomes[0].data.classes
            return metric, finding.numbers[0].measured, 100 / classes if metric == "top1" and classes else 0.0
    return None
