"""How fast one network is beside another of the same run, and what the rows of a table claim of them.

A round times every network once, one right after the other, so that whatever slows the machine slows all of them: the
ratio is the median of the rounds' own ratios, not that of two medians.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations

from cspbench.claims.frame_rates import ClaimedRatio, of_row, ratios
from cspbench.claims.model import Row, Table
from cspbench.results.speeds.middle import Middle, middle
from cspbench.results.speeds.record import SpeedRun, Stage, Timing


@dataclass(frozen=True)
class Ratio:
    """Frames per second of `above` over those of `below`.

    `table` is None, and nothing claimed, for networks that no table compares.
    """

    table: str | None
    names: tuple[str, str]
    """Of above and below: a row's name, or the model's."""
    claimed: tuple[ClaimedRatio, ...]
    above: Timing
    below: Timing

    def measured(self, stage: Stage) -> Middle:
        pairs = zip(self.above.seconds(stage), self.below.seconds(stage), strict=True)
        return middle([below / above for above, below in pairs])


def pairs(table: Table) -> list[tuple[Row, Row]]:
    """The rows of a table to be compared, the later one first: each with the one printed above it, and namesakes.

    Of rows with a frame rate, on one device at least.
    """
    rows = [row for row in table.rows if of_row(row)]
    return [
        (row, other)
        for (place, other), (later, row) in combinations(enumerate(rows), 2)
        if (later - place == 1 or row.label == other.label) and ratios(row, other)
    ]


def of_run(run: SpeedRun, tables: Iterable[Table]) -> list[Ratio]:
    """The ratios of a run's networks: those that tables claim, then those of the others beside its first one."""
    claimed = list(_claimed(run, tables))
    known = {id(timing) for ratio in claimed for timing in (ratio.above, ratio.below)}
    first, *others = run.timings
    others = [timing for timing in others if id(timing) not in known]
    return [*claimed, *(Ratio(None, (_name(timing), _name(first)), (), timing, first) for timing in others)]


def _claimed(run: SpeedRun, tables: Iterable[Table]) -> Iterator[Ratio]:
    timings = {timing.key: timing for timing in run.timings if timing.key[0]}
    for table in tables:
        names = dict(zip((row.id for row in table.rows), table.names(), strict=True))
        for row, other in pairs(table):
            above, below = (timings.get((each.model or "", each.size or (0, 0))) for each in (row, other))
            if above is not None and below is not None and above is not below:
                yield Ratio(table.name, (names[row.id], names[other.id]), ratios(row, other), above, below)


def _name(timing: Timing) -> str:
    return f"{timing.model} {timing.size[0]}×{timing.size[1]}"
