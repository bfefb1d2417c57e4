"""A detector's candidates over a set of images, kept shard by shard before any suppression."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cspbench.data.coco import CocoSource
from cspbench.detection.candidates import no_candidates, pack
from cspbench.detection.detector import Detector
from cspbench.errors import BadImageError
from cspbench.inference import predict_shards
from cspbench.inference.engine import Engine
from cspbench.inference.npz import Arrays
from cspbench.inference.predict_shards import Batch, Columns, Prepared, Timing
from cspbench.inference.run import Run


class PreparedImages(Dataset[Prepared]):
    """Images of a COCO set, decoded and prepared as a detector is fed."""

    def __init__(self, source: CocoSource, detector: Detector) -> None:
        self.source, self.detector = source, detector

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        image = self.source.images[index]
        about: dict[str, Any] = {"key": image.file_name, "extent": (image.width, image.height), "checksum": 0}
        pixels = torch.zeros(self.detector.network.input)
        try:
            sample = self.source.sample(index)
            about["checksum"] = zlib.crc32(sample.data)
            _, about["extent"] = self.detector.load(sample.data, sample.key, pixels.numpy())
        except BadImageError:
            return Prepared(index, pixels.zero_(), False, about)
        return Prepared(index, pixels, True, about)


def predict(
    run: Run,
    shards: list[int],
    images: PreparedImages,
    engine: Engine,
    batch: int,
    workers: int,
    progress: Callable[[Timing], None],
) -> Timing:
    """Make the shards: all candidates of each image before any suppression. Raises `OutputError`."""

    def interpret(ready: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        values = [output.numpy() for output in outputs]
        found = images.detector.candidates(values, ready.columns["extent"], ready.columns["key"])
        usable = zip(found, ready.columns["ok"], strict=True)
        return {"candidates": [each if ok else no_candidates() for each, ok in usable]}

    return predict_shards.predict(run, shards, images, engine, batch, workers, interpret, _arrays, progress)


def _arrays(columns: Columns) -> Arrays:
    return {
        "index": np.array(columns["index"], np.int64),
        "key": np.array(columns["key"], np.str_),
        "extent": np.array(columns["extent"], np.int32),
        "checksum": np.array(columns["checksum"], np.uint32),
        "ok": np.array(columns["ok"], np.bool_),
        **pack(columns["candidates"]),
    }
