"""How far a number may move: what can be typed, and what it means."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.ci.tolerances import DEFAULT, NAMES, Tolerances, parse
from cspbench.claims.metrics import COUNTED
from cspbench.errors import UsageError


def test_the_default_allows_no_other_count_and_a_little_noise() -> None:
    result = parse(DEFAULT)
    assert [str(result.of(name)) for name in NAMES] == ["0", "0", "0.05", "0.05", *["0.1"] * 6]
    assert result.of("fps") is None


def test_a_family_is_covered_unless_a_member_is_named() -> None:
    result = parse("ap:1, ap75:3,top1:2")
    assert [result.of(name) for name in ("ap", "ap50", "ap75", "apl", "top5")] == [1, 1, 3, 1, 2]
    assert result.of("params") == 0


@pytest.mark.parametrize(
    "text", ["", "ap", "ap:", "ap:-1", "ap:1e9", "ap:nan", "fps:1", "ap:1,ap:2", "ap:1;top1:2", "ap:٣"]
)
def test_what_cannot_be_read_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match="--fail-on cannot be read"):
        parse(text)


def test_counts_move_in_percent_and_accuracies_in_points() -> None:
    result = parse("params:0.1,top1:0.1")
    assert not result.exceeded("params", Decimal(1000), Decimal(1001))
    assert result.exceeded("params", Decimal(1000), Decimal(1002))
    assert result.exceeded("params", Decimal(0), Decimal(1))
    assert not result.exceeded("top1", Decimal("77.2"), Decimal("77.1"))
    assert result.exceeded("top1", Decimal("77.2"), Decimal("77.09999999999999999999999999999999999999"))
    assert not result.exceeded("fps", Decimal(1), Decimal(1000))


@pytest.mark.parametrize("metric", NAMES)
@pytest.mark.parametrize("upwards", [True, False])
def test_what_moved_by_exactly_the_tolerance_may(metric: str, upwards: bool) -> None:
    """And what moved by the least more may not; from 1000, by one: in percent of it, or in points."""
    result = parse(",".join(f"{name}:{'0.1' if name in COUNTED else '1'}" for name in NAMES))
    sign = 1 if upwards else -1
    before = Decimal(1000)
    assert not result.exceeded(metric, before, before + sign)
    assert result.exceeded(metric, before, before + sign * (1 + Decimal("1e-20")))
    assert not result.exceeded(metric, before, before + sign * (1 - Decimal("1e-20")))


@pytest.mark.parametrize("metric", COUNTED)
def test_a_percentage_is_of_the_baseline(metric: str) -> None:
    # 1 of 1001 is 0.0999 %, 1 of 1000 is 0.1 %
    result = parse("params:0.09995,bflops:0.09995")
    assert result.exceeded(metric, Decimal(1000), Decimal(1001))
    assert not result.exceeded(metric, Decimal(1001), Decimal(1000))
    # half of 2 is gone, or as much as there was has come
    result = parse("params:60,bflops:60")
    assert not result.exceeded(metric, Decimal(2), Decimal(1))
    assert result.exceeded(metric, Decimal(1), Decimal(2))


@pytest.mark.parametrize(
    ("metric", "least"),
    [
        ("params", "1e-15"),
        ("bflops", "1e-15"),
        *((name, "0.05") for name in ("top1", "top5")),
        ("ap", "0.1"),
        ("apl", "0.1"),
    ],
)
def test_the_default_at_its_borders(metric: str, least: str) -> None:
    result, before = parse(DEFAULT), Decimal("50.123456789")
    more = Decimal(least) + Decimal("1e-20")
    for sign in (1, -1):
        assert not result.exceeded(metric, before, before)
        assert result.exceeded(metric, before, before + sign * more)
        assert result.exceeded(metric, before, before + sign * Decimal(least)) is (metric in COUNTED)


@given(st.decimals(0, 10**9, places=12), st.decimals(0, 10**9, places=12), st.decimals(0, 100, places=3))
def test_no_tolerance_depends_on_the_direction(before: Decimal, after: Decimal, tolerance: Decimal) -> None:
    result = Tolerances({"ap": tolerance, "params": Decimal(0)})
    assert (
        result.exceeded("ap", before, after)
        == result.exceeded("ap", after, before)
        == (abs(after - before) > tolerance)
    )
    assert result.exceeded("params", before, after) == (before != after)
