"""Ids as programs write them, by hand: numbers, whole floats, texts."""

from __future__ import annotations

from typing import Any

import pytest

from cspbench.data.coco.ids import Ids, as_json


@pytest.mark.parametrize(
    ("values", "numbers", "texts"),
    [
        ([3, 1, 2], [3, 1, 2], {}),
        ([3.0, 1, 0.0], [3, 1, 0], {}),
        (["000139", "7", "9.0"], [139, 7, 9], {139: "000139", 7: "7", 9: "9.0"}),
        (["b", "a", "b"], [1, 2, 1], {1: "b", 2: "a"}),
        (["1", "01"], [1, 2], {1: "1", 2: "01"}),  # two texts of one number
        ([1, "1"], [1, 2], {2: "1"}),
        ([7, "a", "3"], [7, 8, 9], {8: "a", 9: "3"}),
        (["²", "1" * 16], [1, 2], {1: "²", 2: "1" * 16}),
        ([], [], {}),
    ],
)
def test_the_numbers_of_ids(values: list[Any], numbers: list[int], texts: dict[int, str]) -> None:
    ids = Ids(values)
    assert (ids.numbers, ids.texts) == (numbers, texts)
    assert [ids.find(value) for value in values] == numbers


def test_ids_are_found_in_other_forms() -> None:
    ids = Ids([5, 7])
    assert [ids.find(value) for value in (5.0, "5", "007", "7.0")] == [5, 5, 7, 7]
    assert [ids.find(value) for value in (5.5, "5.5", "a", "", 6, -5, float("nan"), float("inf"))] == [None] * 8
    texts = Ids(["a", "b"])
    assert [texts.find(value) for value in (1, 2, "1", "A")] == [None] * 4  # those numbers are in no file
    with pytest.raises(ValueError, match=r"5\.5"):
        Ids([5.5])


def test_names_stand_for_ids_unless_they_are_ids() -> None:
    ids = Ids([1, 5]).more([("0005", 1), ("5", 1), ("x", 5), ("twice", 1), ("twice", 5)])
    assert [ids.find(value) for value in ("0005", "5", 5, "x", "twice")] == [1, 5, 5, 5, None]


def test_ids_are_written_as_they_were_read() -> None:
    assert [as_json(number, {3: 'a"b'}) for number in (3, 4)] == ['"a\\"b"', "4"]
