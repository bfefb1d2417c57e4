"""Frame rates as tables print them, or the latencies that stand in their place, and their ratios."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from cspbench.claims.model import Cell, Row


@dataclass(frozen=True)
class FrameRate:
    """A published number: frames per second, or milliseconds an image if it is a `latency`.

    `device` is None where the document does not name it.
    """

    device: str | None
    printed: Decimal
    latency: bool = False

    @property
    def value(self) -> Decimal:
        """Frames per second."""
        return _inverse(self.printed) if self.latency else self.printed

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """The rates that are printed as this number, when rounded half up: 70.5 and 71.5 for 71."""
        half = Decimal("0.5").scaleb(cast("int", self.printed.as_tuple().exponent))
        low, high = self.printed - half, self.printed + half
        return (_inverse(high), _inverse(low)) if self.latency else (low, high)


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


METRICS = ("fps", "latency")
"""Those of speed; a row with both has one measurement in two units, and the first is read."""


def frame_rates(cell: Cell | None) -> tuple[FrameRate, ...]:
    """The frame rates of a cell: "44(1080ti) 67(GV100)", or one number whose device the header names, "9900K fps"."""
    if cell is None or cell.metric not in METRICS:
        return ()
    latency = cell.metric == "latency"
    if cell.value is None:
        return tuple(FrameRate(device, value, latency) for device, value in cell.values)
    words = re.sub(r"\b(?:fps|gpu|speed|latency|ms)\b|[()*]", " ", cell.column, flags=re.IGNORECASE).split()
    return (FrameRate(" ".join(words) or None, cell.value, latency),)


def of_row(row: Row) -> tuple[FrameRate, ...]:
    """The frame rates that a row claims."""
    return next((rates for name in METRICS if (rates := frame_rates(row.cells.get(name)))), ())


def ratios(row: Row, other: Row) -> tuple[ClaimedRatio, ...]:
    """The claimed frame rates of `row` over those of `other`, by the devices that both have."""
    below = {(rate.device, rate.latency): rate for rate in of_row(other) if rate.printed}
    above = [(rate, below.get((rate.device, rate.latency))) for rate in of_row(row) if rate.printed]
    return tuple(ClaimedRatio(rate, match) for rate, match in above if match is not None)


def _inverse(value: Decimal) -> Decimal:
    return 1000 / value
