"""The training script's own arithmetic, against numbers worked by hand and the project's decoding."""

from __future__ import annotations

import io
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cspbench.detection.decode_yolo import decode
from cspbench.network.layers import Yolo
from cspbench.sample.seeds import HELD_OUT
from cspbench.zoo.registry import model

sys.path.append(str(Path(__file__).parents[2] / "training"))
import anchors
import detector_loss
import drawn_pictures
import fitting
import train_detector


def test_complete_iou_by_hand() -> None:
    one = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    assert detector_loss.complete_iou(one, one).item() == pytest.approx(1)
    # half a width aside: IoU 1/3; centres 0.2 apart in an outer box of 0.6 by 0.4
    aside = torch.tensor([[0.7, 0.5, 0.4, 0.4]])
    expected = 1 / 3 - 0.2**2 / (0.6**2 + 0.4**2)
    assert detector_loss.complete_iou(aside, one).item() == pytest.approx(expected, abs=1e-5)
    # half as wide about the same centre: IoU 1/2, and the angles' difference
    narrow = torch.tensor([[0.5, 0.5, 0.2, 0.4]])
    angles = 4 / math.pi**2 * (math.atan(1) - math.atan(0.5)) ** 2
    expected = 0.5 - angles**2 / (0.5 + angles)
    assert detector_loss.complete_iou(narrow, one).item() == pytest.approx(expected, abs=1e-5)


def test_the_best_answer_decodes_to_what_was_meant() -> None:
    """Raw values are fitted to a batch by the loss alone; Darknet's decoding of them gives the boxes back."""
    network = model("sample-csp-detector").build()
    layers = [layer for layer in network.layers if isinstance(layer, Yolo)]
    heads = detector_loss.heads(network)
    outputs = tuple(torch.full((1, 45, side, side), -4.0) for side in (14, 28))
    for output in outputs:
        output.requires_grad_()
    result = torch.tensor([[0.0, 3, 0.3, 0.4, 0.1, 0.12], [0, 7, 0.71, 0.52, 0.5, 0.45]])
    adam = torch.optim.Adam(outputs, 0.2)
    for step in range(140):
        adam.param_groups[0]["lr"] = 0.2 if step < 90 else 0.02
        loss = detector_loss.losses(outputs, heads, result, torch.zeros(0, 5))
        adam.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        adam.step()
    raw = [output.detach().numpy() for output in outputs]
    (candidates,) = decode(raw, layers, (224, 224), [(1, 1)], 0.5, ["picture"])
    assert set(candidates.category.tolist()) == {3, 7}
    for row in result.tolist():
        boxes = candidates.boxes[candidates.box[candidates.category == row[1]]]
        assert len(boxes) >= 3
        np.testing.assert_allclose(boxes, np.tile(row[2:], (len(boxes), 1)), atol=0.02)


def test_crowds_excuse_what_lies_in_them() -> None:
    heads = detector_loss.heads(model("sample-csp-detector").build())
    outputs = tuple(torch.zeros(2, 45, side, side) for side in (14, 28))
    nothing = torch.zeros(0, 6)
    everywhere = torch.tensor([[0.0, -9, -9, 9, 9]])
    free = detector_loss.losses(outputs, heads, nothing, torch.zeros(0, 5))
    half = detector_loss.losses(outputs, heads, nothing, everywhere)
    cells = 3 * (14 * 14 + 28 * 28)
    assert free.objectness.item() == pytest.approx(2 * cells * math.log(2), rel=1e-5)
    assert half.objectness.item() == pytest.approx(cells * math.log(2), rel=1e-5)
    assert (free.box.item(), free.category.item()) == (0, 0)


@pytest.mark.parametrize("turns", range(8))
def test_boxes_are_turned_as_pictures_are(turns: int) -> None:
    image = np.zeros((3, 20, 20), np.uint8)
    image[:, 2:5, 8:18] = 255
    turned = fitting.turned(image, turns, np.random.default_rng(1))
    where = turned[0] != turned[0, 10, 10]
    rows, columns = np.nonzero(where)
    box = train_detector._turned(turns, 8 / 20, 2 / 20, 18 / 20, 5 / 20)
    expected = (columns.min() / 20, rows.min() / 20, (columns.max() + 1) / 20, (rows.max() + 1) / 20)
    assert box == pytest.approx(expected)


def test_the_rate_rises_and_falls() -> None:
    rates = [fitting.rate_at(step, 1000, 0.1) for step in range(1000)]
    assert rates[0] == pytest.approx(0.1 / 40)
    assert max(rates) == rates[39] == pytest.approx(0.1)
    assert rates[-1] == pytest.approx(0.002, rel=0.01)


def test_every_picture_is_seen_as_often() -> None:
    batches = list(fitting.batches(10, 4, 5, np.random.default_rng(0)))
    assert [len(batch) for batch in batches] == [4] * 5
    assert np.bincount(np.concatenate(batches)).tolist() == [2] * 10


def test_held_out_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="held out"):
        drawn_pictures.pictures(tmp_path, "x", drawn_pictures.for_classifier, range(HELD_OUT - 1, HELD_OUT + 1), 8)
    image, result = drawn_pictures.for_detector(5, 224)
    assert image.shape == (3, 224, 224)
    assert image.dtype == np.uint8
    assert ((result[:, 1:5] >= 0) & (result[:, 1:5] <= 1)).all()
    image, result = drawn_pictures.for_classifier(37, 64)
    assert (image.shape, result.tolist()) == ((3, 64, 64), [37 % 16])


def test_what_is_saved_is_read_again(tmp_path: Path) -> None:
    from cspbench.network import cfg
    from cspbench.network.module import to_module
    from cspbench.weights import darknet
    from cspbench.weights.loading import load

    torch.manual_seed(0)
    network = model("sample-csp-classifier").build()
    module = fitting.fresh(network)
    mean = fitting.Averaged(module, 0.9)
    images = fitting.inputs([np.full((3, 64, 64), 99, np.uint8)] * 2)
    module(images)
    mean.add(module)
    fitting.save(mean.module, network, tmp_path, 12)
    read = cfg.read(tmp_path / f"{network.name}.cfg").network
    weights = darknet.read(tmp_path / f"{network.name}.weights", read)
    assert weights.header is not None
    assert weights.header.seen == 12
    with torch.no_grad():
        again = load(to_module(read), read, weights)(images)
        torch.testing.assert_close(again, mean.module(images))


def test_the_log_tells_the_time() -> None:
    stream = io.StringIO()
    fitting.Log(stream).say("begun")
    assert stream.getvalue() == "  0.00 min  begun\n"


def test_anchors_are_the_means_of_the_boxes_nearest_to_them() -> None:
    sides = [10, 20, 40, 60, 80, 120]
    boxes = np.array([(side + more, side - more) for side in sides for more in (-1.0, 1.0)])
    assert anchors.k_means(boxes).tolist() == [[side, side] for side in sides]
