"""Exact decimals from files of others: finite, and short enough that any arithmetic on them is fast.

`1e-1500000000` is a dozen characters, and gigabytes once it is written out.
"""

from __future__ import annotations

from decimal import Decimal

LONGEST = 100
"""The largest number of characters, of digits and of decimals."""
LARGEST = 40
"""The largest power of ten, positive or negative."""


def parse(text: str) -> Decimal:
    """The number that a text is. Raises `ValueError` for any other text, and for a number that is not `bounded`."""
    try:
        value = Decimal(text if len(text) <= LONGEST else "NaN")
    except ArithmeticError:
        value = Decimal("NaN")
    if not bounded(value):
        raise ValueError("not a number of usual length")
    return value


def bounded(value: Decimal) -> bool:
    """Whether a number is finite and of usual length and size."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or abs(exponent) > LONGEST or len(digits) > LONGEST:
        return False
    return abs(value.adjusted()) <= LARGEST
