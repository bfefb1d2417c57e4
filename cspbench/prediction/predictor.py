"""Models that are ready to predict, with the pixels and the decoding of the evaluation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.classification.accuracy import top_k
from cspbench.classification.predict import probabilities_of
from cspbench.data.decode import Decoder
from cspbench.data.presets import ClassificationPreset
from cspbench.data.resize import extent
from cspbench.detection.detections import detections
from cspbench.detection.detector import Detector, YoloxDetector
from cspbench.errors import BadImageError
from cspbench.evaluation.subject import Subject
from cspbench.inference.engine import Engine
from cspbench.inference.footprint import enough_memory
from cspbench.models.class_names import Labels
from cspbench.prediction.pictures import Picture
from cspbench.prediction.predictions import Class, Classified, Detected, DetectedBox, Prediction


@dataclass(frozen=True, eq=False)
class Predictor(ABC):
    """A model on a device, with its preset and its classes."""

    subject: Subject
    engine: Engine
    labels: Labels
    batch: int
    """Pictures per forward pass."""

    @property
    @abstractmethod
    def decoder(self) -> Decoder:
        """What decodes the pictures."""

    @property
    @abstractmethod
    def preset(self) -> dict[str, Any]:
        """The preset, as records have it."""

    @abstractmethod
    def prepare(self, picture: Picture) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """The network's input, (C, height, width), and the picture's (width, height). Raises `BadImageError`."""

    @abstractmethod
    def interpret(
        self, outputs: tuple[Tensor, ...], names: Sequence[str], extents: Sequence[tuple[int, int]]
    ) -> list[Prediction]:
        """The predictions of a batch. Raises `OutputError`."""

    def predict(self, pictures: Sequence[Picture]) -> Iterator[Prediction | BadImageError]:
        """The prediction of each picture, in their order, or the error of a picture that cannot be used."""
        with ThreadPoolExecutor(min(4, self.batch)) as pool, enough_memory(f"the predictions of {self.subject.name}"):
            for begin in range(0, len(pictures), self.batch):
                block = pictures[begin : begin + self.batch]
                prepared = list(pool.map(self._prepared, block) if len(block) > 1 else map(self._prepared, block))
                usable = [
                    (picture.name, pixels)
                    for picture, pixels in zip(block, prepared, strict=True)
                    if isinstance(pixels, tuple)
                ]
                predictions = iter(self._batch(usable) if usable else [])
                yield from (pixels if isinstance(pixels, BadImageError) else next(predictions) for pixels in prepared)

    def _prepared(self, picture: Picture) -> tuple[NDArray[np.float32], tuple[int, int]] | BadImageError:
        try:
            return self.prepare(picture)
        except BadImageError as error:
            return error

    def _batch(self, usable: Sequence[tuple[str, tuple[NDArray[np.float32], tuple[int, int]]]]) -> list[Prediction]:
        pixels = torch.from_numpy(np.stack([pixels for _, (pixels, _) in usable]))
        return self.interpret(self.engine(pixels), [name for name, _ in usable], [size for _, (_, size) in usable])


@dataclass(frozen=True, eq=False)
class ClassPredictor(Predictor):
    """A classifier."""

    rules: ClassificationPreset
    topk: int

    @property
    def decoder(self) -> Decoder:
        return self.rules.decoder

    @property
    def preset(self) -> dict[str, Any]:
        return self.rules.as_json()

    def prepare(self, picture: Picture) -> tuple[NDArray[np.float32], tuple[int, int]]:
        image = picture.pixels(self.decoder)
        try:
            return self.rules.prepare(image, self.subject.size), extent(image)
        except BadImageError as error:  # too long for its width
            raise error.at(picture.name) from error

    def interpret(
        self, outputs: tuple[Tensor, ...], names: Sequence[str], extents: Sequence[tuple[int, int]]
    ) -> list[Prediction]:
        every = probabilities_of(outputs, names, self.subject.description.probabilities)
        best = top_k(every, self.topk)
        return [
            Classified(name, tuple(self._class(label, scores[label]) for label in top.tolist()), scores)
            for name, top, scores in zip(names, best, every, strict=True)
        ]

    def _class(self, label: int, score: np.float32) -> Class:
        wnid = str(self.labels.ids[label]) if self.labels.ids else None
        return Class(label, self.labels.names[label], float(score), wnid)


@dataclass(frozen=True, eq=False)
class BoxPredictor(Predictor):
    """A detector. Its boxes are those after NMS with a score above `conf`."""

    detector: Detector
    conf: float

    @property
    def decoder(self) -> Decoder:
        return self.detector.rules.decoder

    @property
    def preset(self) -> dict[str, Any]:
        return {**self.detector.rules.as_json(), "conf": self.conf}

    def prepare(self, picture: Picture) -> tuple[NDArray[np.float32], tuple[int, int]]:
        image = picture.pixels(self.decoder, self.detector.channels)
        return self.detector.prepare(image), extent(image)

    def interpret(
        self, outputs: tuple[Tensor, ...], names: Sequence[str], extents: Sequence[tuple[int, int]]
    ) -> list[Prediction]:
        every = self.detector.candidates([output.numpy() for output in outputs], extents, names)
        survivors = [self.detector.suppress(image) for image in every]
        above = [image.score > np.float32(self.conf) for image in survivors]
        classes = range(len(self.labels.names))
        exact = isinstance(self.detector, YoloxDetector)
        flat = detections(survivors, above, extents, range(len(names)), classes, exact=exact)
        columns = zip(flat.image_ids, flat.category_ids, flat.boxes.tolist(), flat.scores.tolist(), strict=True)
        boxes: list[list[DetectedBox]] = [[] for _ in names]
        for image, label, bbox, score in columns:
            boxes[image].append(self._box(int(label), tuple(bbox), score))
        return [
            Detected(name, *size, tuple(sorted(own, key=lambda box: -box.score)))
            for name, size, own in zip(names, extents, boxes, strict=True)
        ]

    def _box(self, label: int, bbox: Any, score: float) -> DetectedBox:
        assert self.labels.ids is not None
        return DetectedBox(label, self.labels.names[label], int(self.labels.ids[label]), score, bbox)
