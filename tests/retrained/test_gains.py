"""Groups of seeds, and what a row gains over its base row, with differences worked by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from result_files import detector, threshold
from trainings import LRELU, MISH, SWISH, evaluation, put_training, training

from cspbench.results.schema import Data
from cspbench.retrained.folders import Retraining, collect
from cspbench.retrained.gains import Gain, gain, unlike
from cspbench.retrained.groups import Group, groups
from cspbench.retrained.record import Start, TrainingData
from cspbench.retrained.statistics import Lack, Method


def retraining(row: str | None, seed: int, top1: int, when: str = "2026-01-01T00:00:00Z", **changes: Any) -> Retraining:
    """A training and its evaluation; `top1` right of 1000 images."""
    images = changes.pop("images", 1000)
    record = training(row, seed, **changes)
    data = Data("folders", images, "b" * 64)
    return Retraining(record, evaluation(record, top1, f"{row} {seed} {top1}".encode(), when=when, data=data))


def grouped(*retrainings: Retraining) -> list[Group]:
    found, notes = groups(retrainings)
    assert notes == []
    return found


def gain_of(row: str, *retrainings: Retraining) -> Gain | None:
    every = grouped(*retrainings)
    (group,) = [each for each in every if each.row is not None and f"{each.row.table}:{each.row.id}" == row]
    return gain(group, every)


# --- groups


def test_seeds_are_one_group_in_their_order() -> None:
    (group,) = grouped(retraining(SWISH, 2, 712), retraining(SWISH, 0, 700), retraining(SWISH, 1, 706))
    assert group.seeds == [0, 1, 2]
    # 936 of 1000 is what the evaluations by hand have for top-5
    assert group.numbers == {"top1": {0: 70.0, 1: 70.6, 2: 71.2}, "top5": dict.fromkeys(range(3), 93.6)}
    assert group.row is not None
    assert (group.row.id, group.detects) == ("peleenet-swish", False)


@pytest.mark.parametrize(("classes", "metrics"), [(5, ["top1"]), (6, ["top1", "top5"])])
def test_a_top_5_of_five_classes_says_nothing(classes: int, metrics: list[str]) -> None:
    (group,) = grouped(retraining(SWISH, 0, 700, data=TrainingData(900, classes, "images:")))
    assert list(group.numbers) == metrics


@pytest.mark.parametrize(
    "change",
    [
        {"network": "v2:other"},
        {"recipe": "r1:other"},
        {"era": "nov2019"},
        {"gradients": "exact"},
        {"precision": "bf16"},
        {"data": TrainingData(900, 10, "images:other")},
        {"start": Start("arrays", 3, 0)},
        {"settings": ["width=224", "max_batches=501"]},
        {"images": 999},
    ],
)
def test_everything_else_makes_another_group(change: dict[str, Any]) -> None:
    one, other = grouped(retraining(SWISH, 0, 700), retraining(SWISH, 1, 706, **change))
    assert sorted([one.seeds, other.seeds]) == [[0], [1]]


def test_records_of_earlier_versions_belong_to_the_same_group() -> None:
    older = retraining(SWISH, 1, 706, recipe_iterations=None)
    assert [group.seeds for group in grouped(retraining(SWISH, 0, 700), older)] == [[0, 1]]


def test_of_one_seed_the_training_evaluated_last_counts() -> None:
    old, new = (retraining(SWISH, 0, top1, f"202{top1 % 10}-01-01T00:00:00Z") for top1 in (705, 706))
    for order in ((old, new), (new, old)):
        (group,), notes = groups(order)
        assert (group.numbers["top1"], len(notes)) == ({0: 70.6}, 1)


def test_rows_in_the_order_of_the_tables_and_then_models_of_no_row() -> None:
    every = [retraining(None, 0, 700), retraining(MISH, 0, 700), retraining(SWISH, 0, 700), retraining(LRELU, 0, 700)]
    rows = [group.row.id if group.row else None for group in grouped(*every)]
    assert rows == ["peleenet-lrelu", "peleenet-swish", "peleenet-mish", None]


@pytest.mark.parametrize("row", ["imagenet-activation:peleenet-relu6", "nonsense", "a:b:c", ""])
def test_a_row_that_no_table_has(row: str) -> None:
    (group,), notes = groups([retraining(row, 0, 700)])
    assert (group.row, group.table, len(notes)) == (None, None, 1)


def test_a_detectors_number_is_that_of_its_presets_nms() -> None:
    at = detector(thresholds=[threshold(0.6, "37.5"), threshold(0.45, "9", kind="greedynms"), threshold(0.45, "38.25")])
    group = Group(None, None, (Retraining(training("coco-loss:cspresnext50-panet-spp-512-mse"), at),))
    assert (group.detects, group.numbers["ap"], group.numbers["ap50"]) == (True, {0: 38.25}, {0: 60.0})
    without = replace(at, metrics=structs.replace(at.metrics, thresholds=[threshold(0.6, "37.5")]))  # type: ignore[type-var]
    assert Group(None, None, (Retraining(training(None), without),)).numbers == {}


def test_that_a_network_does_without_nms_is_no_other_protocol() -> None:
    """Its gain over the row with NMS is what the paper prints; other pixels are another protocol."""

    def group(preset: str) -> Group:
        return Group(None, None, (Retraining(training(None), detector(preset=preset)),))

    assert list(unlike(group("yolox-nms-free"), group("yolox-legacy"))) == []
    assert list(unlike(group("yolox-nms-free"), group("yolox"))) == ["protocol"]


def test_a_row_of_a_sweep_has_its_own_nms() -> None:
    at = detector(thresholds=[threshold(0.45, "38.25"), threshold(0.6, "37.5")])
    (group,) = grouped(Retraining(training("coco-nms:cspresnext50-panet-spp-512-nms0.60"), at))
    assert group.numbers["ap"] == {0: 37.5}


# --- gains


def test_three_pairs_by_hand() -> None:
    found = gain_of(
        SWISH,
        *(retraining(SWISH, seed, top1) for seed, top1 in enumerate((710, 720, 730))),
        *(retraining(LRELU, seed, top1) for seed, top1 in enumerate((700, 700, 700))),
    )
    assert found is not None
    assert (found.base.id, found.lack) == ("peleenet-lrelu", None)
    assert found.published == {"top1": Decimal("0.8"), "top5": Decimal("0.7")}
    # differences 1, 2, 3 points: 2 ± 4.302653 / sqrt(3)
    top1 = found.measured["top1"]
    assert top1.mean == pytest.approx(2.0)
    assert (top1.pairs, top1.method) == (3, Method.PAIRED_T)
    assert top1.interval == pytest.approx((-0.484138, 4.484138), abs=1e-6)
    assert (found.measured["top5"].mean, found.measured["top5"].lack) == (0.0, Lack.SPREAD)


def test_two_seeds_and_one() -> None:
    base = [retraining(LRELU, seed, 700) for seed in range(2)]
    two = gain_of(SWISH, retraining(SWISH, 0, 704), retraining(SWISH, 1, 706), *base)
    assert two is not None
    # differences 0.4 and 0.6: 0.5 ± 12.706205 * 0.141421 / sqrt(2)
    assert two.measured["top1"].interval == pytest.approx((-0.770620, 1.770620), abs=1e-6)
    one = gain_of(SWISH, retraining(SWISH, 1, 706), *base)
    assert one is not None
    measured = one.measured["top1"]
    assert measured.mean == pytest.approx(0.6)
    assert (measured.pairs, measured.lack) == (1, Lack.SEEDS)


def test_other_seeds_are_compared_without_pairs() -> None:
    variant = [retraining(SWISH, seed, 710 + 10 * seed) for seed in range(3)]
    found = gain_of(SWISH, *variant, *(retraining(LRELU, seed, 660 + 5 * seed) for seed in range(7, 10)))
    assert found is not None
    # 71, 72, 73 and 69.5, 70, 70.5: standard error sqrt(1/3 + 0.25/3), freedom 2.94
    top1 = found.measured["top1"]
    assert top1.mean == pytest.approx(2.0)
    assert (top1.method, top1.pairs) == (Method.WELCH, 0)
    assert top1.interval == pytest.approx((2 - 2.777351, 2 + 2.777351), abs=1e-5)


def test_a_base_row_has_none_and_neither_has_a_model() -> None:
    assert gain_of(LRELU, retraining(LRELU, 0, 700)) is None
    (group,) = grouped(retraining(None, 0, 700))
    assert gain(group, [group]) is None


def test_a_base_that_was_not_retrained() -> None:
    found = gain_of(MISH, retraining(MISH, 0, 700), retraining(SWISH, 0, 700))
    assert found is not None
    assert (found.measured, found.lack, found.published["top1"]) == ({}, "not retrained", Decimal("0.7"))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"data": TrainingData(901, 10, f"images:{'1a2b3c4d' * 8}")}, "images for training"),
        ({"settings": ["max_batches=501"]}, "iterations"),
        ({"start": Start("arrays", 3, 0)}, "weights to begin with"),
        ({"start": Start(None, 0, 7)}, "weights to begin with"),
        ({"changed": ["batch=32"]}, "settings"),
        ({"gradients": "exact"}, "arithmetic"),
        ({"precision": "bf16"}, "arithmetic"),
        ({"images": 999}, "images for evaluation"),
    ],
)
def test_a_base_that_was_retrained_otherwise(change: dict[str, Any], word: str) -> None:
    found = gain_of(SWISH, retraining(SWISH, 0, 700), retraining(LRELU, 0, 700, **change))
    assert found is not None
    assert (found.measured, found.lack) == ({}, f"retrained otherwise: other {word}")


def test_of_several_other_bases_the_nearest_is_named() -> None:
    far = retraining(LRELU, 0, 700, gradients="exact", changed=["batch=32"])
    found = gain_of(SWISH, retraining(SWISH, 0, 700), far, retraining(LRELU, 0, 700, precision="bf16"))
    assert found is not None
    assert found.lack == "retrained otherwise: other arithmetic"


def test_only_percentages_have_a_published_gain() -> None:
    found = gain_of("imagenet-big:cspdarknet-53", retraining("imagenet-big:cspdarknet-53", 0, 700))
    assert found is not None
    assert found.published == {"top1": Decimal("0.0"), "top5": Decimal("-0.2")}


@pytest.mark.parametrize("change", [{"era": "nov2019"}, {"start": Start(None, 2, 0)}, {"recipe_iterations": 9}])
def test_what_belongs_to_the_trick(change: dict[str, Any]) -> None:
    found = gain_of(SWISH, retraining(SWISH, 0, 706), retraining(LRELU, 0, 700, **change))
    assert found is not None
    assert found.measured["top1"].mean == pytest.approx(0.6)


def test_whole_recipes_may_have_other_iterations() -> None:
    longer: dict[str, Any] = {"settings": ["max_batches=1200000"], "recipe_iterations": 1_200_000}
    whole: dict[str, Any] = {"settings": ["max_batches=800000"]}
    found = gain_of(SWISH, retraining(SWISH, 0, 706, **longer), retraining(LRELU, 0, 700, **whole))
    assert found is not None
    assert found.lack is None
    part = gain_of(SWISH, retraining(SWISH, 0, 706, **longer), retraining(LRELU, 0, 700))
    assert part is not None
    assert part.lack == "retrained otherwise: other iterations"


def test_the_comparable_base_with_the_most_common_seeds() -> None:
    many = [retraining(LRELU, seed, 500, recipe="r1:many") for seed in range(4, 9)]
    common = [retraining(LRELU, seed, 700, recipe="r1:common") for seed in range(2)]
    found = gain_of(SWISH, retraining(SWISH, 0, 710), retraining(SWISH, 1, 712), *many, *common)
    assert found is not None
    assert found.measured["top1"].mean == pytest.approx(1.1)
    assert found.measured["top1"].pairs == 2


def test_a_table_of_tricks_says_its_base(tmp_path: Path) -> None:
    name = "imagenet-smoothing:cspresnext-50-smooth"
    put_training(tmp_path / "a", training(name, model="csresnext50"), 781)
    put_training(tmp_path / "b", training("imagenet-smoothing:cspresnext-50-normal", model="csresnext50"), 779)
    every = grouped(*collect(None, [tmp_path]).retrainings)
    gains = [gain(group, every) for group in every]
    assert gains[0] is None
    assert gains[1] is not None
    assert gains[1].published["top1"] == Decimal("0.2")
    assert gains[1].measured["top1"].mean == pytest.approx(0.2)
