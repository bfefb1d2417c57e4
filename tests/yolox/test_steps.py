"""The paper's steps with YOLOv3's anchors and those without NMS: boxes, positives, losses and gradients by hand."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
import torch
from refusals import refuses
from torch import Tensor, nn

from cspbench.data.detection_presets import detection_preset
from cspbench.detection import decode_yolox
from cspbench.detection.detector import detector_of
from cspbench.inference.description import Description, describe
from cspbench.network.layers import Yolox as YoloxLayer
from cspbench.training.yolox import boxes, yolov3
from cspbench.training.yolox.assignment import assign
from cspbench.training.yolox.losses import losses
from cspbench.training.yolox.rules import R25
from cspbench.training.yolox.shown import Point, one_to_one
from cspbench.training.yolox.targets import OneToOne, targets
from cspbench.training.yolox.yolov3 import Anchored
from cspbench.zoo import registry
from cspbench.zoo.panet import ANCHORS_416 as YOLOV3
from cspbench.zoo.yolox.heads import CoupledHead, DecoupledHead
from cspbench.zoo.yolox.units import SWISH

SIZE = (64, 96)
"""Height and width: 8 x 12, 4 x 6 and 2 x 3 cells, three boxes in each."""
AT = boxes.points(SIZE, anchors=YOLOV3)
FREE = boxes.points(SIZE)
SECOND = 3 * 96 + 24 + 1 * 6 + 2
"""The box of the second anchor with stride 16, (62, 45), in row 1 and column 2."""
FITTING = 96 + 3 * 12 + 5
"""That of the second anchor with stride 8, (16, 30), in row 3 and column 5."""
TRUTH = [1.0, 41, 26, 16, 30]


def raw(rows: dict[int, list[float]] | None = None, at: Tensor = AT) -> Tensor:
    """Two classes; all numbers are 0 but those of the rows."""
    values = torch.zeros(len(at), 7)
    for row, numbers in (rows or {}).items():
        values[row, : len(numbers)] = torch.tensor(numbers)
    return values


# --- boxes


def test_points_with_anchors() -> None:
    assert AT.shape == (3 * (96 + 24 + 6), 5)
    assert AT[0].tolist() == [0, 0, 8, 10, 13]
    assert AT[FITTING].tolist() == [5, 3, 8, 16, 30]
    assert AT[SECOND].tolist() == [2, 1, 16, 62, 45]
    assert AT[-1].tolist() == [2, 1, 32, 373, 326]
    with refuses("network.anchors-of-levels", found="4 anchors"):
        YoloxLayer(sources=(-1,), anchors=YOLOV3[:4])


def test_one_box_of_one_anchor() -> None:
    """A sigmoid of 1/2 and of 3/4 in cell (2, 1) of stride 16; twice as wide as the anchor and as high."""
    own = raw({SECOND: [0, log(3), log(2), 0, 0, log(3), -log(3)]})
    box = [40, 28, 124, 45]
    assert boxes.decode(own, AT)[SECOND].tolist() == pytest.approx(box)
    rows = decode_yolox.activated(own.numpy(), AT.numpy())
    assert rows[SECOND].tolist() == pytest.approx([*box, 0.5, 0.75, 0.25])
    encoded = boxes.encode(torch.tensor([box]), AT[[SECOND]])[0].tolist()
    assert encoded == pytest.approx([0.5, 0.75, log(2), 0])
    assert boxes.values(own[[SECOND]], AT[[SECOND]])[0].tolist() == pytest.approx(encoded)
    # without anchors the values are the outputs
    assert torch.equal(boxes.values(own, FREE), own[:, :4])


def test_gradients_of_boxes_with_anchors() -> None:
    torch.manual_seed(0)
    drawn = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    at = AT.double()[[0, FITTING, SECOND]]
    assert torch.autograd.gradcheck(lambda x: boxes.decode(x, at), drawn)
    assert torch.autograd.gradcheck(lambda x: boxes.values(x, at), drawn)


def test_a_network_with_anchors_through_its_detector() -> None:
    """In an image of half the input's size boxes are half as large; two equal ones overlap, unless nothing may."""
    layer = YoloxLayer(sources=(-1,), classes=2, anchors=YOLOV3)
    model = Description("steps", (3, *SIZE), (layer,))
    rows = raw({SECOND: [0, log(3), log(2), 0, 9, 9, -9], 3 * 96 + 8: [0, log(3), log(4.1333333), log(45 / 61), 9, 8]})
    rows[:, 4] -= 20
    rows[[SECOND, 3 * 96 + 8], 4] += 20
    found = {}
    for name in ("yolox-legacy", "yolox-nms-free"):
        detector = detector_of(model, detection_preset(name))
        (candidates,) = detector.candidates([rows[None].numpy()], [(48, 32)], ["a.jpg"])
        assert candidates.boxes.tolist() == [pytest.approx([20, 14, 62, 22.5], rel=1e-5)] * 2
        assert candidates.category.tolist() == [0, 0]
        found[name] = len(detector.suppress(candidates))
    assert found == {"yolox-legacy": 1, "yolox-nms-free": 2}


def test_at_a_threshold_of_one_nothing_is_suppressed() -> None:
    """Not even a box whose IoU with its like is rounded to more than 1."""
    assert decode_yolox.limit(1) == np.inf
    assert decode_yolox.limit(0.65) < 1


def test_the_catalogue_describes_its_heads() -> None:
    for step, anchors in (("coupled", YOLOV3), ("anchors", YOLOV3), ("nms-free", ()), ("anchors-nms-free", YOLOV3)):
        network = registry.model(f"yolox-darknet53-{step}").architecture()
        (head,) = describe(network).heads
        assert head.anchors == anchors
        assert network.preset == ("yolox-nms-free" if "nms-free" in step else "yolox-legacy")


# --- positives


def test_the_anchor_that_fits_best() -> None:
    own = yolov3.positives(raw(), torch.tensor([TRUTH, [0, 41, 26, 60, 50]]), AT)
    assert own.point.tolist() == [FITTING, SECOND]
    assert own.truth.tolist() == [0, 1]
    # 16 x 30 around 44, 28 and around 41, 26 share 13 x 28
    assert own.overlap[0].item() == pytest.approx(364 / (480 + 480 - 364))
    none = yolov3.positives(raw(), torch.zeros(0, 5), AT)
    assert [len(each) for each in none] == [0, 0, 0]
    # of two truths of one box the later one
    later = yolov3.positives(raw(), torch.tensor([TRUTH, [0, 42, 27, 16, 31], TRUTH]), AT)
    assert (later.point.tolist(), later.truth.tolist()) == ([FITTING], [2])


@pytest.mark.parametrize(("height", "ignored"), [(21.3, True), (20.7, False)])
def test_good_boxes_that_learn_nothing(height: float, ignored: bool) -> None:
    """The first anchor's box in the truth's cell, over it and 0.71 or 0.69 as high; whatever its class."""
    place = [log(0.125 / 0.875), log(0.25 / 0.75)]
    own = raw({FITTING - 96: [*place, log(1.6), log(height / 13)], FITTING: [*place, 0, 0]})
    found = targets(own, torch.tensor([TRUTH]), AT, Anchored())
    assert found.present.tolist() == found.assigned.point.tolist() == [FITTING]
    assert found.assigned.overlap.item() == pytest.approx(1)
    assert found.ignored.tolist() == ([FITTING - 96] if ignored else [])
    assert targets(own, torch.zeros(0, 5), AT, Anchored()).ignored.tolist() == []


def test_one_of_each_truth_has_the_objectness() -> None:
    """Boxes and classes learn as under SimOTA; a box that is the cheapest of two truths has one of them."""
    torch.manual_seed(1)
    own = torch.randn(len(FREE), 7)
    truths = torch.tensor([[1.0, 24, 24, 30, 30], [0, 70, 40, 30, 36]])
    found, simota = targets(own, truths, FREE, OneToOne()), assign(own, truths, FREE, R25)
    for left, right in zip(found.assigned, simota, strict=True):
        assert torch.equal(left, right)
    assert len(found.present) == 2 < len(simota.point)
    assert set(found.present.tolist()) <= set(simota.point.tolist())
    assert len(found.ignored) == 0
    assert len(targets(own, torch.cat((truths, truths[:1])), FREE, OneToOne()).present) == 2
    # the only one that predicts the truth is the cheapest
    exact = raw({96 + 6 + 2: [0.5, 0.5, 0, log(2), 5, -5, 5]}, FREE)
    exact[:, 2:4] -= 20
    exact[96 + 6 + 2, 2:4] += 20
    assert targets(exact, torch.tensor([[1.0, 40, 24, 16, 32]]), FREE, OneToOne()).present.tolist() == [96 + 6 + 2]


def test_one_of_each_truth_among_boxes_with_anchors() -> None:
    own = raw({SECOND: [0, 0, log(16 / 62), log(32 / 45), 5, -5, 5]})
    truth = torch.tensor([[1.0, 40, 24, 16, 32]])
    found = targets(own, truth, AT, OneToOne())
    assert (found.present.tolist(), found.assigned.point.tolist()) == ([SECOND], [FITTING])
    assert one_to_one(own, truth, SIZE, YOLOV3) == (Point(0, 40, 24, 16, (62, 45)),)
    assert one_to_one(own, truth[:0], SIZE, YOLOV3) == ()


# --- losses


def labels(*truths: list[float]) -> Tensor:
    padded = torch.zeros(1, 4, 5)
    padded[0, : len(truths)] = torch.tensor(truths).reshape(-1, 5)
    return padded


def test_losses_by_hand() -> None:
    """All logits are 0: each of 378 boxes has ln 2 of objectness, and either class of the one positive."""
    own = losses(raw()[None], labels(TRUTH), AT, Anchored(), l1=True)
    overlap = 364 / (480 + 480 - 364)
    assert own.objectness.item() == pytest.approx(378 * log(2), rel=1e-5)
    assert own.classes.item() == pytest.approx(2 * log(2), rel=1e-5)
    assert own.box.item() == pytest.approx(5 * (1 - overlap**2), rel=1e-5)
    # the truth's centre is at 1/8 and 1/4 of its cell, the prediction's in the middle, and the sides are the anchor's
    assert own.l1.item() == pytest.approx(3 / 8 + 1 / 4, rel=1e-5)
    assert own.positives == 1
    # a box that is good already counts neither way
    place = [log(0.125 / 0.875), log(0.25 / 0.75)]
    good = losses(raw({FITTING - 96: [*place, log(1.6), log(30 / 13)]})[None], labels(TRUTH), AT, Anchored())
    assert good.objectness.item() == pytest.approx(377 * log(2), rel=1e-5)
    assert good.l1.item() == 0
    nothing = losses(raw()[None], labels(), AT, Anchored())
    assert nothing.total.item() == nothing.objectness.item() == pytest.approx(378 * log(2), rel=1e-5)


def test_each_loss_is_divided_by_its_own_positives() -> None:
    """Without NMS two truths have two objects, and more points that learn their boxes."""
    torch.manual_seed(1)
    own = torch.randn(1, len(FREE), 7)
    both = labels([1, 24, 24, 30, 30], [0, 70, 40, 30, 36])
    one, many = losses(own, both, FREE, OneToOne()), losses(own, both, FREE, R25)
    assert one.box.item() == many.box.item()
    assert one.classes.item() == many.classes.item()
    found = targets(own[0], both[0, :2], FREE, OneToOne())
    logits, aim = own[0, :, 4], torch.zeros(len(FREE))
    aim[found.present] = 1
    expected = nn.functional.binary_cross_entropy_with_logits(logits, aim, reduction="sum") / 2
    assert one.objectness.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize(("part", "columns"), [("box", range(4)), ("objectness", [4]), ("classes", [5, 6])])
def test_gradients_of_the_losses(part: str, columns: list[int]) -> None:
    """Against central differences; the boxes are not moved where the class's aim depends on them."""
    own = raw({FITTING: [0.3, -0.2, 0.1, -0.1, 0.5, -0.4, 0.7]})[None].requires_grad_()

    def loss(values: Tensor) -> Tensor:
        result: Tensor = getattr(losses(values, labels(TRUTH), AT, Anchored()), part)
        return result

    (gradient,) = torch.autograd.grad(loss(own), own)
    for column in columns:
        step = torch.zeros_like(own)
        step[0, FITTING, column] = 1e-2
        difference = (loss(own + step).double() - loss(own - step).double()) / 2e-2
        assert gradient[0, FITTING, column].item() == pytest.approx(difference.item(), rel=2e-2, abs=1e-3)
        assert gradient[0, FITTING, column].abs() > 1e-2


# --- heads


@pytest.mark.parametrize("coupled", [False, True])
def test_no_gradient_of_the_objectness_leaves_its_own_convolutions(coupled: bool) -> None:
    def gradients(more: int, column: int) -> dict[str, bool]:
        """Whether each of the head's arrays, and its input, gets a gradient from a column of the rows."""
        torch.manual_seed(0)
        head = (
            CoupledHead(SWISH, (2, 2, 2), 1, 3, more)
            if coupled
            else DecoupledHead(SWISH, (2, 2, 2), 2, 1, anchors=3, more=more)
        )
        levels = tuple(torch.randn(2, 2, side, side, requires_grad=True) for side in (4, 2, 2))
        names, arrays = zip(*head.named_parameters(), strict=True)
        found = torch.autograd.grad(head(levels)[..., column].square().sum(), [*arrays, *levels], allow_unused=True)
        moved = [gradient is not None and bool(gradient.any()) for gradient in found]
        parts = [*(name.split(".")[0] for name in names), *["input"] * 3]
        return {part: any(move for name, move in zip(parts, moved, strict=True) if name == part) for part in parts}

    with_objectness = {part for part, move in gradients(2, 4).items() if move}
    assert with_objectness == {"obj_convs", "obj_preds"}
    assert gradients(0, 4)["input"]
    for column in (0, 3, 5):
        of_others = gradients(2, column)
        assert of_others["input"]
        assert not of_others["obj_convs"]
        assert not of_others["obj_preds"]


def test_rows_of_a_coupled_head_without_nms() -> None:
    """x, y, w, h, objectness and classes of each anchor, though the objectness is computed by itself."""
    head = CoupledHead(SWISH, (2, 2, 2), 1, 2, more=2).eval()
    assert head.obj_preds is not None
    for module, numbers in ((head.preds, 10), (head.obj_preds, 2)):
        for prediction in module:
            assert isinstance(prediction, nn.Conv2d)
            assert prediction.bias is not None
            nn.init.zeros_(prediction.weight)
            with torch.no_grad():
                prediction.bias.copy_(torch.arange(numbers) + (0 if numbers == 10 else 100))
    with torch.inference_mode():
        rows = head(tuple(torch.rand(1, 2, side, side) for side in (2, 2, 1)))
    assert rows.shape == (1, 2 * 9, 6)
    assert rows[0, 0].tolist() == [0, 1, 2, 3, 100, 4]
    assert rows[0, 4].tolist() == [5, 6, 7, 8, 101, 9]
