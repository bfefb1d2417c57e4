"""The publishers' roundings of counts and percentages.

All arithmetic is decimal: 5.185 has no exact binary float, and rounding the nearest one half up gives 5.18.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext

# Single parameters or operations in one unit of the printed number, as a power of ten.
_UNIT_EXPONENTS = {"1": 0, "M": 6, "G": 9}


def round_half_up(value: Decimal | int | str, decimals: int) -> Decimal:
    """`value` rounded to `decimals`; ties go away from zero."""
    return _quantized(value, decimals, ROUND_HALF_UP)


def comparable_count(measured: int, rounding: str) -> int:
    """A count comparable with the claim: doubled if the publisher printed doubled counts."""
    return 2 * measured if rounding == "doubled" else measured


def as_printed(measured: Decimal | int, unit: str, decimals: int, rounding: str) -> Decimal:
    """The number that the publisher would print for `measured` single parameters or operations."""
    value = in_unit(measured, unit)
    if rounding == "printed":
        return round_half_up(value, decimals)
    if rounding == "darknet":
        return round_half_up(round_half_up(value, 3), decimals)
    if rounding == "doubled":
        return 2 * round_half_up(value, decimals)
    if rounding == "cut":
        # Truncated to 2 decimals in M, whatever the printed unit: 27,642,184 is 27.64 M, printed as 27640000.
        millions = _quantized(in_unit(measured, "M"), 2, ROUND_DOWN)
        return round_half_up(millions.scaleb(6 - _UNIT_EXPONENTS[unit]), decimals)
    raise ValueError(f"unknown rounding: {rounding}")


def percent_off(measured: int, claim: Decimal, unit: str, rounding: str) -> Decimal | None:
    """Deviation of a count from the claim in percent of the claim, to one decimal; None for a claim of 0."""
    if not claim:
        return None
    value = in_unit(comparable_count(measured, rounding), unit)
    return round_half_up((value / claim - 1) * 100, 1)


def as_decimal(value: Decimal | int | str) -> Decimal:
    """`value` as an exact decimal; raises `TypeError` for a binary float."""
    if isinstance(value, float):
        raise TypeError("a binary float is not exact; pass Decimal, int or str")
    return Decimal(value)


def _quantized(value: Decimal | int | str, decimals: int, rounding: str) -> Decimal:
    with localcontext(prec=300):  # quantize refuses results longer than the context's precision
        return as_decimal(value).quantize(Decimal(1).scaleb(-decimals), rounding)


def in_unit(measured: Decimal | int, unit: str) -> Decimal:
    """Single parameters or operations in units of "1", "M" or "G"."""
    if unit not in _UNIT_EXPONENTS:
        raise ValueError(f"not a unit of counts: {unit}")
    return as_decimal(measured).scaleb(-_UNIT_EXPONENTS[unit])
