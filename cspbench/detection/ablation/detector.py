"""A detector whose input is changed in parts: its pixels, and the way back from boxes in the input to the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from cspbench.detection.ablation.pixels import Floats, Input, Pixels, Place
from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.detection.detector import PresetDetector


@dataclass(frozen=True, kw_only=True)
class ChangedDetector(PresetDetector):
    """A detector with another input than its preset's, and another score threshold."""

    own: PresetDetector
    input: Input

    @classmethod
    def of(cls, own: PresetDetector, changed: Input, conf: float) -> ChangedDetector:
        """`own` with a changed input.

        Where its own program has the geometry, boxes take that program's way back to the image.
        """
        rules = replace(own.rules, conf=conf, decoder=changed.decoder)
        if own.rules.exact:
            resize = changed.resize if changed.resize in ("yolox", "mmdet") else "yolox"
            rules = replace(rules, resize=resize)
        else:
            rules = replace(rules, letterbox=changed.resize == "darknet" and changed.placing.where == "centred")
        return cls(own.heads, own.size, rules, own.channels, own=replace(own, rules=rules), input=changed)

    def prepare(self, image: Pixels, out: Floats | None = None) -> Floats:
        return self.input.prepare(image, self.size, out)

    @property
    def levels(self) -> None:
        """None: a changed input has no table."""

    def candidates(
        self, outputs: Sequence[Floats], extents: Sequence[tuple[int, int]], names: Sequence[str]
    ) -> list[Candidates]:
        if self._known_geometry:
            return self.own.candidates(outputs, extents, names)
        height, width = self.size
        inside = replace(self.own, rules=replace(self.own.rules, letterbox=False))
        images = inside.candidates(outputs, [(width, height)] * len(extents), names)
        places = [self.input.place(self.size, extent) for extent in extents]
        return [_in_image(*each) for each in zip(images, places, extents, strict=True)]

    def suppress(self, image: Candidates) -> Candidates:
        return self.own.suppress(image)

    def forward_json(self) -> dict[str, Any]:
        return {**super().forward_json(), "input": asdict(self.input)}

    @property
    def _known_geometry(self) -> bool:
        rules, where = self.own.rules, self.input.placing.where
        if rules.exact:
            return where == "corner" and rules.resize == self.input.resize
        return where == "stretched" or rules.letterbox


def _in_image(image: Candidates, place: Place, extent: tuple[int, int]) -> Candidates:
    """Boxes in pixels of the image from those in pixels of the input."""
    if not place.width or not place.height:
        return no_candidates()
    scale = np.array(extent, np.float32) / np.array([place.width, place.height], np.float32)
    corner = np.array([place.left, place.top], np.float32)
    boxes: Floats = np.concatenate(((image.boxes[:, :2] - corner) * scale, image.boxes[:, 2:] * scale), 1)
    return Candidates(boxes, image.box, image.category, image.score)
