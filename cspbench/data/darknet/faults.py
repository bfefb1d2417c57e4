"""The faults of a data set: a check lists them, an evaluation tolerates as many as the user allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cspbench.errors import DatasetError

MOST = 10_000
"""Faults after which a check stops looking for more."""


def tolerated(faults: Sequence[DatasetError]) -> tuple[str, ...]:
    """The faults of a data set that is used all the same, as a note; none without faults."""
    if not faults:
        return ()
    first = faults[0]
    count = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults, the first"
    return (f"the data set is used with {count}: {first.where}: {first.what} (found {first.found})",)


@dataclass
class Faults:
    """Faults in the order in which they are found; more than `allowed` raise the first. None allows any number."""

    allowed: int | None = 0
    errors: list[DatasetError] = field(default_factory=list)

    @property
    def enough(self) -> bool:
        """Whether a check has found so many that the rest does not matter."""
        return len(self.errors) >= MOST

    def add(self, fault: DatasetError) -> None:
        """Note a fault. Raises `DatasetError` if it is one too many."""
        self.errors.append(fault)
        if self.allowed is not None and len(self.errors) > self.allowed:
            first = self.errors[0]
            if self.allowed:
                first.remedy = f"{first.remedy}. There are more faults than the {self.allowed} that --allow-bad allows"
            raise first
