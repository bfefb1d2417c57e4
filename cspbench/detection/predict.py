"""A detector's candidates on a set of images, stored shard by shard before NMS."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cspbench.data.coco import CocoSource
from cspbench.detection.candidates import no_candidates, pack
from cspbench.detection.detector import Detector
from cspbench.errors import BadImageError
from cspbench.inference.npz import Arrays
from cspbench.inference.predict_shards import Batch, Columns, Predictor, Prepared


class PreparedImages(Predictor):
    """Images of a COCO set, decoded and prepared for a detector; all candidates before NMS are stored."""

    def __init__(self, source: CocoSource, detector: Detector) -> None:
        self.source, self.detector = source, detector

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        image = self.source.images[index]
        about: dict[str, Any] = {"key": image.file_name, "extent": (image.width, image.height), "checksum": 0}
        pixels = torch.zeros(3, *self.detector.size)
        try:
            sample = self.source.sample(index)
            about["checksum"] = zlib.crc32(sample.data)
            _, about["extent"] = self.detector.load(sample.data, sample.key, pixels.numpy())
        except BadImageError:
            return Prepared(index, pixels.zero_(), False, about)
        return Prepared(index, pixels, True, about)

    def interpret(self, batch: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        values = [output.numpy() for output in outputs]
        candidates = self.detector.candidates(values, batch.columns["extent"], batch.columns["key"])
        pairs = zip(candidates, batch.columns["ok"], strict=True)
        return {"candidates": [of_image if ok else no_candidates() for of_image, ok in pairs]}

    def arrays(self, columns: Columns) -> Arrays:
        return {
            "index": np.array(columns["index"], np.int64),
            "key": np.array(columns["key"], np.str_),
            "extent": np.array(columns["extent"], np.int32),
            "checksum": np.array(columns["checksum"], np.uint32),
            "ok": np.array(columns["ok"], np.bool_),
            **pack(columns["candidates"]),
        }
