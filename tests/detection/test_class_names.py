"""The category of each class: by name where names are known, by order with a word of warning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.detection.class_names import assign, by_name

OTHER_ORDER = {1: "car", 2: "dog", 3: "person"}
NETWORK = ("person", "car", "dog")


def test_names_decide_and_not_the_order_of_ids() -> None:
    assert assign(OTHER_ORDER, 3, NETWORK, "a.json") == ((3, 1, 2), None)
    assert assign(OTHER_ORDER, 3, ("Car", "DOG", "per_son"), "a.json") == ((1, 2, 3), None)


def test_without_names_the_order_is_assumed_aloud() -> None:
    ids, warning = assign(OTHER_ORDER, 3, None, "a.json")
    assert ids == (1, 2, 3)
    assert warning is not None
    assert "1 car, 2 dog, 3 person" in warning
    assert "--names" in warning
    assert assign({0: "a", 1: "b"}, 2, None, "obj.data", known_order=True) == ((0, 1), None)


def test_names_that_contradict() -> None:
    """A user's are refused, names that were found somewhere are set aside aloud."""
    names = ("person", "car", "cat")
    with refuses("coco.other-names", where="a.json", found="1 other names, the first 'cat'"):
        assign(OTHER_ORDER, 3, names, "a.json", named_by_user=True)
    ids, warning = assign(OTHER_ORDER, 3, names, "a.json")
    assert ids == (1, 2, 3)
    assert warning is not None
    assert "'cat'" in warning
    with refuses("coco.other-names", found="repeated names"):
        assign(OTHER_ORDER, 3, ("car", "car", "dog"), "a.json", named_by_user=True)


@pytest.mark.parametrize("names", [None, NETWORK])
def test_other_numbers_of_classes_are_refused(names: tuple[str, ...] | None) -> None:
    with refuses("coco.other-classes", expected="4 categories, as in the network", found="3"):
        assign(OTHER_ORDER, 4, names, "a.json")


def test_darknets_names_of_coco_are_cocos() -> None:
    """coco.names has VOC's words for six categories."""
    words = {"motorcycle": "motorbike", "airplane": "aeroplane", "couch": "sofa", "potted plant": "pottedplant"}
    words |= {"dining table": "diningtable", "tv": "tvmonitor"}
    names = [words.get(name, name) for name in COCO_CATEGORIES.values()]
    assert by_name(COCO_CATEGORIES, names) == tuple(COCO_CATEGORIES)


@given(st.permutations(range(6)))
def test_any_order_of_names_is_found(order: list[int]) -> None:
    categories = {10 * place: f"kind {place}" for place in order}
    assert by_name(categories, [f"kind {place}" for place in range(6)]) == (0, 10, 20, 30, 40, 50)
