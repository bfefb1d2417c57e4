"""The publishers' roundings of counts and percentages.

All arithmetic is decimal: 5.185 has no binary float, and half up on its nearest one gives 5.18.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext

from cspbench.claims.model import Cell

# Single parameters or operations in one unit of the printed number, as a power of ten.
_UNIT_EXPONENTS = {"1": 0, "M": 6, "G": 9}


def round_half_up(value: Decimal | int | str, decimals: int) -> Decimal:
    """`value` to that many decimals; a tie goes away from zero."""
    return _quantized(value, decimals, ROUND_HALF_UP)


def claimed_as(measured: int, rounding: str) -> int:
    """A count in the claim's terms: the double of it, where the publisher printed the double of what was counted."""
    return 2 * measured if rounding == "doubled" else measured


def as_printed(measured: Decimal | int, unit: str, decimals: int, rounding: str) -> Decimal:
    """The number that the publisher would have printed for `measured` single parameters or operations."""
    value = in_unit(measured, unit)
    if rounding == "printed":
        return round_half_up(value, decimals)
    if rounding == "darknet":
        return round_half_up(round_half_up(value, 3), decimals)
    if rounding == "doubled":
        return 2 * round_half_up(value, decimals)
    if rounding == "cut":
        # Cut to 2 decimals in M, whatever the unit it is then written in: 27,642,184 is 27.64 M is 27640000.
        millions = _quantized(in_unit(measured, "M"), 2, ROUND_DOWN)
        return round_half_up(millions.scaleb(6 - _UNIT_EXPONENTS[unit]), decimals)
    raise ValueError(f"no such rounding: {rounding}")


def percent_off(measured: int, cell: Cell) -> Decimal | None:
    """How far a count lies from the claim, both in the claim's terms, in percent to one decimal; None without one."""
    if not cell.value:
        return None
    value = in_unit(claimed_as(measured, cell.rounding), cell.unit)
    return round_half_up((value / cell.value - 1) * 100, 1)


def as_decimal(value: Decimal | int | str) -> Decimal:
    """`value` as an exact decimal; raises `TypeError` for a binary float."""
    if isinstance(value, float):
        raise TypeError("binary floats do not round as printed decimals do; pass Decimal, int or str")
    return Decimal(value)


def _quantized(value: Decimal | int | str, decimals: int, rounding: str) -> Decimal:
    with localcontext(prec=100):  # quantize refuses results longer than the context's precision
        return as_decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding)


def in_unit(measured: Decimal | int, unit: str) -> Decimal:
    """Single parameters or operations in units of "1", "M" or "G"."""
    if unit not in _UNIT_EXPONENTS:
        raise ValueError(f"not a unit of counted numbers: {unit}")
    return as_decimal(measured).scaleb(-_UNIT_EXPONENTS[unit])
