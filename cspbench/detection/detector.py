"""One interface for every detector, Darknet's and the quoted ones: from an image's pixels to its detections.

    detector = detector_of(describe(network), detection_preset("readme"))
    module = load(to_module(network), network, weights, Epsilon(detector.epsilon))
    outputs = module(torch.from_numpy(detector.prepare(image))[None])
    (candidates,) = detector.candidates([each.numpy() for each in outputs], [(width, height)], ["image.jpg"])
    detections = detector.suppress(candidates)

A module gives one output for each box layer; a single one comes alone, not as a tuple. What is kept of an image are its
candidates, so that the suppression can be repeated without the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from cspbench.data.decode import decode
from cspbench.data.detection_presets import DetectionPreset
from cspbench.data.resize import extent
from cspbench.detection import decode_anchors, decode_yolo
from cspbench.detection.candidates import Candidates
from cspbench.detection.nms import criterion, nms
from cspbench.detection.soft_nms import suppress
from cspbench.errors import UsageError
from cspbench.inference.description import Description
from cspbench.network.layers import Detection
from cspbench.zoo.recipe import Recipe

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Detector(Protocol):
    """A network, what it is fed and what its outputs mean."""

    @property
    def heads(self) -> tuple[Detection, ...]:
        """The box layers, in the order of the module's outputs."""

    @property
    def size(self) -> tuple[int, int]:
        """Input height and width in pixels."""

    @property
    def epsilon(self) -> str:
        """Rule of the batch norm's epsilon, a `cspbench.weights.loading.Epsilon`."""

    def load(self, data: bytes, name: str, out: Floats | None = None) -> tuple[Floats, tuple[int, int]]:
        """The network's input from an image file's bytes, and the image's (width, height). Raises `BadImageError`."""

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        """The network's input, float32 (3, height, width), from uint8 (H, W, 3) in RGB; written to `out` if given."""

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        """Of each image, before any suppression; from the module's outputs, the images' (width, height) and names."""

    def suppress(self, image: Candidates) -> Candidates:
        """What stays of an image's candidates, in their order: its detections."""

    def forward_json(self) -> dict[str, Any]:
        """Everything beside the network that changes a candidate; a quoted detector's whole protocol."""


@dataclass(frozen=True)
class DarknetDetector:
    """Darknet's box layers under a preset."""

    heads: tuple[Detection, ...]
    size: tuple[int, int]
    preset: DetectionPreset

    @property
    def epsilon(self) -> str:
        """See `Detector`."""
        return self.preset.epsilon

    def load(self, data: bytes, name: str, out: Floats | None = None) -> tuple[Floats, tuple[int, int]]:
        """See `Detector`."""
        return self.preset.load(data, self.size, name, out)

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        """See `Detector`."""
        return self.preset.prepare(image, self.size, out)

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        """See `Detector`."""
        letterbox = self.preset.letterbox
        return decode_yolo.decode(outputs, self.heads, self.size, extents, self.preset.conf, names, letterbox=letterbox)

    def suppress(self, image: Candidates) -> Candidates:
        """See `Detector`."""
        kept = nms(image, self.preset.nms, criterion(self.preset.nms_kind, self.heads[-1]))
        return Candidates(image.boxes, image.box[kept], image.category[kept], image.score[kept])

    def forward_json(self) -> dict[str, Any]:
        """See `Detector`."""
        return self.preset.forward_json()


@dataclass(frozen=True)
class QuotedDetector:
    """A detector of another paper under its authors' own protocol."""

    heads: tuple[Detection, ...]
    size: tuple[int, int]
    recipe: Recipe

    @property
    def epsilon(self) -> str:
        """See `Detector`."""
        return self.recipe.epsilon

    def load(self, data: bytes, name: str, out: Floats | None = None) -> tuple[Floats, tuple[int, int]]:
        """See `Detector`."""
        image = decode(data, name, self.recipe.decoder)
        return self.prepare(image, out), extent(image)

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        """See `Detector`."""
        planes = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None]
        stretched = functional.interpolate(planes, self.size, mode="bilinear", align_corners=False)[0]
        values = stretched.round().numpy()
        mean, deviation = (
            np.array(each, np.float32)[:, None, None] for each in (self.recipe.mean, self.recipe.deviation)
        )
        result: Floats = np.empty_like(values) if out is None else out
        np.divide((values[::-1] if self.recipe.bgr else values) - mean, deviation, out=result)
        return result

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        """See `Detector`."""
        recipe = self.recipe
        return decode_anchors.decode(
            outputs, self.heads, self.size, extents, recipe.conf, names, objectness=recipe.objectness
        )

    def suppress(self, image: Candidates) -> Candidates:
        """See `Detector`."""
        return suppress(image, self.recipe.nms)

    def forward_json(self) -> dict[str, Any]:
        """See `Detector`."""
        return self.recipe.as_json()


def detector_of(description: Description, preset: DetectionPreset, recipe: Recipe | None = None) -> Detector:
    """The detector of a module under a preset; a quoted one has a recipe and heeds no preset.

    Raises `UsageError` for a classifier.
    """
    if not description.heads:
        raise UsageError(
            "usage.other-task",
            f"{description.name} is not a detector",
            expected="a network with box layers",
            found="a classifier",
            remedy="Use `cspbench eval-imagenet`",
        )
    if recipe is None:
        return DarknetDetector(description.heads, description.size, preset)
    return QuotedDetector(description.heads, description.size, recipe)
