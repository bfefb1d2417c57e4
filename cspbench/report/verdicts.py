"""What a measured count says about a published number, in the rounding that the publisher used.

All arithmetic is decimal: 5.185 has no binary float, and half up on its nearest one gives 5.18.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from enum import StrEnum

from cspbench.claims import Cell, Row

# Single parameters or operations in one unit of the printed number, as a power of ten.
_UNIT_EXPONENTS = {"1": 0, "M": 6, "G": 9}


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


def round_half_up(value: Decimal | int | str, decimals: int) -> Decimal:
    """`value` to that many decimals; a tie goes away from zero."""
    return _quantized(value, decimals, ROUND_HALF_UP)


def claimed_as(measured: int, rounding: str) -> int:
    """A count in the claim's terms: the double of it, where the publisher printed the double of what was counted."""
    return 2 * measured if rounding == "doubled" else measured


def as_printed(measured: Decimal | int, unit: str, decimals: int, rounding: str) -> Decimal:
    """The number that the publisher would have printed for `measured` single parameters or operations."""
    value = _in_unit(measured, unit)
    if rounding == "printed":
        return round_half_up(value, decimals)
    if rounding == "darknet":
        return round_half_up(round_half_up(value, 3), decimals)
    if rounding == "doubled":
        return 2 * round_half_up(value, decimals)
    if rounding == "cut":
        # Cut to 2 decimals in M, whatever the unit it is then written in: 27,642,184 is 27.64 M is 27640000.
        millions = _quantized(_in_unit(measured, "M"), 2, ROUND_DOWN)
        return round_half_up(millions.scaleb(6 - _UNIT_EXPONENTS[unit]), decimals)
    raise ValueError(f"no such rounding: {rounding}")


def verdict(
    cell: Cell, measured: Decimal | int | None, reason: Reason | None = None, *, stand_in: bool = False
) -> Verdict:
    """The verdict on a counted cell; `measured` in single parameters or operations, or None with the reason.

    A `stand_in` was chosen for its totals: where they are the published ones, that is `fitted`, not `exact`.
    """
    if (measured is None) == (reason is None):
        raise ValueError("a cell is either measured, or unmeasured for a reason")
    if cell.value is None or cell.decimals is None:
        return Verdict(Word.UNPUBLISHED, None, None if measured is None else _in_unit(measured, cell.unit))
    if measured is None:
        return Verdict(Word.UNMEASURED, cell.value, None, reason=reason)
    printed = as_printed(measured, cell.unit, cell.decimals, cell.rounding)
    equal = Word.FITTED if stand_in else Word.EXACT
    word = equal if printed == cell.value else Word.OFF
    return Verdict(word, cell.value, printed, printed - cell.value)


def percent_off(measured: int, cell: Cell) -> Decimal | None:
    """How far a count lies from the claim, both in the claim's terms, in percent to one decimal; None without one."""
    if not cell.value:
        return None
    value = _in_unit(claimed_as(measured, cell.rounding), cell.unit)
    return round_half_up((value / cell.value - 1) * 100, 1)


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
    difference = _decimal(own) - _decimal(other)
    if metric in ("params", "bflops"):
        change = round_half_up(difference * 100 / other, 0)
        text = f"({change:+f}%)"
    else:
        change = round_half_up(difference, 1)
        text = f"({change:+f})"
    comparison = row.cells[metric].comparison
    return Derived(text if change else "(=)", comparison.text if comparison else None)


def _decimal(value: Decimal | int | str) -> Decimal:
    if isinstance(value, float):
        raise TypeError("binary floats do not round as printed decimals do; pass Decimal, int or str")
    return Decimal(value)


def _quantized(value: Decimal | int | str, decimals: int, rounding: str) -> Decimal:
    with localcontext(prec=100):  # quantize refuses results longer than the context's precision
        return _decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding)


def _in_unit(measured: Decimal | int, unit: str) -> Decimal:
    if unit not in _UNIT_EXPONENTS:
        raise ValueError(f"not a unit of counted numbers: {unit}")
    return _decimal(measured).scaleb(-_UNIT_EXPONENTS[unit])
