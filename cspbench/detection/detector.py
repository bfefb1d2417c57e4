"""The interface of all detectors, Darknet's, YOLOX's and the quoted ones: from an image's pixels to its detections.

    detector = detector_of(describe(network), detection_preset("readme"))
    module = load(to_module(network), network, weights, Epsilon(detector.epsilon))
    outputs = module(torch.from_numpy(detector.prepare(image))[None])
    (candidates,) = detector.candidates([output.numpy() for output in outputs], [(width, height)], ["image.jpg"])
    detections = detector.suppress(candidates)

A module has one output for each box layer; a single output is not a tuple. Runs store candidates, so that NMS can be
repeated without the network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from cspbench.data.decode import decode
from cspbench.data.detection_presets import PRESETS, DetectionPreset
from cspbench.data.levels import Table, table
from cspbench.data.opencv import letterbox_extent, letterbox_ratio
from cspbench.data.resize import extent
from cspbench.detection import decode_anchors, decode_yolo, decode_yolox
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import criterion, nms
from cspbench.detection.soft_nms import suppress
from cspbench.errors import UsageError
from cspbench.inference.description import Description, input_channels
from cspbench.network.layers import Detection, Yolox
from cspbench.zoo.detector_protocol import DetectorProtocol

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Detector(ABC):
    """A detection network with its preprocessing and postprocessing."""

    heads: tuple[Detection, ...]
    """The box layers, in the order of the module's outputs."""
    size: tuple[int, int]
    """Input height and width in pixels."""
    rules: DetectionPreset | DetectorProtocol
    """The preset, or the protocol of a quoted detector."""
    channels: int = 3
    """Of the input: RGB, or grey."""

    @property
    def epsilon(self) -> str:
        """The epsilon of batch normalisation, a `cspbench.network.epsilon.Epsilon`."""
        return self.rules.epsilon

    def load(self, data: bytes, name: str, out: Floats | None = None) -> tuple[Floats, tuple[int, int]]:
        """The network's input from an image file's bytes, and the image's (width, height). Raises `BadImageError`."""
        image = decode(data, name, self.rules.decoder, self.channels)
        return self.prepare(image, out), extent(image)

    def load_levels(self, data: bytes, name: str, out: Pixels) -> tuple[int, int]:
        """The same in 8 bits, (height, width, 3), for `levels`."""
        image = decode(data, name, self.rules.decoder, self.channels)
        out[...] = self.in_levels(image)
        return extent(image)

    @property
    @abstractmethod
    def levels(self) -> Table | None:
        """The table of 8 bits to the network's input; None where that is interpolated in floats."""

    @abstractmethod
    def in_levels(self, image: Pixels) -> Pixels:
        """The network's input in 8 bits, (height, width, 3), for `levels`."""

    @abstractmethod
    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        """The network's input, float32 (C, height, width), from uint8 (H, W, C), RGB or grey; to `out`, if given."""

    @abstractmethod
    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        """The candidates of each image from the module's outputs, the images' (width, height) and their names."""

    @abstractmethod
    def suppress(self, image: Candidates) -> Candidates:
        """An image's candidates after NMS, in the same order."""

    @abstractmethod
    def forward_json(self) -> dict[str, Any]:
        """Everything besides the network that changes a candidate; for a quoted detector its whole protocol."""


@dataclass(frozen=True)
class PresetDetector(Detector):
    """A detector whose images are prepared by a preset."""

    rules: DetectionPreset

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        return self.rules.prepare(image, self.size, out)

    @property
    def levels(self) -> Table | None:
        return self.rules.levels

    def in_levels(self, image: Pixels) -> Pixels:
        return self.rules.in_levels(image, self.size)

    def forward_json(self) -> dict[str, Any]:
        return self.rules.forward_json()


@dataclass(frozen=True)
class DarknetDetector(PresetDetector):
    """Darknet's box layers under a preset."""

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        conf, letterbox = self.rules.conf, self.rules.letterbox
        return decode_yolo.decode(outputs, self.heads, self.size, extents, conf, names, letterbox=letterbox)

    def suppress(self, image: Candidates) -> Candidates:
        mask = nms(image, self.rules.nms, criterion(self.rules.nms_kind, self.heads[-1]))
        return Candidates(image.boxes, image.box[mask], image.category[mask], image.score[mask])


@dataclass(frozen=True)
class YoloxDetector(PresetDetector):
    """YOLOX under one of its presets.

    Megvii's code suppresses in pixels of the input and divides the boxes afterwards, mmdetection divides first. As IoU
    is the same in both, but for its last bit, boxes are divided first here, as `Candidates` says.
    """

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        (raw,), head = outputs, self.heads[-1]
        assert isinstance(head, Yolox)
        at = decode_yolox.points(self.size, head.strides, head.anchors)
        return decode_yolox.decode(raw, at, self.rules.conf, [self._scale(extent) for extent in extents], names)

    def _scale(self, extent: tuple[int, int]) -> tuple[float, float] | None:
        """Pixels of the input for one of an image of `extent` (width, height), along both axes."""
        rounded = self.rules.resize == "mmdet"
        inner = letterbox_extent(self.size, extent, rounded)
        if not all(inner):
            return None
        ratio = letterbox_ratio(self.size, extent)
        return (inner[0] / extent[0], inner[1] / extent[1]) if rounded else (ratio, ratio)

    def suppress(self, image: Candidates) -> Candidates:
        by = criterion(self.rules.nms_kind, self.heads[-1])
        mask = nms(image, decode_yolox.limit(self.rules.nms), by)
        return Candidates(image.boxes, image.box[mask], image.category[mask], image.score[mask])


@dataclass(frozen=True)
class QuotedDetector(Detector):
    """A detector of another paper under its authors' protocol."""

    rules: DetectorProtocol

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        return self._normalised(self._stretched(image), out)

    @property
    def levels(self) -> Table:
        return table(lambda pixels: self._normalised(pixels.transpose(2, 0, 1)))

    def in_levels(self, image: Pixels) -> Pixels:
        pixels = self._stretched(image).astype(np.uint8).transpose(1, 2, 0)
        return pixels[:, :, ::-1] if self.rules.bgr else pixels

    def _stretched(self, image: Pixels) -> Floats:
        """(3, height, width): whole numbers from 0 to 255, red first."""
        planes = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        stretched = functional.interpolate(planes, self.size, mode="bilinear", align_corners=False)[0]
        whole: Floats = stretched.round().numpy()
        return whole

    def _normalised(self, values: Floats | Pixels, out: Floats | None = None) -> Floats:
        mean, deviation = (
            np.array(values, np.float32)[:, None, None] for values in (self.rules.mean, self.rules.deviation)
        )
        result: Floats = np.empty(values.shape, np.float32) if out is None else out
        np.divide((values[::-1] if self.rules.bgr else values) - mean, deviation, out=result)
        return result

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        conf, objectness = self.rules.conf, self.rules.objectness
        return decode_anchors.decode(outputs, self.heads, self.size, extents, conf, names, objectness=objectness)

    def suppress(self, image: Candidates) -> Candidates:
        return suppress(image, self.rules.nms)

    def forward_json(self) -> dict[str, Any]:
        return self.rules.as_json()


def detector_of(
    description: Description, preset: DetectionPreset, protocol: DetectorProtocol | None = None
) -> Detector:
    """The detector of a module under a preset; a quoted detector has a protocol instead, and ignores the preset.

    Raises `UsageError` for a classifier, for an input that is neither RGB nor grey, and for a preset of other heads.
    """
    if not description.heads:
        raise UsageError(
            "usage.other-task",
            f"{description.name} is not a detector",
            expected="a network with box layers",
            found="a classifier",
            remedy="Use `cspbench eval-imagenet`",
        )
    channels = description.input[0]
    if channels != 3 and (channels != 1 or protocol is not None):
        raise input_channels(description, "1 or 3")
    if protocol is not None:
        return QuotedDetector(description.heads, description.size, protocol)
    yolox = isinstance(description.heads[-1], Yolox)
    if preset.exact is not yolox:
        raise UsageError(
            "usage.preset-of-other-heads",
            f"preset {preset.name} is not for the boxes of {description.name}",
            expected=", ".join(name for name, other in PRESETS.items() if other.exact is yolox),
            found=preset.name,
            remedy="Choose another --preset, or leave it out",
        )
    if yolox:
        return YoloxDetector(description.heads, description.size, preset)
    return DarknetDetector(description.heads, description.size, preset.for_network(description.letter_box), channels)
