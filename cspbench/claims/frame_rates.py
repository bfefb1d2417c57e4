"""Frame rates as tables print them, each with the device that it was measured on, and their ratios."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from cspbench.claims.model import Cell, Row


@dataclass(frozen=True)
class FrameRate:
    """A published number of frames per second; `device` is None where the document does not name it."""

    device: str | None
    value: Decimal

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """The numbers that are printed as this one, when rounded half up: 70.5 and 71.5 for 71."""
        half = Decimal("0.5").scaleb(cast("int", self.value.as_tuple().exponent))
        return self.value - half, self.value + half


@dataclass(frozen=True)
class ClaimedRatio:
    """Two published frame rates of one device; `bounds` is how far their rounding leaves the ratio open."""

    above: FrameRate
    below: FrameRate

    @property
    def value(self) -> float:
        return float(self.above.value / self.below.value)

    @property
    def bounds(self) -> tuple[float, float]:
        (low, high), (least, most) = self.above.bounds, self.below.bounds
        return float(low / most), float(high / least)


def frame_rates(cell: Cell | None) -> tuple[FrameRate, ...]:
    """The frame rates of a cell: "44(1080ti) 67(GV100)", or one number whose device the header names, "9900K fps"."""
    if cell is None or cell.metric != "fps":
        return ()
    if cell.value is None:
        return tuple(FrameRate(device, value) for device, value in cell.values)
    words = re.sub(r"\bfps\b|\bgpu\b|[()*]", " ", cell.column, flags=re.IGNORECASE).split()
    return (FrameRate(" ".join(words) or None, cell.value),)


def of_row(row: Row) -> tuple[FrameRate, ...]:
    """The frame rates that a row claims."""
    return frame_rates(row.cells.get("fps"))


def ratios(row: Row, other: Row) -> tuple[ClaimedRatio, ...]:
    """The claimed frame rates of `row` over those of `other`, by the devices that both have."""
    below = {rate.device: rate for rate in of_row(other) if rate.value}
    return tuple(ClaimedRatio(rate, below[rate.device]) for rate in of_row(row) if rate.device in below)
