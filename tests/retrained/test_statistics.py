"""Statistics over seeds, against tables, numbers worked by hand, and simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cspbench.retrained.statistics import (
    Lack,
    Method,
    difference,
    paired_bounds,
    summary,
    t_quantile,
    welch_bounds,
    within,
)

NUMBERS = st.floats(-100, 100, allow_subnormal=False)


def by_seed(*numbers: float, first: int = 0) -> dict[int, float]:
    return dict(enumerate(numbers, first))


# --- Student's t


@pytest.mark.parametrize(
    ("freedom", "inside", "quantile"),
    [
        *((1, 0.95, 12.706), (2, 0.95, 4.303), (3, 0.95, 3.182), (4, 0.95, 2.776), (5, 0.95, 2.571)),
        *((8, 0.95, 2.306), (9, 0.95, 2.262), (15, 0.95, 2.131), (30, 0.95, 2.042), (120, 0.95, 1.980)),
        *((1, 0.5, 1.0), (2, 0.9, 2.920), (4, 0.99, 4.604), (7, 0.99, 3.499), (10, 0.9, 1.812)),
    ],
)
def test_quantiles_of_the_printed_table(freedom: int, inside: float, quantile: float) -> None:
    assert round(t_quantile(freedom, inside), 3) == quantile


@given(st.integers(1, 300), st.floats(0.01, 0.999))
def test_a_quantile_holds_what_it_says(freedom: int, inside: float) -> None:
    quantile = t_quantile(freedom, inside)
    assert within(quantile, freedom) == pytest.approx(inside, abs=1e-12)
    assert quantile >= t_quantile(freedom + 1, inside)


def test_one_and_two_degrees_of_freedom_have_plain_formulas() -> None:
    for t in (0.1, 1.0, 3.0):
        assert within(t, 1) == pytest.approx(2 / math.pi * math.atan(t))
        assert within(t, 2) == pytest.approx(t / math.sqrt(2 + t * t))


# --- one group


def test_mean_and_spread_by_hand() -> None:
    # deviations -1, 0, 1: variance 2 / (3 - 1)
    assert summary([70.0, 71.0, 72.0]) == summary([72.0, 70.0, 71.0])
    one = summary([70.0, 71.0, 72.0])
    assert (one.count, one.mean, one.spread) == (3, 71.0, 1.0)
    assert summary([70.5]).spread is None


# --- differences


def test_pairs_below_ten_by_hand() -> None:
    # differences 1, 2, 3: mean 2, s 1, t 4.302653 / sqrt(3) = 2.484138
    result = difference(by_seed(71, 73, 75), by_seed(70, 71, 72))
    assert (result.mean, result.pairs, result.method, result.lack) == (2.0, 3, Method.PAIRED_T, None)
    assert result.interval == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


def test_two_pairs_by_hand() -> None:
    # differences 0.4 and 0.6: mean 0.5, s 0.141421, t 12.706205 / sqrt(2) s = 1.270620
    result = difference(by_seed(70.4, 70.6), by_seed(70, 70))
    assert result.interval == pytest.approx((-0.770620, 1.770620), abs=1e-6)


def test_only_seeds_of_both_are_pairs() -> None:
    result = difference({0: 71.0, 1: 73.0, 2: 75.0, 9: 0.0}, {2: 72.0, 0: 70.0, 1: 71.0, 5: 99.0})
    assert (result.mean, result.pairs) == (2.0, 3)


def test_ten_pairs_by_hand() -> None:
    values = [0.3, -0.1, 0.9, 0.4, 1.7, 0.2, -0.6, 0.8, 0.5, 1.1]
    result = difference(by_seed(*values), by_seed(*[0.0] * 10))
    # mean 0.52, squares of the distances from it 3.756, t of 9 degrees of freedom 2.262
    half = 2.262157 * (3.756 / 9 / 10) ** 0.5
    assert (result.method, result.pairs) == (Method.PAIRED_T, 10)
    assert result.interval == pytest.approx((0.52 - half, 0.52 + half), abs=1e-6)


def test_without_pairs_by_hand() -> None:
    # means 72 and 70, variances 1 and 4 of three: standard error sqrt(1/3 + 4/3) = 1.290994,
    # freedom (5/3)^2 / ((1/9 + 16/9) / 2) = 2.94, cut to 2: t 4.302653
    result = difference(by_seed(71, 72, 73), by_seed(68, 70, 72, first=7))
    assert (result.mean, result.pairs, result.method) == (2.0, 0, Method.WELCH)
    assert result.interval == pytest.approx((2 - 5.554702, 2 + 5.554702), abs=1e-5)


def test_a_spread_in_one_of_two_groups_is_enough() -> None:
    # variances 0 and 2 of two: standard error 1, freedom 1
    result = difference(by_seed(71, 71), by_seed(70, 72, first=7))
    assert result.interval == pytest.approx((-12.706205, 12.706205), abs=1e-5)


def test_a_single_common_seed_is_no_pair_where_means_are_better() -> None:
    result = difference({0: 71.0, 1: 72.0}, {1: 70.0, 2: 71.0})
    assert (result.mean, result.pairs, result.method) == (1.0, 0, Method.WELCH)


def test_whole_degrees_of_freedom_are_not_cut() -> None:
    # equal variances of three and three: freedom 4 exactly, t 2.776445, standard error sqrt(2 / 3)
    low, high = welch_bounds(np.array([1.0, 2.0, 3.0]), np.array([1.1, 2.1, 3.1]))
    assert (high - low) / 2 == pytest.approx(2.776445 * math.sqrt(2 / 3), abs=1e-6)


@pytest.mark.parametrize(
    ("variant", "base", "pairs", "mean", "lack"),
    [
        ({0: 71.0}, {0: 70.0}, 1, 1.0, Lack.SEEDS),
        ({0: 71.0}, {1: 70.0}, 0, 1.0, Lack.SEEDS),
        ({0: 71.0}, {0: 70.0, 1: 60.0}, 1, 1.0, Lack.SEEDS),
        ({2: 71.0}, {0: 70.0, 1: 72.0}, 0, 0.0, Lack.SEEDS),
        ({0: 71.0, 1: 72.0}, {0: 70.0, 1: 71.0}, 2, 1.0, Lack.SPREAD),
        ({0: 0.3, 1: 0.7}, {0: 0.1, 1: 0.5}, 2, 0.2, Lack.SPREAD),
        ({0: 71.0, 1: 71.0}, {2: 70.0, 3: 70.0}, 0, 1.0, Lack.SPREAD),
    ],
)
def test_without_an_interval(
    variant: dict[int, float], base: dict[int, float], pairs: int, mean: float, lack: Lack
) -> None:
    result = difference(variant, base)
    assert (result.interval, result.method, result.lack, result.pairs) == (None, None, lack, pairs)
    assert result.mean == pytest.approx(mean)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=12), NUMBERS)
def test_intervals_hold_the_mean_move_along_and_turn_around(pairs: list[tuple[float, float]], shift: float) -> None:
    one, other = (by_seed(*numbers) for numbers in zip(*pairs, strict=True))
    result = difference(one, other)
    assume(result.interval is not None)
    assert result.interval is not None
    low, high = result.interval
    assert low <= result.mean <= high
    turned = difference(other, one)
    assert turned.interval == pytest.approx((-high, -low))
    moved = difference({seed: number + shift for seed, number in one.items()}, other)
    assert moved.interval == pytest.approx((low + shift, high + shift), abs=1e-6)


@given(st.lists(NUMBERS, min_size=2, max_size=9), st.lists(NUMBERS, min_size=2, max_size=9))
def test_unpaired_intervals_turn_around(one: list[float], other: list[float]) -> None:
    result = difference(by_seed(*one), by_seed(*other, first=100))
    assume(result.interval is not None)
    assert result.interval is not None
    assert result.interval[0] <= result.mean <= result.interval[1]
    turned = difference(by_seed(*other, first=100), by_seed(*one))
    assert turned.interval == pytest.approx((-result.interval[1], -result.interval[0]))


# --- how often nothing is called something


@pytest.mark.parametrize("count", [3, 5, 10])
def test_one_null_difference_in_twenty_is_decided(count: int) -> None:
    low, high = paired_bounds(np.random.default_rng(count).normal(size=(10_000, count)))
    assert ((low > 0) | (high < 0)).mean() == pytest.approx(0.05, abs=0.007)


def test_unpaired_intervals_are_never_too_narrow() -> None:
    drawn = np.random.default_rng(2)
    low, high = welch_bounds(drawn.normal(size=(10_000, 5)), 3 * drawn.normal(size=(10_000, 4)))
    assert 0.03 < ((low > 0) | (high < 0)).mean() < 0.057
