"""What a model says of one picture, and the forms that other programs read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Class:
    """One class with its probability."""

    label: int
    """Its number in the network's order, from 0."""
    name: str
    score: float
    wnid: str | None = None
    """Its WordNet id, for ImageNet's classes."""


@dataclass(frozen=True, eq=False)
class Classified:
    """A classifier's prediction for one picture."""

    image: str
    top: tuple[Class, ...]
    """The most probable classes, the best first."""
    pred_scores: NDArray[np.float32]
    """(classes,) the probabilities in the network's order."""

    @property
    def pred_label(self) -> int:
        """The number of the most probable class, in the network's order."""
        return self.top[0].label

    @property
    def pred_class(self) -> str:
        """Its name."""
        return self.top[0].name

    @property
    def pred_score(self) -> float:
        """Its probability."""
        return self.top[0].score

    def as_json(self) -> dict[str, Any]:
        """The image and its most probable classes."""
        return {"image": self.image, "top": [vars(guess) for guess in self.top]}

    def yolo_lines(self) -> list[str]:
        """One line a class, "score name", as YOLO's tools write for classifiers."""
        return [f"{guess.score:.6f} {guess.name}" for guess in self.top]


@dataclass(frozen=True)
class DetectedBox:
    """One box with its class."""

    label: int
    """The number of the class in the network's order, from 0."""
    name: str
    category_id: int
    """The id of COCO's category, or of other classes their number from 1."""
    score: float
    bbox: tuple[float, float, float, float]
    """Left, top, width, height in pixels of the picture, clipped to it, in millionths as in Darknet's JSON."""


@dataclass(frozen=True, eq=False)
class Detected:
    """A detector's boxes on one picture, the best first."""

    image: str
    width: int
    height: int
    boxes: tuple[DetectedBox, ...]

    def as_json(self) -> dict[str, Any]:
        """The image, its size and its boxes."""
        size = {"width": self.width, "height": self.height}
        return {"image": self.image, **size, "boxes": [vars(box) | {"bbox": list(box.bbox)} for box in self.boxes]}

    def yolo_lines(self) -> list[str]:
        """One line a box, "class x y width height score": its centre and size as shares of the picture's sides."""
        lines = []
        for box in self.boxes:
            left, top, width, height = box.bbox
            centre = (left + width / 2) / self.width, (top + height / 2) / self.height
            numbers = *centre, width / self.width, height / self.height, box.score
            lines.append(" ".join([str(box.label), *(f"{number:.6f}" for number in numbers)]))
        return lines


Prediction = Classified | Detected


def coco_ids(images: Sequence[str]) -> list[int | str]:
    """The id of each image in COCO's result format: the number that its file is called, else its name.

    "000000000042.jpg" and "COCO_val2014_000000000042.jpg" are 42, "photo.jpg" is "photo".
    """
    stems = [PurePath(image).stem for image in images]
    numbers = [re.fullmatch(r"(?:COCO_\w+_)?0*(\d{1,18})", stem, re.ASCII) for stem in stems]
    return [int(number[1]) if number else stem for number, stem in zip(numbers, stems, strict=True)]


def coco_results(predictions: Sequence[Detected]) -> list[dict[str, Any]]:
    """The boxes in COCO's result format."""
    ids = coco_ids([prediction.image for prediction in predictions])
    return [
        {"image_id": key, "category_id": box.category_id, "bbox": list(box.bbox), "score": box.score}
        for key, prediction in zip(ids, predictions, strict=True)
        for box in prediction.boxes
    ]
