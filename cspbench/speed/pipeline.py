"""What surrounds a network's forward pass: from a JPEG file to its input, and from its output to boxes or classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cspbench.classification.accuracy import top_k
from cspbench.classification.classifiers import preset_of
from cspbench.classification.predict import TOP, probabilities_of
from cspbench.data.decode import decode
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.data.presets import ClassificationPreset
from cspbench.detection.candidates import Candidates
from cspbench.detection.detector import Detector, detector_of
from cspbench.inference.description import Description, describe, input_channels
from cspbench.network.modular.network import ModuleNetwork
from cspbench.speed.picture import HEIGHT, WIDTH
from cspbench.speed.subjects import Subject

NAME = "the drawn picture"


@dataclass(frozen=True)
class Pipeline(ABC):
    """Loading and interpretation as the evaluation of the network has them."""

    @property
    @abstractmethod
    def epsilon(self) -> str:
        """The rule of batch normalisation."""

    @abstractmethod
    def load(self, data: bytes) -> NDArray[np.float32]:
        """The network's input, (C, height, width), from a JPEG file's bytes."""

    def count(self, outputs: tuple[Tensor, ...]) -> int:
        """Boxes before suppression, in the outputs of one image; none of a classifier."""
        return 0

    @abstractmethod
    def interpret(self, outputs: tuple[Tensor, ...]) -> tuple[int, int] | None:
        """Boxes before and after suppression, from the outputs of one image; None of a classifier."""


@dataclass(frozen=True)
class Boxes(Pipeline):
    """A detector's."""

    detector: Detector

    @property
    def epsilon(self) -> str:
        return self.detector.epsilon

    def load(self, data: bytes) -> NDArray[np.float32]:
        return self.detector.load(data, NAME)[0]

    def count(self, outputs: tuple[Tensor, ...]) -> int:
        return len(self._candidates(outputs).score)

    def interpret(self, outputs: tuple[Tensor, ...]) -> tuple[int, int]:
        candidates = self._candidates(outputs)
        return len(candidates.score), len(self.detector.suppress(candidates).score)

    def _candidates(self, outputs: tuple[Tensor, ...]) -> Candidates:
        (candidates,) = self.detector.candidates([output.numpy() for output in outputs], [(WIDTH, HEIGHT)], [NAME])
        return candidates


@dataclass(frozen=True)
class Undecoded(Pipeline):
    """That of a detector whose anchors nobody published: its outputs are left as they are."""

    preset: DetectionPreset
    size: tuple[int, int]

    @property
    def epsilon(self) -> str:
        return self.preset.epsilon

    def load(self, data: bytes) -> NDArray[np.float32]:
        return self.preset.prepare(decode(data, NAME, self.preset.decoder), self.size)

    def interpret(self, outputs: tuple[Tensor, ...]) -> None:
        """Nothing is done."""


@dataclass(frozen=True)
class Classes(Pipeline):
    """A classifier's."""

    preset: ClassificationPreset
    description: Description

    @property
    def epsilon(self) -> str:
        return self.preset.epsilon

    def load(self, data: bytes) -> NDArray[np.float32]:
        return self.preset.load(data, self.description.size, NAME)

    def interpret(self, outputs: tuple[Tensor, ...]) -> None:
        top_k(probabilities_of(outputs, [NAME], self.description.probabilities), TOP)


def pipeline_of(subject: Subject) -> Pipeline:
    """The pipeline under the preset `readme`, or the model's own; raises `UsageError` for an input of no image."""
    network = subject.network
    if isinstance(network, ModuleNetwork) and network.detects and not network.design.one_box:
        return Undecoded(detection_preset(network.preset or "readme"), network.input[1:])
    description = describe(network)
    if description.heads:
        preset = detection_preset(network.preset or "readme")
        return Boxes(detector_of(description, preset, subject.protocol))
    if description.input[0] != 3:
        raise input_channels(description, "3")
    of_classes = preset_of(subject.name, description.preset, subject.definition == "file")
    of_classes.check_size(description.size)
    return Classes(of_classes, description)
