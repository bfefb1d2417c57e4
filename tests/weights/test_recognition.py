"""Published weights are recognised under any network, and a network that is not theirs is said to be another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cspbench.network import cfg
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.layers import Yolo
from cspbench.network.network import Network
from cspbench.weights.catalogue import published
from cspbench.weights.recognition import remark
from cspbench.zoo.registry import model

ARRAYS = str(published("yolov3-tiny")[1])


def with_masks(*masks: tuple[int, ...]) -> Network:
    """YOLOv3-tiny with these masks, as read from a user's cfg."""
    network, left = model("yolov3-tiny").build(), list(masks)
    layers = tuple(replace(layer, mask=left.pop(0)) if isinstance(layer, Yolo) else layer for layer in network.layers)
    text = cfg_writer.write(replace(network, layers=layers))
    return cfg.parse(text, "mine").network


def test_the_masks_that_circulate_beside_the_weights() -> None:
    text = remark(with_masks((3, 4, 5), (0, 1, 2)), ARRAYS)
    assert text is not None
    assert text.startswith("warning: mine ")
    assert "layer 23 [yolo] mask: this one has 0,1,2, the published one has 1,2,3" in text
    assert "cspbench show yolov3-tiny --why" in text


def test_the_authors_masks() -> None:
    text = remark(with_masks((3, 4, 5), (1, 2, 3)), ARRAYS)
    assert text is not None
    assert text.startswith("mine is yolov3-tiny as published")


def test_a_file_of_the_models_name_is_not_the_model() -> None:
    mine = cfg.parse(cfg_writer.write(model("yolov3-tiny").build()), "yolov3-tiny").network
    assert str(remark(mine, ARRAYS)).startswith("yolov3-tiny is yolov3-tiny as published")


def test_another_size_is_the_same_network() -> None:
    assert str(remark(with_masks((3, 4, 5), (1, 2, 3)).resized(320, 608), ARRAYS)).startswith("mine is yolov3-tiny as")
    assert str(remark(with_masks((3, 4, 5), (0, 1, 2)).resized(320, 608), ARRAYS)).startswith("warning: mine ")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("scale_x_y", 1.05, "layer 16 [yolo] scale_x_y: this one has 1.05, the published one has 1.0"),
        ("nms_kind", "greedynms", "layer 16 [yolo] nms_kind: this one has greedynms, the published one has default"),
        ("anchors", ((1.0, 2.0),) * 6, "layer 16 [yolo] anchors: this one has 1.0,2.0,1.0,2.0,"),
    ],
)
def test_any_other_difference(field: str, value: object, said: str) -> None:
    network = model("yolov3-tiny").build()
    layers = list(network.layers)
    layers[16] = replace(layers[16], **{field: value})  # type: ignore[arg-type]
    assert f"({said}" in str(remark(replace(network, layers=tuple(layers)), ARRAYS))


def test_letterboxing_is_a_difference() -> None:
    assert "(letter_box: this one has 1, the published one has 0)" in str(
        remark(replace(model("yolov3-tiny").build(), letter_box=True), ARRAYS)
    )


def test_nothing_to_say() -> None:
    assert remark(model("yolov3-tiny").build(), ARRAYS) is None
    assert remark(with_masks((3, 4, 5), (0, 1, 2)), "0" * 64) is None


@pytest.mark.reference("weights/yolov3-tiny.weights")
def test_the_file_is_recognised_in_another_format(shared: Path, tmp_path: Path) -> None:
    from cspbench.weights import darknet, safetensors_file

    network = with_masks((3, 4, 5), (0, 1, 2))
    read = darknet.read(shared / "weights" / "yolov3-tiny.weights", network)
    assert read.header is not None
    assert (read.header.version, read.header.seen) == ("0.2.0", 32_013_312)
    safetensors_file.write(tmp_path / "any.safetensors", network, read.arrays, read.header)
    for arrays in (read, safetensors_file.read(tmp_path / "any.safetensors", network)):
        assert "[yolo] mask" in str(remark(network, arrays.digest))
