"""A detector's protocol in parts, and what other programs do in place of each part.

An alternative is one that a known program has: its name is in the variant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from cspbench.data.detection_presets import PRESETS, DetectionPreset
from cspbench.detection.ablation.pixels import DARKNET_GREY, Input, Placing, input_of
from cspbench.detection.ap.matching import MOST
from cspbench.detection.nms import criterion
from cspbench.detection.overlaps import Criterion
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import Detection


@dataclass(frozen=True)
class Parts:
    """Everything between an image file and AP that changes AP."""

    input: Input
    epsilon: Epsilon
    """Of batch normalisation."""
    conf: float
    """The score threshold, as in a preset."""
    nms: float
    by: Criterion
    """The measure of overlap."""
    across: bool = False
    """Whether a box suppresses those of other classes."""
    most: int = MOST
    """Detections of an image and class that AP50 and AP75 are of."""


@dataclass(frozen=True)
class Variant:
    """One part changed, all of them (`everything`) or `nothing`: what it is changed to, and which programs do so."""

    part: str
    to: str
    of: str
    parts: Parts


class Alternative(NamedTuple):
    """A value of a part, what it is called, and the programs that have it."""

    value: Any
    to: str
    of: str


INPUT: dict[str, tuple[str, tuple[Alternative, ...]]] = {
    "decoder": (
        "decoder",
        (
            Alternative("opencv", "libjpeg, turned as EXIF says", "Darknet with OpenCV, YOLOX, mmdetection"),
            Alternative("stb", "stb_image", "Darknet without OpenCV"),
            Alternative("pillow", "libjpeg, EXIF ignored", "DETR"),
        ),
    ),
    "channel order": (
        "order",
        (
            Alternative("rgb", "red first", "Darknet, YOLOv5, YOLOX before August 2021"),
            Alternative("bgr", "blue first", "YOLOX since August 2021, mmdetection's YOLOX"),
        ),
    ),
    "normalisation": (
        "values",
        (
            Alternative("shares", "0 to 1", "Darknet, YOLOv5"),
            Alternative("levels", "0 to 255", "YOLOX since August 2021, mmdetection's YOLOX"),
            Alternative("imagenet", "ImageNet's mean and deviation", "YOLOX before August 2021, DETR"),
        ),
    ),
    "resize": (
        "resize",
        (
            Alternative("darknet", "Darknet's, in floats", "Darknet"),
            Alternative("yolox", "OpenCV's, 8-bit", "YOLOX"),
            Alternative("mmdet", "OpenCV's, 8-bit, sides rounded", "mmdetection, YOLOv5's detect.py"),
            Alternative("pillow", "Pillow's, antialiased", "DETR"),
        ),
    ),
    "letterbox": (
        "placing",
        (
            Alternative(Placing("stretched"), "none, stretched", "Darknet"),
            Alternative(Placing("centred", DARKNET_GREY), "centred on grey 127.5", "Darknet with letter_box=1"),
            Alternative(Placing("centred", 114), "centred on grey 114", "YOLOv5"),
            Alternative(Placing("corner", 114), "top left on grey 114", "YOLOX, mmdetection's YOLOX"),
            Alternative(Placing("corner"), "top left on zeros", "mmdetection's YOLOv3, DETR"),
        ),
    ),
}
"""Parts of the input: the field of `Input`, and its values."""

LATER: dict[str, tuple[str, tuple[Alternative, ...]]] = {
    "epsilon": (
        "epsilon",
        (
            Alternative(Epsilon.INSIDE_1E3, "1e-3", "YOLOX, YOLOv5"),
            Alternative(Epsilon.INSIDE_1E5, "1e-5", "Darknet, PyTorch by default"),
            Alternative(Epsilon.OUTSIDE_1E6, "1e-6 outside the root", "the original Darknet"),
        ),
    ),
    "score threshold": (
        "conf",
        (
            Alternative(0.001, "0.001", "Darknet today, YOLOX's and YOLOv5's evaluation"),
            Alternative(0.005, "0.005", "Darknet until April 2020"),
            Alternative(0.01, "0.01", "YOLOX and mmdetection's YOLOX by default"),
            Alternative(0.05, "0.05", "torchvision, Detectron2"),
            Alternative(0.25, "0.25", "YOLOv5's detect.py, YOLOX's demo"),
        ),
    ),
    "NMS threshold": (
        "nms",
        (
            Alternative(0.45, "0.45", "Darknet until April 2020, YOLOv5's detect.py"),
            Alternative(0.5, "0.5", "torchvision, Detectron2"),
            Alternative(0.6, "0.6", "Darknet today, YOLOv5's val.py"),
            Alternative(0.65, "0.65", "YOLOX, mmdetection's YOLOX"),
            Alternative(0.7, "0.7", "Ultralytics' YOLO11"),
        ),
    ),
}
"""The same for the other fields of `Parts` with the same values for all networks."""

KINDS = (
    Alternative("default", "IoU", "YOLOX, torchvision, Darknet without nms_kind"),
    Alternative("greedy", "greedy", "Darknet today with nms_kind=greedynms"),
    Alternative("diou", "diou", "Darknet today with nms_kind=diounms"),
)
CLASSES = (
    Alternative(False, "class by class", "Darknet, YOLOX's evaluation"),
    Alternative(True, "across classes", "YOLOX's demo, YOLOv5 with --agnostic-nms"),
)

PROGRAMS = {
    "readme": "Darknet until April 2020",
    "head": "Darknet today",
    "letterbox": "Darknet with letter_box=1",
    "pjreddie": "the original Darknet",
    "yolox": "YOLOX since August 2021",
    "yolox-legacy": "YOLOX before August 2021",
    "mmdet": "mmdetection",
}
"""By preset."""


def parts_of(preset: DetectionPreset, last: Detection) -> Parts:
    """A preset's parts for a network whose last box layer is `last`."""
    by = criterion(preset.nms_kind, last)
    return Parts(input_of(preset), preset.epsilon, preset.conf, preset.nms, by, most=preset.most)


def variants(own: DetectionPreset, last: Detection, *, letter_box: bool = False, grey: bool = False) -> list[Variant]:
    """The preset itself first, then one part changed at a time, at last every other preset of the same heads.

    `letter_box` is that of the network's cfg. A network of `grey` images has no order of channels and no means of them.
    """
    base = parts_of(own, last)
    result = {base: Variant("nothing", own.name, PROGRAMS.get(own.name, ""), base)}

    def add(part: str, alternative: Alternative, parts: Parts) -> None:
        result.setdefault(parts, Variant(part, alternative.to, alternative.of, parts))

    for part, (field, alternatives) in INPUT.items():
        for each in alternatives:
            same = each.value == "mmdet" and base.input.placing.where == "stretched"  # differs in the sides alone
            if not same and not (grey and (field == "order" or each.value == "imagenet")):
                add(part, each, replace(base, input=replace(base.input, **{field: each.value})))
    for part, (field, alternatives) in LATER.items():
        for each in alternatives:
            add(part, each, replace(base, **{field: each.value}))
    for each in KINDS:
        add("NMS kind", each, replace(base, by=criterion(each.value, last)))
    for each in CLASSES:
        add("NMS classes", each, replace(base, across=each.value))
    for name, program in PROGRAMS.items():
        if PRESETS[name].exact is own.exact:
            whole = parts_of(PRESETS[name].for_network(letter_box), last)
            add("everything", Alternative(None, name, program), whole)
    return list(result.values())
