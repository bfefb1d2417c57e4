"""One picture of the sample, drawn in memory: the same as in the drawn set, and there at once."""

from __future__ import annotations

from cspbench.sample import classification, detection
from cspbench.sample.canvas import jpeg
from cspbench.sample.place import Kind
from cspbench.sample.seeds import HELD_OUT

NUMBER = 8
"""The picture's number in both sets, from 1: one with many objects."""


def one(kind: Kind) -> tuple[str, bytes]:
    """The name of the picture in its set, and its JPEG file."""
    seed = HELD_OUT + NUMBER - 1
    if kind == "detection":
        return f"{NUMBER:012d}.jpg", jpeg(detection.draw(seed)[0])
    label = (NUMBER - 1) % len(classification.CLASSES)
    return f"ILSVRC2012_val_{NUMBER:08d}.JPEG", jpeg(classification.draw(seed, label))
