"""mmdetection's names of the arrays, and ours, which are Megvii's.

Source: spec a.8. The classifier's backbone has the names of the detector's backbone without the leading `backbone.`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

WORDS = ("backbone", "neck", "head", "bbox_head")
"""First words of the names of either."""

_PARTS = {
    "neck.reduce_layers.0.": "backbone.lateral_conv0.",
    "neck.reduce_layers.1.": "backbone.reduce_conv1.",
    "neck.top_down_blocks.0.": "backbone.C3_p4.",
    "neck.top_down_blocks.1.": "backbone.C3_p3.",
    "neck.downsamples.0.": "backbone.bu_conv2.",
    "neck.downsamples.1.": "backbone.bu_conv1.",
    "neck.bottom_up_blocks.0.": "backbone.C3_n3.",
    "neck.bottom_up_blocks.1.": "backbone.C3_n4.",
    "neck.out_convs.": "head.stems.",
    "bbox_head.multi_level_cls_convs.": "head.cls_convs.",
    "bbox_head.multi_level_reg_convs.": "head.reg_convs.",
    "bbox_head.multi_level_conv_cls.": "head.cls_preds.",
    "bbox_head.multi_level_conv_reg.": "head.reg_preds.",
    "bbox_head.multi_level_conv_obj.": "head.obj_preds.",
}
"""Beginnings of mmdetection's names outside of the backbone, and ours."""
_OF_STAGES = {"main_conv": "conv1", "short_conv": "conv2", "final_conv": "conv3", "blocks": "m"}
"""Names within a cross stage partial stage."""
_SEPARABLE = {"depthwise_conv": "dconv", "pointwise_conv": "pconv"}
_STAGE = r"((?:dark[234]\.1|dark5\.2|C3_\w\d)\.)"
"""Our beginning of a name within a cross stage partial stage."""


def mmdetections(names: Iterable[str]) -> bool:
    """Whether these are mmdetection's names."""
    return any(re.match(r"neck\.|bbox_head\.|backbone\.stage\d", name) for name in names)


def from_mmdetection(name: str, detects: bool) -> str:
    """Our name of an array of mmdetection's; an unknown name unchanged."""
    backbone = "backbone.backbone." if detects else "backbone."
    if stage := re.match(r"backbone\.stage([1-4])\.", name):
        name = f"{backbone}dark{int(stage[1]) + 1}.{name[stage.end() :]}"
    elif name.startswith("backbone.stem."):
        name = backbone + name.removeprefix("backbone.")
    else:
        for theirs, ours in _PARTS.items() if detects else ():
            if name.startswith(theirs):
                name = ours + name.removeprefix(theirs)
                break
    for theirs, ours in (_OF_STAGES | _SEPARABLE).items():
        name = name.replace(f".{theirs}.", f".{ours}.")
    return name


def to_mmdetection(name: str, detects: bool) -> str:
    """Mmdetection's name of an array of ours."""
    for theirs, ours in _OF_STAGES.items():
        name = re.sub(rf"(\.{_STAGE}){ours}\.", rf"\1{theirs}.", name)
    for theirs, ours in _SEPARABLE.items():
        name = name.replace(f".{ours}.", f".{theirs}.")
    backbone = "backbone.backbone." if detects else "backbone."
    if name.startswith(backbone):
        rest = name.removeprefix(backbone)
        stage = re.match(r"dark([2-5])\.", rest)
        return f"backbone.stage{int(stage[1]) - 1}.{rest[stage.end() :]}" if stage else f"backbone.{rest}"
    for theirs, ours in _PARTS.items() if detects else ():
        if name.startswith(ours):
            return theirs + name.removeprefix(ours)
    return name


def in_mmdetections_order(names: Iterable[str]) -> list[str]:
    """Mmdetection's names in the order of its own modules; of ours they come in the order of ours."""
    starts = ("backbone.", *_PARTS)
    return sorted(names, key=lambda name: next((n for n, start in enumerate(starts) if name.startswith(start)), -1))
