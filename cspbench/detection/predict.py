"""A detector's candidates on a set of images, stored shard by shard before NMS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.coco.source import CocoSource
from cspbench.data.source import Sample
from cspbench.detection.candidates import IMAGES, no_candidates, pack
from cspbench.detection.detector import Detector
from cspbench.inference.npz import Arrays
from cspbench.inference.predict_shards import Batch, Columns, Predictor


class PreparedImages(Predictor):
    """Images of a COCO set, decoded and prepared for a detector; all candidates before NMS are stored."""

    def __init__(self, source: CocoSource, detector: Detector) -> None:
        super().__init__(source, detector.size, detector.channels, detector.levels)
        self.images, self.detector = source.images, detector

    def unread(self, index: int) -> dict[str, Any]:
        return {"extent": (self.images[index].width, self.images[index].height)}

    def prepare(self, sample: Sample, out: NDArray[np.float32], about: dict[str, Any]) -> None:
        _, about["extent"] = self.detector.load(sample.data, sample.key, out)

    def prepare_levels(self, sample: Sample, out: NDArray[np.uint8], about: dict[str, Any]) -> None:
        about["extent"] = self.detector.load_levels(sample.data, sample.key, out)

    def interpret(self, batch: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        values = [output.numpy() for output in outputs]
        candidates = self.detector.candidates(values, batch.columns["extent"], batch.columns["key"])
        pairs = zip(candidates, batch.columns["ok"], strict=True)
        return {"candidates": [of_image if ok else no_candidates() for of_image, ok in pairs]}

    def arrays(self, columns: Columns) -> Arrays:
        return {
            "index": np.array(columns["index"], np.int64),
            **{name: np.array(columns[name], kind) for name, (kind, _) in IMAGES.items() if name in columns},
            **pack(columns["candidates"]),
        }
