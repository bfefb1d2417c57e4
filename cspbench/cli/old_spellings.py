"""Hints for options and values of earlier versions."""

from __future__ import annotations

from collections.abc import Sequence

DECODERS = "libjpeg is now opencv (turned as EXIF says) or pillow (not turned)"
ENGINES = "faster-coco-eval is for benchmarks alone: cspbench and pycocotools give the same numbers"
DRAW = "--draw N DIR is now --draw N --out DIR"


def hint(text: str, arguments: Sequence[str]) -> str:
    """A hint to add to the message on wrong arguments; "" if there is none."""
    if "'libjpeg'" in text:
        return DECODERS
    if "'faster-coco-eval'" in text:
        return ENGINES
    return DRAW if "--draw" in arguments and "extra argument" in text else ""
