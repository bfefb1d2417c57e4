"""What a measured count says about a published number, in the rounding that the publisher used."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from cspbench.claims.model import Cell, Row
from cspbench.claims.rounding import as_decimal, as_printed, in_unit, round_half_up


class Word(StrEnum):
    """The verdict on a cell in one word."""

    EXACT = "exact"  # equal at the printed precision
    WITHIN = "within"  # a difference that sampling noise explains
    OFF = "off"  # neither
    FITTED = "fitted"  # a stand-in's own totals
    UNPUBLISHED = "unpublished"  # no claim
    UNMEASURED = "unmeasured"  # no measurement, with a reason


class Reason(StrEnum):
    """Why a cell is unmeasured."""

    NO_WEIGHTS = "no-weights"
    NO_DATA = "no-data"
    NO_DEFINITION = "no-definition"
    OTHER_SPLIT = "other-split"
    PARTIAL = "partial"
    OTHER_WAY = "other-way"  # by another rule, preset, precision, network or weight file
    AWAITING_SERVER = "awaiting-server"
    HARDWARE = "hardware"
    NOT_RUN = "not-run"  # it could be measured here, and nobody has


@dataclass(frozen=True)
class Verdict:
    """A claim beside its measurement, both in the cell's unit.

    `measured` is rounded as the publisher rounded; without a claim there are no printed decimals to round to, and it
    is the unrounded number. `delta` is measured - claim.
    """

    word: Word
    claim: Decimal | None
    measured: Decimal | None
    delta: Decimal | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class Derived:
    """A comparison worked out again from its two numbers, beside the printed one."""

    text: str
    printed: str | None

    @property
    def equal(self) -> bool:
        """Whether the document prints the same comparison."""
        return self.text == self.printed


def verdict(
    cell: Cell, measured: Decimal | int | None, reason: Reason | None = None, *, stand_in: bool = False
) -> Verdict:
    """The verdict on a counted cell; `measured` in single parameters or operations, or None with the reason.

    A `stand_in` was chosen for its totals: where they are the published ones, that is `fitted`, not `exact`.
    """
    if (measured is None) == (reason is None):
        raise ValueError("a cell is either measured, or unmeasured for a reason")
    if cell.value is None or cell.decimals is None:
        return Verdict(Word.UNPUBLISHED, None, None if measured is None else in_unit(measured, cell.unit))
    if measured is None:
        return Verdict(Word.UNMEASURED, cell.value, None, reason=reason)
    printed = as_printed(measured, cell.unit, cell.decimals, cell.rounding)
    equal = Word.FITTED if stand_in else Word.EXACT
    word = equal if printed == cell.value else Word.OFF
    return Verdict(word, cell.value, printed, printed - cell.value)


def derived(
    row: Row, base: Row, metric: str, values: tuple[Decimal | int, Decimal | int] | None = None
) -> Derived | None:
    """The comparison of `row` with its base, in the README's words; None where a number is missing.

    Counts compare by ratio, accuracies by difference. `values` are the numbers of the row and of its base in one
    unit, for instance both measured; without them the published numbers are used.
    """
    if row.base != base.id:
        raise ValueError(f"{row.id} is compared with {row.base}, not with {base.id}")
    own, other = values or (row.cells[metric].value, base.cells[metric].value)
    if own is None or other is None:
        return None
    difference = as_decimal(own) - as_decimal(other)
    if metric in ("params", "bflops"):
        change = round_half_up(difference * 100 / other, 0)
        text = f"({change:+f}%)"
    else:
        change = round_half_up(difference, 1)
        text = f"({change:+f})"
    comparison = row.cells[metric].comparison
    return Derived(text if change else "(=)", comparison.text if comparison else None)
