"""The formats of `cspbench export`, and which of them hold what."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from cspbench.claims.model import unknown
from cspbench.errors import UsageError

Backbone = Literal["mmdet-backbone", "yolox-backbone"]
Format = Literal[
    "onnx",
    "pt2",
    "torchscript",
    "cfg",
    "darknet",
    "safetensors",
    "state-dict",
    "timm",
    "mmpretrain",
    "mmdet-backbone",
    "yolox-backbone",
]

FORMATS: tuple[Format, ...] = get_args(Format)
GRAPHS = ("onnx", "pt2", "torchscript")
"""Formats that hold the computation with its weights."""
BACKBONES: tuple[Backbone, ...] = get_args(Backbone)
"""A classifier's arrays before its pooling, by the names of a detector's backbone."""
SUFFIXES: dict[str, Format] = {
    ".onnx": "onnx",
    ".pt2": "pt2",
    ".torchscript": "torchscript",
    ".cfg": "cfg",
    ".weights": "darknet",
    ".safetensors": "safetensors",
    ".pth": "state-dict",
}
"""The format of a file without --to."""


def format_of(to: str | None, out: Path) -> Format:
    """The format by its name, else by the file's suffix. Raises `UsageError`."""
    if to is None:
        if out.suffix in SUFFIXES:
            return SUFFIXES[out.suffix]
        raise UsageError(
            "usage.unknown-suffix",
            "the suffix does not name a format",
            where=str(out),
            expected=", ".join(SUFFIXES),
            found=out.suffix or "none",
            remedy="Name the format with --to",
        )
    for name in FORMATS:
        if name == to:
            return name
    raise unknown("usage.unknown-format", "unknown format", to, FORMATS)
