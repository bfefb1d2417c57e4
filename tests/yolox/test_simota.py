"""SimOTA and its losses as Megvii's code computes them, and by hand where its cases do not reach."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import Assigned, assign, truths_of
from cspbench.training.yolox.losses import Losses, losses
from cspbench.training.yolox.rules import MMDET, R15, R25, Rules

GOLDEN = Path(__file__).parents[1] / "golden" / "yolox"
CASES = ("allempty", "coco80", "crowded", "empty", "outside", "plain", "tiny")


def golden(case: str) -> dict[str, Any]:
    with np.load(GOLDEN / f"simota-{case}.npz") as arrays:
        return dict(arrays)


def of_case(case: dict[str, Any], rules: Rules) -> tuple[list[Assigned], Losses, Tensor]:
    """What each image learns, the losses, and the gradient of the total by the raw outputs."""
    raw, labels = torch.from_numpy(case["raw"]).requires_grad_(), torch.from_numpy(case["labels"])
    at = boxes.points(tuple(case["input_hw"].tolist()))
    result = losses(raw, labels, at, rules, l1=bool(case["use_l1"]))
    (gradient,) = torch.autograd.grad(result.total, raw)
    return [assign(*pair, at, rules) for pair in zip(raw, map(truths_of, labels), strict=True)], result, gradient


def differences(case: dict[str, Any], name: str, rules: Rules) -> list[str]:
    """What is not as recorded under `name`, within the tolerances."""
    assigned, result, gradient = of_case(case, rules)
    wrong = set()
    for image, own in enumerate(assigned):
        truth = np.full(case["raw"].shape[1], -1)
        truth[own.point] = own.truth
        if not np.array_equal(truth, case[f"{name}_gt"][image]):
            wrong.add("truths")
            continue
        if not np.array_equal(own.point, np.flatnonzero(case[f"{name}_fg"][image])):
            wrong.add("points")
        if not np.allclose(own.overlap, case[f"{name}_iou"][image][own.point], rtol=1e-6, atol=0):
            wrong.add("overlaps")
    values = np.array([float(value) if isinstance(value, float) else value.item() for value in result[:6]])
    if not np.allclose(values, case[f"{name}_loss"], rtol=1e-6, atol=0):
        wrong.add("losses")
    if not np.allclose(gradient, case[f"{name}_grad"], rtol=0, atol=1e-5):
        wrong.add("gradient")
    return sorted(wrong)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("name", "rules"), [("r25", R25), ("r15", R15), ("r25", MMDET)], ids=["r25", "r15", "mmdet"])
def test_as_the_original(case: str, name: str, rules: Rules) -> None:
    assert differences(golden(case), name, rules) == []


@pytest.mark.parametrize("case", ["plain", "tiny", "crowded", "empty", "coco80"])
def test_the_versions_are_not_each_others(case: str) -> None:
    arrays = golden(case)
    assert "truths" in differences(arrays, "r25", R15)
    assert "truths" in differences(arrays, "r15", R25)


def test_every_setting_of_the_rules_matters() -> None:
    for change in ({"radius": 2.0}, {"radius": 3.0}, {"boxes": False}, {"penalty": 0.0}):
        rules = replace(R25, **change)
        assert any(differences(golden(case), "r25", rules) for case in CASES), change


def predicting(rows: Tensor, size: tuple[int, int], classes: int = 3) -> tuple[Tensor, Tensor]:
    """Raw outputs (A, 5 + classes) that predict the boxes of rows (A, 4), with a probability of 1/2, and the points."""
    at = boxes.points(size)
    return torch.cat((boxes.encode(rows, at), torch.zeros(len(at), 1 + classes)), 1), at


def everywhere(box: tuple[float, float, float, float], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    return predicting(torch.tensor(box).expand(len(boxes.points(size)), 4), size)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("middle", "inside", "reached"), [(24.0, [2, 3], [1, 2, 3]), (8.0, [0, 1], [0, 1, 2])])
def test_a_point_on_a_border_is_outside(axis: int, middle: float, inside: list[int], reached: list[int]) -> None:
    """Four points at 4, 12, 20, 28; a box of 24 pixels ends at one of them, a region of 2.5 strides at another."""
    at, truth = torch.full((4, 3), 0.0), torch.full((1, 5), 8.0)
    at[:, axis], at[:, 2] = torch.arange(4.0), 8
    truth[0, 0], truth[0, 1:3], truth[0, 1 + axis], truth[0, 3 + axis] = 1, 4, middle, 24
    for share, expected in ((1.0, reached), (0.7, inside)):  # the sum of the overlaps is 3, or 2.1
        box = truth[0, 1:].clone()
        box[2] *= share
        raw = torch.cat((boxes.encode(box.expand(4, 4), at), torch.zeros(4, 4)), 1)
        assert assign(raw, truth, at, R25).point.tolist() == expected
        assert assign(raw, truth, at, replace(R15, radius=2.5)).point.tolist() == reached[: len(expected)]


def test_as_many_points_as_the_largest_overlaps_sum_to() -> None:
    size = (64, 64)
    for share, expected in ((0.1, 1), (0.19, 1), (0.25, 2), (0.299, 2), (0.99, 9), (1.0, 10)):
        # predictions as wide as the truth, of a part of its height, about its centre
        raw, at = everywhere((32, 32, 32, 32 * share), size)
        learnt = assign(raw, torch.tensor([[0.0, 32, 32, 32, 32]]), at, R25)
        assert len(learnt.point) == expected, share  # the sum is cut, not rounded
        torch.testing.assert_close(learnt.overlap, torch.full((expected,), share), rtol=1e-5, atol=0)


def test_predictions_beside_the_truth_have_no_overlap() -> None:
    raw, at = everywhere((16, 16, 8, 8), (64, 64))
    # touches the truth's left edge
    learnt = assign(raw, torch.tensor([[0.0, 40, 16, 40, 8]]), at, R25)
    assert learnt.overlap.tolist() == [0.0]


def test_the_nearest_class_wins_among_equal_boxes() -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    raw[:, 5:] = torch.tensor([-4.0, 4, -4])
    both = torch.tensor([[0.0, 16, 16, 16, 16], [1.0, 16, 16, 16, 16]])
    learnt = assign(raw, both, at, R25)
    assert set(learnt.truth.tolist()) == {1}
    assert set(assign(raw, both.flip(0), at, R25).truth.tolist()) == {0}


def test_a_point_goes_to_the_cheapest_truth_even_if_that_did_not_take_it() -> None:
    # one point alone: the image is a cell of stride 32
    at = torch.tensor([[0.0, 0, 32], [1, 0, 32]])
    truths = torch.tensor([[0.0, 16, 16, 30, 30], [0.0, 17, 16, 30, 30]])
    rows = torch.tensor([[16.4, 16, 30, 30], [48.0, 16, 30, 30]])
    raw = torch.cat((boxes.encode(rows, at), torch.zeros(2, 2)), 1)
    learnt = assign(raw, truths, at, replace(R25, radius=0.4))
    # both truths want one point, both take the first; it is the first truth's, and the second has none
    assert (learnt.point.tolist(), learnt.truth.tolist()) == ([0], [0])


def test_no_truths() -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    for rules in (R25, R15, MMDET):
        assert [len(part) for part in assign(raw, torch.zeros(0, 5), at, rules)] == [0, 0, 0]
    raw = raw[None].repeat(2, 1, 1).requires_grad_()
    for labels in (torch.zeros(2, 0, 5), torch.zeros(2, 3, 5)):
        result = losses(raw, labels, at, R25, l1=True)
        # ln 2 for each point, divided by 1 as there are no positives
        assert result.objectness.item() == pytest.approx(2 * len(at) * np.log(2), rel=1e-6)
        assert [result.box.item(), result.classes.item(), result.l1.item()] == [0, 0, 0]
        assert result.positives == 1
        (gradient,) = torch.autograd.grad(result.total, raw)
        assert gradient.isfinite().all()
        assert (gradient[..., 4] == 0.5).all()
        assert gradient[..., [0, 1, 2, 3, 5, 6, 7]].abs().max() == 0


@pytest.mark.parametrize(
    "truth",
    [
        (1, 500, 500, 20, 20),  # outside, further than any region reaches
        (1, -500, 16, 20, 20),
    ],
)
def test_a_truth_out_of_reach_learns_nothing(truth: tuple[float, ...]) -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    assert len(assign(raw, torch.tensor([truth], dtype=torch.float32), at, R25).point) == 0
    # beside another it takes what the other leaves, at the penalty's cost
    near = torch.tensor([(0, 16, 16, 16, 16), truth], dtype=torch.float32)
    learnt = assign(raw, near, at, R25)
    assert set(learnt.truth.tolist()) <= {0, 1}
    assert (learnt.truth == 0).sum() >= 1


@pytest.mark.parametrize("sides", [(0, 0), (0, 16), (1e-12, 16)])
def test_a_truth_without_extent_keeps_everything_finite(sides: tuple[float, float]) -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    raw = raw[None].requires_grad_()
    for rules in (R25, R15, MMDET):
        labels = torch.tensor([[[2, 16, 16, *sides]]], dtype=torch.float32)
        result = losses(raw, labels, at, rules, l1=True)
        assert len(assign(raw[0], labels[0], at, rules).point) == 1
        (gradient,) = torch.autograd.grad(result.total, raw)
        assert result.total.isfinite()
        assert gradient.isfinite().all()


def test_a_batch_is_divided_by_its_positives_alone() -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    labels = torch.tensor([[[1, 16, 16, 16, 16]]], dtype=torch.float32)
    one = losses(raw[None], labels, at, R25)
    two = losses(raw[None].repeat(2, 1, 1), labels.repeat(2, 1, 1), at, R25)
    for single, double in zip(one[:5], two[:5], strict=True):
        assert isinstance(single, Tensor)
        torch.testing.assert_close(single, double)
    assert one.positives == two.positives == 10


def test_half_precision_outputs_are_taken_in_single() -> None:
    raw, at = everywhere((16, 16, 16, 16), (32, 32))
    labels = torch.tensor([[[1, 16, 16, 16, 16]]], dtype=torch.float32)
    exact = raw.half().float()
    assert losses(raw.half()[None], labels, at, R25).total == losses(exact[None], labels, at, R25).total


truth_lists = st.lists(
    st.tuples(st.integers(0, 2), *[st.floats(0, 64, width=32)] * 2, *[st.floats(1, 64, width=32)] * 2),
    min_size=1,
    max_size=12,
)


@given(truth_lists, st.integers(0, 2**32 - 1), st.sampled_from([R25, R15, MMDET]))
def test_what_holds_for_every_assignment(rows: list[tuple[float, ...]], seed: int, rules: Rules) -> None:
    generator = np.random.default_rng(seed)
    at = boxes.points((64, 64))
    raw = torch.from_numpy(generator.normal(size=(len(at), 8)).astype(np.float32))
    truths = torch.tensor(rows, dtype=torch.float32)
    learnt = assign(raw, truths, at, rules)
    assert (learnt.point.diff() > 0).all()
    assert 0 < len(learnt.point) <= 10 * len(rows)
    assert (learnt.overlap >= 0).all()
    assert (learnt.overlap <= 1 + 1e-5).all()
    expected = boxes.overlaps(truths[:, 1:], boxes.decode(raw, at), rules.union_floor)
    torch.testing.assert_close(learnt.overlap, expected[learnt.truth, learnt.point])


@given(truth_lists, st.integers(0, 2**32 - 1))
def test_gradients_are_those_of_differences(rows: list[tuple[float, ...]], seed: int) -> None:
    generator = np.random.default_rng(seed)
    at = boxes.points((64, 64))
    raw = torch.from_numpy(generator.normal(size=(1, len(at), 8)).astype(np.float32)).requires_grad_()
    labels = torch.tensor([rows], dtype=torch.float32)
    result = losses(raw, labels, at, R25, l1=True)
    assert all(isinstance(part, float) or part >= 0 for part in result)
    torch.testing.assert_close(result.total, result.box + result.objectness + result.classes + result.l1)
    (gradient,) = torch.autograd.grad(result.total, raw)
    assert gradient.isfinite().all()
    # outside of the positives only the objectness learns, and downwards
    positives = assign(raw[0].detach(), labels[0], at, R25).point
    rest = np.setdiff1d(np.arange(len(at)), positives)
    assert gradient[0, rest][:, [0, 1, 2, 3, 5, 6, 7]].abs().sum() == 0
    assert (gradient[0, rest, 4] > 0).all()
    assert (gradient[0, positives, 4] < 0).all()
