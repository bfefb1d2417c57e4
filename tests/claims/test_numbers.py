"""Numbers in files of others: what is too long or too large for arithmetic is not a number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cspbench.claims.numbers import bounded, parse
from cspbench.claims.rounding import round_half_up


@pytest.mark.parametrize("text", ["38.04996", "0", "-1", "+0.5", "1e40", "1e-40", "0." + "3" * 98, "7.50E+3"])
def test_usual_numbers_are_exact(text: str) -> None:
    assert parse(text) == Decimal(text)


@pytest.mark.parametrize(
    "text",
    ["", "many", "NaN", "sNaN123", "-Infinity", "1e41", "1e-41", "1e-1500000000", "1e999999999999999999999", "0e-101"],
)
def test_what_is_not_a_number_of_usual_length(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse(text)


LONG = {"38.04996": True, "0": True, "0e-100": False, "1e100": False, "1e-101": False, "1" * 41: True, "1" * 42: False}


@pytest.mark.parametrize(("value", "is_bounded"), [*LONG.items(), ("NaN", False), ("Infinity", False)])
def test_bounds(value: str, is_bounded: bool) -> None:
    assert bounded(Decimal(value)) is is_bounded


@pytest.mark.parametrize("text", ["1" * 101, "0." + "0" * 5000 + "1", "9" * 1_000_000], ids=len)
def test_what_is_too_long(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        parse(text)


@pytest.mark.parametrize("text", ["1" * 41, "0." + "3" * 98, "1e-40"])
def test_every_bounded_number_can_be_rounded_to_as_many_decimals(text: str) -> None:
    assert round_half_up(parse(text), 100) == Decimal(text)
