"""What can be said: signs and intervals by hand, and what is decided where there is nothing to decide."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from studied import ROWS, study

from cspbench.claims import tables
from cspbench.retrained.findings import Word, findings, head_room, word
from cspbench.retrained.statistics import Difference, Lack, Method, difference

TABLE = tables.load("imagenet-smoothing")
"""The base row has 77.9 and 94.0, the other 78.1 and 94.4."""


@pytest.mark.parametrize(
    ("published", "interval", "expected"),
    [
        ("0.2", (0.1, 0.5), Word.AGREES),
        ("-0.2", (-0.5, -0.1), Word.AGREES),
        ("0.2", (-0.5, -0.1), Word.DISAGREES),
        ("-0.2", (0.1, 0.5), Word.DISAGREES),
        ("0.2", (-0.1, 0.5), Word.UNDECIDED),
        ("0.2", (0.0, 0.5), Word.UNDECIDED),
        ("-0.2", (-0.5, 0.0), Word.UNDECIDED),
        ("0.0", (0.1, 0.5), Word.UNDECIDED),
    ],
)
def test_words(published: str, interval: tuple[float, float], expected: Word) -> None:
    gain = Difference(sum(interval) / 2, 3, interval, Method.PAIRED_T)
    assert word(Decimal(published), gain) is expected


def test_without_an_interval_nothing_is_decided() -> None:
    assert word(Decimal(1), Difference(5.0, 1, lack=Lack.SEEDS)) is Word.UNDECIDED


def test_a_row_by_hand() -> None:
    """Differences 1, 2 and 3: mean 2, spread 1, t of two degrees of freedom 4.303: 2 ± 4.303 / √3 = -0.484 to 4.484."""
    base, row = findings(study([60, 61, 62], [61, 63, 65]), TABLE)
    assert (base.word, base.numbers[0].gain, base.variant) == (None, None, "base")
    number = row.numbers[0]
    assert (number.metric, number.published, number.published_gain) == ("top1", "78.1", Decimal("0.2"))
    assert number.measured is not None
    assert number.gain is not None
    assert (number.measured.mean, number.measured.spread, number.measured.count) == (63.0, 2.0, 3)
    assert number.gain.interval == pytest.approx((2 - 4.302653 / 3**0.5, 2 + 4.302653 / 3**0.5), abs=1e-5)
    assert row.word is Word.UNDECIDED
    assert row.changes == ("label_smooth_eps=0.1",)


@pytest.mark.parametrize(("others", "expected"), [([62, 63.1, 64], Word.AGREES), ([58, 59.1, 60], Word.DISAGREES)])
def test_seeds_are_pairs(others: list[float], expected: Word) -> None:
    """The spread over seeds is far larger than that of the differences."""
    assert findings(study([60, 61, 62], others), TABLE)[1].word is expected


def test_one_seed_has_no_interval() -> None:
    row = findings(study([60], [62]), TABLE)[1]
    assert row.numbers[0].gain == Difference(2.0, 1, lack=Lack.SEEDS)
    assert row.word is Word.UNDECIDED


def test_a_row_that_is_not_trained_has_its_reason() -> None:
    rows = [ROWS[0], type(ROWS[1])(ROWS[1].row, base=ROWS[0].row, lack="not trained")]
    row = findings(study([60, 61], [61, 62], rows=rows), TABLE)[1]
    assert (row.variant, row.word, row.lack) == (None, None, "not trained")


def test_head_room() -> None:
    room = head_room(study([60, 61, 62], [61, 63, 65]), TABLE)
    assert room is not None
    assert (room[0], room[1].mean, room[2]) == ("top1", 61.0, 6.25)


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_one_null_study_in_twenty_is_decided(seeds: int) -> None:
    """The base row under another name: of 10,000 studies 5 % ± 0.7 find a sign, either as often."""
    numbers = np.random.default_rng(seeds).normal(60, 2, (10_000, 2, seeds))
    words = [
        word(Decimal("0.2"), difference(dict(enumerate(one)), dict(enumerate(other))))
        for one, other in numbers.tolist()
    ]
    decided = [each for each in words if each is not Word.UNDECIDED]
    assert 430 <= len(decided) <= 570
    assert 0.4 < decided.count(Word.AGREES) / len(decided) < 0.6
