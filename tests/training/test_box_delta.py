"""The directions of boxes that the specification works out."""

from __future__ import annotations

import pytest
import torch

from cspbench.network.era import Era
from cspbench.training.losses.box_delta import box_delta
from cspbench.training.losses.rules import RULES
from cspbench.training.losses.similarity import similarity

OVERLAPPING = (0.5, 0.5, 0.2, 0.3), (0.55, 0.48, 0.25, 0.2)
APART = (0.3, 0.3, 0.1, 0.2), (0.6, 0.5, 0.2, 0.1)


@pytest.mark.parametrize(
    ("pair", "era", "kind", "expected"),
    [
        (OVERLAPPING, "head", "iou", (3.91111, 0, 0.17778, -2.48889)),
        (OVERLAPPING, "head", "giou", (4.79265, 0, 1.72048, -3.70101)),
        (OVERLAPPING, "head", "diou", (4.57303, -0.24151, 0.20685, -2.42546)),
        (OVERLAPPING, "head", "ciou", (4.57303, -0.24151, 0.21189, -2.42882)),
        (OVERLAPPING, "oct2019", "giou", (4.79265, 0, 0.86024, -1.85051)),
        (APART, "head", "iou", (-1.89349, -5.68047, -4.73373, -7.10059)),
        (APART, "head", "giou", (0.77601, 1.54195, 2.39859, 1.63265)),
        (APART, "head", "diou", (2.95385, 2.09231, 0.55385, 0.43077)),
        (APART, "head", "ciou", (2.95385, 2.09231, 0.57253, 0.42143)),
        (APART, "oct2019", "giou", (-1.11748, -4.13852, -1.16757, -2.73397)),
        (APART, "nov2019", "giou", (0.77601, 1.54195, 2.39859, 1.63265)),
    ],
)
def test_vectors_of_the_specification(
    pair: tuple[tuple[float, ...], tuple[float, ...]], era: str, kind: str, expected: tuple[float, ...]
) -> None:
    predicted, true = (torch.tensor([box]) for box in pair)
    result = box_delta(kind, predicted, true, RULES[Era(era)])
    assert result[0].tolist() == pytest.approx(expected, abs=2e-5)


def test_a_side_of_zero_counts_as_one() -> None:
    true = torch.tensor([(0.5, 0.5, 0.2, 0.3)])
    flat, whole = (torch.tensor([(0.5, 0.5, width, 0.2)]) for width in (0.0, 1.0))
    for kind in ("iou", "giou", "diou", "ciou"):
        assert torch.equal(box_delta(kind, flat, true, RULES[Era.HEAD]), box_delta(kind, whole, true, RULES[Era.HEAD]))


def test_similarities_by_hand() -> None:
    # two squares of side 2 and 4 with a common corner: 4 of 16, around them 16
    one, other = torch.tensor([1.0, 1.0, 2.0, 2.0]), torch.tensor([2.0, 2.0, 4.0, 4.0])
    assert float(similarity("iou", one, other)) == pytest.approx(0.25)
    assert float(similarity("giou", one, other)) == pytest.approx(0.25)
    assert float(similarity("diou", one, other)) == pytest.approx(0.25 - 2 / 32)
    assert float(similarity("diou", one, other, 0.6)) == pytest.approx(0.25 - (2 / 32) ** 0.6)
    assert float(similarity("ciou", one, other)) == pytest.approx(0.25 - 2 / 32)  # of one shape
    assert float(similarity("something else", one, other)) == pytest.approx(0.25)
    aside = torch.tensor([6.0, 1.0, 2.0, 2.0])
    assert float(similarity("iou", one, aside)) == 0
    assert float(similarity("giou", one, aside)) == pytest.approx(-(14 - 8) / 14)
