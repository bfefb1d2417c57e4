"""The assignments of a model of the catalogue, or of a cfg file, on one annotated image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.decode import Decoder
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.data.opencv import letterbox, letterbox_ratio, resize
from cspbench.detection.detector import detector_of
from cspbench.errors import UsageError
from cspbench.evaluation.execution import Listener
from cspbench.evaluation.subject import default_preset, subject_of
from cspbench.inference.engine import choose_device, prepare
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.training.recipes.chosen import of_name
from cspbench.training.yolox import annotated
from cspbench.training.yolox.annotated import Annotated
from cspbench.training.yolox.shown import Shown, by_anchors, levels_of, levels_of_yolov3, one_to_one, simota
from cspbench.zoo import registry
from cspbench.zoo.detector_protocol import at_size
from cspbench.zoo.yolox.designs import YoloxDarknetDesign

SIMOTA, OF_YOLOV3, OWN = "SimOTA", "Darknet with YOLOv3's anchors", "Darknet"
ONE = "One objectness for each truth"


def assignments(
    model: str,
    image: str,
    *,
    data: str | None = None,
    weights: str | Path | None = None,
    size: tuple[int, int] | None = None,
    device: str | None = None,
    listener: Listener,
) -> Shown:
    """What the points of `image` learn in `model`.

    A YOLOX shows SimOTA by the predictions of its weights (2.5 strides around a centre, as the published ones were
    trained) and Darknet's rule with YOLOv3's anchors on the same input, which alone are those of a YOLOX with anchors;
    one without NMS shows also which one box of each truth has its objectness. A [yolo] network shows Darknet's rule
    with its own anchors and recipe, on the image stretched to its input. `size` is another input (height, width).

    Raises `UsageError`, `WeightsError`, `DatasetError`, `DefinitionError` and `BadImageError`.
    """
    network = at_size(registry.model(model).architecture(), size, None)
    if isinstance(network, ModuleNetwork) and network.detects:
        return _of_yolox(network, image, data, weights, device, listener)
    levels = []
    if isinstance(network, Network):
        chosen = of_name(model)
        shapes = [network.shape(index) for index in range(len(network.layers))]
        levels = levels_of(network.layers, chosen.recipe.layers, shapes)
    if not levels:
        raise UsageError(
            "usage.no-assignment",
            f"no assignment of {network.name} is known",
            expected="a YOLOX, or a network with [yolo] layers",
            found="a network without them",
            remedy="Name another model",
        )
    assert isinstance(network, Network)
    if weights is not None:
        listener.note("Darknet's rule does not read the weights, and SimOTA is not for networks with [yolo] layers")
    classes, size = levels[0].layer.classes, network.input[1:]
    own = _annotated(image, data, classes, detection_preset("readme").decoder, bool(network.places), listener)
    height, width = own.pixels.shape[:2]
    boxes = own.boxes * np.tile([size[1] / width, size[0] / height], 2)
    points = by_anchors(levels, _rows(own, boxes), size, chosen.era)
    return Shown(resize(own.pixels, size[1], size[0]), _names(own, classes), boxes, {OWN: points})


def _of_yolox(
    network: ModuleNetwork, image: str, data: str | None, weights: str | Path | None, device: str | None,
    listener: Listener,
) -> Shown:  # fmt: skip
    preset, design, size = detection_preset(default_preset(network)), network.design, network.input[1:]
    own = _annotated(image, data, design.classes, preset.decoder, False, listener)
    boxes = own.boxes * letterbox_ratio(size, own.pixels.shape[1::-1])
    rows = _rows(own, boxes)
    points = {OF_YOLOV3: by_anchors(levels_of_yolov3(design.strides, size, design.classes), rows, size)}
    without_nms = isinstance(design, YoloxDarknetDesign) and bool(design.more)
    if without_nms or not design.priors:
        raw = _outputs(network, preset, own, weights, device, listener)
        if not design.priors:
            points = {SIMOTA: simota(raw, rows, size), **points}
        if without_nms:
            points = {ONE: one_to_one(raw, rows, size, design.priors), **points}
    elif weights is not None:
        listener.note("YOLOv3's rule does not read the weights")
    return Shown(letterbox(own.pixels, size[1], size[0]), _names(own, design.classes), boxes, points)


def _outputs(
    network: ModuleNetwork, preset: DetectionPreset, own: Annotated, weights: str | Path | None, device: str | None,
    listener: Listener,
) -> Tensor:  # fmt: skip
    """The raw outputs (A, 5 + classes) for an image."""
    subject = subject_of(network, weights)
    for line in subject.said:
        listener.note(line)
    detector = detector_of(subject.description, preset)
    engine = prepare(subject.build(detector.epsilon), choose_device(device))
    (raw,) = engine(torch.from_numpy(detector.prepare(own.pixels))[None])
    return raw[0]


def _annotated(
    image: str, data: str | None, classes: int, decoder: Decoder, user_file: bool, listener: Listener
) -> Annotated:
    if data is None:
        own = annotated.of_file(image, classes, decoder)
    else:
        own = annotated.of_data(image, data, classes, decoder, user_file=user_file, listener=listener)
    if not own.classes:
        raise UsageError(
            "usage.image-without-objects",
            "the image has no objects that a point could learn",
            where=image,
            expected="one object or more",
            remedy="Name another image",
        )
    return own


def _rows(own: Annotated, boxes: NDArray[np.float64]) -> Tensor:
    """Class and box (M, 5) in pixels of the input."""
    return torch.from_numpy(np.concatenate((np.array(own.classes, np.float64)[:, None], boxes), 1)).float()


def _names(own: Annotated, classes: int) -> tuple[str, ...]:
    known = list(COCO_CATEGORIES.values())
    return tuple(known[label] if classes == len(known) else f"class {label}" for label in own.classes)
