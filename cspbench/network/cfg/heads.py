"""Reads the sections of the final layers: boxes and softmax."""

from __future__ import annotations

from cspbench.errors import DefinitionError
from cspbench.network import layers
from cspbench.network.cfg.fields import count_only, layer
from cspbench.network.cfg.parser import Section
from cspbench.network.layers.heads import Anchor

MISSING_ANCHOR = 0.5
"""What Darknet has for a side of an anchor that is not listed."""


def _anchors(section: Section) -> tuple[Anchor, ...]:
    """The first `num` anchor pairs (width, height); those that are not listed are .5, as in Darknet."""
    count = section.integer("num", 1)
    if not 1 <= count <= 1024:
        raise DefinitionError(
            "cfg.out-of-range",
            "num is out of range",
            where=section.at("num"),
            expected="1 to 1024",
            found=str(count),
            remedy="Correct num=",
        )
    values = section.reals("anchors", "w,h, w,h, ...") if "anchors" in section.keys else []
    if len(values) != 2 * count:
        rest = (
            f"the others are {MISSING_ANCHOR}, as in Darknet (is a comma missing?)"
            if len(values) < 2 * count
            else "the surplus ones are ignored"
        )
        section.note("anchors", f"{section.title} has {len(values)} numbers in anchors= for num={count}; {rest}")
    values += [MISSING_ANCHOR] * (2 * count - len(values))
    return tuple((values[2 * index], values[2 * index + 1]) for index in range(count))


def yolo(section: Section, index: int) -> layers.Layer:
    """[yolo] and [Gaussian_yolo]."""
    anchors = _anchors(section)
    kind = layers.GaussianYolo if section.name == "Gaussian_yolo" else layers.Yolo
    mask = section.integers("mask", "indices of anchors") if "mask" in section.keys else range(len(anchors))
    return layer(kind, section, index, classes=section.integer("classes", 20), anchors=anchors, mask=tuple(mask))


def _tree(section: Section) -> tuple[str, ...]:
    """The class hierarchy, whose file only an evaluation would read."""
    tree = section.text("tree", "")
    return (f"tree={tree}",) if tree else ()


def region(section: Section, index: int) -> layers.Layer:
    """[region], the head of YOLOv2."""
    classes, anchors = section.integer("classes", 20), _anchors(section)
    # at -1 Darknet drops the boxes with an objectness below a half
    fixed = ("classfix=-1",) if section.integer("classfix", 0) == -1 else ()
    return layer(layers.Region, section, index, classes=classes, anchors=anchors, count_only=_tree(section) + fixed)


def softmax(section: Section, index: int) -> layers.Layer:
    """[softmax]."""
    return layer(layers.Softmax, section, index, count_only=_tree(section) + count_only(section, "spatial"))
