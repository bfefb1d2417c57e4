"""How far a number may move: what can be typed, and what it means."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.ci.tolerances import DEFAULT, NAMES, Tolerances, parse
from cspbench.errors import UsageError


def test_the_default_allows_no_other_count_and_a_little_noise() -> None:
    found = parse(DEFAULT)
    assert [str(found.of(name)) for name in NAMES] == ["0", "0", "0.05", "0.05", *["0.1"] * 6]
    assert found.of("fps") is None


def test_a_family_is_covered_unless_a_member_is_named() -> None:
    found = parse("ap:1, ap75:3,top1:2")
    assert [found.of(name) for name in ("ap", "ap50", "ap75", "apl", "top5")] == [1, 1, 3, 1, 2]
    assert found.of("params") == 0


@pytest.mark.parametrize(
    "text", ["", "ap", "ap:", "ap:-1", "ap:1e9", "ap:nan", "fps:1", "ap:1,ap:2", "ap:1;top1:2", "ap:٣"]
)
def test_what_cannot_be_read_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on cannot be read"):
        parse(text)


def test_counts_move_in_percent_and_accuracies_in_points() -> None:
    found = parse("params:0.1,top1:0.1")
    assert not found.exceeded("params", Decimal(1000), Decimal(1001))
    assert found.exceeded("params", Decimal(1000), Decimal(1002))
    assert found.exceeded("params", Decimal(0), Decimal(1))
    assert not found.exceeded("top1", Decimal("77.2"), Decimal("77.1"))
    assert found.exceeded("top1", Decimal("77.2"), Decimal("77.09999999999999999999999999999999999999"))
    assert not found.exceeded("fps", Decimal(1), Decimal(1000))


@given(st.decimals(0, 10**9, places=12), st.decimals(0, 10**9, places=12), st.decimals(0, 100, places=3))
def test_no_tolerance_depends_on_the_direction(before: Decimal, after: Decimal, tolerance: Decimal) -> None:
    found = Tolerances({"ap": tolerance, "params": Decimal(0)})
    assert (
        found.exceeded("ap", before, after) == found.exceeded("ap", after, before) == (abs(after - before) > tolerance)
    )
    assert found.exceeded("params", before, after) == (before != after)
