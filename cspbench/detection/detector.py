"""One interface for every detector, Darknet's and the quoted ones: from an image's pixels to its detections.

    found = detector(catalogue.model("pelee-304"), detection_preset("readme"))
    module = load(to_module(found.network), found.network, weights, Epsilon(found.epsilon))
    outputs = module(torch.from_numpy(found.prepare(image))[None])
    (candidates,) = found.candidates([each.numpy() for each in outputs], [(width, height)], ["image.jpg"])
    detections = found.suppress(candidates)

`network`'s module gives one output for each detection layer; a single one comes alone, not as a tuple. What is kept of
an image are its candidates, so that the suppression can be repeated without the network.
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
from cspbench.network.layers import Detection
from cspbench.network.network import Network
from cspbench.zoo.model import Model
from cspbench.zoo.recipe import Recipe

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


class Detector(Protocol):
    """A network, what it is fed and what its outputs mean."""

    @property
    def network(self) -> Network:
        """At the size that it runs at."""

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

    def as_json(self) -> dict[str, Any]:
        """Everything beside the network that changes a detection."""


@dataclass(frozen=True)
class DarknetDetector:
    """A network with Darknet's box layers under a preset."""

    network: Network
    preset: DetectionPreset

    @property
    def epsilon(self) -> str:
        """See `Detector`."""
        return self.preset.epsilon

    def load(self, data: bytes, name: str, out: Floats | None = None) -> tuple[Floats, tuple[int, int]]:
        """See `Detector`."""
        return self.preset.load(data, self.network.input[1:], name, out)

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        """See `Detector`."""
        return self.preset.prepare(image, self.network.input[1:], out)

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        """See `Detector`."""
        size, letterbox = self.network.input[1:], self.preset.letterbox
        return decode_yolo.decode(
            outputs, heads(self.network), size, extents, self.preset.conf, names, letterbox=letterbox
        )

    def suppress(self, image: Candidates) -> Candidates:
        """See `Detector`."""
        kept = nms(image, self.preset.nms, criterion(self.preset.nms_kind, heads(self.network)[-1]))
        return Candidates(image.boxes, image.box[kept], image.category[kept], image.score[kept])

    def as_json(self) -> dict[str, Any]:
        """See `Detector`."""
        return self.preset.as_json()


@dataclass(frozen=True)
class QuotedDetector:
    """A detector of another paper under its authors' own recipe."""

    network: Network
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
        stretched = functional.interpolate(planes, self.network.input[1:], mode="bilinear", align_corners=False)[0]
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
        size, recipe = self.network.input[1:], self.recipe
        return decode_anchors.decode(
            outputs, heads(self.network), size, extents, recipe.conf, names, objectness=recipe.objectness
        )

    def suppress(self, image: Candidates) -> Candidates:
        """See `Detector`."""
        return suppress(image, self.recipe.nms)

    def as_json(self) -> dict[str, Any]:
        """See `Detector`."""
        return self.recipe.as_json()


def heads(network: Network) -> list[Detection]:
    """The detection layers, in the order of the module's outputs."""
    return [layer for layer in network.layers if isinstance(layer, Detection)]


def detector(model: Model, preset: DetectionPreset, size: tuple[int, int] | None = None) -> Detector:
    """The detector of a catalogue model, at an input (height, width) if not its own.

    A quoted detector has a recipe and heeds no preset. Raises `UsageError` for a classifier.
    """
    return of_network(model.build(), model.recipe, preset, size)


def of_network(
    network: Network, recipe: Recipe | None, preset: DetectionPreset, size: tuple[int, int] | None = None
) -> Detector:
    """The same for a network that is in no catalogue; without a recipe it is one of Darknet's.

    A recipe's network keeps its size, as its anchors and steps are made for it.
    """
    if not network.detections:
        raise UsageError(
            "usage.other-task",
            f"{network.name} is no detector",
            expected="a network with box layers",
            found="a classifier",
            remedy="Use `cspbench eval-imagenet`",
        )
    if recipe is not None and size is not None and size != network.input[1:]:
        raise UsageError(
            "usage.own-size",
            f"{network.name} runs at its own input size only",
            expected="x".join(map(str, network.input[1:])),
            found="x".join(map(str, size)),
            remedy="Leave out the size: its anchors and steps belong to its input",
        )
    if size is not None:
        network = network.resized(*size)
    return DarknetDetector(network, preset) if recipe is None else QuotedDetector(network, recipe)
