"""The loss of [yolo] against the same rules anchor by anchor in plain Python."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from yolo_by_hand import ByHand

from cspbench.network.era import Era
from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import RULES
from cspbench.training.losses.similarity import similarity
from cspbench.training.losses.yolo import YoloLoss

ANCHORS = ((6.0, 8.0), (10.0, 12.0), (14.0, 9.0), (20.0, 24.0), (30.0, 18.0), (44.0, 48.0))
CLASSES, SIZE = 3, (48, 64)


def head(*mask: int, scale: float = 1.0) -> Yolo:
    return Yolo(sources=(0,), classes=CLASSES, anchors=ANCHORS, mask=mask, scale_x_y=scale)


def maps(seed: int, layer: Yolo, images: int = 2, grid: tuple[int, int] = (3, 4)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, layer.used * (5 + CLASSES), *grid, generator=generator)


def rows(*images: list[list[float]]) -> torch.Tensor:
    given = torch.zeros(len(images), 12, 6)
    for at, boxes in enumerate(images):
        for number, box in enumerate(boxes):
            given[at, number, :5] = torch.tensor(box)
    return given


def against_hand(layer: Yolo, recipe: YoloRecipe, era: Era, raw: torch.Tensor, boxes: torch.Tensor) -> None:
    result = YoloLoss(layer, recipe, RULES[era])(raw, boxes, SIZE)
    hand = ByHand(layer, recipe, era.value, SIZE)
    values = torch.unflatten(raw.double(), 1, (layer.used, 5 + CLASSES)).tolist()
    listed = [[row for row in image[:, :5].double().tolist() if row[0]] for image in boxes]
    cost = hand.run(values, listed)
    wanted = torch.zeros(len(raw), layer.used, 5 + CLASSES, *raw.shape[2:], dtype=torch.float64)
    for (image, anchor, row, column), delta in hand.delta.items():
        wanted[image, anchor, :, row, column] = torch.tensor(delta, dtype=torch.float64)
    scale = float(wanted.abs().max())
    torch.testing.assert_close(-result.gradient.double(), wanted.reshape(raw.shape), rtol=1e-4, atol=2e-5 * scale)
    assert float(result.cost) == pytest.approx(cost, rel=2e-5)


places, sides = st.floats(0.02, 0.98), st.floats(0.03, 0.9)
box = st.tuples(places, places, sides, sides, st.integers(0, CLASSES - 1)).map(
    lambda each: [round(value, 4) for value in each]
)
recipes: Any = st.fixed_dictionaries(
    {
        "iou_loss": st.sampled_from(("mse", "iou", "giou", "diou", "ciou", "other")),
        "ignore_thresh": st.sampled_from((0.1, 0.3, 0.7)),
        "truth_thresh": st.sampled_from((1.0, 1.0, 0.25)),
        "iou_thresh": st.sampled_from((1.0, 0.213, 0.5)),
        "iou_normalizer": st.sampled_from((0.75, 0.07)),
        "obj_normalizer": st.sampled_from((1.0, 0.4)),
        "cls_normalizer": st.sampled_from((1.0, 0.3)),
        "label_smooth_eps": st.sampled_from((0.0, 0.1)),
        "focal_loss": st.booleans(),
        "objectness_smooth": st.booleans(),
        "max_delta": st.sampled_from((float("inf"), 2.0)),
        "counters_per_class": st.sampled_from(((), (100, 0, 7))),
    }
)


@given(
    st.integers(0, 10**6), recipes, st.sampled_from(list(Era)), st.sampled_from(((0, 1, 2), (3, 4, 5), (5, 0))),
    st.sampled_from((1.0, 1.2)), st.lists(box, max_size=6), st.lists(box, max_size=6),
)  # fmt: skip
def test_any_truths_as_by_hand(
    seed: int, recipe: dict[str, Any], era: Era, mask: tuple[int, ...], scale: float, one: Any, two: Any
) -> None:
    layer = head(*mask, scale=scale)
    against_hand(layer, YoloRecipe(**recipe), era, maps(seed, layer), rows(one, two))


@pytest.mark.parametrize("era", Era)
@pytest.mark.parametrize("kind", ["mse", "giou", "ciou"])
def test_truths_that_share_an_anchor(era: Era, kind: str) -> None:
    """Three boxes in one anchor of one cell, two of them of one class."""
    layer = head(3, 4, 5)
    boxes = rows([[0.4, 0.4, 0.3, 0.5, 1], [0.41, 0.42, 0.31, 0.5, 1], [0.39, 0.4, 0.3, 0.52, 2]], [])
    for thresh in (1.0, 0.3):
        recipe = YoloRecipe(iou_loss=kind, iou_thresh=thresh, ignore_thresh=0.3)
        against_hand(layer, recipe, era, maps(7, layer), boxes)


def test_maps_in_any_memory_format() -> None:
    layer = head(0, 1, 2)
    raw, boxes = maps(3, layer), rows([[0.4, 0.4, 0.1, 0.2, 1]], [[0.6, 0.4, 0.1, 0.2, 0]])
    loss = YoloLoss(layer, YoloRecipe(iou_loss="ciou"), RULES[Era.HEAD])
    plain, last = loss(raw, boxes, SIZE), loss(raw.to(memory_format=torch.channels_last), boxes, SIZE)
    assert torch.equal(plain.gradient, last.gradient)
    assert torch.equal(plain.cost, last.cost)


def test_no_truths() -> None:
    layer = head(0, 1, 2)
    raw = maps(1, layer)
    for kind in ("mse", "ciou"):
        result = YoloLoss(layer, YoloRecipe(iou_loss=kind), RULES[Era.HEAD])(raw, rows([], []), SIZE)
        objectness = torch.sigmoid(torch.unflatten(raw, 1, (3, 8))[:, :, 4])
        gradient = torch.unflatten(result.gradient, 1, (3, 8))
        torch.testing.assert_close(gradient[:, :, 4], objectness)
        assert int((gradient != 0).sum()) == objectness.numel()
        assert float(result.cost) == pytest.approx(float(objectness.square().sum()))


def test_a_list_ends_at_the_first_zero_and_unknown_classes_do_not_count() -> None:
    layer = head(0, 1, 2)
    raw, loss = maps(2, layer), YoloLoss(layer, YoloRecipe(iou_loss="giou"), RULES[Era.HEAD])
    boxes = rows([[0.4, 0.4, 0.1, 0.2, 1]], [])
    more = boxes.clone()
    more[0, 2] = torch.tensor([0.6, 0.6, 0.1, 0.1, 0, 0])  # after an empty row
    more[1, 0] = torch.tensor([0.6, 0.6, 0.1, 0.1, CLASSES, 0])
    assert torch.equal(loss(raw, boxes, SIZE).gradient, loss(raw, more, SIZE).gradient)


def test_a_truth_at_the_right_edge_is_in_the_next_row() -> None:
    layer = head(0, 1, 2)
    loss = YoloLoss(layer, YoloRecipe(), RULES[Era.HEAD])
    result = torch.unflatten(loss(maps(2, layer), rows([[1.0, 0.5, 0.1, 0.2, 1]], []), SIZE).gradient, 1, (3, 8))
    (place,) = {tuple(each[[0, 3, 4]].tolist()) for each in result[:, :, 5:].nonzero()}
    assert place == (0, 2, 0)
    last = loss(maps(2, layer), rows([], [[1.0, 1.0, 0.1, 0.2, 1]]), SIZE)  # beyond the last map
    assert bool(torch.isfinite(last.gradient).all())


@pytest.mark.parametrize("kind", ["mse", "iou", "giou", "diou", "ciou"])
def test_exact_gradients_are_those_of_finite_differences(kind: str) -> None:
    layer = head(3, 4, 5, scale=1.1)
    recipe = YoloRecipe(iou_loss=kind, iou_normalizer=0.5, ignore_thresh=0.9)
    raw, boxes = maps(4, layer) * 0.3, rows([[0.4, 0.4, 0.4, 0.5, 1]], [])
    loss = YoloLoss(layer, recipe, RULES[Era.HEAD], exact=True)
    result = torch.unflatten(loss(raw, boxes, SIZE).gradient, 1, (3, 8))
    (place,) = {tuple(each[[0, 1, 3, 4]].tolist()) for each in result[:, :, 5:].nonzero()}
    image, anchor, row, column = place
    hand = ByHand(layer, recipe, "head", SIZE)
    hand.rows, hand.columns = 3, 4
    truth = (0.4, 0.4, 0.4, 0.5)

    def value(at: list[float]) -> float:
        decoded, _ = hand.decode(at, layer.mask[anchor], row, column)
        if kind == "mse":
            aim = hand.box_delta([*at], layer.mask[anchor], row, column, (*truth, 1))
            factor = (2 - truth[2] * truth[3]) * 0.5
            return 0.5 * sum((each / factor) ** 2 for each in aim) * factor
        pair = torch.tensor([decoded], dtype=torch.float64), torch.tensor([truth], dtype=torch.float64)
        return -0.5 * float(similarity(kind, *pair))

    start = torch.unflatten(raw, 1, (3, 8))[image, anchor, :4, row, column].double().tolist()
    for at in range(4):
        up, down = list(start), list(start)
        up[at] += 1e-5
        down[at] -= 1e-5
        slope = (value(up) - value(down)) / 2e-5
        tolerance = 0.05 if kind == "ciou" else 1e-3  # the weight of the aspect term is a constant
        assert float(result[image, anchor, at, row, column]) == pytest.approx(slope, rel=tolerance, abs=1e-4)
