"""The objects of an image that its detections overlap, of whatever class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from cspbench.detection.ap.matching import Array, overlaps

CHUNK = 1 << 20
"""Pairs of a detection and an object that are held at a time."""


class Boxes(NamedTuple):
    """N boxes: the index of the image, the index of the class, and left, top, width, height in pixels (N, 4)."""

    images: Array
    classes: Array
    boxes: Array

    def only(self, rows: Array) -> Boxes:
        return Boxes(*(column[rows] for column in self))


class Nearest(NamedTuple):
    """For each of N detections the highest IoU with an object of its own class and of another one, 0 without any, and
    the first object that has it, -1 for none.
    """

    own: Array
    own_object: Array
    other: Array
    other_object: Array


def nearest(boxes: Boxes, objects: Boxes) -> Nearest:
    """The nearest objects of N detections among the objects of their images, which are sorted by image."""
    count = len(boxes.images)
    own, other = np.zeros(count), np.zeros(count)
    own_object, other_object = np.full(count, -1), np.full(count, -1)
    for detection, target, overlap in pairs(boxes, objects):
        same = boxes.classes[detection] == objects.classes[target]
        begin = np.flatnonzero(np.diff(detection, prepend=-1))  # of each detection's pairs
        rows = detection[begin]
        for of_kind, best, nearest_object in ((same, own, own_object), (~same, other, other_object)):
            value = np.where(of_kind, overlap, 0.0)
            best[rows] = np.maximum.reduceat(value, begin)
            # backwards, so that the first of equal overlaps is the one that stays
            holds = np.flatnonzero((value > 0) & (value == best[detection]))[::-1]
            nearest_object[detection[holds]] = target[holds]
    return Nearest(own, own_object, other, other_object)


def pairs(boxes: Boxes, objects: Boxes) -> Iterator[tuple[Array, Array, Array]]:
    """(detection, object, IoU) of all pairs of an image, (P,) each, sorted; all pairs of a detection are in one part.

    The objects are sorted by image.
    """
    first = np.searchsorted(objects.images, boxes.images, "left")
    count = np.searchsorted(objects.images, boxes.images, "right") - first
    rows = np.flatnonzero(count)
    ends = np.cumsum(count[rows])
    begin = 0
    while begin < len(rows):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + CHUNK, "right")))
        part = rows[begin:end]
        detection = np.repeat(part, count[part])
        step = np.arange(len(detection)) - np.repeat(ends[begin:end] - count[part] - done, count[part])
        target = first[detection] + step
        rectangles = boxes.boxes[detection]
        yield detection, target, overlaps(rectangles, rectangles[:, 2] * rectangles[:, 3], objects.boxes[target], False)
        begin = end
