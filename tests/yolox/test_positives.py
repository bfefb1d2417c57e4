"""Assignments without predictions, by hand, and the count of positives over pictures."""

from __future__ import annotations

import sys
from pathlib import Path

import coco_sets
import pytest
import torch
from torch import Tensor

from cspbench.data.coco.source import open_coco
from cspbench.network.era import Era
from cspbench.network.layers import Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.losses.rules import RULES
from cspbench.training.yolox import boxes, positives
from cspbench.training.yolox.fixed_assignment import around_centres, by_anchors
from cspbench.training.yolox.positives import ANCHORS, GOOD, Picture, Tally, good_predictions, pictures_of
from cspbench.zoo import registry

SIZE = (64, 64)
"""64 points of stride 8, then 16 of stride 16, then 4 of stride 32."""


def truths(*rows: tuple[float, ...]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float32).reshape(-1, 5)


def learnt(reach: int, *rows: tuple[float, ...], size: tuple[int, int] = SIZE) -> list[tuple[int, int]]:
    pairs = around_centres(truths(*rows), boxes.points(size), reach)
    return list(zip(pairs.box.tolist(), pairs.truth.tolist(), strict=True))


def anchor_layers() -> list[Yolo]:
    return [layer for layer in registry.model(ANCHORS).build().layers if isinstance(layer, Yolo)]


def test_the_cell_of_the_centre() -> None:
    # 20 / 8 is in column 2, 33 / 8 in row 4; a centre on a border belongs to the cell that begins there
    assert learnt(0, (3, 20, 33, 10, 10)) == [(4 * 8 + 2, 0)]
    assert learnt(0, (3, 16, 32, 10, 10)) == [(4 * 8 + 2, 0)]


def test_nine_cells_and_fewer_at_the_border() -> None:
    rows = [8 * row + column for row in (3, 4, 5) for column in (1, 2, 3)]
    assert learnt(1, (3, 20, 33, 10, 10)) == [(cell, 0) for cell in rows]
    assert learnt(1, (3, 2, 2, 10, 10)) == [(cell, 0) for cell in (0, 1, 8, 9)]


@pytest.mark.parametrize(("side", "first"), [(128, 0), (128.5, 64), (256, 64), (256.5, 80)])
@pytest.mark.parametrize("upright", [False, True])
def test_the_longer_side_chooses_the_level(side: float, first: int, upright: bool) -> None:
    sides = (10, side) if upright else (side, 10)
    assert learnt(0, (0, 4, 4, *sides)) == [(first, 0)]


def test_the_smallest_of_several_truths_wins_a_point() -> None:
    assert learnt(0, (0, 4, 4, 20, 20), (1, 5, 5, 10, 30), (2, 3, 3, 40, 40)) == [(0, 1)]
    # neighbours: the smaller one takes the shared columns
    both = learnt(1, (0, 20, 4, 30, 30), (0, 28, 4, 20, 20))
    assert [cell for cell, truth in both if truth == 0] == [1, 9]
    assert [cell for cell, truth in both if truth == 1] == [2, 3, 4, 10, 11, 12]


def test_no_truths() -> None:
    assert learnt(1) == []
    assert [len(part) for part in by_anchors(truths(), SIZE, anchor_layers(), YoloRecipe(), RULES[Era.HEAD])] == [0, 0]


def test_the_best_of_nine_anchors_and_all_that_are_alike() -> None:
    """Anchors 10x13, 16x30, 33x23 at stride 8; 30x61, 62x45, 59x119 at 16; 116x90, 156x198, 373x326 at 32."""
    layers, rules = anchor_layers(), RULES[Era.HEAD]
    rows = truths((3, 20, 33, 33, 23), (5, 40, 8, 30, 61))
    pairs = by_anchors(rows, SIZE, layers, YoloRecipe(), rules)
    # the third anchor's map of 64 cells, then the first anchor of the second layer, behind 3 x 64 boxes
    assert pairs.box.tolist() == [2 * 64 + 4 * 8 + 2, 192 + 2]
    assert pairs.truth.tolist() == [0, 1]
    several = by_anchors(rows[:1], SIZE, layers, YoloRecipe(iou_thresh=0.213), rules)
    # IoUs of sides with 33x23: 16x30 368/871, 30x61 690/1899, 62x45 759/2790; but 10x13 130/759, 59x119 759/7021
    assert sorted(several.box.tolist()) == [64 + 34, 128 + 34, 192 + 2 * 4 + 1, 192 + 16 + 2 * 4 + 1]


def predicting(rows: Tensor, at: Tensor, category: int) -> Tensor:
    raw = torch.cat((boxes.encode(rows, at), torch.zeros(len(at), 4)), 1)
    raw[:, 5 + category] = 1
    return raw


def test_a_good_prediction_has_the_class_and_the_overlap() -> None:
    at = boxes.points((32, 32))
    rows = torch.tensor([[16.0, 16, 16, 16]]).repeat(len(at), 1)
    rows[0, 3] = 16 * GOOD + 0.01
    rows[1, 3] = 16 * GOOD - 0.01
    raw = predicting(rows, at, 1)
    raw[2, 5:] = torch.tensor([9.0, 0, 0])
    own = truths((1, 16, 16, 16, 16), (1, 17, 16, 16, 16))
    good = good_predictions(Picture(raw, at, own, torch.ones(2), (32, 32)))
    assert good.shape == (len(at), 2)
    assert good[:, 0].tolist() == [True, False, False, *([True] * (len(at) - 3))]
    assert not good[:, 1].any()


def test_a_tally_by_hand() -> None:
    own = truths((1, 12, 12, 8, 8), (1, 12, 12, 8, 8), (0, 28, 28, 8, 8))
    at = boxes.points((32, 32))
    raw = predicting(torch.tensor([[28.0, 28, 8, 8]]).repeat(len(at), 1), at, 0)
    picture = Picture(raw, at, own, torch.tensor([1024.0, 5000, 9217]), (32, 32))
    (*_, centre, _, _, _), total = positives.tallies(iter([picture, picture]), anchor_layers())
    # equal truths want one point, which learns the first; the third is predicted well everywhere
    assert (centre.name, centre.boxes, centre.positives, centre.of_truths) == ("centre", 42, 4, [1, 0, 1] * 2)
    assert (centre.good, total) == (2, 42)
    assert [centre.mean(0, 1024), centre.mean(1025, 9216), centre.mean(0, 1e10)] == [1, 0, pytest.approx(2 / 3)]
    # as in COCO, an area of 1024 is small and medium
    line = positives.table([centre], total).splitlines()[2]
    assert line == "| centre | 6 | 4 | 9.524 % | 0.67 | 1.00 | 0.50 | 1.00 | 2 | 1 | 2 of 42 |"


def test_anchors_have_boxes_of_their_own() -> None:
    own = truths((1, 16, 16, 10, 13))
    at = boxes.points((32, 32))
    picture = Picture(predicting(torch.ones(21, 4), at, 0), at, own, own[:, 0], (32, 32))
    (best, *_), _ = positives.tallies(iter([picture]), anchor_layers())
    assert (best.boxes, best.positives, best.of_truths, best.good) == (63, 1, [1], None)


def test_pictures_as_the_network_sees_them(tmp_path: Path) -> None:
    source = open_coco(coco_sets.write(tmp_path))
    first, second = pictures_of(source, "yolox-nano", None)
    # of 50x40 pixels, enlarged by 416 / 50; the crowd and the picture without objects are left out
    assert first.size == (416, 416)
    assert first.raw.shape == (3549, 85)
    # 40, 30 to 60, 60 is cut at the picture: 40 to 50 and 30 to 40
    torch.testing.assert_close(first.truths, truths((0, 45 * 8.32, 35 * 8.32, 10 * 8.32, 10 * 8.32)))
    torch.testing.assert_close(second.truths, truths((79, 6 * 8.32, 12.5 * 8.32, 10 * 8.32, 20 * 8.32)))
    assert [first.areas.tolist(), second.areas.tolist()] == [[9], [150.5]]


@pytest.mark.reference("data/coco-mini", "weights/yolox-nano.safetensors")
def test_trained_predictions_get_more_positives_than_new_ones(shared: Path) -> None:
    source = open_coco(shared / "data" / "coco-mini")
    source.images = source.images[:2]

    def of(weights: Path | None) -> Tally:
        result, _ = positives.tallies(pictures_of(source, "yolox-nano", weights), anchor_layers())
        return {tally.name: tally for tally in result}["SimOTA r25"]

    trained, new = of(shared / "weights" / "yolox-nano.safetensors"), of(None)
    assert trained.mean(0, 1e10) > 3 > 1.5 > new.mean(0, 1e10)


def test_the_command_prints_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["positives", str(coco_sets.write(tmp_path))])
    positives.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[2].strip() for line in lines[2:]] == ["2"] * 6
