"""Which points learn which truth, as they are drawn: by hand, and of models on an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import coco_sets
import numpy as np
import pytest
import torch
from PIL import Image
from refusals import refuses

from cspbench.evaluation.execution import SILENT
from cspbench.network.layers import Softmax, Yolo
from cspbench.network.recipe import YoloRecipe
from cspbench.training.yolox.assignments import OF_YOLOV3, OWN, SIMOTA, assignments
from cspbench.training.yolox.shown import Level, Point, Shown, by_anchors, levels_of, levels_of_yolov3, simota
from cspbench.zoo.registry import MODELS

SIZE = (64, 96)
"""Height and width: 8 x 12, 4 x 6 and 2 x 3 cells."""
SECOND = 8 * 12 + 1 * 6 + 2
"""The point with stride 16 in row 1 and column 2, with its centre at x = 40, y = 24."""


def test_simota_takes_the_one_point_that_predicts_the_truth() -> None:
    raw = torch.full((96 + 24 + 6, 5 + 2), -10.0)
    raw[:, 2:4] = -20  # boxes of next to no extent
    raw[SECOND] = torch.tensor([0.5, 0.5, 0.0, np.log(2.0), 5, -5, 5])
    (point,) = simota(raw, torch.tensor([[1.0, 40, 24, 16, 32]]), SIZE)
    assert point == Point(0, 40, 24, 16)
    assert simota(raw, torch.zeros(0, 5), SIZE) == ()


def test_the_anchor_whose_sides_fit_best_in_the_cell_of_the_centre() -> None:
    truths = torch.tensor([[1.0, 40, 24, 16, 30], [0, 95.9, 63.9, 370, 320], [1, 32, 31.9, 60, 50]])
    points = by_anchors(levels_of_yolov3((8, 16, 32), SIZE, 2), truths, SIZE)
    assert points == (
        Point(0, 44, 28, 8, (16, 30)),
        Point(2, 40, 24, 16, (62, 45)),
        Point(1, 80, 48, 32, (373, 326)),
    )


def test_more_anchors_where_the_recipe_has_a_threshold() -> None:
    layer = Yolo(sources=(-1,), classes=1, anchors=((10.0, 10.0), (12.0, 10.0), (50.0, 50.0)), mask=(0, 1, 2))
    truth = torch.tensor([[0.0, 8, 24, 10, 10]])
    counts = [
        len(by_anchors([Level(layer, YoloRecipe(iou_thresh=threshold), (4, 6))], truth, SIZE))
        for threshold in (1.0, 0.84, 0.82, 0.03)
    ]
    assert counts == [1, 1, 2, 3]  # IoU 1, 100 / 120 and 100 / 2500


def test_only_plain_yolo_layers_are_levels() -> None:
    layer = Yolo(sources=(-1,), classes=1, anchors=((10.0, 10.0),), mask=(0,))
    recipe = YoloRecipe()
    assert levels_of([Softmax(sources=(-1,)), layer], [None, recipe], [(1, 1, 1), (6, 3, 4)]) == [
        Level(layer, recipe, (3, 4))
    ]


# --- of models


def picture(folder: Path, labels: str | None = "16 0.5 0.5 0.25 0.5\n") -> str:
    pixels = np.random.default_rng(0).integers(0, 256, (104, 208, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "a.png")
    if labels is not None:
        (folder / "a.txt").write_text(labels)
    return str(folder / "a.png")


def weights(folder: Path) -> Path:
    torch.manual_seed(0)
    torch.save(cast("Any", MODELS["yolox-nano"].architecture()).design.module().state_dict(), folder / "net.pth")
    return folder / "net.pth"


def shown(model: str, image: str, **options: Any) -> Shown:
    return assignments(model, image, listener=SILENT, **options)


def test_a_yolox_has_both(tmp_path: Path) -> None:
    result = shown("yolox-nano", picture(tmp_path), weights=weights(tmp_path))
    assert result.names == ("dog",)
    assert result.pixels.shape == (416, 416, 3)
    assert (result.pixels[208:] == 114).all()
    assert result.boxes.tolist() == [[208, 104, 104, 104]]  # twice those of the image
    assert list(result.points) == [SIMOTA, OF_YOLOV3]
    # IoU of sides: 90 / 104 x 104 / 116 with 116x90, less with the others
    assert result.points[OF_YOLOV3] == (Point(0, 208, 112, 32, (116, 90)),)
    own = result.points[SIMOTA]
    assert own
    assert all(point.truth == 0 and abs(point.x - 208) < 80 and abs(point.y - 104) < 80 for point in own)
    smaller = shown("yolox-nano", picture(tmp_path), weights=weights(tmp_path), size=(96, 160))
    assert smaller.pixels.shape == (96, 160, 3)
    assert smaller.boxes.tolist() == [pytest.approx([80, 40, 40, 40])]
    with refuses("network.input-out-of-range"):
        shown("yolox-nano", picture(tmp_path), weights=weights(tmp_path), size=(100, 96))


def test_a_yolox_with_anchors_has_one_rule_that_reads_no_weights(tmp_path: Path) -> None:
    result = shown("yolox-darknet53-anchors", picture(tmp_path))
    assert result.boxes.tolist() == [[320, 160, 160, 160]]
    # IoU of sides: 116 x 90 of 160 x 160, but 156 x 160 of 156 x 198 and the rest
    assert result.points == {OF_YOLOV3: (Point(0, 336, 176, 32, (156, 198)),)}


def test_a_yolo_network_has_its_own_anchors(tmp_path: Path) -> None:
    image = picture(tmp_path, "16 0.5 0.5 0.25 0.25\n3 0.1 0.2 0.02 0.03\n")
    result = shown("yolov3-tiny", image, weights="ignored.weights")
    assert result.boxes.tolist() == [[208, 208, 104, 104], pytest.approx([41.6, 83.2, 8.32, 12.48])]
    assert list(result.points) == [OWN]
    # both layers have that anchor in their masks, 3,4,5 and 1,2,3; the first, which fits the other truth, neither has
    assert result.points[OWN] == (Point(0, 208, 208, 32, (81, 82)), Point(0, 216, 216, 16, (81, 82)))


def test_an_image_of_a_data_set(tmp_path: Path) -> None:
    root = coco_sets.write(tmp_path / "coco")
    file = weights(tmp_path)
    by_name = shown("yolox-nano", f"elsewhere/{coco_sets.NAMES[1]}", data=str(root), weights=file)
    by_id = shown("yolox-nano", str(int(coco_sets.NAMES[1][:12])), data=str(root), weights=file)
    assert by_name.boxes.tolist() == by_id.boxes.tolist()
    ratio = 416 / 50
    expected = {
        (own["category_id"], *own["bbox"])
        for own in coco_sets.contents()["annotations"]
        if own["image_id"] == int(coco_sets.NAMES[1][:12]) and not own["iscrowd"]
    }
    corners = [(x - w / 2, y - h / 2, w, h) for x, y, w, h in (by_name.boxes / ratio).tolist()]
    assert sorted(corners) == [pytest.approx(box) for _, *box in sorted(expected)]
    with refuses("usage.image-of-other-data", found="b.jpg"):
        shown("yolox-nano", "b.jpg", data=str(root), weights=file)


@pytest.mark.reference("weights/yolox-nano.safetensors", "data/coco-mini")
def test_the_published_weights_on_a_photograph(shared: Path) -> None:
    image = sorted((shared / "data/coco-mini/val2017").iterdir())[4]
    result = shown(
        "yolox-nano", image.name, data=str(shared / "data/coco-mini"), weights=shared / "weights/yolox-nano.safetensors"
    )
    counts = {title: [sum(point.truth == at for point in points) for at in range(3)]
              for title, points in result.points.items()}  # fmt: skip
    assert result.names == ("dog", "bed", "handbag")
    assert counts == {SIMOTA: [8, 7, 9], OF_YOLOV3: [1, 1, 1]}


def test_what_is_refused(tmp_path: Path) -> None:
    image = picture(tmp_path, None)
    with refuses("usage.no-labels-beside", where=image):
        shown("yolov3-tiny", image)
    with refuses("usage.no-assignment", found="a network without them"):
        shown("csdarknet53", image)
    with refuses("usage.no-assignment"):
        shown("cspdarknet-nano", image)
    picture(tmp_path, "")
    with refuses("usage.image-without-objects"):
        shown("yolov3-tiny", image)
    picture(tmp_path, "80 0.5 0.5 0.1 0.1\n")
    with refuses("darknet.class-range"):
        shown("yolov3-tiny", image)
