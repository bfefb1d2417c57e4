"""A detector's protocol in parts: pixels, the way back of boxes, and which variants there are."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from cspbench.data.detection_presets import PRESETS, detection_preset
from cspbench.detection.ablation.detector import ChangedDetector
from cspbench.detection.ablation.pixels import Input, Pixels, Placing, input_of
from cspbench.detection.ablation.variants import parts_of, variants
from cspbench.detection.candidates import Candidates
from cspbench.detection.detector import DarknetDetector, PresetDetector, YoloxDetector
from cspbench.network.layers import Yolo, Yolox

SIZE = (64, 96)
PLAIN = Input("pillow", "rgb", "shares", "darknet", Placing("stretched"))
DARKNET = Yolo(sources=(0,), mask=(0,), anchors=((20.0, 16.0),), classes=2)


def picture(height: int, width: int, channels: int = 3) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("shape", [(50, 70), (90, 40), (64, 96), (1, 300), (3, 900)])
def test_the_parts_of_a_preset_are_its_pixels(name: str, shape: tuple[int, int]) -> None:
    image, preset = picture(*shape), detection_preset(name)
    assert np.array_equal(input_of(preset).prepare(image, SIZE), preset.prepare(image, SIZE))


@pytest.mark.parametrize("name", ["readme", "letterbox", "yolox", "yolox-legacy", "mmdet"])
def test_another_order_is_another_order_of_the_pixels(name: str) -> None:
    image, preset = picture(50, 70), detection_preset(name)
    own = input_of(preset)
    other = replace(own, order="bgr" if own.order == "rgb" else "rgb")
    assert np.array_equal(other.prepare(image, SIZE), preset.prepare(image[..., ::-1], SIZE))


def test_values_by_hand() -> None:
    image = np.array([[[255, 51, 0]]], np.uint8)
    levels = np.array([255, 51, 0], np.float32)
    for resize in ("darknet", "yolox"):
        for values, expected in (
            ("shares", [1.0, 0.2, 0.0]),
            ("levels", levels),
            ("imagenet", [(1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, -0.406 / 0.225]),
        ):
            about: dict[str, Any] = {"values": values, "resize": resize}
            changed = replace(PLAIN, **about)
            assert changed.prepare(image, (1, 1)).ravel() == pytest.approx(expected, abs=1e-6), (resize, values)
    swapped = replace(PLAIN, values="imagenet", order="bgr").prepare(image, (1, 1)).ravel()
    assert swapped == pytest.approx([-0.485 / 0.229, (0.2 - 0.456) / 0.224, (1 - 0.406) / 0.225], abs=1e-6)


def test_places_by_hand() -> None:
    image = np.full((2, 4, 3), 255, np.uint8)  # 4 across, 2 down, in an input of 4 x 4
    rows: dict[Any, list[float]] = {"stretched": [1, 1, 1, 1], "centred": [0.2, 1, 1, 0.2], "corner": [1, 1, 0.2, 0.2]}
    for where, expected in rows.items():
        changed = replace(PLAIN, resize="mmdet", placing=Placing(where, 51))
        assert changed.prepare(image, (4, 4))[2, :, 3] == pytest.approx(expected), where
    zeros = replace(PLAIN, resize="yolox", values="imagenet", placing=Placing("corner"))
    assert zeros.prepare(image, (4, 4))[0, :, 0] == pytest.approx([(1 - 0.485) / 0.229] * 2 + [0, 0])


def test_sides_are_cut_or_rounded() -> None:
    # at 416 wide an image of 500x334 has 277.9 rows
    cases: Any = (("darknet", 277), ("yolox", 277), ("mmdet", 278), ("pillow", 278))
    for resize, height in cases:
        assert replace(PLAIN, resize=resize, placing=Placing("corner", 114)).place((416, 416), (500, 334)) == (
            *(0, 0),
            *(416, height),
        )


def test_grey_images_keep_one_channel() -> None:
    image = picture(30, 20, 1)
    for resize in ("darknet", "yolox", "pillow"):
        for placing in (Placing("stretched"), Placing("centred", 114)):
            one = replace(PLAIN, resize=resize, placing=placing).prepare(image, SIZE)
            three = replace(PLAIN, resize=resize, placing=placing).prepare(np.repeat(image, 3, 2), SIZE)
            assert np.array_equal(one, three[:1])


def darknet() -> PresetDetector:
    return DarknetDetector((DARKNET,), SIZE, detection_preset("readme"))


def yolox() -> PresetDetector:
    return YoloxDetector((Yolox(sources=(0,), classes=2),), SIZE, detection_preset("mmdet"))


def boxes(detector: PresetDetector, changed: Input | None, extent: tuple[int, int]) -> Candidates:
    """The candidates of the same outputs, those of a preset without a change."""
    rng = np.random.default_rng(3)
    if isinstance(detector, DarknetDetector):
        outputs = rng.normal(0, 1, (1, 7, 4, 6)).astype(np.float32)
    else:
        outputs = rng.normal(0, 1, (1, 8 * 12 + 4 * 6 + 2 * 3, 7)).astype(np.float32)
    if changed is not None:
        detector = ChangedDetector.of(detector, changed, detector.rules.conf)
    (image,) = detector.candidates([outputs], [extent], ["a.jpg"])
    return image


def test_boxes_return_from_any_place() -> None:
    # at a ratio of 2 the image is 60 x 64 pixels of the input, 18 beside it on either side
    extent, own = (30, 32), boxes(darknet(), None, (96, 64))
    assert len(own)
    places: Any = (("centred", 18, 60), ("corner", 0, 60), ("stretched", 0, 96))
    for where, left, width in places:
        for resize in ("darknet", "yolox", "mmdet", "pillow"):
            changed = replace(PLAIN, resize=resize, placing=Placing(where, 114))
            back = boxes(darknet(), changed, extent).boxes
            scale = 30 / width
            expected = np.stack(
                [(own.boxes[:, 0] - left) * scale, own.boxes[:, 1] / 2, own.boxes[:, 2] * scale, own.boxes[:, 3] / 2], 1
            )
            assert back == pytest.approx(expected, rel=1e-4, abs=1e-4), (where, resize)


def test_another_resize_with_the_same_sides_has_the_same_boxes() -> None:
    extent = (500, 334)
    for resize in ("pillow", "mmdet"):
        changed = replace(input_of(detection_preset("mmdet")), resize=resize)
        back = boxes(yolox(), changed, extent)
        assert len(back) > 10
        assert back.boxes == pytest.approx(boxes(yolox(), None, extent).boxes, rel=1e-4, abs=1e-3)
    cut = boxes(yolox(), replace(input_of(detection_preset("mmdet")), resize="yolox"), extent)
    megvii = boxes(replace(yolox(), rules=detection_preset("yolox")), None, extent)
    assert np.array_equal(cut.boxes, megvii.boxes)


def test_an_image_that_vanishes_has_no_boxes() -> None:
    changed = replace(PLAIN, resize="yolox", placing=Placing("centred", 114))
    assert len(boxes(darknet(), changed, (1, 300))) == 0
    assert len(boxes(darknet(), changed, (30, 32)))


@pytest.mark.parametrize("name", PRESETS)
def test_each_variant_changes_one_part(name: str) -> None:
    preset = detection_preset(name)
    last = Yolox(sources=(0,), classes=2) if preset.exact else DARKNET
    first, *others = variants(preset, last)
    assert (first.part, first.to, first.parts) == ("nothing", name, parts_of(preset, last))
    assert len({each.parts for each in (first, *others)}) == 1 + len(others)
    for each in others:
        changed = [field.name for field in fields(first.parts) if field.name != "input"]
        pairs: list[tuple[Any, Any, str]] = [(first.parts, each.parts, field) for field in changed]
        pairs += [(first.parts.input, each.parts.input, field.name) for field in fields(Input)]
        count = sum(getattr(one, field) != getattr(other, field) for one, other, field in pairs)
        assert count == 1 or each.part == "everything", each
        assert each.of


def test_the_parts_of_darknet_and_yolox() -> None:
    def counted(name: str, last: Yolo | Yolox, **about: bool) -> dict[str, int]:
        parts = [each.part for each in variants(detection_preset(name), last, **about)]
        return {part: parts.count(part) for part in parts}

    shared = {"nothing": 1, "decoder": 2, "channel order": 1, "normalisation": 2, "epsilon": 2}
    later = {"score threshold": 4, "NMS threshold": 4, "NMS kind": 2, "NMS classes": 1}
    # stretched, sides are not rounded
    assert counted("readme", DARKNET) == {**shared, "resize": 2, "letterbox": 4, **later, "everything": 3}
    assert counted("yolox", Yolox(sources=(0,))) == {**shared, "resize": 3, "letterbox": 4, **later, "everything": 2}
    grey = counted("readme", DARKNET, grey=True)
    assert (grey.get("channel order"), grey["normalisation"]) == (None, 1)


def test_a_preset_follows_letter_box_of_the_cfg() -> None:
    for letter_box, where in ((False, "stretched"), (True, "centred")):
        preset = detection_preset("readme")
        (head,) = (each for each in variants(preset, DARKNET, letter_box=letter_box) if each.to == "head")
        assert head.parts.input.placing.where == where
