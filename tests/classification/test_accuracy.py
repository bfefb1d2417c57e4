"""Accuracies, intervals and tests against numbers worked out by hand or known from the literature."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import erfc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.classification.accuracy import Accuracy, accuracies, compare, mcnemar, top_k, wilson
from cspbench.results.schema import Data, ImagenetIdentity


def test_wilson_interval_by_hand() -> None:
    # p = 8/10, z^2 = 3.8415: centre (.8 + .19207) / 1.38415 = .71674, half 1.95996 * sqrt(.016 + .0096036) / 1.38415
    low, high = wilson(8, 10)
    assert (round(low, 2), round(high, 2)) == (49.02, 94.33)
    assert wilson(0, 10)[0] == 0.0
    assert wilson(10, 10)[1] == 100.0
    assert wilson(0, 0) == (0.0, 100.0)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_in_range(counts: tuple[int, int]) -> None:
    low, high = wilson(*counts)
    assert 0 <= low <= 100 * counts[0] / counts[1] <= high <= 100


def test_ties_go_to_the_lower_index() -> None:
    assert top_k(np.array([[0.1, 0.3, 0.3, 0.3, 0.0, 0.3]]), 5).tolist() == [[1, 2, 3, 5, 0]]


@given(st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=5))
def test_top_k_is_the_stable_order(rows: list[list[int]]) -> None:
    expected = [sorted(range(6), key=lambda index, row=row: (-row[index], index))[:5] for row in rows]  # type: ignore[misc]
    assert top_k(np.array(rows, np.float32), 5).tolist() == expected


def test_accuracies_count_a_missing_label_as_wrong() -> None:
    predicted = np.array([[3, 1, 2, 4, 5], [1, 2, 3, 4, 5], [9, 8, 7, 6, 5], [-2, -2, -2, -2, -2]])
    top = accuracies(predicted, np.array([3, 5, -1, 0]))
    assert [each.correct for each in top] == [1, 1, 1, 1, 2]
    assert {each.total for each in top} == {4}
    assert top[-1].percent == Decimal(50)


def test_mcnemar_by_hand() -> None:
    # 2 against 8: 2 * (1 + 10 + 45) / 1024
    assert mcnemar(2, 8) == pytest.approx(112 / 1024)
    assert mcnemar(8, 2) == mcnemar(2, 8)
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 5) == 1.0
    # 10 % more than half of 1600: z = (160 - 1) / 40 = 3.975
    assert mcnemar(720, 880) == pytest.approx(7.04e-5, rel=0.01)


def exact(fewer: int, more: int) -> float:
    """Twice the share of the outcomes of fair coins with at most `fewer` heads, in whole numbers."""
    total, ways, tail = fewer + more, 1, 0
    for heads in range(fewer + 1):
        tail += ways
        ways = ways * (total - heads) // (heads + 1)
    return float(min(Fraction(1), Fraction(2 * tail, 2**total)))


@pytest.mark.parametrize(
    ("fewer", "more"), [(0, 1), (0, 5), (2, 10), (4, 7), (5, 6), (5, 5), (9, 30), (40, 60), (180, 220), (470, 530)]
)
def test_mcnemar_is_exact_up_to_a_thousand(fewer: int, more: int) -> None:
    assert mcnemar(fewer, more) == mcnemar(more, fewer) == pytest.approx(exact(fewer, more), rel=1e-9)


def test_mcnemar_of_ten_and_two() -> None:
    # 2 * (1 + 12 + 66) / 4096
    assert mcnemar(10, 2) == pytest.approx(158 / 4096)
    assert exact(2, 10) == pytest.approx(158 / 4096)


@pytest.mark.parametrize(("fewer", "more"), [(470, 531), (500, 501), (900, 1100), (0, 1001), (600, 600)])
def test_mcnemar_is_normal_above(fewer: int, more: int) -> None:
    # (|difference| - 1) / sqrt(sum), and no less than 0
    z = max(0, more - fewer - 1) / (fewer + more) ** 0.5
    assert mcnemar(fewer, more) == mcnemar(more, fewer) == pytest.approx(erfc(z / 2**0.5), abs=1e-15)


@pytest.mark.parametrize(("correct", "total"), [(0, 1), (1, 1), (0, 7), (7, 7), (0, 50_000), (50_000, 50_000)])
def test_wilsons_bound_at_nothing_and_at_all(correct: int, total: int) -> None:
    """The other bound is z^2 / (n + z^2), which follows from the formula there."""
    square = 1.959963984540054**2
    share = 100 * square / (total + square)
    low, high = wilson(correct, total)
    if correct:
        assert low == pytest.approx(100 - share)
        assert high == 100.0
    else:
        assert low == 0.0
        assert high == pytest.approx(share)
    assert Accuracy(correct, total).interval == (low, high)


def test_no_images_have_no_accuracy() -> None:
    assert Accuracy(0, 0).percent == Decimal(0)
    assert Accuracy(0, 0).interval == (0.0, 100.0)


def test_compare_names_the_flipped_images() -> None:
    first, second = np.array([True, True, False, False]), np.array([True, False, True, False])
    result = compare(first, second, ["a", "b", "c", "d"])
    assert (result.both, result.only_first, result.only_second, result.neither) == (1, 1, 1, 1)
    assert result.flipped == ("b", "c")


def test_claims_are_of_the_models_own_size_and_preprocessing() -> None:
    from cspbench.results.match import of_classifier

    def rows(model: str, preset: str, size: tuple[int, int], file: bool = False) -> list[str]:
        identity = ImagenetIdentity(
            model=model,
            network="v2:0",
            weights="arrays:0",
            data=Data("folders", 50_000),
            preset={"name": preset},
            size=size,
            precision="fp32",
            classes="darknet",
            user_file=file,
        )
        return [f"{table.name}/{row.id}" for table, row in of_classifier(identity)]

    own = ["imagenet-big/cspdarknet-53", "imagenet-tricks-cspdarknet-53/cspdarknet-53"]
    assert rows("csdarknet53", "readme", (256, 256)) == own
    # in another way than any claims: beside all of them
    assert rows("csdarknet53", "readme", (224, 224)) == own
    assert rows("csdarknet53", "pjreddie", (256, 256)) == own
    assert rows("csdarknet53", "readme", (256, 256), file=True) == []
    assert rows("no such model", "readme", (256, 256)) == []
    assert rows("timm/cspdarknet53", "timm", (256, 256)) == ["timm/cspdarknet53"]
    assert rows("timm/cspdarknet53", "mmpretrain", (256, 256)) == ["mmpretrain/cspdarknet50"]
