"""YOLOX (arXiv 2107.08430) and the classifier of its backbone, as torch modules.

Every name stands for the weights of its generation: those of August 2021, which take pixels as they are (blue first),
or the `-legacy` ones of July 2021 for normalised red-first pixels. Their networks are the same.
"""

from __future__ import annotations

from cspbench.network.modular.network import Design, ModuleNetwork
from cspbench.zoo.model import register_module
from cspbench.zoo.yolox.designs import CspClassifierDesign, YoloxDarknetDesign, YoloxDesign

SIZES = {
    "nano": YoloxDesign(channels=16, depth=1, separable=True),
    "tiny": YoloxDesign(channels=24, depth=1),
    "s": YoloxDesign(channels=32, depth=1),
    "m": YoloxDesign(channels=48, depth=2),
    "l": YoloxDesign(channels=64, depth=3),
    "x": YoloxDesign(channels=80, depth=4),
}
"""Spec a.1: widths 0.25 to 1.25 of 64 channels, depths 0.33 to 1.33 of 3."""
SMALL = ("nano", "tiny")
"""Tested on 416x416, the others on 640x640."""
PRESET, LEGACY = "yolox", "yolox-legacy"
"""How the weights of either generation want an image."""
CLASSIFIER = "mmcls"
"""How a classifier of the backbone does."""


def _register(name: str, side: int, design: Design, preset: str | None) -> None:
    register_module(ModuleNetwork(name, (3, side, side), design, preset))


_DESIGNS: dict[str, Design] = {**SIZES, "darknet53": YoloxDarknetDesign()}
for _size, _design in _DESIGNS.items():
    _side = 416 if _size in SMALL else 640
    _register(f"yolox-{_size}", _side, _design, PRESET)
    _register(f"yolox-{_size}-legacy", _side, _design, LEGACY)
_register("yolox-darknet53-coupled", 640, YoloxDarknetDesign(head="coupled", anchors=3), LEGACY)
_register("yolox-darknet53-anchors", 640, YoloxDarknetDesign(anchors=3), LEGACY)
_register("yolox-darknet53-nms-free", 640, YoloxDarknetDesign(more=2), LEGACY)
for _size, _of_yolox in SIZES.items():
    _classifier = CspClassifierDesign(channels=_of_yolox.channels, depth=_of_yolox.depth, separable=_of_yolox.separable)
    _register(f"cspdarknet-{_size}", 224, _classifier, CLASSIFIER)
