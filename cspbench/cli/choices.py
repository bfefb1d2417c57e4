"""The choices of options, written out so that `--help` and completion import no library.

A test compares them with those of the libraries.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal


class Format(StrEnum):
    """How a table is printed; rich is for a terminal."""

    RICH = "rich"
    MD = "md"
    JSON = "json"
    CSV = "csv"
    LATEX = "latex"


class PredictionFormat(StrEnum):
    """How predictions are printed."""

    RICH = "rich"
    MD = "md"
    JSON = "json"
    CSV = "csv"
    COCO = "coco"


Arithmetic = StrEnum("Arithmetic", [("FP32", "fp32"), ("BF16", "bf16"), ("FP16", "fp16")])
"""The precisions, where an option takes several: typer reads no list of literals."""


Precision = Literal["fp32", "bf16", "fp16"]
Era = Literal["oct2019", "nov2019", "july2021", "august2021", "head"]
Gradients = Literal["darknet", "exact"]
Decoder = Literal["opencv", "stb", "pillow"]
ClassOrder = Literal["darknet", "sorted"]
ClassifierPreset = Literal["readme", "head", "pjreddie", "timm", "mmpretrain", "mmcls"]
DetectorPreset = Literal["readme", "head", "letterbox", "pjreddie", "yolox", "yolox-legacy", "mmdet"]
AnyPreset = Literal[ClassifierPreset, DetectorPreset]
NmsKind = Literal["default", "greedy", "diou", "cfg", "greedynms", "diounms"]
Engine = Literal["cspbench", "pycocotools"]
MapPoints = Literal["area", "voc11", "coco101"]
Split = Literal["val2017", "val2014-5k", "test-dev2017", "custom"]
