"""YOLOX's box losses by hand, with their gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cspbench.training.yolox.box_losses import BOX_LOSSES, box_loss

TRUTH = torch.tensor([[10.0, 10, 4, 4]])


def of(kind: str, *box: float, floor: float = 0.0) -> tuple[float, Tensor]:
    """The loss of a box, and its gradient by centre and sides."""
    predicted = torch.tensor([box], dtype=torch.float32, requires_grad=True)
    loss = box_loss(kind, predicted, TRUTH, floor)
    (gradient,) = torch.autograd.grad(loss.sum(), predicted)
    return float(loss.detach()), gradient[0]


@pytest.mark.parametrize(
    ("kind", "loss", "by_x", "by_width"),
    [
        # 2x3 of 16 pixels are common, 26 the union, 5x6 the hull. A step to the right takes 3 of the common pixels and
        # adds 3 to the union and 5 to the hull; a pixel more of width adds 1.5, 2.5 and 2.5
        ("iou", 1 - (6 / 26) ** 2, 2 * 6 / 26 * (3 * 26 + 6 * 3) / 26**2, -2 * 6 / 26 * (1.5 * 26 - 6 * 2.5) / 26**2),
        (
            "giou",
            1 - (6 / 26 - 4 / 30),
            (3 * 26 + 6 * 3) / 26**2 - (3 * 30 - 26 * 5) / 30**2,
            -(1.5 * 26 - 6 * 2.5) / 26**2 - (2.5 * 30 - 26 * 2.5) / 30**2,
        ),
        (
            "giou-july2021",
            1 - (6 / 26 - 24 / 30),
            (3 * 26 + 6 * 3) / 26**2 + (3 * 30 + 6 * 5) / 30**2,
            -(1.5 * 26 - 6 * 2.5) / 26**2 - (1.5 * 30 - 6 * 2.5) / 30**2,
        ),
    ],
)
def test_by_hand(kind: str, loss: float, by_x: float, by_width: float) -> None:
    value, gradient = of(kind, 12, 11, 4, 4)
    assert value == pytest.approx(loss)
    assert gradient[0].item() == pytest.approx(by_x)
    assert gradient[2].item() == pytest.approx(by_width)


@pytest.mark.parametrize(
    ("kind", "loss", "by_x"), [("iou", 1, 0), ("giou", 1 + 6 / 14, 32 * 4 / 56**2), ("giou-july2021", 2, 0)]
)
def test_apart(kind: str, loss: float, by_x: float) -> None:
    """Beside each other without a common pixel: the hull of 14x4 pixels, of which 6x4 are in neither."""
    # 32 pixels are the union wherever the box is, and 4 * (x - 6) the hull
    value, gradient = of(kind, 20, 10, 4, 4)
    assert value == pytest.approx(loss)
    assert gradient[0].item() == pytest.approx(by_x)


def test_equal_boxes() -> None:
    for kind in BOX_LOSSES:
        assert of(kind, 10, 10, 4, 4)[0] == pytest.approx(0, abs=1e-6)


def test_the_least_union_and_the_least_overlap() -> None:
    """As in mmdetection, where a union of less than a floor counts as the floor."""
    assert of("iou", 12, 11, 4, 4, floor=52)[0] == pytest.approx(1 - (6 / 52) ** 2)
    assert of("iou", 12, 11, 4, 4, floor=1e-6)[0] == pytest.approx(of("iou", 12, 11, 4, 4)[0])
    value, gradient = of("iou", 20, 10, 4, 4, floor=1e-6)
    assert (value, gradient.abs().max().item()) == (1, 0)
